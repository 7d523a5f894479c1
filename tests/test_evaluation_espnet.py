"""The ESPnet-like metrics: what they forgive and what they do not."""

import itertools

import numpy as np
import pytest
from features_corpus import tone

from nnsvs_lite.evaluation import others
from nnsvs_lite.evaluation.measures import BY_KEY, distortion, vectors
from nnsvs_lite.io.errors import DataError

RATE = 24000


def melody(lengths, pitches=(60, 67, 64), shift=0.0) -> np.ndarray:
    noise = 1e-3 * np.random.default_rng(0).standard_normal(int(sum(lengths) * RATE) + RATE)
    sound = np.concatenate([tone(p + shift, length, RATE) for p, length in zip(pitches, lengths)])
    return sound + noise[: len(sound)]


def scores(ref: np.ndarray, est: np.ndarray) -> dict[str, float]:
    pair = others.paired(others.analyse(ref, RATE), others.analyse(est, RATE))
    return {key: BY_KEY[key].pool([vector]) for key, vector in vectors(*pair, "espnet").items()}


def test_identical_audio_has_no_error():
    wave = melody((0.3, 0.3, 0.3))
    assert scores(wave, wave) == {
        "espnet_mcd_db": 0.0,
        "espnet_log_f0_rmse": 0.0,
        "espnet_semitone_accuracy": 1.0,
        "espnet_vuv_error": 0.0,
    }


def test_level_counts_here():
    wave = melody((0.3, 0.3, 0.3))
    assert scores(wave, 0.5 * wave)["espnet_mcd_db"] == pytest.approx(6.1418 * np.log(2), rel=0.02)


def test_timing_does_not_count_here():
    a, b = melody((0.3, 0.4, 0.3)), melody((0.4, 0.3, 0.3))
    found = scores(a, b)
    assert found["espnet_log_f0_rmse"] < 0.02
    cepstra = [others.mel_cepstra(wave, RATE) for wave in (a, b)]
    straight = distortion(*cepstra).mean()
    assert found["espnet_mcd_db"] < 0.5 * straight


def test_fifty_cents_are_the_fiftieth_part_of_so_many():
    a, b = melody((0.4,), (69,)), melody((0.4,), (69,), shift=0.5)
    assert 1731.234 * scores(a, b)["espnet_log_f0_rmse"] == pytest.approx(50.0, abs=1.0)


def test_a_note_above_the_ceiling_is_not_found():
    """ESPnet's default is deaf to a whole-tone error above G5; a higher ceiling hears it."""
    a, b = melody((0.4,), (86,)), melody((0.4,), (84,))
    low = [others.analyse(wave, RATE) for wave in (a, b)]
    assert max(found.f0.max() for found in low) < 900.0  # Harvest looks a tenth above its ceiling
    high = others.paired(*(others.analyse(wave, RATE, ceiling=1500.0) for wave in (a, b)))
    error = BY_KEY["espnet_log_f0_rmse"]
    assert 1731.234 * error.pool([error.vector(*high)]) == pytest.approx(200.0, abs=2.0)


def test_the_path_is_the_cheapest():
    """Against every path there is."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(4, 2)), rng.normal(size=(5, 2))
    cost = np.linalg.norm(a[:, None] - b[None], axis=2)

    def cheapest(i: int, j: int) -> float:
        if i == j == 0:
            return cost[0, 0]
        steps = [(i - di, j - dj) for di, dj in itertools.product((0, 1), repeat=2) if di + dj]
        return cost[i, j] + min(cheapest(*s) for s in steps if min(s) >= 0)

    i, j = others.warp(a, b)
    assert cost[i, j].sum() == pytest.approx(cheapest(3, 4))
    assert (i[0], j[0], i[-1], j[-1]) == (0, 0, 3, 4)
    assert set(zip(np.diff(i), np.diff(j))) <= {(0, 1), (1, 0), (1, 1)}


def test_bad_input_is_named():
    with pytest.raises(DataError, match="no settings of ESPnet for 12345 Hz"):
        others.analyse(np.zeros(9000), 12345)
    with pytest.raises(DataError, match="fewer than one frame"):
        others.mel_cepstra(np.zeros(100), RATE)
