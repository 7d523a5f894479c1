"""Writes a score as DiffSinger's DS: phones, notes, and where they are known, their sung times and pitch."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.drawn import STEP
from nnsvs_lite.score.formats.diffsinger import stays
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.lyrics import split_hint
from nnsvs_lite.score.phonemize import attach_phones, continues
from nnsvs_lite.score.types import Note, Phone, Score

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_SILENT = {"pau": "SP", "br": "AP"}


def ds(score: Score, sung: Sequence[Phone] = ()) -> bytes:
    """One segment of the whole song, in UTF-8; ``ph_dur`` and ``f0_seq`` only where they are known.

    Args:
        score: phones are made of its lyrics where it has none. sung: its phones with their sung times.

    Raises DataError where the lyrics cannot be read, or the sung phones are not the score's.
    """
    if not all(note.phones for note in score.notes):
        score = attach_phones(score)
    if sung and len(sung) != len(score.phones):
        raise DataError(f"{len(sung)} phones were sung, the score has {len(score.phones)}")
    language = get_language(score.lang)
    # A note that carries a syllable on sings a phone of the note before once more.
    words: list[list[str]] = []
    lengths: list[list[float]] = []
    given = iter([phone.end - phone.start for phone in sung] or [0.0] * len(score.phones))
    for note in score.notes:
        phones, seconds = list(note.phones), [next(given) for _ in note.phones]
        if continues(note) and words:
            if phones[0] == words[-1][-1]:
                lengths[-1][-1] += seconds.pop(0)
                del phones[0]
            words[-1] += phones
            lengths[-1] += seconds
        else:
            words.append(phones)
            lengths.append(seconds)
    counts = [len(word) for word in words]
    for i, word in enumerate(words[1:], 1):
        # What leads to a vowel belongs to the word before.
        leads = next((k for k, phone in enumerate(word) if stays(phone, language)), 0)
        counts[i - 1] += leads
        counts[i] -= leads
    heads = [note for i, note in enumerate(score.notes) if not (i and continues(note))]
    segment: dict[str, Any] = {
        "offset": 0.0,
        "text": " ".join(_word(note, score.lang) for note in heads),
        "ph_seq": " ".join(_SILENT.get(phone, phone) for word in words for phone in word),
        "ph_num": " ".join(map(str, counts)),
        "note_seq": " ".join(_name(note.pitch) for note in score.notes),
        "note_dur": " ".join(f"{note.duration:.7f}" for note in score.notes),
        "note_slur": " ".join(str(int(i > 0 and continues(note))) for i, note in enumerate(score.notes)),
    }
    if sung:
        segment["ph_dur"] = " ".join(f"{length:.7f}" for word in lengths for length in word)
    pitch = None if score.drawn is None else score.drawn.pitch
    if pitch is not None and np.isfinite(pitch).any():
        where = np.flatnonzero(np.isfinite(pitch))
        whole = np.interp(np.arange(len(pitch)), where, pitch[where])
        segment["f0_seq"] = " ".join(f"{f0:.3f}" for f0 in 440 * 2 ** ((whole - 69) / 12))
        segment["f0_timestep"] = str(STEP)
    return json.dumps([segment], ensure_ascii=False, indent=1).encode() + b"\n"


def _word(note: Note, lang: str) -> str:
    if note.is_rest:
        return _SILENT[note.phones[0]]
    return "".join(split_hint(note.lyric, lang)[0].split()) or "".join(note.phones)


def _name(pitch: int) -> str:
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}" if pitch else "rest"
