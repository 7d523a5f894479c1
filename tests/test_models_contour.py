"""The line of F0 by ridge regression: scoops, falls and glides that a singer made are sung by her model."""

import dataclasses

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, examples, shaken
from scipy.stats import norm
from test_models_vibrato_habit import SHIFT, phrase, two  # noqa: F401

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.checkpoint import load, load_model, save, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.contour import Contour
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.melody import LEAP, SCORE_PITCH

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


@pytest.fixture(scope="module", params=["glides", "dips"])
def learnt(two, request) -> Contour:  # noqa: F811
    made = Contour(two, 1.0, request.param)
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


def late(example, spec, contour, depth):
    """Leaps upwards are 60 ms late, the others are not; each with a dip of ``depth`` cents at its vowel; and
    where it is voiced.
    """
    score, pitch = example.score, example.score.note_context[:, spec.column("note", SCORE_PITCH)]
    ends = np.cumsum(np.bincount(score.note_index, score.duration))
    batch = of(example, spec)
    lf0 = contour.floor.pitch_of(batch, phone_of_frame(batch))[0, :, 0].double().numpy()
    time = (np.arange(len(lf0)) + 0.5) * SHIFT
    for note in range(2, len(ends) - 1):
        rise, start = pitch[note] - pitch[note - 1], ends[note - 1] * SHIFT
        moved = start + 0.06 * (rise > 0)
        passed = norm.cdf(time, moved, LEAP) - norm.cdf(time, start, LEAP)
        vowel = start + 12 * SHIFT
        lf0 += 100 * CENT * rise * passed - depth * CENT * np.exp(-0.5 * ((time - vowel) / 0.04) ** 2)
    return lf0, np.repeat([s != "pau" for s in spec.symbols(score.phone_context, "ja")], score.duration)


@pytest.mark.parametrize("depth", [0, 120])
def test_leaps_come_late_and_dip_as_she_sings_them(two, depth):  # noqa: F811
    contour, songs = Contour(two, 1.0, "dips"), [phrase(two, *song[1:], lyrics=song[0]) for song in SONGS]
    rendered = [late(song, two, contour, depth) for song in songs]
    streams = [
        {"lf0": lf0[:, None].astype(np.float32), "vuv": voiced[:, None].astype(np.float32)}
        for lf0, voiced in rendered
    ]
    contour.fit([dataclasses.replace(a, streams=b) for a, b in zip(songs[:2] * 6, streams[:2] * 6)])
    batch, (true, voiced) = of(songs[2], two), rendered[2]
    phone = phone_of_frame(batch)
    made, rule = (
        f(batch, phone)[0, :, 0].double().numpy() for f in (contour.line_of, contour.floor.pitch_of)
    )
    off, before = (np.sqrt(np.mean((x - true)[voiced] ** 2)) / CENT for x in (made, rule))
    assert before > 50 and off < before / 10
    # Notes go 62 60 64 67 65: three vowels after a change whose dips are known.
    starts = np.cumsum(songs[2].score.duration)[[2, 4, 6, 8]]
    away = (made - true)[starts + 12] / CENT
    assert np.abs(away).max() < 25


def test_who_sings_the_score_has_no_dips(two):  # noqa: F811
    contour, songs = Contour(two, 1.0, "dips"), [phrase(two, *song[1:], lyrics=song[0]) for song in SONGS]
    batches = [of(song, two) for song in songs]
    floors = [contour.floor.pitch_of(batch, phone_of_frame(batch)) for batch in batches]
    contour.fit(
        dataclasses.replace(
            song, streams={"lf0": floor[0].numpy(), "vuv": np.ones((song.frames, 1), np.float32)}
        )
        for song, floor in zip(songs[:2], floors)
    )
    torch.testing.assert_close(
        contour.line_of(batches[2], phone_of_frame(batches[2])), floors[2], rtol=0, atol=1e-5
    )


def test_a_model_of_before_the_choice_keeps_its_glides(toy_dump, tmp_path):
    """Its configuration does not name any."""
    spec = Spec.read(toy_dump)
    items = examples(toy_dump, "train", spec)
    config = Config.read(ROOT / "conf/acoustic/resf0_conv.yaml", ["--model.options.contour_leaps=glides"])
    model = config.build(spec).eval()
    model.contour.fit(items[:2])
    save_model(tmp_path / "model.pt", model, config, {})
    state = load(tmp_path / "model.pt")
    del state["config"]["model"]["init_args"]["options"]["contour_leaps"]
    save(tmp_path / "model.pt", state)
    again, batch = load_model(tmp_path / "model.pt"), batch_of(items[:1], spec)
    phone = phone_of_frame(batch)
    assert again.contour.leaps == "glides" and model.contour.line.weight.abs().max() > 0
    assert torch.equal(again.contour.line_of(batch, phone), model.contour.line_of(batch, phone))


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
    moved = Contour(two, 1.0, learnt.leaps)
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
