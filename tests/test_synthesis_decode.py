"""Decoding and singing: repeatable, independent of batching, one and the same engine."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from models_common import ROOT
from toy import make_dump, make_score

from nnsvs_lite.bin.main import main
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.ctm import read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table, write_table
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.pack import find_voice
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.change import change
from nnsvs_lite.score.languages.base import SILENCES
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.decode import decode, decode_natural
from nnsvs_lite.synthesis.phrases import check_score, split
from nnsvs_lite.synthesis.predict import predict_acoustic, predict_timing
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocode import vocode
from nnsvs_lite.training.data import DumpDataset

STREAMS = ("lf0", "vuv", "mgc", "bap")


@pytest.fixture(scope="module")
def decoded(toy_dump, toy_exps, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("decode")
    assert decode(toy_dump, "eval", out, **toy_exps)
    return out


@pytest.fixture(scope="module")
def singer(decoded, toy_exps) -> Singer:
    return Singer.load(toy_exps["acoustic"])


@pytest.fixture(scope="module")
def models(toy_exps):
    return [load_model(toy_exps[family], family) for family in toy_exps]


def contents(folder: Path) -> dict[str, bytes]:
    """All tables, without the paths in scp files."""
    out = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in (".scp", ".ark", ".ctm") or path.name in ("score", "utt2spk", "schema.json"):
            out[path.name] = path.read_bytes().replace(str(folder).encode(), b"DIR")
    return out


def scores(dump: Path, subset: str = "eval") -> dict[str, Score]:
    return {u: Score.from_json(text, u) for u, text in read_table(dump / subset / "score").items()}


def test_decoding_twice_gives_the_same_bytes(toy_dump, toy_exps, decoded, tmp_path):
    assert decode(toy_dump, "eval", tmp_path, **toy_exps)
    assert contents(tmp_path) == contents(decoded)
    assert len(contents(decoded)) == 2 * 6 + 4


def test_a_finished_decoding_is_not_done_again(toy_dump, toy_exps, tmp_path, monkeypatch):
    assert decode(toy_dump, "eval", tmp_path, **toy_exps)
    assert decode(toy_dump, "eval", tmp_path, **toy_exps) is False
    assert decode(toy_dump, "eval", tmp_path, seed=1, **toy_exps) is True
    (tmp_path / "mgc.ark").unlink()
    assert decode(toy_dump, "eval", tmp_path, seed=1, **toy_exps) is True
    monkeypatch.setattr("nnsvs_lite.synthesis.decode.DECODING", 0)
    assert decode(toy_dump, "eval", tmp_path, seed=1, **toy_exps) is True, "the program has changed"


def test_tables_agree_with_each_other_and_with_the_score(toy_dump, decoded):
    labels, written = read_ctm(decoded / "pred.ctm"), scores(toy_dump)
    assert set(labels) == set(written)
    shift = Spec.read(toy_dump).frame_shift
    for utt, score in written.items():
        duration = FeatureReader(decoded / "duration.scp")[utt].reshape(-1)
        frames = round(score.duration / shift)
        assert duration.min() >= 1 and duration.sum() == frames
        assert [segment.label for segment in labels[utt]] == score.phones
        assert labels[utt][-1].end == pytest.approx(frames * shift)
        assert len(FeatureReader(decoded / "time_lag.scp")[utt]) == len(score.notes)
        for name, size in Spec.read(toy_dump).streams.items():
            assert FeatureReader(decoded / f"{name}.scp")[utt].shape == (frames, size)
    timing = json.loads((decoded / "timing.json").read_text())
    assert timing["audio_seconds"] == pytest.approx(sum(s.duration for s in written.values()), abs=0.02)


def test_the_budget_of_a_batch_changes_nothing(toy_dump, models):
    timelag, duration, acoustic = models
    data = DumpDataset(toy_dump, "train", Spec.read(toy_dump), timing=False)
    examples = [data[i] for i in range(len(data))]
    small = predict_timing(examples, timelag, duration, budget=1)
    large = predict_timing(examples, timelag, duration, budget=10**6)
    for a, b in zip(small, large):
        np.testing.assert_array_equal(a.duration, b.duration)
        np.testing.assert_allclose(a.time_lag, b.time_lag, atol=1e-4)
    ready = [e.timed(t.duration) for e, t in zip(examples, large)]
    one = dict(predict_acoustic(ready, acoustic, budget=1))
    all_ = dict(predict_acoustic(ready, acoustic, budget=10**6))
    assert sorted(one) == sorted(all_) == list(range(len(examples)))
    for i, streams in one.items():
        for name, value in streams.items():
            np.testing.assert_allclose(value, all_[i][name], atol=1e-4)


def test_lags_are_the_model_s_within_the_limits(toy_dump, models):
    spec = Spec.read(toy_dump)
    data = DumpDataset(toy_dump, "eval", spec, timing=False)
    rest = spec.column("note", "is_rest")
    for example in (data[i] for i in range(len(data))):
        (timing,) = predict_timing([example], *models[:2])
        with torch.no_grad():
            batch = models[0].heard(collate([example], spec.frame_shift))
            lag = models[0].infer(batch)["time_lag"][0].numpy()
        limit = np.where(example.score.note_context[:, rest] > 0.5, 40, 20)
        np.testing.assert_allclose(timing.time_lag[1:], np.clip(lag, -limit, limit)[1:], atol=1e-4)
        assert timing.time_lag[0] == 0
        (half,) = predict_timing([example], *models[:2], strength=0.5)
        np.testing.assert_allclose(half.time_lag[1:], np.clip(lag / 2, -limit, limit)[1:], atol=1e-4)


def test_without_lags_notes_begin_on_their_beats(toy_dump, models):
    timelag, duration, _ = models
    data = DumpDataset(toy_dump, "eval", Spec.read(toy_dump), timing=False)
    examples = [data[i] for i in range(len(data))]
    straight = predict_timing(examples, timelag, duration, strength=0.0)
    assert all((t.time_lag == 0).all() for t in straight)
    for example, timing in zip(examples, straight):
        notes = np.bincount(example.score.note_index, weights=timing.duration)
        starts = np.append(0, np.cumsum(notes))[:-1]
        np.testing.assert_allclose(starts, example.score.note_time[:, 0] / 0.005, atol=0.5)


def test_a_singer_does_what_decoding_does(toy_dump, decoded, singer):
    for utt, score in scores(toy_dump).items():
        song = singer.sing(score)
        assert len(song.phrases) == 1 and song.phrases[0].start == 0
        phrase = song.phrases[0]
        np.testing.assert_array_equal(
            phrase.duration, FeatureReader(decoded / "duration.scp")[utt].reshape(-1)
        )
        for name in STREAMS:
            expected = FeatureReader(decoded / f"{name}.scp")[utt]
            np.testing.assert_allclose(phrase.streams[name], expected, rtol=0, atol=1e-5)


def test_singing_twice_gives_the_same_samples_and_the_score_s_length(toy_dump, singer):
    score = next(iter(scores(toy_dump).values()))
    first, second = singer.sing(score), singer.sing(score)
    np.testing.assert_array_equal(first.waveform, second.waveform)
    assert np.isfinite(first.waveform).all()
    assert len(first.waveform) == pytest.approx(score.duration * 24000, abs=24000 * 0.0051)
    phones = first.phones
    assert [p.symbol for p in phones] == score.phones
    assert phones[0].start == 0 and phones[-1].end == pytest.approx(score.duration, abs=0.003)
    assert all(a.end == b.start for a, b in zip(phones, phones[1:]))


def test_transposing_moves_the_pitch_by_semitones(toy_dump, singer):
    # Every pitch of the training set lies between those of the song and the moved song,
    # so only what the model adds may differ.
    score = next(iter(scores(toy_dump).values()))
    low, high = singer.sing(score), singer.sing(score, transpose=2)
    assert [n.pitch for n in high.score.notes if n.pitch] == [n.pitch + 2 for n in score.notes if n.pitch]
    both = (low.f0[: len(high.f0)] > 0) & (high.f0[: len(low.f0)] > 0)
    cents = 1200 * np.log2(high.f0[both] / low.f0[both])
    assert both.sum() > 50 and np.median(cents) == pytest.approx(200, abs=60)


def test_tempo_changes_the_length(toy_dump, singer):
    score = next(iter(scores(toy_dump).values()))
    song = singer.sing(score, tempo=2.0)
    assert len(song.waveform) == pytest.approx(score.duration * 24000 / 2, abs=24000 * 0.0051)
    assert song.score.notes[1].tempo == score.notes[1].tempo * 2


def test_factors_out_of_range_are_refused(toy_dump, singer):
    score = next(iter(scores(toy_dump).values()))
    for options, message in (
        ({"tempo": 0.0}, "tempo factor 0 is out of"),
        ({"tempo": float("nan")}, "tempo factor nan is out of"),
        ({"transpose": 60}, "transposed to MIDI .*, out of 24..108"),
        ({"transpose": -60}, "transposed to MIDI"),
    ):
        with pytest.raises(DataError, match=message):
            singer.sing(score, **options)


def test_a_pitch_that_nobody_moved_is_not_called_transposed():
    with pytest.raises(DataError, match=r"^high: measure 1, beat 1: MIDI 120 is out of 24..108$"):
        change(Score((Note(0, 1, 120, "ら"),), title="high"), 0, 1.0)


def test_a_song_without_a_rest_is_refused_where_its_phrase_would_take_all_memory():
    def song(seconds: int) -> Score:
        return Score(tuple(Note(i, i + 1, 60, "ら", measure=i + 1) for i in range(seconds)), title="long")

    assert len(split(song(600))) == 1
    with pytest.raises(
        DataError, match="^long: measure 1, beat 1: 601 s without a rest from there on; at most 600 s"
    ):
        split(song(601))


def test_change_keeps_rests_and_turns_the_key():
    score = Score((Note(0, 0.5, 0), Note(0.5, 1.0, 60, "ら", key=0)))
    assert [n.pitch for n in change(score, 3, 1.0).notes] == [0, 63]
    assert change(score, 3, 1.0).notes[1].key == -3
    assert change(score, 0, 1.0) == score


def test_a_song_of_several_phrases_is_as_long_as_its_score(singer):
    rng = np.random.default_rng(5)
    notes, time = [], 0.0
    for _ in range(3):
        for note in make_score(rng, 6).notes:
            length = note.end - note.start + (0.5 if note.is_rest else 0.0)
            notes.append(replace(note, start=time, end=time + length, phones=()))
            time += length
    song = singer.sing(attach_phones(Score(tuple(notes))))
    assert len(song.phrases) == 3
    assert len(song.waveform) == pytest.approx(time * 24000, abs=24000 * 0.0051)
    starts = [phrase.start for phrase in song.phrases]
    assert starts == sorted(starts) and starts[-1] < time
    assert len(song.f0) * 0.005 == pytest.approx(time, abs=0.0051)


def test_phrases_of_a_dump_are_whole_phrases(toy_dump):
    for score in scores(toy_dump).values():
        (phrase,) = split(score)
        assert phrase.score.notes == score.notes


def test_a_score_in_another_language_is_refused(toy_dump):
    spec, score = Spec.read(toy_dump), next(iter(scores(toy_dump).values()))
    with pytest.raises(DataError, match="the score is in 'en', the voice sings 'ja'"):
        check_score(replace(score, lang="en"), spec)


def test_a_voice_older_than_the_last_phones_sings_what_it_knows(toy_dump):
    spec, score = Spec.read(toy_dump), next(iter(scores(toy_dump).values()))
    (ja,) = spec.languages
    last = max(spec.phones.index(phone) for phone in score.phones) - len(SILENCES)
    check_score(score, replace(spec, languages=(replace(ja, phones=ja.phones[: last + 1]),)))
    with pytest.raises(
        DataError, match=rf"measure \d+, beat .*the voice has no phone '{ja.phones[last].symbol}'"
    ):
        check_score(score, replace(spec, languages=(replace(ja, phones=ja.phones[:last]),)))


def test_a_voice_says_what_it_lacks(toy_exps, decoded, tmp_path):
    voice = shutil.copytree(toy_exps["acoustic"], tmp_path / "voice")
    assert find_voice(voice)["timelag"] == voice / "timelag.pt"
    assert (voice / "duration.pt").read_bytes() == (toy_exps["duration"] / "model.pt").read_bytes()
    (voice / "timelag.pt").unlink()
    with pytest.raises(DataError, match=r"no timelag.pt, the timelag model; run the recipe to stage 5"):
        find_voice(voice)
    with pytest.raises(DataError, match="no model.pt, the acoustic model|no timelag.pt"):
        find_voice(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        find_voice(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no such folder"):
        find_voice(voice / "model.pt")


def test_models_in_each_other_s_place_are_refused(toy_dump, toy_exps, tmp_path):
    wrong = {**toy_exps, "timelag": toy_exps["duration"]}
    with pytest.raises(DataError, match="holds a duration model, a timelag model is needed"):
        decode(toy_dump, "eval", tmp_path / "out", **wrong)
    with pytest.raises(DataError, match="no such model; train it first"):
        decode(toy_dump, "eval", tmp_path / "out", **{**toy_exps, "acoustic": tmp_path / "none"})
    assert not (tmp_path / "out").exists()


def test_models_of_other_features_are_refused(toy_exps, tmp_path):
    dump = make_dump(tmp_path / "dump", {"train": 2, "eval": 1}, frame_shift=0.01)
    with pytest.raises(DataError, match="other frame_shift; train it again"):
        decode(dump, "eval", tmp_path / "out", **toy_exps)


def test_decoding_natural_features_copies_them(toy_dump, tmp_path):
    assert decode_natural(toy_dump, "eval", tmp_path)
    assert decode_natural(toy_dump, "eval", tmp_path) is False
    for name in ("duration", "time_lag", *STREAMS):
        there, here = (
            FeatureReader(toy_dump / "eval" / f"{name}.scp"),
            FeatureReader(tmp_path / f"{name}.scp"),
        )
        assert list(there) == list(here)
        assert all(np.array_equal(there[utt], here[utt]) for utt in there)
    labels = read_ctm(tmp_path / "pred.ctm")
    assert all(labels[u][-1].end == pytest.approx(s.duration, abs=0.003) for u, s in scores(toy_dump).items())


def test_vocoding_writes_phrases_and_songs(decoded, tmp_path):
    folder = shutil.copytree(decoded, tmp_path / "decode")
    for scp in folder.glob("*.scp"):
        scp.write_text(scp.read_text().replace(str(decoded), str(folder)))
    utts = list(FeatureReader(folder / "lf0.scp"))
    write_table(folder / "segments", {u: f"song {10 * i + 0.5} {10 * i + 9}" for i, u in enumerate(utts)})
    assert vocode(folder) is True
    first = {p.name: p.read_bytes() for p in folder.rglob("*.wav")}
    assert set(first) == {"song.wav", *(f"{u}.wav" for u in utts)}
    assert vocode(folder, nj=2) is False, "the number of processes is no reason to do it again"
    song, rate = soundfile.read(folder / "songs" / "song.wav")
    last, _ = soundfile.read(folder / "wav" / f"{utts[-1]}.wav")
    assert len(song) == (10 * (len(utts) - 1) + 0.5) * rate + len(last)
    assert set(read_table(folder / "wav.scp")) == set(utts)
    (folder / "wav.scp").unlink()
    assert vocode(folder, nj=2) is True
    assert {p.name: p.read_bytes() for p in folder.rglob("*.wav")} == first


def test_waveforms_of_two_vocoders_stand_side_by_side(decoded, toy_exps, spec, tmp_path):
    config = Config.read(ROOT / "conf" / "vocoder" / "world.yaml")
    exp = tmp_path / "vocoder_hum"
    save_model(exp / "model.pt", config.build(spec), config, {})
    folder, other = tmp_path / "decode" / "eval", tmp_path / "decode_hum" / "eval"
    shutil.copytree(decoded, folder)
    voice = shutil.copytree(toy_exps["acoustic"], tmp_path / "voice")
    assert vocode(folder) and vocode(folder, vocoder=exp, out=other, voice=voice)
    assert not vocode(folder) and not vocode(folder, vocoder=exp, out=other, voice=voice)
    here, there = System("a", folder), System("b", other)
    assert (here.vocoder, there.vocoder) == ("World", "World of vocoder_hum")
    for utt in here.wavs:
        assert here.wavs[utt].is_relative_to(folder) and there.wavs[utt].is_relative_to(other)
        assert here.wavs[utt].read_bytes() == there.wavs[utt].read_bytes()
    assert {p.name for p in other.iterdir()} >= {"pred.ctm", "score", "schema.json", "lf0.scp", "timing.json"}
    assert there.rtf() > 0 and list(FeatureReader(other / "lf0.scp")) == list(here.wavs)
    assert (voice / "vocoder.pt").read_bytes() == (exp / "model.pt").read_bytes()
    assert find_voice(voice)["vocoder"] == voice / "vocoder.pt"
    assert type(Singer.load(voice).vocoder).__name__ == "World"
    save_model(exp / "model.pt", config.build(spec), config, {"epoch": 2})
    assert vocode(folder, vocoder=exp, out=other, voice=voice), "another vocoder of that name"
    assert not vocode(folder)


def test_one_that_learns_nothing_goes_by_its_name(decoded, toy_exps, spec, tmp_path, capfd):
    config = Config.read(ROOT / "conf" / "vocoder" / "hn.yaml")
    save_model(tmp_path / "exp" / "model.pt", config.build(spec), config, {})
    folder, voice = tmp_path / "named", shutil.copytree(toy_exps["acoustic"], tmp_path / "voice")
    command = ["vocode", "--decode-dir", str(decoded), "--voice", str(voice), "--vocoder"]
    assert main([*command, "hn", "--out", str(folder)]) == 0
    assert not vocode(decoded, vocoder="hn", out=folder, voice=voice)
    assert vocode(decoded, vocoder=tmp_path / "exp", out=tmp_path / "by_path")
    named = System("a", folder)
    assert named.vocoder == "Hn" and len(named.wavs) > 1
    for utt, path in System("b", tmp_path / "by_path").wavs.items():
        assert named.wavs[utt].read_bytes() == path.read_bytes()
    assert type(Singer.load(voice).vocoder).__name__ == "Hn"
    assert vocode(decoded, vocoder="world", out=folder) and System("a", folder).vocoder == "World"
    capfd.readouterr()
    for name, why in (
        ("hm", "no such checkpoint, and no vocoder that learns nothing (did you mean 'hn'?); there are "),
        ("nsf_hifigan", "is the name of a vocoder that learns: give the exp dir of one"),
        ("griffin_lim", "the vocoder needs mel, which these features lack"),
    ):
        assert main([*command, name, "--out", str(tmp_path / "none")]) == 1
        said = capfd.readouterr().err
        assert f"{name}: {why}" in said and said.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_vocoding_without_features_says_so(decoded, tmp_path):
    with pytest.raises(DataError, match="schema.json: no such file"):
        vocode(tmp_path)
    shutil.copy(decoded / "schema.json", tmp_path)
    with pytest.raises(DataError, match="no lf0 to make a waveform of; decode first"):
        vocode(tmp_path)


def test_the_state_of_the_random_generator_does_not_matter(toy_dump, singer):
    score = next(iter(scores(toy_dump).values()))
    torch.manual_seed(99)
    first = singer.sing(score).waveform
    torch.manual_seed(7)
    np.testing.assert_array_equal(first, singer.sing(score).waveform)


def counted(monkeypatch) -> list[str]:
    """Names of the tables that are opened from now on."""
    opened = []
    original = FeatureReader.__init__
    monkeypatch.setattr(
        FeatureReader, "__init__", lambda self, scp: opened.append(Path(scp).name) or original(self, scp)
    )
    return opened


def test_each_table_is_opened_once_however_many_utterances(toy_dump, toy_exps, tmp_path, monkeypatch):
    opened = counted(monkeypatch)
    assert decode(toy_dump, "eval", tmp_path / "out", **toy_exps)
    assert len(opened) == len(set(opened)) and opened
    opened.clear()
    assert vocode(tmp_path / "out")
    assert sorted(opened) == ["bap.scp", "lf0.scp", "mgc.scp", "vuv.scp"]


def test_tables_are_sorted_and_the_same_whatever_the_batches(toy_dump, toy_exps, tmp_path, monkeypatch):
    from nnsvs_lite.synthesis import predict

    assert decode(toy_dump, "eval", tmp_path / "one", **toy_exps)
    defaults = (1, *predict.predict_acoustic.__defaults__[1:])
    monkeypatch.setattr(predict.predict_acoustic, "__defaults__", defaults)
    assert decode(toy_dump, "eval", tmp_path / "two", **toy_exps)
    for name in STREAMS:
        a, b = (FeatureReader(tmp_path / n / f"{name}.scp") for n in ("one", "two"))
        assert list(a) == list(b) == sorted(a)
        for utt in a:
            np.testing.assert_allclose(a[utt], b[utt], atol=1e-4)
