"""A voice as a folder of static files: a page with a piano roll that sings in the browser, without a server.

Its networks are those of a bank for OpenUtau (:mod:`nnsvs_lite.export.graphs`), run by onnxruntime-web. That
comes from the npm registry, one version, whose archive is checked, or from a file.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import os
import tarfile
import tempfile
import urllib.request
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.export import bank, dictionary
from nnsvs_lite.export.graphs import tokens_of
from nnsvs_lite.export.openutau import RECORD, Exported, prepare, prove
from nnsvs_lite.export.replay import AROUND, PADDING
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import atomic_dir, check_regular, write_bytes, write_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.examples import examples, new_lyric

VERSION = "1.30.0"
"""Of onnxruntime-web."""
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of that archive, base64, as the registry has it."""
ARCHIVE_BYTES = 33_106_585
RUNTIME = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm"}
"""Of its files, those that are needed; not every server knows what an ``.mjs`` is."""
PAGE = ("index.html", "page.js", "voice.js", "worker.js")
STUDIO = ("studio.css", "icon.svg", "roll.js", "ruler.js", "song.js", "curves.js", "hands.js", "lyrics.js")
"""The studio's own piano roll."""
NETWORKS = {
    "linguistic": f"{bank.DURATION}/linguistic.onnx",
    "dur": f"{bank.DURATION}/dur.onnx",
    "phones": f"{bank.PITCH}/linguistic.onnx",
    "pitch": f"{bank.PITCH}/pitch.onnx",
    "acoustic": bank.ACOUSTIC,
    "vocoder": f"{bank.VOCODER}/vocoder.onnx",
}
FILES = {file: f"{name}.onnx" for name, file in NETWORKS.items()}
MARK = "voice.json"
OURS = {*PAGE, *STUDIO, *FILES.values(), MARK, RECORD, "LICENCE.txt", "ort"}
"""Names in a folder of ours."""
WEB = resources.files("nnsvs_lite.export") / "web"
STATIC = resources.files("nnsvs_lite.studio") / "static"


def export_web(
    voice: str | os.PathLike,
    out: str | os.PathLike,
    *,
    vocoder: str | os.PathLike | None = None,
    name: str | None = None,
    author: str = "",
    image: str | os.PathLike | None = None,
    runtime: str | os.PathLike | None = None,
    trust_code: bool = False,
) -> Exported:
    """Writes the folder ``out``, a new one, or one that this has written before.

    Args:
        runtime: the archive of onnxruntime-web, if it is not to be downloaded.
        others: as of :func:`~nnsvs_lite.export.openutau.export_openutau`, but voices may have any rate.

    Raises DataError as that, or where the folder holds something else, or the archive cannot be had or is
    another one.
    """
    out = Path(out)
    if out.exists():
        if not (out / MARK).is_file():
            raise DataError("is there already, and no page of a voice; name a new folder", out)
        if others := sorted({path.name for path in out.iterdir()} - OURS):
            raise DataError(f"holds {others[0]} besides a page of a voice, which would be lost", out)
    given = None if runtime is None else runtime_archive(runtime)
    made = prepare(voice, vocoder, trust_code, None)
    archive = given or runtime_archive()
    credits = bank.credits_of(voice, made.spec, name, author, image)
    with tempfile.TemporaryDirectory(prefix="nnsvs-lite-export-") as temporary, atomic_dir(out) as folder:
        root = Path(temporary)
        bank.write_bank(root, made.networks, credits)
        record = prove(root, made)
        for file in (*NETWORKS.values(), "LICENCE.txt", RECORD):
            write_bytes(folder / FILES.get(file, file), (root / file).read_bytes())
        write_json(folder / MARK, about(made.spec, credits, root), indent=None)
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            for member, file in RUNTIME.items():
                data = members.extractfile(f"package/dist/{member}")
                write_bytes(folder / "ort" / file, data.read())
        for files, names in ((WEB, PAGE), (STATIC, STUDIO)):
            for file in names:
                write_bytes(folder / file, files.joinpath(file).read_bytes())
        write_bytes(folder / "ort" / "LICENCE.txt", WEB.joinpath("onnxruntime.txt").read_bytes())
    return Exported(out, record)


def about(spec: Spec, credits: bank.Credits, root: Path) -> dict[str, Any]:
    """What the page reads of a voice, of which ``root`` is the bank."""
    speakers = spec.speakers if len(spec.speakers) > 1 else ()
    lang = spec.codes[0]
    config = spec.feature_config
    return {
        "name": credits.name,
        "author": credits.author,
        "lang": lang,
        "rate": config.sample_rate,
        "frame": config.frame_shift,
        "padding": PADDING,
        "around": AROUND,
        "singers": list(speakers),
        "vectors": [np.fromfile(root / f"{one}.emb", "<f4").tolist() for one in speakers],
        "networks": {name: FILES[file] for name, file in NETWORKS.items()},
        "tokens": {name: i for i, name in enumerate(tokens_of(spec))},
        "kinds": {row["symbol"]: row["type"] for row in dictionary.symbols(spec)},
        "words": {row["grapheme"]: row["phonemes"] for row in dictionary.entries(spec)},
        "new_lyric": new_lyric(lang),
        "song": _at_home(examples(lang)[0], spec).to_json(),
    }


def _at_home(song: Song, spec: Spec) -> Song:
    """A song moved by octaves to where a voice sings."""
    home = hz_to_midi(np.exp(spec.stats.streams["lf0"].mean[0]))
    mean = np.mean([note.pitch for note in song.notes if note.pitch])
    by = 12 * round(float(home - mean) / 12)
    return replace(song, notes=tuple(n._replace(pitch=n.pitch + by if n.pitch else 0) for n in song.notes))


def runtime_archive(given: str | os.PathLike | None = None) -> bytes:
    """The archive of onnxruntime-web. Raises DataError where it cannot be had, or is another one."""
    try:
        if given is None:
            with urllib.request.urlopen(URL, timeout=60) as answer:
                archive = answer.read(ARCHIVE_BYTES + 1)
        else:
            check_regular(given)
            archive = Path(given).read_bytes()
    except (OSError, http.client.HTTPException) as error:
        remedy = f"; get {URL} and name it by --runtime" if given is None else ""
        raise DataError(f"cannot be read: {getattr(error, 'reason', error)}{remedy}", given or URL) from None
    if base64.b64encode(hashlib.sha512(archive).digest()).decode() != SHA512:
        raise DataError(f"is not the archive of onnxruntime-web {VERSION}", given or URL)
    return archive
