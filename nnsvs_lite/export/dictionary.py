"""What OpenUtau's phonemizers are told of a language: kinds of phones, and lyrics as phones."""

from __future__ import annotations

from nnsvs_lite.export.graphs import SPECIAL
from nnsvs_lite.features.spec import PhoneSet, Spec
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.languages.base import LyricError, tables
from nnsvs_lite.studio.examples import new_lyric

PHONEMIZERS = {"ja": "DiffSingerJapanesePhonemizer", "zh": "DiffSingerChinesePhonemizer"}
"""Classes of OpenUtau by language; others take lyrics as they stand in the dictionary."""
_KINDS = {
    "vowel": "vowel",
    "glide": "semivowel",
    "liquid": "liquid",
    "nasal": "nasal",
    "affricate": "affricate",
    "fricative": "fricative",
}


def phonemizer(code: str) -> str:
    """The class that reads lyrics of a language."""
    return f"OpenUtau.Core.DiffSinger.{PHONEMIZERS.get(code, 'DiffSingerPhonemizer')}"


def symbols(spec: Spec) -> list[dict[str, str]]:
    """Each phoneme's kind. Vowels are what a note begins with; so are silences, and what can be held."""
    phones = spec.languages[0]
    rows = [{"symbol": name, "type": "vowel"} for name in SPECIAL.values()]
    for phone in phones.phones:
        features = phone.features.split()
        kind = next((kind for name, kind in _KINDS.items() if name in features), "stop")
        held = phone.symbol in phones.language.nuclei
        rows.append({"symbol": phone.symbol, "type": "vowel" if held else kind})
    return rows


def entries(spec: Spec) -> list[dict]:
    """Lyrics of one note and their phones, in the first language, and silences."""
    words = {name: [name] for name in SPECIAL.values()} | words_of(spec.languages[0])
    return [{"grapheme": word, "phonemes": read} for word, read in sorted(words.items())]


def words_of(phones: PhoneSet) -> dict[str, list[str]]:
    """Lyrics of one note and their phones: each phone of a language, and what it lists."""
    known = {phone.symbol for phone in phones.phones}
    words = {name: [name] for name in known}
    for lyric in _lyrics(phones.code):
        try:
            units = get_language(phones.code).units(lyric)
        except LyricError:
            continue
        read = [phone for unit in units for phone in unit]
        if known.issuperset(read):
            words[lyric] = read
    return dict(sorted(words.items()))


def _lyrics(code: str) -> list[str]:
    """Lyrics of one syllable that a language's tables list; of others one to begin with."""
    if code == "ja":
        found = tables("ja")
        kana = list(found["kana"])
        shift = {chr(a): chr(a + 0x60) for a in range(ord("ぁ"), ord("ヶ") - 0x60 + 1)}
        return [*kana, *("".join(shift.get(c, c) for c in mora) for mora in kana), *found["romaji"]]
    if code == "zh":
        return [a + b for a, finals in tables("zh")["syllables"].items() for b in finals.split()]
    if code == "ko":
        return list(map(chr, range(0xAC00, 0xD7A4)))
    return [new_lyric(code)]
