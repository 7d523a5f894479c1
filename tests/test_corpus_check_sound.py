"""What is heard and what sets share: each fault seeded alone, and no word about sound ones."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from align_corpus import RATE, random_score, sing

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus import check_sets as sets
from nnsvs_lite.corpus.check_sets import NAMED, check_sets
from nnsvs_lite.corpus.check_sound import Heard, listen
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Score

UTT = "toy_001"
TABLES = ("utt2spk", "text", "scores", "utt2lang", "labels")


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> DataDir:
    """Four phrases of a toy singer; not written."""
    folder, rng = tmp_path_factory.mktemp("sound"), np.random.default_rng(3)
    data = DataDir(path=folder / "train", wavs={}, utt2spk={})
    for i in range(4):
        utt, score = f"toy_{i:03d}", random_score(rng)
        x, labels = sing(score, rng)
        data.wavs[utt] = folder / f"{utt}.wav"
        soundfile.write(data.wavs[utt], 0.5 * x / np.abs(x).max(), RATE)
        data.put(utt, "toy", score, labels)
    return data


def copy_of(data: DataDir, path: Path) -> DataDir:
    tables = {name: dict(getattr(data, name)) for name in ("wavs", *TABLES)}
    return dataclasses.replace(data, path=path, **tables)


def write(data: DataDir, change: Callable[[np.ndarray], np.ndarray], rate: int = RATE, **form) -> None:
    """Changes the samples of an utterance."""
    path = data.path.parent / f"changed.{form.get('format', 'wav').lower()}"
    x = change(data.audio(UTT)[0])
    data.wavs[UTT] = path
    soundfile.write(path, x, rate, **form)


def transpose(data: DataDir, semitones: int) -> None:
    notes = data.scores[UTT].notes
    moved = tuple(dataclasses.replace(n, pitch=n.pitch + semitones if n.pitch else 0) for n in notes)
    data.scores[UTT] = Score(moved)


def move(data: DataDir, seconds: float, score: bool = False) -> None:
    """Moves labels, and with them the score, inside the audio."""
    old = data.labels[UTT]
    times = [0.0, *(label.start + seconds for label in old[1:]), old[-1].end]
    data.labels[UTT] = [Segment(a, b, s.label) for a, b, s in zip(times, times[1:], old)]
    if score:
        notes = data.scores[UTT].notes
        starts = [0.0, *(note.start + seconds for note in notes[1:]), notes[-1].end]
        moved = (dataclasses.replace(n, start=a, end=b) for a, b, n in zip(starts, starts[1:], notes))
        data.scores[UTT] = Score(tuple(moved))


def clip(gain: float, level: float = 0.99) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: level * np.clip(x / np.abs(x).max() * gain, -1, 1)


def noise(x: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, len(x))


def with_nan(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x[:-3], np.full(3, np.nan)])


SEEDS = {
    "silent": (lambda d: write(d, lambda x: 0 * x), "the audio is silent"),
    "nearly silent": (lambda d: write(d, lambda x: 5e-5 * x), "the audio is silent"),
    "very quiet": (lambda d: write(d, lambda x: 0.01 * x), "very quiet: the peak is -46 dB of full scale"),
    "quiet": (lambda d: write(d, lambda x: 0.03 * x), "very quiet: the peak is -3[67] dB"),
    "DC": (lambda d: write(d, lambda x: x + 0.05), r"a DC offset of \+0.05"),
    "small DC": (lambda d: write(d, lambda x: x - 0.01), r"a DC offset of -0.01"),
    "clipped by far": (lambda d: write(d, clip(4)), r"clipped: \d+ peaks are cut off at -0.1 dB"),
    "clipped, then turned down": (lambda d: write(d, clip(2, 0.3)), r"clipped: \d+ peaks .* at -10.5 dB"),
    "clipped by 3 dB": (lambda d: write(d, clip(1.4)), r"clipped: \d+ peaks are cut off"),
    "8 bits widened": (lambda d: write(d, lambda x: np.round(x * 128) / 128), "samples of 8 bits in a wider"),
    "NaN": (lambda d: write(d, with_nan, subtype="FLOAT"), "3 samples are NaN or infinite"),
    "infinite": (
        lambda d: write(d, lambda x: np.append(x[1:], -np.inf), subtype="DOUBLE"),
        "1 samples are NaN or inf",
    ),
    "noise": (lambda d: write(d, noise), "no voice is heard where the score has notes"),
    "reversed": (
        lambda d: write(d, lambda x: x[::-1]),
        "F0 is that of the score in .*another song, or reversed",
    ),
    "another phrase": (
        lambda d: d.wavs.update({UTT: d.wavs["toy_003"]}),
        "sung .* semitones|F0 is that .*another song, or reversed",
    ),
    "an octave up": (lambda d: transpose(d, -12), r"sung \+(12.0|11.9) semitones from the score"),
    "an octave down": (lambda d: transpose(d, 12), r"sung -12.\d semitones from the score"),
    "a semitone up": (lambda d: transpose(d, -1), r"sung \+(1.0|0.9) semitones from the score"),
    "a semitone down": (lambda d: transpose(d, 1), r"sung -1.\d semitones from the score"),
    "labels 100 ms late": (lambda d: move(d, 0.1), "labels are 0.(09|10|11) s later than what is heard"),
    "labels 100 ms early": (lambda d: move(d, -0.1), "labels are 0.(09|10|11) s earlier than what is heard"),
    "labels 70 ms late": (lambda d: move(d, 0.07), "labels are 0.0[67] s later than what is heard"),
    "labels and score 300 ms early": (
        lambda d: move(d, -0.3, True),
        "labels are 0.(29|30|31) s earlier than",
    ),
    "labels and score 200 ms late": (lambda d: move(d, 0.2, True), "labels are 0.(19|20|21) s later than"),
    "labels late against the score": (lambda d: move(d, 0.1), r"the 7 notes .* \+0.12 s from the score"),
}


@pytest.mark.parametrize("name", SEEDS)
def test_each_fault_is_heard(sound, tmp_path, name):
    make, words = SEEDS[name]
    data = copy_of(sound, tmp_path / "data")
    make(data)
    heard = {utt: listen(data, utt) for utt in data.utts}
    found = check_sets([data.write().path])
    assert any(re.search(f"{UTT}: {words}", str(fault)) for fault in found), found
    assert not any(h.faults for utt, h in heard.items() if utt != UTT)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: None,
        lambda d: write(d, lambda x: 0.1 * x),
        lambda d: write(d, lambda x: 1.9 * x),
        lambda d: write(d, lambda x: x, subtype="PCM_24"),
        lambda d: write(d, lambda x: -x, format="FLAC"),
        lambda d: write(d, lambda x: x + 0.01 * noise(x)),
        lambda d: move(d, 0.03),
        lambda d: d.labels.clear(),
        lambda d: d.scores.clear(),
    ],
)
def test_sound_recordings_are_left_alone(sound, tmp_path, change):
    data = copy_of(sound, tmp_path / "data")
    change(data)
    assert check_sets([data.write().path]) == []
    assert all(len(listen(data, utt).loudness) for utt in data.utts)


def resung(x: np.ndarray) -> np.ndarray:
    """The same notes a little faster: another take."""
    return np.interp(np.arange(0, len(x) - 1, 1.03), np.arange(len(x)), x)


COPIES = {
    "the same": lambda x: x,
    "louder": lambda x: 1.7 * x,
    "turned": lambda x: -x,
    "with noise": lambda x: x + 0.05 * noise(x),
    "trimmed": lambda x: x[1000:-500],
    "padded": lambda x: np.pad(x, (3000, 1000)),
    "resampled": lambda x: np.interp(np.arange(0, len(x) - 1, 2), np.arange(len(x)), x),
}


def add(data: DataDir, utt: str, source: DataDir, x: np.ndarray | None = None, rate: int = RATE) -> None:
    """Enters an utterance of another set, with samples of its own."""
    if x is not None:
        data.wavs[utt] = data.path.parent / f"{utt}_{data.path.name}.wav"
        soundfile.write(data.wavs[utt], x, rate)
    else:
        data.wavs[utt] = source.wavs[UTT]
    for name in TABLES:
        if UTT in getattr(source, name):
            getattr(data, name)[utt] = getattr(source, name)[UTT]


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("other", ["train", "eval"])
def test_one_recording_under_two_ids_is_found(sound, tmp_path, name, other):
    train = copy_of(sound, tmp_path / "train")
    data = train if other == "train" else DataDir(path=tmp_path / "eval", wavs={}, utt2spk={})
    x = COPIES[name](sound.audio(UTT)[0])
    add(data, "toy_900", sound, x, RATE // 2 if name == "resampled" else RATE)
    data.scores.pop("toy_900"), data.labels.pop("toy_900")
    found = check_sets({part.write().path for part in (train, data)})
    assert [fault.what for fault in found] in (
        [f"toy_900: sounds the same as train/{UTT}"],
        [f"{UTT}: sounds the same as eval/toy_900"],
    )


def test_copies_are_found_as_by_comparing_all_with_all_and_equal_ones_are_compared_once(
    tmp_path, monkeypatch
):
    rng, count, heard = np.random.default_rng(0), 300, {}
    originals = [np.abs(np.cumsum(rng.normal(size=400))).astype(np.float32) for _ in range(20)]
    for k in range(count):
        x = originals[k % 20]
        x = {0: x, 1: x[5:], 2: x + rng.uniform(0, 0.01, 400).astype(np.float32)}.get(k // 20 % 5, x)
        heard[f"toy_{k:03d}"] = np.ones(400, np.float32) if k % 7 == 3 else x
    data = DataDir(tmp_path / "data", dict.fromkeys(heard, tmp_path / "a.wav"), dict.fromkeys(heard, "toy"))
    data.segments = {utt: ("toy_000", 10.0 * i, 10.0 * i + 9) for i, utt in enumerate(heard)}
    data.write()
    monkeypatch.setattr(sets, "listen", lambda data, utt: Heard(loudness=heard[utt]))
    monkeypatch.setattr(sets, "NAMED", count)
    compared, like = [], sets._likeness
    monkeypatch.setattr(sets, "_likeness", lambda a, b: compared.append(1) or like(a, b))
    found = [fault.what for fault in check_sets([data.path])]
    keys = {utt: sets._fluctuation(loudness) for utt, loudness in heard.items()}
    expected = []
    for i, utt in enumerate(heard):
        near = (u for u in list(heard)[:i] if keys[u] @ keys[utt] > 0.985)
        if other := next((u for u in near if like(heard[utt], heard[u]) > 0.98), None):
            expected.append(f"{utt}: sounds the same as data/{other}")
    assert found == expected
    assert len(found) > 200
    assert len(compared) < 3 * count


def test_what_two_sets_share_is_found(sound, tmp_path):
    train, evaluation = sound.write(tmp_path / "train"), DataDir(path=tmp_path / "eval", wavs={}, utt2spk={})

    def found() -> list[str]:
        return [fault.what for fault in check_sets([train.path, evaluation.write().path])]

    add(evaluation, "toy_900", sound, resung(sound.audio(UTT)[0]))
    evaluation.labels.clear()
    assert found() == [f"toy_900: has the notes and lyrics of train/{UTT}"]
    evaluation.utt2spk["toy_900"] = "toy_9"
    assert found() == [], "another singer may sing the same song"
    add(evaluation, UTT.upper(), sound, resung(sound.audio(UTT)[0])[::-1].copy())
    evaluation.scores.clear(), evaluation.labels.clear()
    assert found() == [f"TOY_001: differs only in capitals from train/{UTT}"]
    evaluation.utt2spk = {"toy_900": "toy"}
    add(evaluation, "toy_900", sound)
    del evaluation.labels["toy_900"]
    duration = sound.duration(UTT)
    evaluation.wavs = {"toy_rec": sound.wavs[UTT]}
    evaluation.segments = {"toy_900": ("toy_rec", duration - 0.5, duration)}
    evaluation.scores.clear()
    assert found() == [f"toy_900: shares 0.50 s of its recording with train/{UTT}"]
    evaluation.segments = {"toy_900": ("toy_rec", 0.0, 0.5)}
    assert len(found()) == 1
    assert [f.what for f in check_sets([train.path, train.path])] == []
    # Names that cannot be read are told of.
    (train.path / "utt2file").write_text("toy_001 a.wav\ntoy_001 b.wav\n")
    with pytest.raises(DataError, match="utt2file"):
        found()


def test_the_command_names_a_bounded_list_as_faults_or_warnings(sound, tmp_path, capsys):
    data = copy_of(sound, tmp_path / "data")
    data.wavs = {f"toy_{i:03d}": data.wavs["toy_000"] for i in range(NAMED + 5)}
    for name in TABLES:
        setattr(
            data, name, {utt: getattr(sound, name)["toy_000"] for utt in data.wavs if getattr(sound, name)}
        )
    path = str(data.write().path)
    assert main(["validate", path, "--nj", "2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == NAMED + 2 and lines[-1] == f"{NAMED + 1} faults in {path}"
    assert lines[0] == f"{path}: toy_001: sounds the same as data/toy_000"
    assert lines[NAMED] == f"{path}: and 4 more: one recording twice"
    assert main(["validate", path, "--sound", "warn"]) == 0
    warned = capsys.readouterr().out.splitlines()
    assert warned == [*(f"warning: {line}" for line in lines[:-1]), f"0 faults in {path}"]
    assert main(["validate", path, "--sound", "skip"]) == 0
    assert capsys.readouterr().out == f"0 faults in {path}\n"
