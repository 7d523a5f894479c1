"""The report card of a voice: coverage against counts made by hand, what to record next, the page."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from test_report_compare import results, row
from test_report_page import Page

from nnsvs_lite.bin.main import main
from nnsvs_lite.features.spec import PhoneStats, Spec
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter, read_table
from nnsvs_lite.models.pack import pack
from nnsvs_lite.report import plots
from nnsvs_lite.report.card import Coverage, length_names, record_next
from nnsvs_lite.score import Score


@pytest.fixture(scope="module")
def coverage(toy_dump) -> Coverage:
    return Coverage.of(toy_dump, "train")


def test_coverage_is_what_the_labels_say(coverage, toy_dump):
    labels = read_json(toy_dump / "train" / "labels.json")
    scores = {u: Score.from_json(s, u) for u, s in read_table(toy_dump / "train" / "score").items()}
    seconds, notes = {}, 0
    for utt, score in scores.items():
        notes += sum(not note.is_rest for note in score.notes)
        for (start, end, phone), note in zip(labels[utt], score.note_index):
            if phone != "pau":
                key = phone, score.notes[note].pitch
                seconds[key] = seconds.get(key, 0) + end - start
    assert coverage.phrases == len(scores) and coverage.lengths.sum() == notes
    assert coverage.seconds.keys() == seconds.keys()
    for key, value in seconds.items():
        assert coverage.seconds[key] == pytest.approx(value, abs=0.1), key
    assert (coverage.range[0], coverage.range[-1]) == (min(p for _, p in seconds), max(p for _, p in seconds))
    assert 50 < np.median(coverage.pitches) < 80


def test_what_is_rare_is_to_be_recorded(toy_dump):
    spec = Spec.read(toy_dump)
    phones = {p: PhoneStats(9, 8000, 900.0, 1.0, 1.0, s.stream_mean) for p, s in spec.stats.phones.items()}
    stats = next(iter(phones.values()))
    phones = {p: stats for p in spec.phones} | {"g": replace(stats, count=2)}
    del phones["z"]
    spec = replace(spec, stats=replace(spec.stats, phones=phones))
    coverage = Coverage(lengths=np.array([9, 9, 2, 9, 9]))
    coverage.seconds.update({("a", 60): 3.0, ("i", 60): 2.0, ("a", 61): 0.5, ("a", 62): 3.0, ("s", 62): 1.0})
    coverage.phones.update({"a": 9, "i": 9, "s": 9})
    assert record_next(spec, coverage) == [
        ("phones that were never sung", "z"),
        ("phones sung fewer than 5 times", "g (2)"),
        ("pitches within the range that are hardly sung", "C♯4 (0.5 s)"),
        ("vowels at pitches where others are sung", "i at D4"),
        ("notes of these lengths", f"{length_names()[2]} (2)"),
    ]
    assert length_names() == ["under 0.15 s", "0.15–0.3 s", "0.3–0.6 s", "0.6–1.2 s", "over 1.2 s"]
    short = replace(spec, stats=replace(spec.stats, phones={"a": replace(stats, frames=12_000)}))
    assert ("more of everything", "1.0 minutes were sung, 5 are little") in record_next(short, None)


def test_the_page_is_whole(toy_voice, toy_dump, coverage, tmp_path):
    out = tmp_path / "card.html"
    assert main(["card", str(toy_voice), "-o", str(out), "--dump", str(toy_dump)]) == 0
    page = Page(out.read_text(encoding="utf-8"))
    text = " ".join(page.words)
    assert "What to record next" in text and "phones that were never sung" in text
    assert f"trained on {coverage.phrases} phrases with {coverage.lengths.sum()} notes" in text
    cells = [attrs for tag, attrs in page.tags if tag == "rect" and attrs.get("class") == "cell"]
    assert len(cells) == (1 + len(coverage.phones)) * len(coverage.range)
    (phone, pitch), seconds = coverage.seconds.most_common(1)[0]
    assert any(word.startswith(f"{phone} at ") and word.endswith(f": {seconds:.2f} s") for word in page.words)
    assert not any(
        attrs.get(name, "").startswith("http") for _, attrs in page.tags for name in ("src", "href")
    )
    assert "No scores" in text


def test_scores_stand_beside_the_singers_own(toy_voice, toy_dump, coverage, tmp_path):
    """Of a voice that sings an octave above its singer, its numbers made up."""
    voice = shutil.copytree(toy_voice, tmp_path / "voice")
    out = voice / "decode_mdn_mdn" / "train"
    results(out, {"utt1": 34.5}, analysis_synthesis=row({"utt1": 12.5}))
    setup = {"set": "train", "dump": "d", "systems": {}}
    write_json(out / "scored" / "utterances.json", {"setup": setup})
    for name, added in (("lf0", np.float32(np.log(2))), ("vuv", 0)):
        with FeatureWriter(out, name) as writer:
            for utt, value in FeatureReader(toy_dump / "train" / f"{name}.scp").items():
                writer.write(utt, value + added)
    assert main(["card", str(voice), "--dump", str(toy_dump)]) == 0
    text = " ".join(" ".join(Page((voice / "card.html").read_text(encoding="utf-8")).words).split())
    assert re.search(r"F0 RMSE \(cents\) 34.5 .*60.0 .*12.5", text)
    low, high = (plots.note_name(round(p)) for p in np.percentile(coverage.pitches, (0, 100)))
    octave = [plots.note_name(round(p + 12)) for p in np.percentile(coverage.pitches, (0, 100))]
    assert re.search(f"the singer, in the scored phrases {low} [^:]*? {high} the voice", text)
    assert re.search(f"the voice, in the scored phrases {octave[0]} [^:]*? {octave[1]} Of voiced", text)


def test_a_packed_voice_has_a_card_too(toy_voice, tmp_path):
    (tmp_path / "LICENCE").write_text("CC BY 4.0\n")
    voice = tmp_path / "voice.nnsvs"
    pack(toy_voice, voice, tmp_path / "LICENCE", "toy")
    assert main(["card", str(voice)]) == 0
    text = " ".join(Page((tmp_path / "voice.html").read_text(encoding="utf-8")).words)
    assert "No dump is named" in text and "phones that were never sung" in text


@pytest.mark.parametrize(
    "words, message",
    [
        (["none"], "none"),
        (["VOICE", "--dump", "none"], "none"),
        (["VOICE", "--results", "none.json"], "no such results.json"),
        (["VOICE", "--dump", "DUMP", "--train-set", "none"], "no such set"),
    ],
)
def test_what_is_missing_is_said(words, message, toy_voice, toy_dump, tmp_path, capsys):
    given = {"VOICE": str(shutil.copytree(toy_voice, tmp_path / "voice")), "DUMP": str(toy_dump)}
    assert main(["card", *(given.get(word, word) for word in words)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("nnsvs-lite card: error: ") and message in error
