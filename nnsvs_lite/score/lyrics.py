"""What a lyric stands for besides its text: holds, rests, breaths, voice banks' aliases, verse numbers.

Aliases are those of UTAU's and OpenUtau's Japanese voice banks: the vowel before (``a か``), a glottal stop
(``・あ``), and what tells the bank's recordings apart (``か_C4``, ``か強``, ``か↑``).
"""

import re
from collections.abc import Sequence

from nnsvs_lite.score.languages.base import tables

_TABLES = tables("aliases")

_PUNCTUATION = '、。，．,.!?！？…‥:;：；"“”„«»()（）「」『』'
_HOLDS = frozenset("ー－ｰ-~〜～‐‑‒–—―−_+")

_RESTS = frozenset(_TABLES["rests"] + _TABLES["bank_rests"])
_BREATHS = frozenset(_TABLES["breaths"] + _TABLES["bank_breaths"])


def _any(*names: str) -> str:
    return "|".join(
        re.escape(word) for name in names for word in sorted(_TABLES[name], key=lambda w: -len(w))
    )


_BREATH = re.compile(r"(?:br|\(br\)|\[br\])[_ ]?\d*", re.IGNORECASE)
_PITCH = r"[A-Ga-g][#b♯♭]?-?\d"
_MARK = rf"{_PITCH}|\d+|[#♯♭↑↓→←'’・*.~!?-]+"
_TAIL = rf"(?:[_ ]*(?:{_MARK})|_+(?:[A-Z]{{1,2}}|(?i:{_any('colours')})))*_*"
"""What may follow an alias anywhere; in a bank's own files colours need no underscore."""
_BANK_TAIL = rf"(?:[_\s(（\[【]*(?:{_MARK}|[A-Z]{{1,2}}|(?i:{_any('colours')}))[)）\]】]*)*(?:_[^ぁ-ヺー]*)?"
_HEAD = r"(?:(?:[aiueonN*・_-]|ng) +)?"
_BANK_HEAD = r"(?:(?:[aiueonN]|ng|[ぁ-ん]) +|[*・_-] *)?"
_STOP = "['’‘ʔ・*]"
_KANA = r"[ぁ-ゖァ-ヺｦ-ﾟーゝゞ゛゜\u3099\u309a]"
_MORA = r"[ぁ-ゖァ-ヺ][ゃゅょぁぃぅぇぉゎャュョァィゥェォヮ]?[゛゜\u3099\u309a]?ー?"
_ROMAJI = r"(?:ch|sh|ts|[kgsztdnhbpmyrwfjv]y?)?[aiueo]|N"
_TRANSITION = re.compile(rf"[aiueonN-] (?![aiueoN]$)[bcdfghjklmnpqrstvwxyz']{{1,3}}(?:_?{_PITCH})?")
_RELEASE = re.compile(r"(?:[a-z]{1,3}|[aiueonN]|[ぁ-ん]) [Rr-]")


def _forms(head: str, tail: str, rests: str, breaths: str, kana: str) -> tuple[re.Pattern[str], ...]:
    """Rests, breaths, closures and sung aliases."""
    return (
        re.compile(rf"{head}(?i:{rests}){tail}"),
        re.compile(rf"{head}[(\[<]?(?:{breaths}){tail}[)\]>]?"),
        re.compile(rf"{head}(?:(?i:{_any('closures')})|['’‘ʔ・]){tail}"),
        re.compile(rf"{head}{_STOP}?(?:{kana})"),
    )


_ANYWHERE = _forms(
    _HEAD, _TAIL, _any("rests"), rf"(?i:{_any('breaths')})|息\d+", rf"({_KANA}+){_TAIL}|({_MORA})[A-Z]{{1,2}}"
)
_OF_BANKS = _forms(
    _BANK_HEAD,
    _BANK_TAIL,
    _any("rests", "bank_rests"),
    rf"(?i:{_any('breaths', 'bank_breaths')})+",
    rf"({_KANA}+){_BANK_TAIL}|({_MORA})[A-Za-z]{{3,10}}"
    rf"|((?<= )(?:{_ROMAJI})|(?:{_ROMAJI})(?=_?{_PITCH})){_TAIL}",
)

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}

_COUNT = r"\d{1,2}\.?(?:\s*[-‐‑–—,&/+]?\s*\d{1,2}\.?)*"
_TEXT_FOLLOWS = r"\s*(?:[-‐‑–]\s*)?(?=['’‘\"“„«¿¡「『\s]*[^\W\d_])"
_NUMBER = re.compile(
    rf"\s*(?:[(\[{{<（［〔【〈]\s*{_COUNT}[.)]?\s*[)\]}}>）］〕】〉][.:]?|[(\[]?{_COUNT}\s*[.)．）、:：。]|\d{{1,2}}[-‐‑–]\d{{1,2}}\s"
    rf"|[①-⑳⑴-⒛❶-❿➀-➓]\.?){_TEXT_FOLLOWS}"
)
_BARE_NUMBER = re.compile(r"\d{1,2}(?:\s+(?=[^\W\d_])|(?=[ぁ-ゖァ-ヺ])(?![つツ]))")
_CAPITAL = re.compile(r"\d{1,2}\s*(?=[A-ZÀ-ÖØ-Þ])")

_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")


def without_unseen(text: str) -> str:
    """Text without characters of no width, which come along where lyrics are copied from pages."""
    return _UNSEEN.sub("", text)


def is_continuation(lyric: str) -> bool:
    """Whether a lyric is only a sign for holding on, such as ``ー`` or ``-``, or punctuation."""
    text = set("".join(lyric.split()))
    return bool(text) and text <= _HOLDS | set(_PUNCTUATION)


def is_hold(lyric: str) -> bool:
    """Whether it is a sign for holding on and not punctuation alone."""
    return is_continuation(lyric) and not _HOLDS.isdisjoint(lyric)


def is_next_syllable(lyric: str) -> bool:
    """Whether it is the sign ``+``, which takes the next syllable of the word before it."""
    return lyric.strip(_PUNCTUATION + " ") == "+"


def is_breath(lyric: str) -> bool:
    """Whether a lyric stands for a breath, on a rest or in place of one, in any language."""
    return _BREATH.fullmatch(lyric.strip()) is not None


def without_number(lyric: str, lang: str) -> str:
    """A lyric without a verse number printed before it: ``1.``, ``(2)``, ``[3.]``, ``1-4.``, ``①``, or bare.

    A number that may be sung stays: 2人, 1つ, 4ever.
    """
    text = lyric.translate(_WIDE)
    for pattern in (_NUMBER, _BARE_NUMBER if lang in ("ja", "zh", "ko") else _CAPITAL):
        if found := pattern.match(text):
            return lyric[found.end() :]
    return lyric


def _in_brackets(lyric: str) -> tuple[str, str]:
    """A lyric and what stands in brackets behind it, or alone; "" for nothing."""
    text, _, last = lyric.strip().rpartition("[")
    is_hint = last.find("]") == len(last) - 1 and last[:-1].strip()
    return (text.rstrip(), last[:-1]) if is_hint else (lyric, "")


def split_hint(lyric: str, lang: str) -> tuple[str, list[str]]:
    """A lyric, and the phones behind it, or alone, that say how it is sung: ``か[k a]``, ``[z e]``.

    Behind letters, where it may be text as well (``glori[a]``), a hint names its language: ``oh[en/ow]``.
    """
    text, hint = _in_brackets(lyric)
    if text and "/" not in hint and not (lang == "ja" and hint.isascii()):
        return lyric, []
    return text, [phone.rpartition("/")[2] for phone in hint.split()]


def with_hint(text: str, phones: Sequence[str], lang: str) -> str:
    """A lyric with phones behind it, as :func:`split_hint` reads them; without any, as it is."""
    return f"{text}[{f'{lang}/' if text and lang != 'ja' else ''}{' '.join(phones)}]" if phones else text


def bank_lyric(lyric: str, lang: str) -> str | None:
    """As :func:`clean_alias`, in a bank's own file; a hint is given back as :func:`split_hint` reads it."""
    text, hint = _in_brackets(lyric)
    # Text, colours and pitches may stand in brackets too.
    other = lang == "ja" and (not hint.isascii() or clean_alias(f"か[{hint}]", lang) == "か")
    if not text or not hint or other:
        return clean_alias(lyric, lang)
    alias = clean_alias(text, lang)
    if not alias or alias in ("R", "br") or is_continuation(alias):
        return alias
    return f"{alias}[{hint if split_hint(lyric, lang)[1] else f'{lang}/{hint}'}]"


def clean_alias(lyric: str, lang: str, bank: bool = True) -> str | None:
    """What is sung of a voice bank's alias: か of ``a か``, ``R`` for a rest, ``br``, ``cl`` for a closure.

    None for a mere transition such as ``a k``, which its neighbours sing.

    Aliases other than rests and breaths are those of Japanese. ``bank`` says that it is written for
    a voice bank (UST, USTX); else only what cannot be text is cleaned.
    """
    text = lyric.translate(_WIDE).strip()
    if bank:
        text = text.lstrip("?").strip()
        if text.lower() in _RESTS or _RELEASE.fullmatch(text):
            return "R"
        if text.lower() in _BREATHS or is_breath(text):
            return "br"
        if text.startswith("+") and set(text) <= set("+~*"):
            return "+" if text == "+" else "-"
    if lang != "ja":
        return text if bank else lyric
    rest, breath, closure, alias = _OF_BANKS if bank else _ANYWHERE
    if rest.fullmatch(text):
        return "R"
    if breath.fullmatch(text):
        return "br"
    if closure.fullmatch(text):
        return "cl"
    if _TRANSITION.fullmatch(text):
        return None
    found = alias.fullmatch(text)
    return next(filter(None, found.groups())) if found else text if bank else lyric
