"""What a performance is compared with: the recording, its labels and score, and what was meant if known."""

import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features import liveliness
from nnsvs_lite.features.config import MelConfig
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.languages.base import Language
from nnsvs_lite.score.types import Score

TRUE_FRAME_SHIFT = 0.005
"""Seconds between the frames of the true F0 of synthetic recordings."""
SHORTEST_HELD = 0.2
"""Seconds; the pitch of a shorter note is not measured."""


@dataclass(frozen=True)
class Rendition:
    """What is known of one singing of an utterance; what is None is not compared.

    Attributes:
        f0: ``(frames,)`` Hz, 0 where unvoiced.
        mgc: ``(frames, order + 1)``. bap: ``(frames, bands)`` dB. mel: ``(frames, bins)`` dB.
        mask: ``(frames,)`` booleans, where spectra are compared with this reference; None: everywhere.
        onset, nucleus: ``(sung notes,)`` s, starts of each note's first phone and of its nucleus.
        phone: ``(sung phones,)`` s, durations. syllable: ``(sung notes,)`` s, durations.
        pitch: ``(notes on a vowel,)`` MIDI numbers, the score's or as :func:`sung_pitch` finds them.
        contour, vibrato, f0_modulation, gv, gv_held, mgc_modulation, level: see
            :mod:`nnsvs_lite.features.liveliness`; ``gv`` is over frames of sung phones, ``gv_held`` within
            vowels.
        voicing: ``(frames of sung phones, 2)``, class of phone and whether voiced.
        opinions: ``(2,)``, as :func:`.others.opinions` predicts them.
    """

    f0: np.ndarray | None = None
    mgc: np.ndarray | None = None
    bap: np.ndarray | None = None
    mel: np.ndarray | None = None
    mask: np.ndarray | None = None
    onset: np.ndarray | None = None
    nucleus: np.ndarray | None = None
    phone: np.ndarray | None = None
    syllable: np.ndarray | None = None
    pitch: np.ndarray | None = None
    contour: np.ndarray | None = None
    vibrato: np.ndarray | None = None
    f0_modulation: np.ndarray | None = None
    voicing: np.ndarray | None = None
    gv: np.ndarray | None = None
    gv_held: np.ndarray | None = None
    mgc_modulation: np.ndarray | None = None
    level: np.ndarray | None = None
    opinions: np.ndarray | None = None


def f0_in_hertz(lf0: np.ndarray, vuv: np.ndarray) -> np.ndarray:
    """F0 in Hz, 0 where ``vuv`` is below 0.5; both ``(frames, 1)``, ``lf0`` in log Hz."""
    return np.where(vuv.reshape(-1) >= 0.5, np.exp(lf0.reshape(-1).astype(np.float64)), 0.0)


def mel_in_decibel(mel: np.ndarray, config: MelConfig) -> np.ndarray:
    """``20 log10`` of the amplitude in each band, from log-mel spectra as a dump has them."""
    return 20.0 / config.power * mel * (1.0 if config.log == "log10" else 1.0 / np.log(10.0))


def sung_pitch(f0: np.ndarray, frame_shift: float, spans: np.ndarray) -> np.ndarray:
    """The pitch at which each note is sung: the median over the voiced frames of its middle half.

    The median over a stretch that long passes over vibrato and glides at the edges.

    Args:
        f0: ``(frames,)`` Hz, 0 where unvoiced, frame ``t`` centred at ``t * frame_shift`` s.
        spans: start and end of each sung note in seconds, ``(notes, 2)``.

    Returns ``(notes,)`` MIDI numbers: NaN for a note under ``SHORTEST_HELD``, infinite where no frame is
    voiced, so that silence is never in tune.
    """
    pitches = np.full(len(spans), np.nan)
    times = np.arange(len(f0)) * frame_shift
    for i, (start, end) in enumerate(np.asarray(spans, dtype=np.float64)):
        length = end - start
        if length >= SHORTEST_HELD - 1e-6:
            inside = f0[(times >= start + length / 4) & (times <= end - length / 4) & (f0 > 0)]
            pitches[i] = np.median(hz_to_midi(inside)) if inside.size else np.inf
    return pitches


def match_sung(
    found: Sequence[Segment], expected: Sequence[str], silences: Container[str], end: float, where: str
) -> list[Segment]:
    """Times for the phones ``expected``, taken from those ``found`` in a performance with other silences.

    Systems differ in where they put a pause or a breath, and data preparation cuts and merges them; only sung
    phones must agree. A silence that is expected fills what the sung phones leave, to ``end`` seconds; of two
    in a row the first has it all. Raises DataError where the sung phones differ, naming the first that does.
    """
    if [phone.label for phone in found] == list(expected):
        return list(found)
    sung = [phone for phone in found if phone.label not in silences]
    wanted = [label for label in expected if label not in silences]
    for number, (phone, label) in enumerate(zip(sung, wanted), start=1):
        if phone.label != label:
            raise DataError(f"sung phone {number} is {phone.label!r}, the score has {label!r}", where)
    if len(sung) != len(wanted):
        raise DataError(f"{len(sung)} sung phones, the score has {len(wanted)}", where)
    matched: list[Segment] = []
    for label in expected:
        if label not in silences:
            matched.append(sung.pop(0))
            continue
        before = matched[-1].end if matched else 0.0
        matched.append(Segment(before, max(before, sung[0].start if sung else end), label))
    return matched


class NoteGroups(NamedTuple):
    """Which phones belong to the sung notes of a score; all arrays are ``(sung notes,)``.

    Attributes:
        first, nucleus, last: indices of a note's first phone, of its nucleus (the first phone that is
            not an onset consonant), and of its last phone.
        pitch: MIDI number.
    """

    first: np.ndarray
    nucleus: np.ndarray
    last: np.ndarray
    pitch: np.ndarray

    def spans(self, phones: Sequence[Segment]) -> np.ndarray:
        """Starts and ends of the notes, ``(sung notes, 2)`` s, where the phones have these times."""
        bounds = _bounds(phones)
        return np.stack([bounds[self.first, 0], bounds[self.last, 1]], axis=1)


def group_notes(score: Score, note_index: Sequence[int]) -> NoteGroups:
    """Finds the phones of each sung note: rests, and notes without a phone, are left out."""
    language, symbols, rows = get_language(score.lang), score.phones, []
    for number in dict.fromkeys(int(note) for note in note_index):
        note, phones = score.notes[number], np.flatnonzero(np.asarray(note_index) == number)
        if not note.is_rest:
            onset = language.onset_count([symbols[p] for p in phones])
            rows.append((phones[0], phones[min(onset, len(phones) - 1)], phones[-1], note.pitch))
    return NoteGroups(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)


def _bounds(phones: Sequence[Segment]) -> np.ndarray:
    """Starts and ends, ``(phones, 2)`` s."""
    return np.array([(phone.start, phone.end) for phone in phones], dtype=np.float64).reshape(-1, 2)


@dataclass(frozen=True)
class Utterance:
    """One recorded phrase.

    Attributes:
        utt: its id. score: notes with phones, from time 0.
        phones: labelled phone times, on the frame grid. note_index: note of each phone.
        spec: of its dump. f0: ``(frames,)`` Hz, 0 where unvoiced.
        mgc, bap, mel: as in :class:`Rendition`; None where the dump has none.
    """

    utt: str
    score: Score
    phones: list[Segment]
    note_index: np.ndarray
    spec: Spec = field(repr=False)
    f0: np.ndarray = field(repr=False)
    mgc: np.ndarray | None = field(default=None, repr=False)
    bap: np.ndarray | None = field(default=None, repr=False)
    mel: np.ndarray | None = field(default=None, repr=False)

    @property
    def frame_shift(self) -> float:
        """Seconds."""
        return self.spec.frame_shift

    @cached_property
    def language(self) -> Language:
        """Its phones, as they were when the dump was made."""
        return self.spec.phone_set(self.score.lang).language

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return len(self.f0) * self.frame_shift

    @cached_property
    def notes(self) -> NoteGroups:
        """The sung notes."""
        return group_notes(self.score, self.note_index)

    def match(self, phones: Sequence[Segment], where: str, end: float | None = None) -> list[Segment]:
        """Times of its phones in a performance that ends at ``end`` seconds; see :func:`match_sung`."""
        expected, silences = [phone.label for phone in self.phones], self.language.silences
        return match_sung(phones, expected, silences, self.seconds if end is None else end, where)

    @cached_property
    def _sung(self) -> np.ndarray:
        silences = self.language.silences
        return np.array([phone.label not in silences for phone in self.phones], dtype=bool)

    def times(self, phones: Sequence[Segment]) -> dict[str, np.ndarray]:
        """``onset``, ``nucleus``, ``phone`` and ``syllable`` of a rendition with these phone times."""
        bounds, (first, nucleus, last, _) = _bounds(phones), self.notes
        return {
            "onset": bounds[first, 0],
            "nucleus": bounds[nucleus, 0],
            "phone": (bounds[:, 1] - bounds[:, 0])[self._sung],
            "syllable": bounds[last, 1] - bounds[first, 0],
        }

    @cached_property
    def _held(self) -> np.ndarray:
        vowels = self.language.vowels
        return np.array([self.phones[p].label in vowels for p in self.notes.nucleus], dtype=bool)

    def sung_pitch(self, f0: np.ndarray, phones: Sequence[Segment]) -> np.ndarray:
        """``pitch`` of a rendition with this F0 and these phone times."""
        return sung_pitch(f0, self.frame_shift, self.notes.spans(phones)[self._held])

    def _frames(self, phones: Sequence[Segment], count: int) -> np.ndarray:
        """First and last+1 frame of each phone, ``(phones, 2)``, of ``count`` frames in all."""
        return np.clip(np.round(_bounds(phones) / self.frame_shift).astype(int), 0, count)

    def liveliness(
        self, f0: np.ndarray, mgc: np.ndarray | None, phones: Sequence[Segment]
    ) -> dict[str, np.ndarray]:
        """``contour`` to ``level`` of a rendition with this F0 (Hz), mel-cepstra and phone times."""
        language = self.language
        bounds, own = self._frames(phones, len(f0)), self._frames(self.phones, len(self.f0))
        vowels = np.array([phone.label in language.vowels for phone in phones], dtype=bool)
        first, nucleus, last, _ = self.notes
        long = self._held & (own[last, 1] - own[first, 0] >= round(liveliness.LONG / self.frame_shift))
        spans = [
            (bounds[a, 0], bounds[a : b + 1][vowels[a : b + 1]][-1, 1])
            for a, b in zip(nucleus[long], last[long])
        ]
        # Voicing is compared phone by phone, each stretched to the recording's: timing does not count.
        classes = [liveliness.voicing_class(language, phone.label) for phone in phones]
        places = [
            a + (b - a) * (np.arange(y - x) + 0.5) / max(y - x, 1) for (a, b), (x, y) in zip(bounds, own)
        ]
        voiced = np.append(f0 > 0, False)
        sung = np.flatnonzero(self._sung)
        rows = [
            np.stack([np.full(len(places[i]), classes[i]), voiced[places[i].astype(int)]], axis=1)
            for i in sung
        ]
        found = {
            "contour": liveliness.contour(f0, self.frame_shift),
            "vibrato": liveliness.vibratos(f0, spans, self.frame_shift),
            "f0_modulation": liveliness.f0_modulation(f0, spans, self.frame_shift),
            "voicing": np.concatenate(rows or [np.zeros((0, 2))]),
        }
        sounding = [mgc[a:b] for a, b in bounds[sung]] if mgc is not None else []
        if sounding:
            from nnsvs_lite.features.world import alpha_of

            whole = mgc[bounds[sung[0], 0] : bounds[sung[-1], 1]]
            found["gv"] = liveliness.variation([np.concatenate(sounding)])
            found["gv_held"] = liveliness.variation([mgc[a:b] for a, b in bounds[vowels]])
            found["mgc_modulation"] = liveliness.mgc_modulation(whole, self.frame_shift)
            found["level"] = liveliness.level(mgc, alpha_of(self.spec.feature_config))
        return found

    @property
    def rendition(self) -> Rendition:
        """The recording, in tune with its score, with a mask of the frames in sung phones."""
        mask = np.zeros(len(self.f0), dtype=bool)
        for phone, sung in zip(self.phones, self._sung):
            if sung:
                mask[round(phone.start / self.frame_shift) : round(phone.end / self.frame_shift)] = True
        known = self.times(self.phones) | {"pitch": self.notes.pitch[self._held]}
        return Rendition(self.f0, self.mgc, self.bap, self.mel, mask, **known)


class Reference:
    """One set ``name`` of a dump dir, such as ``eval`` of ``dump/world_24k``.

    Attributes:
        spec: the dump's, without statistics. path: folder of the set. utts: all utterances, sorted.

    Raises DataError where the folder, the schema or a table is missing.
    """

    def __init__(self, dump: str | os.PathLike, name: str):
        self.path = Path(dump) / name
        if not self.path.is_dir():
            raise DataError("no such set in the dump; run feature extraction first", self.path)
        self.spec = Spec.read(dump, stats=False)
        self.spec.check_set(self.path)
        if not {"lf0", "vuv"} <= self.spec.streams.keys():
            raise DataError("names no lf0 and vuv among its streams", Path(dump) / "schema.json")
        self._scores = read_table(self.path / "score")
        if not self._scores:
            raise DataError("holds no utterance", self.path / "score")
        self.utts = sorted(self._scores, key=str.encode)
        self._streams = [name for name in ("lf0", "vuv", "mgc", "bap", "mel") if name in self.spec.streams]
        names = (*self._streams, "duration", "note_index")
        self._tables = {name: FeatureReader(self.path / f"{name}.scp") for name in names}

    @property
    def voices(self) -> dict[tuple[str, str], list[str]]:
        """Singer and language to the utterances that are of both; what no table tells is empty."""
        paths = (self.path / "utt2spk", self.path / "utt2lang")
        singers, languages = (read_table(path) if path.exists() else {} for path in paths)
        found: dict[tuple[str, str], list[str]] = {}
        for utt in self.utts:
            found.setdefault((singers.get(utt, ""), languages.get(utt, "")), []).append(utt)
        return dict(sorted(found.items()))

    def __getitem__(self, utt: str) -> Utterance:
        """Loads one utterance; DataError where the dump lacks it, or its tables disagree in length."""
        where = f"{self.path}: {utt}"
        if utt not in self._scores:
            raise DataError(f"no utterance {utt!r}", self.path / "score")
        score = Score.from_json(self._scores[utt], where)
        value = {name: table[utt] for name, table in self._tables.items()}
        durations, note_index = (
            np.round(value[name].reshape(-1)).astype(np.int64) for name in ("duration", "note_index")
        )
        symbols = score.phones
        if not len(symbols) == len(durations) == len(note_index):
            found = f"{len(symbols)} phones in the score, {len(durations)} durations"
            raise DataError(f"{found}, {len(note_index)} note indices; extract the features again", where)
        frames = {len(value[name]) for name in self._streams}
        if frames != {int(durations.sum())}:
            what = f"durations sum to {durations.sum()} frames, features have {sorted(frames)}"
            raise DataError(what, where)
        bounds = np.concatenate([[0], np.cumsum(durations)]) * self.spec.frame_shift
        bounds = [round(float(time), 7) for time in bounds]
        mel, config = value.get("mel"), self.spec.feature_config.mel
        phones = list(map(Segment, bounds, bounds[1:], symbols))
        decibel = None if mel is None or config is None else mel_in_decibel(mel, config)
        streams = (f0_in_hertz(value["lf0"], value["vuv"]), value.get("mgc"), value.get("bap"), decibel)
        return Utterance(utt, score, phones, note_index, self.spec, *streams)


class Truth:
    """The phone times and the F0 that a virtual singer meant, cut into phrases as the data dir cuts songs.

    Args:
        path: folder with ``phones.ctm`` and ``f0.scp``, keyed by recording (a whole song): phone times
            in seconds; F0 in Hz, ``(frames, 1)``, a frame each 5 ms, 0 where unvoiced.
            :mod:`nnsvs_lite.virtual.demo` writes it.
        data: whose ``segments`` say where each phrase lies in its song.

    Raises DataError where a file is missing or malformed.
    """

    def __init__(self, path: str | os.PathLike, data: DataDir):
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError("no such folder", self.path)
        self._data = data
        self._phones = read_ctm(self.path / "phones.ctm")
        self._f0 = FeatureReader(self.path / "f0.scp")

    def rendition(self, utterance: Utterance) -> Rendition:
        """F0 and times of a phrase as they were meant, from the phrase's start.

        Raises DataError where the song is missing, or its sung phones are others.
        """
        utt = utterance.utt
        song, start, end = utt, 0.0, float("inf")
        if self._data.segments:
            if utt not in self._data.segments:
                raise DataError(f"no line for {utt!r}", self._data.path / "segments")
            song, start, end = self._data.segments[utt]
        if song not in self._phones:
            raise DataError(f"no phone times of {song!r}", self.path / "phones.ctm")
        inside = [
            Segment(p.start - start, p.end - start, p.label)
            for p in self._phones[song]
            if start <= (p.start + p.end) / 2 < end
        ]
        phones = utterance.match(inside, f"{self.path / 'phones.ctm'}: {utt}", end - start)
        hertz = np.asarray(self._f0[song], dtype=np.float64).reshape(-1)
        return Rendition(f0=_cut(hertz, start, end, utterance.frame_shift), **utterance.times(phones))


def _cut(hertz: np.ndarray, start: float, end: float, frame_shift: float) -> np.ndarray:
    """F0 from ``start`` to ``end`` s; log F0 is interpolated, unvoiced where the nearest frame is."""
    end = min(end, (len(hertz) - 1) * TRUE_FRAME_SHIFT)
    count = int(max(end - start, 0.0) / frame_shift + 1e-6) + 1
    place = (start + np.arange(count) * frame_shift) / TRUE_FRAME_SHIFT
    voiced = np.flatnonzero(hertz > 0)
    if not len(voiced):
        return np.zeros(count)
    curve = np.exp(np.interp(place, voiced, np.log(hertz[voiced])))
    nearest = np.clip(np.round(place).astype(int), 0, len(hertz) - 1)
    return np.where(hertz[nearest] > 0, curve, 0.0)
