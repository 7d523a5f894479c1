"""The line of F0 by ridge regression: scoops, falls and glides that a singer made are sung by her model."""

import dataclasses

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, examples, shaken
from test_models_vibrato_habit import SHIFT, phrase, two  # noqa: F401

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.contour import Contour
from nnsvs_lite.models.layers.expand import phone_of_frame

CENT = np.log(2) / 1200
SONGS = [
    ("らさまたか", [0.5, 0.6, 0.4, 0.8, 0.5], [60, 64, 62, 65, 60]),
    ("さらかまた", [0.7, 0.4, 0.5, 0.5, 0.9], [65, 62, 67, 64, 62]),
    ("まかさたら", [0.4, 0.6, 0.8, 0.4, 0.6], [62, 60, 64, 67, 65]),
]


def of(example, spec):
    return collate([example], spec.frame_shift)


def sung(example, spec, contour):
    """The smoothed score with a scoop of 150 cents from each silence and of 80 from each unvoiced consonant,
    all of it 20 cents flat; and where it is voiced.
    """
    batch = of(example, spec)
    lf0 = contour.floor.pitch_of(batch, phone_of_frame(batch))[0, :, 0].double().numpy() - 20 * CENT
    symbols, ends = spec.symbols(example.score.phone_context, "ja"), np.cumsum(example.score.duration)
    voice = [s not in ("pau", "s", "t", "k") for s in symbols]
    time = np.arange(len(lf0)) + 0.5
    for i, symbol in enumerate(symbols[:-1]):
        if not voice[i] and voice[i + 1]:
            after = time >= ends[i]
            depth = 150 if symbol == "pau" else 80
            lf0 -= np.where(after, depth * CENT * np.exp(-(time - ends[i]) * SHIFT / 0.03), 0)
    return lf0, np.repeat(voice, example.score.duration)


def taught(spec, contour):
    out = []
    for lyrics, lengths, pitches in SONGS[:2] * 6:
        example = phrase(spec, lengths, pitches, lyrics=lyrics)
        lf0, voiced = sung(example, spec, contour)
        streams = {"lf0": lf0[:, None].astype(np.float32), "vuv": voiced[:, None].astype(np.float32)}
        out.append(dataclasses.replace(example, streams=example.streams | streams))
    return out


@pytest.fixture(scope="module")
def learnt(two) -> Contour:  # noqa: F811
    made = Contour(two, 1.0)
    made.fit(taught(two, made))
    return made


def test_who_has_learnt_nothing_sings_the_smoothed_score(two):  # noqa: F811
    batch = of(phrase(two, [0.5, 0.6]), two)
    made, phone = Contour(two, 1.0), phone_of_frame(batch)
    assert torch.equal(made.line_of(batch, phone), made.floor.pitch_of(batch, phone))


def test_scoops_and_a_flat_voice_are_sung_in_another_song(learnt, two):  # noqa: F811
    lyrics, lengths, pitches = SONGS[2]
    example = phrase(two, lengths, pitches, lyrics=lyrics)
    true, voiced = sung(example, two, learnt)
    batch = of(example, two)
    phone = phone_of_frame(batch)
    made, rule = (f(batch, phone)[0, :, 0].double().numpy() for f in (learnt.line_of, learnt.floor.pitch_of))
    off, before = (np.sqrt(np.mean((x - true)[voiced] ** 2)) / CENT for x in (made, rule))
    assert before > 25 and off < before / 2
    start = np.flatnonzero(voiced)[0]
    assert (made - rule)[start] / CENT < -30


def test_a_batch_is_what_each_is_alone_and_share_is_how_far_it_goes(learnt, two):  # noqa: F811
    examples = [phrase(two, *SONGS[0][1:], lyrics=SONGS[0][0]), phrase(two, [0.4], lyrics="さ")]
    batch = collate(examples, SHIFT)
    together = learnt.line_of(batch, phone_of_frame(batch))
    for row, example in zip(together, examples):
        alone = of(example, two)
        torch.testing.assert_close(
            row[: example.frames], learnt.line_of(alone, phone_of_frame(alone))[0], rtol=0, atol=1e-5
        )
    lf0, phone = together * 0 + 5, phone_of_frame(batch)
    moved = Contour(two, 1.0)
    moved.load_state_dict(learnt.state_dict())
    moved.share = 0.25
    torch.testing.assert_close(moved(lf0, batch, phone), 3.75 + 0.25 * together)


def test_much_data_leaves_the_melody_to_the_network(two):  # noqa: F811
    shares = [Contour(dataclasses.replace(two), s).share for s in (0.5, 1.0)]
    assert 0 < shares[0] < shares[1] < 1 and shares[1] == pytest.approx(2 * shares[0])


def test_it_bends_no_f0_that_is_given_and_goes_with_a_flow_of_mel_spectra(toy_mel_dump):
    spec = Spec.read(toy_mel_dump)
    batch = batch_of(examples(toy_mel_dump, "train", spec), spec)
    options = [f"--model.options.{option}" for option in ("contour=1", "vibrato_habit=true")]
    path = ROOT / "conf" / "acoustic" / "divided_singer_tiny.yaml"
    model = shaken(Config.read(path, options).build(spec)).eval()
    model.contour.floor.pitch_of = lambda batch, phone: torch.full((*phone.shape, 1), 9.0)
    given = {name: batch.streams[name] for name in ("lf0", "vuv")}
    with torch.no_grad():
        sung = model.infer(dataclasses.replace(batch, given=given))
        assert torch.equal(sung["lf0"], given["lf0"])
        assert not torch.equal(model.infer(batch)["lf0"], given["lf0"])
    flow = Config.read(path, ["--model.options.contour=1", "--model.options.pitch=flow"]).build(spec)
    assert torch.isfinite(flow.loss(batch)["loss"])
