"""The voice that comes with the toolkit, and the names that the package keeps stable."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import pyworld
import soundfile

import nnsvs_lite
from nnsvs_lite.bin.main import main
from nnsvs_lite.io.settings import find_config
from nnsvs_lite.models.checkpoint import load
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.pack import Pack

TUNE = (60, 64, 67, 64)
HERTZ = [440 * 2 ** ((pitch - 69) / 12) for pitch in TUNE]


@pytest.fixture(scope="module")
def boxed():
    return Pack.read(nnsvs_lite.BOXED_VOICE)


@pytest.mark.parametrize(
    ("family", "name"), [("acoustic", "resf0_conv"), ("duration", "ridge"), ("timelag", "ridge")]
)
def test_it_is_what_the_demo_recipe_makes_today(boxed, family, name):
    made = load("boxed", boxed.checkpoint(family))["config"]
    # An option that came later is at its default.
    assert Config.from_dict(made, "boxed").to_dict() == Config.read(find_config(family, name)).to_dict()


def test_it_carries_the_terms_of_the_voice_that_it_learnt_from(boxed):
    assert "Nagoya Institute of Technology" in boxed.licence
    assert "creativecommons.org/licenses/by/3.0" in boxed.licence
    assert boxed.path.stat().st_size < 8e6


def test_it_sings_where_no_voice_is_named(tmp_path):
    notes = "".join(f"[#{n:04}]\nLength=480\nLyric=ら\nNoteNum={pitch}\n" for n, pitch in enumerate(TUNE))
    (tmp_path / "song.ust").write_text(f"[#SETTING]\nTempo=60\n{notes}[#TRACKEND]\n", "utf-8")
    assert main(["sing", str(tmp_path / "song.ust"), "-o", str(tmp_path / "a.wav")]) == 0
    wave, rate = soundfile.read(tmp_path / "a.wav")
    f0, times = pyworld.harvest(wave, rate)
    for number, hertz in enumerate(HERTZ):
        held = f0[(times > number + 0.4) & (times < number + 0.8)]
        assert (held > 0).all()
        assert abs(1200 * np.log2(np.median(held) / hertz)) < 40


def test_stable_names():
    stub = Path(nnsvs_lite.__file__).with_suffix(".pyi").read_text("utf-8")
    typed = re.findall(r"from nnsvs_lite\.(\S+) import (\w+) as \2$", stub, re.M)
    assert {name: home for home, name in typed} == nnsvs_lite._HOMES
    for name, home in nnsvs_lite._HOMES.items():
        assert getattr(nnsvs_lite, name) is vars(sys.modules[f"nnsvs_lite.{home}"])[name]
        assert name in dir(nnsvs_lite) and name in nnsvs_lite.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nnsvs_lite.nothing
