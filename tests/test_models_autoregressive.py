"""The autoregressive decoder: one pass as many steps, no target seen too early, alone as in a batch."""

import pytest
import torch
from torch import nn

from nnsvs_lite.models.batch import length_mask
from nnsvs_lite.models.layers.streams import ArDecoder, DecoderSize

SHAPES = pytest.mark.parametrize(("layers", "reduction", "frames"), [(1, 1, 9), (2, 2, 9), (1, 4, 12)])


def decoder(layers: int, reduction: int) -> ArDecoder:
    torch.manual_seed(0)
    net = ArDecoder(5, 3, DecoderSize(8, layers, reduction)).eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    return net


def inputs(frames: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    mask = length_mask(torch.tensor([frames, frames - 5]), frames)
    return torch.randn(2, frames, 5), mask, torch.randn(2, frames, 3)


@SHAPES
def test_one_pass_over_the_sequence_gives_what_single_steps_give(layers, reduction, frames):
    net, (x, mask, target) = decoder(layers, reduction), inputs(frames)
    vectors = net.vectors(x, mask)
    heard = net.heard(target, vectors.shape[1])
    assert vectors.shape[1] == -(-frames // reduction)
    at_once, by_step = net.follow(vectors, heard, seed=3), net.sing(vectors, 3, heard)
    torch.testing.assert_close(at_once, by_step, rtol=1e-5, atol=1e-5)


@SHAPES
def test_the_steps_are_torchs_cells(layers, reduction, frames):
    """An independent loop over nn.LSTMCell with the same weights."""
    net, (x, mask, _) = decoder(layers, reduction), inputs(frames)
    vectors = net.vectors(x, mask)
    cells = []
    for weights in net.lstm.all_weights:
        cell = nn.LSTMCell(weights[0].shape[1], net.hidden)
        cell.load_state_dict(
            dict(zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), (w.detach() for w in weights)))
        )
        cells.append(cell)
    kept = net.masks(vectors.shape[1], vectors, seed=7)
    states, last, out = [None] * layers, torch.zeros(2, 3), []
    for k in range(vectors.shape[1]):
        below = torch.cat([vectors[:, k], last * kept[k]], dim=1)
        for i, cell in enumerate(cells):
            states[i] = cell(below, states[i])
            below = states[i][0]
        frames_of_step = net.out(torch.cat([below, vectors[:, k]], dim=1)).view(2, reduction, 3)
        out.append(frames_of_step)
        last = frames_of_step[:, -1]
    expected = torch.cat(out, dim=1)[:, :frames]
    torch.testing.assert_close(net(x, mask, None, seed=7), expected, rtol=1e-5, atol=1e-5)


@SHAPES
@pytest.mark.parametrize("training", [False, True])
def test_no_frame_depends_on_its_own_target_or_a_later_one(layers, reduction, frames, training):
    net, (x, mask, target) = decoder(layers, reduction).train(training), inputs(frames)
    target.requires_grad_()
    out = net(x, mask, target, seed=0)
    reached = 0.0
    for t in range(frames):
        (gradient,) = torch.autograd.grad(out[0, t].sum(), target, retain_graph=True)
        assert not gradient[:, t:].any(), f"frame {t} sees its target"
        reached += float(gradient[0, :t].abs().sum())
    assert reached > 0, "earlier targets are to be heard"


def test_an_utterance_ends_alone_as_in_a_batch():
    net, (x, mask, target) = decoder(2, 4), inputs(12)
    for given in (None, target):
        together = net(x, mask, given, seed=5)[1, :7]
        one = None if given is None else given[1:, :7]
        alone = net(x[1:, :7], mask[1:, :7], one, seed=5)[0]
        torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_the_seed_decides_what_is_heard():
    net, (x, mask, _) = decoder(1, 2), inputs(12)
    first, second, other = (net(x, mask, None, seed) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)


def test_an_untrained_decoder_gives_zero():
    x, mask, _ = inputs(12)
    assert not ArDecoder(5, 3, DecoderSize(8))(x, mask, None, seed=0).any()
