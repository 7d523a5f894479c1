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
        _meet(current, following, word[i])
    if syllables:
        syllables[-1][2] = _NEUTRAL.get(syllables[-1][2], syllables[-1][2])
    for i, syllable in enumerate(syllables):
        syllable[1] = _vowel(syllable[0], syllable[1], i)
    return "".join(compose(*syllable) for syllable in syllables)


def _listed(match: re.Match[str]) -> str:
    """What the list says of the beginning of a word."""
    written = match.group(0)
    spoken = WORDS[written]
    last, said = decompose(written[-1]), decompose(spoken[-1])
    if last and said:
        # What follows the entry meets the coda as it is written: 꽃잎이 is 꼰니피.
        return spoken[:-1] + compose(said[0], said[1], last[2])
    return spoken


def _vowel(onset: str, vowel: str, place: int) -> str:
    """5항: 져 쪄 쳐 as 저 쩌 처, ㅢ after a consonant as ㅣ, ㅖ after one but ㄹ as ㅔ."""
    if onset in "ㅈㅉㅊ" and vowel == "ㅕ":
        return "ㅓ"
    if onset != "ㅇ" and vowel == "ㅢ":
        return "ㅣ"
    if vowel == "ㅖ" and onset not in "ㅇㄹ":
        return "ㅔ"
    return vowel


def _meet(current: list[str], following: list[str], written: str) -> None:
    """Changes the coda of a syllable and the onset of the next one as they sound together."""
    coda, onset, vowel = current[2], following[0], following[1]
    if not coda:
        return
    if onset == "ㅇ":
        current[2], following[0] = _before_vowel(coda, vowel)
        return
    if coda in "ㅎㄶㅀ":  # 12항
        left = {"ㅎ": "", "ㄶ": "ㄴ", "ㅀ": "ㄹ"}[coda]
        if onset in "ㄱㄷㅈ":
            current[2], following[0] = left, _ASPIRATED[onset]
            return
        if onset == "ㅅ":
            current[2], following[0] = left, "ㅆ"
            return
        if onset == "ㄴ" and coda == "ㅎ":
            current[2] = "ㄴ"
            return
    if onset == "ㅎ" and _to_aspirate(coda):
        left, moved = _to_aspirate(coda)
        # 17항 붙임: 굳히다 is 구치다, 닫혔다 다첟따; but 맏형 is 마텽.
        suffix = vowel == "ㅣ" or (vowel == "ㅕ" and following[2] in ("", "ㅆ"))
        current[2], following[0] = left, "ㅊ" if suffix and coda in "ㄷㅈㄵㅌㄾ" else moved
        return
    if coda == "ㄺ" and onset == "ㄱ" and written not in _NOUNS_LG:
        current[2], following[0] = "ㄹ", "ㄲ"  # 11항: 맑게 is 말께
        return
    if written == "밟":
        coda = "ㅂ"  # 10항
    sound = _NEUTRAL.get(coda, coda)
    # 23항 after obstruents; 24, 25항 after the stems in ㄵ ㄻ ㄼ ㄾ, which but for a few are verbs,
    # though not before the ending of 옮기다 and 굶기다.
    stem = (
        coda in "ㄵㄻㄼㄾ" and written not in "삶덟" and not (coda == "ㄻ" and following == ["ㄱ", "ㅣ", ""])
    )
    if onset in _TENSE and (sound in "ㄱㄷㅂ" or stem):
        onset = _TENSE[onset]
    if onset == "ㄹ" and sound in "ㄱㅂㅁㅇ":
        onset = "ㄴ"  # 19항
    if onset in "ㄴㅁ":
        sound = _NASAL.get(sound, sound)  # 18항
    if {sound, onset} == {"ㄴ", "ㄹ"}:
        sound = onset = "ㄹ"  # 20항
    current[2], following[0] = sound, onset


def _before_vowel(coda: str, vowel: str) -> tuple[str, str]:
    """What is left of a coda, and the onset it becomes, before a vowel (13, 14, 17항)."""
    if coda == "ㅇ":
        return "ㅇ", "ㅇ"
    if coda in "ㅎㄶㅀ":  # 12항: ㅎ falls silent
        return ("", "ㅇ") if coda == "ㅎ" else ("", _PAIRS[coda][0])
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
    if last == "ㅈ" or last in _ASPIRATED:
        return left, _ASPIRATED[last]
    return None
