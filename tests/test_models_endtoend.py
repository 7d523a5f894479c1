"""End-to-end systems: pieces and frames, F0 that is edited, training to the byte, the way to waveforms."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import check_same, killed_at
from models_common import ENDTOEND, ROOT, batch_of, build, examples, name_of, shaken, with_recordings
from scorexml import song, write
from toy import make_dump, make_recordings

from nnsvs_lite.bin.main import main
from nnsvs_lite.features.spec import LATENT, Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.checkpoint import load, save_model
from nnsvs_lite.models.config import Config, hears_recordings
from nnsvs_lite.models.layers.expand import gather_rows, phone_of_frame
from nnsvs_lite.models.pack import assemble, pack
from nnsvs_lite.synthesis.decode import decode
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocode import vocode
from nnsvs_lite.synthesis.vocoder import load_vocoder
from nnsvs_lite.training.keep import State

TINY = {path.stem.removesuffix("_tiny"): path for path in ENDTOEND}
VISINGER2, VITS, FASTSPEECH2S = (TINY[n] for n in ("visinger2", "vits_singing", "fastspeech2s_singing"))
HOP = 120
every = pytest.mark.parametrize("path", ENDTOEND, ids=name_of)


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    """Short phrases and their recordings in ``data`` beside it."""
    folder = tmp_path_factory.mktemp("endtoend")
    dump = make_dump(folder / "dump", {"train": 3, "dev": 1}, notes=(1, 2))
    make_recordings(dump, folder / "data")
    return dump


@pytest.fixture
def spec(dump) -> Spec:
    return Spec.read(dump)


@pytest.fixture
def batch(dump, spec) -> Batch:
    return batch_of(with_recordings(examples(dump, "train", spec), HOP), spec)


def test_a_spec_with_latents_is_read_back_as_it_is(spec):
    made = spec.with_latents(4)
    assert Spec.from_dict(json.loads(json.dumps(made.to_dict())), "x") == made
    assert made.with_latents(4) == made
    with pytest.raises(DataError, match="its streams are not those"):
        Spec.from_dict(replace(spec, streams={"lf0": 1, LATENT: 4}, stats=None).to_dict(), "x")


@pytest.mark.parametrize("training", [True, False])
def test_pieces_hold_the_samples_of_their_frames(training, batch, spec):
    model, frames = build(VITS, spec).train(training), torch.arange(batch.max_frames).float()
    latents = frames[None, :, None].expand(len(batch.utts), -1, -1)
    wav = torch.arange(batch.max_frames * HOP).float().expand(len(batch.utts), -1)
    streams = {name: batch.streams[name] for name in ("lf0", "vuv")}
    starts = set()
    for _ in range(5):
        piece = model.piece(replace(batch, streams=streams), latents, wav, 30)
        first = piece.streams[LATENT][:, 0, 0]
        starts |= set(first.tolist())
        assert piece.streams["wav"].shape == (len(batch.utts), 30 * HOP, 1)
        torch.testing.assert_close(piece.streams["wav"][:, ::HOP, 0], piece.streams[LATENT][..., 0] * HOP)
        torch.testing.assert_close(
            piece.streams["lf0"][:, 0], gather_rows(streams["lf0"], first.long()[:, None])[:, 0]
        )
        assert (first + 30 <= batch.frame_lengths).all()
    assert len(starts) > len(batch.utts) if training else len(starts) <= len(batch.utts)


@torch.no_grad()
def test_a_rest_in_the_middle_of_a_phrase_does_not_rule_its_test(batch, spec):
    model, recorded = build(FASTSPEECH2S, spec), batch.streams["wav"]
    silent, middle = recorded.clone(), batch.frame_lengths // 2 * HOP
    for row, at in zip(silent, middle.tolist()):
        row[at - 40 * HOP : at + 40 * HOP] *= 1e-4
    found = [
        float(model.loss(replace(batch, streams=batch.streams | {"wav": wav}))["stft"])
        for wav in (recorded, silent)
    ]
    assert found[1] < 3 * found[0]


@torch.no_grad()
def test_a_phrase_shorter_than_a_piece_ends_in_silence(batch, spec):
    model = build(VISINGER2, spec)
    made, real, _ = model.learn(batch, batch.max_frames + 10)
    shortest = int(batch.frame_lengths.argmin())
    end = int(batch.frame_lengths[shortest]) * HOP
    assert made.shape == real.shape == (len(batch.utts), batch.max_frames * HOP)
    assert made[shortest, end:].abs().max() == real[shortest, end:].abs().max() == 0
    torch.testing.assert_close(real[shortest, :end], batch.streams["wav"][shortest, :end, 0])


@every
@torch.no_grad()
def test_waveforms_are_alike_in_a_batch_alone_and_in_pieces(path, batch, spec):
    model = shaken(build(path, spec), 0.05)
    sung, vocoder = model.infer(batch), model.own_vocoder()
    rows = replace(batch, streams=sung, score=None)
    together = vocoder.synthesize(rows)
    assert together.shape == (len(batch.utts), batch.max_frames * HOP)
    for row, length in enumerate(batch.frame_lengths.tolist()):
        alone = Batch(["u"], batch.frame_lengths[row : row + 1], length, batch.singer[:1], batch.language[:1])
        alone.streams = {name: value[row : row + 1, :length] for name, value in sung.items()}
        wav = vocoder.synthesize(alone)[0]
        torch.testing.assert_close(together[row, : length * HOP], wav, rtol=0, atol=1e-4)
        assert together[row, length * HOP :].abs().max() == 0 if length < batch.max_frames else True
        joined = torch.cat(list(vocoder.in_pieces(alone, 40)), 1)[0]
        assert (joined - wav).norm() < 1e-3 * wav.norm()


@pytest.mark.parametrize("path", [VISINGER2, FASTSPEECH2S], ids=name_of)
@torch.no_grad()
def test_f0_that_is_moved_moves_the_tone(path, batch, spec):
    model = build(path, spec)
    sung = {name: value[:1, 50:51].expand(-1, 100, -1) for name, value in model.infer(batch).items()}
    sung["vuv"] = torch.ones_like(sung["vuv"])
    for hertz in (200, 400):
        sung["lf0"] = torch.full_like(sung["lf0"], hertz).log()
        one = Batch(["u"], torch.tensor([100]), 100, batch.singer[:1], batch.language[:1], dict(sung))
        wav = model.own_vocoder().synthesize(one)[0, 3000:9000]  # Bins of 4 Hz.
        power = torch.fft.rfft(wav - wav.mean()).abs().square()
        # All of it at this F0's harmonics, not all at those of an octave above.
        assert power[hertz // 4 :: hertz // 4].sum() > 0.8 * power.sum() > power[:: hertz // 2].sum()


@torch.no_grad()
def test_takes_are_of_their_seed_and_temperature_0_is_the_prior_s_mean(batch, spec):
    model = shaken(build(VISINGER2, spec), 0.05)

    def latents(**changes) -> torch.Tensor:
        return model.infer(replace(batch, **changes))[LATENT]

    other = replace(
        batch.score,
        note_seed=batch.score.note_seed
        + torch.tensor([[0, 1, *[0] * 50]])[:, : batch.score.note_seed.shape[1]],
    )
    first, second = latents(), latents(score=other)
    note = batch.score.note_index.gather(1, phone_of_frame(batch))
    changed = (first != second).any(-1)
    assert torch.equal(changed & batch.frame_mask, (note == 1) & batch.frame_mask)
    still = latents(temperature=0.0)
    assert torch.equal(still, latents(temperature=0.0, score=other))
    assert not torch.equal(still, first)


@pytest.mark.parametrize("alignment", ["search", "notes"])
def test_the_durations_of_exact_latents_are_found(alignment, batch, spec):
    model = build(VITS, spec)
    model.alignment = alignment
    torch.manual_seed(0)
    phones = torch.randn(*batch.score.phone_context.shape[:2], 64)
    model.phones = lambda batch: phones
    torch.nn.init.normal_(model.leave.linear.weight[: model.spec.streams[LATENT]], std=0.5)
    heard = gather_rows(model.leave(phones)[0], phone_of_frame(batch))
    found = model.aligned(batch, heard).score.duration
    assert torch.equal(found, batch.score.duration)


def test_within_notes_the_search_keeps_their_lengths(batch, spec):
    model = build(VITS, spec)
    model.alignment = "notes"
    torch.manual_seed(0)
    heard = torch.randn(len(batch.utts), batch.max_frames, model.spec.streams[LATENT])
    found = model.aligned(batch, heard).score.duration
    assert not torch.equal(found, batch.score.duration)
    for index, new, old in zip(batch.score.note_index, found, batch.score.duration):
        sums = [torch.zeros(100).scatter_add(0, index, d.float()) for d in (new, old)]
        assert torch.equal(*sums)
    model.alignment = "search"
    losses = model.train().loss(batch)
    assert torch.isfinite(losses["loss"])


@torch.no_grad()
def test_the_search_reads_no_phone_times(batch, spec):
    model = shaken(build(VITS, spec), 0.05).eval()
    model.alignment = "search"
    duration = batch.score.duration.clone()
    duration[:, 0] += 2
    duration[:, 1] -= 2
    assert (duration[:, 1] > 0).all()
    moved = replace(batch, score=replace(batch.score, duration=duration))
    one, other = (model.loss(b) for b in (batch, moved))
    assert {name: float(value) for name, value in one.items()} == {n: float(v) for n, v in other.items()}


@torch.no_grad()
def test_the_divergence_of_a_test_is_one(batch, spec):
    """Never below 0: it is that of two distributions, and not of a sample that nothing drew."""
    model = shaken(build(VITS, spec), 0.05)
    assert model.loss(batch)["kl"] > 0


@pytest.mark.parametrize("option", ["gv=0.5", "style_tokens=4"])
def test_options_of_spectra_are_refused(option, dump, tmp_path, capsys):
    assert main([str(w) for w in (*command(VISINGER2, dump, tmp_path), f"--model.options.{option}")]) == 1
    assert (
        f"{option.partition('=')[0]} is of spectra, and an end-to-end system has none"
        in capsys.readouterr().err
    )


def command(path: Path, dump: Path, out: Path, *more: str) -> list[str]:
    words = ["train", "--config", path, "--dump", dump, "--data", dump.parent / "data", "--out", out]
    words += ["--training.updates=4", "--training.eval_updates=2", "--training.crop_frames=20"]
    words += ["--training.batch_frames=300", "--model.losses.adversarial_from=1", *more]
    return [str(word) for word in words]


@pytest.fixture(scope="module")
def trained(dump, tmp_path_factory) -> Path:
    """The exp dir of VISinger 2, tiny, after four updates."""
    out = tmp_path_factory.mktemp("exp") / "visinger2"
    assert main(command(VISINGER2, dump, out)) == 0
    return out


def test_two_optimisers_learn_and_only_the_model_is_kept(trained):
    states = load(trained / "last.pt")["states"]
    steps = {
        name: {int(s["step"]) for s in states[f"{name}.optimizer"]["state"].values()}
        for name in ("model", "discriminator")
    }
    assert steps == {"model": {4}, "discriminator": {3}}
    weights = load(trained / "model.pt")["weights"]
    assert not [name for name in weights if "members" in name]
    rows = [json.loads(line) for line in (trained / "losses.jsonl").read_text().splitlines()]
    assert {"kl", "mel", "dsp", "mel_told", "adversarial", "features", "lf0"} <= set(rows[-1]["train"])


@pytest.mark.parametrize(
    "path", [VISINGER2, *(pytest.param(p, marks=pytest.mark.slow) for p in (VITS, FASTSPEECH2S))], ids=name_of
)
def test_a_killed_run_ends_with_the_same_bytes(path, dump, trained, tmp_path):
    whole = trained
    if path != VISINGER2:
        whole = tmp_path / "whole"
        assert main(command(path, dump, whole)) == 0
    with killed_at(State, "save", 2, after=True):
        main(command(path, dump, tmp_path / "killed"))
    assert main(command(path, dump, tmp_path / "killed")) == 0
    check_same(tmp_path / "killed", whole)


def test_recordings_are_asked_for_and_others_read_none(dump, tmp_path, capsys):
    words = command(VISINGER2, dump, tmp_path)
    at = words.index("--data")
    assert main([*words[:at], *words[at + 2 :]]) == 1
    assert "this model learns from recordings: give --data" in capsys.readouterr().err
    assert [hears_recordings(p) for p in ENDTOEND] == [True] * 3
    assert hears_recordings(ROOT / "conf" / "vocoder" / "hn_istft.yaml")
    assert not hears_recordings(ROOT / "conf" / "acoustic" / "sinsy_tiny.yaml")
    assert hears_recordings(ROOT / "conf" / "acoustic" / "sinsy_tiny.yaml", ["--training.crop_frames=9"])
    assert hears_recordings(ENDTOEND[0], ["--training.crop_frames=0"])


@pytest.fixture(scope="module")
def voice(trained, toy_exps, dump, tmp_path_factory) -> Path:
    """An exp dir that sings."""
    times = {family: toy_exps[family] for family in ("timelag", "duration")}
    out = tmp_path_factory.mktemp("decoded") / "dev"
    assert decode(dump, "dev", out, **times, acoustic=trained)
    assert vocode(out, voice=trained)
    return trained


def test_a_decode_dir_is_made_waveforms_of_by_its_own_model_alone(voice, dump, toy_exps, tmp_path):
    times = {family: toy_exps[family] for family in ("timelag", "duration")}
    decode(dump, "dev", tmp_path / "dev", **times, acoustic=voice)
    assert Spec.read(tmp_path / "dev", stats=False).streams == {"lf0": 1, "vuv": 1, LATENT: 32}
    with pytest.raises(DataError, match="features of an end-to-end model.*--voice"):
        vocode(tmp_path / "dev")
    assert vocode(tmp_path / "dev", voice=voice)
    assert vocode(tmp_path / "dev", voice=voice) is False
    assert json.loads((tmp_path / "dev" / "vocoder.json").read_text()) == {
        "class": "HifiGan",
        "experiment": "visinger2",
    }
    assert not (voice / "vocoder.pt").exists()
    lengths = FeatureReader(tmp_path / "dev" / "lf0.scp")
    import soundfile

    for utt, wav in read_table(tmp_path / "dev" / "wav.scp").items():
        x, rate = soundfile.read(wav)
        assert (len(x), rate) == (len(lengths[utt]) * HOP, 24000)
        assert np.abs(x).max() > 0.01


def test_it_sings_whole_streamed_and_packed(voice, tmp_path):
    score = write(tmp_path, song("r 1, C4 1 さ, D4 1 く", "G4 2 ら, r 2"))
    singer = Singer.load(voice)
    sung = singer.sing(score)
    _, samples = singer.stream(score)
    streamed = np.concatenate(list(samples))
    assert np.linalg.norm(streamed - sung.waveform) < 1e-3 * np.linalg.norm(sung.waveform)
    (tmp_path / "terms.txt").write_text("Sing as you like.\n")
    pack(voice, tmp_path / "voice.nnsvs", tmp_path / "terms.txt", "songs")
    again = Singer.load(tmp_path / "voice.nnsvs").sing(score)
    assert np.array_equal(again.waveform, sung.waveform)
    lower = singer.sing(score, pitch_deviation=0.0, vibrato=0.0)
    assert lower.waveform.shape == sung.waveform.shape
    for refused, message in (
        ({"gender": 1.1}, "gender cannot be changed"),
        ({"breathiness": 3.0}, "breathiness"),
    ):
        with pytest.raises(DataError, match=message):
            singer.sing(score, **refused)
    with pytest.raises(DataError, match="the vocoder needs"):
        Singer.load(voice, vocoder="hn")


def test_a_voice_without_curves_is_drawn_an_f0_and_written_as_tables(voice, tmp_path):
    singer = Singer.load(voice)
    score = write(tmp_path, song("r 1, C4 1 さ, D4 1 く", "G4 2 ら, r 2"))
    plain = singer.sing(score)
    assert plain.curves == {}
    frames = len(plain.f0)
    sung = singer.sing(score, curves={"f0": np.where(np.arange(frames) < frames // 2, 300.0, 0.0)})
    voiced = plain.f0 > 0
    np.testing.assert_allclose(sung.f0[: frames // 2][voiced[: frames // 2]], 300.0, rtol=1e-5)
    np.testing.assert_array_equal(sung.f0[frames // 2 :], plain.f0[frames // 2 :])
    assert not np.array_equal(sung.waveform, plain.waveform)
    with pytest.raises(DataError, match="loudness cannot be drawn"):
        singer.sing(score, curves={"loudness_change": np.ones(frames)})
    plain.write_tables(tmp_path / "tables")
    assert Spec.read(tmp_path / "tables", stats=False).streams == {"lf0": 1, "vuv": 1, LATENT: 32}
    again = singer.sing(score, curves=tmp_path / "tables" / "curves.npz")
    assert np.array_equal(again.waveform, plain.waveform)


def test_voicevox_refuses_a_voice_without_loudness(voice):
    from nnsvs_lite.export.frames import frames

    with pytest.raises(DataError, match="an end-to-end voice has no loudness"):
        frames({"model": str(voice), "device": "cpu"})


def test_its_vocoder_is_found_in_its_checkpoint(voice, toy_exps):
    spec = Singer.load(voice).spec
    assert load_vocoder(spec, voice).inputs == ("lf0", "vuv", LATENT)
    with pytest.raises(DataError, match="holds a acoustic model, a vocoder model is needed"):
        load_vocoder(spec, toy_exps["acoustic"])


def test_as_published_frames_of_fastspeech_2s_are_told_f0_and_its_decoder_is_not(spec, toy_exps, tmp_path):
    config = Config.read(FASTSPEECH2S, ["--model.decoder.harmonics=0"])
    save_model(tmp_path / "exp" / "model.pt", config.build(spec), config, {})
    assemble(tmp_path / "exp", **{f: toy_exps[f] / "model.pt" for f in ("timelag", "duration")})
    with pytest.raises(DataError, match="pitch cannot be changed"):
        Singer.load(tmp_path / "exp").sing(write(tmp_path, song("C4 1 さ, r 1")), vibrato=2.0)
