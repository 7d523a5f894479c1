"""Pronunciation of Hangul by the Standard Pronunciation of Korean (표준 발음법).

The rules are those of the *Standard Language Regulations* (표준어 규정, part 2, 1988, with the
changes of 2017); articles (항) are named. They need no dictionary, so what
hangs on meaning is left: inserted ㄴ between the parts of compounds (29항) and tension in
them (28항) come from a short list of words.
"""

import re

from nnsvs_lite.score.languages.base import tables

Jamo = tuple[str, str, str]
"""Onset, vowel, coda; the empty onset is ㅇ, no coda is empty."""

ONSETS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
CODAS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_FIRST = ord("가")

_PAIRS = dict(zip("ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ", zip("ㄱㄴㄴㄹㄹㄹㄹㄹㄹㄹㅂ", "ㅅㅈㅎㄱㅁㅂㅅㅌㅍㅎㅅ")))
# 8-11항: the seven codas.
_NEUTRAL = dict(
    zip(
        "ㄲㅋㄳㄺㅅㅆㅈㅊㅌㅎㅍㅄㄿㄵㄶㄼㄽㄾㅀㄻ",
        "ㄱ" * 4 + "ㄷ" * 6 + "ㅂ" * 3 + "ㄴ" * 2 + "ㄹ" * 4 + "ㅁ",
    )
)
_TENSE = dict(zip("ㄱㄷㅂㅅㅈ", "ㄲㄸㅃㅆㅉ"))
_ASPIRATED = dict(zip("ㄱㄷㅂㅈ", "ㅋㅌㅍㅊ"))
_AFTER_H = dict(zip("ㄱㄷㅈㅅ", "ㅋㅌㅊㅆ"))
_NASAL = dict(zip("ㄱㄷㅂ", "ㅇㄴㅁ"))

# Nouns in ㄺ, which keep no ㄹ before ㄱ as verbs do (11항).
_NOUNS_LG = frozenset("닭흙칡삵슭")

WORDS: dict[str, str] = {w: s for words in tables("hangul").values() for w, s in words.items()}
"""Beginnings of words that no rule tells, as they are pronounced; a last coda stays as written."""

_LISTED = re.compile("|".join(sorted(WORDS, key=lambda word: (-len(word), word))))


def decompose(syllable: str) -> Jamo | None:
    """Onset, vowel and coda of a Hangul syllable; None for anything else."""
    number = ord(syllable) - _FIRST
    if not 0 <= number < len(ONSETS) * len(VOWELS) * len(CODAS):
        return None
    rest, coda = divmod(number, len(CODAS))
    onset, vowel = divmod(rest, len(VOWELS))
    return ONSETS[onset], VOWELS[vowel], CODAS[coda]


def compose(onset: str, vowel: str, coda: str = "") -> str:
    """The Hangul syllable of an onset, a vowel and a coda."""
    number = (ONSETS.index(onset) * len(VOWELS) + VOWELS.index(vowel)) * len(CODAS) + CODAS.index(coda)
    return chr(_FIRST + number)


def pronounce(word: str) -> str:
    """A word in Hangul as it is spoken, one syllable for each.

    꽃이 gives 꼬치, 국물 궁물. Every coda of the result is one of ㄱㄴㄷㄹㅁㅂㅇ.
    """
    spelt = _LISTED.sub(_listed, word)
    syllables = [list(parts) for c in spelt if (parts := decompose(c))]
    for i, following in enumerate(spelt[1:]):
        if following == "없":  # 15항: a word of its own meaning, 끝없이 is 끄덥씨
            syllables[i][2] = _NEUTRAL.get(syllables[i][2], syllables[i][2])
    for i, (current, following) in enumerate(zip(syllables, syllables[1:])):
        current[2], following[0] = _meet(current[2], following, word[i])
    if syllables:
        syllables[-1][2] = _NEUTRAL.get(syllables[-1][2], syllables[-1][2])
    return "".join(compose(onset, _vowel(onset, vowel), coda) for onset, vowel, coda in syllables)


def _listed(match: re.Match[str]) -> str:
    """What the list says of the beginning of a word."""
    written = match.group(0)
    spoken = WORDS[written]
    last, said = decompose(written[-1]), decompose(spoken[-1])
    if last and said:
        # What follows the entry meets the coda as it is written: 꽃잎이 is 꼰니피.
        return spoken[:-1] + compose(said[0], said[1], last[2])
    return spoken


def _vowel(onset: str, vowel: str) -> str:
    """5항: 져 쪄 쳐 as 저 쩌 처, ㅢ after a consonant as ㅣ, ㅖ after one but ㄹ as ㅔ."""
    silent = {"ㅕ": onset in "ㅈㅉㅊ", "ㅢ": onset != "ㅇ", "ㅖ": onset not in "ㅇㄹ"}
    return {"ㅕ": "ㅓ", "ㅢ": "ㅣ", "ㅖ": "ㅔ"}[vowel] if silent.get(vowel) else vowel


def _meet(coda: str, following: list[str], written: str) -> tuple[str, str]:
    """The coda of a syllable and the onset of the next one as they sound together."""
    onset, vowel, _ = following
    if not coda:
        return coda, onset
    if onset == "ㅇ":
        return _before_vowel(coda, vowel)
    if coda in "ㅎㄶㅀ":  # 12항
        if onset in _AFTER_H:
            return _PAIRS.get(coda, ("", ""))[0], _AFTER_H[onset]
        if onset == "ㄴ" and coda == "ㅎ":
            return "ㄴ", onset
    if onset == "ㅎ" and (aspirate := _to_aspirate(coda)):
        # 17항 붙임: 굳히다 is 구치다, 닫혔다 다첟따; but 맏형 is 마텽.
        suffix = vowel == "ㅣ" or (vowel == "ㅕ" and following[2] in ("", "ㅆ"))
        return aspirate[0], "ㅊ" if suffix and coda in "ㄷㅈㄵㅌㄾ" else aspirate[1]
    if coda == "ㄺ" and onset == "ㄱ" and written not in _NOUNS_LG:
        return "ㄹ", "ㄲ"  # 11항: 맑게 is 말께
    if written == "밟":
        coda = "ㅂ"  # 10항
    sound = _NEUTRAL.get(coda, coda)
    # 23항 after obstruents; 24, 25항 after the stems in ㄵ ㄻ ㄼ ㄾ, which but for a few are verbs,
    # though not before the ending of 옮기다 and 굶기다.
    stem = coda in "ㄵㄻㄼㄾ" and written not in "삶덟" and (coda, *following) != ("ㄻ", "ㄱ", "ㅣ", "")
    if onset in _TENSE and (sound in "ㄱㄷㅂ" or stem):
        onset = _TENSE[onset]
    if onset == "ㄹ" and sound in "ㄱㅂㅁㅇ":
        onset = "ㄴ"  # 19항
    if onset in "ㄴㅁ":
        sound = _NASAL.get(sound, sound)  # 18항
    if {sound, onset} == {"ㄴ", "ㄹ"}:
        return "ㄹ", "ㄹ"  # 20항
    return sound, onset


def _before_vowel(coda: str, vowel: str) -> tuple[str, str]:
    """What is left of a coda, and the onset it becomes, before a vowel (13, 14, 17항)."""
    if coda == "ㅇ":
        return "ㅇ", "ㅇ"
    if coda in "ㅎㄶㅀ":  # 12항: ㅎ falls silent
        return "", _PAIRS.get(coda, "ㅇ")[0]
    left, moved = _PAIRS.get(coda, ("", coda))
    if vowel in "ㅣㅕ" and moved in "ㄷㅌ":
        return left, "ㅈ" if moved == "ㄷ" else "ㅊ"
    if left and moved == "ㅅ":
        return left, "ㅆ"
    return left, moved


def _to_aspirate(coda: str) -> tuple[str, str] | None:
    """What is left of a coda, and the aspirate it makes with ㅎ (12항 붙임)."""
    left, last = _PAIRS.get(coda, ("", coda))
    if last in "ㅅㅊㅌㅆ" and not left:
        last = "ㄷ"
    return (left, _ASPIRATED[last]) if last in _ASPIRATED else None
