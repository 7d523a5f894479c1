"""Etudes: short melodies to sing, phonetically balanced, made from a seed.

The words mean nothing. Each note gets the mora that the set so far needs most:
phones below their share first, then pairs of neighbours not yet heard.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from nnsvs_lite.score.languages import get_language
from nnsvs_lite.virtual.melody import Event, Melody, spell

LOWEST, HIGHEST = 57, 75
SHORTEST, LONGEST = 0.2, 1.7
QUOTA = 18
"""How often each phone is to be sung in 60 etudes, at least."""

_PLAIN = (
    "あいうえおかきくけこがぎぐげごさしすせそざじずぜぞたちつてとだでどなにぬねの"
    "はひふへほばびぶべぼぱぴぷぺぽまみむめもやゆよらりるれろわん"
)
_GLIDES = (
    "きゃ きゅ きょ ぎゃ ぎゅ ぎょ しゃ しゅ しょ じゃ じゅ じょ ちゃ ちゅ ちょ にゃ にゅ にょ "
    "ひゃ ひゅ ひょ びゃ びゅ びょ ぴゃ ぴゅ ぴょ みゃ みゅ みょ りゃ りゅ りょ てゃ てゅ てょ でゃ でゅ でょ"
)
_FOREIGN = (
    "ふぁ ふぃ ふぇ ふぉ うぃ うぇ うぉ しぇ じぇ ちぇ つぁ つぇ つぉ てぃ でぃ とぅ どぅ "
    "ヴァ ヴィ ヴ ヴェ ヴォ"
)
MORAE = (*_PLAIN, *_GLIDES.split(), *_FOREIGN.split())

# Ways to fill a measure of so many quarters.
_RHYTHMS = {
    1.0: ((1.0,), (0.5, 0.5), (0.75, 0.25)),
    1.5: ((1.5,), (1.0, 0.5), (0.5, 1.0), (0.5, 0.5, 0.5)),
    2.0: ((2.0,), (1.0, 1.0), (1.5, 0.5), (0.5, 0.5, 1.0), (1.0, 0.5, 0.5), (0.5, 1.0, 0.5)),
}
_METERS = (
    (4, 4, (2.0, 2.0)),
    (3, 4, (1.0, 2.0)),
    (3, 4, (2.0, 1.0)),
    (2, 4, (1.0, 1.0)),
    (6, 8, (1.5, 1.5)),
)
_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)
_STEPS = (-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5)
_STEP_WEIGHTS = np.array([1, 2, 4, 9, 20, 8, 20, 9, 4, 2, 1], float)
_DYNAMICS = ("p", "mp", "mf", "mf", "f")
_AFTER_CLOSURE = frozenset(("k", "ky", "s", "sh", "t", "ts", "ch", "p", "py"))


class _Words:
    """Chooses morae so that phones and their neighbours are heard evenly."""

    def __init__(self, rng: np.random.Generator, total: int):
        self._language = get_language("ja")
        self._units = {mora: tuple(self._language.units(mora)[0]) for mora in MORAE}
        self._rng = rng
        self._total = max(total, 1)
        self._notes = 0
        self.phones: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        self._morae: Counter[str] = Counter()
        self._previous = "pau"

    def start_phrase(self) -> None:
        self._previous = "pau"

    def _need(self, phone: str) -> float:
        """How far a phone is behind its share at this point, 0..1."""
        share = QUOTA * max(self._total / 930, 0.1) * min((self._notes + 60) / self._total, 1.0)
        return max(0.0, 1.0 - self.phones[phone] / share)

    def _worth(self, mora: str, phones: tuple[str, ...]) -> float:
        pairs = list(zip((self._previous, *phones), phones))
        new = sum(0.5 ** self._pairs[pair] for pair in pairs) / len(pairs)
        return 4 * max(map(self._need, phones)) + 1.5 * new - 0.35 * np.log1p(self._morae[mora])

    def choose(self, seconds: float, last: bool) -> str:
        """The lyric of the next note.

        Args:
            seconds: its length; longer ones may get a second mora.
            last: whether a rest follows.
        """
        rng = self._rng
        allowed = []
        for mora, phones in self._units.items():
            if self._previous == "cl" and phones[0] not in _AFTER_CLOSURE:
                continue
            if phones == ("N",) and (self._previous in ("pau", "N", "cl") or seconds < 0.25):
                continue
            allowed.append(mora)
        worth = [self._worth(m, self._units[m]) for m in allowed]
        mora = allowed[int(np.argmax(np.array(worth) + 0.4 * rng.gumbel(size=len(worth))))]
        phones = self._units[mora]
        draw, tail = rng.random(), ""
        if seconds >= 0.35 and phones[-1] != "N":
            if not last and (draw < 0.025 or self._need("cl") > 0.15 and draw < 0.4):
                tail = "っ"
            elif draw < 0.06:
                tail = "ん"
            elif draw < 0.08 and phones[-1] != "i" and seconds >= 0.5:
                tail = "い"
        lyric = mora + tail
        phones += tuple(self._language.units(tail)[0]) if tail else ()
        self._pairs.update(zip((self._previous, *phones), phones))
        self.phones.update(phones)
        self._morae[mora] += 1
        self._previous = phones[-1]
        self._notes += 1
        return lyric

    def carry(self) -> None:
        """A note that carries on the vowel."""
        self.phones[self._previous] += 1
        self._notes += 1


def _rhythm(parts: tuple[float, ...], tempo: float, rng: np.random.Generator) -> list[float]:
    """Lengths of a measure's notes in quarters, all within the limits at this tempo."""
    beats: list[float] = []
    for part in parts:
        options = [
            option for option in _RHYTHMS[part] if all(SHORTEST <= b * 60 / tempo <= LONGEST for b in option)
        ]
        # A little more often moving than held.
        weights = np.array([1.0 + 0.25 * len(option) for option in options])
        beats += options[rng.choice(len(options), p=weights / weights.sum())]
    return beats


def _next_degree(degree: int, ladder: list[int], rng: np.random.Generator) -> int:
    options = [(s, w) for s, w in zip(_STEPS, _STEP_WEIGHTS) if 0 <= degree + s < len(ladder)]
    # Drawn back from the edges of the range.
    weights = np.array([w / (1 + 0.02 * (degree + s - len(ladder) / 2) ** 2) for s, w in options])
    return degree + options[rng.choice(len(options), p=weights / weights.sum())][0]


def make_etudes(seed: int, count: int = 60) -> list[Melody]:
    """Writes etudes of two or three phrases, some eleven seconds each.

    The same seed and count give the same etudes. Sixty have every phone of
    :data:`MORAE` at least fifteen times.

    Args:
        seed: any number.
        count: how many.
    """
    rng = np.random.default_rng([seed, 1])
    words = _Words(rng, round(15.5 * count))
    return [_etude(index + 1, words, rng) for index in range(count)]


def _etude(number: int, words: _Words, rng: np.random.Generator) -> Melody:
    beats, beat_type, parts = _METERS[rng.integers(len(_METERS))]
    tempo = float(rng.integers(29, 60) * 2)
    full = sum(parts)
    measures = max(4, round(11.0 * tempo / 60 / full))
    fifths = int(rng.integers(-4, 5))
    minor = bool(rng.random() < 0.35)
    tonic = (7 * fifths + (9 if minor else 0)) % 12
    scale = {(tonic + step) % 12 for step in (_MINOR if minor else _MAJOR)}
    low = int(rng.integers(LOWEST, LOWEST + 5))
    ladder = [p for p in range(low, HIGHEST + 1) if p % 12 in scale]
    degree = int(rng.integers(len(ladder) // 4, 3 * len(ladder) // 4))
    phrases = 3 if measures >= 9 else 2
    ends = {round((k + 1) * measures / phrases) - 1 for k in range(phrases)}

    # Lengths first: positive for a note, negative for a rest.
    lengths: list[float] = []
    for measure in range(measures):
        rhythm = _rhythm(parts, tempo, rng)
        if measure == 0:
            rhythm = [-parts[0], *_rhythm(parts[1:], tempo, rng)]
        elif measure in ends:
            held = sum(parts[1:]) if len(parts) > 1 else 0
            rest = min(b for b in (0.5, 1.0, 1.5, 2.0) if b * 60 / tempo >= 0.38)
            rest = min(rest, held - 0.25) if held > 0.5 else rest
            rhythm = [*_rhythm(parts[:1], tempo, rng), held - rest, -rest]
            if held - rest <= 0 or (held - rest) * 60 / tempo < 0.3:
                rhythm = [*_rhythm(parts[:1], tempo, rng), -held]
        lengths += rhythm

    events: list[Event] = []
    tempo_now, dynamic = tempo, "mf"
    at_start = True
    for i, length in enumerate(lengths):
        if length < 0:
            events.append(Event(-length))
            at_start = True
            continue
        seconds = length * 60 / tempo_now
        last = i + 1 == len(lengths) or lengths[i + 1] < 0
        change, mark = 0.0, ""
        if at_start:
            words.start_phrase()
            if rng.random() < 0.6:
                mark = _DYNAMICS[rng.integers(len(_DYNAMICS))]
                mark, dynamic = ("" if mark == dynamic else mark), mark
            if i > 3 and rng.random() < 0.2:
                change = tempo_now = tempo_now * float(rng.choice([0.92, 1.08])) // 1
        before = degree
        degree = _next_degree(degree, ladder, rng)
        lyric = ""
        carried = not at_start and degree != before and events[-1].lyric[-1:] not in ("っ", "ん")
        if carried and rng.random() < 0.06 and events[-1].lyric:
            words.carry()
        else:
            lyric = words.choose(seconds, last)
        breath = last and bool(rng.random() < 0.2)
        events.append(Event(length, spell(ladder[degree], fifths), lyric, change, mark, breath))
        at_start = False
    return Melody(
        name=f"etude{number:02d}",
        title=f"Etude {number}",
        fifths=fifths,
        beats=beats,
        beat_type=beat_type,
        tempo=tempo,
        events=tuple(events),
        composer="nnsvs_lite",
        minor=minor,
    )
