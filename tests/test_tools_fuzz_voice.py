"""A few of the damages and forgeries that ``tools/fuzz_voice.py`` makes by the hundred."""

import importlib.util
import random
from pathlib import Path

import pytest
from models_common import ROOT

SPEC = importlib.util.spec_from_file_location("fuzz_voice", ROOT / "tools" / "fuzz_voice.py")
fuzz_voice = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fuzz_voice)


@pytest.fixture(scope="module")
def voice(tmp_path_factory):
    return fuzz_voice.Voice(Path(tmp_path_factory.mktemp("fuzz")))


@pytest.mark.parametrize("kind", fuzz_voice.KINDS)
def test_what_is_damaged_is_refused_or_does_no_harm(kind, voice):
    outcomes = [voice.check(kind, random.Random(f"{kind} {index}")) for index in range(12)]
    assert {outcome for outcome, _ in outcomes} <= set(fuzz_voice.GOOD), outcomes
    assert sum(outcome == "refused" for outcome, _ in outcomes) > 2


def test_a_sound_that_differs_is_a_failure(voice, monkeypatch):
    """The fuzzer sees what it looks for."""
    monkeypatch.setattr(fuzz_voice, "flipped", lambda rng, data: data)
    assert voice.check("ark", random.Random(0)) == ("same", "")
    monkeypatch.setitem(voice.whole, "ark", {})
    assert voice.check("ark", random.Random(0)) == ("sung differently", "")
