"""CSD, the Children's Song Dataset: Korean and English songs, notes and syllables without phone times."""

import csv
import io
import itertools
import json
from dataclasses import replace
from pathlib import Path

from nnsvs_lite.corpus.facts import Facts
from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.corpus.rows import DEFAULT_TEMPO, midi_tempo
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.phonemize import carried
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import Note, Score

CODES = {"english": "en", "korean": "ko"}
CODAS = {
    "g": "K",
    "k": "K",
    "kk": "K",
    "n": "N",
    "d": "T",
    "t": "T",
    "s": "T",
    "ss": "T",
    "j": "T",
    "ch": "T",
}
CODAS |= {"h": "T", "l": "L", "r": "L", "m": "M", "b": "P", "p": "P", "ng": "NG"}
"""Korean consonants at the end of a syllable, as this toolkit has them."""
COLUMNS = ["start", "end", "pitch", "syllable"]
_CLOSE = 0.02
"""Seconds of a gap or an overlap between notes that is a matter of rounding."""


def read(corpus: Gathering, *, lang: str = "korean") -> None:
    """Adds the songs in one language, ``lang``.

    A line of the csv is a note: its start and end in seconds on the recording, its MIDI number, and its
    syllable, phones joined by ``_``. There are no phone times: stage 1 aligns.
    """
    if lang not in CODES:
        raise DataError(f"--lang must be one of {', '.join(CODES)}, not {lang!r}{nearest(lang, CODES)}")
    language = get_language(CODES[lang])
    metadata = corpus.root / "metadata.json"
    tempi = _tempi(metadata) if metadata.is_file() else {}
    for found in corpus.songs():
        if found.singer != lang:
            continue
        with corpus.song(found.name) as remarks:
            tempo = tempi.get(found.song) or midi_tempo(found.files.get("midi"), remarks)
            score = _score(found.files["score"], language, corpus.facts, tempo, remarks)
            corpus.add(found, found.files["wav"], score, [], remarks)


def _tempi(path: Path) -> dict[str, float]:
    """Song to tempo, as ``metadata.json`` has it: a list, or a mapping by name, of mappings."""
    try:
        value = json.loads(read_text(path))
        rows = value.items() if isinstance(value, dict) else ((row["name"], row) for row in value)
        return {str(name): float(row["tempo"]) for name, row in rows}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"name and tempo of each song are expected: {error!r}", path) from None


def _score(path: Path, language: Language, facts: Facts, tempo: float, remarks: list[str]) -> Score:
    """The notes of a csv; gaps are rests."""
    reader = csv.reader(io.StringIO(read_text(path).lstrip("\ufeff")))
    header = next(reader, [])
    if [name.strip() for name in header] != COLUMNS:
        raise DataError(f"the columns {', '.join(COLUMNS)} are expected, not {', '.join(header)}", path)
    notes: list[Note] = []
    for number, row in enumerate(filter(None, reader), 2):
        where = f"{path}:{number}"
        try:
            start, end, pitch = float(row[0]), float(row[1]), int(row[2])
            syllable = row[3].strip()
        except (ValueError, IndexError) as error:
            raise DataError(f"cannot be read: {error}", where) from None
        last = notes[-1].end if notes else 0.0
        if start < last - _CLOSE or end <= start:
            raise DataError(f"a note from {start:g} to {end:g} s after one that ends at {last:g} s", where)
        if start > last + _CLOSE:
            notes.append(Note(last, start, 0, phones=("pau",), tempo=tempo))
        else:
            start = last
        phones = _phones(syllable, language, facts, where)
        held = not phones or (bool(notes) and len(phones) == 1 and phones[0] == _vowel(notes[-1], language))
        if held and (not notes or not notes[-1].pitch):
            raise DataError("a note without a syllable, and none before it to carry on", where)
        lyric = "" if held else f"{syllable.replace('_', '')}[{language.code}/{' '.join(phones)}]"
        notes.append(Note(start, end, pitch, lyric, phones, slur=held, tempo=tempo))
    if not notes:
        raise DataError("holds no notes", path)
    heads = [k for k, note in enumerate(notes) if not note.slur]
    for head, after in zip(heads, [*heads[1:], len(notes)]):
        # The last note of a melisma has what follows the vowel.
        for k, phones in enumerate(carried(notes[head].phones, after - head, language), head):
            notes[k] = replace(notes[k], phones=phones)
    for k, note in enumerate(notes):
        quarter = note.start * (tempo or DEFAULT_TEMPO) / 60
        beats = note.duration * tempo / 60
        notes[k] = Note(
            **{**vars(note), "beats": beats, "measure": int(quarter // 4) + 1, "beat": quarter % 4}
        )
    return Score(tuple(notes), language.code, timeline=Timeline(((0.0, tempo),)))


def _vowel(note: Note, language: Language) -> str:
    return next((phone for phone in reversed(note.phones) if phone in language.vowels), "")


def _phones(syllable: str, language: Language, facts: Facts, where: str) -> tuple[str, ...]:
    """The phones of a syllable under this toolkit's names."""
    parts = [part for part in syllable.split("_") if part not in ("", "-", "~")]
    names = [facts.phones.get(part) or part if language.code == "en" else part for part in parts]
    if language.code == "ko":
        vowel = next((k for k, name in enumerate(names) if name in language.nuclei), len(names))
        names = [CODAS.get(name, name) if k > vowel else name for k, name in enumerate(names)]
    names = list(itertools.chain(*(name.split() for name in names)))
    for name in names:
        if name not in language:
            raise DataError(f"{name!r} of {syllable!r} is no phone of {language.name}", where)
    return tuple(names)
