"""Statistics: known answers, stable sums, phones."""

import re
import shutil

import numpy as np
import pytest
from features_corpus import make_corpus

from nnsvs_lite.features.config import FeatureConfig, WorldConfig
from nnsvs_lite.features.extract import SCORE_TABLES, Extraction
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.stats import Accumulator, compute_stats, stats_done
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter

CONFIG = FeatureConfig(24000, 0.005, world=WorldConfig())


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, n_utts=4, lag=0.02)
    extraction = Extraction(folder / "data", folder / "dump" / "train", CONFIG)
    extraction.run_all(1)
    extraction.collect()
    return folder / "dump"


def rows(dump, name):
    reader = FeatureReader(dump / "train" / f"{name}.scp")
    return {utt: reader[utt].astype(np.float64) for utt in reader}


def test_pieces_add_up():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 3)).astype(np.float32) + 1e4
    whole = Accumulator(3)
    for piece in np.split(x, [0, 1, 5, 400]):
        whole.add(piece)
    m = whole.moments()
    exact = x.astype(np.float64)
    assert whole.count == 1000
    assert m.mean == pytest.approx(exact.mean(axis=0), rel=1e-12)
    assert m.std == pytest.approx(exact.std(axis=0), rel=1e-9)
    assert (m.min == exact.min(axis=0)).all() and (m.max == exact.max(axis=0)).all()


def test_constant_and_empty_columns_divide_safely():
    a = Accumulator(2)
    a.add(np.tile([0.1, 5000.3], (999, 1)).astype(np.float32))
    assert a.moments().std == (1.0, 1.0)
    empty = Accumulator(1).moments()
    assert (empty.mean, empty.std) == ((0.0,), (1.0,))


def test_streams_and_contexts_agree_with_numpy(dump):
    stats = compute_stats(dump)
    for name, moments in {**stats.streams, "note_context": stats.note_context}.items():
        all_rows = np.concatenate(list(rows(dump, name).values()))
        assert moments.mean == pytest.approx(all_rows.mean(axis=0), abs=1e-9)
        spread = all_rows.std(axis=0)
        varies = spread > 1e-6
        assert np.array(moments.std)[varies] == pytest.approx(spread[varies], rel=1e-6)
        assert (moments.max == all_rows.max(axis=0)).all()
    assert list(stats.streams) == ["lf0", "vuv", "mgc", "bap"]


def test_phones_lags_and_residuals(dump):
    stats = compute_stats(dump)
    assert set(stats.phones) == {"pau", "a"}
    a, pau = stats.phones["a"], stats.phones["pau"]
    assert (a.count, pau.count) == (12, 8)
    assert a.frames + pau.frames == sum(r.sum() for r in rows(dump, "duration").values())
    assert a.duration_mean == pytest.approx(50, abs=0.5)
    assert pau.duration_std == pytest.approx(4, abs=0.5)  # 54 before, 46 after
    assert a.vuv_mean > 0.9 and pau.vuv_mean == 0
    assert stats.time_lag.mean == pytest.approx([4.0], abs=0.1)
    assert abs(stats.lf0_residual.mean[0]) < 0.01
    assert len(a.stream_mean["mgc"]) == 60 and len(a.stream_mean["bap"]) == 3
    frames = {}
    for utt, mgc in rows(dump, "mgc").items():
        ends = np.cumsum(rows(dump, "duration")[utt][:, 0]).astype(int)
        frames.setdefault("a", []).append(mgc[ends[0] : ends[-2]])
    assert a.stream_mean["mgc"] == pytest.approx(np.concatenate(frames["a"]).mean(axis=0), abs=1e-6)


def test_the_variance_of_utterances_is_over_notes_alone(dump):
    stats = compute_stats(dump)
    assert set(stats.gv) == {"mgc", "bap"}
    pitch = Spec.read(dump, stats=False).column("note", "pitch")
    variances = []
    for utt, mgc in rows(dump, "mgc").items():
        note = rows(dump, "note_index")[utt][:, 0].astype(int)
        phone = np.repeat(np.arange(len(note)), rows(dump, "duration")[utt][:, 0].astype(int))
        sung = rows(dump, "note_context")[utt][note[phone], pitch] > 0
        assert 0 < sung.sum() < len(sung)
        variances.append(mgc[sung].var(axis=0))
    assert stats.gv["mgc"] == pytest.approx(np.mean(variances, axis=0), rel=1e-9)


def test_file_round_trip_and_contract(dump):
    stats = compute_stats(dump)
    stats.write(dump)
    assert Spec.read(dump).stats == stats
    raw = read_json(dump / "stats.json")
    assert set(raw) >= {"streams", "note_context", "phone_context", "phones", "time_lag", "lf0_residual"}
    assert set(raw["phones"]["a"]["stream_mean"]) == {"mgc", "bap"}
    assert {"mean", "std"} <= set(raw["time_lag"])


@pytest.mark.parametrize("name", ["schema.json", "stats.json"])
def test_every_changed_digit_is_noticed(dump, tmp_path, name):
    shutil.copytree(dump, tmp_path / "dump")
    compute_stats(tmp_path / "dump").write(tmp_path / "dump")
    path = tmp_path / "dump" / name
    whole, spec = path.read_text(), Spec.read(tmp_path / "dump")
    digits = [i for i, c in enumerate(whole) if c.isdigit()]
    assert len(digits) > 100
    noticed = 0
    for at in digits[:: len(digits) // 100 + 1]:
        path.write_text(whole[:at] + str((int(whole[at]) + 1) % 10) + whole[at + 1 :])
        try:
            # The last of seventeen digits may say nothing.
            assert Spec.read(tmp_path / "dump") == spec
        except DataError as error:
            assert str(path.parent) in str(error)
            noticed += "is not as it was written; remove it" in str(error)
    assert noticed > 40
    # Files of older versions have no sum.
    path.write_text(re.sub(r',\s*"crc": "[0-9a-f]{8}"', "", whole))
    assert "crc" in whole and "crc" not in path.read_text()
    assert Spec.read(tmp_path / "dump") == spec


def test_only_the_training_set_counts(dump, tmp_path):
    before = compute_stats(dump)
    make_corpus(tmp_path, n_utts=1, lag=0.05)
    extraction = Extraction(tmp_path / "data", dump / "dev", CONFIG)
    extraction.run_all(1)
    extraction.collect()
    assert compute_stats(dump) == before
    assert compute_stats(dump, "dev") != before


def test_up_to_date_until_the_training_set_changes(dump, monkeypatch):
    done = stats_done(dump, "train")
    compute_stats(dump).write(dump)
    done.set([dump / "stats.json"])
    assert stats_done(dump, "train").is_current()
    assert not stats_done(dump, "dev").is_current()
    with monkeypatch.context() as patch:
        patch.setattr("nnsvs_lite.features.stats.STATISTICS", 0)
        assert not stats_done(dump, "train").is_current()
    ark = dump / "train" / "vuv.ark"
    ark.write_bytes(ark.read_bytes())
    assert stats_done(dump, "train").is_current()
    (dump / "stats.json").unlink()
    assert not stats_done(dump, "train").is_current()


def test_what_is_missing_is_named(dump, tmp_path):
    with pytest.raises(DataError, match="schema.json: no such file"):
        compute_stats(tmp_path)
    with pytest.raises(DataError, match="test: no such set"):
        compute_stats(dump, "test")
    assert set(SCORE_TABLES) == {
        "note_context",
        "phone_context",
        "note_index",
        "note_time",
        "time_lag",
        "duration",
    }


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("mgc", lambda m: m[:, :-1], "mgc is .*, .* is needed"),
        ("phone_context", lambda m: m[:, 1:], "phone_context is .* is needed"),
        ("phone_context", lambda m: m * 0 + 9999, "has phones that schema.json lacks"),
        ("note_index", lambda m: m + 1000, "a phone.s note_index or duration cannot be"),
        ("note_index", lambda m: m - 1, "a phone.s note_index or duration cannot be"),
        ("duration", lambda m: m * 1e30, "lf0 is .* is needed"),
        ("note_time", lambda m: m[:, 0], "note_time is .* is needed"),
    ],
)
def test_tables_of_another_dump_are_refused(toy_dump, tmp_path, name, change, message):
    folder = shutil.copytree(toy_dump, tmp_path / "dump")
    rows = dict(FeatureReader(toy_dump / "train" / f"{name}.scp"))
    with FeatureWriter(folder / "train", name) as writer:
        for utt, value in rows.items():
            writer.write(utt, change(value))
    with pytest.raises(DataError, match=f"train: toy_train000: {message}"):
        compute_stats(folder)
