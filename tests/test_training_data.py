"""Batches by budget and rank, and the examples they are made of."""

import shutil

import numpy as np
import pytest

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import read_summed, write_summed
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import ArkRef, FeatureReader
from nnsvs_lite.models.config import TrainingOptions
from nnsvs_lite.training.data import DumpDataset, balanced, epoch_batches, pack
from nnsvs_lite.training.update import learning_rate

LENGTHS = [int(n) for n in np.random.default_rng(0).integers(5, 400, 53)]


def padded_size(batch: list[int]) -> int:
    return max(LENGTHS[i] for i in batch) * len(batch)


def test_pack_takes_every_index_once_and_keeps_to_the_budget():
    batches = pack(LENGTHS, 1000)
    assert sorted(i for batch in batches for i in batch) == list(range(len(LENGTHS)))
    assert all(padded_size(batch) <= 1000 for batch in batches)
    assert len(batches) < len(LENGTHS)


def test_pack_fills_batches_as_far_as_it_can():
    assert pack([2, 2, 2, 2, 2], 4) == [[0, 1], [2, 3], [4]]
    assert pack([1, 2, 3], 6) == [[0, 1], [2]]
    assert pack([3, 1, 2], 9, order=[0, 1, 2]) == [[0, 1, 2]]


def test_what_is_longer_than_the_budget_goes_alone():
    assert pack([5, 50, 6], 20) == [[0, 2], [1]]
    assert pack([], 20) == []


@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("epoch", [1, 2])
def test_every_item_is_seen_exactly_once_over_all_ranks(world, epoch):
    plans = [list(epoch_batches(LENGTHS, 1000, 7, epoch, rank, world)) for rank in range(world)]
    assert len({len(plan) for plan in plans}) == 1, "ranks would wait for each other for ever"
    counted = [i for plan in plans for batch, share in plan if share for i in batch]
    assert sorted(counted) == list(range(len(LENGTHS)))
    assert {share for plan in plans for _, share in plan} <= {0.0, 1.0}
    assert all(padded_size(batch) <= 1000 for plan in plans for batch, _ in plan)


def test_more_ranks_than_items_still_make_one_step_each():
    plans = [list(epoch_batches([10, 20], 1000, 0, 1, rank, 4)) for rank in range(4)]
    assert [[share for _, share in plan] for plan in plans] == [[1.0], [1.0], [0.0], [0.0]]


def test_a_step_is_of_the_same_items_however_many_ranks_share_it():
    one = [sorted(batch) for batch, _ in epoch_batches(LENGTHS, 1000, 7, 1)]
    for world in (2, 3, 7):
        plans = [epoch_batches(LENGTHS, 1000, 7, 1, rank, world) for rank in range(world)]
        shared = [sorted(i for batch, share in step if share for i in batch) for step in zip(*plans)]
        assert shared == one


def test_batches_follow_from_seed_and_epoch_alone():
    def plan(seed: int, epoch: int):
        return list(epoch_batches(LENGTHS, 1000, seed, epoch))

    assert plan(0, 1) == plan(0, 1)
    assert plan(0, 1) != plan(1, 1)
    members = [{frozenset(batch) for batch, _ in plan(0, epoch)} for epoch in (1, 2)]
    assert members[0] != members[1], "items are put together anew each epoch"


def test_learning_rate_rises_then_falls_along_half_a_cosine():
    options = TrainingOptions(lr=1.0, warmup=10)
    assert learning_rate(options, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(options, 9, 0.0) == pytest.approx(1.0)
    assert learning_rate(options, 99, 0.5) == pytest.approx(0.505)
    assert learning_rate(options, 99, 1.0) == pytest.approx(0.01)
    assert learning_rate(TrainingOptions(lr=1.0, warmup=0), 0, 0.0) == pytest.approx(1.0)


def test_examples_are_whole_and_read_the_same_without_a_cache(toy_dump):
    spec = Spec.read(toy_dump)
    kept = DumpDataset(toy_dump, "train", spec, streams=True)
    unkept = DumpDataset(toy_dump, "train", spec, streams=True, cache=0)
    for i in range(len(kept)):
        a, b = kept[i], unkept[i]
        assert a.frames == kept.frames[i] == len(a.streams["mgc"]) == len(a.streams["lf0"])
        assert len(a.score.note_time) == len(a.score.note_context) == len(a.score.time_lag)
        assert len(a.score.phone_context) == len(a.score.duration) == len(a.score.note_index)
        np.testing.assert_array_equal(a.streams["mgc"], b.streams["mgc"])
    assert kept[0] is kept[0] and unkept[0] is not unkept[0]


@pytest.fixture
def copy(toy_dump, tmp_path):
    return shutil.copytree(toy_dump, tmp_path / "dump")


def test_tables_that_disagree_are_refused(copy):
    scp = copy / "train" / "mgc.scp"
    lines = scp.read_text().splitlines(keepends=True)
    scp.write_text("".join(lines[1:]))
    with pytest.raises(DataError, match="'toy_train000' is not in both mgc.scp and phone_context.scp"):
        DumpDataset(copy, "train", Spec.read(copy), streams=True)


@pytest.mark.parametrize("given", [{"score": True}, {"score": False, "streams": ("lf0",)}])
def test_lengths_are_those_of_a_table_and_nothing_else_is_read_for_them(copy, monkeypatch, given):
    spec, loaded = Spec.read(copy), []
    load = ArkRef.load
    monkeypatch.setattr(ArkRef, "load", lambda ref, *a: loaded.append(ref) or load(ref, *a))
    data = DumpDataset(copy, "train", spec, **given)
    phones = data.phones
    assert loaded == []
    (copy / "train" / "utt2num_phones").unlink()
    assert phones == DumpDataset(copy, "train", spec, **given).phones
    assert phones == [len(FeatureReader(copy / "train" / "phone_context.scp")[utt]) for utt in data.utts]
    assert data.frames == [len(FeatureReader(copy / "train" / "mgc.scp")[utt]) for utt in data.utts]
    lengths = copy / "train" / "utt2num_frames"
    lines = lengths.read_text().splitlines()
    lengths.write_text("\n".join(lines[2:]) + "\n")
    assert DumpDataset(copy, "train", spec, **given).frames == data.frames, (
        "of a table without all utterances"
    )
    lengths.unlink()
    assert DumpDataset(copy, "train", spec, **given).frames == data.frames, "of a dump without the table"


def test_lengths_that_are_not_those_of_the_features_are_refused(copy):
    lengths, spec = copy / "train" / "utt2num_frames", Spec.read(copy)
    name, frames = lengths.read_text().splitlines()[0].split()
    lengths.write_text(lengths.read_text().replace(f"{name} {frames}", f"{name} {int(frames) + 1}"))
    data, sung = (DumpDataset(copy, "train", spec, score=score, streams=("lf0",)) for score in (True, False))
    for one, table in ((data, "duration"), (sung, "lf0")):
        what = f"{name}: {table} has {frames} frames, {int(frames) + 1} are needed: run stage 2 again"
        with pytest.raises(DataError, match=what):
            one[0]
    lengths.write_text(f"{name} many\n")
    with pytest.raises(DataError, match=f"utt2num_frames: 'many' of {name} is no number"):
        DumpDataset(copy, "train", spec)


def test_missing_and_empty_sets_are_refused(copy):
    spec = Spec.read(copy)
    with pytest.raises(DataError, match="no such set; run stage 2 first"):
        DumpDataset(copy, "test", spec)
    for scp in (copy / "dev").glob("*.scp"):
        scp.write_text("")
    with pytest.raises(DataError, match="the set has no utterances"):
        DumpDataset(copy, "dev", spec)


def test_a_dump_of_another_version_is_refused(copy):
    write_summed(copy / "schema.json", read_summed(copy / "schema.json") | {"version": 1})
    with pytest.raises(DataError, match="features of version 1, 2 is needed: extract again"):
        Spec.read(copy)
    (copy / "stats.json").unlink()
    with pytest.raises(DataError, match="stats.json: no such file"):
        Spec.read(copy)


def test_singers_with_little_data_are_shown_more_often():
    singers, lengths = [0, 0, 1, 2], [600, 400, 100, 990]
    assert balanced(singers, lengths, 0.0) == [0, 1, 2, 3]
    assert balanced(singers, lengths, 1.0) == [0, 1, *[2] * 10, 3]
    assert balanced(singers, lengths, 0.5) == [0, 1, *[2] * 3, 3]
    assert balanced([5, 5], [3, 4], 1.0) == [0, 1]
