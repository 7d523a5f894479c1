"""A path through frames of the training set, beside means."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, build, examples, mel_spec

from nnsvs_lite.export.voicegraphs import graph_and_facts
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers import frame_path
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.frame_path import JUMP, FramePath, best_path


@pytest.fixture(scope="module")
def spec(toy_dump) -> Spec:
    return Spec.read(toy_dump)


@pytest.fixture(scope="module")
def items(toy_dump, spec):
    return examples(toy_dump, "train", spec)


@pytest.fixture(scope="module")
def fitted(spec, items) -> FramePath:
    layer = FramePath(spec, 1.0)
    layer.fit(items)
    return layer


def test_the_path_is_the_cheapest_of_all():
    """Against every path there is, two utterances of different lengths at once, three phrases of rows."""
    generator = torch.Generator().manual_seed(0)
    follows = torch.tensor([False, True, True, False, True, False])
    for jump in (0.5, 2.0, 50.0):
        cost = torch.randint(0, 4096, (2, 5, 6), generator=generator) / 1024
        lengths = torch.tensor([5, 3])
        found = best_path(cost, lengths, follows, jump)

        def price(row, path, cost=cost, jump=jump):
            joins = sum(0.0 if b == a + 1 and follows[b] else jump for a, b in zip(path, path[1:]))
            return joins + sum(float(cost[row, t, n]) for t, n in enumerate(path))

        for row, length in enumerate(lengths.tolist()):
            least = min(price(row, path) for path in product(range(6), repeat=length))
            assert price(row, found[row, :length].tolist()) == pytest.approx(least)


def test_what_was_sung_is_found_again(spec, items, fitted):
    """A phrase of the training set, told as it is, is that phrase's frames from end to end."""
    batch = batch_of(items[1:2], spec)
    out = fitted(batch.streams, batch, phone_of_frame(batch))
    share = 5000 / (5000 + spec.phone_count)
    assert fitted.share == pytest.approx(share)
    for name in ("mgc", "bap"):
        torch.testing.assert_close(out[name], batch.streams[name], atol=1e-5, rtol=1e-5)
    # Told something else than what was sung, most of it is sung all the same, one frame after another.
    other = batch.streams | {"mgc": batch.streams["mgc"] * 0.9}
    moved = fitted(other, batch, phone_of_frame(batch))["mgc"]
    found = (moved - other["mgc"] * (1 - share)) / share
    same = (found - batch.streams["mgc"]).abs().amax(-1)[0] < 1e-3
    assert same.float().mean() > 0.9
    assert out["lf0"] is batch.streams["lf0"] and out["vuv"] is batch.streams["vuv"]


def test_frames_of_another_singer_are_not_taken(spec, items):
    """The second sings the same phrases with a first mel-cepstrum that is 1 higher."""
    both = replace(spec, speakers=("a", "b"))
    higher = np.zeros(spec.streams["mgc"], np.float32)
    higher[1] = 1.0
    others = [replace(e, singer=1, streams={**e.streams, "mgc": e.streams["mgc"] + higher}) for e in items]
    layer = FramePath(both, 1.0)
    layer.fit([*items[:2], *others[:2]])
    layer.share = 1.0
    for singer in (0, 1):
        batch = batch_of([replace(items[0], singer=singer)], both)
        out = layer(batch.streams, batch, phone_of_frame(batch))["mgc"]
        torch.testing.assert_close(out, batch.streams["mgc"] + torch.tensor(higher * singer))


def test_a_batch_is_its_members(spec, items, fitted):
    batch = batch_of(items[:3], spec)
    dull = batch.streams | {"mgc": batch.streams["mgc"] * 0.7}
    together = fitted(dull, batch, phone_of_frame(batch))
    for row, item in enumerate(items[:3]):
        alone = batch_of([item], spec)
        said = alone.streams | {"mgc": alone.streams["mgc"] * 0.7}
        for name, value in fitted(said, alone, phone_of_frame(alone)).items():
            torch.testing.assert_close(together[name][row, : item.frames], value[0], atol=1e-4, rtol=1e-4)


def test_memory_is_bounded_by_leaving_out_phrases(spec, items, monkeypatch):
    monkeypatch.setattr(frame_path, "FRAMES", items[0].frames + items[-1].frames)
    small = FramePath(spec, 1.0)
    small.fit(items)
    kept = small.kind.tolist()
    assert len(kept) == items[0].frames + items[-1].frames
    assert kept.count(1) >= 2 and kept.count(0) < len(kept) / 2
    batch = batch_of(items[:1], spec)
    with torch.no_grad():
        out = small(batch.streams, batch, phone_of_frame(batch))
    assert torch.isfinite(out["mgc"]).all()
    assert JUMP > 0


def test_features_without_mel_cepstra_are_refused_and_meta_has_no_memory(spec, items, fitted):
    with pytest.raises(DataError, match="options.path is of mel-cepstra"):
        FramePath(mel_spec(spec), 0.5)
    meta = batch_of(items[:2], spec).to("meta")
    phone = torch.empty(2, meta.max_frames, dtype=torch.long, device="meta")
    other = FramePath(spec, 1.0).to("meta")
    assert other(meta.streams, meta, phone)["mgc"].is_meta


def test_a_graph_of_it_is_refused(spec, items):
    pytest.importorskip("onnx")
    model = build(ROOT / "conf" / "acoustic" / "resf0_path.yaml", spec).eval()
    model.fit(items)
    with pytest.raises(DataError, match="cannot be sung with by onnxruntime: a path .* has no graph"):
        graph_and_facts(model)
