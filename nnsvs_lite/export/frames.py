"""Songs as VOICEVOX ENGINE has them: notes, phonemes, F0 and volume in frames, 93.75 a second.

``volume`` is the amplitude of a frame, 1 at full scale; F0 is 0 where nothing is voiced.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.features.audio import resample
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.variance import curve_names
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.types import Note, Score
from nnsvs_lite.studio.convert import MAX_SECONDS
from nnsvs_lite.studio.worker import run_role
from nnsvs_lite.synthesis.performance import Performance
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocoder import load_vocoder

RATE, FRAME_RATE = 24000, 93.75
"""Hz of sound unless another is asked for; frames a second."""
MAX_FRAMES = int(MAX_SECONDS * FRAME_RATE)
SILENT = -90.0
"""dB at and under which a frame has no volume."""
LARGEST = 1e9
"""Of the numbers of a query, whatever they are."""
LOUDER = 20.0
"""dB by which what was asked may exceed what the voice sings."""


def main() -> None:
    """Answers tasks of :mod:`nnsvs_lite.export.voicevox`."""
    run_role({"frames": frames})


def frames(setup: dict[str, Any]) -> tuple[Any, Any]:
    """Sings with the voice ``setup["model"]``; tasks name one of ``query``, ``f0``, ``volume``, ``wave``."""
    voice = loaded(**setup)
    if "loudness" not in curve_names(voice.spec.streams):
        what = "an end-to-end voice has no loudness that could be changed: VOICEVOX needs one"
        raise DataError(what, setup["model"])
    ready = {"name": Path(setup["model"]).resolve().stem, "singers": voice.singers, "langs": voice.spec.codes}

    def do(task: dict[str, Any], say: Any) -> Any:
        value, singer = task["value"], task["singer"]
        if task["what"] == "query":
            return query_of(voice, notes_of(value), singer)
        if task["what"] == "wave":
            return {"seconds": write_wave(voice, task["wav"], query_from(value), singer)}
        both = fields(value, "the request", "score", "frame_audio_query")
        notes = notes_of(both["score"])
        query = query_from(both["frame_audio_query"])
        given = query["f0"] if task["what"] == "volume" else None
        sung = performed(voice, score_of(notes, voice), singer, times_of(query["phonemes"]), given)
        curves = curves_of(sung, len_of(notes))
        return {task["what"]: curves[task["what"]]}

    return ready, do


def loaded(
    model: str | os.PathLike, device: str = "cpu", trust_code: bool = False, runtime: str = "auto"
) -> Singer:
    """A voice whose vocoder follows an F0 that is drawn, if there is any such; as :meth:`Singer.load`."""
    voice = Singer.load(model, device, None, trust_code, runtime)
    if "pitch" not in voice.vocoder.controls and "mel" in voice.spec.streams:
        # Griffin-Lim's phases follow none.
        voice.vocoder = load_vocoder(voice.spec, "hn", device)
    return voice


def fields(value: Any, what: str, *names: str) -> dict[str, Any]:
    """A JSON object with these members; others are left alone. Raises DataError where one is missing."""
    if not isinstance(value, dict) or not set(names) <= set(value):
        raise DataError(f"{what} must be an object with {', '.join(names)}")
    return value


def whole(value: Any, what: str, low: int, high: int) -> int:
    """A whole number within bounds. Raises DataError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise DataError(f"{what} must be a whole number within {low}..{high}")
    return value


def notes_of(value: Any) -> list[dict[str, Any]]:
    """The notes of a score: ``id``, ``key`` (None of a rest), ``frame_length``, ``lyric``; or DataError."""
    rows = fields(value, "a score", "notes")["notes"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= 10_000:
        raise DataError("a score has 1 to 10000 notes")
    out, total = [], 0
    for i, row in enumerate(rows, 1):
        row = fields(row, f"note {i}", "frame_length", "lyric")
        length = whole(row["frame_length"], f"note {i}: frame_length", 0, MAX_FRAMES)
        key, lyric = row.get("key"), row["lyric"]
        if key is not None:
            key = whole(key, f"note {i}: key", 1, 127)
        if not isinstance(lyric, str) or len(lyric) > 100:
            raise DataError(f"note {i}: lyric must be a text")
        if (key is None) != (lyric == ""):
            raise DataError(f"note {i}: a key without a lyric, or a lyric without a key")
        total += length
        if total > MAX_FRAMES:
            raise DataError(f"a song lasts {MAX_FRAMES} frames at most")
        if length:
            name = row.get("id") if isinstance(row.get("id"), str) else None
            out.append({"id": name, "key": key, "frame_length": length, "lyric": lyric})
    if out and out[0]["key"] is not None:
        raise DataError("the first note must be a rest, for its consonants")
    if not any(row["key"] is not None for row in out):
        raise DataError("there is no note to sing")
    return out


def len_of(notes: Sequence[dict[str, Any]]) -> int:
    """Frames of some notes."""
    return sum(note["frame_length"] for note in notes)


def score_of(notes: Sequence[dict[str, Any]], voice: Singer) -> Score:
    """A score in seconds, in the voice's first language."""
    out, at = [], 0
    for note in notes:
        start, end = at / FRAME_RATE, (at + note["frame_length"]) / FRAME_RATE
        at += note["frame_length"]
        if note["key"] is None and out and out[-1].is_rest:
            out[-1] = replace(out[-1], end=end)
        else:
            out.append(
                Note(start, end, note["key"] or 0, note["lyric"], tempo=120.0, beats=(end - start) * 2)
            )
    return Score(tuple(out), lang=voice.spec.codes[0])


def performed(
    voice: Singer,
    score: Score,
    singer: int,
    labels: Sequence[Segment] | None = None,
    f0: Sequence[float] | None = None,
) -> Performance:
    """What a voice would sing, without its sound; to phone times, and an F0 a frame, if given."""
    curves = None if f0 is None else {"f0": np.asarray(f0, float), "frame_shift": np.array(1 / FRAME_RATE)}
    plan = voice.plan(score, singer=singer, labels=labels, curves=curves)
    sung = voice.phrases(plan, range(len(plan.phrases)))
    silent = np.zeros(round(plan.end * voice.spec.sample_rate))
    rate, shift = voice.spec.sample_rate, voice.spec.frame_shift
    return Performance(silent, rate, shift, plan.score, sung, plan.singer, voice.spec)


def curves_of(sung: Performance, count: int) -> dict[str, list[float]]:
    """``f0`` and ``volume`` of so many frames."""
    middles = (np.arange(count) + 0.5) / FRAME_RATE / sung.frame_shift
    place = middles.astype(int)

    def at(curve: np.ndarray, without: float) -> np.ndarray:
        return np.where(place < len(curve), curve[place.clip(max=len(curve) - 1)], without)

    loudness = at(sung.curves["loudness"], SILENT)
    volume = np.where(loudness > SILENT, 10 ** (loudness / 20), 0.0)
    return {"f0": np.round(at(sung.f0, 0.0), 3).tolist(), "volume": np.round(volume, 6).tolist()}


def query_of(voice: Singer, notes: Sequence[dict[str, Any]], singer: int) -> dict[str, Any]:
    """A ``FrameAudioQuery`` of a score."""
    score, count = score_of(notes, voice), len_of(notes)
    sung = performed(voice, score, singer)
    phones = sung.phones
    ends = [round(phone.end * FRAME_RATE) for phone in phones[:-1]]
    bounds = np.array([0, *np.clip(ends, 0, count), count])
    # A phoneme has a frame at least, or it could not be told from one that was removed.
    index = np.arange(len(bounds))
    bounds = np.maximum.accumulate(bounds - index) + index
    bounds = np.minimum(bounds, count - index[::-1]).clip(0)
    # Of each note by the frame where it begins.
    begins = itertools.accumulate((note["frame_length"] for note in notes), initial=0)
    ids = {begin: note["id"] for begin, note in zip(begins, notes)}
    owners = [ids.get(round(score.notes[phone.note].start * FRAME_RATE)) for phone in phones]
    rows = [
        {"phoneme": phone.symbol, "frame_length": int(b - a), "note_id": owner}
        for phone, owner, a, b in zip(phones, owners, bounds, bounds[1:])
    ]
    more = {"volumeScale": 1.0, "outputSamplingRate": RATE, "outputStereo": False}
    return curves_of(sung, count) | {"phonemes": rows} | more


def query_from(value: Any) -> dict[str, Any]:
    """A ``FrameAudioQuery`` that was sent. Raises DataError where it is none."""
    row = fields(
        value, "a query", "f0", "volume", "phonemes", "volumeScale", "outputSamplingRate", "outputStereo"
    )
    phones = row["phonemes"]
    if not isinstance(phones, list) or not 1 <= len(phones) <= 50_000:
        raise DataError("a query has 1 to 50000 phonemes")
    total = 0
    for i, phone in enumerate(phones, 1):
        phone = fields(phone, f"phoneme {i}", "phoneme", "frame_length")
        total += whole(phone["frame_length"], f"phoneme {i}: frame_length", 0, MAX_FRAMES)
        if not isinstance(phone["phoneme"], str) or len(phone["phoneme"]) > 20:
            raise DataError(f"phoneme {i} must be a text")
    if not 1 <= total <= MAX_FRAMES:
        raise DataError(f"a song lasts 1 to {MAX_FRAMES} frames")
    out = dict(row)
    for name in ("f0", "volume"):
        numbers = row[name]
        plain = isinstance(numbers, list) and all(
            type(x) in (int, float) and 0 <= x <= LARGEST for x in numbers
        )
        if not plain or len(numbers) != total:
            what = f"{name} must be {total} numbers within 0..{LARGEST:g}"
            raise DataError(f"{what}, as many as the phonemes have frames")
        out[name] = np.array(numbers, float)
    scale = row["volumeScale"]
    if type(scale) not in (int, float) or not 0 <= scale <= 100:
        raise DataError("volumeScale must be a number within 0..100")
    whole(row["outputSamplingRate"], "outputSamplingRate", 8000, 192_000)
    out["f0"] = np.where((out["f0"] >= 20) & (out["f0"] <= 5000), out["f0"], 0.0)
    return out


def times_of(phones: Sequence[dict[str, Any]]) -> list[Segment]:
    """Phone times in seconds; phones without a frame are left out."""
    out, at = [], 0
    for phone in phones:
        if phone["frame_length"]:
            out.append(Segment(at / FRAME_RATE, (at + phone["frame_length"]) / FRAME_RATE, phone["phoneme"]))
            at += phone["frame_length"]
    return out


def medians(labels: Sequence[Segment], f0: np.ndarray) -> list[int | None]:
    """The MIDI number nearest to the median F0 of each phone; None where nothing is voiced."""
    parts = (f0[round(label.start * FRAME_RATE) : round(label.end * FRAME_RATE)] for label in labels)
    voiced = (part[part > 0] for part in parts)
    return [round(float(hz_to_midi(np.median(part)))) if len(part) else None for part in voiced]


def score_from(labels: Sequence[Segment], pitches: Sequence[int | None], language: Language) -> Score:
    """Notes for phones and a MIDI number, if any, of each: one note for each phone that can be held, from its
    beginning to the next one's, with the consonants before it, and its pitch.

    Raises DataError for a phone that the language has not, and where none can be held.
    """
    notes: list[Note] = []
    waiting: list[str] = []
    for label, pitch in zip(labels, pitches):
        phone = language.normal(label.label)
        if phone not in language:
            raise DataError(f"{label.label!r} is not a phoneme of {language.name}")
        rest = language.is_silence(phone)
        if phone not in language.nuclei and not rest and phone not in language.vowels:
            waiting.append(phone)
            continue
        if rest and waiting and notes:
            notes[-1] = replace(notes[-1], phones=(*notes[-1].phones, *waiting))
            waiting = []
        last = next((note.pitch for note in reversed(notes) if not note.is_rest), 60)
        sung = 0 if rest else min(max(last if pitch is None else pitch, 1), 127)
        notes.append(
            Note(label.start, label.end, sung, "" if rest else phone, (*waiting, phone), tempo=120.0)
        )
        waiting = []
    if waiting and notes:
        notes[-1] = replace(notes[-1], phones=(*notes[-1].phones, *waiting))
    if not any(not note.is_rest for note in notes):
        raise DataError("there is no phoneme that could be held")
    starts = [0.0, *(note.start for note in notes[1:]), labels[-1].end]
    return Score(
        tuple(replace(n, start=a, end=b) for n, a, b in zip(notes, starts, starts[1:])), lang=language.code
    )


def write_wave(voice: Singer, path: str | os.PathLike, query: dict[str, Any], singer: int) -> float:
    """Sings a query into a wav; returns its seconds. As loud in each frame as ``volume`` says, where there is
    any sound.
    """
    import soundfile

    language = get_language(voice.spec.codes[0])
    labels, count = times_of(query["phonemes"]), len(query["f0"])
    score = score_from(labels, medians(labels, query["f0"]), language)
    own = np.array(curves_of(performed(voice, score, singer, labels, query["f0"]), count)["volume"])
    asked = query["volume"] * query["volumeScale"]
    by = 20 * np.log10(np.maximum(asked, 1e-5) / np.maximum(own, 1e-5))
    by = np.where((own <= 1e-5) & (asked <= 1e-5), 0.0, by.clip(-60, LOUDER))
    curves = {"f0": query["f0"], "loudness_change": by, "frame_shift": np.array(1 / FRAME_RATE)}
    sung = voice.sing(score, singer=singer, labels=labels, curves=curves)
    rate = query["outputSamplingRate"]
    wav = resample(sung.waveform, sung.sample_rate, rate)[: round(count / FRAME_RATE * rate)].clip(-1, 1)
    wav = np.pad(wav, (0, round(count / FRAME_RATE * rate) - len(wav)))
    wav = np.stack([wav, wav], 1) if query["outputStereo"] is True else wav
    soundfile.write(os.fspath(path), wav, rate, subtype="PCM_16", format="WAV")
    return count / FRAME_RATE
