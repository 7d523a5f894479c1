"""What is learnt of voicing, against performances whose rule is known, and how the rule system sings it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import make_score

from nnsvs_lite.features.spec import VOICING_CELLS, Spec
from nnsvs_lite.features.voicing import count_voicing, fit_voicing, frame_cells, kinds
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.phrases import example_of

LYRICS = list("かごさまらがびやた")


def performed(kind: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """(T,) voicing of phones of these kinds: vowels end 2 frames before a silence or a stop without voice,
    a stop with voice keeps it for 4 frames, and one without voice has it in its first."""
    out = []
    for own, after, length in zip(kind, [*kind[1:], 0], duration):
        frames = np.arange(length)
        voiced = {4: np.ones(length, bool), 3: frames < 4, 1: frames < 1}.get(own, np.zeros(length, bool))
        if own == 4 and after in (0, 1):
            voiced &= frames < length - 2
        out.append(voiced)
    return np.concatenate(out)


def timed(spec: Spec, score: Score, rng: np.random.Generator):
    """An example with durations of 6 to 30 frames, and the kinds of its phones."""
    example = example_of("utt", score, spec)
    ids = example.score.phone_context[:, spec.column("phone", "phone")].astype(int)
    return example.timed(rng.integers(6, 31, len(ids))), ids


@pytest.fixture(scope="module")
def learnt(toy_dump) -> Spec:
    """What twelve such performances teach."""
    spec, rng = Spec.read(toy_dump), np.random.default_rng(5)
    kind, count = np.array(kinds(spec)), Counter()
    for _ in range(12):
        example, ids = timed(spec, make_score(rng, 30, lyrics=LYRICS), rng)
        duration = example.score.duration
        cells = frame_cells(ids, duration, kind, spec.frame_shift)
        count.update(count_voicing(cells, performed(kind[ids], duration)))
    return replace(spec, stats=replace(spec.stats, voicing=fit_voicing(count, spec)))


def test_kinds_follow_from_phonetic_features(toy_dump):
    spec = Spec.read(toy_dump)
    found = dict(zip(("", *spec.phones), kinds(spec)))
    known = {"": 0, "pau": 0, "br": 0, "cl": 1, "k": 1, "ts": 1, "s": 2, "h": 2, "g": 3, "z": 3, "a": 4}
    assert known | {"N": 4, "m": 4, "y": 4, "U": 2} == {p: found[p] for p in [*known, "N", "m", "y", "U"]}


def test_the_rule_is_voiced_where_the_singer_was(learnt):
    rng = np.random.default_rng(6)
    # だ and ぱ were not sung: they are voiced as their kinds are.
    examples = [timed(learnt, make_score(rng, 20, lyrics=[*LYRICS, "だ", "ぱ"]), rng) for _ in range(3)]
    batch = collate([example for example, _ in examples], learnt.frame_shift)
    vuv = SmoothFloor(learnt)(batch, phone_of_frame(batch))["vuv"]
    assert vuv.shape == (3, batch.max_frames, 1)
    for row, (example, ids) in zip(vuv[..., 0].numpy(), examples):
        expected = performed(np.array(kinds(learnt))[ids], example.score.duration)
        right = (row[: len(expected)] >= 0.5) == expected
        phone = np.repeat(ids, example.score.duration)
        unseen = np.isin(phone, [learnt.phones.index(p) + 1 for p in ("d", "p")])
        assert right[unseen].all() and unseen.any() and right.mean() >= 0.99
        alone = collate([example], learnt.frame_shift)
        single = SmoothFloor(learnt)(alone, phone_of_frame(alone))["vuv"][0, :, 0]
        np.testing.assert_allclose(single, row[: len(expected)], atol=1e-6)


def test_numbers_of_frames_say_phone_and_both_ends(toy_dump):
    spec = Spec.read(toy_dump)
    ids = np.array([spec.phones.index(p) + 1 for p in ("pau", "k", "a")])
    cells = frame_cells(ids, np.array([2, 1, 14]), np.array(kinds(spec)), 0.005)
    assert cells[:, 0].tolist() == [ids[0]] * 2 + [ids[1]] + [ids[2]] * 14
    # Vowel (4) after stop (1): 2.5 ms, 7.5, 12.5, 17.5, 22.5 and so on from it, at last over 61 ms.
    assert (cells[3:, 1] - (4 * 5 + 1) * 6).tolist() == [0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5]
    assert (cells[3:, 2] - (4 * 5 + 0) * 6).tolist() == [5, 5, 4, 4, 4, 4, 4, 3, 3, 3, 2, 2, 1, 0]


def test_statistics_without_it_are_read_and_of_other_phones_refused(toy_dump):
    spec = Spec.read(toy_dump)
    assert len(spec.stats.voicing) == len(spec.phones) + 1 + 2 * VOICING_CELLS
    old = replace(spec, stats=replace(spec.stats, voicing=()))
    assert Spec.from_dict(old.to_dict(), "old").stats.voicing == ()
    score = attach_phones(Score((Note(0.0, 0.5, 0), Note(0.5, 1.5, 60, "さ"))))
    batch = collate([example_of("x", score, spec).timed(np.array([20, 10, 40]))], spec.frame_shift)
    vuv = SmoothFloor(old)(batch, phone_of_frame(batch))["vuv"][0, :, 0]
    rates = [spec.stats.phones[p].vuv_mean for p in ("pau", "s", "a")]
    torch.testing.assert_close(vuv[[5, 25, 50]], torch.tensor(rates).clamp(0.018, 0.982), atol=1e-3, rtol=0)
    short = replace(spec, stats=replace(spec.stats, voicing=(0.0, 1.0)))
    with pytest.raises(DataError, match="voicing are of other phones"):
        Spec.from_dict(short.to_dict(), "short")
