"""A voice: three checkpoints in the folder of a finished acoustic model, or packed in one file.

Decoding puts the time-lag and duration models it used beside the acoustic model, so that the
folder can be copied elsewhere and still sings. The packed file, ``voice.nnsvs``, says too whose
recordings it came from, and may bring a vocoder of its own. It is a zip archive without compression:

- ``manifest.json``: format and version, corpus, languages, singers, rates, and of every
  other file its size and SHA-256;
- ``models/timelag.pt``, ``models/duration.pt``, ``models/acoustic.pt`` and, where the voice has
  one, ``models/vocoder.pt``: checkpoints as training wrote them, each with weights, configuration
  and specification;
- ``LICENCE.txt``: the terms of the corpus.

Nothing in it is run: the manifest is JSON, checkpoints are read as plain tensors, and a
model's class is one of the toolkit's own. The same voice gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnsvs_lite import __version__
from nnsvs_lite.io.atomic import read_json, read_text, write_bytes, write_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import read_table

if TYPE_CHECKING:
    import torch

    from nnsvs_lite.models.base import SvsModel

FILES = {"timelag": "timelag.pt", "duration": "duration.pt", "acoustic": "model.pt"}
"""Of each family, its checkpoint in the folder of a voice."""

FORMAT = "nnsvs_lite voice"
VERSION = 2
SUFFIX = ".nnsvs"
MANIFEST = "manifest.json"
LICENCE = "LICENCE.txt"

MAX_SIZE = 1 << 31
"""Bytes of a packed voice."""

MAX_TEXT = 1 << 20
"""Bytes of the manifest, and of the licence."""

LICENCE_NAMES = ("LICENSE", "LICENCE", "LICENSE.txt", "LICENCE.txt", "COPYING")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def assemble(folder: str | os.PathLike, timelag: Path, duration: Path) -> list[Path]:
    """Copies timing checkpoints into an acoustic exp dir, which then sings on its own; returns the copies.

    A voice keeps to the models it was first decoded with, whose exp dirs ``voice.json`` names: decoding
    with others leaves it as it is, training its own anew does not.
    """
    record, written = Path(folder) / "voice.json", []
    sources = {"timelag": timelag, "duration": duration}
    names = {family: path.resolve().parent.name for family, path in sources.items()}
    if not record.exists():
        write_json(record, names)
    voice = read_json(record)
    for family, source in sources.items():
        target, data = Path(folder) / FILES[family], source.read_bytes()
        if voice.get(family) != names[family] and target.exists():
            print(f"{folder} as a voice keeps its {family} model, {voice.get(family)}")
            continue
        if not target.exists() or target.read_bytes() != data:
            write_bytes(target, data)
        written.append(target)
    return written


def find_voice(folder: str | os.PathLike) -> dict[str, Path]:
    """The checkpoint of each family in an exp dir.

    Raises:
        DataError: where it is no folder of a finished recipe, saying what is missing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError("no such folder; a voice is the exp dir of an acoustic model", folder)
    for family, name in FILES.items():
        if not (folder / name).is_file():
            raise DataError(f"no {name}, the {family} model; run the recipe to stage 5", folder)
    return {family: folder / name for family, name in FILES.items()}


def load_voice(
    path: str | os.PathLike, device: torch.device, trust_code: bool = False
) -> dict[str, SvsModel]:
    """The models of an exp dir or a packed voice by family, for inference.

    ``trust_code``: see :func:`nnsvs_lite.models.checkpoint.load_model`.

    Raises:
        DataError: where it is neither, or a checkpoint is damaged.
    """
    from nnsvs_lite.models.checkpoint import load_model

    if Path(path).is_file():
        pack = Pack.read(path)
        models = {f: load_model(f"{path}/{f}", f, pack.checkpoint(f), trust_code) for f in pack.families}
    else:
        models = {f: load_model(p, f, trust_code=trust_code) for f, p in find_voice(path).items()}
    return {family: model.to(device) for family, model in models.items()}


@dataclass(frozen=True)
class Pack:
    """A packed voice that was read and found whole.

    Attributes:
        path: where it lies.
        manifest: what it says of itself.
        files: contents by name.
    """

    path: Path
    manifest: dict[str, Any]
    files: dict[str, bytes]

    @staticmethod
    def read(path: str | os.PathLike) -> Pack:
        """Reads and checks a packed voice.

        Raises:
            DataError: where it is something else, damaged, cut short, too large, or of a
                newer version.
        """
        path = Path(path)
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                start = file.read(4)
        except FileNotFoundError:
            raise DataError("no such file", path) from None
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", path) from None
        if size > MAX_SIZE:
            raise DataError(f"{size} bytes are too many for a packed voice", path)
        if start != b"PK\x03\x04":
            raise DataError("not a packed voice; 'nnsvs-lite pack' makes one of an exp dir", path)
        try:
            with zipfile.ZipFile(path) as archive:
                return Pack._from_archive(path, archive)
        except DataError:
            raise
        except Exception as error:
            # Damaged bytes can make a reader of zip files raise anything.
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise DataError(f"damaged or cut short: {reason}", path) from None

    @staticmethod
    def _from_archive(path: Path, archive: zipfile.ZipFile) -> Pack:
        _check_stored(archive, path.stat().st_size, path)
        if MANIFEST not in archive.namelist():
            raise DataError("a zip file, but not a packed voice", path)
        if archive.getinfo(MANIFEST).file_size > MAX_TEXT:
            raise DataError("its manifest is too large", path)
        manifest = json.loads(archive.read(MANIFEST).decode("utf-8"))
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise DataError("a zip file, but not a packed voice", path)
        if manifest.get("version") != VERSION:
            made = manifest.get("version")
            remedy = "train and pack it again" if made in range(VERSION) else "update nnsvs_lite"
            raise DataError(
                f"has version {made!r} of the format, this nnsvs_lite reads {VERSION}; {remedy}", path
            )
        files = {}
        for name, entry in manifest["files"].items():
            if name not in archive.namelist():
                raise DataError(f"damaged: {name} is missing", path)
            files[name] = archive.read(name)
            if hashlib.sha256(files[name]).hexdigest() != entry["sha256"]:
                raise DataError(f"damaged: {name} is not what was packed", path)
        pack = Pack(path, manifest, files)
        for family in pack.families:
            pack.checkpoint(family)
        return pack

    @property
    def families(self) -> list[str]:
        """Of its models: those of every voice, and perhaps a vocoder."""
        return [*FILES, *(["vocoder"] if "vocoder" in self.manifest["models"] else [])]

    def checkpoint(self, family: str) -> io.BytesIO:
        """The checkpoint of one of the models.

        Raises:
            DataError: where there is none, or its data are compressed.
        """
        entry = self.manifest["models"].get(family)
        if not isinstance(entry, dict) or entry.get("file") not in self.files:
            raise DataError(f"damaged: it has no {family} model", self.path)
        data = self.files[entry["file"]]
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                _check_stored(archive, len(data), self.path)
        return io.BytesIO(data)

    @property
    def licence(self) -> str:
        """The terms of the corpus."""
        return self.files.get(LICENCE, b"").decode("utf-8", "replace")

    def describe(self) -> str:
        """What is inside, a line each, for people."""
        m = self.manifest
        rows = [
            ("corpus", m["corpus"]),
            ("languages", ", ".join(m["languages"])),
            ("singers", ", ".join(m["singers"]) or "one, without a name"),
            ("sampling rate", f"{m['sample_rate']} Hz"),
        ]
        for family, entry in m["models"].items():
            size = len(self.files[entry["file"]]) / 1e6
            rows.append(
                (f"{family} model", f"{entry['class']}, {entry['parameters']} weights, {size:.1f} MB")
            )
        rows += [("made with", f"nnsvs_lite {m['made_with']}"), ("licence", "")]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}".rstrip() for name, value in rows]
        return "\n".join([*lines, *(f"  {line}".rstrip() for line in self.licence.strip().splitlines())])


def _check_stored(archive: zipfile.ZipFile, size: int, path: Path) -> None:
    """Refuses compressed members: what is read is never larger than the file."""
    members = archive.infolist()
    if (
        any(m.compress_type != zipfile.ZIP_STORED for m in members)
        or sum(m.file_size for m in members) > size
    ):
        raise DataError("a zip file with compressed data is not a packed voice", path)


def pack(
    exp: str | os.PathLike,
    out: str | os.PathLike,
    licence: str | os.PathLike | None = None,
    corpus: str | None = None,
    vocoder: str | os.PathLike | None = None,
    trust_code: bool = False,
) -> Pack:
    """Packs the exp dir of a finished recipe's acoustic model into one file.

    Args:
        exp: the folder, with the timing models that decoding put there.
        out: the file to write, ``*.nnsvs``.
        licence: a text file with the terms of the corpus; if not given, ``LICENSE`` in a
            data dir of these singers, or in the folder of the recipe that ``exp`` lies in.
        corpus: its name; if not given, that of the recipe.
        vocoder: checkpoint or exp dir of a trained vocoder, to go with it.
        trust_code: see :func:`nnsvs_lite.models.checkpoint.load_model`.

    Raises:
        DataError: where a model is missing or damaged, the models do not belong together,
            or licence or corpus are not known.
    """
    from nnsvs_lite.models.checkpoint import load_model

    if Path(out).suffix != SUFFIX:
        raise DataError(f"a packed voice is named *{SUFFIX}", out)
    voice = find_voice(exp)
    if vocoder is not None:
        voice["vocoder"] = Path(vocoder) / "model.pt" if Path(vocoder).is_dir() else Path(vocoder)
    models = {family: load_model(path, family, trust_code=trust_code) for family, path in voice.items()}
    spec = models["acoustic"].spec
    for family, path in voice.items():
        models[family].check_fits(spec, path)
    recipe = _recipe_of(Path(exp))
    corpus = corpus or (_corpus_of(recipe) if recipe else None)
    if not corpus:
        raise DataError("lies in no recipe that tells the corpus; give --corpus NAME", exp)
    singers = list(spec.speakers)
    text = _licence_text(Path(licence) if licence else _licence_of(recipe, Path(exp), set(singers)))
    files = {f"models/{family}.pt": path.read_bytes() for family, path in voice.items()}
    files[LICENCE] = text
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "made_with": __version__,
        "corpus": corpus,
        "languages": spec.codes,
        "singers": singers,
        "sample_rate": spec.sample_rate,
        "models": {
            family: {
                "file": f"models/{family}.pt",
                "class": type(model).__name__,
                "parameters": sum(p.numel() for p in model.parameters()),
            }
            for family, model in models.items()
        },
        "files": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        },
    }
    content = {MANIFEST: json.dumps(manifest, ensure_ascii=False, indent=1).encode() + b"\n", **files}
    write_bytes(out, _archive(content))
    return Pack(Path(out), manifest, files)


def _archive(files: dict[str, bytes]) -> bytes:
    """A zip archive whose bytes depend on nothing but names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def _recipe_of(exp: Path) -> Path | None:
    """The folder of the recipe in which an exp dir lies."""
    return next((p for p in list(exp.resolve().parents)[:4] if (p / "run.sh").is_file()), None)


def _corpus_of(recipe: Path) -> str:
    """``demo`` of ``egs/demo/svs1``."""
    return recipe.parent.name if recipe.name.startswith("svs") else recipe.name


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
                return place / name
    raise DataError("no licence of the corpus is found beside it; give its text with --licence FILE", exp)


def _licence_text(path: Path) -> bytes:
    data = read_text(path).encode()
    if not data.strip() or len(data) > MAX_TEXT:
        raise DataError(f"a licence has 1 to {MAX_TEXT} bytes of text, this one has {len(data)}", path)
    return data
