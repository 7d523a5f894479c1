"""Stage 5, inference: the features of every phrase of a set, as tables."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import write_json
from nnsvs_lite.io.ctm import Segment, write_ctm
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter, read_table, write_table
from nnsvs_lite.score.types import Score
from nnsvs_lite.synthesis.voice import assemble

COPIED = ("score", "utt2spk", "segments")
"""Tables that go along with the features, where the set has them."""


def decode(
    dump: str | os.PathLike,
    subset: str,
    out: str | os.PathLike,
    timelag: str | os.PathLike,
    duration: str | os.PathLike,
    acoustic: str | os.PathLike,
    device: str = "cpu",
    seed: int = 0,
    trust_code: bool = False,
) -> bool:
    """Predicts times and features of all phrases of a set.

    Writes ``time_lag``, ``duration`` and every stream as scp and ark, ``pred.ctm``,
    ``timing.json`` (seconds of audio and of computing), and copies of the set's tables.
    An acoustic exp dir gets copies of the timing models, so that it can sing on its own.

    Args:
        dump: dump dir. subset: its set. out: folder to write.
        timelag, duration, acoustic: exp dirs or checkpoints.
        device: torch's name.
        seed: of models that draw by chance in inference.
        trust_code: see :func:`nnsvs_lite.models.checkpoint.load_model`.

    Returns:
        False where everything was up to date.

    Raises:
        DataError: for missing or unfit models or data.
    """
    dump, out = Path(dump), Path(out)
    folder = dump / subset
    models = [_checkpoint(path) for path in (timelag, duration, acoustic)]
    inputs = [folder / f"{n}.scp" for n in ("note_context", "phone_context", "note_time")]
    done = Done(out, "decode", [*inputs, folder / "score", folder / "segments", *models], {"seed": seed})
    if done.is_current():
        return False

    # torch is slow to import; a finished stage must not wait for it.
    from nnsvs_lite.models.checkpoint import load_model
    from nnsvs_lite.synthesis.predict import phone_times, predict_acoustic, predict_timing
    from nnsvs_lite.training.data import DumpDataset
    from nnsvs_lite.training.device import find_device

    place = find_device(device)
    lag_model, duration_model, acoustic_model = (
        load_model(path, family, trust_code=trust_code).to(place)
        for path, family in zip(models, ("timelag", "duration", "acoustic"))
    )
    spec = acoustic_model.spec
    for path, model in zip(models, (lag_model, duration_model, acoustic_model)):
        model.spec.check_fits(Spec.read(dump, stats=False), path)
    data = DumpDataset(dump, subset, spec, timing=False)
    examples = [data[i] for i in range(len(data))]

    done.clear()
    began = time.perf_counter()
    timings = predict_timing(examples, lag_model, duration_model)
    timed = time.perf_counter()
    ready = [e.timed(t.duration) for e, t in zip(examples, timings)]
    streams: dict[str, dict[str, np.ndarray]] = {name: {} for name in spec.streams}
    for i, values in predict_acoustic(ready, acoustic_model, seed=seed):
        for name, value in values.items():
            streams[name][data.utts[i]] = value
    finished = time.perf_counter()

    tables = {
        "time_lag": {u: t.time_lag[:, None].astype(np.float32) for u, t in zip(data.utts, timings)},
        "duration": {u: t.duration[:, None].astype(np.float32) for u, t in zip(data.utts, timings)},
        **streams,
    }
    outputs = write_features(out, tables)
    bounds = {u: phone_times(t.duration, spec.frame_shift) for u, t in zip(data.utts, timings)}
    outputs += _write_labels(folder, out, bounds)
    frames = sum(e.frames for e in ready)
    write_json(
        out / "timing.json",
        {
            "audio_seconds": frames * spec.frame_shift,
            "timing_seconds": timed - began,
            "acoustic_seconds": finished - timed,
        },
    )
    spec.write(out)
    if Path(acoustic).is_dir():
        outputs += assemble(acoustic, models[0], models[1])
    done.set([*outputs, out / "timing.json", out / "schema.json"])
    return True


def decode_natural(dump: str | os.PathLike, subset: str, out: str | os.PathLike) -> bool:
    """The recordings' own features and phone times, in the form of a decode dir.

    Vocoded, they are the ceiling: what a perfect acoustic model would sound like.
    """
    dump, out = Path(dump), Path(out)
    folder = dump / subset
    done = Done(
        out,
        "decode",
        [dump / "schema.json", *sorted(folder.glob("*.scp")), folder / "score"],
        {"natural": True},
    )
    if done.is_current():
        return False
    from nnsvs_lite.synthesis.predict import phone_times

    spec = Spec.read(dump, stats=False)
    names = ["time_lag", "duration", *spec.streams]
    readers = {name: FeatureReader(folder / f"{name}.scp") for name in names}
    done.clear()
    utts = list(readers["duration"])
    outputs = []
    for name, reader in readers.items():
        with FeatureWriter(out, name) as writer:
            for utt in utts:
                writer.write(utt, reader[utt])
        outputs += [out / f"{name}.scp", out / f"{name}.ark"]
    bounds = {u: phone_times(readers["duration"][u].reshape(-1), spec.frame_shift) for u in utts}
    outputs += _write_labels(folder, out, bounds)
    spec.write(out)
    done.set([*outputs, out / "schema.json"])
    return True


def _checkpoint(path: str | os.PathLike) -> Path:
    path = Path(path)
    path = path / "model.pt" if path.is_dir() else path
    if not path.is_file():
        raise DataError("no such model; train it first", path)
    return path


def write_features(out: Path, tables: dict[str, dict[str, np.ndarray]]) -> list[Path]:
    """Writes ``{table: {utt: array}}`` as scp and ark; returns the files."""
    written = []
    for name, table in tables.items():
        with FeatureWriter(out, name) as writer:
            for utt in sorted(table, key=str.encode):
                writer.write(utt, table[utt])
        written += [out / f"{name}.scp", out / f"{name}.ark"]
    return written


def _write_labels(folder: Path, out: Path, bounds: dict[str, np.ndarray]) -> list[Path]:
    """``pred.ctm`` of phone boundaries in seconds, and copies of the set's tables."""
    scores = read_table(folder / "score")
    labels = {}
    for utt, times in bounds.items():
        phones = Score.from_json(scores[utt], f"{folder / 'score'} ({utt})").phones
        labels[utt] = [Segment(a, b, p) for a, b, p in zip(times, times[1:], phones)]
    write_ctm(out / "pred.ctm", labels)
    written = [out / "pred.ctm"]
    for name in COPIED:
        if (folder / name).exists():
            write_table(out / name, read_table(folder / name))
            written.append(out / name)
    return written
