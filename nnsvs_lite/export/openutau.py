"""A trained voice as a bank for OpenUtau, which is sung with before it is handed out."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnsvs_lite import __version__
from nnsvs_lite.export.bank import RATE, check_spec, credits_of, file_name, files_of, modules, write_bank
from nnsvs_lite.export.check import findings
from nnsvs_lite.export.replay import SAKURA, Call, Player, TuneNote, replayed
from nnsvs_lite.export.vocoders import Voicing, vocoder_graph
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import write_json, write_zip
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import package

TOLERANCE = 1e-3
"""How far what a network gives in onnxruntime may lie from what it gives in torch."""
IN_TUNE = 50.0
"""Cents by which the median note may be off."""
RECORD = "nnsvs_lite_checks.json"


@dataclass(frozen=True)
class Exported:
    """What was written, and what was checked: the contents of ``nnsvs_lite_checks.json``."""

    path: Path
    record: dict[str, Any]

    def __str__(self) -> str:
        worst = max(self.record["differences_from_torch"].values())
        pitch = self.record["pitch"]
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        size = sum(path.stat().st_size for path in files)
        return (
            f"{self.path}: {size / 1e6:.1f} MB; sung by its networks: "
            f"{pitch['notes']} notes, {pitch['median_cents']:+.1f} cents in the median; "
            f"{worst:.1e} from torch at most"
        )


def export_openutau(
    voice: str | os.PathLike,
    out: str | os.PathLike,
    *,
    vocoder: str | os.PathLike | None = None,
    name: str | None = None,
    author: str = "",
    image: str | os.PathLike | None = None,
    trust_code: bool = False,
) -> Exported:
    """Writes a bank as a zip to be dropped on OpenUtau.

    Args:
        voice: exp dir or pack, whose acoustic model is a ``divided_singer`` of 44.1 kHz mel spectra.
        vocoder: as :func:`~nnsvs_lite.synthesis.vocoder.load_vocoder` takes it; the voice's own, or ``hn``.
        name: of the singer; the voice's. author, image: see :class:`Credits`.

    Raises DataError for a voice that no bank can be made of, where ``out`` is no ``.zip``, or where what was
    made does not do what it should.
    """
    out = Path(out)
    if out.suffix != ".zip":
        raise DataError("a bank for OpenUtau is named *.zip", out)
    made = prepare(voice, vocoder, trust_code, RATE)
    credits = credits_of(voice, made.spec, name, author, image)
    with tempfile.TemporaryDirectory(prefix="nnsvs-lite-export-") as folder:
        root = Path(folder) / file_name(credits.name)
        write_bank(root, made.networks, credits)
        if wrong := list(findings(root)):
            raise DataError(f"the bank is not what OpenUtau reads: {'; '.join(map(str, wrong[:3]))}")
        record = prove(root, made)
        write_zip(out, files_of(root), compressed=True)
    return Exported(out, record)


class Prepared(NamedTuple):
    """A voice as networks by file, as :func:`modules` gives them; how often their voicing is right."""

    spec: Spec
    networks: dict[str, Any]
    voicing_right: float


def prepare(
    voice: str | os.PathLike, vocoder: str | os.PathLike | None, trust_code: bool, rate: int | None
) -> Prepared:
    """The networks of a voice, whose sampling rate must be ``rate`` Hz, if any. Raises DataError as
    :func:`export_openutau`, and where packages are missing.
    """
    from nnsvs_lite.export.graphs import divided
    from nnsvs_lite.synthesis.singer import Singer
    from nnsvs_lite.synthesis.vocoder import load_vocoder

    for needed in ("onnx", "onnxruntime"):
        package(needed)
    singer = Singer.load(voice, trust_code=trust_code, runtime="torch")
    acoustic, spec = divided(singer.acoustic), singer.spec
    check_spec(spec, rate)
    own = type(singer.vocoder).trains and vocoder is None
    model = singer.vocoder if own else load_vocoder(spec, vocoder or "hn", trust_code=trust_code)
    voicing = Voicing.fit(*_frames(singer))
    return Prepared(spec, modules(acoustic, vocoder_graph(copy.deepcopy(model), voicing)), voicing.right)


def prove(root: Path, made: Prepared) -> dict[str, Any]:
    """What was found of a bank that was just written, which goes into it. Raises DataError where it is not as
    it should be.
    """
    networks, tune = made.networks, tune_for(made.spec)
    record = {"made_with": f"nnsvs_lite {__version__}", "voicing_right": round(made.voicing_right, 4)}
    record |= replayed(root, tune)
    player = Player(root)
    for steps in (1, 20):
        player.sing(tune[:3], steps)
    _check_retake(player)
    record["differences_from_torch"] = differences(networks, player.calls)
    check_record(record)
    write_json(root / RECORD, record)
    return record


def check_record(record: dict[str, Any]) -> None:
    """Raises DataError where networks do not give what torch gives, or what they sing is out of tune."""
    far = record["differences_from_torch"]
    if worst := [f"{file} {value:.1e}" for file, value in far.items() if not value <= TOLERANCE]:
        raise DataError(f"onnxruntime and torch differ: {', '.join(worst)}")
    if not abs(off := record["pitch"]["median_cents"]) <= IN_TUNE:
        raise DataError(f"the voice sings {off:+.0f} cents off; is it trained?")


def differences(networks: dict[str, Any], calls: Sequence[Call]) -> dict[str, float]:
    """The largest difference of each network's outputs between onnxruntime and torch, over some calls."""
    import torch

    out: dict[str, float] = {}
    for call in calls:
        module = networks[call.file]
        with torch.inference_mode():
            given = module(**{name: torch.from_numpy(value) for name, value in call.inputs.items()})
        given = given if isinstance(given, tuple) else (given,)
        for torchs, theirs in zip(given, call.outputs.values()):
            far = np.abs(torchs.numpy().astype(np.float64) - theirs.astype(np.float64)).max(initial=0.0)
            out[call.file] = max(out.get(call.file, 0.0), float(far))
    return out


def _check_retake(player: Player) -> None:
    """Frames that are not to be sung anew keep their pitch."""
    call = next(call for call in reversed(player.calls) if "retake" in call.inputs)
    half = np.arange(call.inputs["retake"].shape[1])[None] % 2 == 0
    again = player.run(player.pitch, "pitch", **call.inputs | {"retake": half})
    (first,), (second,) = (list(made.values()) for made in (call.outputs, again))
    if not (
        np.array_equal(second[~half], call.inputs["pitch"][~half]) and np.allclose(second[half], first[half])
    ):
        raise DataError("frames that are not to be sung anew do not keep their pitch", call.file)


def tune_for(spec: Spec) -> list[TuneNote]:
    """The tune, where a voice sings it best, with lyrics that its dictionary has."""
    from nnsvs_lite.export.dictionary import entries, symbols

    words = {row["grapheme"]: row["phonemes"] for row in entries(spec)}
    kinds = {row["symbol"]: row["type"] for row in symbols(spec)}
    vowels = [p for p in spec.stats.phones if kinds.get(p) == "vowel" and p in words]
    home = hz_to_midi(np.exp(spec.stats.streams["lf0"].mean[0]))
    shift = round(float(home - np.mean([note.midi for note in SAKURA if note.lyric])))
    out = []
    for i, note in enumerate(SAKURA):
        lyric = note.lyric if note.lyric in words or not note.lyric else vowels[i % len(vowels)]
        out.append(note._replace(midi=note.midi + shift if note.lyric else 0, lyric=lyric))
    return out


def _frames(singer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Spectra and voicing of what a voice sings of all the phones that it knows."""
    from nnsvs_lite.score.types import Note, Score

    spec = singer.spec
    (language,) = spec.languages
    home = round(float(hz_to_midi(np.exp(spec.stats.streams["lf0"].mean[0]))))
    vowels = [p.symbol for p in language.phones if "vowel" in p.features and p.symbol in spec.stats.phones]
    others = [p.symbol for p in language.phones if p.symbol not in vowels and p.symbol in spec.stats.phones]
    rows = [Note(0.0, 0.5, 0, phones=("pau",))]
    for number, phones in enumerate((c, v) for c in others or [vowels[0]] for v in vowels):
        start = rows[-1].end
        pitch = home + (number * 5) % 11 - 5
        rows.append(Note(start, start + 0.35, pitch, "a", phones=phones))
        if number % 8 == 7:
            rows.append(Note(start + 0.35, start + 0.75, 0, phones=("pau",)))
    rows.append(Note(rows[-1].end, rows[-1].end + 0.5, 0, phones=("pau",)))
    plan = singer.plan(Score(tuple(rows), lang=language.code))
    sung = singer.phrases(plan, range(len(plan.phrases)))
    mel = np.concatenate([phrase.streams["mel"] for phrase in sung])
    return mel, np.concatenate([phrase.streams["vuv"][:, 0] > 0.5 for phrase in sung])
