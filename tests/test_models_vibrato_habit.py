"""Habits that are known are learnt from singing with them, and sung again."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from models_common import ROOT

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.vibrato import CENTS, find_vibrato, sing_vibrato
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.habit import held_vowels
from nnsvs_lite.models.layers.vibrato_habit import VibratoHabit
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.phrases import example_of

SHIFT = 0.005


@pytest.fixture(scope="module")
def two(toy_dump) -> Spec:
    """The toy dump's, as of three singers."""
    return dataclasses.replace(Spec.read(toy_dump), speakers=("calm", "mei", "wide"))


def batch_of(examples: list[Example], spec: Spec, seed: int = 0) -> Batch:
    return collate(examples, spec.frame_shift, seed)


def phrase(spec: Spec, lengths, pitches=None, singer=0, lyrics="らさまたか") -> Example:
    """Notes of these lengths in seconds, sung as written: a consonant of 60 ms and its vowel."""
    time = 0.3 + np.append(0, np.cumsum(lengths))
    pitches = pitches or [60 + 2 * (i % 4) for i in range(len(lengths))]
    notes = [
        Note(a, b, p, lyrics[i % len(lyrics)], beats=2 * (b - a))
        for i, (a, b, p) in enumerate(zip(time, time[1:], pitches))
    ]
    score = attach_phones(Score((Note(0, 0.3, 0), *notes, Note(time[-1], time[-1] + 0.3, 0))))
    frames = [60, *(f for n in lengths for f in (12, round(n / SHIFT) - 12)), 60]
    example = example_of("x", score, spec, singer).timed(np.array(frames))
    lf0 = np.full((sum(frames), 1), np.log(220), np.float32)
    return dataclasses.replace(example, streams={"lf0": lf0, "vuv": np.ones_like(lf0)})


def taught(
    spec: Spec,
    seed: int,
    singer: int,
    extent: float,
    rate: float,
    shortest: float,
    delay: float = 0.1,
    lengths=(0.45, 0.9),
    fade: float = 0.1,
) -> list[Example]:
    """Six phrases of notes of these ``lengths``, from ``shortest`` on with vibrato."""
    rng, out = np.random.default_rng(seed), []
    for _ in range(6):
        example = phrase(spec, rng.choice(lengths, 4), singer=singer)
        for vowel in held_vowels(example.score, spec):
            if (vowel.end - vowel.start) * SHIFT < shortest:
                continue
            own = rate * np.exp(0.05 * rng.standard_normal()), extent * np.exp(0.2 * rng.standard_normal())
            wave = sing_vibrato(vowel.end - vowel.start, SHIFT, *own, delay, fade, 0.05, rng)
            example.streams["lf0"][vowel.start : vowel.end, 0] += wave
        out.append(example)
    return out


def sung(habit: VibratoHabit, spec: Spec, lengths, singer=0, takes=8):
    """The vibrato of each note, analysed, take by take."""
    example = phrase(spec, lengths, singer=singer)
    out = []
    for seed in range(takes):
        wave = habit(batch_of([example], spec, seed))[0, :, 0].double().numpy()
        for v in held_vowels(example.score, spec):
            out.append(find_vibrato(wave[v.start : v.end], np.ones(v.end - v.start, bool), SHIFT))
    return out


@pytest.fixture(scope="module")
def habit(two) -> VibratoHabit:
    """Of mei: 40 cents at 5.2 Hz in long notes. Of wide: 100 cents at 6.5 Hz in all. calm was not heard."""
    made = VibratoHabit(two)
    made.fit(taught(two, 1, 1, 40, 5.2, 0.5) + taught(two, 2, 2, 100, 6.5, 0.0))
    return made


@pytest.mark.parametrize(("seed", "singer", "known"), [(1, 1, (40, 5.2, 0.5)), (2, 2, (100, 6.5, 0.0))])
def test_each_singer_gets_her_own(habit, two, seed, singer, known):
    long = [
        find_vibrato(example.streams["lf0"][v.start : v.end, 0], np.ones(v.end - v.start, bool), SHIFT)
        for example in taught(two, seed, singer, *known)
        for v in held_vowels(example.score, two)
        if (v.end - v.start) * SHIFT > 0.5
    ]
    notes = sung(habit, two, [0.9, 0.9, 0.9, 0.9], singer)
    found = [note for note in notes if note]
    assert len(found) > 0.85 * len(notes)
    for name, off in (("extent", 0.2), ("rate", 0.05)):
        heard, own = (np.median([getattr(n, name) for n in group]) for group in (found, long))
        assert heard == pytest.approx(own, rel=off)
    # It is heard from one or another half cycle on.
    assert np.mean([n.begin for n in found]) == pytest.approx(np.mean([n.begin for n in long]), abs=12)
    assert np.std(np.log([note.extent for note in found])) > 0.1, "notes must not be all alike"


@pytest.mark.parametrize(("delay", "fade", "late"), [(0.15, 0.05, 0.05), (0.3, 0.2, 0.12), (0.6, 0.05, 0.05)])
def test_vibrato_begins_when_hers_does(two, delay, fade, late):
    """Her delay is known, and so is that which is sung: where the wave leaves zero. Of a fade as long as a
    cycle the analysis hears no more than the second half."""
    made = VibratoHabit(two)
    made.fit(taught(two, 3, 1, 70, 5.7, 0.0, delay, (1.0, 1.3, 1.6), fade))
    example, begins = phrase(two, [1.3] * 4, singer=1), []
    for seed in range(8):
        wave = made(batch_of([example], two, seed))[0, :, 0]
        begins += [int(wave[v.start : v.end].nonzero()[0]) * SHIFT for v in held_vowels(example.score, two)]
    assert -0.05 <= np.median(begins) - delay <= late
    assert np.std(begins) > 0.02, "notes must not be all alike"


def test_as_much_of_the_notes_has_it_as_of_those_that_taught_it(two):
    """Though the analysis misses other parts of what is sung than of what was heard."""
    examples = taught(two, 4, 1, 40, 5.2, 0.5)
    made = VibratoHabit(two)
    made.fit(examples)
    heard, drawn, frames = 0, 0, 0
    for example in examples:
        waves = [made(batch_of([example], two, seed))[0, :, 0].double().numpy() for seed in range(3)]
        for v in held_vowels(example.score, two):
            frames += v.end - v.start
            for curve, weight in ((example.streams["lf0"][:, 0], 3), *((wave, 1) for wave in waves)):
                found = find_vibrato(curve[v.start : v.end], np.ones(v.end - v.start, bool), SHIFT)
                covered = found.end - found.begin if found else 0
                heard, drawn = (heard + covered, drawn) if weight == 3 else (heard, drawn + covered / 3)
    assert drawn / frames == pytest.approx(heard / frames, abs=0.06)


def test_it_hangs_on_the_notes_length(habit, two):
    assert sum(n is not None for n in sung(habit, two, [0.45] * 4, 1)) < 0.3 * 32
    assert sum(n is not None for n in sung(habit, two, [0.45] * 4, 2)) > 0.7 * 32


def test_who_was_not_heard_sings_like_all_and_who_sings_straight_does_so(habit, two):
    found = [note for note in sung(habit, two, [0.9] * 4, 0) if note]
    assert len(found) > 20 and 40 < np.median([note.extent for note in found]) < 100
    straight = VibratoHabit(two)
    assert not any(sung(straight, two, [0.9] * 4, 0, takes=3)), "who has learnt nothing has none"
    straight.fit(taught(two, 3, 0, 60, 5.5, shortest=9.0))
    assert sum(n is not None for n in sung(straight, two, [0.9] * 4, 0)) < 0.1 * 32


def test_one_note_teaches_no_certainty(two):
    """A single note with 150 cents: the prior of 60 still counts, and none is wider than is sung."""
    made, example = VibratoHabit(two), phrase(two, [0.9])
    (vowel,) = held_vowels(example.score, two)
    wave = sing_vibrato(vowel.end - vowel.start, SHIFT, 5.5, 150, 0.1, 0.1, 0.05, np.random.default_rng(1))
    example.streams["lf0"][vowel.start : vowel.end, 0] += wave
    made.fit([example])
    found = [note for note in sung(made, two, [0.9] * 4) if note]
    assert 60 < np.median([note.extent for note in found]) < 150


def test_seeds_are_takes_and_a_batch_is_what_each_is_alone(habit, two):
    examples = [phrase(two, [0.9, 0.4, 0.7], singer=2), phrase(two, [0.8] * 6, singer=1)]
    together = habit(batch_of(examples, two, 7))
    for row, example in zip(together, examples):
        alone = habit(batch_of([example], two, 7))[0]
        assert torch.equal(row[: len(alone)], alone) and not row[len(alone) :].any()
    assert not torch.equal(habit(batch_of(examples, two, 8)), together)


def test_a_note_keeps_its_draw_when_others_change(habit, two):
    before, after = (
        phrase(two, lengths, pitches, singer=2, lyrics=lyrics)
        for lengths, pitches, lyrics in (
            ([0.5, 0.9, 0.9], [60, 62, 64], "らさま"),
            ([0.8, 0.7, 0.9], [67, 65, 64], "かたま"),
        )
    )
    waves = [habit(batch_of([e], two, 3))[0, :, 0] for e in (before, after)]
    last = [held_vowels(e.score, two)[-1] for e in (before, after)]
    one, other = (wave[v.start : v.end] for wave, v in zip(waves, last))
    assert one.any() and torch.equal(one, other)


def test_a_note_with_another_seed_moves_alone(habit, two):
    example = phrase(two, [0.9, 0.9, 0.9], singer=2)
    seeds = batch_of([example], two, 3).score.note_seed[0].numpy().copy()
    seeds[2] = 77
    other = dataclasses.replace(example, score=dataclasses.replace(example.score, note_seed=seeds))
    one, again = (habit(batch_of([e], two, 3))[0, :, 0] for e in (example, other))
    same = [
        torch.equal(one[v.start : v.end], again[v.start : v.end]) for v in held_vowels(example.score, two)
    ]
    assert same == [True, False, True]


def test_temperature_is_the_spread_of_takes(habit, two):
    example = phrase(two, [0.9] * 4, singer=2)
    extents = {0.0: [], 1.0: []}
    for temperature, seed in itertools.product(extents, range(3)):
        batch = dataclasses.replace(batch_of([example], two, seed), temperature=temperature)
        wave = habit(batch)[0, :, 0].double().numpy()
        for vowel in held_vowels(example.score, two):
            part = wave[vowel.start : vowel.end]
            extents[temperature].append(np.log(find_vibrato(part, np.ones(len(part), bool), SHIFT).extent))
    assert np.std(extents[0.0]) < 0.7 * np.std(extents[1.0])


def test_nothing_moves_outside_of_vowels_or_by_a_leap(habit, two):
    example = phrase(two, [0.9, 0.5, 1.5, 0.3], singer=2)
    inside = np.zeros(example.frames, bool)
    for vowel in held_vowels(example.score, two):
        inside[vowel.start : vowel.end] = True
    for seed in range(4):
        wave = habit(batch_of([example], two, seed))[0, :, 0].double().numpy() * CENTS
        assert not wave[~inside].any()
        # A sine of 250 cents at 8 Hz moves 63 cents in a frame.
        assert np.abs(np.diff(wave)).max() < 63


@pytest.mark.parametrize(("rate", "extent", "delay"), [(4.6, 30.0, 0.3), (5.8, 70.0, 0.0), (7.0, 120.0, 0.2)])
def test_what_is_sung_is_found_again(rate, extent, delay):
    for seed in range(5):
        wave = sing_vibrato(300, SHIFT, rate, extent, delay, 0.2, 0.05, np.random.default_rng(seed))
        found = find_vibrato(wave, np.ones(300, bool), SHIFT)
        assert found.rate == pytest.approx(rate, rel=0.08)
        assert found.extent == pytest.approx(extent, rel=0.25)
        assert found.begin * SHIFT == pytest.approx(delay, abs=0.15) and found.end > 280


def test_a_model_learns_it_and_keeps_it(two, tmp_path):
    path = ROOT / "conf/acoustic/resf0_conv.yaml"
    config = Config.read(
        path, ["--model.options.retrieval=0", "--model.options.movement=0", "--model.options.contour=0"]
    )
    model = config.build(two).eval()
    plain = model.infer(batch_of([phrase(two, [0.9] * 3, singer=2)], two))
    assert model.fits and not plain["vibrato"].any(), "who has learnt nothing sings the rule"
    model.fit(taught(two, 2, 2, 100, 6.5, 0.0))
    again = config.build(two).eval()
    again.load_state_dict(model.state_dict())
    batch = batch_of([phrase(two, [0.9] * 3, singer=2)], two, 5)
    out, same = model.infer(batch), again.infer(batch)
    assert out["vibrato"].abs().max() * CENTS > 50
    torch.testing.assert_close(out["lf0"] - out["vibrato"], plain["lf0"], rtol=0, atol=1e-5)
    assert all(torch.equal(out[name], same[name]) for name in out)
