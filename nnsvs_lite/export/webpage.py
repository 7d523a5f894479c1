"""A voice as a folder of static files: a page with a piano roll that sings in the browser, without a server.

Its networks are those of :mod:`nnsvs_lite.export.voicegraphs` and a vocoder's, run by onnxruntime-web. That
comes from the npm registry, one version, whose archive is checked, or from a file. What lies between them,
from lyrics to contexts and times of phones, the page computes as :class:`nnsvs_lite.synthesis.singer.Singer`
does.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import http.client
import io
import os
import tarfile
import urllib.request
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnsvs_lite import __version__
from nnsvs_lite.export.bank import Credits, credits_of
from nnsvs_lite.export.dictionary import words_of
from nnsvs_lite.export.openutau import RECORD, Exported, check_record
from nnsvs_lite.export.replay import tuning
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.spec import PhoneSet, Spec
from nnsvs_lite.io.atomic import atomic_dir, check_regular, write_bytes, write_json, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph, package
from nnsvs_lite.io.leftout import warn
from nnsvs_lite.models.graphfacts import GraphFacts
from nnsvs_lite.models.melody import SCORE_PITCH
from nnsvs_lite.models.onnxvoice import OnnxModel
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.convert import score_of
from nnsvs_lite.studio.examples import examples, new_lyric
from nnsvs_lite.synthesis.joining import join
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocoder import checked, load_vocoder

if TYPE_CHECKING:
    from nnsvs_lite.models.base import VocoderModel

VERSION = "1.30.0"
"""Of onnxruntime-web."""
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of that archive, base64, as the registry has it."""
ARCHIVE_BYTES = 33_106_585
PROVED = 3.0
"""Seconds of each phrase in which a vocoder's graph is compared with it."""
RUNTIME = {"ort.wasm.bundle.min.mjs": "ort.js", "ort-wasm-simd-threaded.wasm": "ort.wasm"}
"""Of its files, those that are needed; not every server knows what an ``.mjs`` is."""
PAGE = ("index.html", "page.js", "voice.js", "score.js", "context.js", "timing.js", "chance.js", "worker.js")
STUDIO = ("studio.css", "icon.svg", "roll.js", "ruler.js", "song.js", "curves.js", "hands.js", "lyrics.js")
"""The studio's own piano roll."""
FAMILIES = ("timelag", "duration", "acoustic")
NETWORKS = (*FAMILIES, "vocoder")
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
            voice's own, or ``hn``, if that has nothing to learn.
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
    given = None if runtime is None else runtime_archive(runtime)
    singer = Singer.load(voice, vocoder=vocoder, trust_code=trust_code)
    if vocoder is None and singer.vocoder.name in ("World", "GriffinLim"):
        warn(f"{singer.vocoder.name} is no network: the page sings with the vocoder hn")
        singer.vocoder = load_vocoder(singer.spec, "hn")
    files, facts = networks_of(singer)
    record = proved(singer, files, facts)
    if any(told.habit for told in facts.values()):
        warn("the page draws the voice's vibrato by itself: another take than that of 'sing'")
    archive = given or runtime_archive()
    credits = credits_of(voice, singer.spec, name, author, None)
    with atomic_dir(out) as folder:
        for network, data in files.items():
            write_bytes(folder / f"{network}.onnx", data)
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


def networks_of(singer: Singer) -> tuple[dict[str, bytes], dict[str, GraphFacts]]:
    """Graphs of a voice by name; and, of its models, what is to be known beside them. Raises DataError as
    :func:`export_web`.
    """
    from nnsvs_lite.export.onnxfile import graph_of
    from nnsvs_lite.export.vocoders import vocoder_graph
    from nnsvs_lite.export.voicegraphs import graph_and_facts

    # First of all, since it is refused most easily.
    module = vocoder_graph(copy.deepcopy(singer.vocoder))
    sizes = singer.vocoder.spec.streams
    example = {name: np.full((1, 40, sizes[name]), 0.1, np.float32) for name in module.inputs}
    files = {"vocoder": graph_of(module, example).SerializeToString()}
    made = {name: graph_and_facts(getattr(singer, name)) for name in FAMILIES}
    return files | {name: data for name, (data, _) in made.items()}, {
        n: told for n, (_, told) in made.items()
    }


def proved(singer: Singer, files: dict[str, bytes], facts: dict[str, GraphFacts]) -> dict[str, Any]:
    """What was found of a voice's graphs, which sang the page's first song. Raises DataError where they give
    other numbers than torch, or sing out of tune.
    """
    spec = singer.spec
    graphs = {name: Graph(name, data) for name, data in files.items()}
    models = {name: OnnxModel(graphs[name], facts[name], spec) for name in FAMILIES}
    player = Singer(*models.values(), vocoder=singer.vocoder)
    plan = player.plan(score_of(_at_home(examples(spec.codes[0])[0], spec)))
    timed = [plan.ready[i] for i in range(len(plan.phrases))]
    far = {name: 0.0 for name in NETWORKS}
    for name, model in models.items():
        told = timed if name == "acoustic" else [example.timed(None) for example in timed]
        for example in told:
            ours, theirs = model.compute([example]), getattr(singer, name).compute([example])
            far[name] = max(far[name], *(_far(ours[key], theirs[key]) for key in ours))
    pieces = []
    for phrase in player.phrases(plan, range(len(plan.phrases))):
        streams = {name: phrase.streams[name][None] for name in graphs["vocoder"].inputs}
        (wave,) = graphs["vocoder"](**streams).values()
        far["vocoder"] = max(far["vocoder"], _vocoder_far(singer.vocoder, graphs["vocoder"], streams))
        pieces.append((phrase.start, wave[0]))
    wav = join(pieces, spec.sample_rate, plan.end)
    notes = [(note.start, note.end, note.pitch) for note in plan.score.notes if not note.is_rest]
    record = {"made_with": f"nnsvs_lite {__version__}", "pitch": tuning(wav, spec.sample_rate, notes)}
    record["differences_from_torch"] = {f"{name}.onnx": value for name, value in far.items()}
    check_record(record)
    return record


def _vocoder_far(model: VocoderModel, graph: Graph, streams: dict[str, np.ndarray]) -> float:
    """How far a graph's waveform lies from its model's, over ``PROVED`` seconds at most."""
    import torch

    from nnsvs_lite.models.batch import Batch

    short = {name: x[:, : round(PROVED / model.spec.frame_shift)] for name, x in streams.items()}
    own = checked(model, {name: x[0] for name, x in short.items()})
    told = {name: torch.from_numpy(x)[None] for name, x in own.items()}
    frames, none = len(next(iter(own.values()))), torch.zeros(1, dtype=torch.long)
    batch = Batch(["song"], torch.tensor([frames]), frames, none, none, told)
    with torch.inference_mode():
        wave = model.synthesize(batch).numpy()
    (made,) = graph(**short).values()
    return _far(made, wave)


def _far(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference; of numbers above 1, as a part of them."""
    return float((np.abs(a - b) / np.maximum(1.0, np.abs(b))).max(initial=0.0))


def about(singer: Singer, credits: Credits, facts: dict[str, GraphFacts]) -> dict[str, Any]:
    """What the page reads of a voice."""
    spec = singer.spec
    held = [i for i, held in enumerate(spec.sustaining) if held]
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
        "networks": {name: asdict(facts[name]) if name in facts else {} for name in NETWORKS},
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
