"""Batch normalisation without padding, and the postnet upon it."""

import torch
from torch import nn

from nnsvs_lite.models.batch import length_mask
from nnsvs_lite.models.layers.conv import MaskedBatchNorm
from nnsvs_lite.models.layers.postnet import Postnet, SpectraPostnet

MASK = length_mask(torch.tensor([5, 3]), 7)


def test_training_statistics_are_torchs_over_valid_rows():
    torch.manual_seed(0)
    x = torch.randn(2, 7, 4) * 3 + 2
    ours, theirs = MaskedBatchNorm(4), nn.BatchNorm1d(4, momentum=None)
    rows = theirs(x[MASK])
    torch.testing.assert_close(ours(x, MASK)[MASK], rows)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x, MASK)[MASK], theirs(x[MASK]))


def test_later_batches_weigh_more_and_old_ones_are_forgotten():
    norm, x = MaskedBatchNorm(1, momentum=0.5), torch.zeros(1, 4, 1)
    mask = torch.ones(1, 4, dtype=torch.bool)
    for value in (0.0, 1.0, 2.0):
        norm(x + value, mask)
    expected = (2 * 0.0 + 6 * 1.0 + 12 * 2.0) / (2 + 6 + 12)
    assert abs(float(norm.running_mean) - expected) < 1e-6
    for _ in range(3):
        norm(x + 5.0, mask)
    expected = 5 - (5 - expected) * 0.5**3
    assert abs(float(norm.running_mean) - expected) < 1e-6


def test_what_lies_in_padding_does_not_train():
    torch.manual_seed(0)
    net = Postnet(3, layers=3, channels=8, dropout=0.0)
    x = torch.randn(2, 7, 3)
    other = torch.where(MASK[..., None], x, torch.full_like(x, 9.0))
    torch.testing.assert_close(net(other, MASK)[MASK], net(x, MASK)[MASK])


def test_pitch_and_voicing_do_not_pass_the_postnet():
    torch.manual_seed(0)
    sizes = {"lf0": 1, "mgc": 3, "vuv": 1, "bap": 2}
    postnet = SpectraPostnet(sizes, layers=2, channels=8).eval()
    for parameter in postnet.parameters():
        nn.init.normal_(parameter)
    before = {name: torch.randn(2, 7, size) for name, size in sizes.items()}
    after = postnet(before, MASK)
    assert {name: value.shape[-1] for name, value in after.items()} == sizes
    assert all(torch.equal(before[n], after[n]) for n in ("lf0", "vuv"))
    assert not any(torch.allclose(before[n], after[n]) for n in ("mgc", "bap"))
