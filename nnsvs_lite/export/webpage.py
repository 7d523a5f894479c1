"""A voice as a folder of static files: a page with a piano roll that sings in the browser, without a server.

Its networks are those of :mod:`nnsvs_lite.export.voicegraphs`, run by onnxruntime-web. That
comes from the npm registry, one version, whose archive is checked, or from a file. What lies between them,
from lyrics to contexts and times of phones, the page computes as :class:`nnsvs_lite.synthesis.singer.Singer`
does.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
import tarfile
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite import __version__
from nnsvs_lite.export.bank import Credits, credits_of
from nnsvs_lite.export.dictionary import words_of
from nnsvs_lite.export.openutau import RECORD, Exported, check_record
from nnsvs_lite.export.replay import tuning
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.mel import conversion
from nnsvs_lite.features.spec import PhoneSet, Spec
from nnsvs_lite.io.atomic import atomic_dir, check_regular, write_bytes, write_json, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import package
from nnsvs_lite.io.leftout import warn
from nnsvs_lite.models.melody import SCORE_PITCH
from nnsvs_lite.models.onnxvoice import RUNNING, models_of
from nnsvs_lite.models.pack import FACTS, GRAPHS
from nnsvs_lite.models.voice import PROGRAMS
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.convert import score_of
from nnsvs_lite.studio.examples import examples, new_lyric
from nnsvs_lite.synthesis.joining import join
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocoder import load_vocoder, waveforms_in_turn

VERSION = "1.30.0"
"""Of onnxruntime-web."""
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of that archive, base64, as the registry has it."""
ARCHIVE_BYTES = 33_106_585
RUNTIME = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm"}
"""Of its files, those that are needed; not every server knows what an ``.mjs`` is."""
PAGE = ("index.html", "page.js", "voice.js", "score.js", "context.js", "timing.js", "chance.js", "worker.js")
STUDIO = ("studio.css", "icon.svg", "roll.js", "ruler.js", "song.js", "curves.js", "hands.js", "lyrics.js")
"""The studio's own piano roll."""
FAMILIES = ("timelag", "duration", "acoustic", "vocoder")
NETWORKS = {*FAMILIES, RUNNING}
MARK = "voice.json"
OURS = {*PAGE, *STUDIO, *(f"{name}.onnx" for name in NETWORKS), MARK, RECORD, "LICENCE.txt", "ort"}
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
    runtime: str | os.PathLike | None = None,
    trust_code: bool = False,
) -> Exported:
    """Writes the folder ``out``, a new one, or one that this has written before.

    Args:
        voice: exp dir or pack. vocoder: as :func:`~nnsvs_lite.synthesis.vocoder.load_vocoder` takes it; the
            voice's own, or ``hn`` in place of WORLD and Griffin-Lim.
        name: of the singer; the voice's. author: who made the page.
        runtime: the archive of onnxruntime-web, if it is not to be downloaded.

    Raises DataError for a voice whose models cannot be graphs, or sing otherwise as such, or out of tune;
    where the folder holds something else, or the archive cannot be had or is another one.
    """
    out = Path(out)
    if out.exists():
        if not (out / MARK).is_file():
            raise DataError("is there already, and no page of a voice; name a new folder", out)
        if others := sorted({path.name for path in out.iterdir()} - OURS):
            raise DataError(f"holds {others[0]} besides a page of a voice, which would be lost", out)
    for needed in ("onnx", "onnxruntime"):
        package(needed)
    from nnsvs_lite.export.voicegraphs import graph_files

    given = None if runtime is None else runtime_archive(runtime)
    singer = Singer.load(voice, vocoder=vocoder, trust_code=trust_code, runtime="torch")
    if vocoder is None and singer.vocoder.name in PROGRAMS:
        warn(f"{singer.vocoder.name} is no network: the page sings with the vocoder hn")
        singer.vocoder = load_vocoder(singer.spec, "hn")
    if singer.vocoder.name in PROGRAMS:
        raise DataError(f"the vocoder {singer.vocoder.name} is no network, which a page needs: give another")
    models = {name: getattr(singer, name) for name in FAMILIES}
    files = graph_files(models, dict.fromkeys(FAMILIES, b""))
    facts = json.loads(files[FACTS])
    record = proved(singer, files)
    if facts["models"]["acoustic"]["habit"]:
        warn("the page draws the voice's vibrato by itself: another take than that of 'sing'")
    archive = given or runtime_archive()
    credits = credits_of(voice, singer.spec, name, author, None)
    with atomic_dir(out) as folder:
        for network in facts["models"].keys() & NETWORKS:
            write_bytes(folder / f"{network}.onnx", files[f"{GRAPHS}{network}.onnx"])
        write_json(folder / MARK, about(singer, credits, facts), indent=None)
        write_json(folder / RECORD, record)
        write_text(folder / "LICENCE.txt", credits.terms)
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            for member, file in RUNTIME.items():
                data = members.extractfile(f"package/dist/{member}")
                write_bytes(folder / "ort" / file, data.read())
        for source, names in ((WEB, PAGE), (STATIC, STUDIO)):
            for file in names:
                write_bytes(folder / file, source.joinpath(file).read_bytes())
        write_bytes(folder / "ort" / "LICENCE.txt", WEB.joinpath("onnxruntime.txt").read_bytes())
    return Exported(out, record)


def proved(singer: Singer, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What was found of a voice's graphs, which sang the page's first song. Raises DataError where they give
    other numbers than torch, or sing out of tune.
    """
    from nnsvs_lite.export.sharing import difference

    spec = singer.spec
    player = Singer(**models_of(files, "page", lambda family: b""))
    plan = player.plan(score_of(_at_home(examples(spec.codes[0])[0], spec)))
    (ours, theirs), far = (one.phrases(plan, range(len(plan.phrases))) for one in (player, singer)), {}
    pairs = [(b.streams[name], a.streams[name]) for a, b in zip(ours, theirs) for name in a.streams]
    far["acoustic"] = max(difference(*pair) for pair in pairs)
    streams = [phrase.streams for phrase in ours]
    waves, others = ([*waveforms_in_turn(one.vocoder, streams)] for one in (player, singer))
    far["vocoder"] = max(map(difference, others, waves))
    wav = join(zip((phrase.start for phrase in ours), waves), spec.sample_rate, plan.end)
    notes = [(note.start, note.end, note.pitch) for note in plan.score.notes if not note.is_rest]
    pitch = tuning(wav, spec.sample_rate, notes)
    record = {"made_with": f"nnsvs_lite {__version__}", "pitch": pitch, "differences_from_torch": far}
    check_record(record)
    return record


def about(singer: Singer, credits: Credits, facts: dict[str, Any]) -> dict[str, Any]:
    """What the page reads of a voice; ``facts``: of its graphs."""
    spec, vocoder = singer.spec, singer.vocoder
    held = [i for i, held in enumerate(spec.sustaining) if held]
    wave = {name: facts["wave"][name] for name in ("inputs", "frames", "around")}
    given, own = spec.feature_config.mel, vocoder.spec.feature_config.mel
    if "mel" in vocoder.inputs and given != own:
        wave["mel"] = conversion(given, own)
    return {
        "name": credits.name,
        "author": credits.author,
        "rate": spec.sample_rate,
        "frame": spec.frame_shift,
        "singers": list(spec.speakers) if len(spec.speakers) > 1 else [],
        "languages": [_language(spec, phones) for phones in spec.languages],
        "columns": {level: [column.name for column in spec.columns(level)] for level in ("note", "phone")},
        "held": held,
        "mean_pitch": spec.stats.note_context.mean[spec.column("note", SCORE_PITCH)],
        "networks": {name: told for name, told in facts["models"].items() if name in NETWORKS},
        "wave": wave,
    }


def _language(spec: Spec, phones: PhoneSet) -> dict[str, Any]:
    """What the page reads of a language."""
    language, code = phones.language, phones.code
    classes = {p: zip(language.class_names, language.classes(p)) for p in language.phones}
    return {
        "code": code,
        "numbers": {p: spec.phones.index(spec.name_of(code, p)) + 1 for p in language.phones},
        "classes": {p: [name for name, has in row if has] for p, row in classes.items()},
        "silences": list(language.silences),
        "vowels": sorted(language.vowels),
        "nuclei": sorted(language.nuclei),
        "tones": len(language.tones),
        "words": words_of(phones),
        "new_lyric": new_lyric(code),
        "song": _at_home(examples(code)[0], spec).to_json(),
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
