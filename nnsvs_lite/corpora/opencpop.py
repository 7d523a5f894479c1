"""Opencpop, and the corpora that came of it: phrases in the lines of ``transcriptions.txt``."""

from pathlib import Path

from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.corpus.rows import PhoneRow, lasts, midi_tempo, note_seconds, song_of_rows
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.htslabel import pitch_number

FIELDS = ("id", "text", "phones", "notes", "note durations", "phone durations", "slurs")


def read(corpus: Gathering) -> None:
    """Adds the corpus' own phrases.

    A line has seven fields between ``|``: id, text, and for each phone its name, note (``C#4/Db4`` or
    ``rest``), its note's length, its own length, and 1 where its note carries a syllable on. The tempo alone
    is taken from the MIDI file of the song.
    """
    lines: dict[str, tuple[int, list[str]]] = {}
    tempi: dict[str, float] = {}
    for found in corpus.songs():
        table = found.files["label"]
        lines = lines or _lines(table)
        midi = found.files.get("midi") or found.files.get("raw_midi")
        with corpus.song(found.name) as remarks:
            utt = f"{found.song}{found.part}"
            if utt not in lines:
                raise DataError(f"there is {found.files['wav'].name}, but no line {utt!r}", table)
            number, fields = lines[utt]
            where = f"{table}:{number}"
            if found.song not in tempi:
                tempi[found.song] = midi_tempo(midi, remarks)
            rows = _rows(fields, corpus.facts.languages[0], where)
            score, labels = song_of_rows(rows, corpus.facts.languages[0], tempi[found.song], where, remarks)
            corpus.add(found, found.files["wav"], score, labels, remarks, where=where)


def _lines(path: Path) -> dict[str, tuple[int, list[str]]]:
    """Number and fields of each line by its id."""
    lines = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        fields = line.strip("\ufeff\r\n").split("|")
        if len(fields) != len(FIELDS):
            raise DataError(
                f"{len(fields)} fields, {len(FIELDS)} are expected: {', '.join(FIELDS)}", f"{path}:{number}"
            )
        if fields[0] in lines:
            raise DataError(f"{fields[0]!r} stands twice", f"{path}:{number}")
        lines[fields[0]] = number, fields
    return lines


def _rows(fields: list[str], lang: str, where: str) -> list[PhoneRow]:
    """The phones of a line; the lengths of its notes are checked against theirs."""
    phones, notes, lengths, seconds, slurs = (field.split() for field in fields[2:])
    if not len(phones) == len(notes) == len(lengths) == len(seconds) == len(slurs):
        counts = ", ".join(f"{len(field.split())} {name}" for name, field in zip(FIELDS[2:], fields[2:]))
        raise DataError(f"its fields differ in length: {counts}", where)
    try:
        rows = [
            PhoneRow(phone, float(time), pitch_number(note), slur == "1")
            for phone, time, note, slur in zip(phones, seconds, notes, slurs)
        ]
        total, _ = note_seconds(rows, [float(length) for length in lengths], lang)
    except ValueError as error:
        raise DataError(f"cannot be read: {error}", where) from None
    if not lasts(total, rows):
        sung = sum(row.seconds for row in rows)
        raise DataError(f"its notes last {total:.3f} s, its phones {sung:.3f} s", where)
    return rows
