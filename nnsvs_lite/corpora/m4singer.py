"""M4Singer: Mandarin, twenty singers; phrases in ``meta.json``."""

import json
from pathlib import Path
from typing import Any

from nnsvs_lite.corpus.gather import Gathering
from nnsvs_lite.corpus.quirks import mend_labels
from nnsvs_lite.corpus.rows import PhoneRow, lasts, midi_tempo, note_seconds, song_of_rows, with_glides
from nnsvs_lite.corpus.tree import unescaped
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError

FIELDS = ("phs", "is_slur", "ph_dur", "notes", "notes_dur")


def read(corpus: Gathering) -> None:
    """Adds the corpus' own phrases.

    An item of the list has, for each phone, ``phs`` its name, ``ph_dur`` its seconds, ``notes`` its MIDI
    number (0 is a rest), ``notes_dur`` its note's seconds, and ``is_slur``. Whether a note's length is
    repeated on each of its phones or shared out among them is told by which sum is that of ``ph_dur``.
    Finals without an initial (``iao``) become those of pinyin (``y ao``), which lyrics are read as.
    """
    items: dict[str, dict[str, Any]] = {}
    for found in corpus.songs():
        table = found.files["label"]
        items = items or _items(table)
        name = f"{found.singer}#{found.song}#{found.part}"
        where = f"{table}: {name}"
        with corpus.song(found.name) as remarks:
            if name not in items:
                raise DataError(f"there is {found.files['wav'].name}, but no such item", where)
            rows = _rows(items[name], corpus.facts.languages[0], where, remarks)
            rows = _mended(rows, corpus, name, remarks)
            rows, count = with_glides(rows, corpus.facts.readings)
            if count:
                remarks.append(f"{count} finals without an initial became a glide and a final")
            tempo = midi_tempo(found.files.get("midi"), remarks)
            score, labels = song_of_rows(rows, corpus.facts.languages[0], tempo, where, remarks)
            corpus.add(found, found.files["wav"], score, labels, remarks, where=where)


def _items(path: Path) -> dict[str, dict[str, Any]]:
    try:
        value = json.loads(read_text(path))
        return {unescaped(str(item["item_name"])): item for item in value}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(f"a list of items with item_name is expected: {error!r}", path) from None


def _rows(item: dict[str, Any], lang: str, where: str, remarks: list[str]) -> list[PhoneRow]:
    """The phones of an item; its note lengths are checked against them."""
    try:
        phones, slurs, seconds, notes, lengths = (list(item[name]) for name in FIELDS)
        rows = [
            PhoneRow(str(phone).strip("<>"), float(time), int(note), bool(slur))
            for phone, slur, time, note in zip(phones, slurs, seconds, notes)
        ]
        lengths = [float(length) for length in lengths]
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"cannot be read: {error!r}", where) from None
    if not len(phones) == len(slurs) == len(seconds) == len(notes) == len(lengths):
        counts = ", ".join(f"{len(item[name])} {name}" for name in FIELDS)
        raise DataError(f"its lists differ in length: {counts}", where)
    repeated, shared = note_seconds(rows, lengths, lang)
    if not lasts(repeated, rows) and not lasts(shared, rows):
        sung = sum(row.seconds for row in rows)
        what = f"its notes last {repeated:.3f} s, or {shared:.3f} s if shared out; its phones {sung:.3f} s"
        raise DataError(what, where)
    if not lasts(repeated, rows):
        remarks.append("note lengths are shared out among the phones of a note")
    return rows


def _mended(rows: list[PhoneRow], corpus: Gathering, name: str, remarks: list[str]) -> list[PhoneRow]:
    """Rows with the item's known faults mended, which here rename phones."""
    labels = [Segment(k, k + 1, row.phone) for k, row in enumerate(rows)]
    labels = mend_labels(labels, corpus.quirks(name), frozenset({"SP", "AP"}), remarks)
    return [
        PhoneRow(label.label, row.seconds, row.pitch, row.slur)
        for label, row in zip(labels, rows, strict=True)
    ]
