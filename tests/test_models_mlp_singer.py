"""Chunks that overlap, mixer blocks and gated convolutions, with known answers."""

import math

import pytest
import torch

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.mlp_singer import Mixer, MixerBlock, in_chunks
from nnsvs_lite.models.acoustic.muskits_glu import GluBlock


def full(b: int, t: int) -> torch.Tensor:
    return torch.ones(b, t, dtype=torch.bool)


@pytest.mark.parametrize("t", [1, 7, 12, 13, 24, 100])
@pytest.mark.parametrize(("chunk", "overlap"), [(16, 2), (12, 0), (7, 3)])
def test_chunks_of_a_body_that_changes_nothing_give_the_utterance_back(t, chunk, overlap):
    x = torch.randn(2, t, 3)
    out = in_chunks(x, full(2, t), chunk, overlap, lambda rows, mask: rows)
    assert torch.equal(out, x)


def test_each_frame_comes_from_the_middle_of_the_chunk_that_keeps_it():
    # The body tells each frame its place in its chunk: with chunks of 8 and 2 dropped, 2 to 5.
    def place(rows, mask):
        return torch.arange(8.0)[None, :, None].expand(len(rows), 8, 1)

    out = in_chunks(torch.zeros(1, 10, 1), full(1, 10), 8, 2, place)
    assert out[0, :, 0].tolist() == [2, 3, 4, 5, 2, 3, 4, 5, 2, 3]


def test_a_chunk_sees_its_neighbours_frames_and_zeros_beyond_the_utterance():
    seen = []

    def body(rows, mask):
        seen.extend(zip(rows[..., 0].tolist(), mask.tolist()))
        return rows

    x = torch.arange(1.0, 8.0)[None, :, None]
    mask = torch.tensor([[True] * 6 + [False]])
    in_chunks(x, mask, 6, 1, body)
    assert seen[0] == ([0, 1, 2, 3, 4, 5], [False] + [True] * 5)
    assert seen[1] == ([4, 5, 6, 0, 0, 0], [True] * 3 + [False] * 3)


def test_places_of_chunks_depend_on_the_utterance_alone():
    torch.manual_seed(0)
    mixer = Mixer(4, 2, 12, 2, 2, 0.0)
    x = torch.randn(1, 19, 4)
    alone = mixer(x, full(1, 19))
    padded = torch.cat([x, torch.full((1, 30, 4), 9.0)], dim=1)
    mask = torch.cat([full(1, 19), ~full(1, 30)], dim=1)
    torch.testing.assert_close(mixer(padded, mask)[:, :19], alone)


def test_nothing_left_of_a_chunk_is_an_error():
    with pytest.raises(DataError, match="chunks of 8 frames with 4 dropped on either side leave none"):
        in_chunks(torch.zeros(1, 9, 1), full(1, 9), 8, 4, lambda rows, mask: rows)


def test_a_mixer_block_is_two_residual_mlps():
    torch.manual_seed(0)
    block = MixerBlock(3, 5, 2, 0.0)
    x = torch.randn(2, 5, 3)
    y = x + block.tokens(block.norms[0](x).transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(block(x, full(2, 5)), y + block.channels(block.norms[1](y)))
    assert block.tokens[0].out_features == 10 and block.channels[0].out_features == 6


def test_a_gated_block_is_the_formula():
    torch.manual_seed(0)
    block = GluBlock(1, 1, 0.0)
    with torch.no_grad():
        block.linear.weight.fill_(2.0)
        block.linear.bias.zero_()
        block.conv.conv.weight.copy_(torch.tensor([[[3.0]], [[0.5]]]))
        block.conv.conv.bias.zero_()
    # x = 2 * 0.7; a = 3x, b = x / 2.
    x = 1.4
    expected = (x + 3 * x / (1 + math.exp(-x / 2))) * math.sqrt(0.5)
    assert block(torch.tensor([[[0.7]]]), full(1, 1)).item() == pytest.approx(expected, rel=1e-6)


def test_a_gated_block_does_not_read_padding():
    torch.manual_seed(0)
    block = GluBlock(4, 3, 0.0)
    x = torch.randn(1, 6, 4)
    mask = torch.tensor([[True] * 4 + [False] * 2])
    torch.testing.assert_close(block(x, mask)[:, :4], block(x[:, :4], mask[:, :4]))
