"""Score-guided refinement on a toy singer with known times."""

import dataclasses

import numpy as np
import pytest
from align_corpus import RATE, make_corpus, random_score, sing

from nnsvs_lite.align.acoustic import Models
from nnsvs_lite.align.config import RefineConfig, SyncConfig
from nnsvs_lite.align.frames import Frames, analyse, load_frames, save_frames
from nnsvs_lite.align.refine import Norm, evidence_of, refine, to_labels
from nnsvs_lite.align.report import figures, onset_errors
from nnsvs_lite.align.segmental import Evidence, Priors, running_sums, search
from nnsvs_lite.align.slots import RESTED, UNSUNG, Item, Slot, slots_of
from nnsvs_lite.align.sync import synchronise
from nnsvs_lite.score.types import Note, Score

CONFIG = RefineConfig(iterations=6)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """(data, items) of ten phrases."""
    folder = tmp_path_factory.mktemp("toy")
    data = make_corpus(folder / "data", 10)
    items = []
    for utt in data.utts:
        frames = analyse(*data.audio(utt), CONFIG.frame_shift)
        save_frames(folder / f"{utt}.npz", frames)
        score = data.scores[utt]
        items.append(Item(utt, "toy", score, folder / f"{utt}.npz", len(frames), breaths=False))
    return data, items


def errors(data, items, refined, config=CONFIG):
    found = []
    for item in items:
        labels = to_labels(item, refined.onsets[item.utt], data.duration(item.utt), config)
        assert labels[0].start == 0.0 and labels[-1].end == data.duration(item.utt)
        found += onset_errors(labels, data.labels[item.utt])
    return figures(found)


def test_finds_known_onsets(toy):
    data, items = toy
    refined = refine(items, CONFIG)
    got = errors(data, items, refined)
    assert got["within_20ms"] >= 0.95 and got["median_ms"] <= 6.0
    # The toy singer is 20 ms late, which is learnt.
    assert np.mean([item.offset for item in refined.items]) == pytest.approx(0.02, abs=0.008)


def test_a_recording_may_end_before_its_score(toy, tmp_path):
    item = toy[1][1]
    frames = load_frames(item.cache)
    kept = len(frames) - round(1.6 / CONFIG.frame_shift)
    parts = {k: v[:kept] if isinstance(v, np.ndarray) else v for k, v in vars(frames).items()}
    save_frames(tmp_path / "cut.npz", Frames(**parts))
    cut = dataclasses.replace(item, cache=tmp_path / "cut.npz", frames=kept)
    refined = refine([cut], dataclasses.replace(CONFIG, iterations=2))
    onsets = refined.onsets[cut.utt]
    assert np.all(np.diff(onsets) >= 0) and onsets[-1] == kept


@pytest.mark.parametrize("early", [-0.06, 0.03, 0.09])
def test_a_start_that_is_off_costs_nothing(toy, early):
    data, items = toy
    moved = [dataclasses.replace(item, offset=early) for item in items]
    refined = refine(moved, CONFIG)
    assert errors(data, items, refined)["within_20ms"] >= 0.95
    assert np.mean([item.offset for item in refined.items]) == pytest.approx(0.02, abs=0.008)


def test_same_result_whatever_the_jobs(toy, monkeypatch):
    data, items = toy
    monkeypatch.setattr("nnsvs_lite.align.refine.BATCH", 3)
    config = dataclasses.replace(CONFIG, iterations=2)
    one, two = refine(items, config, jobs=1), refine(items, config, jobs=2)
    assert all(np.array_equal(one.onsets[u], two.onsets[u]) for u in one.onsets)
    assert all(np.array_equal(one.models.means[k], two.models.means[k]) for k in one.models.means)


def test_a_shifted_score_is_found_and_corrected(toy):
    data, items = toy
    shift = 0.4
    moved = []
    for item in items:
        rest, *notes = item.score.notes
        notes = [dataclasses.replace(n, start=n.start + shift, end=n.end + shift) for n in notes]
        score = Score((dataclasses.replace(rest, end=rest.end + shift), *notes))
        sync = synchronise(load_frames(item.cache), score, SyncConfig())
        assert sync.offset == pytest.approx(-shift, abs=0.06)
        moved.append(dataclasses.replace(item, score=score, offset=sync.offset))
    assert errors(data, moved, refine(moved, CONFIG))["within_20ms"] >= 0.9


def test_a_breath_that_the_score_lacks_is_found():
    rng = np.random.default_rng(5)
    score = Score(
        (
            Note(0.0, 0.4, 0, "", ("pau",)),
            Note(0.4, 1.2, 60, "sa", ("s", "a")),
            Note(1.2, 1.6, 0, "", ("pau",)),
            Note(1.6, 2.2, 64, "mi", ("m", "i")),
            Note(2.2, 2.6, 0, "", ("pau",)),
        )
    )
    audio, _ = sing(score, rng)
    lacking = Score((*score.notes[:1], dataclasses.replace(score.notes[1], end=1.6), *score.notes[3:]))
    frames = analyse(audio, RATE)
    item = Item("x", "toy", lacking, None, len(frames))
    slots = slots_of(item, CONFIG)
    assert [s.phone for s in slots] == ["pau", "s", "a", "br", "m", "i", "pau"]


def test_a_voice_is_no_breath_and_less_so_where_rests_are_known_to_be_silent():
    # A breath that no recording holds has the model of all frames, which odd vowels would else be nearest to.
    audio, labels = sing(random_score(np.random.default_rng(7), notes=6), np.random.default_rng(7))
    frames = analyse(audio, RATE)
    vowel = max((s for s in labels if s.label in "aiueo"), key=lambda s: s.end - s.start)
    a, b = (round(time / CONFIG.frame_shift) for time in (vowel.start + 0.05, vowel.end - 0.05))
    item = Item("x", "toy", random_score(np.random.default_rng(7), notes=6), None, len(frames))
    norm = Norm(np.zeros(frames.features.shape[1]), np.ones(frames.features.shape[1]), 1.0)
    for rest, against in ((0.0, 0.3), (4.0, 1.5)):
        sums = evidence_of(item, [], frames, norm, Models({}, {}), rest).pitch[UNSUNG]
        assert (sums[b] - sums[a]) / (b - a) == pytest.approx(-against, rel=0.1)


def test_sync_finds_offset_drift_and_transposition():
    rng = np.random.default_rng(2)
    score = random_score(rng, notes=40)
    audio, _ = sing(score, rng)
    frames = analyse(audio, RATE)
    config = SyncConfig()
    plain = synchronise(frames, score, config)
    assert abs(plain.offset) <= 0.05 and abs(plain.stretch - 1) < 0.003 and abs(plain.transposition) < 0.1
    slower = Score(
        tuple(
            dataclasses.replace(
                n,
                start=n.start * 0.98 + (0.5 if i else 0),
                end=n.end * 0.98 + 0.5,
                pitch=n.pitch and n.pitch - 3,
            )
            for i, n in enumerate(score.notes)
        )
    )
    found = synchronise(frames, slower, config)
    # recording = offset + stretch * score
    middle = score.duration / 2
    assert found.offset + found.stretch * (0.98 * middle + 0.5) == pytest.approx(middle, abs=0.06)
    assert found.stretch == pytest.approx(1 / 0.98, abs=0.003)
    assert found.transposition == pytest.approx(3.0, abs=0.1)


def test_evidence_of_a_tone_and_of_silence():
    t = np.arange(RATE) / RATE
    tone = np.where(t < 0.5, 0.3 * np.sin(2 * np.pi * 220 * t), 0.0)
    frames = analyse(tone, RATE)
    assert len(frames) == 201 and frames.features.shape == (201, 45)
    assert np.abs(frames.f0[20:80] - 220).max() < 1.0
    assert frames.voicing[20:80].min() > 0.95 and frames.voicing[120:180].max() < 0.6
    assert 97 <= int(frames.flux.argmax()) <= 103  # 0.5 s
    assert np.isfinite(analyse(np.zeros(RATE), RATE).features).all()
    assert len(analyse(np.zeros(100), RATE)) == 2


@pytest.mark.slow
def test_real_recordings(shared_data, tmp_path):
    """The targets for two real songs, their labels hidden."""
    import soundfile

    from nnsvs_lite.io.ctm import Segment
    from nnsvs_lite.score.formats.readers import read_score
    from nnsvs_lite.score.phonemize import attach_phones

    songs = shared_data / "nit_song070"
    items, truth, lengths = [], {}, {}
    for song in ("004", "007"):
        audio, rate = soundfile.read(songs / f"nitech_jp_song070_f001_{song}.wav")
        frames = analyse(audio, rate, CONFIG.frame_shift)
        save_frames(tmp_path / f"{song}.npz", frames)
        score = attach_phones(read_score(songs / f"{song}_score.musicxml"))
        items.append(Item(song, "f001", score, tmp_path / f"{song}.npz", len(frames)))
        lengths[song] = len(audio) / rate
        rows = (line.split() for line in (songs / f"{song}_mono.lab").read_text().splitlines())
        truth[song] = [Segment(int(a) / 1e7, int(b) / 1e7, p) for a, b, p in rows]
    config = RefineConfig()
    refined = refine(items, config)
    found = []
    for item in items:
        labels = to_labels(item, refined.onsets[item.utt], lengths[item.utt], config)
        found += onset_errors(labels, truth[item.utt])
    got = figures(found)
    assert got["n_onsets"] > 250
    assert got["within_50ms"] >= 0.85 and got["median_ms"] <= 20.0 and got["within_20ms"] >= 0.75


def test_one_utterance_is_in_memory_at_a_time(toy, monkeypatch):
    import weakref

    alive: list = []
    most = 0

    def load(path):
        nonlocal most
        frames = load_frames(path)
        alive.append(weakref.ref(frames))
        most = max(most, sum(ref() is not None for ref in alive))
        return frames

    monkeypatch.setattr("nnsvs_lite.align.refine.load_frames", load)
    refine(toy[1], dataclasses.replace(CONFIG, iterations=1))
    assert len(alive) == 30 and most <= 2  # the next is read while the last still has its name


@pytest.mark.parametrize(("rest", "begins"), [(0.0, 60), (1.0, 100)])
def test_a_rest_begins_where_the_voice_ends_and_not_where_it_fades(rest, begins):
    slot = Slot("a", "ja:a", "ja:vowel", 0, 0, 0, np.nan, "", np.nan, True, False, False)
    silent = dataclasses.replace(slot, phone="pau", key="ja:pau", pitch=RESTED, note=1, low=20, high=140)
    # From frame 60 on it sounds more like silence, until frame 100 it is voiced.
    frame = np.arange(150)
    states = {"ja:a": np.zeros((3, 150)), "ja:pau": np.tile(np.where(frame < 60, -0.5, 0.5), (3, 1))}
    states = {key: running_sums(value) for key, value in states.items()}
    evidence = Evidence(states, {RESTED: running_sums(-rest * (frame < 100))}, np.zeros(151))
    assert search([slot, silent], 150, evidence, Priors())[0].tolist() == [0, begins, 150]


def test_how_silent_rests_are_is_heard_in_consonants_without_voice(toy, tmp_path):
    _, items = toy
    dry = refine(items, dataclasses.replace(CONFIG, iterations=4)).priors.rest
    assert dry > np.log(9.0)  # less than a tenth of them
    # As in a room that sounds on through them.
    echoing = []
    for item in items:
        frames = load_frames(item.cache)
        hertz = np.where(frames.f0 > 0, frames.f0, 200.0)
        frames = dataclasses.replace(frames, f0=hertz, voicing=np.maximum(frames.voicing, 0.8))
        save_frames(tmp_path / f"{item.utt}.npz", frames)
        echoing.append(dataclasses.replace(item, cache=tmp_path / f"{item.utt}.npz"))
    assert refine(echoing, dataclasses.replace(CONFIG, iterations=4)).priors.rest == 0.0
