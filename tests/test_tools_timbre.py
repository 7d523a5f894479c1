"""Timbre: distances between the mean spectra of vowels."""

import math
import sys

import numpy as np
import pytest
from models_common import ROOT, examples
from scorexml import song, write

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.synthesis.singer import Singer

sys.path.insert(0, str(ROOT / "tools"))
from singers import tuning
from timbre import singers_of, timbre_distance, vowel_spectra

sys.path.remove(str(ROOT / "tools"))

DB = 10 / math.log(10) * math.sqrt(2)


def test_means_are_over_all_frames_of_a_vowel():
    mgc = [np.array([[0.0, 1.0], [0.0, 3.0], [9.0, 9.0]]), np.array([[0.0, 5.0]])]
    found = vowel_spectra(mgc, [["a", "a", "k"], ["a"]], {"a", "i"}, least=3)
    assert list(found) == ["a"]
    np.testing.assert_allclose(found["a"], [0.0, 3.0])
    assert vowel_spectra(mgc, [["a", "a", "k"], ["a"]], {"a", "i"}, least=4) == {}


def test_distance_is_that_of_mcd_without_c0():
    one = {"a": np.array([0.0, 1.0, 0.0]), "i": np.array([0.0, 0.0, 0.0])}
    other = {"a": np.array([5.0, 1.0, 3.0]), "i": np.array([0.0, 1.0, 0.0]), "u": np.ones(3)}
    assert timbre_distance(one, one) == 0.0
    assert timbre_distance(one, other) == pytest.approx(DB * (3 + 1) / 2)
    assert timbre_distance(one, other) == timbre_distance(other, one)


def test_no_vowel_in_common_is_an_error():
    with pytest.raises(DataError, match="no vowel that both sing"):
        timbre_distance({"a": np.zeros(3)}, {"i": np.zeros(3)})


def test_singers_of_a_dump(toy_dump, tmp_path):
    spec = Spec.read(toy_dump)
    found = singers_of(toy_dump, "train", {"a"})
    assert list(found) == ["toy"]
    number = spec.phones.index("a") + 1
    frames = []
    for example in examples(toy_dump, "train", spec):
        phone = example.score.phone_context[:, spec.column("phone", "phone")].repeat(example.score.duration)
        frames.append(example.streams["mgc"][phone == number])
    np.testing.assert_allclose(found["toy"]["a"], np.concatenate(frames).mean(0), rtol=1e-4)
    with pytest.raises(DataError, match="no mel-cepstra"):
        singers_of(tmp_path, "train", {"a"})


def test_each_note_of_a_singing_is_set_beside_the_score(toy_voice, tmp_path):
    """Every sung note that lasts gives one figure; F0 that is 20 cents sharp of the score gives 20."""
    score = write(tmp_path, song("C4 1 さ, D4 1 く, r 2"))
    performance = Singer.load(toy_voice).sing(score)
    phones, shift = performance.phones, performance.frame_shift
    f0 = np.zeros(round(phones[-1].end / shift) + 1)
    for phone in phones:
        pitch = {"s": 60, "a": 60, "k": 62, "u": 62}.get(phone.symbol, 0)
        if pitch:
            f0[round(phone.start / shift) : round(phone.end / shift)] = 440 * 2 ** ((pitch + 0.2 - 69) / 12)
    np.testing.assert_allclose(tuning(performance, f0), [20.0, 20.0], atol=0.5)
