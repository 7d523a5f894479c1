"""Takes and retakes: a locked note stays as it is, to the bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, build

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.batch import Batch, collate, note_seeds
from nnsvs_lite.models.layers.conv import smooth
from nnsvs_lite.models.layers.expand import sum_by_note
from nnsvs_lite.models.layers.noise import frame_noise, note_noise
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis import singer as singer_module
from nnsvs_lite.synthesis.phrases import example_of
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.takes import Retake, read_retake, share_of_new

PITCHES = (60, 62, 64, 65, 0, 67, 65, 64)
"""Two phrases: the rest, note 5, is long."""
STARTS = np.cumsum([0.3, 0.6, 0.6, 0.6, 0.6, 1.2, 0.9, 0.9, 0.9])
SCORE = attach_phones(
    Score(
        (
            Note(0.0, 0.3, 0),
            *(Note(a, b, p, "ら" if p else "") for a, b, p in zip(STARTS, STARTS[1:], PITCHES)),
        )
    )
)


class Chance(AcousticModel):
    """Noise of each note, which a moving mean lets run into its neighbours."""

    def infer(self, batch: Batch) -> dict[str, torch.Tensor]:
        frames = sum_by_note(batch.score.duration, batch)
        kernel = torch.ones(41) / 41**0.5
        out = {}
        for name, size in self.spec.streams.items():
            noise = note_noise(batch.score.note_seed, frames, batch.max_frames, size)
            out[name] = smooth(noise, batch.frame_mask, kernel) * batch.temperature
        return out | {"vuv": torch.sigmoid(out["vuv"]), "lf0": 5.5 + 0.1 * out["lf0"]}


class FrameChance(AcousticModel):
    """Noise of each frame, as of spectra that are made from it."""

    def infer(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {
            name: frame_noise(batch.frame_lengths, batch.max_frames, size, batch.seeds)
            for name, size in self.spec.streams.items()
        }


@pytest.fixture(scope="module", params=[Chance])
def singer(request, spec) -> Singer:
    """One that draws all by chance; nothing is vocoded."""
    rules = (build(ROOT / f"conf/{family}/rule.yaml", spec) for family in ("timelag", "duration"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            singer_module,
            "waveforms_in_turn",
            lambda vocoder, phrases, seed: [np.zeros(len(streams["lf0"]) * 120) for streams in phrases],
        )
        yield Singer(*rules, request.param(spec))


def frames_of(song, stream: str, note: int) -> list[np.ndarray]:
    """The frames of a note of the song in each phrase that has some."""
    out = []
    for phrase in song.phrases:
        index = np.repeat(phrase.score.note_index, phrase.duration) + phrase.first_note
        if (index == note).any():
            out.append(phrase.streams[stream][index == note])
    return out


def same(a, b, note: int) -> bool:
    return all(
        np.array_equal(x, y)
        for n in ("lf0", "mgc", "bap", "vuv")
        for x, y in zip(frames_of(a, n, note), frames_of(b, n, note))
    )


def test_only_retaken_notes_change_and_the_others_not_by_a_bit(singer):
    first = singer.sing(SCORE)
    assert len(first.phrases) == 2
    second = singer.sing(SCORE, retake=[Retake([2, 7], 11)])
    changed = [note for note in range(len(SCORE.notes)) if not same(first, second, note)]
    assert changed == [2, 7]
    (old,), (new,) = frames_of(first, "mgc", 2), frames_of(second, "mgc", 2)
    # It comes from what was there, goes the whole way, and comes back.
    distance = np.abs(new - old).mean(1)
    assert 0 < max(distance[0], distance[-1]) < 0.1 * distance[len(old) // 3 : -len(old) // 3].mean()


def test_a_second_retake_leaves_the_first(singer):
    one = singer.sing(SCORE, retake=[([2], 11)])
    two = singer.sing(SCORE, retake=[([2], 11), ([3], 12)])
    assert [note for note in range(len(SCORE.notes)) if not same(one, two, note)] == [3]
    again = singer.sing(SCORE, retake=[([2], 11), ([3], 12)])
    assert all(same(two, again, note) for note in range(len(SCORE.notes)))


@pytest.mark.parametrize("singer", [FrameChance], indirect=True)
def test_a_phrase_before_it_leaves_a_phrase_its_noise(singer):
    """Notes that keep their numbers keep what chance gave them, wherever they stand."""
    shift, count = SCORE.notes[-1].end, len(SCORE.notes)
    moved = tuple(replace(n, start=n.start + shift, end=n.end + shift) for n in SCORE.notes)
    twice = replace(SCORE, notes=SCORE.notes + moved)
    first = singer.sing(SCORE).phrases
    other = singer.sing(twice, numbers=[*range(100, 100 + count), *range(count)]).phrases
    np.testing.assert_array_equal(first[-1].streams["mgc"], other[-1].streams["mgc"])
    assert other[-1].first_note == first[-1].first_note + count
    assert not np.array_equal(first[0].streams["mgc"][:50], first[1].streams["mgc"][:50])


def test_seeds_give_takes_and_temperature_their_distance(singer):
    def away(temperature: float) -> float:
        a, b = (singer.sing(SCORE, seed=s, temperature=temperature).phrases[0].streams["mgc"] for s in (0, 1))
        return float(np.abs(a - b).mean())

    whole = away(1)
    assert whole > 0.05
    assert away(0) == 0 and away(0.5) == pytest.approx(whole / 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retake": [([10], 1)]}, r"no note 10 to retake; the song's are 0\.\.8"),
        ({"retake": [([-1], 1)]}, "no note -1"),
        ({"retake": [([1], -1)]}, "seed must lie in"),
        ({"temperature": 2.5}, r"temperature 2\.5 is out of 0\.\.2"),
        ({"temperature": float("nan")}, "temperature nan"),
    ],
)
def test_what_cannot_be_retaken_is_refused(singer, options, message):
    with pytest.raises(DataError, match=message):
        singer.sing(SCORE, **options)


def test_retakes_are_written_as_notes_and_a_seed():
    assert read_retake("3,7-9@42") == ([3, 7, 8, 9], 42)
    assert read_retake("0@0") == ([0], 0)
    for words in ("", "3", "3@", "@4", "3-@4", "3;4@5", "a@1", "-1@2", "3@-1", "3@1@2"):
        with pytest.raises(DataError, match="a retake is notes and a seed"):
            read_retake(words)


def test_neighbours_are_one_span_and_joins_lie_inside(spec):
    example = example_of("x", SCORE, spec)
    example = example.timed(np.full(len(example.score.phone_context), 50))
    chosen = np.isin(np.arange(len(SCORE.notes)), [2, 3, 6])
    share = share_of_new(example, chosen, 0.005)[:, 0]
    index = np.repeat(example.score.note_index, example.score.duration)
    assert ((share > 0) == np.isin(index, [2, 3, 6])).all()
    both = share[np.isin(index, [2, 3])]
    assert (both[12:-12] == 1).all() and (np.diff(both[:13]) > 0).all() and both[0] < 0.05
    np.testing.assert_allclose(both, both[::-1], atol=1e-6)


def test_seeds_of_notes_are_those_of_splitmix():
    """The first numbers of the generator at 0, as published with it."""
    known = np.array([0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F], np.uint64)
    np.testing.assert_array_equal(note_seeds(0, 3), (known >> np.uint64(1)).astype(np.int64))
    np.testing.assert_array_equal(note_seeds(5, 2, first=3), note_seeds(5, 5)[3:])
    assert len(np.unique(np.concatenate([note_seeds(s, 1000) for s in range(20)]))) == 20_000
    assert note_seeds(2**63 - 1, 4).min() >= 0


def test_notes_of_a_set_are_drawn_apart_whatever_they_are_batched_with(spec):
    """Were the first note of each phrase drawn alike, what a set is drawn would not average out."""
    set_ = [example_of(utt, SCORE, spec) for utt in ("a", "b", "c")]
    together = collate(set_, 0.005, seed=1).score.note_seed
    assert len(together.unique()) == together.numel()
    turned = collate(set_[::-1], 0.005, seed=1).score.note_seed.flip(0)
    alone = torch.cat([collate([e], 0.005, seed=1).score.note_seed for e in set_])
    assert torch.equal(together, turned) and torch.equal(together, alone)
    other = collate(set_, 0.005, seed=2).score.note_seed
    assert len(torch.cat([together, other]).unique()) == 2 * together.numel()


def test_noise_of_a_note_is_its_seed_s_whatever_stands_around():
    seeds, lengths = torch.tensor([[5, 6, 7], [6, 9, 0]]), torch.tensor([[4, 30, 10], [30, 2, 0]])
    noise = note_noise(seeds, lengths, 50, 2)
    torch.testing.assert_close(noise[0, 4:34], noise[1, :30], rtol=0, atol=0)
    assert (noise[0, 44:] == 0).all() and (noise[1, 32:] == 0).all()
    alone = note_noise(seeds[1:], lengths[1:], 32, 2)
    torch.testing.assert_close(alone[0], noise[1, :32], rtol=0, atol=0)
    assert note_noise(seeds.to("meta"), lengths.to("meta"), 50, 2).is_meta
    big = note_noise(torch.arange(200)[None], torch.full((1, 200), 100), 20_000, 1)
    assert float(big.mean()) == pytest.approx(0, abs=0.03) and float(big.std()) == pytest.approx(1, abs=0.02)
