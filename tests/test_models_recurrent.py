"""LSTMs over padding against torch's own over packed sequences."""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nnsvs_lite.models.batch import length_mask
from nnsvs_lite.models.layers.recurrent import BiLSTM, reverse_rows

LENGTHS = [7, 4, 1]


def test_rows_are_reversed_within_lengths_and_back():
    x = torch.arange(7.0).expand(3, 7)[..., None]
    mask = length_mask(torch.tensor(LENGTHS), 7)
    back = reverse_rows(x, mask)
    assert back[1, :, 0].tolist() == [3, 2, 1, 0, 4, 5, 6]
    assert torch.equal(reverse_rows(back, mask), x)


def test_it_is_what_torch_gives_for_packed_sequences():
    torch.manual_seed(0)
    ours = BiLSTM(3, 5, layers=2, dropout=0.5).eval()
    theirs = nn.LSTM(3, 5, 2, batch_first=True, bidirectional=True)
    state = {}
    for layer in range(2):
        for stack, suffix in ((ours.forwards, ""), (ours.backwards, "_reverse")):
            for name, value in stack[layer].state_dict().items():
                state[name.replace("l0", f"l{layer}") + suffix] = value
    theirs.load_state_dict(state)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())

    x = torch.randn(3, 7, 3)
    packed = pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True)
    expected, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    out = ours(x, length_mask(torch.tensor(LENGTHS), 7))
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(out[row, :length], expected[row, :length])


def test_half_precision_of_a_cpu_leaves_it_whole():
    torch.manual_seed(0)
    model, x = BiLSTM(3, 4, 2), torch.randn(2, 6, 3)
    mask = length_mask(torch.tensor([6, 2]), 6)
    with torch.autocast("cpu", torch.bfloat16):
        half = model(x, mask)
        assert model(x.bfloat16(), mask).dtype == torch.float32
    assert torch.equal(half, model(x, mask))


def test_dropout_is_between_layers_alone():
    torch.manual_seed(0)
    x, mask = torch.randn(1, 6, 3), torch.ones(1, 6, dtype=torch.bool)
    one, two = BiLSTM(3, 4, 1, dropout=0.9), BiLSTM(3, 4, 2, dropout=0.9)
    assert torch.equal(one(x, mask), one(x, mask))
    assert not torch.equal(two(x, mask), two(x, mask))


def test_it_runs_without_data():
    model = BiLSTM(3, 4, 2).to("meta")
    mask = torch.ones(2, 6, dtype=torch.bool, device="meta")
    assert model(torch.zeros(2, 6, 3, device="meta"), mask).shape == (2, 6, 8)
