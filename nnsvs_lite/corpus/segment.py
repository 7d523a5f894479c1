"""Songs become phrases, cut inside rests; score and labels move along."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.labels import clipped
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.timing import check_agreement
from nnsvs_lite.score.types import Score

_SAME = 1e-6

_SHORTEST_GAP = 0.06
"""The shortest silence, in seconds, at which a phrase over the longest length is still cut."""


@dataclass(frozen=True)
class _Gap:
    """The silence of a rest, inside both score and sung pause; or an end of the song (``outer``)."""

    note: int
    start: float
    end: float
    outer: bool = False

    @property
    def length(self) -> float:
        return self.end - self.start

    def tail(self, margin: float) -> float:
        """Where the phrase before ends."""
        limit = self.end if self.outer else round((self.start + self.end) / 2, 3)
        return min(round(self.start + margin, 3), limit)

    def head(self, margin: float) -> float:
        """Where the phrase after starts."""
        limit = self.start if self.outer else round((self.start + self.end) / 2, 3)
        return max(round(self.end - margin, 3), limit)


@dataclass(frozen=True)
class Cutting:
    """Where songs are cut into phrases.

    Attributes:
        min_rest: seconds; shorter silences are not cut.
        min_length: seconds; a phrase is not closed before it is this long.
        max_length: seconds; a longer phrase is cut at the longest silence inside
            it, down to 0.06 s, if it has one.
        margin: seconds of silence kept at each end of a phrase, at most, counted
            from where both score and singer are silent.
    """

    min_rest: float = 0.2
    min_length: float = 2.0
    max_length: float = 15.0
    margin: float = 0.3


def segment_at_rests(data: DataDir, **cutting: float) -> DataDir:
    """Cuts songs into phrases, ``<song id>_<3-digit number>``, at their rests.

    A cut lies inside the score's rest and, where there are labels, inside the sung pause, because a
    singer is late into a pause and early out of it. Time 0 of a phrase's score is the start of its
    audio; ``segments`` of the result gives each phrase's place in its recording.

    Args:
        data: songs with scores and, if any, labels that agree with them phone by phone.
        cutting: values of :class:`Cutting` that differ from its own.

    Raises DataError for a song without a score, or with labels that do not match it.
    """
    result = DataDir(path=data.path, wavs=data.wavs, utt2spk={}, label_name=data.label_name)
    for song in data.utts:
        if song not in data.scores:
            raise DataError(f"{song} has no score, it cannot be cut at rests", data.path / "score")
        score, labels = data.scores[song], data.labels.get(song, [])
        if labels:
            check_agreement(score, labels, f"{data.path / data.label_name}: {song}")
        rec, offset, _ = data.segments.get(song, (song, 0.0, 0.0))
        spans = phrase_spans(score, labels, data.duration(song), **cutting)
        for number, (start, end, first_note, part) in enumerate(spans, start=1):
            utt = f"{song}_{number:03d}"
            result.segments[utt] = (rec, round(offset + start, 7), round(offset + end, 7))
            first = sum(len(n.phones) for n in score.notes[:first_note])
            sung = cut_labels(labels[first : first + len(part.phones)], start, end)
            result.put(utt, data.utt2spk[song], part, sung)
    return result


class Span(NamedTuple):
    """A phrase within its song: seconds, its first note, and its score with time 0 at ``start``."""

    start: float
    end: float
    first_note: int
    score: Score


def phrase_spans(
    score: Score, labels: Sequence[Segment] = (), duration: float | None = None, **cutting: float
) -> list[Span]:
    """Where :func:`segment_at_rests` cuts one song; its options are explained there.

    Args:
        score: with phones where ``labels`` (the sung times) are given.
        duration: seconds of the recording; the score's if not given.
    """
    gaps = _gaps(score, list(labels), score.duration if duration is None else duration)
    how = Cutting(**cutting)
    chosen = _choose(gaps, how)
    spans = []
    for left, right in zip(chosen, chosen[1:], strict=False):
        start, end = left.head(how.margin), right.tail(how.margin)
        part = _cut_score(score, left.note, right.note, start, end)
        spans.append(Span(start, end, max(left.note, 0), part))
    return spans


def _gaps(score: Score, labels: list[Segment], duration: float) -> list[_Gap]:
    """All silences, the ends of the song included (of no length where it has no rest there)."""
    gaps = []
    phone = 0
    last = len(score.notes) - 1
    for i, note in enumerate(score.notes):
        count = len(note.phones)
        if note.is_rest:
            start, end = note.start, note.end
            if labels and count:
                start = max(start, labels[phone].start)
                end = min(end, labels[phone + count - 1].end)
            # Before the first and after the last note there is nothing but silence.
            start = 0.0 if i == 0 else start
            end = duration if i == last else end
            if end > start:
                gaps.append(_Gap(i, start, end, outer=i in (0, last)))
        phone += count
    if not gaps or gaps[0].note != 0:
        gaps.insert(0, _Gap(-1, 0.0, 0.0, outer=True))
    if gaps[-1].note != last or len(gaps) == 1:
        end = min(max(score.duration, labels[-1].end if labels else 0.0), duration)
        gaps.append(_Gap(last + 1, end, end, outer=True))
    return gaps


def _choose(gaps: list[_Gap], how: Cutting) -> list[_Gap]:
    """The silences to cut at, first and last of the song included."""
    chosen = [gaps[0]]
    for gap in gaps[1:-1]:
        if gap.length >= how.min_rest - _SAME and gap.start - chosen[-1].end >= how.min_length:
            chosen.append(gap)
    chosen.append(gaps[-1])
    if len(chosen) > 2 and chosen[-1].start - chosen[-2].end < how.min_length:
        del chosen[-2]
    i = 0
    while i + 1 < len(chosen):
        left, right = chosen[i], chosen[i + 1]
        inside = [g for g in gaps if left.note < g.note < right.note and g.length >= _SHORTEST_GAP]
        if right.start - left.end > how.max_length and inside:
            middle = (left.end + right.start) / 2
            # The longest silence; of equal ones that nearest to the middle.
            best = max(inside, key=lambda g: (round(g.length, 2), -abs(g.start - middle)))
            chosen.insert(i + 1, best)
        else:
            i += 1
    return chosen


def _cut_score(score: Score, first: int, last: int, start: float, end: float) -> Score:
    """Notes ``first`` to ``last`` inclusive, the outer ones clipped to ``start``..``end``."""
    notes = list(score.notes[max(first, 0) : last + 1])
    notes[0] = clipped(notes[0], start, notes[0].end) if notes[0].is_rest else notes[0]
    if notes[-1].is_rest:
        notes[-1] = clipped(notes[-1], notes[-1].start, end)
    return dataclasses.replace(score, notes=tuple(notes)).slice(0, len(notes), offset=start)


def cut_labels(labels: list[Segment], start: float, end: float) -> list[Segment]:
    """Labels clipped to ``start``..``end`` and moved so that ``start`` becomes 0."""

    def time(seconds: float) -> float:
        return round(min(max(seconds, start), end) - start, 7)

    moved = [Segment(time(label.start), time(label.end), label.label) for label in labels]
    if moved:
        moved[0] = moved[0]._replace(start=0.0)
        moved[-1] = moved[-1]._replace(end=round(end - start, 7))
    return moved
