"""Songs cut into phrases at rests."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scorexml import contiguous

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.segment import segment_at_rests
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Note, Score


def song(path: Path, plan: str, *, lag: float = 0.05, labels: bool = True, length: float | None = None):
    """A song from a plan such as ``- 1.0 a 3.0 - 0.5 a 2.0``: rests and notes with seconds.

    Each sung boundary is ``lag`` seconds after the score's.
    """
    fields = plan.split()
    notes, rows, now = [], [], 0.0
    for kind, seconds in zip(fields[::2], map(float, fields[1::2]), strict=True):
        rest = kind == "-"
        phone = "pau" if rest else kind
        end = round(now + seconds, 6)
        notes.append(
            Note(now, end, 0 if rest else 60, "" if rest else kind, (phone,), tempo=60, beats=seconds)
        )
        rows.append(Segment(0.0 if not rows else round(now + lag, 6), round(end + lag, 6), phone))
        now = end
    duration = now + lag if length is None else length
    path.mkdir(exist_ok=True)
    soundfile.write(path / "s.wav", np.zeros(round(duration * 1000)), 1000)
    return DataDir(
        path=path,
        wavs={"x_s": path / "s.wav"},
        utt2spk={"x_s": "x"},
        scores={"x_s": Score(tuple(notes))},
        labels={"x_s": rows} if labels else {},
    )


def check(data: DataDir, cut: DataDir) -> None:
    """What must hold of every phrase."""
    for utt in cut.utts:
        rec, start, end = cut.segments[utt]
        score = cut.scores[utt]
        assert contiguous(score.notes)
        assert all(n.duration > 0 and n.beats > 0 for n in score.notes)
        assert score.notes[0].start == 0
        if utt in cut.labels:
            rows = cut.labels[utt]
            assert [r.label for r in rows] == score.phones
            assert rows[0].start == 0 and rows[-1].end == pytest.approx(end - start)
            assert all(r.end > r.start for r in rows)
            # Inner labels stand where they stood in the song.
            song_rows = data.labels[rec]
            for row in rows[1:-1]:
                assert any(
                    row.label == r.label and row.start + start == pytest.approx(r.start) for r in song_rows
                )


def test_cuts_inside_both_score_rest_and_sung_pause(tmp_path):
    data = song(tmp_path, "- 1.0 a 3.0 - 0.5 i 2.5 - 2.0 u 3.0 - 1.0", lag=0.1)
    cut = segment_at_rests(data)
    check(data, cut)
    assert cut.utts == ["x_s_001", "x_s_002", "x_s_003"]
    # The first rest is trimmed to 0.3 s. The second, silent in both from 4.1 to 4.5,
    # is cut at its middle; the third, 7.1 to 9.0, leaves 0.3 s on both sides.
    assert cut.segments["x_s_001"] == ("x_s", 0.7, 4.3)
    assert cut.segments["x_s_002"] == ("x_s", 4.3, 7.4)
    assert cut.segments["x_s_003"] == ("x_s", 8.7, 12.4)
    first = cut.scores["x_s_001"].notes
    assert [(n.start, n.end, n.pitch) for n in first] == [(0, 0.3, 0), (0.3, 3.3, 60), (3.3, 3.6, 0)]
    assert first[0].beats == pytest.approx(0.3)
    assert first[0].beat == pytest.approx(0.7)
    assert list(cut.labels["x_s_001"]) == [
        Segment(0.0, 0.4, "pau"),
        Segment(0.4, 3.4, "a"),
        Segment(3.4, 3.6, "pau"),
    ]
    assert cut.text == {"x_s_001": "a", "x_s_002": "i", "x_s_003": "u"}
    assert cut.utt2spk["x_s_003"] == "x"


def test_a_rest_sung_through_is_not_cut(tmp_path):
    """The score's rest is long enough, the singer's pause is not."""
    data = song(tmp_path, "- 1.0 a 3.0 - 0.3 i 3.0 - 1.0", lag=0.0)
    assert len(segment_at_rests(data).utts) == 2
    rows = data.labels["x_s"]
    rows[1] = rows[1]._replace(end=4.2)
    rows[2] = rows[2]._replace(start=4.2)
    cut = segment_at_rests(data)
    check(data, cut)
    assert cut.utts == ["x_s_001"]


def test_without_labels_the_score_decides(tmp_path):
    cut = segment_at_rests(song(tmp_path, "- 1.0 a 3.0 - 0.4 i 3.0 - 1.0", labels=False, lag=0.0))
    assert cut.segments == {"x_s_001": ("x_s", 0.7, 4.2), "x_s_002": ("x_s", 4.2, 7.7)}
    assert not cut.labels


def test_short_phrases_stay_together(tmp_path):
    data = song(tmp_path, "- 1 a 1 - 1 i 1 - 1 u 3 - 1 e 1 - 1")
    cut = segment_at_rests(data, min_length=2.5)
    check(data, cut)
    # a+i is 3 s; u is 3 s but e alone would be too short and joins it.
    assert [cut.text[u] for u in cut.utts] == ["a i", "u e"]
    cut = segment_at_rests(data, min_length=0)
    check(data, cut)
    assert [cut.text[u] for u in cut.utts] == ["a", "i", "u", "e"]


def test_long_phrases_are_cut_at_shorter_silences(tmp_path):
    data = song(tmp_path, "- 1 a 6 - 0.1 i 6 - 0.15 u 6 - 1", lag=0.0)
    assert len(segment_at_rests(data, max_length=30).utts) == 1
    cut = segment_at_rests(data, max_length=15)
    check(data, cut)
    assert [cut.text[u] for u in cut.utts] == ["a i", "u"]
    cut = segment_at_rests(data, max_length=10)
    check(data, cut)
    assert [cut.text[u] for u in cut.utts] == ["a", "i", "u"]


def test_a_song_without_outer_rests(tmp_path):
    data = song(tmp_path, "a 3.0 - 0.5 i 3.0", lag=0.0, length=8.0)
    cut = segment_at_rests(data)
    check(data, cut)
    assert cut.segments == {"x_s_001": ("x_s", 0.0, 3.25), "x_s_002": ("x_s", 3.25, 6.5)}


def test_the_last_rest_follows_the_audio(tmp_path):
    """The score's closing rest may end before or after the recording does."""
    data = song(tmp_path, "- 1 a 3 - 0.1", lag=0.0, length=6.0)
    assert segment_at_rests(data).segments["x_s_001"] == ("x_s", 0.7, 4.3)
    data = song(tmp_path, "- 1 a 3 - 4", lag=0.0, length=4.1)
    cut = segment_at_rests(data)
    assert cut.segments["x_s_001"] == ("x_s", 0.7, 4.1)
    assert cut.scores["x_s_001"].duration == pytest.approx(3.4)


def test_phrases_of_a_segmented_song_keep_their_place_in_the_recording(tmp_path):
    data = song(tmp_path, "- 1.0 a 3.0 - 0.5 i 3.0 - 1.0", lag=0.0)
    data.wavs = {"tape": data.wavs["x_s"]}
    data.segments = {"x_s": ("tape", 100.0, 108.5)}
    cut = segment_at_rests(data)
    assert cut.segments["x_s_001"] == ("tape", 100.7, 104.25)


def test_labels_that_do_not_match_are_refused(tmp_path):
    data = song(tmp_path, "- 1.0 a 3.0 - 1.0")
    data.labels["x_s"][1] = data.labels["x_s"][1]._replace(label="o")
    with pytest.raises(DataError, match="label.ctm: x_s: phone"):
        segment_at_rests(data)
    data.scores = {}
    with pytest.raises(DataError, match="x_s has no score"):
        segment_at_rests(data)


def test_measures_move_with_a_trimmed_rest(tmp_path):
    data = song(tmp_path, "- 9.0 a 3.0 - 1.0", lag=0.0)
    notes = data.scores["x_s"].notes
    notes = (dataclasses.replace(notes[0], measure=1, measure_beats=4.0), *notes[1:])
    data.scores["x_s"] = Score(notes)
    first = segment_at_rests(data).scores["x_s_001"].notes[0]
    assert (first.measure, first.beat, first.beats) == (3, pytest.approx(0.7), pytest.approx(0.3))
