"""Stage 6: features to waveforms, in parallel, and phrases joined to songs."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.vocoder import vocoder_streams, waveform_of
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table, write_table


def _vocode_one(job: tuple[Path, dict, str]) -> tuple[str, int, float]:
    from nnsvs_lite.features.audio import write_wav

    folder, feature_config, utt = job
    config = FeatureConfig.from_dict(feature_config, folder / "schema.json")
    began = time.perf_counter()
    streams = {name: FeatureReader(folder / f"{name}.scp")[utt] for name in vocoder_streams(config)}
    x = waveform_of(streams, config)
    write_wav(folder / "wav" / f"{utt}.wav", x, config.sample_rate)
    return utt, len(x), time.perf_counter() - began


def vocode(folder: str | os.PathLike, nj: int = 1) -> bool:
    """Waveforms of a decode dir: WORLD's, or Griffin-Lim's where there are only mel spectra.

    Writes ``wav/<utt>.wav``, ``wav.scp``, ``songs/<song>.wav`` where a ``segments`` table
    gives the phrases' places, and adds ``vocoder_seconds`` to ``timing.json``.

    Args:
        folder: decode dir. nj: processes.

    Returns:
        False where everything was up to date.

    Raises:
        DataError: for missing tables, or features of neither kind.
    """
    folder = Path(folder)
    schema_path = folder / "schema.json"
    schema = read_json(schema_path)
    names = vocoder_streams(FeatureConfig.from_dict(schema["feature_config"], schema_path))
    inputs = [schema_path, folder / "segments", *(folder / f"{name}.ark" for name in names)]
    done = Done(folder, "vocode", inputs, {})
    if done.is_current():
        return False
    for name in names:
        if not (folder / f"{name}.scp").exists():
            raise DataError(f"no {name} to make a waveform of; decode first", folder)
    utts = list(FeatureReader(folder / "lf0.scp"))
    done.clear()
    # Loading scipy and pyworld once here, before the processes fork, saves each from it.
    import nnsvs_lite.features.world  # noqa: F401

    jobs = [(folder, schema["feature_config"], utt) for utt in utts]
    if nj > 1:
        with ProcessPoolExecutor(nj) as pool:
            results = list(pool.map(_vocode_one, jobs))
    else:
        results = [_vocode_one(job) for job in jobs]
    write_table(folder / "wav.scp", {utt: str(folder / "wav" / f"{utt}.wav") for utt in utts})
    outputs = [folder / "wav.scp", *(folder / "wav" / f"{utt}.wav" for utt in utts)]
    if (folder / "segments").exists():
        outputs += _join_songs(folder, schema["sample_rate"])
    timing = read_json(folder / "timing.json") if (folder / "timing.json").exists() else {}
    timing["audio_seconds"] = sum(samples for _, samples, _ in results) / schema["sample_rate"]
    timing["vocoder_seconds"] = sum(seconds for _, _, seconds in results)
    write_json(folder / "timing.json", timing)
    done.set(outputs)
    return True


def _join_songs(folder: Path, sample_rate: int) -> list[Path]:
    from nnsvs_lite.features.audio import read_wav, write_wav
    from nnsvs_lite.synthesis.join import join

    songs: dict[str, list[tuple[float, np.ndarray]]] = defaultdict(list)
    waves = read_table(folder / "wav.scp")
    for utt, value in read_table(folder / "segments").items():
        if utt in waves:
            song, start, _ = value.split()
            songs[song].append((float(start), read_wav(waves[utt])[0]))
    paths = []
    for song, pieces in sorted(songs.items()):
        paths.append(folder / "songs" / f"{song}.wav")
        write_wav(paths[-1], join(pieces, sample_rate), sample_rate)
    return paths
