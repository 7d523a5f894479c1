"""Stage 5, inference: the features of every phrase of a set, as tables."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import atomic_path, write_json
from nnsvs_lite.io.ctm import Segment, ctm_lines
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.tables import write_features
from nnsvs_lite.models.pack import assemble
from nnsvs_lite.training.run import checkpoint_of

DECODING = 4
"""Number of the way from models to features; raised whenever the same models would give others."""
TIMES = ("time_lag", "duration")
COPIED = ("score", "utt2spk", "segments")
"""Tables that go along with the features, where the set has them."""


def decode(
    dump: str | os.PathLike,
    subset: str,
    out: str | os.PathLike,
    timelag: str | os.PathLike | None = None,
    duration: str | os.PathLike | None = None,
    *,
    acoustic: str | os.PathLike,
    device: str = "cpu",
    seed: int = 0,
    trust_code: bool = False,
) -> bool:
    """Predicts times and features of all phrases of a set.

    Writes ``time_lag``, ``duration`` and every stream as scp and ark, ``pred.ctm``, ``timing.json`` (seconds
    of audio and of computing), and copies of the set's tables. An acoustic exp dir gets copies of the timing
    models, so that it can sing on its own.

    Args:
        dump: dump dir. subset: its set. out: folder to write.
        timelag, duration, acoustic: exp dirs or checkpoints; without the first two, phones last as they were
            recorded, and an utterance has the frames of its recording, and its F0, where the acoustic model
            is one that is given it. device: torch's name.
        seed: of models that draw by chance in inference.
        trust_code: see :func:`nnsvs_lite.models.checkpoint.load_model`.

    Returns False where everything was up to date. Raises DataError for missing or unfit models or data.
    """
    dump, out = Path(dump), Path(out)
    folder = dump / subset
    given = {"timelag": timelag, "duration": duration, "acoustic": acoustic}
    paths = {family: checkpoint_of(path) for family, path in given.items() if path is not None}
    is_timed = len(paths) == len(given)
    heard = () if is_timed else ("lf0", "vuv")
    tables = ("note_context", "phone_context", "note_time", *(() if is_timed else TIMES), *heard)
    inputs = [folder / f"{n}.{end}" for n in tables for end in ("scp", "ark")]
    inputs += [dump / "schema.json", *(folder / name for name in (*COPIED, "utt2lang")), *paths.values()]
    done = Done(out, "decode", inputs, {"decoding": DECODING, "seed": seed})
    if done.is_current():
        return False

    # torch is slow to import; a finished stage must not wait for it.
    from nnsvs_lite.models.checkpoint import load_model
    from nnsvs_lite.synthesis.predict import (
        Performed,
        TimedExamples,
        Timing,
        predict_acoustic,
        predict_timing,
    )
    from nnsvs_lite.training.data import DumpDataset
    from nnsvs_lite.training.device import find_device

    place = find_device(device)
    models = {f: load_model(path, f, trust_code=trust_code).to(place) for f, path in paths.items()}
    spec = models["acoustic"].spec
    held = Spec.read(dump, stats=False)
    for family, model in models.items():
        model.check_fits(held, paths[family])
    # Nothing of an utterance is kept but its times: sets may be large.
    data = DumpDataset(dump, subset, spec, timing=not is_timed, streams=heard, cache=0)

    done.clear()
    began = time.perf_counter()
    if is_timed:
        timings = predict_timing(data, models["timelag"], models["duration"])
    else:
        timings = [Timing(example.score.time_lag, example.score.duration) for example in data]
    took = time.perf_counter() - began
    seconds: list[float] = []
    timed = TimedExamples(data if is_timed else Performed(data), timings)
    sung = predict_acoustic(timed, models["acoustic"], seed=seed)
    predicted = _clocked(sung, seconds)
    outputs = write_features(out, spec.streams, ((data.utts[i], row) for i, row in predicted), ordered=False)
    phones = (spec.symbols(e.score.phone_context, spec.codes[e.language]) for e in data)
    rows = ((u, p, t.time_lag, t.duration) for u, p, t in zip(data.utts, phones, timings))
    outputs += write_times(out, rows, spec.frame_shift)
    outputs += copy_tables(folder, out, COPIED)
    frames = sum(int(t.duration.sum()) for t in timings)
    timing = {"audio_seconds": frames * spec.frame_shift, "timing_seconds": took}
    write_json(out / "timing.json", timing | {"acoustic_seconds": sum(seconds)})
    spec.write(out)
    if Path(acoustic).is_dir() and is_timed:
        outputs += assemble(acoustic, timelag=paths["timelag"], duration=paths["duration"])
    # Vocoding adds to the times.
    done.set([*outputs, out / "schema.json"], [out / "timing.json"])
    return True


def decode_natural(dump: str | os.PathLike, subset: str, out: str | os.PathLike) -> bool:
    """The recordings' own features and times as a decode dir: vocoded, the ceiling of acoustic models."""
    dump, out = Path(dump), Path(out)
    folder = dump / subset
    inputs = [dump / "schema.json", folder]
    done = Done(out, "decode", inputs, {"decoding": DECODING, "natural": True})
    if done.is_current():
        return False
    from nnsvs_lite.training.data import DumpDataset

    spec = Spec.read(dump, stats=False)
    data = DumpDataset(dump, subset, spec, streams=True, cache=0)
    done.clear()
    outputs = write_features(out, spec.streams, ((e.utt, e.streams) for e in data))
    phones = (spec.symbols(e.score.phone_context, spec.codes[e.language]) for e in data)
    rows = ((e.utt, p, e.score.time_lag, e.score.duration) for e, p in zip(data, phones))
    outputs += write_times(out, rows, spec.frame_shift)
    outputs += copy_tables(folder, out, COPIED)
    spec.write(out)
    done.set([*outputs, out / "schema.json"])
    return True


def write_times(
    out: Path, rows: Iterable[tuple[str, Sequence[str], np.ndarray, np.ndarray]], frame_shift: float
) -> list[Path]:
    """Writes ``time_lag``, ``duration`` and the phone times, ``pred.ctm``, of utterances as they come.

    Args:
        rows: id, phones, time lags (N,) and durations (P,) in frames, sorted by id.
    """
    with atomic_path(out / "pred.ctm") as tmp, tmp.open("w", encoding="utf-8") as ctm:

        def tables() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
            for utt, phones, *values in rows:
                times = phone_times(values[1], frame_shift)
                ctm.write(ctm_lines(utt, map(Segment, times, times[1:], phones)))
                yield utt, {n: v[:, None].astype(np.float32) for n, v in zip(TIMES, values)}

        written = write_features(out, TIMES, tables())
    return [*written, out / "pred.ctm"]


def phone_times(duration: np.ndarray, frame_shift: float) -> np.ndarray:
    """Boundaries in seconds of phones that last whole frames: (P + 1)."""
    return np.concatenate([[0], np.cumsum(duration)]) * frame_shift


def _clocked(values: Iterable, seconds: list[float]) -> Iterator:
    """The same values; to ``seconds`` goes what making each takes, and not what is done with it."""
    began = time.perf_counter()
    for value in values:
        seconds.append(time.perf_counter() - began)
        yield value
        began = time.perf_counter()


def copy_tables(folder: Path, out: Path, names: Iterable[str]) -> list[Path]:
    """Copies tables that are there beside what was made of them; returns the copies."""
    written = []
    for name in names:
        if (folder / name).exists():
            with atomic_path(out / name) as tmp:
                shutil.copyfile(folder / name, tmp)
            written.append(out / name)
    return written
