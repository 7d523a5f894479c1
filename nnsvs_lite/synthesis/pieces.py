"""Long songs in pieces: what a vocoder makes of the whole, in bounded memory."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from torch import Tensor

from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Batch


def in_pieces(vocoder: VocoderModel, batch: Batch, frames: int) -> Iterator[Tensor]:
    """The waveforms (B, S) of a batch from their starts on, (B, samples) at a time.

    Each piece is made with as much around it as the vocoder's ``reach`` says, so that all of them joined are
    what ``synthesize`` gives. A vocoder without ``reach`` makes the whole at once.

    Args:
        frames: of a piece, without what is around it; raised to where frames begin on whole samples.
    """
    total, samples = batch.max_frames, vocoder.spec.feature_config.n_samples
    if vocoder.reach is None or total <= frames + vocoder.reach:
        yield vocoder.synthesize(batch)
        return
    # Hops may be fractions of samples (220.5 at 44.1 kHz and 5 ms): so many frames are whole ones.
    unit = Fraction(vocoder.spec.frame_shift * vocoder.spec.sample_rate).limit_denominator(1000).denominator
    size, around = (-(-n // unit) * unit for n in (frames, vocoder.reach))
    streams = {name: batch.streams[name] for name in vocoder.inputs} | vocoder.running(batch)
    for start in range(0, total, size):
        first, last = max(start - around, 0), min(start + size + around, total)
        piece = replace(
            batch,
            streams={name: values[:, first:last] for name, values in streams.items()},
            frame_lengths=(batch.frame_lengths - first).clamp(1, last - first),
            max_frames=last - first,
            first_frame=first,
        )
        wav = vocoder.synthesize(piece)
        yield wav[:, samples(start - first) : samples(min(start + size, total) - first)]
