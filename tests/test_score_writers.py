"""Scores that are written and read again are the same, in every format."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
import scorefiles
import yaml

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import listening, strictly
from nnsvs_lite.score.drawn import STEP, Drawn
from nnsvs_lite.score.formats.readers import read_score, read_tracks
from nnsvs_lite.score.formats.writers import WRITERS, convert, score_bytes, write_score
from nnsvs_lite.score.formats.written import Written, thinned

THIRD, FIFTH = Fraction(1, 3), Fraction(2, 5)
TUNES = {
    "plain": scorefiles.JAPANESE,
    "tempi": scorefiles.tune(
        "60 2 さ, 62 4 く, 64 1 ら, 65 1 -, r 4, 62 4 は", [(0, 77.7), (1, 60.0), (5, 143.25), (9, 90.0)]
    ),
    "tuplets": scorefiles.tune(
        f"60 {THIRD} さ, 62 {THIRD} く, 64 {THIRD} ら, 65 {FIFTH} は, 65 {FIFTH} る, 67 {FIFTH} が, r {FIFTH}"
        f", 69 {FIFTH} き, 62 2 た",
        beats=3,
    ),
    "held": scorefiles.tune(
        "r 4, 60 1 か, 62 1 -, 64 1 -, 62 1 きっ, 64 1 -, r 1/2, 65 1/2 ん, 67 1 -, 60 1 っ"
    ),
}


def song(folder, name="plain", phones=False):
    path = folder / f"{name}.ustx"
    path.write_bytes(scorefiles.ustx(TUNES[name]))
    return read_score(path, phones=phones)


def rows(score, tempo=True):
    """What must survive."""
    return [
        (round(n.start, 4), round(n.end, 4), n.pitch, n.lyric, n.slur, round(n.tempo, 2) if tempo else 0)
        for n in score.notes
    ]


@pytest.mark.parametrize("name", TUNES)
@pytest.mark.parametrize("suffix", WRITERS)
def test_a_tune_comes_back(tmp_path, name, suffix):
    score = song(tmp_path, name, phones=suffix == ".ds")
    path = tmp_path / f"again{suffix}"
    write_score(path, score)
    again = read_score(path, phones=suffix == ".ds")
    # DS has neither tempo nor bars, UST no tempo that changes inside a note.
    timed = suffix != ".ds" and (suffix, name) != (".ust", "tempi")
    assert rows(again, timed) == rows(score, timed)
    if suffix == ".ds":
        assert [note.phones for note in again.notes] == [note.phones for note in score.notes]
    if timed:
        found, known = again.timeline, score.timeline
        assert [at for at, _ in found.tempi] == [at for at, _ in known.tempi]
        assert [bpm for _, bpm in found.tempi] == pytest.approx([bpm for _, bpm in known.tempi], abs=0.005)
        assert found.metres == known.metres
    # The same score gives the same bytes.
    assert score_bytes(suffix, score) == path.read_bytes()


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix != ".ds"])
def test_a_score_that_has_its_phones_keeps_its_lyrics(tmp_path, suffix):
    score = song(tmp_path, "held")
    sung = dataclasses.replace(
        score, notes=tuple(n if n.is_rest else dataclasses.replace(n, phones=("a",)) for n in score.notes)
    )
    path = tmp_path / f"again{suffix}"
    write_score(path, sung)
    with strictly():
        assert rows(read_score(path, phones=False)) == rows(score)


@pytest.mark.parametrize("suffix", [".ustx", ".svp", ".ust", ".musicxml"])
def test_phones_stand_for_lyrics_that_are_not_there(tmp_path, suffix):
    """In brackets, which are remarks in MIDI and not needed in DS."""
    score = song(tmp_path, phones=True)
    bare = dataclasses.replace(score, notes=tuple(dataclasses.replace(n, lyric="") for n in score.notes))
    path = tmp_path / f"again{suffix}"
    write_score(path, bare)
    with strictly():
        assert [note.phones for note in read_score(path).notes] == [note.phones for note in score.notes]


@pytest.mark.parametrize("suffix", [".ustx", ".svp", ".ust", ".mid"])
@pytest.mark.parametrize("length", [Fraction(1, 64), Fraction(1, 12), Fraction(1, 7), Fraction(2, 3)])
def test_no_note_overlaps_the_next(tmp_path, suffix, length):
    path = tmp_path / "in.ustx"
    path.write_bytes(scorefiles.ustx(scorefiles.tune(", ".join(f"60 {length} さ" for _ in range(9)))))
    score = read_score(path)
    placed = Written(score, 705_600_000).notes
    assert all(a.end == b.start for a, b in zip(placed, placed[1:]))
    write_score(tmp_path / f"out{suffix}", score)
    with strictly():
        assert [n.lyric for n in read_score(tmp_path / f"out{suffix}").notes if n.pitch] == ["さ"] * 9


@pytest.mark.parametrize("suffix", [".ustx", ".svp", ".mid"])
def test_parts_are_tracks(tmp_path, suffix):
    parts = [song(tmp_path), song(tmp_path, "held")]
    path = tmp_path / f"two{suffix}"
    parts[1] = dataclasses.replace(parts[1], timeline=parts[0].timeline)
    write_score(path, parts)
    for number, part in enumerate(parts, 1):
        again = read_score(path, part=number, phones=False)
        assert [(n.pitch, n.lyric, n.slur, n.beats) for n in again.notes if n.pitch] == [
            (n.pitch, n.lyric, n.slur, n.beats) for n in part.notes if n.pitch
        ]


def test_what_cannot_be_written_is_said(tmp_path):
    score = song(tmp_path, phones=True)
    with pytest.raises(
        DataError, match=r"no writer for score files named \*\.svg \(did you mean '.svp'\?\); known: "
    ):
        write_score(tmp_path / "a.svg", score)
    with pytest.raises(DataError, match="UST holds one part, not 2: choose one"):
        score_bytes(".ust", [score, score])
    with listening() as said:
        score_bytes(".ust", score)
    assert said == ["UST has no place for phones: not written"]
    with strictly(), pytest.raises(DataError, match="UST has no place for phones: not written"):
        score_bytes(".ust", score)
    rests = dataclasses.replace(score, notes=score.notes[:1])
    with pytest.raises(DataError, match="the score is empty: it has no notes"):
        write_score(tmp_path / "a.ustx", rests)
    assert not (tmp_path / "a.ustx").exists()


def test_a_project_is_converted_with_all_its_tracks(tmp_path):
    parts = [song(tmp_path), dataclasses.replace(song(tmp_path, "held"), timeline=song(tmp_path).timeline)]
    write_score(tmp_path / "two.svp", parts)
    assert len(convert(tmp_path / "two.svp", tmp_path / "two.ustx")) == 2
    assert read_score(tmp_path / "two.ustx", part=2, phones=False).notes[-1].lyric == parts[1].notes[-1].lyric
    # A name that is a number is no number of a track.
    named = (tmp_path / "two.svp").read_text().replace('"Track 1"', '"3"')
    (tmp_path / "named.svp").write_text(named)
    assert len(convert(tmp_path / "named.svp", tmp_path / "named.ustx")) == 2


def test_a_project_is_read_once_for_all_its_tracks(tmp_path, monkeypatch):
    write_score(tmp_path / "three.ustx", [song(tmp_path)] * 3)
    calls = []
    monkeypatch.setattr(
        yaml, "parse", lambda *args, parse=yaml.parse, **more: calls.append(1) or parse(*args, **more)
    )
    assert len(convert(tmp_path / "three.ustx", tmp_path / "three.svp")) == 3
    assert len(calls) == 1


def choir(folder, size, minutes):
    """Scores with a wavering pitch drawn on all notes but those of every other bar, and loudness."""
    beats = minutes * 120
    tune = scorefiles.tune(", ".join(f"{60 + i % 7} 1 {'かきくけこ'[i % 5]}" for i in range(beats)))
    (folder / "one.ustx").write_bytes(scorefiles.ustx(tune))
    score = read_score(folder / "one.ustx", phones=False)
    time = np.arange(round(score.duration / STEP) + 1) * STEP
    note = np.minimum((time * 2 + 1e-6).astype(int), beats - 1)
    rng, parts = np.random.default_rng(0), []
    for number in range(size):
        wave, change = (np.convolve(rng.normal(size=len(time)), np.hanning(9), "same") / 3 for _ in range(2))
        pitch = np.where(note % 8 < 4, 60 + note % 7 + 0.3 * wave + np.sin(35 * time), np.nan)
        drawn = Drawn(pitch, {"loudness_change": -6 + change})
        parts.append(dataclasses.replace(score, title=f"Voice {number}", drawn=drawn))
    edge = np.abs((time * 2 + 0.5) % 1 - 0.5) / 2 < STEP + 1e-6
    return parts, ~edge


@pytest.mark.parametrize(
    ("size", "minutes"), [(2, 1), pytest.param(16, 3, marks=pytest.mark.slow)], ids=["small", "large"]
)
def test_a_drawn_choir_comes_back(tmp_path, size, minutes):
    """Written as USTX, then as SVP. A jagged curve's corners are rounded off by steps of 5 ticks."""
    parts, inside = choir(tmp_path, size, minutes)
    write_score(tmp_path / "a.ustx", parts)
    assert len(convert(tmp_path / "a.ustx", tmp_path / "b.svp")) == size
    again = read_tracks(tmp_path / "b.svp", phones=False)
    assert len(again) == size
    for part, found in zip(parts, again):
        assert rows(found) == rows(part)
        known, pitch = part.drawn.pitch[inside], found.drawn.pitch[inside]
        assert (np.isfinite(pitch) == np.isfinite(known)).all()
        off = np.abs(pitch - known)
        assert np.nanmax(off) < 0.2 and np.nanmedian(off) < 0.02
        loud = found.drawn.curves["loudness_change"] - part.drawn.curves["loudness_change"]
        assert np.abs(loud[:-1]).max() < 0.4 and np.median(np.abs(loud)) < 0.1


def test_lines_through_few_points_pass_all_of_them():
    rng = np.random.default_rng(1)
    xs = np.cumsum(rng.integers(1, 9, 5000))
    ys = (100 * np.sin(xs / 50) + rng.normal(size=5000)).round(1)
    ys[1000:2000] = 0
    for off in (0.05, 0.5, 5.0):
        kept, heights = thinned(xs, ys, off)
        line = np.interp(xs, kept, heights)
        assert np.abs(line - ys).max() <= off + 1e-9
        assert (line[1000:2000] == 0).all()
    assert len(kept) < 1000
    assert thinned(xs[:1], ys[:1], 1.0) == ([xs[0]], [ys[0]])
    assert thinned(xs[:0], ys[:0], 1.0) == ([], [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "cannot read the score: No such file"),
        (b"{", "bad.ustx: "),
        (b"voice_parts: []\n", "bad.ustx: "),
    ],
)
def test_a_bad_project_is_not_converted(tmp_path, data, message):
    if data is not None:
        (tmp_path / "bad.ustx").write_bytes(data)
    with pytest.raises(DataError, match=message):
        convert(tmp_path / "bad.ustx", tmp_path / "out.svp")
    assert not (tmp_path / "out.svp").exists()
