"""GTSinger: phrases with words, phones and notes in JSON, each with times on the recording."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.corpus.rows import DEFAULT_TEMPO, PhoneRow, song_of_rows, with_glides
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.languages import get_language

CODES = {"chinese": "zh", "english": "en"}
_SILENT = {"": "SP", "<SP>": "SP", "SP": "SP", "<AP>": "AP", "AP": "AP"}
_SPEECH = "Paired_Speech_Group"
_LEAST = 0.005
"""Seconds of overlap that make a note sound in a phone."""


class _Timed(NamedTuple):
    name: str
    start: float
    end: float


def read(corpus: Gathering, *, lang: str = "chinese") -> None:
    """Adds the sung phrases in one language, ``lang``.

    A phrase is a list of words: ``ph`` with ``ph_start`` and ``ph_end``, ``note`` (MIDI numbers) with
    ``note_start`` and ``note_end``, seconds. A vowel that is sung on several notes is divided where they
    change.
    """
    if lang not in CODES:
        known = ", ".join(CODES)
        raise DataError(
            f"--lang must be one of {known}, not {lang!r}{nearest(lang, CODES)}: phones of other"
            " languages are those of MFA, which are not mapped to this toolkit's"
        )
    for found in corpus.songs():
        if found.places["language"].lower() != lang or found.places["group"] == _SPEECH:
            continue
        with corpus.song(found.name) as remarks:
            path = found.files["label"]
            rows = _rows(path, CODES[lang])
            if lang == "chinese":
                rows, count = with_glides(rows, corpus.facts.readings)
                remarks += [f"{count} finals without an initial became a glide and a final"] if count else []
            score, labels = song_of_rows(rows, CODES[lang], DEFAULT_TEMPO, str(path), remarks)
            corpus.add(found, found.files["wav"], score, labels, remarks, where=path)


def _rows(path: Path, code: str) -> list[PhoneRow]:
    """One row for each phone, and one more for each further note that a vowel is sung on."""
    language = get_language(code)
    rows: list[PhoneRow] = []
    now = 0.0
    try:
        for word in json.loads(read_text(path)):
            notes = _timed(word, "note", "note_start", "note_end")
            phones = _timed(word, "ph", "ph_start", "ph_end")
            for number, phone in enumerate(phones, 1):
                if phone.start > now + 1e-3:
                    rows.append(PhoneRow("SP", phone.start - now, 0))
                silent = _SILENT.get(phone.name.strip())
                name = silent or (re.sub(r"\d$", "", phone.name).lower() if code == "en" else phone.name)
                pitches = [n for n in notes if int(n.name) and _shared(n, phone) > _LEAST]
                if silent is None and not pitches:
                    pitches = [n for n in notes if int(n.name)][:1]
                if silent is None and not pitches:
                    raise DataError(f"{phone.start:.3f} s: {phone.name!r} is sung on no note", path)
                if name not in language.nuclei:
                    pitches = pitches[-1:]
                cuts = [max(now, phone.start), *(n.start for n in pitches[1:]), phone.end]
                for k, note in enumerate(pitches or [None]):
                    pitch = 0 if silent else int(note.name)
                    last = number == len(phones) and k + 1 == max(len(pitches), 1)
                    rows.append(PhoneRow(name, cuts[k + 1] - cuts[k], pitch, k > 0, last))
                now = phone.end
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"words with ph, note and their times are expected: {error!r}", path) from None
    return rows


def _timed(word: dict[str, Any], name: str, start: str, end: str) -> list[_Timed]:
    values = zip(word[name], word[start], word[end], strict=True)
    return [_Timed(str(value), float(a), float(b)) for value, a, b in values]


def _shared(a: _Timed, b: _Timed) -> float:
    return min(a.end, b.end) - max(a.start, b.start)
