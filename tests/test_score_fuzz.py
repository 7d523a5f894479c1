"""Damaged and random files: read, or refused in one line, whatever they hold.

``tools/fuzz_scores.py`` does the same with thousands of inputs in a process of little memory.
"""

import random
import subprocess
import sys
from pathlib import Path

import pytest
import scorefuzz
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scorexml import contiguous

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.readers import READERS, read_score

ROOT = Path(__file__).parents[1]
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check(path, lang):
    """Reads a file that may be refused; whether it was read."""
    try:
        score = read_score(path, lang=lang)
    except DataError as error:
        assert "\n" not in str(error) and str(error).startswith(str(path))
        return False
    assert contiguous(score.notes) and all(note.phones and note.duration > 0 for note in score.notes)
    return True


@pytest.mark.parametrize("form", scorefuzz.FORMS)
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_seeds_are_read(tmp_path, form, lang):
    """What is damaged below is a good score before."""
    suffix, data = scorefuzz.make_seed(form, random.Random(form), lang)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    assert check(path, "ja" if form in ("ds", "lab") else lang)


@settings(QUICK, max_examples=80)
@given(seed=st.integers(0, 2**32))
def test_damaged_files(tmp_path, seed):
    _, _, suffix, data = scorefuzz.damaged(random.Random(seed))
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    check(path, "ja")


@settings(QUICK, max_examples=100)
@given(suffix=st.sampled_from(sorted(READERS)), data=st.binary(max_size=300))
def test_random_bytes(tmp_path, suffix, data):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    check(path, "ja")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["tracks", "time", "tempo", "meter", "mainGroup", "notes", "groups", "library"])
            | st.sampled_from(
                ["ph_seq", "note_seq", "note_dur", "ph_num", "offset", "onset", "lyrics", "pitch"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(QUICK, max_examples=100)
@given(suffix=st.sampled_from([".svp", ".ds"]), value=json_values)
def test_any_json(tmp_path, suffix, value):
    import json

    path = tmp_path / f"a{suffix}"
    path.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    check(path, "ja")


@settings(QUICK, max_examples=60)
@given(lyrics=st.lists(st.text(max_size=6), min_size=1, max_size=6), lang=st.sampled_from(["ja", "en"]))
def test_any_lyrics(tmp_path, lyrics, lang):
    """Any text at all under notes: MIDI keeps every character."""
    import scorefiles

    song = scorefiles.tune(", ".join(["60 1"] * len(lyrics)))
    song.notes = [(s, d, p, text) for (s, d, p, _), text in zip(song.notes, lyrics)]
    path = tmp_path / "a.mid"
    path.write_bytes(scorefiles.midi(song))
    check(path, lang)


@pytest.mark.slow
def test_fuzzing_tool_finds_nothing():
    """A part of what the tool is run with by hand; a seed of its own."""
    command = [sys.executable, str(ROOT / "tools" / "fuzz_scores.py"), "--count", "1000", "--seed", "77"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "1000 inputs, seed 77" in done.stdout and "'read'" in done.stdout
