"""Recipes of public corpora from stage 0 to 6 on their tiny copies; tools/try_corpora.py runs all of them."""

import sys

import pytest
import soundfile
from models_common import ROOT

from nnsvs_lite.corpus.datadir import DataDir


@pytest.mark.slow
@pytest.mark.parametrize("name", ["csd:english", "opencpop"])
def test_a_recipe_runs_from_its_corpus_to_singing(name, tmp_path):
    sys.path.insert(0, str(ROOT / "tools"))
    from try_corpora import run

    sys.path.remove(str(ROOT / "tools"))
    whose = {"csd:english": "found by stage 1", "opencpop": "given with the corpus"}
    done = run(name, tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    sung = sorted(tmp_path.glob("exp/acoustic_resf0_conv_world_24k/decode_*/eval/wav/*.wav"))
    assert sung and all(soundfile.info(phrase).duration > 1 for phrase in sung)
    text = (tmp_path / "RESULTS.md").read_text()
    split = "official" if name == "opencpop" else "espnet"
    assert f"Split: {split} of conf/split/" in text and "Phone times: " + whose[name] in text
    data = DataDir.read(tmp_path / "data" / "eval")
    assert set(data.utt2lang.values()) == {"en" if "english" in name else "zh"}
