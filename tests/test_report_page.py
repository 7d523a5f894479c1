"""The results page: whole, self-contained, and alive in a browser."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import holds
from PIL import Image
from test_evaluation_evaluate import TONES, corpus, decode, score, transpose  # noqa: F401 (corpus: fixture)

from nnsvs_lite.bin.main import main
from nnsvs_lite.evaluation.results import Run, read_results
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.report import media, plots
from nnsvs_lite.report.comparison import Comparison
from nnsvs_lite.report.experiments import read_curves
from nnsvs_lite.report.page import renderer
from nnsvs_lite.score.types import Note, Score

MOODS = ("good", "chance", "bad")


class Page(HTMLParser):
    """Collects tags and text of a page and checks that they nest."""

    VOID = {"meta", "link", "input", "br", "img"}

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def scored(corpus, tmp_path_factory) -> Path:  # noqa: F811
    """Results of two systems, with an experiment, and the page ``index.html``."""
    folder = tmp_path_factory.mktemp("page")
    model = decode(corpus, folder / "model", transpose(corpus, 0.3), shift=0.02)
    rule = decode(corpus, folder / "rule", transpose(corpus, 1.0), shift=0.03)
    write_text(folder / "exp" / "config.yaml", "model:\n  class_path: nnsvs_lite.models.acoustic.x.X <&>\n")
    rows = [
        {"epoch": e, "train": {"loss": 2.0 / (e + 1)}, "dev": {"loss": 2.5 / (e + 1)}} for e in range(1, 9)
    ]
    write_text(folder / "exp" / "losses.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    words = ["--exp", f"acoustic={folder / 'exp'}", "--title", "Tones <&>"]
    assert score(corpus, folder, *words, model=model, rule=rule)[0] == 0
    assert report(folder) == 0
    return folder


def report(folder: Path, *words: str) -> int:
    return main(
        ["report", "--results", str(folder / "results.json"), "--out", str(folder / "index.html"), *words]
    )


def test_the_page_holds_everything(scored):
    text = (scored / "index.html").read_text()
    page = Page(text)
    assert [attrs["data-sys"] for attrs in page.all("audio")] == ["natural", "model", "rule"] * TONES
    sounds = set()
    for attrs in page.all("audio"):
        kind, _, code = attrs["src"].partition(";base64,")
        assert kind == "data:audio/mpeg"
        sounds.add(code)
        wave, rate = soundfile.read(io.BytesIO(base64.b64decode(code)))
        assert 1.2 < len(wave) / rate < 1.5 and 0.05 < np.abs(wave).max() <= 1.0
    # Some tones repeat after some phrases, but not from one system to the next.
    assert len(sounds) >= 3 * TONES // 2
    assert len(page.all("image")) == 3 * TONES
    assert len([a for a in page.all("path") if a.get("class") == "f0"]) == 3 * TONES
    assert len([a for a in page.all("details") if a.get("class") == "phrase"]) == TONES
    assert len(page.all("polyline")) == 2
    rows = [a for a in page.all("tr") if "data-sys" in a]
    assert len(rows) == 3 * TONES
    assert "Tones <&>" in page.words and "nnsvs_lite.models.acoustic.x.X <&>" in page.words
    assert text.count(">Loudness spread</th>") == 1 and "Liveliness" in page.words
    assert "`" not in page.words, "a page is no Markdown"
    assert "time (s)" in page.words and "pitch (note)" in page.words and "kHz (mel)" in page.words
    assert len(text.encode()) < 1_500_000


def test_nothing_is_loaded_from_anywhere(scored):
    text = (scored / "index.html").read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:https?:)?//[\w.-]+\.\w+""", re.sub(r"base64,[\w+/=]+", "", text))
    for tag, attrs in Page(text).tags:
        for name in ("src", "href", "data", "action"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:", "#")), (tag, value)
        assert tag not in ("iframe", "object", "embed", "form")


def test_the_page_is_the_same_again_and_up_to_date(scored, capsys, monkeypatch):
    monkeypatch.chdir(scored)  # where there is no commit to state
    (scored / "index.html").unlink()
    assert report(scored) == 0
    before = (scored / "index.html").read_bytes()
    assert report(scored) == 0
    assert "up to date" in capsys.readouterr().out
    (scored / "index.html").unlink()
    assert report(scored) == 0
    assert (scored / "index.html").read_bytes() == before


def test_a_page_that_would_be_too_large_is_refused(scored, capsys):
    out = scored / "large.html"
    status = main(
        ["report", "--results", str(scored / "results.json"), "--out", str(out), "--megabytes", "0.1"]
    )
    assert status == 1 and not out.exists()
    assert "--megabytes" in capsys.readouterr().err


def test_failed_utterances_are_named_on_the_page(corpus, tmp_path):  # noqa: F811
    model = decode(corpus, tmp_path / "model")
    (model / "wav" / "a_001.wav").unlink()
    assert score(corpus, tmp_path, model=model)[0] == 1
    assert report(tmp_path) == 0
    page = Page((tmp_path / "index.html").read_text())
    assert "1 utterances could not be scored." in page.words
    assert len(page.all("audio")) == 2 * TONES - 1


def test_results_of_something_else_are_refused(tmp_path, capsys):
    write_text(tmp_path / "results.json", "{}")
    write_text(tmp_path / "scored" / "utterances.json", "{}")
    assert report(tmp_path) == 1
    assert "not made by nnsvs-lite evaluate" in capsys.readouterr().err


def test_comparisons_state_by_how_much(scored):
    comparison = Comparison.of_one(read_results(scored / "results.json"))
    assert comparison.models == ["model"]
    ((_, cells),) = comparison.gains("main", names=comparison.models).rows
    rows = {gain.measure.key: gain for gain in cells}
    assert rows["onset_mae_ms"].absolute == pytest.approx(10.0)
    assert rows["onset_mae_ms"].relative == pytest.approx(1 / 3, abs=1e-4)
    assert rows["onset_mae_ms"].verdict == "better"
    assert rows["phone_duration_mae_ms"].verdict == "equal"
    assert rows["lf0_rmse_cents"].absolute == pytest.approx(70.0, abs=3.0)
    # The floor sings the score's own pitch, so nothing is set against it in tuning.
    assert "in_tune_cents" not in rows


def test_a_spectrogram_is_a_png_with_low_bands_at_the_bottom():
    decibel = np.array([[0.0, -70.0, -90.0], [-70.0, -35.0, 5.0]])
    with Image.open(io.BytesIO(media.spectrogram_png(decibel, 0.0))) as picture:
        assert picture.mode == "P" and picture.size == (3, 2)
        shades = np.asarray(picture)
        colours = np.asarray(picture.convert("RGB"))
    assert shades.tolist() == [[0, 32, media.LEVELS - 1], [media.LEVELS - 1, 0, 0]]
    assert (colours == media.palette()[shades]).all()


def test_mel_spectrogram_shows_a_tone_in_its_place():
    rate = 24000
    wave = np.zeros(rate)
    wave[rate // 2 :] = np.sin(2 * np.pi * 2000 * np.arange(rate // 2) / rate)
    mel = media.mel_spectrogram(wave, rate, hop=0.01, high=12000.0)
    assert mel.shape == (80, 101)
    from nnsvs_lite.features.mel import mel_edges

    band = int(mel[:, 75].argmax())
    edges = mel_edges(80, 0.0, 12000.0)
    assert edges[band] < 2000 < edges[band + 2]
    assert mel[band, 75] - mel[band, 25] > 60


def test_text_from_scores_is_escaped():
    score = Score((Note(0.0, 1.0, 69, "<script>"),))
    svg = plots.piano_roll(
        score,
        {"<a>": np.full(200, 440.0)},
        0.005,
        {'"x"': [Segment(0.0, 1.0, "<b>")]},
        plots.TimeAxis.of(1.0),
    )
    assert "<script>" not in svg and "<a>" not in svg and "<b>" not in svg
    assert "&lt;script&gt;" in svg
    Page(svg)


def test_an_f0_curve_breaks_where_unvoiced():
    axis = plots.TimeAxis.of(6.0)
    f0 = np.full(100, 440.0)
    f0[40:60] = 0.0
    path = plots.f0_path(f0, 0.005, axis, lambda midi: 100.0 - midi)
    assert path.count("M") == 2 and path.count("L") == 38
    assert path.startswith(f"M{plots.LEFT:.1f} 31.0")


def test_losses_that_are_none_are_named(tmp_path):
    path = tmp_path / "losses.jsonl"
    # Nothing has been trained at epoch 0.
    rows = ['{"epoch": 0, "train": {"loss": NaN}}', '{"epoch": 1, "train": {"loss": 1.5}}']
    write_text(path, "\n".join([*rows, '{"epoch": 2, "loss": 1}\n']))
    assert read_curves(path) == {"train loss": [(1.0, 1.5)], "loss": [(2.0, 1.0)]}
    write_text(path, '{"epoch": 1}\nnot json\n')
    with pytest.raises(DataError, match=r"losses.jsonl:2"):
        read_curves(path)


def test_what_may_be_chance_is_grey_on_both_pages():
    """Three measures of a model and the floor: surely better, better within chance, and worse."""
    noise = np.where(np.arange(20) % 2, 0.2, -0.2)
    systems = {"model": (0.1, 0.29 + noise, 0.5), "rule": (0.2, 0.3, 0.4)}
    keys = ("mcd_db", "vuv_error", "bap_db")
    runs = {
        name: Run(
            name,
            {
                key: {f"u{i}": np.array([100 * x, 100.0]) for i, x in enumerate(np.broadcast_to(error, 20))}
                for key, error in zip(keys, errors)
            },
        )
        for name, errors in systems.items()
    }
    comparison = Comparison.of_one(runs)
    gains = {name: comparison.gains(name) for name in ("main", "more")}
    about = {"title": "", "command": "", "notes": [], "gains": gains}
    for report, cells in ((None, 1), ({"set": "", "experiments": [], "features": ""}, 2)):
        text = renderer(comparison, None, [], **about, report=report)(0.35)
        shown = [attrs["class"] for attrs in Page(text).all("td") if attrs.get("class") in MOODS]
        assert shown == [mood for mood in MOODS for _ in range(cells)]
        assert "Lower is better" in text


def numbers(page, column: int) -> list[str]:
    """The values of a column of the table of phrases, in the order shown."""
    return page.evaluate(
        "column => Array.from(document.querySelectorAll('#utterances tbody tr'), "
        "row => row.cells[column].dataset.value)",
        column,
    )


def test_the_table_sorts_both_ways_in_a_browser(browser, scored):
    page = browser.open(scored / "index.html")
    head = page.locator("#utterances thead th").nth(2)
    assert head.inner_text().split() == ["MCD", "dB"]
    for state, reverse in (("ascending", False), ("descending", True)):
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == state
        shown = numbers(page, 2)
        known = [float(value) for value in shown if value]
        assert known == sorted(known, reverse=reverse) and len(set(known)) > TONES
        # The recording has no MCD, and stays below either way.
        assert shown[len(known) :] == [""] * TONES
    page.locator("#utterances thead th").nth(1).get_by_role("button").click()
    assert numbers(page, 1) == ["model"] * TONES + ["natural"] * TONES + ["rule"] * TONES
    page.select_option("#which", "model")
    assert page.locator("#utterances tbody tr:visible").count() == TONES


def test_players_play_in_a_browser(browser, scored):
    page = browser.open(scored / "index.html")
    model = page.locator(".phrase").first.locator("audio[data-sys=model]")
    assert browser.advances(model)
    assert page.locator(".playhead").first.evaluate("e => e.style.visibility") == "visible"
    # A click into a picture plays that system from there, and stops the others.
    page.uncheck("#beside")
    page.evaluate("document.querySelector('audio[data-sys=model]').play()")
    figure = page.locator(".phrase").first.locator(".spectrogram[data-play=rule] svg.plot")
    figure.click(position={"x": plots.LEFT + 300, "y": 40})
    holds(page, "!document.querySelector('audio[data-sys=rule]').paused")
    assert page.evaluate("document.querySelector('audio[data-sys=model]').paused")
    scale = float(page.locator(".phrase").first.get_attribute("data-scale"))
    time = page.evaluate("document.querySelector('audio[data-sys=rule]').currentTime")
    assert 300 / scale - 0.05 <= time < 300 / scale + 0.6


def test_another_player_goes_on_from_the_same_place(browser, scored):
    page = browser.open(scored / "index.html")
    page.check("#keep")
    start = """async ([from, to]) => {
        const [a, b] = [from, to].map((name) => document.querySelector(`audio[data-sys=${name}]`));
        await a.play();
        while (a.currentTime < 0.5) await new Promise((done) => setTimeout(done, 10));
        await b.play();
        await new Promise((done) => setTimeout(done, 100));
        return [a.paused, b.currentTime];
    }"""
    paused, time = page.evaluate(start, ["model", "rule"])
    assert paused and time >= 0.5


def test_curves_and_phrases_open_and_close(browser, scored):
    page = browser.open(scored / "index.html")
    curve = page.locator("path.f0[data-sys=rule]").first
    assert not curve.is_visible()
    page.get_by_label("rule", exact=True).check()
    assert curve.is_visible()
    assert page.locator(".phrase[open]").count() == 1
    page.locator("#utterances").get_by_role("link", name="a_005").first.click()
    page.wait_for_selector("#a_005[open]", timeout=5000)  # The page hears of the new address a moment later.


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_the_page_without_scrolling_sideways(browser, scored, dark):
    page = browser.open(scored / "index.html", width=375, height=812, dark=dark)
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert browser.overflow(page) == 0
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") != dark
    assert not page.is_checked("#beside")


def test_every_plot_has_axes_and_units(browser, scored):
    page = browser.open(scored / "index.html")
    for plot in page.locator("svg.plot").all():
        words = plot.locator("text.axis").all_text_contents()
        label = plot.get_attribute("aria-label")
        if label.startswith("Training"):
            assert words == ["epoch", "loss"]
        elif label.endswith("with 95 % intervals"):
            assert words == [label.removesuffix(" of all systems, with 95 % intervals")]
        elif label.startswith("Colours"):
            assert words == ["level (dB)"]
        else:
            assert "time (s)" in words and {"pitch (note)", "kHz (mel)"} & set(words), label
        assert plot.locator("text.tick").count() >= 3


def test_thirty_phrases_are_under_thirty_megabytes():
    """Thirty phrases of eight seconds from five systems, of noisy sound, which packs worst."""
    from nnsvs_lite.report.page import COMPRESSIONS, packing_note

    rate, seconds = 24000, 8.0
    rng = np.random.default_rng(0)
    t = np.arange(round(rate * seconds)) / rate
    wave = 0.2 * np.sin(2 * np.pi * 300 * t) + 0.1 * rng.standard_normal(len(t))
    mel = media.mel_spectrogram(wave, rate, hop=0.01, high=12000.0)
    picture = media.data_uri("image/png", media.spectrogram_png(mel, float(mel.max())))
    sizes = [
        len(media.data_uri("audio/mpeg", media.mp3(wave, rate, packed))) + len(picture)
        for packed in COMPRESSIONS
    ]
    assert sizes[0] > sizes[1] > sizes[2]
    assert 30 * 5 * sizes[-1] < 28e6
    assert packing_note(0.35) == "" and "24 kbit/s" in packing_note(0.99)
