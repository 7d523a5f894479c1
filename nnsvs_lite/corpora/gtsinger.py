"""GTSinger: phrases with words, phones and notes in JSON, each with times on the recording."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.corpus.rows import DEFAULT_TEMPO, PhoneRow, song_of_rows, with_glides
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.languages import get_language

CODES = {"chinese": "zh", "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it"}
CODES |= {"japanese": "ja"}
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
            " languages are not mapped to this toolkit's"
        )
    if lang != "chinese":
        # Nobody's split names their songs.
        corpus.usual_split = "tenth"
    for found in corpus.songs():
        if found.places["language"].lower() != lang or found.places["group"] == _SPEECH:
            continue
        with corpus.song(found.name) as remarks:
            path = found.files["label"]
            rows = _rows(path, CODES[lang], corpus.facts.phones)
            if lang == "chinese":
                rows, count = with_glides(rows, corpus.facts.readings)
                remarks += [f"{count} finals without an initial became a glide and a final"] if count else []
            score, labels = song_of_rows(rows, CODES[lang], DEFAULT_TEMPO, str(path), remarks)
            corpus.add(found, found.files["wav"], score, labels, remarks, where=path)


def _rows(path: Path, code: str, names: Mapping[str, str | None]) -> list[PhoneRow]:
    """One row for each phone, under this toolkit's ``names``, and for each further note of a vowel."""
    language = get_language(code)
    rows: list[PhoneRow] = []
    now = 0.0
    try:
        for word in json.loads(read_text(path)):
            notes = _timed(word, "note", "note_start", "note_end")
            phones = _named(_timed(word, "ph", "ph_start", "ph_end"), code, names)
            for number, phone in enumerate(phones, 1):
                if phone.start > now + 1e-3:
                    rows.append(PhoneRow("SP", phone.start - now, 0))
                silent = _SILENT.get(phone.name.strip())
                name = silent or phone.name
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


def _named(phones: list[_Timed], code: str, names: Mapping[str, str | None]) -> list[_Timed]:
    """The phones of a word under this toolkit's names; one that is two here is shared out evenly.

    English is ARPAbet with stress. Elsewhere length does not count, but of German vowels, and Japanese
    consonants before ``i`` are written without their glide.
    """
    result: list[_Timed] = []
    for phone in phones:
        name = phone.name.strip()
        if code == "en":
            name = re.sub(r"\d$", "", name).lower() if name not in _SILENT else name
        short = name if code in ("en", "de", "zh") else name.rstrip("ː")
        parts = (names.get(f"{code}/{name}") or names.get(f"{code}/{short}") or short).split() or [""]
        step = (phone.end - phone.start) / len(parts)
        result += [
            _Timed(part, phone.start + k * step, phone.start + (k + 1) * step) for k, part in enumerate(parts)
        ]
    if code == "ja":
        for k, (phone, after) in enumerate(zip(result, result[1:])):
            if len(phone.name) == 2 and phone.name.endswith("y") and after.name in ("i", "I"):
                result[k] = phone._replace(name=phone.name[0])
    return result


def _timed(word: dict[str, Any], name: str, start: str, end: str) -> list[_Timed]:
    values = zip(word[name], word[start], word[end], strict=True)
    return [_Timed(str(value), float(a), float(b)) for value, a, b in values]


def _shared(a: _Timed, b: _Timed) -> float:
    return min(a.end, b.end) - max(a.start, b.start)
