"""Stage 2 as a whole: tables, restarts, job counts, faults."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from features_corpus import make_corpus
from killing import until

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features import extract as stage
from nnsvs_lite.features.config import F0Config, FeatureConfig, MelConfig, WorldConfig
from nnsvs_lite.features.extract import Extraction
from nnsvs_lite.features.spec import SCORE_TABLES, Spec
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table

WORLD = FeatureConfig(24000, 0.005, world=WorldConfig())
CONF = Path(__file__).parents[1] / "conf" / "features"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, n_utts=10)
    return folder / "data"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(stage, "BLOCK", 2)


def run(data, out, config=WORLD):
    extraction = Extraction(data, out, config)
    extraction.run_all(1)
    return extraction.collect()


def tables(folder):
    """Every table's bytes, the scp's without the folder that it was written to."""
    found = {
        p.name: p.read_bytes().replace(os.fsencode(folder), b"")
        for p in sorted(folder.iterdir())
        if p.is_file()
    }
    return {name: value for name, value in found.items() if not name.startswith(".")}


def load(folder, utt):
    names = [*SCORE_TABLES, *Spec.read(folder, stats=False).streams]
    return {name: FeatureReader(folder / f"{name}.scp")[utt] for name in names}


@pytest.mark.parametrize(
    ("rate", "config"),
    [
        (24000, FeatureConfig(24000, 0.005, world=WorldConfig(), mel=MelConfig())),
        (48000, FeatureConfig(48000, 0.005, world=WorldConfig())),
        (24000, FeatureConfig(24000, hop_size=128, world=WorldConfig(), mel=MelConfig())),
        (44100, FeatureConfig(24000, 0.005, world=WorldConfig())),
        (22050, FeatureConfig(22050, 0.01, mel=MelConfig(fmax=11025))),
    ],
    ids=["24k-5ms", "48k-5ms", "24k-5.33ms", "resampled", "mel-10ms"],
)
def test_every_table_has_the_right_times(tmp_path, rate, config):
    lag = 0.03
    make_corpus(tmp_path, n_utts=2, rate=rate, lag=lag)
    run(tmp_path / "data", tmp_path / "dump" / "train", config)
    data, shift = DataDir.read(tmp_path / "data"), config.frame_shift
    for utt in data.utts:
        value = load(tmp_path / "dump" / "train", utt)
        ends = np.cumsum(value["duration"][:, 0])
        assert ends == pytest.approx([s.end / shift for s in data.labels[utt]], abs=0.5)
        assert {len(value[name]) for name in config.streams} == {int(ends[-1])}
        assert value["note_time"].dtype == np.float64
        assert value["note_time"].ravel().tolist() == [
            t for n in data.scores[utt].notes for t in (n.start, n.end)
        ]
        # Score time plus lag is the frame where the note was sung.
        starts = value["note_time"][1:, 0] / shift + value["time_lag"][1:, 0]
        assert starts == pytest.approx(ends[:-1], abs=1e-3)
        assert value["time_lag"][1:, 0] * shift == pytest.approx(lag, abs=0.5 * shift + 1e-6)
        assert value["note_index"][:, 0].tolist() == data.scores[utt].note_index
        # Each note's middle is voiced and at its pitch; rests are unvoiced.
        for k, note in enumerate(data.scores[utt].notes):
            a, b = int(ends[k] - value["duration"][k, 0]), int(ends[k])
            if note.pitch:
                third = (b - a) // 3
                expected = np.log(440) + (note.pitch - 69) * np.log(2) / 12
                assert value["vuv"][a + third : b - third].all()
                assert value["lf0"][a + third : b - third] == pytest.approx(expected, abs=0.006)
            else:
                assert not value["vuv"][a:b].any()


def test_schema_and_copied_tables(corpus, tmp_path):
    run(corpus, tmp_path / "world" / "train")
    spec = Spec.read(tmp_path / "world", stats=False)
    assert spec == Spec.read(tmp_path / "world" / "train", stats=False)
    assert spec.streams == {"lf0": 1, "vuv": 1, "mgc": 60, "bap": 3}
    assert spec.feature_config == WORLD and spec.frame_shift == 0.005 and spec.sample_rate == 24000
    assert (spec.codes, spec.speakers) == (["ja"], ("a",))
    value = load(tmp_path / "world" / "train", "a_003")
    assert value["note_context"][1, spec.column("note", "pitch")] == 63
    number = int(value["phone_context"][1, spec.column("phone", "phone")])
    assert spec.phones[number - 1] == "a"
    for name in ("utt2spk", "score"):
        assert read_table(tmp_path / "world" / "train" / name) == read_table(corpus / name)
    with pytest.raises(DataError, match="no note column 'colour'"):
        spec.column("note", "colour")
    for utt in DataDir.read(corpus).utts:
        value = load(tmp_path / "world" / "train", utt)
        assert int(read_table(tmp_path / "world" / "train" / "utt2num_frames")[utt]) == len(value["lf0"])
        assert int(read_table(tmp_path / "world" / "train" / "utt2num_phones")[utt]) == len(value["duration"])


def test_the_schema_of_a_dump_knows_the_speakers_of_all_its_sets(tmp_path):
    for name, speaker in (("train", "b"), ("dev", "a")):
        make_corpus(tmp_path / name, n_utts=1)
        data = DataDir.read(tmp_path / name / "data")
        dataclasses.replace(data, utt2spk=dict.fromkeys(data.utt2spk, speaker)).write()
        run(tmp_path / name / "data", tmp_path / "dump" / name)
    assert Spec.read(tmp_path / "dump", stats=False).speakers == ("a", "b")
    # With another configuration a set stands alone until the others follow.
    run(tmp_path / "dev" / "data", tmp_path / "dump" / "dev", dataclasses.replace(WORLD, dither=0.0))
    assert Spec.read(tmp_path / "dump", stats=False).speakers == ("a",)


def test_sets_collected_at_one_time_are_all_in_the_schema(tmp_path):
    """The first process is stopped between reading the other sets and writing what it knows of them."""
    parts = {}
    for name, speaker in (("train", "b"), ("dev", "a")):
        make_corpus(tmp_path / name, n_utts=1)
        data = DataDir.read(tmp_path / name / "data")
        dataclasses.replace(data, utt2spk=dict.fromkeys(data.utt2spk, speaker)).write()
        parts[name] = Extraction(tmp_path / name / "data", tmp_path / "dump" / name, WORLD)
        parts[name].run_all(1)
    merge, waiting, go = stage._of_all_sets, tmp_path / "waiting", tmp_path / "go"

    def slow(spec, dump):
        found = merge(spec, dump)
        if not waiting.exists():
            waiting.touch()
            until(go.exists)
        return found

    pid = os.fork()
    if pid == 0:
        stage._of_all_sets = slow
        parts["train"].collect()
        os._exit(0)
    until(waiting.exists)
    parts["dev"].collect()
    go.touch()
    assert os.waitpid(pid, 0)[1] == 0
    assert Spec.read(tmp_path / "dump", stats=False).speakers == ("a", "b")


def test_any_sharing_of_the_work_gives_the_same_bytes(corpus, tmp_path):
    run(corpus, tmp_path / "one" / "train")
    expected = tables(tmp_path / "one" / "train")
    jobs = Extraction(corpus, tmp_path / "jobs" / "train", WORLD)
    for job in (3, 1, 2):
        Extraction(corpus, tmp_path / "jobs" / "train", WORLD).run_job(job, 3)
    jobs.collect()
    assert tables(tmp_path / "jobs" / "train") == expected
    pool = Extraction(corpus, tmp_path / "pool" / "train", WORLD)
    stage_block, stage.BLOCK = stage.BLOCK, 8  # workers are new processes with the usual block
    try:
        pool.run_all(2)
        pool.collect()
    finally:
        stage.BLOCK = stage_block
    assert tables(tmp_path / "pool" / "train") == expected


def test_collecting_too_early_says_what_is_missing(corpus, tmp_path):
    extraction = Extraction(corpus, tmp_path / "train", WORLD)
    extraction.run_job(1, 2)
    with pytest.raises(DataError, match="2 of 5 blocks.*a_002"):
        extraction.collect()
    assert not (tmp_path / "train" / "mgc.scp").exists()


class Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.parametrize("point", range(10))
def test_a_run_killed_anywhere_ends_with_the_same_bytes(corpus, tmp_path, monkeypatch, point):
    """Kill points 0-4: before block n is renamed; 5-9: while table n is being collected."""
    run(corpus, tmp_path / "whole" / "train")
    out = tmp_path / "cut" / "train"
    count = 0

    def kill_at(when, function):
        def wrapped(*args, **kwargs):
            nonlocal count
            if count == when:
                raise Killed
            count += 1
            return function(*args, **kwargs)

        return wrapped

    with monkeypatch.context() as patch, pytest.raises(Killed):
        if point < 5:
            patch.setattr(stage, "write_json", kill_at(point, stage.write_json))
        else:
            patch.setattr(stage, "check_lengths", kill_at(2 * (point - 5), stage.check_lengths))
        run(corpus, out)
    assert not Extraction(corpus, out, WORLD).done().is_current()
    done = [block for block in range(5) if Extraction(corpus, out, WORLD).is_done(block)]
    assert len(done) == min(point, 5)

    analysed = []
    original = stage.write_features
    monkeypatch.setattr(
        stage, "write_features", lambda folder, *rest: (analysed.append(folder), original(folder, *rest))
    )
    run(corpus, out)
    assert len(analysed) == 5 - len(done) + 1
    assert tables(out) == tables(tmp_path / "whole" / "train")
    assert not (out / ".shards").exists()
    assert not [p for p in out.parent.rglob("*.tmp*")]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [1.2, 2.0])
def test_a_killed_process_can_be_run_again(tmp_path, seconds):
    data = make_corpus(tmp_path, n_utts=40).path
    command = [sys.executable, "-m", "nnsvs_lite.bin.main", "extract", "--data", str(data), "--nj", "2"]
    command += ["--config", str(CONF / "world_24k.yaml"), "--out"]
    subprocess.run([*command, str(tmp_path / "whole" / "train")], check=True, capture_output=True)
    cut = tmp_path / "cut" / "train"
    process = subprocess.Popen(
        [*command, str(cut)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    subprocess.run([*command, str(cut)], check=True, capture_output=True)
    assert tables(cut) == tables(tmp_path / "whole" / "train")


def test_only_what_changed_is_done_again(tmp_path):
    data = make_corpus(tmp_path, n_utts=6)
    out = tmp_path / "dump" / "train"
    extraction = Extraction(data.path, out, WORLD)
    extraction.run_all(1)
    data.labels["a_003"][1] = Segment(0.0, 0.3, "a")
    data.labels["a_003"][0] = Segment(0.0, 0.26, "pau")
    data.labels["a_003"][1] = Segment(0.26, data.labels["a_003"][1].end, "a")
    data.write()
    again = Extraction(data.path, out, WORLD)
    assert [again.is_done(block) for block in range(3)] == [True, False, True]
    other = Extraction(data.path, out, dataclasses.replace(WORLD, f0=F0Config(margin=7)))
    assert not any(other.is_done(block) for block in range(3))


def test_up_to_date_until_something_changes(tmp_path):
    data = make_corpus(tmp_path, n_utts=2)
    out = tmp_path / "dump" / "train"
    run(data.path, out)
    assert Extraction(data.path, out, WORLD).done().is_current()
    assert not Extraction(data.path, out, dataclasses.replace(WORLD, dither=0.0)).done().is_current()
    (out / "lf0.ark").rename(tmp_path / "lf0.ark")
    assert not Extraction(data.path, out, WORLD).done().is_current()
    (tmp_path / "lf0.ark").rename(out / "lf0.ark")
    assert Extraction(data.path, out, WORLD).done().is_current()
    wav = data.wavs["a_000"]
    x, rate = soundfile.read(str(wav))
    before = wav.stat()
    soundfile.write(str(wav), x * 0.5, rate)
    os.utime(wav, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert wav.stat().st_size == before.st_size
    # Neither size nor time tells.
    edited = Extraction(data.path, out, WORLD)
    assert not edited.done().is_current() and not edited.is_done(0)


def silence(data):
    soundfile.write(str(data.wavs["a_001"]), np.zeros(30000), 24000)


def noise(data):
    rng = np.random.default_rng(0)
    soundfile.write(str(data.wavs["a_001"]), 0.01 * rng.standard_normal(30000), 24000)


def short(data):
    soundfile.write(str(data.wavs["a_001"]), soundfile.read(str(data.wavs["a_001"]))[0][:20000], 24000)


def stereo(data):
    soundfile.write(str(data.wavs["a_001"]), np.zeros((30000, 2)), 24000)


def no_labels(data):
    del data.labels["a_001"]
    data.write()


def no_score(data):
    del data.scores["a_001"]
    data.write()


def other_phones(data):
    data.labels["a_001"][1] = data.labels["a_001"][1]._replace(label="i")
    data.write()


def gone(data):
    data.wavs["a_001"].unlink()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (silence, "silent"),
        (noise, "no F0 found between"),
        (short, "labels end .* after the audio"),
        (stereo, "2 channels"),
        (no_labels, "no phone times"),
        (no_score, "no score"),
        (other_phones, "'i' in the labels"),
        (gone, "cannot be read"),
    ],
)
def test_an_utterance_that_cannot_be_analysed_is_named(tmp_path, capsys, fault, words):
    fault(make_corpus(tmp_path, n_utts=3))
    out = tmp_path / "dump" / "train"
    with pytest.raises(DataError, match=rf"1 utterances.*a_001.*{words}"):
        run(tmp_path / "data", out)
    assert "a_001" in capsys.readouterr().err
    # Nothing half-written; the other block is kept for the next run.
    assert not (out / "mgc.scp").exists() and not (tmp_path / "dump" / "schema.json").exists()
    assert Extraction(tmp_path / "data", out, WORLD).is_done(1)


def test_rates_are_not_mixed_where_that_is_forbidden(tmp_path):
    make_corpus(tmp_path, n_utts=1, rate=44100)
    with pytest.raises(DataError, match="a_000: is recorded at 44100 Hz.*resample: true"):
        run(tmp_path / "data", tmp_path / "dump" / "train", dataclasses.replace(WORLD, resample=False))


def test_labels_may_silence_voiceless_phones(tmp_path):
    data = make_corpus(tmp_path, n_utts=1)
    utt = "a_000"
    notes = list(data.scores[utt].notes)
    notes[1] = dataclasses.replace(notes[1], phones=("s", "a"), lyric="さ")
    data.scores[utt] = dataclasses.replace(data.scores[utt], notes=tuple(notes))
    first = data.labels[utt][1]
    middle = first.start + 0.1
    data.labels[utt][1:2] = [Segment(first.start, middle, "s"), Segment(middle, first.end, "a")]
    data.write()
    frames = slice(round(first.start / 0.005) + 4, round(middle / 0.005))
    for option, voiced in (("rests", 1.0), ("phones", 0.0)):
        out = tmp_path / option / "train"
        run(data.path, out, dataclasses.replace(WORLD, f0=F0Config(vuv_labels=option)))
        assert load(out, utt)["vuv"][frames].mean() == voiced


def test_program(tmp_path, capsys):
    from nnsvs_lite.bin.main import main

    data = make_corpus(tmp_path, n_utts=3)
    common = ["--data", str(data.path), "--out", str(tmp_path / "dump" / "train")]
    common += ["--config", str(CONF / "world_24k.yaml")]
    assert main(["extract", *common, "--nj", "2", "--job", "1"]) == 0
    assert main(["extract", *common, "--collect"]) == 1
    assert "blocks are not analysed" in capsys.readouterr().err
    assert main(["extract", *common, "--nj", "2", "--job", "3"]) == 1
    assert main(["extract", *common, "--nj", "2", "--job", "2"]) == 0
    assert main(["extract", *common, "--collect"]) == 0
    assert main(["extract", *common]) == 0
    assert "up to date" in capsys.readouterr().out
    assert main(["stats", "--dump", str(tmp_path / "dump")]) == 0
    assert main(["stats", "--dump", str(tmp_path / "dump")]) == 0
    assert "up to date" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "data")
    assert main(["extract", *common]) == 1
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("writes", [3, 70])
def test_a_full_disk_is_said_plainly_and_leaves_nothing_half_written(corpus, tmp_path, monkeypatch, writes):
    """The disk fills up in the first block, and while the tables are collected."""
    import errno

    import kaldiio

    count, original = 0, kaldiio.matio.write_array

    def write(*args, **kwargs):
        nonlocal count
        count += 1
        if count > writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*args, **kwargs)

    mel = FeatureConfig(24000, 0.005, mel=MelConfig(bins=8, fft_size=512, win_size=512))
    if writes > 10:
        Extraction(corpus, tmp_path / "train", mel).run_all(1)
    monkeypatch.setattr(kaldiio.matio, "write_array", write)
    with pytest.raises(DataError, match="disk is full"):
        run(corpus, tmp_path / "train", mel)
    left = [p for p in tmp_path.rglob("*") if p.is_file() and ".shards" not in p.parts]
    assert left == []
    monkeypatch.setattr(kaldiio.matio, "write_array", original)
    run(corpus, tmp_path / "train", mel)
