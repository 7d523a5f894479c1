"""Damaged scores for fuzzing: small valid files of every format, changed by chance where it hurts."""

import functools
import io
import json
import random
import re
import zipfile
from xml.etree import ElementTree

import scorefiles
from scorefiles import Tune, tune

LYRICS = {
    "ja": "は る が - きっ た きゃ 春 ha ー ん",
    "en": "hel- lo world - my love fire beau- ti- ful the",
    "zh": "你 好 - 春 天 lü3 shi4 ni3 - 行 吗",
    "ko": "사 랑 - 해 요 값 이 좋 다 한 국",
    "de": "Lie- be - schö- ne Nacht ich lie- be dich",
    "it": "a- mo- re - mio bel- la gio- ia",
    "es": "co- ra- zón - cie- lo llu- via ni- ño",
    "fr": "a- mour - toi mon cœur en- chan- té",
}
"""Syllables to sing in each language."""

NASTY_NUMBERS = (
    "0", "-1", "1", "2", "127", "128", "-0.0", "0.1", "1e9", "1e308", "-1e308", "1e-308", "NaN", "nan", "inf",
    "-Infinity", "4294967296", "9223372036854775808", "99999999999999999999999999", "0x10", "1_000", "١", "½",
    "", "true", "null", "9" * 5000, "1/0", "1.5.2", "480", "1920", "705600000",
)  # fmt: skip

NASTY_TEXTS = (
    "", " ", "-", "+", "+~", "br", "R", "a k", "- か", "か゛", "ー", "\u3000",
    "\u200b", "\u0301", "\u202e", "\x00",
    "\x1b[31m", "👩‍🎤", "𠮟", "ｶﾞ", "か" * 300, "a" * 100_000, "春" * 500, "'", "''", "-'-", "%s", "{}",
    "no", "~", "1", "²", "٣", "か\nき", "\ud800", "\ufffe", "&amp;", "<lyric>", "]]>", "hello[hh ax", "SP",
    "cl", "ん", "っ", "ゎ", "ㄱ", "값", "ㅏㅏ", "lü9", "qqq", "þ", "ß", "İ", "ﬁ", "don't", "x" * 60, "ё",
    "مرحبا", "AP", "../..",
)  # fmt: skip


def song(rng: random.Random, lang: str) -> Tune:
    """A tune of a few notes in a language; every bar of four quarters is full."""
    syllables = LYRICS[lang].split()
    items = []
    for _ in range(rng.randint(1, 3)):
        for length in rng.choice(("1 1 1 1", "2 2", "1/2 1/2 1 2", "4", "1 2 1", "3 1/2 1/2")).split():
            lyric = rng.choice(syllables)
            items.append(f"r {length}" if rng.random() < 0.2 else f"{rng.randint(50, 80)} {length} {lyric}")
    items[0] = f"60 {items[0].split()[1]} {syllables[0]}"
    items[-1] = f"62 {items[-1].split()[1]} {syllables[0]}"
    tempi = [(0, 100.0)] + ([(4, 141.7)] if rng.random() < 0.3 else [])
    return tune(", ".join(items), tempi)


@functools.cache
def full_label() -> bytes:
    """A full-context label with made-up times, by the demo singer's writer."""
    from nnsvs_lite.score.phonemize import attach_phones
    from nnsvs_lite.score.types import Note, Score
    from nnsvs_lite.virtual.labels import SINGING, full_context

    lyrics = ["", "は", "る", "が", "", "きっ", "た"]
    notes = [
        Note(
            i * 0.5, (i + 1) * 0.5, 60 + i if lyric else 0, lyric, tempo=120.0, measure=1 + i // 4, beat=i % 4
        )
        for i, lyric in enumerate(lyrics)
    ]
    lines = full_context(attach_phones(Score(tuple(notes))), SINGING)
    return "\n".join(f"{i * 2500000} {(i + 1) * 2500000} {line}" for i, line in enumerate(lines)).encode()


def ds(lang: str = "ja") -> bytes:
    """A DiffSinger file of two segments."""
    first = {
        "offset": 0.5,
        "text": "SP は る が SP",
        "ph_seq": "SP h a r u g a SP",
        "ph_num": "2 2 2 1 1",
        "note_seq": "rest C4 C#4/Db4 D4+12 E4 rest",
        "note_dur": "0.3 0.5 0.5 0.5 0.25 0.2",
        "note_slur": "0 0 0 0 1 0",
        "ph_dur": "0.2 0.1 0.4 0.1 0.4 0.1 0.65 0.2",
    }
    second = {
        "offset": 3.0,
        "text": "AP き SP",
        "ph_seq": "AP k i SP",
        "note_seq": "rest C4 C4 rest",
        "note_dur_seq": "0.3 0.5 0.5 0.2",
        "is_slur_seq": "0 0 0 0",
    }
    return json.dumps([first, second], ensure_ascii=False).encode()


def make_seed(form: str, rng: random.Random, lang: str) -> tuple[str, bytes]:
    """A valid file's suffix and bytes."""
    if form == "lab":
        return ".lab", full_label()
    if form == "ds":
        return ".ds", ds()
    piece = song(rng, lang)
    if form == "vpr":
        return ".vpr", zipped("Project/sequence.json", json.dumps(scorefiles.vpr_json(piece)).encode())
    if form == "mxl":
        return ".mxl", zipped("score.xml", scorefiles.musicxml(piece))
    suffix, write = {
        "musicxml": (".musicxml", scorefiles.musicxml),
        "midi": (".mid", scorefiles.midi),
        "karaoke": (".kar", functools.partial(scorefiles.midi, text=1)),
        "ust": (".ust", functools.partial(scorefiles.ust, encoding="utf-8")),
        "ustx": (".ustx", scorefiles.ustx),
        "svp": (".svp", scorefiles.svp),
        "vsq3": (".vsqx", functools.partial(scorefiles.vsqx, version=3)),
        "vsq4": (".vsqx", scorefiles.vsqx),
    }[form]
    return suffix, write(piece)


FORMS = (
    "musicxml", "mxl", "midi", "karaoke", "ust", "ustx", "svp", "vsq3", "vsq4", "vpr", "ds", "lab",
)  # fmt: skip


def zipped(name: str, data: bytes) -> bytes:
    """A zip of one member."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return target.getvalue()


def damaged(
    rng: random.Random, form: str | None = None, lang: str | None = None
) -> tuple[str, str, str, bytes]:
    """One damaged file: form, language, suffix and bytes."""
    form = form or rng.choice(FORMS)
    lang = lang or rng.choice(("ja", "ja", "ja", *LYRICS))
    if rng.random() < 0.03:
        suffix, _ = make_seed(form, rng, "ja")
        return form, lang, suffix, rng.randbytes(rng.choice((1, 3, 14, 100, 2000)))
    suffix, data = make_seed(form, rng, lang)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        if len(data) < 300_000:
            data = _change(rng, form, data)
    return form, lang, suffix, data


def _change(rng: random.Random, form: str, data: bytes) -> bytes:
    """One change: to the structure if the form's reader can still see it, else to bytes."""
    kind = rng.random()
    try:
        if form in ("vpr", "mxl") and kind < 0.85:
            name = "Project/sequence.json" if form == "vpr" else "score.xml"
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                inner = archive.read(archive.namelist()[0])
            if len(inner) > 300_000:
                return data
            return zipped(name, _change(rng, "svp" if form == "vpr" else "musicxml", inner))
        if kind < 0.5:
            if form in ("svp", "ds"):
                return _change_json(rng, data)
            if form in ("musicxml", "vsq3", "vsq4"):
                return _change_xml(rng, data)
            if form in ("midi", "karaoke"):
                return _change_midi(rng, data)
            return _change_lines(rng, data)
        if kind < 0.8 and form not in ("midi", "karaoke", "vpr", "mxl"):
            return _change_words(rng, data)
    except Exception:
        pass  # An earlier change has left nothing of that structure: parsers fail in many ways.
    return _change_bytes(rng, data)


def _change_bytes(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    end = min(len(data), at + rng.choice((1, 1, 2, 4, 50)))
    kind = rng.randrange(5)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:at] + rng.randbytes(rng.choice((1, 2, 8))) + data[at:]
    if kind == 3:
        return data[:at] + data[at:end] * rng.choice((2, 3, 100)) + data[end:]
    return data[:at] + bytes(b ^ 1 << rng.randrange(8) for b in data[at:end]) + data[end:]


def _change_words(rng: random.Random, data: bytes) -> bytes:
    """A number or word of a text becomes a nasty one, or another of the text."""
    pieces = re.split(r"(-?\d+(?:\.\d+)?|\w+)", data.decode("utf-8", "replace"))
    places = list(range(1, len(pieces), 2))
    at = rng.choice(places)
    numeric = pieces[at].lstrip("-")[:1].isdigit()
    pool = NASTY_NUMBERS if numeric and rng.random() < 0.8 else NASTY_TEXTS
    pieces[at] = rng.choice(pool) if rng.random() < 0.7 else pieces[rng.choice(places)]
    return "".join(pieces).encode("utf-8", "replace")


def _change_lines(rng: random.Random, data: bytes) -> bytes:
    """Lines go, double, change places, or take another indentation."""
    lines = data.decode("utf-8", "replace").split("\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(6)
    if kind == 0:
        del lines[at : at + rng.choice((1, 1, 5))]
    elif kind == 1:
        lines[at:at] = lines[other : other + rng.choice((1, 5, 20))] * rng.choice((1, 1, 20))
    elif kind == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif kind == 3:
        lines[at] = " " * rng.randrange(8) + lines[at].strip()
    elif kind == 4:
        lines[at] += rng.choice(
            (" &a [1]", " *a", " !!python/object:os.system x", "{", "]", ": :", "\t", "#")
        )
    else:
        key, sign, _ = re.match(r"([^=:]*)([=:]?)(.*)", lines[at]).groups()
        lines[at] = key + sign + " " + rng.choice(NASTY_NUMBERS + NASTY_TEXTS)
    return "\n".join(lines).encode("utf-8", "replace")


def _change_json(rng: random.Random, data: bytes) -> bytes:
    """A value anywhere in the tree goes, doubles, or becomes something else."""
    value = json.loads(data.rstrip(b"\0"))
    nodes: list[tuple] = []
    stack = [value]
    while stack:
        parent = stack.pop()
        keys = parent if isinstance(parent, dict) else range(len(parent))
        for key in keys:
            nodes.append((parent, key))
            if isinstance(parent[key], (dict, list)):
                stack.append(parent[key])
    parent, key = rng.choice(nodes)
    kind = rng.randrange(5)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, list):
        parent[key:key] = [parent[key]] * rng.choice((1, 2, 200))
    elif kind == 2:
        other, name = rng.choice(nodes)
        if isinstance(other, list):
            name = rng.randrange(len(other))
        parent[key] = json.loads(json.dumps(other.get(name) if isinstance(other, dict) else other[name]))
    elif kind == 3:
        number = rng.choice((0, -1, 0.5, 1e9, 1e15, 1e300, -1e300, 10**30, float("nan"), float("inf"), 2**53))
        parent[key] = number
    else:
        parent[key] = rng.choice((None, True, [], {}, [[]], [None], *NASTY_TEXTS))
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _change_xml(rng: random.Random, data: bytes) -> bytes:
    """An element goes, doubles, moves, or takes other text."""
    root = ElementTree.fromstring(data)
    parents = [element for element in root.iter() if len(element)]
    parent = rng.choice(parents)
    at = rng.randrange(len(parent))
    kind = rng.randrange(5)
    if kind == 0:
        del parent[at]
    elif kind == 1:
        parent[at:at] = [parent[at]] * rng.choice((1, 2, 50))
    elif kind == 2:
        other = rng.choice(parents)
        if other not in list(parent[at].iter()):
            other.append(parent[at])
        else:
            parent[at].tag = rng.choice([element.tag for element in root.iter()])
    elif kind == 3:
        leaf = rng.choice([element for element in root.iter() if not len(element)])
        leaf.text = rng.choice(NASTY_NUMBERS + NASTY_TEXTS)
    else:
        element = rng.choice(list(root.iter()))
        key = rng.choice((*element.attrib, "number", "type", "tempo", "id"))
        element.set(key, rng.choice(NASTY_NUMBERS + NASTY_TEXTS))
    return ElementTree.tostring(root, encoding="unicode").encode("utf-8", "replace")


def _change_midi(rng: random.Random, data: bytes) -> bytes:
    """A meta event, a length or a header field becomes another."""
    kind = rng.randrange(4)
    if kind == 0:
        at = rng.choice((8, 9, 10, 11, 12, 13))
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if kind == 1:
        event = scorefiles.meta(
            rng.choice((1, 3, 5, 0x51, 0x58, 0x59, 0x2F)), rng.randbytes(rng.randrange(6))
        )
    elif kind == 2:
        event = scorefiles.meta(rng.choice((1, 5)), rng.choice(NASTY_TEXTS).encode("utf-8", "replace"))
    else:
        event = bytes([rng.choice((0x80, 0x90, 0x91, 0x99, 0xB0, 0xC0, 0xF0, 0xF3)), *rng.randbytes(2)])
    found = [match.start() for match in re.finditer(rb"[\x00-\x7f](?:\xff|\x90|\x80)", data)]
    at = rng.choice(found)
    delta = rng.choice((b"\0", b"\x60", b"\x83\x60", b"\xff\xff\xff\x7f"))
    grown = data[:at] + delta + event + data[at:]
    chunk = grown.rfind(b"MTrk", 0, at)
    size = int.from_bytes(grown[chunk + 4 : chunk + 8], "big") + len(delta) + len(event)
    return grown[: chunk + 4] + size.to_bytes(4, "big") + grown[chunk + 8 :]
