"""The HMM singing synthesiser of 2010 (Oura et al.), what Sinsy does with an open voice, to be compared with.

The voice's own state durations are stretched together to fill a note exactly, so that it begins with its
consonant on the beat; spectra and F0 come by MLPG. Frame counts equal those of ``pysinsy.synthesize``.
"""

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np

from nnsvs_lite.features.audio import write_audio
from nnsvs_lite.features.f0 import runs
from nnsvs_lite.io.atomic import write_json
from nnsvs_lite.io.ctm import Segment, write_ctm
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import read_table, write_table
from nnsvs_lite.score.types import Phone, Score
from nnsvs_lite.virtual.htsvoice import StateSequence
from nnsvs_lite.virtual.labels import full_context
from nnsvs_lite.virtual.mlpg import fit_durations, mlpg
from nnsvs_lite.virtual.performance import segments
from nnsvs_lite.virtual.render import PEAK
from nnsvs_lite.virtual.singer import LEVEL, VirtualSinger, VirtualSong
from nnsvs_lite.virtual.style import FRAME
from nnsvs_lite.virtual.voices import SOURCES, load_singer

_GV_LIMIT = 2.0


def note_durations(score: Score, states: StateSequence) -> np.ndarray:
    """Frames of each state (phones, states): the states of each note fill it together."""
    rows = np.empty(states.duration_mean.shape, int)
    notes = np.array(score.note_index)
    at = 0
    for i, note in enumerate(score.notes):
        mine = np.flatnonzero(notes == i)
        wanted = int(note.end / FRAME + 0.5) - at
        moments = states.duration_mean[mine].ravel(), states.duration_variance[mine].ravel()
        frames = fit_durations(*moments, wanted)
        rows[mine] = frames.reshape(len(mine), -1)
        at += int(frames.sum())
    return rows


def f0_trajectory(singer: VirtualSinger, states: StateSequence, durations: np.ndarray) -> np.ndarray:
    """F0 (frames,) in Hz, 0 if unvoiced: MLPG over each voiced stretch, with the voice's global variance."""
    stream = singer.voice.streams["LF0"]
    voiced = np.repeat((states.voiced > 0.5).ravel(), durations.ravel())
    means, variances = states.by_frame("LF0", durations)
    lf0 = np.zeros(len(voiced))
    for start, end in runs(voiced):
        lf0[start:end] = mlpg(means[start:end], variances[start:end], stream.windows)[:, 0]
    inside = lf0[voiced]
    if stream.gv_mean is not None and len(inside) and inside.std() > 0:
        factor = np.clip(np.sqrt(stream.gv_mean[0]) / inside.std(), 1 / _GV_LIMIT, _GV_LIMIT)
        lf0[voiced] = inside.mean() + factor * (inside - inside.mean())
    return np.where(voiced, np.exp(lf0), 0.0)


def perform(singer: VirtualSinger, score: Score) -> VirtualSong:
    """What the voice alone makes of a score with phones; the singer's style is not used."""
    states = singer.voice.select(full_context(score, singer.voice.label_format))
    durations = note_durations(score, states)
    mgc = singer.mel_cepstra(states, durations)
    mgc[:, 0] += (LEVEL - singer.level) * np.log(10) / 20
    ends = np.cumsum(durations.sum(axis=1)) * FRAME
    times = [0.0, *(round(float(end), 7) for end in ends)]
    phones = list(map(Phone, score.phones, times, times[1:], score.note_index))
    return VirtualSong(phones, f0_trajectory(singer, states, durations), mgc)


def sing_baseline(data: str | os.PathLike, out: str | os.PathLike, *, sample_rate: int = 24000) -> bool:
    """Sings all utterances of a data dir, by its ``score`` and ``utt2spk``, with the HMM system.

    Writes ``wav/<utt>.wav``, ``wav.scp``, ``pred.ctm`` (phone times) and ``timing.json``, as a decode folder
    has them. A speaker that is no singer of ours is sung by the first one.

    Returns False where everything was up to date. Raises DataError where a table is missing, or a voice is
    not installed.
    """
    data, out = Path(data), Path(out)
    done = Done(out, "hts_voice", [data / "score", data / "utt2spk"], {"sample_rate": sample_rate})
    if done.is_current():
        return False
    done.clear()
    speakers = read_table(data / "utt2spk")
    table = read_table(data / "score")
    if not table:
        raise DataError("no utterance to sing", data / "score")
    known = {source.speaker for source in SOURCES}
    seconds: Counter[str] = Counter()
    wavs: dict[str, str] = {}
    times: dict[str, list[Segment]] = {}
    for utt in sorted(table, key=str.encode):
        score = Score.from_json(table[utt], f"{data / 'score'}: {utt}")
        if not score.phones:
            raise DataError(f"{utt} has no phones", data / "score")
        speaker = speakers.get(utt, "")
        singer = load_singer(speaker if speaker in known else SOURCES[0].speaker)
        begin = time.perf_counter()
        rendition = perform(singer, score)
        middle = time.perf_counter()
        wav = singer.render(rendition, sample_rate)
        seconds["acoustic_seconds"] += middle - begin
        seconds["vocoder_seconds"] += time.perf_counter() - middle
        seconds["audio_seconds"] += len(wav) / sample_rate
        wavs[utt] = os.fspath(out / "wav" / f"{utt}.wav")
        write_audio(wavs[utt], wav, sample_rate, PEAK)
        times[utt] = segments(rendition.phones)
    write_table(out / "wav.scp", wavs)
    write_ctm(out / "pred.ctm", times)
    write_json(out / "timing.json", {name: round(spent, 3) for name, spent in seconds.items()})
    done.set([*wavs.values(), out / "wav.scp", out / "pred.ctm", out / "timing.json"])
    return True
