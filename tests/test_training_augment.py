"""Transposed and stretched phrases: the score and its performance move together."""

import dataclasses
import json
from functools import partial

import numpy as np
import pytest
from models_common import ROOT

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.training import run as run_module
from nnsvs_lite.training.augment import SEMITONE, changed, read_scores, varied
from nnsvs_lite.training.data import DumpDataset, Versions


@pytest.fixture(scope="module")
def data(toy_dump, spec) -> DumpDataset:
    return DumpDataset(toy_dump, "train", spec, streams=True)


@pytest.fixture(scope="module")
def scores(data):
    return read_scores(data)


def same(a, b) -> None:
    for field in dataclasses.fields(a):
        one, two = getattr(a, field.name), getattr(b, field.name)
        if dataclasses.is_dataclass(one):
            same(one, two)
        elif field.name == "streams":
            for name in one:
                np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-6)
        elif isinstance(one, np.ndarray):
            np.testing.assert_allclose(two, one, rtol=0, atol=1e-5)
        else:
            assert one == two


def test_no_change_changes_nothing(data, scores, spec):
    for example in data:
        same(example, changed(example, scores[example.utt], spec, 0, 1.0))


def test_transposition_moves_the_score_and_f0_and_nothing_else(data, scores, spec):
    example = data[0]
    moved = changed(example, scores[example.utt], spec, 5, 1.0)
    np.testing.assert_allclose(moved.streams["lf0"], example.streams["lf0"] + 5 * SEMITONE, atol=1e-5)
    np.testing.assert_array_equal(moved.streams["mgc"], example.streams["mgc"])
    np.testing.assert_array_equal(moved.score.duration, example.score.duration)
    pitch, key = spec.column("note", "pitch"), spec.column("note", "key")
    sung = example.score.note_context[:, pitch] > 0
    np.testing.assert_allclose(
        moved.score.note_context[sung, pitch], example.score.note_context[sung, pitch] + 5
    )
    assert (moved.score.note_context[~sung, pitch] == 0).all(), "rests stay rests"
    held = spec.column("note", "pitch_held")
    others = np.delete(np.arange(example.score.note_context.shape[1]), [pitch, held, key])
    np.testing.assert_array_equal(moved.score.note_context[:, others], example.score.note_context[:, others])


def test_residuals_to_the_score_are_as_before(data, scores, spec):
    example = data[1]
    moved = changed(example, scores[example.utt], spec, -7, 1.25)
    pitch = spec.column("note", "pitch_held")

    def residual(e):
        note = e.score.note_index[np.repeat(np.arange(len(e.score.duration)), e.score.duration)]
        return e.streams["lf0"][:, 0] - e.score.note_context[note, pitch] * SEMITONE

    assert residual(moved).mean() == pytest.approx(residual(example).mean(), abs=2e-3)
    assert residual(moved).std() == pytest.approx(residual(example).std(), rel=0.35)


@pytest.mark.parametrize("stretch", [0.5, 0.8, 1.3, 2.0])
def test_stretching_scales_every_length(data, scores, spec, stretch):
    example = data[2]
    slow = changed(example, scores[example.utt], spec, 0, stretch)
    assert slow.frames == pytest.approx(example.frames * stretch, abs=len(example.score.duration))
    assert (slow.score.duration >= 1).all()
    assert all(len(values) == slow.frames for values in slow.streams.values())
    np.testing.assert_allclose(slow.score.note_time, example.score.note_time * stretch)
    tempo, length = spec.column("note", "tempo"), spec.column("note", "length")
    np.testing.assert_allclose(
        slow.score.note_context[:, tempo], example.score.note_context[:, tempo] / stretch
    )
    np.testing.assert_allclose(
        slow.score.note_context[:, length], example.score.note_context[:, length] * stretch, rtol=1e-5
    )
    beats = spec.column("note", "length_beats")
    np.testing.assert_allclose(slow.score.note_context[:, beats], example.score.note_context[:, beats])
    assert set(np.unique(slow.streams["vuv"])) <= {0.0, 1.0}
    # The middle of a phone stays in its middle.
    mgc, old = slow.streams["mgc"], example.streams["mgc"]
    assert mgc.mean(0) == pytest.approx(old.mean(0), abs=0.1)


def test_a_phone_of_one_frame_keeps_it(data, scores, spec):
    example = data[0].timed(np.ones_like(data[0].score.duration))
    assert (changed(example, scores[example.utt], spec, 0, 0.5).score.duration == 1).all()


def versions(data, scores, transpose, stretch, seed, epoch) -> Versions:
    draw = partial(varied, scores=scores, spec=data.spec, transpose=transpose, stretch=stretch)
    return Versions(data, draw, seed, epoch)


def test_draws_depend_on_seed_epoch_and_utterance(data, scores):
    def draw(seed, epoch):
        return [e.score.note_context for e in versions(data, scores, 4, 0.2, seed, epoch)]

    for one, two in zip(draw(0, 3), draw(0, 3)):
        np.testing.assert_array_equal(one, two)
    for seed, epoch in ((1, 3), (0, 4)):
        assert any((a != b).any() for a, b in zip(draw(0, 3), draw(seed, epoch)))


def test_draws_reach_both_ends_and_no_farther(data, scores, spec):
    pitch = spec.column("note", "pitch")
    moves = set()
    for epoch in range(60):
        for before, after in zip(data, versions(data, scores, 2, 0.0, 0, epoch)):
            moves |= set(np.unique(after.score.note_context[:, pitch] - before.score.note_context[:, pitch]))
    assert moves == {-2, -1, 0, 1, 2}


def test_training_sees_other_versions_and_can_be_repeated(toy_dump, tmp_path):
    path = ROOT / "conf" / "acoustic" / "resf0_conv.yaml"
    words = ["--training.epochs=2", "--training.min_steps=0", "--model.hidden=8", "--model.f0_hidden=8"]
    more = ["--training.transpose=3", "--training.stretch=0.2"]
    losses = []
    for name, options in (("plain", []), ("one", more), ("two", more)):
        run_module.train(path, toy_dump, "train", "dev", tmp_path / name, overrides=words + options)
        lines = (tmp_path / name / "losses.jsonl").read_text().splitlines()
        losses.append([json.loads(line) for line in lines])
    assert losses[1] == losses[2]
    assert losses[0][0] == losses[1][0], "nothing is changed before training, nor in the dev set"
    assert losses[0][1]["train"] != losses[1][1]["train"]


@pytest.mark.parametrize("word", ["--training.transpose=30", "--training.stretch=-0.1"])
def test_values_out_of_range_are_errors(toy_dump, tmp_path, word):
    path = ROOT / "conf" / "acoustic" / "resf0_conv.yaml"
    with pytest.raises(DataError, match="must be within"):
        run_module.train(path, toy_dump, "train", "dev", tmp_path, overrides=[word])


def test_timing_models_are_not_augmented(toy_dump, tmp_path):
    path = ROOT / "conf" / "duration" / "mdn.yaml"
    with pytest.raises(DataError, match="for acoustic models"):
        run_module.train(path, toy_dump, "train", "dev", tmp_path, overrides=["--training.transpose=2"])
