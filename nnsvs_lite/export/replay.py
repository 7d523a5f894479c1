"""Makes the calls that OpenUtau makes of a DiffSinger bank, in its order, to sing a short tune.

A phrase is first cut into words that begin with their vowels, whose durations are predicted; then it is
rendered between two silences: pitch, variances, spectra, waveform.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnsvs_lite.export.banks import Part, find_vocoder, opened, read_numbers
from nnsvs_lite.export.check import VARIANCES, Finding, fault, findings
from nnsvs_lite.features.f0 import midi_to_hz
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph

PADDING = 0.5
"""Seconds of silence before a phrase whose durations are predicted."""
AROUND = 8
"""Frames of silence before and after a phrase that is rendered."""


class TuneNote(NamedTuple):
    """``midi`` number, seconds, and a lyric of the dictionary; an empty one is a rest."""

    midi: int
    seconds: float
    lyric: str


SAKURA = [
    *(TuneNote(69, 0.5, "sa"), TuneNote(69, 0.5, "ku"), TuneNote(71, 1.0, "ra"), TuneNote(0, 0.25, "")),
    *(TuneNote(69, 0.5, "ya"), TuneNote(71, 0.5, "yo"), TuneNote(72, 0.5, "i"), TuneNote(71, 0.5, "no")),
    *(TuneNote(69, 0.5, "so"), TuneNote(65, 0.5, "ra"), TuneNote(64, 1.0, "wa")),
]
"""A Japanese song of the Edo period."""


class Call(NamedTuple):
    """One run of a network: its file in the bank, what went in and what came out."""

    file: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


@dataclass
class SungTune:
    """A sung tune.

    Attributes:
        wav: (samples,) at ``rate``. notes: start and end in seconds, and the MIDI number, of each.
        f0: (T,) Hz that the networks were told. mel: (T, bins). frame: seconds. phones, lengths: frames.
    """

    wav: np.ndarray
    rate: int
    notes: list[tuple[float, float, int]]
    f0: np.ndarray
    mel: np.ndarray
    frame: float
    phones: list[str]
    lengths: list[int]


@dataclass
class Player:
    """A bank, opened to be sung with. Raises DataError where a file is missing or cannot be run."""

    root: Path
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.main = Part.read(self.root, "")
        self.duration = Part.read(self.root, "dsdur")
        self.pitch, self.variance = (
            Part.read(self.root, name) if (self.root / name).is_dir() else None
            for name in ("dspitch", "dsvariance")
        )
        self.vocoder = find_vocoder(self.root)
        if self.vocoder is None:
            raise DataError("has no vocoder of its own: it is not sung with here", self.root)
        self._graphs: dict[tuple[str, str], Graph] = {}

    def run(self, part: Part, key: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Runs a network that a part names."""
        place = (part.name, key)
        if place not in self._graphs:
            self._graphs[place] = part.graph(key)
        out = self._graphs[place](**inputs)
        self.calls.append(Call(part.place(str(part[key])), inputs, out))
        return out

    def steps(self, part: Part, count: int) -> dict[str, np.ndarray]:
        """How many steps a sampler takes, of a thousand."""
        name = "steps" if part["use_continuous_acceleration"] else "speedup"
        return {name: np.array([count if name == "steps" else max(1, 1000 // count)])}

    def shared(self, part: Part, count: int) -> dict[str, np.ndarray]:
        """The first speaker's vector for ``count`` rows."""
        if not part.speakers:
            return {}
        vector = np.fromfile(part.folder / f"{part.speakers[0]}.emb", "<f4")
        return {"spk_embed": np.tile(vector, (1, count, 1))}

    def languages(self, part: Part, phones: Sequence[str]) -> dict[str, np.ndarray]:
        """Of phonemes named as ``ja/a``."""
        if not part["use_lang_id"]:
            return {}
        known = read_numbers(part.file(str(part["languages"] or "languages.json")))
        return {
            "languages": np.array([[known.get(p.partition("/")[0], 0) if "/" in p else 0 for p in phones]])
        }

    def sing(self, tune: Sequence[TuneNote], steps: int = 10) -> SungTune:
        """Sings a tune whose lyrics the dictionary has."""
        phones, lengths, notes = self._timed(tune)
        phones = ["SP", *phones, "SP"]
        durations = np.array([[AROUND, *lengths, AROUND]])
        count = int(durations.sum())
        midi = self._melody(phones, durations, notes, count, steps)
        f0 = midi_to_hz(midi).astype(np.float32)
        mel = self._spectra(phones, durations, f0, midi, count, steps)
        bases = {"10": np.log(10.0), "e": 1.0}
        mel = (mel * (bases[str(self.main["mel_base"])] / bases[str(self.vocoder["mel_base"])])).astype(
            np.float32
        )
        wav = next(iter(self.run(self.vocoder, "model", mel=mel, f0=f0).values()))[0]
        frame = self.main.frame
        spans, at = [], 0
        for number, length, rest in notes:
            if not rest:
                spans.append((at * frame, (at + length) * frame, number))
            at += length
        rate = self.vocoder["sample_rate"]
        return SungTune(wav, rate, spans, f0[0], mel[0], frame, phones, durations[0].tolist())

    def _tokens(self, part: Part, phones: Sequence[str]) -> np.ndarray:
        if lacking := [phone for phone in phones if phone not in part.tokens]:
            raise DataError(f"no phoneme {lacking[0]!r}", part.folder / str(part["phonemes"]))
        return np.array([[part.tokens[phone] for phone in phones]])

    def _words(self, tune: Sequence[TuneNote]) -> list[tuple[list[str], list[int], float]]:
        """Phones, pitches and the beginning of each word; the first begins before the tune."""
        kinds, entries = self.duration.dictionary
        first = next(note.midi for note in tune if note.lyric)
        words, time, last = [(["SP"], [first], -PADDING)], 0.0, first
        for note in tune:
            phones, pitch = (entries.get(note.lyric), note.midi) if note.lyric else (["SP"], last)
            if phones is None:
                raise DataError(f"no lyric {note.lyric!r}", self.duration.folder / "dsdict.yaml")
            begins = next((i for i, phone in enumerate(phones) if kinds.get(phone) == "vowel"), len(phones))
            if begins > 1 and kinds.get(phones[begins - 1]) in ("semivowel", "liquid"):
                begins -= 1
            words[-1][0].extend(phones[:begins])
            words[-1][1].extend([pitch] * begins)
            if begins < len(phones):
                words.append((list(phones[begins:]), [pitch] * (len(phones) - begins), time))
            time, last = time + note.seconds, pitch
        return [*words, (["SP"], [last], time)]

    def _timed(self, tune: Sequence[TuneNote]) -> tuple[list[str], list[int], list[tuple[int, int, bool]]]:
        """Phones from the first consonant on, their frames; notes (MIDI, frames, rest) with the padding."""
        part = self.duration
        frame, rendered = part.frame, self.main.frame
        words = self._words(tune)
        phones = [phone for word in words for phone in word[0]]
        ends = [word[2] for word in words[1:]]
        ends.append(ends[-1] + PADDING)
        word_dur = np.diff(np.round(np.array([words[0][2], *ends]) / frame)).astype(np.int64)[None]
        tokens, languages = self._tokens(part, phones), self.languages(part, phones)
        told = {"word_div": np.array([[len(word[0]) for word in words]]), "word_dur": word_dur}
        made = self.run(part, "linguistic", tokens=tokens, **told, **languages)
        midi = np.array([[pitch for word in words for pitch in word[1]]])
        shared = self.shared(part, len(phones))
        made = {name: made[name] for name in ("encoder_out", "x_masks")}
        found = next(iter(self.run(part, "dur", ph_midi=midi, **made, **shared).values()))[0]
        if found.shape != (len(phones),) or not np.isfinite(found).all():
            raise DataError(f"gives durations of the shape {found.shape}", part.folder / str(part["dur"]))
        # The first word's consonants keep their lengths; others are stretched to where the next begins.
        bounds, at = [], 0
        for i, (word, _, start) in enumerate(words):
            own = np.maximum(found[at : at + len(word)], 1e-3)
            at += len(word)
            if i == 0:
                bounds += [-frame * float(own[k:].sum()) for k in range(len(own))]
            else:
                inside = np.concatenate([[0.0], np.cumsum(own)[:-1]]) / own.sum()
                bounds += list(start + inside * (ends[i] - start))
        # Not the silences at both ends.
        whole = np.round(np.array(bounds[1:]) / rendered).astype(np.int64)
        whole = np.maximum.accumulate(whole)
        lengths = np.diff(whole)
        lead = int(-whole[0])
        starts = np.round(np.cumsum([0.0, *(note.seconds for note in tune)]) / rendered).astype(np.int64)
        rows = [(note.midi, int(b - a), not note.lyric) for note, a, b in zip(tune, starts, starts[1:])]
        first, last = (next(r[0] for r in order if not r[2]) for order in (rows, rows[::-1]))
        rows = [(first, AROUND + lead, True), *rows, (last, AROUND, True)]
        for k, (number, length, rest) in enumerate(rows):
            rows[k] = (number or rows[k - 1][0], length, rest)
        return phones[1:-1], lengths.tolist(), rows

    def _melody(self, phones, durations, notes, count: int, steps: int) -> np.ndarray:
        """(1, T) MIDI numbers, of dspitch where there is one."""
        numbers, lengths, rests = (np.array([column]) for column in zip(*notes))
        plain = np.repeat(numbers, lengths[0], axis=1).astype(np.float32)
        if plain.shape[1] != count:
            raise DataError(f"notes last {plain.shape[1]} frames, phones {count}", self.root)
        part = self.pitch
        if part is None:
            return plain
        made = self._encoded(part, phones, durations)
        inputs = {"ph_dur": durations, "note_midi": numbers.astype(np.float32), "note_dur": lengths}
        inputs |= {"pitch": np.full((1, count), 60, np.float32), "retake": np.ones((1, count), bool)}
        if part["use_expr"]:
            inputs["expr"] = np.ones((1, count), np.float32)
        if part["use_note_rest"]:
            inputs["note_rest"] = rests
        inputs |= self.steps(part, steps) | self.shared(part, count)
        return next(iter(self.run(part, "pitch", encoder_out=made, **inputs).values()))

    def _encoded(self, part: Part, phones, durations) -> np.ndarray:
        """What ``linguistic`` of dspitch or dsvariance makes of a phrase."""
        told = {"ph_dur": durations}
        if part["predict_dur"]:
            kinds, _ = part.dictionary
            starts = [i for i, phone in enumerate(phones) if i == 0 or kinds.get(phone) == "vowel"]
            division = np.diff([*starts, len(phones)])[None]
            sums = np.add.reduceat(durations[0], starts)[None]
            told = {"word_div": division, "word_dur": sums}
        tokens, languages = self._tokens(part, phones), self.languages(part, phones)
        return self.run(part, "linguistic", tokens=tokens, **told, **languages)["encoder_out"]

    def _spectra(self, phones, durations, f0, midi, count: int, steps: int) -> np.ndarray:
        """(1, T, bins) log mel spectra."""
        main = self.main
        inputs = {"tokens": self._tokens(main, phones), "durations": durations, "f0": f0} | self.steps(
            main, steps
        )
        inputs |= self.languages(main, phones) | self.shared(main, count)
        if main["use_variable_depth"]:
            share = bool(main["use_continuous_acceleration"])
            depth = float(main["max_depth"])
            inputs["depth"] = np.array([depth], np.float32) if share else np.array([int(depth)])
        if main["use_key_shift_embed"]:
            inputs["gender"] = np.zeros((1, count), np.float32)
        if main["use_speed_embed"]:
            inputs["velocity"] = np.ones((1, count), np.float32)
        if needed := [name for name in VARIANCES if main[f"use_{name}_embed"]]:
            made = self._variances(phones, durations, midi, count, steps)
            inputs |= {name: made[f"{name}_pred"] for name in needed}
        return next(iter(self.run(main, "acoustic", **inputs).values()))

    def _variances(self, phones, durations, midi, count: int, steps: int) -> dict[str, np.ndarray]:
        part = self.variance
        if part is None:
            raise DataError("is missing, whose curves the acoustic model asks for", self.root / "dsvariance")
        told = [name for name in VARIANCES if part[f"predict_{name}"]]
        inputs = {"encoder_out": self._encoded(part, phones, durations), "ph_dur": durations, "pitch": midi}
        inputs |= {name: np.zeros((1, count), np.float32) for name in told}
        inputs["retake"] = np.ones((1, count, len(told)), bool)
        return self.run(part, "variance", **inputs, **self.steps(part, steps), **self.shared(part, count))


def tuning(wav: np.ndarray, rate: int, notes: Sequence[tuple[float, float, int]]) -> dict[str, Any]:
    """How far notes lie from the score in a waveform, in cents; ``notes``: start and end in seconds, and MIDI
    number, of each.

    Of the middle of each note, the median of what Harvest finds there. Raises DataError where nothing sounds.
    """
    import pyworld

    if not np.isfinite(wav).all() or np.abs(wav).max() < 1e-3:
        raise DataError("the waveform is silent, or has numbers that are not finite")
    known = midi_to_hz(np.array([number for _, _, number in notes]))
    low, high = float(known.min()) / 1.5, float(known.max()) * 1.5
    f0, times = pyworld.harvest(wav.astype(np.float64), rate, f0_floor=low, f0_ceil=high)
    found = []
    for (start, end, _), hertz in zip(notes, known):
        inside = (times > start + 0.35 * (end - start)) & (times < end - 0.2 * (end - start)) & (f0 > 0)
        if inside.any():
            found.append(float(1200 * np.log2(np.median(f0[inside]) / hertz)))
    return {
        "notes": len(notes),
        "found": len(found),
        "median_cents": round(float(np.median(found)), 1) if found else float("inf"),
        "worst_cents": round(max(map(abs, found)), 1) if found else float("inf"),
    }


def replayed(root: Path, tune: Sequence[TuneNote]) -> dict[str, Any]:
    """What a bank sings of a tune. Raises DataError where it cannot be sung with."""
    sung = Player(root).sing(tune)
    return {
        "tune": [list(note) for note in tune],
        "phones": sung.phones,
        "frames": sung.lengths,
        "lowest_mel": round(float(sung.mel.min()), 3),
        "pitch": tuning(sung.wav, sung.rate, sung.notes),
    }


def check(path: str | os.PathLike) -> tuple[list[Finding], dict[str, Any] | None]:
    """What is wrong with a bank, anybody's, a folder or a zip; where nothing is, what it sings, if it has the
    lyrics and a vocoder. Raises DataError where it is no bank.
    """
    with opened(path) as root:
        if (wrong := list(findings(root))) or not _can_sing(root, SAKURA):
            return wrong, None
        try:
            return [], replayed(root, SAKURA)
        except DataError as error:
            return [fault(root, error)], None


def _can_sing(root: Path, tune: Sequence[TuneNote]) -> bool:
    """Whether a bank without faults has what a tune needs."""
    _, words = Part.read(root, "dsdur").dictionary
    return find_vocoder(root) is not None and all(note.lyric in words for note in tune if note.lyric)
