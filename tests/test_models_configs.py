"""What holds for every model under conf/: shapes, padding, devices, learning, the rule beneath."""

import dataclasses
import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from models_common import (
    CONFIGS,
    ENDTOEND,
    TRAINED,
    batch_of,
    build,
    examples,
    length_of,
    name_of,
    shaken,
    wants_mel,
    with_recordings,
)
from toy import make_dump

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.acoustic.rule import RuleAcoustic
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.duration.rule import RuleDuration
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor, midi_to_lf0
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.neural import NeuralAcoustic
from nnsvs_lite.models.timelag.rule import RuleTimeLag

ALIKE = ("nnsvs_mel_v1_tiny", "nnsvs_mel_v2_tiny")
"""Of networks that others here have too: nnsvs_world_v1 and v2, and nnsvs_mel_v3."""
CONFIGS, TRAINED = ([p for p in paths if p.stem not in ALIKE] for paths in (CONFIGS, TRAINED))

every_config = pytest.mark.parametrize("path", CONFIGS, ids=name_of)
every_trained = pytest.mark.parametrize("path", TRAINED, ids=name_of)


read = functools.cache(Spec.read)


@functools.cache
def phrases(dump: Path, heard: bool):
    """Training phrases, with recordings in place of spectra where they are ``heard``."""
    items = examples(dump, "train", read(dump))
    return with_recordings(items, 120) if heard else items


@pytest.fixture
def mel(request) -> bool:
    """Whether a test is of a configuration for mel spectra alone: the fixtures below are then of these."""
    return wants_mel(request.getfixturevalue("path")) if "path" in request.fixturenames else False


@pytest.fixture
def toy_dump(mel, toy_dump, toy_mel_dump) -> Path:
    return toy_mel_dump if mel else toy_dump


@pytest.fixture
def spec(toy_dump) -> Spec:
    return read(toy_dump)


@pytest.fixture
def heard(request) -> bool:
    """Whether a test is of an end-to-end system."""
    return "path" in request.fixturenames and request.getfixturevalue("path") in ENDTOEND


@pytest.fixture
def items(toy_dump, heard):
    return phrases(toy_dump, heard)


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Two phrases of one note: on the meta device a recurrent layer takes its time over every frame."""
    folder = tmp_path_factory.mktemp("short")
    return [make_dump(folder / str(mel), {"train": 2}, notes=(1, 1), mel=mel) for mel in (False, True)]


def padded(batch: Batch, more: int) -> Batch:
    """The same utterances with more padding, which is not zero, in notes, phones and frames."""

    def pad(value: torch.Tensor, fill: float, each: int = 1) -> torch.Tensor:
        extra = value.new_full((value.shape[0], more * each, *value.shape[2:]), fill)
        return torch.cat([value, extra], dim=1)

    score = dataclasses.replace(
        batch.score,
        note_context=pad(batch.score.note_context, 1.0),
        phone_context=pad(batch.score.phone_context, 1.0),
        note_index=pad(batch.score.note_index, 0),
        note_frames=pad(batch.score.note_frames, 3.0),
        time_lag=pad(batch.score.time_lag, 5.0),
        duration=pad(batch.score.duration, 0),
    )
    return dataclasses.replace(
        batch,
        score=score,
        max_frames=batch.max_frames + more,
        streams={n: pad(v, 1.0, v.shape[1] // batch.max_frames) for n, v in batch.streams.items()},
    )


def test_there_are_configurations_of_every_family():
    assert {path.parent.name for path in CONFIGS} == {"timelag", "duration", "acoustic"}
    assert {path.parent.name for path in TRAINED} == {"timelag", "duration", "acoustic"}


@every_config
def test_family_is_that_of_the_folder_and_parameters_are_there_to_train(path, spec):
    model = build(path, spec)
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert model.family == path.parent.name
    assert count > 0 if model.trains else count == 0


@every_config
def test_loss_is_finite_and_counts_its_units(path, spec, items):
    losses = shaken(build(path, spec)).loss(batch_of(items, spec))
    assert all(torch.isfinite(value) and value.dim() == 0 for value in losses.values())
    assert 0 < losses["weight"] <= sum(length_of(e, path.parent.name) for e in items)


@every_config
@torch.no_grad()
def test_predictions_have_the_shapes_of_the_family(path, spec, items):
    model = shaken(build(path, spec))
    out = model.infer(batch_of(items, spec))
    size = max(length_of(e, model.family) for e in items)
    if model.family == "acoustic":
        streams = model.spec.streams | {name: 1 for name in out if name == "vibrato"}
        assert {n: tuple(v.shape) for n, v in out.items()} == {
            n: (len(items), size, d) for n, d in streams.items()
        }
        assert (out["vuv"] >= 0).all() and (out["vuv"] <= 1).all()
    else:
        names = {"timelag": {"time_lag"}, "duration": {"mean", "variance"}}[model.family]
        assert set(out) <= names
        assert all(v.shape == (len(items), size) for v in out.values())
    assert all(torch.isfinite(v).all() for v in out.values())


@every_config
def test_an_utterance_in_a_batch_is_as_it_is_alone(path, spec, items):
    model = shaken(build(path, spec))
    with torch.no_grad():
        together = model.infer(batch_of(items, spec))
        for row, example in enumerate(items):
            alone = model.infer(batch_of([example], spec))
            size = length_of(example, model.family)
            for name, value in alone.items():
                torch.testing.assert_close(together[name][row, :size], value[0], rtol=1e-4, atol=1e-4)


@every_config
def test_the_content_of_padding_changes_nothing(path, spec, items):
    model = shaken(build(path, spec))
    batch = batch_of(items[:3], spec)
    with torch.no_grad():
        losses, more = model.loss(batch), model.loss(padded(batch, 7))
        out, wider = model.infer(batch), model.infer(padded(batch, 7))
    for name, value in losses.items():
        torch.testing.assert_close(more[name], value, rtol=1e-4, atol=1e-4)
    for row, example in enumerate(items[:3]):
        size = length_of(example, model.family)
        for name, value in out.items():
            torch.testing.assert_close(wider[name][row, :size], value[row, :size], rtol=1e-4, atol=1e-4)


@every_config
def test_the_targets_are_not_seen_in_inference(path, spec, items):
    model = shaken(build(path, spec))
    keep = {"duration"} if model.family == "acoustic" else set()
    blind = [e.timed(e.score.duration if "duration" in keep else None) for e in items]
    with torch.no_grad():
        seeing, unseeing = model.infer(batch_of(items, spec)), model.infer(batch_of(blind, spec))
    for name, value in seeing.items():
        torch.testing.assert_close(unseeing[name], value, rtol=0, atol=0)


@every_config
def test_no_tensor_is_made_on_a_fixed_device(path, spec, mel, short, heard):
    model = build(path, spec).to("meta")
    batch = batch_of(phrases(short[mel], heard), spec).to("meta")
    made = {**model.loss(batch), **model.infer(batch)}
    assert {value.device.type for value in made.values()} == {"meta"}


@every_config
@torch.no_grad()
def test_a_second_run_gives_the_same(path, spec, items):
    batch = batch_of(items, spec)
    first, second = (shaken(build(path, spec)).infer(batch) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@every_trained
def test_all_weights_learn(path, spec, items):
    model = shaken(build(path, spec)).train()
    model.loss(batch_of(items, spec))["loss"].backward()
    unused = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not unused, "parameters without a gradient stop training on several devices"


@every_trained
def test_loss_falls_on_one_batch(path, spec, items):
    model = build(path, spec)
    batch = batch_of(items[:2], spec)
    with torch.no_grad():
        before = float(model.loss(batch)["loss"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(20):
        optimizer.zero_grad()
        model.loss(batch)["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        after = float(model.eval().loss(batch)["loss"])
    assert after < before - 0.05


@every_trained
def test_an_untrained_model_is_the_rule(path, spec, items):
    model = build(path, spec)
    if isinstance(model, NeuralAcoustic):
        model.gv.strength = 0.0  # It stretches whatever a model gives.
    batch = batch_of(items, spec)
    with torch.no_grad():
        out = model.infer(batch)
        if model.family == "timelag":
            mask, rule = batch.score.note_mask, RuleTimeLag(spec).infer(batch)
            # A rule beyond the largest lag is limited; a broad mixture may start a hair beside it.
            torch.testing.assert_close(out["time_lag"][mask], rule["time_lag"][mask], rtol=0, atol=0.5)
        elif model.family == "duration":
            mask, rule = batch.score.phone_mask, RuleDuration(spec).infer(batch)
            torch.testing.assert_close(out["mean"][mask], rule["mean"][mask], rtol=0.02, atol=0.1)
        elif isinstance(model, NeuralAcoustic):
            rule = SmoothFloor(model.spec)(batch, phone_of_frame(batch))
            if not model.space.residual_to_rule:
                rule = {"lf0": RuleAcoustic(spec).infer(batch)["lf0"]}
            # What is made from noise is noise at first.
            rule = {n: v for n, v in rule.items() if n not in model.diffused}
            for name, value in rule.items():
                mask = batch.frame_mask
                torch.testing.assert_close(out[name][mask], value[mask], rtol=1e-3, atol=2e-3)


def test_the_rule_for_pitch_is_the_score(spec, items):
    batch = batch_of(items, spec)
    lf0 = RuleAcoustic(spec).infer(batch)["lf0"]
    pitch = spec.column("note", "pitch")
    for row, example in enumerate(items):
        note = example.score.note_index[
            np.repeat(np.arange(len(example.score.duration)), example.score.duration)
        ]
        midi = example.score.note_context[note, pitch]
        expected = midi_to_lf0(torch.from_numpy(midi))
        sung = torch.from_numpy(midi > 0)
        torch.testing.assert_close(lf0[row, : len(midi), 0][sung], expected[sung], rtol=0, atol=1e-5)


acoustic_only = pytest.mark.parametrize(
    "path", [p for p in TRAINED if p.parent.name == "acoustic"], ids=name_of
)


@acoustic_only
def test_an_untrained_model_is_in_tune_in_the_middle_of_notes(path, spec, items):
    model = build(path, spec)
    with torch.no_grad():
        lf0 = model.infer(batch_of(items, spec))["lf0"]
    pitch = spec.column("note", "pitch")
    off = []
    for row, example in enumerate(items):
        note = example.score.note_index[
            np.repeat(np.arange(len(example.score.duration)), example.score.duration)
        ]
        for n, midi in enumerate(example.score.note_context[:, pitch]):
            frames = np.flatnonzero(note == n)
            if midi > 0 and len(frames):
                value = float(lf0[row, frames[len(frames) // 2], 0])
                off.append(abs(1200 * (value - float(midi_to_lf0(torch.tensor(midi)))) / np.log(2)))
    assert len(off) > 20 and max(off) < 10


@acoustic_only
def test_pitch_never_leaves_the_score_by_more_than_600_cents(path, spec, items):
    model = build(path, spec)
    if not isinstance(model, NeuralAcoustic) or model.space.pitch != "bounded":
        pytest.skip("this system's pitch is not bounded")
    model = shaken(model, size=3.0)
    if model.contour is not None:
        model.contour.share = 0.5  # All of a line that has learnt nothing is the score.
    batch = batch_of(items, spec)
    with torch.no_grad():
        phone = phone_of_frame(batch)
        cents = model.infer(batch)["lf0"] - model.space.base(batch, phone)["lf0"]
    cents = cents[batch.frame_mask].abs() * 1200 / np.log(2)
    assert cents.max() > 60, "the noise was to push the pitch about"
    assert cents.max() <= 600.1


@pytest.mark.parametrize("shift", [0.01, 128 / 24000])
@every_config
def test_other_frame_shifts_and_sizes(path, shift, mel, heard, tmp_path):
    if heard:
        pytest.skip("its vocoder makes a certain number of samples a frame")
    dump = make_dump(tmp_path, {"train": 2}, frame_shift=shift, mgc=13, mel=mel)
    spec = Spec.read(dump)
    batch = batch_of(examples(dump, "train", spec), spec)
    model = shaken(build(path, spec))
    assert torch.isfinite(model.loss(batch)["loss"])
    if model.family == "acoustic":
        assert model.infer(batch)["mel" if mel else "mgc"].shape[1:] == (batch.max_frames, 13)


@every_config
@torch.no_grad()
def test_a_phone_that_was_never_seen_can_be_sung(path, toy_dump, spec, items):
    bare = replace(spec, stats=replace(spec.stats, phones={"pau": spec.stats.phones["pau"]}))
    model = build(path, bare)
    batch = batch_of(items, bare)
    made = {**model.loss(batch), **model.infer(batch)}
    assert all(torch.isfinite(value).all() for value in made.values())
