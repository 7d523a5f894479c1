"""Words and dictionaries for an aligner, made from the score's own phones.

A sung text has one pronunciation, that of its score, so every unit becomes a word of its own. Between
words an aligner may put silence by itself; a rest is therefore a gap between two words, never a word.
"""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score

SILENCES = ("pau", "br", "sil")
_UNSUNG = ("", "sp", "spn", *SILENCES)
MIN_SILENCE = 0.01
"""Seconds given to a rest in which the aligner found no silence."""


def units_of(score: Score, unit: str = "phrase") -> list[tuple[int, int]]:
    """The words of a score, in order: numbers of the first phone and of that after the last.

    Args:
        score: with phones.
        unit: ``phrase`` (all between two silences), ``word`` (up to a note whose
            lyric begins with a space or follows one that ends with it; where no
            lyric has spaces, as in Japanese, the phrase), ``syllable`` (a note with
            the notes that carry it on) or ``mora`` (up to and including each vowel).
    """
    vowels = get_language(score.lang).vowels
    phones, index = score.phones, score.note_index
    spans: list[list[int]] = []

    def begins(i: int) -> bool:
        """Whether a word begins with a phone that follows a sung one."""
        note, before = score.notes[index[i]], score.notes[index[i - 1]]
        if note.slur:
            return False
        if note is before:
            return unit == "mora" and phones[i - 1] in vowels
        spaced = note.lyric[:1].isspace() or before.lyric[-1:].isspace()
        return unit in ("syllable", "mora") or (unit == "word" and spaced)

    for i, phone in enumerate(phones):
        if phone not in SILENCES:
            if i == 0 or phones[i - 1] in SILENCES or begins(i):
                spans.append([i, i])
            spans[-1][1] = i + 1
    return [(first, last) for first, last in spans]


class Dictionary(dict[tuple[str, ...], str]):
    """Words by pronunciation, made when they are first asked for: ``w00000``, ``w00001``, ...

    Aligners fold case and cut words at punctuation, so lyrics are not used as words.
    """

    def __missing__(self, phones: tuple[str, ...]) -> str:
        self[phones] = word = f"w{len(self):05d}"
        return word

    def text(self, names: Mapping[str, str]) -> str:
        """The file: ``word<tab>phones`` a line, sorted by word; ``names``: other names of our phones."""
        rows = sorted((word, [names.get(p, p) for p in phones]) for phones, word in self.items())
        return "".join(f"{word}\t{' '.join(phones)}\n" for word, phones in rows)


def check_texts(scores: Mapping[str, Score], utts: Iterable[str]) -> list[str]:
    """Lines ``utt: what is wrong`` for scores that cannot be aligned."""
    faults = []
    for utt in utts:
        score = scores.get(utt)
        if score is None:
            faults.append(
                f"{utt}: has no score; lyrics alone are aligned in a data dir where no other has one"
            )
            continue
        symbols = get_language(score.lang).phones
        if not any(phone not in SILENCES for phone in score.phones):
            faults.append(f"{utt}: nothing is sung in its score")
        for note in score.notes:
            if not note.is_rest and not note.phones:
                text = f"lyric {note.lyric!r}" if note.lyric else "a note without lyric"
                faults.append(f"{utt}: {note.place}: {text} has no pronunciation")
            unknown = [p for p in note.phones if p not in symbols]
            if unknown:
                faults.append(f"{utt}: {note.place}: {unknown[0]!r} is no phone of {score.lang!r}")
    return faults


def check_sung(
    sung: Sequence[Segment], score: Score, where: str | os.PathLike, names: Mapping[str, str] | None = None
) -> None:
    """Checks that the labels of sung phones, in order of time, are the score's.

    With ``names``, what the labels call our phones where that differs, capitals do not count.

    Raises DataError naming the first phone that differs.
    """
    fold = str if names is None else str.lower
    wanted = [(names or {}).get(p, p) for p in score.phones if p not in SILENCES]
    for k, (label, need) in enumerate(itertools.zip_longest(sung, wanted), start=1):
        if label is None or need is None or fold(label.label) != fold(need):
            have = "nothing" if label is None else f"{label.label!r}"
            when = "" if label is None else f" at {label.start:.3f} s"
            needed = "no more" if need is None else f"{need!r}"
            raise DataError(f"phone {k}{when} is {have}, the score has {needed}", where)


def fit_to_score(
    found: Iterable[Segment],
    score: Score,
    duration: float,
    where: str,
    names: Mapping[str, str] | None = None,
) -> list[Segment]:
    """An aligner's phones as labels of the score: every phone, silences included, without gaps.

    Gaps of the aligner become the rests of the score. Where it heard silence that
    the score lacks, the phone before is drawn out over it; where it heard none at
    a rest, the rest gets 10 ms.

    Args:
        found: phones in order of time; empty labels and silences are skipped.
        duration: seconds, the end of the last label.
        names: what the aligner calls our phones, where that differs.

    Raises DataError where the sung phones are not those of the score.
    """
    spoken, phones = [s for s in found if s.label not in _UNSUNG], score.phones
    check_sung(spoken, score, where, names or {})
    starts: list[float] = []
    k = 0
    for silent, group in itertools.groupby(phones, SILENCES.__contains__):
        count = len(list(group))
        if silent:
            before = spoken[k - 1].end if k else 0.0
            after = spoken[k].start if k < len(spoken) else duration
            starts += [before + (after - before) * j / count for j in range(count)]
        else:
            starts += [s.start for s in spoken[k : k + count]]
            k += count
    starts[0] = 0.0
    return _positive(starts, phones, duration)


def _positive(starts: list[float], phones: list[str], duration: float) -> list[Segment]:
    """Labels from onsets; each gets at least 10 ms, taken from its neighbours."""
    count = len(starts)
    least = min(MIN_SILENCE, duration / count)
    for i in range(1, count):
        starts[i] = max(starts[i], starts[i - 1] + least)
    limit = duration
    for i in range(count - 1, -1, -1):
        limit -= least
        starts[i] = min(starts[i], limit)
    starts[0] = 0.0
    ends = [*starts[1:], duration]
    return [Segment(round(s, 7), round(e, 7), p) for s, e, p in zip(starts, ends, phones)]
