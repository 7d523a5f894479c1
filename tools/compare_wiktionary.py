"""Compares our readings of words with those of Wiktionary, as WikiPron collects them.

    .venv/bin/python tools/compare_wiktionary.py de deu_latn_broad_filtered.tsv

The file is one of https://github.com/CUNY-CL/wikipron, data/scrape/tsv: deu_latn_broad_filtered,
fra_latn_broad_filtered, ita_latn_broad_filtered, spa_latn_ca_broad_filtered,
eng_latn_us_broad_filtered or kor_hang_narrow_filtered. Sounds that our phone set does not
tell apart, or that the two write differently, are folded first. Prints the figures of
docs/languages.md and the commonest differences.
"""

import random
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from nnsvs_lite.score.languages import LyricError, get_language

WORDS = 2000

# Patterns of their transcriptions (decomposed, symbols with a space around each), in order.
_TENSE = [(f" {c}͈ ", f" {c}{c} ") for c in "ptks"] + [(" ɕ͈ ", " ss ")]
_ITALIAN_I = (r" ([aeouɛɔ]) j (?![aeiouɛɔ] )", r" \1 i ")
_SPANISH = [(r" ([aeo]) i ", r" \1 j "), (r" ([aeo]) u ", r" \1 w ")]
_SPANISH += [(rf" {voiced} (?=[ptkθsnml] )", f" {plain} ") for voiced, plain in ("bp", "dt", "ɡk")]
_ENGLISH = {"i": "iy", "u": "uw", "ʊ": "uh", "æ": "ae", "ʃ": "sh", "ʒ": "zh", "ŋ": "ng", "θ": "th"}
_ENGLISH |= {"ð": "dh", "j": "y", "h": "hh", "ɡ": "g", "ʍ": "w", "ɫ": "l"}
THEIRS: dict[str, list[tuple[str, str]]] = {
    "de": [
        (r" g ", " ɡ "),
        (r" ([nlm])̩ ", r" ə \1 "),
        (r" (ɐ̯|ʁ|ʀ) ", " r "),
        (r" i̯ ", " j "),
        (r" u̯ ", " ʊ "),
        (r"̯", ""),
        (r" a ɪ ", " aɪ "),
        (r" a ʊ ", " aʊ "),
        (r" ɔ [ʏɪ] ", " ɔʏ "),
        (r" t s ", " ts "),
        (r" t ʃ ", " tʃ "),
        (r" p f ", " pf "),
        (r" ([ieouyø]) ", r" \1ː "),
        (r" ɑ ", " a "),
        (r" χ ", " x "),
        (r"ʰ", ""),
        (r"^ (f |ts |)ɛ ɐ ", r" \1ɛ r "),
        (r" ə r $", " ɐ "),
        (r" aː $", " a "),
    ],
    "fr": [(r"[()]", ""), (r" g ", " ɡ "), (r" ɑ ", " a "), (r" œ̃ ", " ɛ̃ "), (r" r ", " ʁ ")],
    "it": [
        (r" g ", " ɡ "),
        (r" i̯ ", " j "),
        (r" u̯ ", " w "),
        (r"̯", ""),
        (r" [ŋɱ] ", " n "),
        (r" ([ɲʎʃ]) \1 ", r" \1 "),
        _ITALIAN_I,
    ],
    "es": [
        (r" i̯ ", " j "),
        (r" u̯ ", " w "),
        (r"[̯̞]", ""),
        (r" [ŋɱ] ", " n "),
        (r" m (?=[bp] )", " n "),
        (r" ʎ ", " ʝ "),
        (r" β ", " b "),
        (r" ð ", " d "),
        (r" ɣ ", " ɡ "),
        (r" z ", " s "),
        *_SPANISH,
    ],
    "en": [
        (r"[ː̯ʔ]", ""),
        (r" ([lnm])̩ ", r" ə \1 "),
        (r" t ʃ | tʃ ", " ch "),
        (r" d ʒ | dʒ ", " jh "),
        (r" e ɪ ", " ey "),
        (r" a ɪ ", " ay "),
        (r" a ʊ ", " aw "),
        (r" o ʊ | o (?!ɹ)", " ow "),
        (r" ɔ ɪ ", " oy "),
        (r" [ɝɚ] | [ɜəʌ] ɹ ", " er "),
        (r" ɹ ", " r "),
        (r" [ɑɒɔo] ", " aa "),
        (r" [əʌɪ] ", " ax "),
        (r" [ɛe] ", " eh "),
        *((f" {theirs} ", f" {ours} ") for theirs, ours in _ENGLISH.items()),
        (r" ax (?=er )", " "),
    ],
    "ko": [
        (r"[̞̠̹̟̝̥̃̊ːʲʷ̚]", ""),
        (r" (j|ɰ) ", " "),
        (r" tɕ͈ ", " jj "),
        (r" tɕʰ ", " ch "),
        (r" [td][ɕʑ] ", " j "),
        *_TENSE,
        (r" ([ptk])ʰ ", r" \1\1ʰ "),
        (r" (s|ɕ)ʰ? ", " s "),
        (r" β w ", " h w "),
        (r" (p|β) ", " b "),
        (r" t ", " d "),
        (r" (k|ɡ|ɣ) ", " g "),
        (r" ([ptk])\1ʰ ", r" \1 "),
        (r" (ɾ|ɭ|ʎ) ", " l "),
        (r" ɲ ", " n "),
        (r" ŋ ", " ng "),
        (r" (ɦ|ç|x|ɸ|ʝ) ", " h "),
        (r" ɥ ", " w "),
        (r" ɐ ", " a "),
        (r" (ʌ|ɘ|ə|ɤ) ", " eo "),
        (r" ɯ ", " eu "),
        (r" ɛ ", " e "),
        (r" ø ", " w e "),
        (r" y ", " w i "),
        (r" g h ", " k "),
    ],
}
OURS: dict[str, list[tuple[str, str]]] = {
    "de": [(r" t s ", " ts "), (r" t ʃ ", " tʃ "), (r" aː $", " a ")],
    "fr": [(r" ɑ ", " a "), (r" œ̃ ", " ɛ̃ ")],
    "it": [(r" ŋ ", " n "), (r" ([ɲʎʃ]) \1 ", r" \1 "), _ITALIAN_I],
    "es": [(r" m (?=[bp] )", " n "), (r" ʎ ", " ʝ "), *_SPANISH],
    "en": [(r" (aa|ao) ", " aa "), (r" (ax|ah|ih) ", " ax "), (r" ax r ", " er "), (r" ax (?=er )", " ")],
    "ko": [
        (r" (K|P|T|N|M|L|NG) ", lambda m: f" {dict(K='g', P='b', T='d').get(m[1], m[1].lower())} "),
        (r" r ", " l "),
        (r" y ", " "),
        (r" ae ", " e "),
        (r" ui ", " i "),
    ],
}


def folded(symbols: Sequence[str], rules: Sequence[tuple]) -> list[str]:
    """Symbols after the rules; each is tried twice, since neighbours share a blank."""
    text = unicodedata.normalize("NFD", f" {' '.join(symbols)} ")
    text = re.sub("[͡‿ʔ]", "", text)
    for pattern, replacement in rules:
        for _ in range(2):
            text = re.sub(unicodedata.normalize("NFD", pattern), replacement, re.sub(" +", " ", text))
    return unicodedata.normalize("NFC", text).split()


def differences(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[str, str]]:
    """The edits of a shortest way from one to the other, as pairs; ``-`` for nothing."""
    rows = [[(j, [("-", b) for b in theirs[:j]]) for j in range(len(theirs) + 1)]]
    for i, a in enumerate(ours, 1):
        row = [(i, [(x, "-") for x in ours[:i]])]
        for j, b in enumerate(theirs, 1):
            same = rows[-1][j - 1]
            ways = [(same[0] + (a != b), same[1] + [(a, b)] * (a != b))]
            ways.append((rows[-1][j][0] + 1, [*rows[-1][j][1], (a, "-")]))
            ways.append((row[-1][0] + 1, [*row[-1][1], ("-", b)]))
            row.append(min(ways, key=lambda way: way[0]))
        rows.append(row)
    return rows[-1][-1][1]


def main(code: str, path: str) -> None:
    language = get_language(code)
    words: dict[str, list[list[str]]] = defaultdict(list)
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        word, sounds = line.split("\t")
        if len(word) > (1 if code == "ko" else 2) and word.replace("'", "").isalpha():
            words[word].append(folded(sounds.split(), THEIRS[code]))
    drawn = random.Random(0).sample(sorted(words), min(WORDS, len(words)))
    right = wrong = total = unread = 0
    found: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for word in drawn:
        try:
            ours = folded([phone for unit in language.units(word) for phone in unit], OURS[code])
        except LyricError:
            unread += 1
            continue
        edits = min((differences(ours, theirs) for theirs in words[word]), key=len)
        right += not edits
        wrong += len(edits)
        total += len(words[word][0])
        for edit in edits:
            found[edit] += 1
            example.setdefault(edit, f"{word}: {' '.join(ours)} for {' '.join(words[word][0])}")
    print(f"{code}: {len(drawn)} words, {right / len(drawn):.1%} right, {wrong / total:.1%} of phones wrong,")
    print(f"    {unread} not read")
    for edit, count in found.most_common(12):
        print(f"    {count:5d}  {edit[0]} for {edit[1]}  ({example[edit]})")


if __name__ == "__main__":
    main(*sys.argv[1:])
