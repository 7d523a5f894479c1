"""Movement within vowels: what was quick in the singer's vowels is sung again, in vowels alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import batch_of, examples
from toy import make_dump

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.movement import BEYOND, FADE, FIRST, FULL, LAST, Movement

SHIFT = 0.005


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> Spec:
    folder = make_dump(tmp_path_factory.mktemp("movement"), {"train": 4}, mgc=28)
    return replace(Spec.read(folder), speakers=("a", "b")), folder


@pytest.fixture(scope="module")
def items(spec):
    """Spectra that stand still but for sines of 20 Hz, of size 1, and a drift that is slow."""
    spec, folder = spec
    rows = []
    for item in examples(folder, "train", spec):
        t = np.arange(item.frames)[:, None] * SHIFT
        mgc = np.sin(2 * np.pi * 20 * t) + 0.3 * t + np.zeros((1, 28))
        rows.append(replace(item, streams={**item.streams, "mgc": mgc.astype(np.float32)}))
    return rows


@pytest.fixture(scope="module")
def layer(spec, items) -> Movement:
    layer = Movement(spec[0], 0.5)
    assert layer.strength == pytest.approx(0.5 * (600 / (600 + spec[0].phone_count)) ** 0.5)
    layer.strength = 0.5
    layer.fit(items)
    return layer


def added(layer: Movement, batch) -> torch.Tensor:
    still = {name: torch.zeros_like(value) for name, value in batch.streams.items()}
    out = layer(still, batch, phone_of_frame(batch))
    assert all(out[name] is still[name] for name in out if name != "mgc")
    return out["mgc"]


def test_half_of_what_was_quick_is_sung_in_vowels_and_nowhere_else(spec, items, layer):
    batch = batch_of(items[:1], spec[0])
    phone = phone_of_frame(batch)
    vowel = batch.score.phone_context[0, phone[0], spec[0].column("phone", "is_vowel")] > 0
    move = added(layer, batch)[0]
    assert not move[~vowel].any() and not move[:, : FIRST + 1].any()
    ends = batch.score.duration[0].cumsum(0)
    spread = []
    for p in range(len(ends)):
        frames = slice(int(ends[p] - batch.score.duration[0, p]) + 4, int(ends[p]) - 4)
        if vowel[frames].any() and frames.stop - frames.start > 60:
            spread.append(move[frames, FULL : LAST + 1].std(0))
    # A sine of size 1, of which the Gaussian leaves all, at half its strength; the drift is gone.
    assert len(spread) > 1
    assert torch.cat(spread).mean() == pytest.approx(0.5 / np.sqrt(2), rel=0.1)
    torch.testing.assert_close(move[:, (FIRST + FULL) // 2], move[:, FULL] / 2)
    torch.testing.assert_close(move[:, LAST + 1], move[:, FULL] * BEYOND)
    assert move.diff(dim=0).abs().max() < 0.5 * 2 * np.pi * 20 * SHIFT + 0.5 * SHIFT / FADE, "no clicks"


def test_a_batch_is_its_members_and_seeds_change_notes(spec, items, layer):
    batch = batch_of(items, spec[0])
    together = added(layer, batch)
    for row, item in enumerate(items):
        torch.testing.assert_close(together[row, : item.frames], added(layer, batch_of([item], spec[0]))[0])
    assert not together[~batch.frame_mask].any()
    of_frame, moved = batch.score.note_index.gather(1, phone_of_frame(batch)), 0
    for note in range(int(batch.score.note_lengths[0])):
        batch.score.note_seed[0, note] += 1
        changed = (added(layer, batch) != together).any(-1)
        batch.score.note_seed[0, note] -= 1
        assert not changed[1:].any()
        assert set(of_frame[0][changed[0]].tolist()) <= {note}, "a locked note stays to the bit"
        moved += bool(changed.any())
    assert moved > 1


def test_singers_move_as_themselves(spec, items):
    still = [
        replace(e, singer=1, streams={**e.streams, "mgc": np.zeros_like(e.streams["mgc"])}) for e in items
    ]
    layer = Movement(spec[0], 1.0)
    layer.fit([*items, *still])
    assert not added(layer, batch_of(still, spec[0])).any()
    assert added(layer, batch_of(items, spec[0])).any()


def test_nothing_learnt_nothing_added_and_devices_without_memory(spec, items, layer):
    batch = batch_of(items[:2], spec[0])
    assert not added(Movement(spec[0], 1.0), batch).any()
    again = Movement(spec[0], 0.5)
    again.strength = 0.5
    again.load_state_dict(layer.state_dict())
    assert torch.equal(added(again, batch), added(layer, batch))
    meta = batch.to("meta")
    phone = torch.empty(2, batch.max_frames, dtype=torch.long, device="meta")
    assert again.to("meta")(meta.streams, meta, phone)["mgc"].is_meta
