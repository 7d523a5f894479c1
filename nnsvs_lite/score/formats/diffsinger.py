"""DiffSinger segments (``.ds``, JSON) to a score that imposes its phones.

OpenUtau and the DiffSinger tools write a list of segments, or one, each with ``offset`` in seconds and,
separated by blanks,

- ``ph_seq`` phones, perhaps with a language before them (``ja/k``); ``ph_num`` how many of them each word
  has, a word beginning with its vowel and ending with the consonants before the next one;
- ``note_seq`` pitches, ``note_dur`` seconds, ``note_slur`` 1 where a note carries its word on;
- ``text``, kept as lyrics where it has one word for each note;
- ``f0_seq`` (Hz), and ``energy``, ``breathiness``, ``voicing`` (dB) and ``tension`` (a logit), one number
  each ``f0_timestep`` seconds and so on, which are drawn on the score.

Files of the older kind, with one note for each phone (``note_dur_seq``, ``is_slur_seq``), are read as well.
Consonants go to the note of the vowel after them, those before a rest to the note before it. ``SP`` is a
pause and ``AP`` a breath; one among the phones of a note takes its time from that note.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import leave_out
from nnsvs_lite.score.drawn import Canvas, Drawn
from nnsvs_lite.score.formats.assemble import DEFAULT_TEMPO
from nnsvs_lite.score.formats.htslabel import pitch_number
from nnsvs_lite.score.formats.limits import (
    MAX_SECONDS,
    MAX_TEXT_BYTES,
    checked_count,
    checked_length,
    checked_pitch,
    checked_tempo,
)
from nnsvs_lite.score.formats.rawfile import (
    get_number,
    get_numbers,
    get_rows,
    get_text,
    parse_json,
    read_bytes,
)
from nnsvs_lite.score.languages import Language, get_language, language_codes
from nnsvs_lite.score.languages.base import CLASS_NAMES
from nnsvs_lite.score.phonemize import carried
from nnsvs_lite.score.timeline import Timeline
from nnsvs_lite.score.types import REST, Note, Score

_SILENT = ("pau", "br")
_CLOSURE = CLASS_NAMES.index("closure")
_PAUSE = 0.2
"""Seconds of a pause among the phones of a note, if that is not less than half of the note."""
_CURVES = {"f0": "f0_seq"} | {name: name for name in ("energy", "breathiness", "voicing", "tension")}
"""By the name before ``_timestep``, where its numbers are."""
_TEXTS = ("ph_seq", "ph_num", "ph_dur", "note_seq", "note_dur", "note_dur_seq", "note_slur", "is_slur_seq")
"""What is text with blanks, and not a list."""
_LOWEST, _HIGHEST = 20.0, 5000.0
"""Hz of an F0 that can be sung."""
_SHOWN = 200
_OVERLAP = 1.0
"""Seconds by which a segment's closing rest may run into the next segment."""


@dataclass
class _Row:
    """A note of one segment; ``start`` in seconds of the song."""

    start: float
    end: float
    pitch: int = REST
    slur: bool = False
    phones: list[str] = field(default_factory=list)
    lyric: str = ""
    place: str = ""


def read_ds(path: str | os.PathLike, *, lang: str = "ja", tempo: float | None = None) -> Score:
    """All segments of a DiffSinger file in one score, with phones.

    Args:
        path: ``.ds``.
        lang: language whose phones these are.
        tempo: quarter notes a minute, to count beats by, since the file has none; 120 if not given.

    Raises DataError where the file is not such a list of segments, or its sequences do not fit together;
    names the segment.
    """
    bpm = DEFAULT_TEMPO if tempo is None else checked_tempo(tempo, "the tempo asked for")
    value = parse_json(read_bytes(path, MAX_TEXT_BYTES))
    segments = get_rows([value] if isinstance(value, dict) else value, "a DiffSinger file")
    language = get_language(lang) if lang in language_codes() else None
    offsets = [
        get_number(segment.get("offset", 0), f"segment {number}: offset", 0, MAX_SECONDS)
        for number, segment in enumerate(segments, 1)
    ]
    rows: list[_Row] = []
    for i in sorted(range(len(segments)), key=offsets.__getitem__):
        rows = _joined(rows, _segment(segments[i], offsets[i], f"segment {i + 1}", language))
        checked_count(len(rows))
    if all(row.pitch == REST for row in rows):
        raise DataError("the score is empty: it has no notes")
    checked_length(rows[-1].end)
    timeline = Timeline(((0.0, bpm),))
    drawn = _drawn(segments, offsets, Canvas(timeline, rows[-1].end))
    return Score(tuple(_notes(rows, bpm)), lang, timeline=timeline, drawn=drawn)


def _drawn(segments: Sequence[dict[str, Any]], offsets: Sequence[float], canvas: Canvas) -> Drawn | None:
    """F0, and loudness, voicing, breathiness and tension of segments that all have them."""

    def curve(name: str, key: str) -> np.ndarray | None:
        """Over the whole song, NaN between segments."""
        found, lacking = np.full(len(canvas.time), np.nan), 0
        for number, (segment, start) in enumerate(zip(segments, offsets), 1):
            values = get_numbers(segment.get(key), f"segment {number}: {key}", 1e5)
            lacking += not len(values)
            if len(values):
                step = get_number(
                    segment.get(f"{name}_timestep"), f"segment {number}: {name}_timestep", 1e-4, 1
                )
                span = canvas.span(start, start + (len(values) - 0.5) * step)
                place = (canvas.time[span] - start) / step
                found[span] = np.interp(place, np.arange(len(values)), values)
                if name == "f0":
                    # Between a frequency and none there is nothing.
                    beside = np.stack([np.floor(place), np.ceil(place)]).astype(int)
                    found[span][(values[beside.clip(0, len(values) - 1)] <= 0).any(0)] = 0.0
        if 0 < lacking < len(segments) and name != "f0":
            left.append(f"{name} (not in all segments)")
        return None if lacking == len(segments) or (lacking and name != "f0") else found

    left = [
        name
        for name in dict.fromkeys(get_text(key).removesuffix("_timestep") for row in segments for key in row)
        if any(f"{name}_timestep" in row for row in segments) and name not in _CURVES
    ]
    f0, energy, breath, voicing, tension = (curve(*names) for names in _CURVES.items())
    curves: dict[str, np.ndarray] = {}
    if energy is not None:
        curves["loudness"] = energy
    if voicing is not None:
        curves["voicing"] = voicing
    if breath is not None and energy is not None:
        curves["breathiness"] = breath - energy
    elif breath is not None:
        left.append("breathiness (without energy)")
    if tension is not None:
        # The logit of the overtones' share of the amplitude, against overtones to the fundamental in dB.
        share = 1 / (1 + np.exp(-tension.clip(-10, 10)))
        curves["tension"] = 10 * np.log10(share**2 / (1 - share**2))
    if left:
        leave_out(f"the file's own {', '.join(left)[:_SHOWN]} are not sung: the voice makes its own")
    pitch = None
    if f0 is not None:
        sung = (f0 >= _LOWEST) & (f0 <= _HIGHEST)
        pitch = np.where(sung, 69 + 12 * np.log2(np.where(sung, f0, 440) / 440), np.nan)
    if pitch is None and not curves:
        return None
    silent = {"loudness": -96.0, "voicing": -96.0}
    return Drawn(pitch, {n: np.where(np.isnan(v), silent.get(n, 0.0), v) for n, v in curves.items()})


def read_ds_times(path: str | os.PathLike) -> list[Segment]:
    """Phone times of a DiffSinger file, in seconds: ``ph_seq`` with ``ph_dur``, pauses between segments.

    Raises DataError where a segment has no ``ph_dur``, or not one length for each phone.
    """
    value = parse_json(read_bytes(path, MAX_TEXT_BYTES))
    labels: list[Segment] = []
    segments = get_rows([value] if isinstance(value, dict) else value, "a DiffSinger file")
    offsets = [get_number(s.get("offset", 0), "offset", 0, MAX_SECONDS) for s in segments]
    for i in sorted(range(len(segments)), key=offsets.__getitem__):
        segment, at, place = segments[i], offsets[i], f"segment {i + 1}"
        _check_texts(segment, place)
        phones, lengths = (get_text(segment.get(name)).split() for name in ("ph_seq", "ph_dur"))
        if not phones or len(phones) != len(lengths):
            raise DataError(
                f"{place}: {len(phones)} phones in ph_seq, {len(lengths)} lengths in ph_dur", path
            )
        before = labels[-1].end if labels else 0.0
        labels += [Segment(before, at, "SP")] * (at > before)
        for phone, length in zip(phones, lengths):
            end = at + get_number(length, f"{place}: ph_dur", 0, MAX_SECONDS)
            labels.append(Segment(round(at, 7), round(end, 7), phone.rpartition("/")[2] or phone))
            at = end
    return labels


def _check_texts(segment: dict[str, Any], place: str) -> None:
    for name in _TEXTS:
        if isinstance(segment.get(name), (list, dict)):
            raise DataError(f'{place}: {name} is no text: write it with blanks between, as in "k a z e"')


def _segment(segment: dict[str, Any], start: float, place: str, language: Language | None) -> list[_Row]:
    """The notes of a segment, each with its phones and lyric."""

    def words(*names: str) -> list[str]:
        return next((found for name in names if (found := get_text(segment.get(name)).split())), [])

    _check_texts(segment, place)
    for name in ("ph_seq", "note_seq"):
        if not isinstance(segment.get(name), str) or not segment[name].split():
            raise DataError(f"{place}: it has no {name}, so its notes or phones are unknown")
    phones = [word.rpartition("/")[2] or word for word in words("ph_seq")]
    if language is not None:
        phones = [language.normal(phone) for phone in phones]
    pitches, durations = words("note_seq"), words("note_dur", "note_dur_seq")
    slurs = words("note_slur", "is_slur_seq") or ["0"] * len(pitches)
    by_phone = "ph_num" not in segment and len(pitches) == len(phones)
    if not len(durations) == len(pitches) == len(slurs):
        raise DataError(
            f"{place}: {len(pitches)} notes in note_seq, {len(durations)} lengths and {len(slurs)} slurs"
        )
    ends = {*_SILENT, *(language.nuclei if language is not None else ())}
    rows: list[_Row] = []
    for i, (pitch, duration, slur) in enumerate(zip(pitches, durations, slurs)):
        where = f"{place}, note {i + 1}"
        seconds = get_number(duration, f"{where}: length", 0, MAX_SECONDS)
        try:
            number = pitch_number(pitch)
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None
        if pitch.lower() != "rest":
            checked_pitch(number, where)
        again = by_phone and slur != "1" and i and (pitch, duration) == (pitches[i - 1], durations[i - 1])
        if again and phones[i - 1] not in ends and phones[i] not in _SILENT:
            rows[-1].phones.append(phones[i])
            continue
        if seconds <= 0:
            raise DataError(f"{where}: a note of no length")
        sung = [phones[i]] if by_phone else []
        rows.append(_Row(start, start + seconds, number, slur == "1", sung, place=where))
        start += seconds
    if not by_phone:
        _share(rows, phones, words("ph_num"), place, language)
    # The text has a word for each note that begins one, or the phones are all there is.
    heads = [row for row in rows if not row.slur and row.pitch != REST]
    spoken = [word for word in words("text") if word not in ("SP", "AP")]
    for row, word in zip(heads, spoken if len(spoken) == len(heads) else ["".join(r.phones) for r in heads]):
        row.lyric = get_text(word)
    return [piece for row, after in zip(rows, [*rows[1:], None]) for piece in _at_pauses(row, after)]


def _at_pauses(row: _Row, after: _Row | None) -> list[_Row]:
    """A note with pauses or breaths among its phones, cut into notes and rests."""
    runs = [(silent, list(phones)) for silent, phones in groupby(row.phones, _SILENT.__contains__)]
    if row.pitch == REST or len(runs) < 2:
        return [row]
    if runs[-1] == (True, ["pau"]) and (after is None or after.pitch == REST):
        runs.pop()
    rests = sum(silent for silent, _ in runs)
    length = row.end - row.start
    pause = min(_PAUSE, length / 2 / max(rests, 1))
    share = (length - rests * pause) / (len(runs) - rests)
    pieces: list[_Row] = []
    start = row.start
    for silent, phones in runs:
        end = start + (pause if silent else share)
        first = not any(piece.pitch for piece in pieces)
        lyric = row.lyric if first else "".join(phones)
        piece = replace(row, start=start, end=end, slur=row.slur and not pieces, phones=phones, lyric=lyric)
        pieces.append(replace(piece, pitch=REST, slur=False, lyric="") if silent else piece)
        start = end
    pieces[-1].end = row.end
    return pieces


def _share(
    rows: list[_Row], phones: list[str], counts: list[str], place: str, language: Language | None
) -> None:
    """Gives words' phones to notes, and moves consonants to the note of the vowel after them."""
    numbers = [int(get_number(word, f"{place}: ph_num", 0, 1000)) for word in counts]
    heads = [row for row in rows if not row.slur]
    if rows and rows[0].slur:
        raise DataError(f"{rows[0].place}: a slur without a note before it")
    if len(numbers) != len(heads) or sum(numbers) != len(phones):
        raise DataError(
            f"{place}: ph_num has {len(numbers)} words of {sum(numbers)} phones; "
            f"there are {len(heads)} notes without slur and {len(phones)} phones"
        )
    position = 0
    waiting: list[str] = []
    for row, count in zip(heads, numbers):
        word = phones[position : position + count]
        position += count
        keep = count
        if word and position < len(phones) and phones[position] not in _SILENT:
            # Behind its first phone a word holds the consonants of the next one.
            keep = 1 + max(i for i, phone in enumerate(word) if i == 0 or stays(phone, language))
        row.phones, waiting = waiting + word[:keep], word[keep:]
    for before, row in pairwise(rows):
        if row.slur:
            if not before.phones:
                raise DataError(f"{before.place}: a note without phones")
            before.phones, row.phones = map(list, carried(before.phones, 2, language))


def stays(phone: str, language: Language | None) -> bool:
    """Whether a word keeps a phone that is not its first: pauses, what can be held, and closures."""
    if language is None or phone not in language or phone in _SILENT:
        return phone in _SILENT
    return phone in language.nuclei or phone in language.vowels or language.classes(phone)[_CLOSURE] > 0


def _joined(rows: list[_Row], more: list[_Row]) -> list[_Row]:
    """Notes of the song so far and of its next segment; rests give way where they overlap."""
    end = rows[-1].end if rows else 0.0
    gap = more[0].start - end
    if gap > 1e-6:
        return [*rows, _Row(end, more[0].start), *more]
    if gap < -1e-6:
        rests = [r for r in (rows[-1], more[0]) if r.pitch == REST and r.end - r.start + gap > 1e-3]
        if not rests or -gap >= _OVERLAP:
            raise DataError(f"{more[0].place}: it begins before the segment before it ends")
        if rests[0] is rows[-1]:
            end = rows[-1].end = end + gap
    more[0].start = end
    return rows + more


def _notes(rows: list[_Row], bpm: float) -> list[Note]:
    notes: list[Note] = []
    for row in rows:
        start = notes[-1].end if notes else round(row.start, 7)
        end = round(row.end, 7)
        if end <= start:
            raise DataError(f"{row.place}: a note of no length")
        silent = [phone for phone in row.phones if phone in _SILENT]
        if row.pitch == REST and len(silent) < len(row.phones):
            raise DataError(f"{row.place}: phones {' '.join(row.phones)} on a rest")
        sung = row.pitch != REST and not silent
        phones = tuple(row.phones) if sung else ("br",) if "br" in silent else ("pau",)
        if not phones:
            raise DataError(f"{row.place}: a note without phones")
        if phones == ("pau",) and notes and notes[-1].phones == phones:
            start = notes.pop().start
        quarter = start * bpm / 60
        notes.append(
            Note(
                start,
                end,
                row.pitch if sung else REST,
                lyric=row.lyric if sung else "br" if phones == ("br",) else "",
                phones=phones,
                slur=row.slur and sung,
                tempo=bpm,
                beats=(end - start) * bpm / 60,
                measure=int(quarter // 4) + 1,
                beat=quarter % 4,
            )
        )
    return notes
