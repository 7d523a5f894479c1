"""Which controls change what a voice sings: found out by having it sing two held notes."""

from typing import Any

import numpy as np

from nnsvs_lite.features.variance import curve_names
from nnsvs_lite.score.song import Song
from nnsvs_lite.studio.convert import score_of
from nnsvs_lite.studio.drawn import LANES
from nnsvs_lite.studio.examples import new_lyric
from nnsvs_lite.synthesis.curves import NEEDED
from nnsvs_lite.synthesis.singer import Singer

AUDIBLE = 3.0
"""Cents; vibrato that changes by less is not heard."""
SEEDS = (0, 1, 2)


def still(voice: Singer) -> dict[str, str]:
    """Of each option that cannot change what the voice sings, why not."""
    lyric = new_lyric(voice.spec.codes[0])
    rows = [{"at": at, "beats": 4, "pitch": 65, "lyric": lyric} for at in (0, 5)]
    song = {"lang": voice.spec.codes[0], "length": 10, "tempi": [[0, 100]], "bars": [[0, 1, 4, 0]]}
    score = score_of(Song.from_json(song | {"keys": [[0, 0]], "notes": rows}))
    sung = [_streams(voice, score, seed=seed) for seed in SEEDS]
    found = {}
    if all(_same(sung[0], other) for other in sung[1:]):
        found["seed"] = found["temperature"] = "all takes of this voice are alike"
    if "pitch" not in voice.vocoder.controls:
        why = f"the voice's vocoder, {voice.vocoder.name}, takes its pitch as it is"
        names = ("vibrato", "vibrato_depth", "vibrato_rate", "vibrato_delay", "pitch_deviation")
        found |= dict.fromkeys(names, why)
    elif max(_bend(voice, score, sung[seed], seed) for seed in SEEDS) < AUDIBLE:
        found["vibrato"] = "the voice sings none; a depth puts one there"
    for name in ("breathiness", "gender"):
        if name not in voice.vocoder.controls:
            found[name] = f"the voice's vocoder, {voice.vocoder.name}, does not take it"
    lags = [timing.time_lag for timing in voice.plan(score).timings]
    if not any(lag.any() for lag in lags):
        found["timing"] = "this voice keeps to the beats anyway"
    return found


def lanes(voice: Singer) -> list[dict[str, Any]]:
    """The curves that can be drawn; ``still`` says of one why it cannot change the sound."""
    known, rows = {*curve_names(voice.spec.streams), "gender"}, []
    kind = voice.vocoder.name
    for name, lane in LANES.items():
        need = "gender" if name == "gender" else NEEDED.get(name)
        heard = name in known and need in (None, *voice.vocoder.controls)
        rows.append(
            {"name": name, **lane, "still": "" if heard else f"{kind} of this voice does not take it"}
        )
    return rows


def _streams(voice: Singer, score: Any, **options: Any) -> list[dict[str, np.ndarray]]:
    plan = voice.plan(score, **options)
    return [phrase.streams for phrase in voice.phrases(plan, range(len(plan.phrases)))]


def _same(a: list[dict[str, np.ndarray]], b: list[dict[str, np.ndarray]]) -> bool:
    return all(np.array_equal(x[name], y[name]) for x, y in zip(a, b) for name in x)


def _bend(voice: Singer, score: Any, sung: list[dict[str, np.ndarray]], seed: int) -> float:
    """Cents by which F0 changes at most where the vibrato is doubled."""
    other = _streams(voice, score, seed=seed, vibrato=2.0)
    return max(1200 / np.log(2) * np.abs(a["lf0"] - b["lf0"]).max() for a, b in zip(sung, other))
