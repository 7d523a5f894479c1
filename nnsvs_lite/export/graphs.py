"""A voice's models as the networks that OpenUtau calls in a DiffSinger bank, for a batch of one.

Names, shapes and units are those of its renderer and phonemizers (OpenUtau.Core/DiffSinger); N tokens,
W words, M notes, T frames. What a network does not need is taken all the same, since all names are checked.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.divided_singer import DividedSinger
from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.batch import Batch, ScoreBatch
from nnsvs_lite.models.layers.acoustic_floor import lf0_to_midi, smooth_pitch
from nnsvs_lite.models.layers.expand import gather_rows
from nnsvs_lite.models.layers.timing_floor import TimingFloor
from nnsvs_lite.score.timing import LEAST_VOWEL

SPECIAL = {"pau": "SP", "br": "AP"}
"""What the silences are called in a bank."""
TIMES = 4
"""Numbers of a phone between the two networks of dsdur."""


def divided(model: AcousticModel) -> DividedSinger:
    """The model, if it is one that can be called in parts. Raises DataError for others, and for options
    that need the score, which a bank has not.
    """
    if not isinstance(model, DividedSinger):
        kind = type(model).__name__
        raise DataError(f"{kind} reads the whole score, which OpenUtau does not tell: train divided_singer")
    options = model.options
    asked = {"style_tokens": options.style_tokens, "retrieval": options.retrieval, "gv": options.gv}
    asked |= {"movement": options.movement, "pitch: flow": options.pitch == "flow"}
    if used := [name for name, value in asked.items() if value]:
        raise DataError(f"a bank cannot have options.{used[0]}: train without it")
    if len(model.spec.languages) > 1:
        raise DataError(f"a bank holds one language, the voice has {', '.join(model.spec.codes)}")
    return model


def tokens_of(spec: Spec) -> tuple[str, ...]:
    """Names of a bank's phonemes by token: ``SP`` and ``AP``, then the language's own."""
    return tuple(SPECIAL.get(phone, phone) for phone in spec.phones)


def owners(lengths: Tensor, count: Tensor | int) -> Tensor:
    """(1, count) long: which of some stretches, of ``lengths`` (1, K), each frame lies in."""
    ends = lengths.cumsum(1)
    frames = torch.arange(count, device=lengths.device)
    passed = (frames[None, :, None] >= ends[:, None, :]).long().sum(-1)
    return passed.minimum(torch.ones_like(passed) * (lengths.shape[1] - 1))


def _batch(spec: Spec, ids: Tensor, duration: Tensor, frames: Tensor | int) -> Batch:
    """What the layers read of a batch, each phone a note of its own without a pitch."""
    count = torch.ones_like(ids).sum(1)
    context = F.one_hot(torch.tensor([spec.column("phone", "phone")]), len(spec.columns("phone"))).float()
    columns = len(spec.columns("note"))
    score = ScoreBatch(
        note_context=torch.zeros_like(ids).float()[..., None].repeat(1, 1, columns),
        phone_context=ids.float()[..., None] * context,
        note_index=torch.ones_like(ids).cumsum(1) - 1,
        note_frames=torch.zeros_like(ids).float()[..., None].repeat(1, 1, 2),
        note_lengths=count,
        phone_lengths=count,
        note_seed=torch.zeros_like(ids),
        duration=duration,
    )
    none = torch.zeros(1, dtype=torch.long)
    return Batch(["bank"], duration.sum(1), frames, none, none, score=score)


class Tokens(nn.Module):
    """From tokens to the phones that models know; what training never held stands for its nearest."""

    def __init__(self, spec: Spec, timing: bool = False):
        super().__init__()
        self.register_buffer("phones", torch.tensor(spec.stand_ins(timing)[1:]), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.phones[tokens]


class Acoustic(nn.Module):
    """``acoustic.onnx``: to log mel spectra (1, T, bins)."""

    outputs = ("mel",)

    def __init__(self, model: DividedSinger):
        super().__init__()
        self.model, self.tokens = model, Tokens(model.spec)
        self.inputs = {"tokens": "1N", "durations": "1N", "f0": "1T", "steps": "1"}
        if len(model.spec.speakers) > 1:
            self.inputs["spk_embed"] = "1TH"

    def forward(self, tokens, durations, f0, steps, spk_embed=None) -> Tensor:
        model, frames = self.model, f0.shape[1]
        batch = _batch(model.spec, self.tokens(tokens), durations, frames)
        phone = owners(durations, frames)
        mask = torch.ones_like(f0) > 0
        plain = model.plain(batch, phone)
        x = gather_rows(model.phones(batch), phone)
        x = x if spk_embed is None else x + spk_embed
        _, vuv = model.bend(x, mask)
        lf0 = f0.clamp(min=1.0).log()[..., None]
        logit = model.space.decode({"vuv": vuv}, plain)["vuv_logit"]
        numbers = model.numbers(x, lf0, logit > 0, mask)
        return model.space.decode(model.parted(numbers), model.base_at(lf0, plain))["mel"]


class Linguistic(nn.Module):
    """``linguistic.onnx`` of dspitch: phones and their lengths to the encoder's vectors (1, N, H)."""

    outputs = ("encoder_out", "x_masks")
    inputs = {"tokens": "1N", "ph_dur": "1N"}

    def __init__(self, model: DividedSinger):
        super().__init__()
        self.model, self.tokens = model, Tokens(model.spec)

    def forward(self, tokens, ph_dur) -> tuple[Tensor, Tensor]:
        batch = _batch(self.model.spec, self.tokens(tokens), ph_dur, 1)
        return self.model.phones(batch), tokens < 0


class Pitch(nn.Module):
    """``pitch.onnx``: the melody, and what the voice makes of it, to F0 (1, T) in MIDI numbers.

    Frames that are not to be sung anew keep the pitch that is given.
    """

    outputs = ("pitch_pred",)

    def __init__(self, model: DividedSinger):
        super().__init__()
        self.model = model
        self.inputs = {"encoder_out": "1NH", "ph_dur": "1N", "note_midi": "1M", "note_rest": "1M"}
        self.inputs |= {"note_dur": "1M", "pitch": "1T", "retake": "1T", "steps": "1"}
        if len(model.spec.speakers) > 1:
            self.inputs["spk_embed"] = "1TH"

    def forward(
        self, encoder_out, ph_dur, note_midi, note_rest, note_dur, pitch, retake, steps, spk_embed=None
    ) -> Tensor:
        model, frames = self.model, pitch.shape[1]
        x = gather_rows(encoder_out, owners(ph_dur, frames))
        x = x if spk_embed is None else x + spk_embed
        number, _ = model.bend(x, torch.ones_like(pitch) > 0)
        # As of a score whose notes have one phone each.
        score = _batch(model.spec, torch.ones_like(note_dur), note_dur, frames)
        score.score.note_context = note_midi[..., None]
        melody = smooth_pitch(score, owners(note_dur, frames), 0, model.spec.frame_shift)
        lf0 = model.space.decode({"lf0": number}, {"lf0": melody})["lf0"][..., 0]
        return torch.where(retake, lf0_to_midi(lf0), pitch)


class WordLinguistic(nn.Module):
    """``linguistic.onnx`` of dsdur: what :class:`Duration` needs of each phone (1, N, ``TIMES``)."""

    outputs = ("encoder_out", "x_masks")
    inputs = {"tokens": "1N", "word_div": "1W", "word_dur": "1W"}

    def __init__(self, spec: Spec):
        super().__init__()
        self.tokens, self.floor = Tokens(spec, timing=True), TimingFloor(spec)

    def forward(self, tokens, word_div, word_dur) -> tuple[Tensor, Tensor]:
        ids = self.tokens(tokens)
        word = owners(word_div, tokens.shape[1])
        length = word_dur.gather(1, word).float()
        parts = [self.floor.mean[ids], self.floor.sustains[ids].float(), word.float(), length]
        return torch.stack(parts, -1), tokens < 0


class Duration(nn.Module):
    """``dur.onnx``: frames (1, N). Consonants have their mean length, what can be held shares what is left of
    its word, from its beginning to that of the next: the voice's rule.
    """

    outputs = ("ph_dur_pred",)

    def __init__(self, spec: Spec):
        super().__init__()
        self.inputs = {"encoder_out": "1NE", "x_masks": "1N", "ph_midi": "1N"}
        if len(spec.speakers) > 1:
            self.inputs["spk_embed"] = "1NH"

    def forward(self, encoder_out, x_masks, ph_midi, spk_embed=None) -> Tensor:
        mean, held, word, length = encoder_out.unbind(-1)
        # (1, N, N): which phones are of the same word.
        same = (word[:, :, None] == word[:, None, :]).float()
        fixed = (same @ (mean * (1 - held))[..., None])[..., 0]
        count = (same @ held[..., None])[..., 0]
        room = (length * (1 - LEAST_VOWEL)).clamp(min=1.0)
        share = torch.where(count > 0, (room / fixed.clamp(min=1e-3)).clamp(max=1.0), torch.ones_like(room))
        left = (length - fixed * share) / count.clamp(min=1.0)
        return torch.where(held > 0.5, left, mean * share).clamp(min=1.0)
