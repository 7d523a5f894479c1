"""Comparing experiments: which results are meant, whether they fit together, and what comes out."""

import doctest
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_evaluation_evaluate import TONES, corpus, decode, score, transpose  # noqa: F401 (corpus: fixture)

from nnsvs_lite.bin.main import main
from nnsvs_lite.evaluation.measures import BY_KEY
from nnsvs_lite.evaluation.results import read_results
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.report.comparison import Comparison, compare, find_results, labels, read_words
from nnsvs_lite.report.experiments import read_experiment
from nnsvs_lite.report.markdown import comparison_tables, results_md

RMSE, TUNE = BY_KEY["lf0_rmse_cents"], BY_KEY["in_tune_cents"]


SETUP = {"title": "t", "command": "c", "commit": "", "set": "eval", "dump": "d", "n_utts": 1, "seconds": 1.0}


def row(errors: dict[str, float], frames: int = 100) -> dict:
    """A row of results with an F0 error in cents for each utterance, the same in each frame."""
    return {
        "failed": [],
        "sums": {
            "lf0_rmse_cents": {utt: [frames * error**2, frames] for utt, error in errors.items()},
            "in_tune_cents": {utt: [error] for utt, error in errors.items()},
        },
    }


def results(folder: Path, errors: dict[str, float], rule: float = 60.0, **more: dict) -> Path:
    """Writes the results of an experiment; returns its decode folder."""
    rows = {"model": row(errors), "rule": row(dict.fromkeys(errors, rule))} | more
    write_json(folder / "results.json", rows)
    return folder


def experiment(root: Path, name: str, *errors: float) -> Path:
    """An exp dir with one decode folder; utterances ``utt1``, ``utt2``..."""
    named = {f"utt{i}": error for i, error in enumerate(errors, start=1)}
    results(root / name / "decode_mdn_mdn" / "eval", named)
    return root / name


def test_names_do_nothing_in_markdown(tmp_path):
    for name in ("a|b", "<i>c", "![](d)", "`e`\x1b"):
        write_json(tmp_path / "results.json", {name: row({"u": 10.0}), "rule": row({"u": 20.0})})
        found = Comparison.of_one(read_results(tmp_path / "results.json"))
        table = comparison_tables(found) + results_md(found, [], SETUP | {"title": name, "dump": name})
        assert not {"<", "\x1b"} & set(table) and "![" not in table and name not in table
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows[:4]}) == 1


def test_numbers_of_each_singer_and_language(tmp_path):
    folder = results(tmp_path, {"a1": 30.0, "a2": 40.0, "b1": 7.0})
    found = Comparison.of_one(read_results(folder / "results.json"))
    voices = {("ann", "ja"): ["a1", "a2"], ("bob", "zh"): ["b1"]}
    table = results_md(found, [], SETUP | {"voices": voices})
    lines = table[table.index("## By singer and language") :].splitlines()[2:6]
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert head[:3] == ["system", "singer", "language"]
    told = [dict(zip(head, row)) for row in rows]
    assert [row["singer"] + row["language"] + row["system"] for row in told] == ["annjamodel", "bobzhmodel"]
    # The root of the mean square of 30 and 40 cents.
    assert [row[RMSE.heading] for row in told] == ["35.4", "7.0"]
    assert [row["utterances"] for row in told] == ["2", "1"]
    assert "## By singer" not in results_md(
        found, [], SETUP | {"voices": {("ann", "ja"): ["a1", "a2", "b1"]}}
    )


def test_results_are_found_from_each_kind_of_path(tmp_path):
    exp = experiment(tmp_path, "acoustic_a", 10.0, 20.0)
    file = exp / "decode_mdn_mdn" / "eval" / "results.json"
    for path in (exp, file.parent.parent, file.parent, file):
        assert find_results(path) == file
    with pytest.raises(DataError, match="no such results.json"):
        find_results(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="score it first"):
        find_results(tmp_path / "empty")
    results(exp / "decode_rule" / "eval", {"utt1": 1.0})
    with pytest.raises(
        DataError,
        match=r"was sung 2 ways; name one of these folders in its place: .*decode_mdn_mdn.*decode_rule",
    ):
        find_results(exp)


def test_labels_are_as_short_as_they_can_be(tmp_path):
    def label(*paths: str) -> list[str]:
        return labels([tmp_path / path / "results.json" for path in paths])

    assert label("exp/a/decode_x/eval", "exp/b/decode_x/eval") == ["a", "b"]
    assert label("exp/a/decode_x/eval", "exp/a/decode_y/eval", "exp/b/decode_x/eval") == [
        "a/decode_x",
        "a/decode_y",
        "b",
    ]
    assert label("one/exp/a/decode_x/eval", "two/exp/a/decode_x/eval") == [
        "one/exp/a/decode_x",
        "two/exp/a/decode_x",
    ]
    assert label("first", "second") == ["first", "second"]


def test_numbers_pool_sums_and_differences_are_paired(tmp_path):
    one = experiment(tmp_path, "a", 30.0, 50.0, 10.0)
    two = experiment(tmp_path, "b", 25.0, 45.0, 5.0)
    found = compare([str(one), str(two)], baseline="a")
    assert list(found.runs) == ["a", "b", "rule"]
    assert found.estimate("a", RMSE).value == pytest.approx(np.sqrt((900 + 2500 + 100) / 3))
    assert found.gain("b", TUNE).absolute == pytest.approx(5.0)
    assert found.gain("b", TUNE).interval == pytest.approx((5.0, 5.0), abs=1e-9)
    assert found.gain("b", TUNE).verdict == "better"
    assert found.gain("rule", RMSE).verdict == "worse"
    assert found.utts == ["utt1", "utt2", "utt3"]
    assert found.runs["b"][0].values["utt3"]["lf0_rmse_cents"] == pytest.approx(5.0)
    text = comparison_tables(found)
    assert "3 utterances" in text and "better than a by" in text
    assert len({len(line) for line in text.splitlines() if line.startswith("| a ")}) == 1


def test_the_floor_is_the_baseline_where_there_is_one(tmp_path):
    one = experiment(tmp_path, "a", 30.0, 50.0)
    found = compare([str(one)])
    assert found.baseline == "rule" and found.compared == ["a"]
    # The floor is in tune by construction.
    assert [m.key for m in found.gain_measures("main")] == ["lf0_rmse_cents"]


def test_seeds_of_one_name_are_pooled(tmp_path):
    exps = [experiment(tmp_path, f"a_seed{i}", 10.0 * i, 10.0 * i) for i in (1, 2, 3)]
    for words, pooled in (([f"a={exp}" for exp in exps], False), (list(map(str, exps)), True)):
        found = compare(words, pool_seeds=pooled)
        assert list(found.runs) == ["a", "rule"]
        estimate = found.estimate("a", RMSE)
        assert (estimate.value, estimate.spread, estimate.seeds) == (
            pytest.approx(20.0),
            pytest.approx(10.0),
            3,
        )
        assert any("3 seeds" in note for note in found.notes)
    apart = compare(list(map(str, exps)))
    assert list(apart.runs) == ["a_seed1", "a_seed2", "a_seed3", "rule"]


def test_other_utterances_are_named(tmp_path):
    one = experiment(tmp_path, "a", 1.0, 2.0, 3.0)
    other = results(tmp_path / "b", {"utt1": 1.0, "utt2": 2.0, "utt10": 3.0})
    with pytest.raises(DataError, match=r"b/results.json: b was not scored .* lacks utt3 and has utt10"):
        compare([str(one), str(other)])


def test_reference_rows_that_differ_are_kept_apart(tmp_path):
    one = experiment(tmp_path, "a", 1.0, 2.0)
    other = results(tmp_path / "b", {"utt1": 1.0, "utt2": 2.0}, rule=70.0)
    found = compare([str(one), str(other)])
    assert list(found.runs) == ["a", "b", "rule (a)", "rule (b)"]
    assert found.baseline == "a"
    for i, folder in enumerate((tmp_path / "c", tmp_path / "d")):
        results(folder, {"utt1": 1.0, "utt2": 2.0}, natural=row({"utt1": i, "utt2": i}))
    assert list(compare([str(tmp_path / "c"), str(tmp_path / "d")]).runs) == ["c", "d", "rule", "natural"]


def test_reference_rows_of_seeds_that_differ_are_pooled(tmp_path):
    """As where each seed has trained a vocoder of its own; those that agree count once."""
    rules = {1: 40.0, 2: 80.0, 3: 80.0}
    exps = [results(tmp_path / f"a_seed{n}", {"u": 1.0, "v": 2.0}, rule=rule) for n, rule in rules.items()]
    found = compare([f"a={exp}" for exp in exps]).estimate("rule", RMSE)
    assert (found.value, found.seeds) == (pytest.approx(60.0), 2)


def test_features_that_differ_are_told(tmp_path):
    exps = [experiment(tmp_path, name, 1.0, 2.0) for name in ("a", "b")]
    for exp, rate in zip(exps, (24000, 48000)):
        path = exp / "decode_mdn_mdn" / "eval" / "scored" / "utterances.json"
        write_json(
            path, {"setup": {"features": {"sample_rate": rate}, "dump": "d", "set": "e", "systems": {}}}
        )
    assert any("Features of b are analysed otherwise" in note for note in compare(list(map(str, exps))).notes)


@pytest.mark.parametrize(
    "rows, what",
    [
        ({"model": {"mcd_db": 1.0, "failed": []}}, "score again"),
        ({"model": {"sums": []}}, "malformed sums"),
        ({"model": 3}, "not made by nnsvs-lite evaluate"),
        ([], "not made by nnsvs-lite evaluate"),
        ({}, "not made by nnsvs-lite evaluate"),
    ],
)
def test_results_that_are_none_are_one_line(tmp_path, capsys, rows, what):
    write_json(tmp_path / "results.json", rows)
    assert main(["compare", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert what in error and error.count("\n") == 1


def test_names_that_clash_are_one_line(tmp_path, capsys):
    one = experiment(tmp_path, "a", 1.0, 2.0)
    assert main(["compare", str(one), str(one)]) == 1
    assert "is given twice" in capsys.readouterr().err
    other = experiment(tmp_path, "b", 1.0, 2.0)
    assert main(["compare", str(one), f"a={other}"]) == 1
    assert "give them names" in capsys.readouterr().err
    assert main(["compare", str(one), "--baseline", "rul"]) == 1
    assert "did you mean 'rule'?" in capsys.readouterr().err
    assert [label for label, _ in read_words([f"x={one}", str(other)])] == ["x", "b"]


@pytest.fixture(scope="module")
def compared(corpus, tmp_path_factory) -> Path:  # noqa: F811
    """Two scored experiments ``quarter`` and ``tone`` and their page ``compare/index.html``."""
    folder = tmp_path_factory.mktemp("compare")
    rule = decode(corpus, folder / "rule", transpose(corpus, 1.0), shift=0.03)
    for name, semitones in (("quarter", 0.5), ("tone", 2.0)):
        out = folder / name / "decode_mdn_mdn" / "eval"
        model = decode(corpus, out, transpose(corpus, semitones), shift=0.02)
        assert score(corpus, out, model=model, rule=rule)[0] == 0
    out = folder / "compare" / "index.html"
    words = [str(folder / "quarter"), str(folder / "tone"), "--baseline", "quarter"]
    assert main(["compare", *words, "-o", str(out), "--title", "Tones <&>"]) == 0
    return folder


def test_the_table_on_standard_output(compared, capsys):
    assert main(["compare", str(compared / "quarter"), str(compared / "tone"), "--baseline", "tone"]) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("| better than tone by"))
    cells = [cell.strip() for cell in lines[head].strip("|").split("|")]
    quarter = [cell.strip() for cell in lines[head + 2].strip("|").split("|")]
    assert quarter[0] == "quarter"
    tuning = quarter[cells.index("In tune (cents)")]
    assert float(tuning.split()[0]) == pytest.approx(150.0, abs=2.0)
    names = next(line for line in lines if line.startswith("| measure"))
    spread = next(line for line in lines if line.startswith("| Loudness spread"))
    natural = [cell.strip() for cell in names.strip("|").split("|")].index("natural")
    assert spread.strip("|").split("|")[natural].split()[0] == "1.00"
    assert not (compared / "nothing.html").exists()


def test_the_page_of_comparisons_lives_in_a_browser(browser, compared):
    page = browser.open(compared / "compare" / "index.html")
    assert page.title() == "Tones <&>"
    first = page.locator(".phrase").first
    names = [audio.get_attribute("data-sys") for audio in first.locator("audio").all()]
    assert names == ["natural", "quarter", "tone", "rule"]
    assert page.locator(".phrase").count() == TONES
    for name in ("quarter", "tone"):
        assert browser.advances(first.locator(f"audio[data-sys={name}]"))
    head = page.locator("#utterances thead th").nth(3)
    assert head.inner_text().split() == ["F0", "RMSE", "cents"]
    for reverse in (False, True):
        head.get_by_role("button").click()
        cells = page.locator("#utterances tbody tr td:nth-child(4)").all()
        shown = [cell.get_attribute("data-value") for cell in cells]
        known = [float(value) for value in shown if value]
        assert known == sorted(known, reverse=reverse) and len(known) == 3 * TONES
    for plot in page.locator("#plots svg.plot").all():
        assert plot.locator("text.axis").count() == 1 and plot.locator("circle.dot").count() >= 3


def test_the_page_of_comparisons_fits_a_phone(browser, compared):
    page = browser.open(compared / "compare" / "index.html", width=375, height=812, dark=True)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert browser.overflow(page) == 0


def test_fewer_phrases_can_be_heard_than_are_scored(browser, compared, tmp_path, capsys):
    words = ["compare", str(compared / "quarter"), "-o", str(tmp_path / "index.html")]
    assert main([*words, "--phrases", "3"]) == 0
    page = browser.open(tmp_path / "index.html")
    assert [phrase.get_attribute("id") for phrase in page.locator(".phrase").all()] == [
        "a_000",
        "a_003",
        "a_007",
    ]
    assert page.locator("#utterances tbody tr").count() == 3 * TONES
    # A phrase that cannot be heard is no link.
    assert page.locator("#utterances tbody a").count() == 3 * 3
    assert main([*words, "--phrases", "0"]) == 1
    assert "--phrases: must be at least 1" in capsys.readouterr().err


def test_results_alone_make_a_page_without_sounds(browser, compared, tmp_path):
    """What a colleague sends: two files, without the folders that were scored."""
    for name in ("quarter", "tone"):
        (tmp_path / name).mkdir()
        shutil.copy(compared / name / "decode_mdn_mdn" / "eval" / "results.json", tmp_path / name)
    out = tmp_path / "index.html"
    assert main(["compare", str(tmp_path / "quarter"), str(tmp_path / "tone"), "-o", str(out)]) == 0
    page = browser.open(out)
    assert "No sounds were found" in page.inner_text("#scores")
    assert page.locator("audio").count() == 0
    assert page.locator("#utterances tbody tr").count() == 4 * TONES


def test_a_page_of_comparisons_that_would_be_too_large_is_refused(compared, tmp_path, capsys):
    words = [str(compared / "quarter"), str(compared / "tone"), "-o", str(tmp_path / "x.html")]
    assert main(["compare", *words, "--megabytes", "0.1"]) == 1
    assert "--megabytes" in capsys.readouterr().err and not (tmp_path / "x.html").exists()


def test_the_documentation_is_right(compared):
    """Every measure is in its table, and the call in it gives what it says."""
    path = Path(__file__).parents[1] / "docs" / "results.md"
    text = path.read_text(encoding="utf-8")
    for key in BY_KEY:
        assert f"`{key}`" in text, key
    exp = f"model={compared / 'quarter'}"
    found = doctest.testfile(str(path), module_relative=False, globs={"exp": exp}, encoding="utf-8")
    assert found.attempted == 5 and found.failed == 0


def test_results_hold_what_a_comparison_needs(compared):
    rows = read_json(compared / "quarter" / "decode_mdn_mdn" / "eval" / "results.json")
    assert len(json.dumps(rows)) < 200_000
    assert set(rows["model"]["sums"]["mcd_db"]) == set(rows["natural"]["sums"]["in_tune_cents"])


def test_damaged_files_of_an_experiment_are_named(tmp_path):
    (tmp_path / "config.yaml").write_text("model: {class_path: a.B}\n")
    (tmp_path / "losses.jsonl").write_text('{"epoch": 1, "train": {"loss": 2.0}}\n')
    found = read_experiment("acoustic", tmp_path)
    assert found.class_path == "a.B" and found.curves == {"train loss": [(1.0, 2.0)]}
    for name, text in (
        ("losses.jsonl", "[" * 100_000),
        ("losses.jsonl", "[]"),
        ("config.yaml", "a: " + "[" * 5000),
        ("config.yaml", "a: !!python/name:os.system ''"),
        ("config.yaml", "a: [1"),
    ):
        before = (tmp_path / name).read_text()
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=name) as caught:
            read_experiment("acoustic", tmp_path)
        assert "\n" not in str(caught.value)
        (tmp_path / name).write_text(before)
