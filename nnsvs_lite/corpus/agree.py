"""Small differences between what a score's lyrics read as and what a labeller heard, mended and named."""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from nnsvs_lite.corpus.labels import DEVOICED
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import Language, LyricError, get_language
from nnsvs_lite.score.lyrics import split_hint
from nnsvs_lite.score.phonemize import carried, continues
from nnsvs_lite.score.types import Note, Score

MOST_TOGETHER = 4
"""Phones that may differ in one place; more are another text, such as a measure that is missing."""

MOST = 0.1
"""Part of a song's phones that may differ, or as many as in one place."""


def agree(
    notes: Sequence[Note], rows: Sequence[Segment], language: Language, where: str, remarks: list[str]
) -> tuple[list[Note], list[Segment]]:
    """Notes with the phones that the labels have, where these differ a little from the lyrics' own.

    A labeller writes what is sung: a particle as it sounds, a vowel that merges with the one before. What the
    labels have counts, with a remark for each place; a note that is left without a phone holds the vowel
    before it, whose label is divided. Labels keep their times.

    Args:
        notes: with phones. rows: labels with the language's names, silences among them.

    Raises DataError where phones differ so much that the two are not the same song, naming the first such
    place.
    """
    written = [
        (DEVOICED.get(p, p), i) for i, note in enumerate(notes) if not note.is_rest for p in note.phones
    ]
    sung = [k for k, row in enumerate(rows) if not language.is_silence(row.label)]
    names = [DEVOICED.get(rows[k].label, rows[k].label) for k in sung]
    matcher = SequenceMatcher(None, [phone for phone, _ in written], names, autojunk=False)
    blocks = [block for block in matcher.get_opcodes() if block[0] != "equal"]
    changed = sum(max(b - a, d - c) for _, a, b, c, d in blocks)
    phones: dict[int, list[str]] = {i: [] for i, note in enumerate(notes) if not note.is_rest}
    owner: dict[int, int] = {}
    moved: dict[int, int] = {}
    begins = [notes[note].start for _, note in written]
    heard = [rows[k].start for k in sung]
    same = [heard[c + i] - begins[a + i] for a, c, size in matcher.get_matching_blocks() for i in range(size)]
    late = statistics.median(same) if same else 0.0
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            owner |= dict(zip(range(c, d), (note for _, note in written[a:b])))
            continue
        if kind == "delete" and b - a == 1:
            a, c, around = _missing(written, names, lambda k, i: abs(heard[k] - late - begins[i]), a, c)
            b, d = a + 1, c
            moved |= around
        row = rows[sung[min(c, len(sung) - 1)]]
        note = notes[written[min(a, len(written) - 1)][1]]
        what = (
            f"the labels have {_shown(names[c:d])} at {row.start:.3f} s where the score has"
            f" {_shown([phone for phone, _ in written[a:b]])} ({note.place}, {note.lyric or 'held'!r})"
        )
        if max(b - a, d - c) > MOST_TOGETHER or changed > max(MOST * len(names), MOST_TOGETHER):
            more = (
                f"; {changed} of {len(names)} phones differ in {len(blocks)} places"
                if len(blocks) > 1
                else ""
            )
            raise DataError(f"score and labels are not the same text: {what}{more}", where)
        remarks.append(f"{what}; taken from the labels")
        owner |= dict(zip(range(c, d), _owners(written, names, a, b, c, d, language)))
    owner |= moved
    for k in range(len(names)):
        phones[owner[k]].append(names[k])
    return _held(list(notes), list(rows), phones, language, where)


def _shown(phones: Sequence[str]) -> str:
    text = " ".join(phones[:8]) + (f" and {len(phones) - 8} more" if len(phones) > 8 else "")
    return repr(text) if text else "nothing"


def _missing(
    written: Sequence[tuple[str, int]],
    names: Sequence[str],
    apart: Callable[[int, int], float],
    a: int,
    c: int,
) -> tuple[int, int, dict[int, int]]:
    """Which of several equal phones in a row no label has, told by their times.

    ``a`` is one that may be missing, ``c`` the label after it, ``apart(k, i)`` the seconds between a label
    and a phone of the score. Returns the missing one, the label after it, and the labels' notes around it.
    """
    first = last = a
    while first > 0 and written[first - 1][0] == written[a][0]:
        first -= 1
    while last + 1 < len(written) and written[last + 1][0] == written[a][0]:
        last += 1
    labels = range(c - a + first, c - a + last)
    if labels.start < 0 or any(names[k : k + 1] != [written[a][0]] for k in labels):
        return a, c, {}
    kept = {gone: [i for i in range(first, last + 1) if i != gone] for gone in range(first, last + 1)}
    best = min(kept, key=lambda gone: sum(map(apart, labels, kept[gone])))
    return best, c - a + best, {k: written[i][1] for k, i in zip(labels, kept[best])}


def _owners(
    written: Sequence[tuple[str, int]],
    names: Sequence[str],
    a: int,
    b: int,
    c: int,
    d: int,
    language: Language,
) -> list[int]:
    """The notes that labels ``c`` to ``d`` belong to, where the score has phones ``a`` to ``b``."""
    there = [note for _, note in written[a:b]]
    if len(there) >= d - c:
        return there[: d - c]
    if there:
        return there + [there[-1]] * (d - c - len(there))
    before = written[a - 1][1] if a else written[0][1]
    after = written[a][1] if a < len(written) else before
    # Consonants go with the vowel that follows them.
    last = max((k for k in range(c, d) if names[k] in language.nuclei), default=c - 1)
    if language.coda_count(names[c:d]) == d - c and a < len(written) and written[a][0] in language.nuclei:
        return [after] * (d - c)
    return [before if k <= last else after for k in range(c, d)]


def _held(
    notes: list[Note], rows: list[Segment], phones: dict[int, list[str]], language: Language, where: str
) -> tuple[list[Note], list[Segment]]:
    """Notes with their phones; those without any hold the phone before, whose label is divided."""
    result: list[Segment] = []
    rest = iter(rows)
    waiting = next(rest, None)

    def take(count: int) -> None:
        nonlocal waiting
        while waiting is not None and (count or language.is_silence(waiting.label)):
            count -= not language.is_silence(waiting.label)
            result.append(waiting)
            waiting = next(rest, None)

    i = 0
    order = sorted(phones)
    while i < len(order):
        note = notes[order[i]]
        own = phones[order[i]]
        empty = i + 1
        while empty < len(order) and not phones[order[empty]]:
            empty += 1
        holding = order[i + 1 : empty]
        if not own:
            raise DataError(f"{note.place}: nothing is sung of {note.lyric!r} in the labels", where)
        before = len(result)
        take(len(own))
        notes[order[i]] = dataclasses.replace(note, phones=tuple(own))
        # Across a rest a vowel is held where the singer makes no pause.
        broken = holding[-1:] and holding[-1] - order[i] > len(holding) and waiting is not None
        if holding and (own[-1] not in language.vowels or (broken and language.is_silence(waiting.label))):
            note = notes[holding[0]]
            raise DataError(
                f"{note.place}: the labels have nothing of {note.lyric!r}, and no vowel before it is held",
                where,
            )
        if holding:
            k = max(k for k in range(before, len(result)) if not language.is_silence(result[k].label))
            last = result[k]
            spans = [note.duration, *(notes[n].duration for n in holding)]
            ends = [sum(spans[: n + 1]) / sum(spans) for n in range(len(spans))]
            times = [last.start] + [round(last.start + part * (last.end - last.start), 7) for part in ends]
            result[k : k + 1] = [Segment(x, y, last.label) for x, y in zip(times, times[1:])]
            for n in holding:
                notes[n] = dataclasses.replace(notes[n], phones=(own[-1],), slur=True, lyric="")
        i = empty
    take(0)
    return notes, result


def spelt(score: Score) -> Score:
    """The score with a hint (``を[w o]``) behind each lyric that reads otherwise than its phones."""
    language = get_language(score.lang)
    notes = list(score.notes)
    heads = [i for i, note in enumerate(notes) if not note.is_rest and not continues(note)]
    for begin, end in zip(heads, [*heads[1:], len(notes)]):
        group = [i for i in range(begin, end) if not notes[i].is_rest]
        sung = [notes[i].phones for i in group]
        text, hint = split_hint(notes[begin].lyric, score.lang)
        try:
            said = hint or [phone for unit in language.units(text) for phone in unit]
        except LyricError:
            said = []
        if said and carried(said, len(group), language) == sung:
            continue
        whole = [*sung[0], *(sung[-1][1:] if len(sung) > 1 else ())]
        if carried(whole, len(group), language) == sung:
            notes[begin] = _hinted(notes[begin], text, whole, score.lang)
            continue
        for i in group:
            notes[i] = dataclasses.replace(
                _hinted(notes[i], text if i == begin else "", sung[group.index(i)], score.lang), slur=False
            )
    return dataclasses.replace(score, notes=tuple(notes))


def _hinted(note: Note, text: str, phones: Sequence[str], lang: str) -> Note:
    # Behind letters a hint names its language.
    hint = f"{'' if lang == 'ja' else f'{lang}/'}{' '.join(phones)}"
    return dataclasses.replace(note, lyric=f"{text}[{hint}]")
