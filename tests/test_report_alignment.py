"""Pictures of alignments."""

import numpy as np
import pytest
from align_corpus import make_corpus

from nnsvs_lite.bin.main import main
from nnsvs_lite.io.atomic import write_json, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.textgrid import write_textgrid
from nnsvs_lite.report.alignment import align_report, draw_phrase


@pytest.fixture
def finished(tmp_path):
    """A data dir, and an experiment folder as stage 1 leaves it."""
    data = make_corpus(tmp_path / "data", 3, notes=3)
    fault = {"kind": "phone", "note": 1, "time": 0.5, "text": "0.50 s: 'a' is <not> sung"}
    rows = {utt: {"confidence": 0.9, "faults": [], "rejected": ""} for utt in data.utts}
    rows["toy_001"] = {"confidence": 0.2, "faults": [fault], "rejected": "0.50 s: 'a' is <not> sung"}
    write_json(tmp_path / "exp" / "report.json", {"utterances": rows})
    write_text(tmp_path / "exp" / "report.txt", "3 utterances\n")
    for utt in data.utts:
        grid = tmp_path / "exp" / "textgrids" / f"{utt}.TextGrid"
        write_textgrid(grid, {"phones": data.labels[utt]}, data.duration(utt))
    return tmp_path


def test_the_least_sure_come_first(finished, capsys):
    assert (
        main(
            ["align-report", "--out", str(finished / "exp"), "--data", str(finished / "data"), "--worst", "2"]
        )
        == 0
    )
    page = finished / "exp" / "report" / "index.html"
    assert capsys.readouterr().out.strip() == str(page)
    text = page.read_text(encoding="utf-8")
    assert text.index("toy_001.png") < text.index("toy_000.png") and "toy_002" not in text
    assert "&lt;not&gt;" in text and "<not>" not in text
    picture = finished / "exp" / "report" / "toy_001.png"
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_boundaries_are_drawn_where_they_are(finished):
    from matplotlib.image import imread

    data = make_corpus(finished / "other", 1, notes=3)
    audio, rate = data.audio("toy_000")
    common = dict(score=data.scores["toy_000"], faults=())
    draw_phrase(finished / "a.png", audio, rate, labels=data.labels["toy_000"], **common)
    draw_phrase(finished / "b.png", audio, rate, labels=[], **common)
    a, b = imread(finished / "a.png"), imread(finished / "b.png")
    assert a.shape == b.shape
    columns = np.flatnonzero((np.abs(a - b).max(axis=2) > 0.1).mean(axis=0) > 0.4)
    # One line a label, a pixel or two wide, as far apart as the onsets are.
    places = [group.mean() for group in np.split(columns, np.flatnonzero(np.diff(columns) > 2) + 1)]
    onsets = np.array([s.start for s in data.labels["toy_000"]])[1:]
    places = np.array(places)[-len(onsets) :]
    assert np.corrcoef(places, onsets)[0, 1] > 0.999


def test_named_utterances_and_missing_ones(finished):
    page = align_report(finished / "exp", [finished / "data"], utts=["toy_002"])
    assert "toy_002.png" in page.read_text() and "toy_001" not in page.read_text()
    with pytest.raises(DataError, match=r"no utterance 'toy_02' \(did you mean"):
        align_report(finished / "exp", [finished / "data"], utts=["toy_02"])
    with pytest.raises(DataError, match="no finished alignment"):
        align_report(finished / "none", [finished / "data"])
