"""A voice: three or four checkpoints in the folder of a finished acoustic model, or packed in one file.

The packed file, ``voice.nnsvs``, is a zip archive without compression of ``manifest.json`` (corpus,
languages, singers, rates, and size and SHA-256 of every other file), ``models/FAMILY.pt`` (checkpoints
as training wrote them) and ``LICENCE.txt``; perhaps of graphs that sing without torch
(:mod:`nnsvs_lite.models.onnxvoice`). Nothing in it is run; the same voice gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnsvs_lite import __version__
from nnsvs_lite.io.atomic import (
    check_regular,
    check_stored,
    read_json,
    read_text,
    write_bytes,
    write_json,
    write_zip,
)
from nnsvs_lite.io.errors import DataError, printable
from nnsvs_lite.io.settings import Settings
from nnsvs_lite.io.tables import read_table

if TYPE_CHECKING:
    import torch

    from nnsvs_lite.models.base import SvsModel

FILES = {"timelag": "timelag.pt", "duration": "duration.pt", "acoustic": "model.pt"}
"""Of each family, its checkpoint in the folder of a voice."""
OPTIONAL = {"vocoder": "vocoder.pt"}
"""Those that a voice may do without."""

FORMAT = "nnsvs_lite voice"
VERSION, WITH_GRAPHS = 2, 3
"""Of the format; of voices with graphs."""
SUFFIX = ".nnsvs"
MANIFEST = "manifest.json"
LICENCE = "LICENCE.txt"
GRAPHS = "graphs/"
FACTS = f"{GRAPHS}graphs.json"
"""What a packed voice says of its graphs."""
LICENCE_NAMES = ("LICENSE", "LICENCE", "LICENSE.txt", "LICENCE.txt", "COPYING")
MAX_SIZE, MAX_TEXT = 1 << 31, 1 << 20
"""Bytes of a packed voice; of its manifest, and of the licence."""


def assemble(folder: str | os.PathLike, **sources: Path | tuple[str, bytes]) -> list[Path]:
    """Copies checkpoints, given by family, into an acoustic exp dir, which then sings on its own.

    They are files of exp dirs, or a name and what such a file would hold.

    A voice keeps to the models it first sang with, whose exp dirs ``voice.json`` names: singing with others
    leaves it as it is, training its own anew does not.

    Returns the copies.
    """
    record, written = Path(folder) / "voice.json", []
    given = {
        family: source if isinstance(source, tuple) else (source.resolve().parent.name, source.read_bytes())
        for family, source in sources.items()
    }
    names = {family: name for family, (name, _) in given.items()}
    voice: dict[str, str] = {}
    if record.exists():
        voice = Settings({}, os.fspath(record)).convert(dict[str, str], read_json(record), ("voice",))
    if names.keys() - voice:
        voice = names | voice
        write_json(record, voice)
    for family, (_, data) in given.items():
        target = Path(folder) / (FILES | OPTIONAL)[family]
        if voice[family] != names[family] and target.exists():
            print(f"{folder} as a voice keeps its {family} model, {voice[family]}")
            continue
        if not target.exists() or target.read_bytes() != data:
            write_bytes(target, data)
        written.append(target)
    return written


def find_voice(folder: str | os.PathLike) -> dict[str, Path]:
    """The checkpoint of each family in an exp dir, and of a vocoder if it has one.

    Raises DataError where it is no folder of a finished recipe, saying what is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("no such folder; a voice is the exp dir of an acoustic model", folder)
    for family, name in FILES.items():
        if not (folder / name).is_file():
            raise DataError(f"no {name}, the {family} model; run the recipe to stage 5", folder)
    more = {family: name for family, name in OPTIONAL.items() if (folder / name).is_file()}
    return {family: folder / name for family, name in (FILES | more).items()}


def load_voice(
    path: str | os.PathLike, device: torch.device | str, trust_code: bool = False, vocoder: bool = True
) -> dict[str, SvsModel]:
    """The models of an exp dir or a packed voice by family, for inference; its ``vocoder`` only if wanted.

    Raises DataError where it is neither, or as :func:`nnsvs_lite.models.checkpoint.load_model`.
    """
    from nnsvs_lite.models.checkpoint import load_model

    if Path(path).is_file():
        pack = Pack.read(path)
        models = {f: load_model(f"{path}/{f}", f, pack.checkpoint(f), trust_code) for f in pack.families}
        said = pack.manifest
        if _manifest(models, said["corpus"], said["files"], said["made_with"]) != said:
            raise DataError("damaged: its manifest is of other models", path)
    else:
        wanted = {f: p for f, p in find_voice(path).items() if f != "vocoder" or vocoder}
        models = {f: load_model(p, f, trust_code=trust_code) for f, p in wanted.items()}
    for family, model in models.items():
        model.check_fits(models["acoustic"].spec, f"{path}/{family}")
    return {family: model.to(device) for family, model in models.items()}


def has_graphs(path: str | os.PathLike) -> bool:
    """Whether a file is a packed voice that says it has graphs."""
    try:
        if not Path(path).is_file():
            return False
        with zipfile.ZipFile(path) as archive:
            return FACTS in archive.namelist()
    except Exception:
        # Damaged bytes can make a reader of zip files raise anything; who reads the voice will say so.
        return False


@dataclass(frozen=True)
class Pack:
    """A packed voice that was read and found whole: what it says of itself, and contents by name."""

    path: Path
    manifest: dict[str, Any]
    files: dict[str, bytes]

    @staticmethod
    def read(path: str | os.PathLike) -> Pack:
        """Reads and checks a packed voice.

        Raises DataError where it is something else, damaged, cut short, too large, or of a newer version.
        """
        path = Path(path)
        check_regular(path)
        try:
            size = path.stat().st_size
            if size > MAX_SIZE:
                raise DataError(f"{size} bytes are too many for a packed voice", path)
            with path.open("rb") as file:
                if file.read(4) != b"PK\x03\x04":
                    raise DataError("not a packed voice; 'nnsvs-lite pack' makes one of an exp dir", path)
            with zipfile.ZipFile(path) as archive:
                pack = Pack(path, *_contents(archive, size, path))
            # What a manifest lacks, or has of another kind, comes to light as it is used.
            pack.describe()
            for family in pack.families:
                pack.checkpoint(family)
            return pack
        except DataError:
            raise
        except FileNotFoundError:
            raise DataError("no such file", path) from None
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", path) from None
        except Exception as error:
            # Damaged bytes can make a reader of zip files raise anything.
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise DataError(f"damaged or cut short: {reason}", path) from None

    @property
    def families(self) -> list[str]:
        """Of its models: those of every voice, and perhaps a vocoder."""
        return [*FILES, *(family for family in OPTIONAL if family in self.manifest["models"])]

    def checkpoint(self, family: str) -> io.BytesIO:
        """The checkpoint of a model."""
        return io.BytesIO(self.files[self.manifest["models"][family]["file"]])

    @property
    def licence(self) -> str:
        """The terms of the corpus."""
        return self.files.get(LICENCE, b"").decode("utf-8", "replace")

    @property
    def limits(self) -> list[str]:
        """What the terms of its corpora say of commercial use, a line each."""
        return limits(self.licence)

    def describe(self) -> str:
        """What is inside, a line each, for people."""
        m = self.manifest
        rows = {"corpus": m["corpus"], "languages": ", ".join(m["languages"])}
        rows["singers"] = ", ".join(m["singers"]) or "one, without a name"
        rows["sampling rate"] = f"{m['sample_rate']} Hz"
        for family, entry in m["models"].items():
            size = len(self.files[entry["file"]]) / 1e6
            rows[f"{family} model"] = f"{entry['class']}, {entry['parameters']} weights, {size:.1f} MB"
        rows |= {"made with": f"nnsvs_lite {m['made_with']}", "licence": ""}
        if graphs := sum(len(data) for name, data in self.files.items() if name.startswith(GRAPHS)):
            rows["sung without torch"] = f"yes, by graphs for onnxruntime, {graphs / 1e6:.1f} MB"
        lines = [f"{name:<{max(map(len, rows))}}  {value}" for name, value in rows.items()]
        lines += [f"  {line.expandtabs()}" for line in self.licence.strip().splitlines()]
        return "\n".join(printable(line.rstrip()) for line in lines)


def limits(licence: str) -> list[str]:
    """The lines of a corpus' notice that say whether commercial use is allowed, each once."""
    lines = (printable(line.strip()) for line in licence.splitlines())
    return list(dict.fromkeys(line for line in lines if line.lower().startswith("commercial use:")))


def terms_of(voice: str | os.PathLike, singers: set[str]) -> str:
    """The terms of a voice of these singers, packed or an exp dir; empty where none are found."""
    if Path(voice).is_file():
        return Pack.read(voice).licence
    recipe = next((p for p in list(Path(voice).resolve().parents)[:4] if (p / "run.sh").is_file()), None)
    try:
        return read_text(_licence_of(recipe, Path(voice), singers), MAX_TEXT)
    except DataError:
        return ""


def _contents(archive: zipfile.ZipFile, size: int, path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest, and the files that it lists, which are as it says."""
    check_stored(archive, size, path)
    manifest: Any = {}
    if MANIFEST in archive.namelist():
        if archive.getinfo(MANIFEST).file_size > MAX_TEXT:
            raise DataError("its manifest is too large", path)
        manifest = json.loads(archive.read(MANIFEST).decode("utf-8"))
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DataError("a zip file, but not a packed voice", path)
    made = manifest.get("version")
    if made not in (VERSION, WITH_GRAPHS):
        remedy = "train and pack it again" if made in range(VERSION) else "update nnsvs_lite"
        raise DataError(
            f"has version {made!r} of the format, this nnsvs_lite reads {WITH_GRAPHS}; {remedy}", path
        )
    files = {}
    for name, entry in manifest["files"].items():
        if name not in archive.namelist():
            raise DataError(f"damaged: {name} is missing", path)
        files[name] = archive.read(name)
        if hashlib.sha256(files[name]).hexdigest() != entry["sha256"]:
            raise DataError(f"damaged: {name} is not what was packed", path)
    return manifest, files


def _manifest(
    models: dict[str, SvsModel], corpus: str, files: dict[str, Any], made_with: str = __version__
) -> dict[str, Any]:
    """What a pack of these models says of itself; ``files``: of each name, size and SHA-256."""
    spec = models["acoustic"].spec
    return {
        "format": FORMAT,
        "version": WITH_GRAPHS if any(name.startswith(GRAPHS) for name in files) else VERSION,
        "made_with": made_with,
        "corpus": corpus,
        "languages": spec.codes,
        "singers": list(spec.speakers),
        "sample_rate": spec.sample_rate,
        "models": {
            family: {
                "file": f"models/{family}.pt",
                "class": type(model).__name__,
                "parameters": sum(p.numel() for p in model.parameters()),
            }
            for family, model in models.items()
        },
        "files": files,
    }


def pack(
    exp: str | os.PathLike,
    out: str | os.PathLike,
    licence: str | os.PathLike | None = None,
    corpus: str | None = None,
    vocoder: str | os.PathLike | None = None,
    trust_code: bool = False,
    graphs: Callable[[Mapping[str, SvsModel], Mapping[str, bytes]], dict[str, bytes]] | None = None,
) -> Pack:
    """Packs the exp dir of a finished recipe's acoustic model into one file, or packs a voice anew.

    Args:
        out: the file to write, ``*.nnsvs``.
        licence: a text file with the terms of the corpus; if not given, ``LICENSE`` in a
            data dir of these singers, or in the folder of the recipe that ``exp`` lies in; or the voice's.
        corpus: its name; if not given, that of the recipe, or voice.
        vocoder: checkpoint or exp dir of a trained vocoder, or the name of one that learns nothing, to go
            with it; its own if not given.
        graphs: makes graphs, if any, of the models and their checkpoints by family; those of a voice that
            is packed anew stay, unless its vocoder is another.

    Raises DataError where a model is missing or damaged, the models do not belong together, or licence or
    corpus are not known.
    """
    from nnsvs_lite.models.checkpoint import load_model, model_bytes
    from nnsvs_lite.models.config import vocoder_by_name

    if Path(out).suffix != SUFFIX:
        raise DataError(f"a packed voice is named *{SUFFIX}", out)
    packed = Pack.read(exp) if Path(exp).is_file() else None
    voice = {} if packed else find_voice(exp)
    named = None if vocoder is None else vocoder_by_name(vocoder)
    if named is not None:
        voice.pop("vocoder", None)
    elif vocoder is not None:
        voice["vocoder"] = Path(vocoder) / "model.pt" if Path(vocoder).is_dir() else Path(vocoder)
    models = {family: load_model(path, family, trust_code=trust_code) for family, path in voice.items()}
    checkpoints = {family: path.read_bytes() for family, path in voice.items()}
    if packed:
        own = {family: packed.checkpoint(family).getvalue() for family in packed.families}
        checkpoints = own | checkpoints
        models = load_voice(exp, "cpu", trust_code) | models
        licence_text, corpus = packed.licence, corpus or packed.manifest["corpus"]
    spec = models["acoustic"].spec
    if named is not None:
        models["vocoder"] = named.build(spec)
        checkpoints["vocoder"] = model_bytes(models["vocoder"], named)
    for family, model in models.items():
        model.check_fits(spec, voice.get(family, vocoder or exp))
    recipe = next((p for p in list(Path(exp).resolve().parents)[:4] if (p / "run.sh").is_file()), None)
    if recipe and not corpus:
        # ``demo`` of ``egs/demo/svs1``.
        corpus = recipe.parent.name if recipe.name.startswith("svs") else recipe.name
    if not corpus:
        raise DataError("lies in no recipe that tells the corpus; give --corpus NAME", exp)
    terms = Path(exp)
    if licence or not packed:
        terms = Path(licence) if licence else _licence_of(recipe, Path(exp), set(spec.speakers))
        licence_text = read_text(terms, MAX_TEXT)
    files = {f"models/{family}.pt": data for family, data in checkpoints.items()}
    files[LICENCE] = licence_text.encode()
    if not files[LICENCE].strip():
        raise DataError(f"a licence has 1 to {MAX_TEXT} bytes of text, this one has none", terms)
    if graphs is not None:
        files |= graphs(models, checkpoints)
    elif packed and vocoder is None:
        files |= {name: data for name, data in packed.files.items() if name.startswith(GRAPHS)}
    sums = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    }
    manifest = _manifest(models, corpus, sums)
    text = json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n"
    write_zip(out, [(MANIFEST, text), *files.items()])
    return Pack(Path(out), manifest, files)


def _licence_of(recipe: Path | None, exp: Path, singers: set[str]) -> Path:
    """The licence beside the model, in a data dir with recordings of all its singers, or of the recipe."""
    places = [exp]
    if recipe is not None:
        # A voice of several corpora needs the terms of each: one corpus' own do not do.
        sets = (place for place in sorted(recipe.glob("data/*")) if (place / "utt2spk").is_file())
        places += [place for place in sets if singers <= set(read_table(place / "utt2spk").values())]
        places += [recipe, recipe.parent]
    for place in places:
        for name in LICENCE_NAMES:
            if (place / name).is_file():
                if (place / name).resolve().parent != place.resolve():
                    raise DataError("is a link out of its folder; name the text by --licence", place / name)
                return place / name
    raise DataError("no licence of the corpus is found beside it; give its text with --licence FILE", exp)
