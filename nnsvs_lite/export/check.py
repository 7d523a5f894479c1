"""Says what OpenUtau would say of a DiffSinger bank: names, shapes, types, units, files, phonemes.

Its renderer compares the names of a network's inputs as sets, and stops where one is missing or too many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnsvs_lite.export.banks import Part, find_vocoder, read_numbers, read_yaml
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph, Value

VARIANCES = ("energy", "breathiness", "voicing", "tension")
ANALYSIS = (
    "sample_rate",
    "hop_size",
    "win_size",
    "fft_size",
    "num_mel_bins",
    "mel_fmin",
    "mel_fmax",
    "mel_scale",
)
"""Keys that must be equal in acoustic model and vocoder; logarithms of another base are converted."""
LARGEST_DEPTH = 1000


@dataclass(frozen=True)
class Finding:
    """Something in a bank: the file, what is wrong, and what comes of it in OpenUtau."""

    where: str
    what: str
    then: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.then})" if self.then else "")


def findings(root: Path) -> Iterator[Finding]:
    """The faults of a bank in a folder."""
    yield from _character(root)
    parts: dict[str, Part] = {}
    for name in ("", "dsdur", "dspitch", "dsvariance"):
        if name and not (root / name).is_dir():
            continue
        try:
            parts[name] = Part.read(root, name)
        except DataError as error:
            yield fault(root, error, "the singer is not loaded" if not name else "")
    main = parts.get("")
    if main is None:
        return
    yield from _singers(root, main)
    if not (root / "dsdur").is_dir():
        yield Finding("dsdur", "is missing", "phonemizers that need durations do not work")
    for part in parts.values():
        yield from _phonemes(root, part)
        yield from _embeddings(part)
    yield from _guarded(root, lambda: _acoustic(main))
    yield from _guarded(root, lambda: _vocoder(root, main))
    if part := parts.get("dsdur"):
        yield from _guarded(root, lambda: _duration(part))
    if part := parts.get("dspitch"):
        yield from _guarded(root, lambda: _pitch(part))
    if part := parts.get("dsvariance"):
        yield from _guarded(root, lambda: _variance(part))
    needed = [name for name in VARIANCES if main[f"use_{name}_embed"]]
    if needed and not (root / "dsvariance").is_dir():
        yield Finding("dsvariance", f"is missing, but the acoustic model asks for {', '.join(needed)}")
    elif needed and (part := parts.get("dsvariance")):
        lacking = [name for name in needed if not part[f"predict_{name}"]]
        if lacking:
            yield Finding(
                "dsvariance/dsconfig.yaml", f"predicts no {', '.join(lacking)}, which acoustic asks for"
            )


def _guarded(root: Path, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except DataError as error:
        yield fault(root, error)


def fault(root: Path, error: DataError, then: str = "") -> Finding:
    """What was raised of a file of a bank."""
    where = Path(error.where) if error.where else root
    name = where.relative_to(root).as_posix() if root in where.parents else where.name
    return Finding(name, error.what, then)


def _character(root: Path) -> Iterator[Finding]:
    if not (root / "character.txt").is_file():
        yield Finding("character.txt", "is missing", "OpenUtau finds singers by this file")
    try:
        about = read_yaml(root / "character.yaml")
    except DataError as error:
        yield fault(root, error, "the singer is taken for a classic one")
        return
    if about.get("singer_type") != "diffsinger":
        told = about.get("singer_type")
        yield Finding(
            "character.yaml", f"singer_type is {told!r}, not diffsinger", "it is taken for another kind"
        )
    if str(about.get("text_file_encoding", "")).lower().replace("-", "") not in ("utf8", "shiftjis"):
        yield Finding(
            "character.yaml", "text_file_encoding is not given", "character.txt is read as Shift JIS"
        )


def _singers(root: Path, main: Part) -> Iterator[Finding]:
    try:
        banks = read_yaml(root / "character.yaml").get("subbanks") or []
    except DataError:
        return
    known, banks = main.speakers, banks if isinstance(banks, list) else []
    for bank in banks if known else ():
        suffix = str(bank.get("suffix", "")) if isinstance(bank, dict) else ""
        if suffix not in known:
            listed = ", ".join(known)
            yield Finding("character.yaml", f"the subbank suffix {suffix!r} is none of the speakers {listed}")
    if known and not banks:
        yield Finding("character.yaml", "has no subbanks for the speakers of dsconfig.yaml")


def _phonemes(root: Path, part: Part) -> Iterator[Finding]:
    listed = part.place(str(part["phonemes"]))
    try:
        tokens = part.tokens
    except DataError as error:
        yield fault(root, error, "Failed to load phonemes")
        return
    if "SP" not in tokens:
        yield Finding(listed, "has no SP", "the renderer puts it before and after every phrase")
    if part["use_lang_id"]:
        named = str(part["languages"] or "languages.json")
        try:
            read_numbers(part.file(named))
        except DataError as error:
            yield fault(root, error, "use_lang_id is true: languages cannot be told")
    if not part.name:
        return
    if not list(part.folder.glob("dsdict*.yaml")):
        yield Finding(part.place("dsdict.yaml"), "is missing", "OpenUtau stops with an exception")
        return
    try:
        kinds, words = part.dictionary
    except DataError as error:
        yield fault(root, error)
        return
    used = {phone for phones in words.values() for phone in phones} | set(tokens)
    if lacking := sorted(used - set(kinds)):
        what = f"no symbol row for {', '.join(lacking[:5])}"
        yield Finding(part.place("dsdict.yaml"), what, "OpenUtau stops with an exception where it is sung")
    if unknown := sorted(phone for phones in words.values() for phone in phones if phone not in tokens):
        what = f"phonemes that {listed} lacks: {', '.join(dict.fromkeys(unknown))[:80]}"
        yield Finding(part.place("dsdict.yaml"), what)


def _embeddings(part: Part) -> Iterator[Finding]:
    for name in part.speakers:
        path, size = part.folder / f"{name}.emb", 4 * part["hidden_size"]
        if not path.is_file():
            yield Finding(part.place(path.name), "is missing", "the speaker cannot be sung with")
        elif path.stat().st_size != size:
            what = f"has {path.stat().st_size} bytes, hidden_size {part['hidden_size']} asks for {size}"
            yield Finding(part.place(path.name), what)


def _told(part: Part, key: str) -> tuple[Graph, str]:
    return part.graph(key), part.place(str(part[key]))


def _same_names(
    graph: Graph, where: str, asked: dict[str, Value], outputs: dict[str, int], by_name: bool = True
) -> Iterator[Finding]:
    """Inputs as sets, types, how many dimensions; outputs by name, or only the first."""
    if missing := [name for name in graph.inputs if name not in asked]:
        what = f"asks for {', '.join(missing)}, which OpenUtau does not send with these settings"
        yield Finding(where, what, f"Missing input(s): {', '.join(missing)}")
    if extra := [name for name in asked if name not in graph.inputs]:
        what = f"has no input {', '.join(extra)}, which OpenUtau sends"
        yield Finding(where, what, f"Unexpected input(s): {', '.join(extra)}")
    for name, value in asked.items():
        found = graph.inputs.get(name)
        if found is None:
            continue
        if found.kind != value.kind:
            yield Finding(where, f"input {name} is of {found.kind}, OpenUtau sends {value.kind}")
        # Of one number a rank of 0 takes a shape of [1] too.
        elif len(found.shape) != len(value.shape) and value.shape != (1,):
            yield Finding(where, f"input {name} has {len(found.shape)} dimensions, not {len(value.shape)}")
        elif any(a is not None and b is not None and a != b for a, b in zip(found.shape, value.shape)):
            yield Finding(
                where, f"input {name} has the shape {_shape(found)}, OpenUtau sends {_shape(value)}"
            )
        elif value.shape[1:2] == (None,) and (found.shape[1] or 0) > 1:
            yield Finding(
                where, f"input {name} takes only the length that it was exported with, {_shape(found)}"
            )
    names = list(graph.outputs)
    for i, (name, rank) in enumerate(outputs.items()):
        if by_name and name not in names:
            yield Finding(where, f"has no output {name}; it has {', '.join(names)}")
            continue
        found = graph.outputs[name if by_name else names[i]]
        if found.shape and len(found.shape) != rank:
            yield Finding(where, f"output {name} has {len(found.shape)} dimensions, {rank} are read")


def _shape(value: Value) -> str:
    return "[" + ", ".join("?" if n is None else str(n) for n in value.shape) + "]"


def _whole(*shape: int | None) -> Value:
    return Value("int64", shape)


def _real(*shape: int | None) -> Value:
    return Value("float32", shape)


def _truth(*shape: int | None) -> Value:
    return Value("bool", shape)


def _shared(part: Part) -> dict[str, Value]:
    """What goes in where there are several singers."""
    return {"spk_embed": _real(1, None, part["hidden_size"])} if part.speakers else {}


def _steps(part: Part) -> dict[str, Value]:
    return {"steps" if part["use_continuous_acceleration"] else "speedup": _whole(1)}


def _languages(part: Part) -> dict[str, Value]:
    return {"languages": _whole(1, None)} if part["use_lang_id"] else {}


def _acoustic(main: Part) -> Iterator[Finding]:
    graph, where = _told(main, "acoustic")
    asked = {"tokens": _whole(1, None), "durations": _whole(1, None), "f0": _real(1, None)} | _steps(main)
    asked |= _languages(main) | _shared(main)
    if main["use_variable_depth"]:
        asked["depth"] = _real(1) if main["use_continuous_acceleration"] else _whole(1)
        yield from _depth(main)
    if main["use_key_shift_embed"]:
        asked["gender"] = _real(1, None)
        yield from _key_shift(main)
    if main["use_speed_embed"]:
        asked["velocity"] = _real(1, None)
    asked |= {name: _real(1, None) for name in VARIANCES if main[f"use_{name}_embed"]}
    yield from _same_names(graph, where, asked, {"mel": 3}, by_name=False)
    bins = next(iter(graph.outputs.values())).shape[-1:]
    if bins and bins[0] not in (None, main["num_mel_bins"]):
        yield Finding(where, f"makes {bins[0]} mel bins, dsconfig.yaml says {main['num_mel_bins']}")
    if main["sample_rate"] != 44100:
        what = f"sample_rate is {main['sample_rate']}; what a bank makes is mixed at 44100 Hz, not resampled"
        yield Finding(main.place("dsconfig.yaml"), what, "it sounds at another speed and pitch")
    if not main["vocoder"]:
        yield Finding(main.place("dsconfig.yaml"), "vocoder is empty", "the renderer stops, dsvocoder or not")


def _depth(main: Part) -> Iterator[Finding]:
    depth, where = main["max_depth"], main.place("dsconfig.yaml")
    most = 1 if main["use_continuous_acceleration"] else LARGEST_DEPTH
    if not isinstance(depth, int | float) or not math.isfinite(depth):
        yield Finding(where, f"max_depth is {depth!r}, no number")
    elif main["use_continuous_acceleration"] and 1 < depth <= LARGEST_DEPTH:
        yield Finding(
            where, f"max_depth {depth:g} is in steps; with use_continuous_acceleration it is a share, 0 to 1"
        )
    elif not main["use_continuous_acceleration"] and 0 < depth < 1:
        yield Finding(
            where, f"max_depth {depth:g} is a share; without use_continuous_acceleration it is in steps"
        )
    elif not 0 <= depth <= most:
        what = f"max_depth {depth:g} lies outside 0..{most}"
        yield Finding(where, what if "max_depth" in main.given else "max_depth is not given")


def _key_shift(main: Part) -> Iterator[Finding]:
    shifting: Any = main["augmentation_args"]
    shifting = shifting.get("random_pitch_shifting") if isinstance(shifting, dict) else None
    span = shifting.get("range") if isinstance(shifting, dict) else None
    if not (isinstance(span, list) and len(span) == 2):
        what = "use_key_shift_embed needs augmentation_args.random_pitch_shifting.range"
        yield Finding(main.place("dsconfig.yaml"), what)


def _vocoder(root: Path, main: Part) -> Iterator[Finding]:
    yield from _base(main, main.place("dsconfig.yaml"))
    vocoder = find_vocoder(root)
    if vocoder is None:
        return
    where = vocoder.place("vocoder.yaml")
    yield from _base(vocoder, where)
    for key in ANALYSIS:
        if main[key] != vocoder[key]:
            what = f"{key} is {vocoder[key]}, that of dsconfig.yaml {main[key]}"
            yield Finding(where, what, "Vocoder and acoustic model have different mel settings")
    graph, file = _told(vocoder, "model")
    asked = {"mel": _real(1, None, vocoder["num_mel_bins"]), "f0": _real(1, None)}
    yield from _same_names(graph, file, asked, {"waveform": 2}, by_name=False)


def _base(part: Part, where: str) -> Iterator[Finding]:
    if "mel_base" not in part.given:
        yield Finding(where, "mel_base is not given, so 10 is taken")
    elif str(part["mel_base"]) not in ("10", "e"):
        yield Finding(where, f"mel_base is {part['mel_base']!r}; it is 10 or e")


def _linguistic(part: Part, words: bool) -> Iterator[Finding]:
    graph, where = _told(part, "linguistic")
    asked = {"tokens": _whole(1, None)}
    names = ("word_div", "word_dur") if words else ("ph_dur",)
    asked |= {name: _whole(1, None) for name in names} | _languages(part)
    yield from _same_names(graph, where, asked, {"encoder_out": 3, "x_masks": 2})


def _encoded(part: Part) -> dict[str, Value]:
    return {"encoder_out": _real(1, None, None)}


def _duration(part: Part) -> Iterator[Finding]:
    yield from _linguistic(part, True)
    graph, where = _told(part, "dur")
    asked = _encoded(part) | {"x_masks": _truth(1, None), "ph_midi": _whole(1, None)} | _shared(part)
    yield from _same_names(graph, where, asked, {"ph_dur_pred": 2}, by_name=False)


def _defaults(part: Part, names: tuple[str, ...]) -> Iterator[Finding]:
    """Keys that OpenUtau takes for true where they are not there."""
    for name in names:
        if name not in part.given:
            told = "true" if part[name] else "false"
            yield Finding(part.place("dsconfig.yaml"), f"{name} is not given, so it is taken for {told}")


def _pitch(part: Part) -> Iterator[Finding]:
    yield from _defaults(part, ("predict_dur",))
    yield from _linguistic(part, bool(part["predict_dur"]))
    graph, where = _told(part, "pitch")
    asked = _encoded(part) | {"ph_dur": _whole(1, None), "note_midi": _real(1, None)}
    asked |= {"note_dur": _whole(1, None), "pitch": _real(1, None), "retake": _truth(1, None)} | _steps(part)
    if part["use_expr"]:
        asked["expr"] = _real(1, None)
    if part["use_note_rest"]:
        asked["note_rest"] = _truth(1, None)
    yield from _same_names(graph, where, asked | _shared(part), {"pitch_pred": 2}, by_name=False)


def _variance(part: Part) -> Iterator[Finding]:
    yield from _defaults(part, ("predict_dur", *(f"predict_{name}" for name in VARIANCES)))
    yield from _linguistic(part, bool(part["predict_dur"]))
    graph, where = _told(part, "variance")
    told = [name for name in VARIANCES if part[f"predict_{name}"]]
    asked = _encoded(part) | {"ph_dur": _whole(1, None), "pitch": _real(1, None)}
    asked |= {name: _real(1, None) for name in told}
    asked |= {"retake": _truth(1, None, len(told))} | _steps(part)
    outputs = {f"{name}_pred": 2 for name in told}
    yield from _same_names(graph, where, asked | _shared(part), outputs)
