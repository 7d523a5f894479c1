"""Pictures of an alignment: waveform, spectrogram, score and boundaries of a phrase."""

import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.align.corpus import read_corpus
from nnsvs_lite.align.frames import Frames, analyse
from nnsvs_lite.align.quality import PERIODIC
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.config import FeatureConfig, MelConfig
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.mel import log_mel
from nnsvs_lite.io.atomic import atomic_path, read_json, write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.textgrid import read_textgrid
from nnsvs_lite.score.types import Score

_BANDS = 80
_SHOWN_DB = 70.0
_GIVEN, _FOUND, _FAULT = "#1b9e77", "#d95f02", "#c51b8a"
_PAGE = """<!doctype html><html lang='en'><meta charset='utf-8'><title>Alignment</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem;color:#222}}
img{{max-width:100%;height:auto}}pre{{background:#f4f4f4;padding:1rem;overflow-x:auto}}
.out{{color:#a01070;font-weight:600}}h2{{font-size:1.1rem;margin-top:2.5rem}}</style>
<h1>Alignment</h1><pre>{text}</pre>{sections}</html>
"""
_SECTION = """<section><h2>{utt}</h2>{why}<ul>{found}</ul>
<img src='{utt}.png' alt='waveform, spectrogram, score and boundaries of {utt}'></section>
"""


def _fonts() -> list[str]:
    """Font families for lyrics: those with East Asian letters that are installed, then matplotlib's own."""
    from matplotlib.font_manager import fontManager

    marks = ("CJK", "IPA", "Takao", "Hiragino", "Yu Gothic", "MS Gothic")
    found = {font.name for font in fontManager.ttflist if any(mark in font.name for mark in marks)}
    return [*sorted(found, key=lambda name: ("JP" not in name, "Sans" not in name, name)), "DejaVu Sans"]


def _mel(audio: np.ndarray, rate: int, frames: Frames) -> np.ndarray:
    """Log-mel spectrogram (bands, T) in dB below its peak."""
    size = int(0.025 * rate)
    mel = MelConfig(_BANDS, 1 << (size - 1).bit_length(), size, 40.0, min(10000.0, rate / 2), power=2.0)
    decibel = 10 / np.log(10) * log_mel(audio, FeatureConfig(rate, frames.shift, mel=mel), len(frames))
    return (decibel - decibel.max()).T


def draw_phrase(
    path: str | os.PathLike,
    audio: np.ndarray,
    rate: int,
    score: Score,
    labels: Sequence[Segment],
    *,
    given: Sequence[Segment] = (),
    faults: Sequence[Mapping] = (),
    title: str = "",
) -> None:
    """Draws one phrase to a PNG.

    From above: the waveform; the mel spectrogram with the phones found; the score's notes with F0 over them.
    Boundaries found run through all of it; those that the corpus came with are dotted in the spectrogram;
    faults are marked in the waveform.

    Args:
        path: the PNG. audio: (samples,). rate: Hz. labels: phones found.
        given: labels that the corpus came with, if any. faults: as in the report. title: above the picture.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    end, fonts, frames = len(audio) / rate, _fonts(), analyse(audio, rate)
    shift = frames.shift
    with rc_context({"font.family": fonts, "font.size": 9, "axes.unicode_minus": False}):
        figure = Figure(figsize=(min(max(2.4 * end, 9.0), 40.0), 7.0), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        wave, mel, notes = figure.subplots(3, 1, sharex=True, height_ratios=(1, 2, 1.6))
        figure.suptitle(title, fontsize=11)
        times = np.arange(len(audio)) / rate
        wave.plot(times, audio, color="#444444", linewidth=0.4)
        top = max(float(np.abs(audio).max()), 1e-3) * 1.15
        wave.set_ylim(-top, top)
        wave.set_ylabel("waveform")
        for number, fault in enumerate(sorted(faults, key=lambda fault: fault["time"])):
            wave.axvline(fault["time"], color=_FAULT, linewidth=2.0, alpha=0.7)
            below = {"xytext": (3, -2 - 11 * (number % 5)), "textcoords": "offset points"}
            wave.annotate(fault["kind"], (fault["time"], top), color=_FAULT, fontsize=8, va="top", **below)
        place = (-shift / 2, end + shift / 2, 0, _BANDS)
        look = {"origin": "lower", "aspect": "auto", "cmap": "magma", "interpolation": "nearest"}
        mel.imshow(_mel(audio, rate, frames), vmin=-_SHOWN_DB, vmax=0.0, extent=place, **look)
        mel.set_ylabel("mel band")
        for label in labels:
            for axes, color in ((wave, _FOUND), (mel, "white"), (notes, _FOUND)):
                axes.axvline(label.start, color=color, linewidth=0.8, alpha=0.8)
            middle, look = (label.start + label.end) / 2, {"ha": "center", "va": "top", "fontweight": "bold"}
            mel.text(middle, _BANDS * 0.965, label.label, color="white", fontsize=9, **look)
        for label in given:
            mel.axvline(label.start, color=_GIVEN, linewidth=1.4, linestyle=":")
        _draw_notes(notes, score, frames, plain=len(fonts) == 1)
        notes.set_xlim(0.0, end)
        notes.set_xlabel("seconds" + ("; dotted green: the corpus' own labels" if len(given) else ""))
        with atomic_path(path) as tmp:
            figure.savefig(tmp, format="png")


def _draw_notes(axes, score: Score, frames: Frames, plain: bool) -> None:
    """Notes with their lyrics (their phones where ``plain``: no font has the letters) and F0."""
    sung = [note for note in score.notes if not note.is_rest]
    for note in sung:
        text = " ".join(note.phones) if plain and not note.lyric.isascii() else note.lyric
        look = {"height": 0.9, "color": "#9ecae1", "edgecolor": "#3182bd"}
        axes.barh(note.pitch, note.duration, left=note.start, **look)
        axes.text(note.start + 0.02, note.pitch + 0.55, text or "–", fontsize=9, va="bottom")
    voiced = (frames.f0 > 0) & (frames.voicing > PERIODIC)
    midi = np.where(voiced, hz_to_midi(np.maximum(frames.f0, 1.0)), np.nan)
    axes.plot(np.arange(len(frames)) * frames.shift, midi, color="black", linewidth=1.0)
    if sung:
        axes.set_ylim(min(n.pitch for n in sung) - 2.5, max(n.pitch for n in sung) + 3.5)
    axes.set_ylabel("note (MIDI), F0")


def align_report(
    out: str | os.PathLike, paths: Sequence[str | os.PathLike], *, utts: Sequence[str] = (), worst: int = 12
) -> Path:
    """Draws phrases of a finished alignment; returns the page ``<out>/report/index.html``.

    Args:
        out: the experiment folder of stage 1. paths: the data dirs that it aligned.
        utts: which to draw; if none, the ``worst`` least sure ones, those kept out of training first.

    Raises DataError where there is no finished alignment, or no such utterance.
    """
    out = Path(out)
    if not (out / "report.json").exists():
        raise DataError("no finished alignment (report.json) here; run nnsvs-lite align first", out)
    report = read_json(out / "report.json")
    corpus = read_corpus([Path(p) for p in paths])
    for path in paths:  # as the stage left them, but for songs that became phrases
        data = DataDir.read(path)
        for utt in set(data.utts) & set(corpus.of):
            corpus.of[utt], corpus.scores[utt] = data, data.scores[utt]
    rows = report["utterances"]
    for utt in utts:
        if utt not in rows or utt not in corpus.of:
            raise DataError(f"no utterance {utt!r}{nearest(utt, rows)}", out)
    if not utts:
        order = sorted(rows, key=lambda u: (not rows[u].get("rejected"), rows[u].get("confidence", 0.0), u))
        utts = [utt for utt in order if utt in corpus.of][:worst]
    folder = out / "report"
    parts = []
    for utt in utts:
        row = rows[utt]
        audio, rate = corpus.of[utt].audio(utt)
        labels = _labels(out, utt)
        marks = {"given": corpus.given.get(utt, ()), "faults": row.get("faults", ())}
        title = f"{utt}   confidence {row.get('confidence', 0.0):.2f}"
        draw_phrase(folder / f"{utt}.png", audio, rate, corpus.scores[utt], labels, **marks, title=title)
        why = f"<p class='out'>kept out: {html.escape(row['rejected'])}</p>" if row.get("rejected") else ""
        found = "".join(f"<li>{html.escape(fault['text'])}</li>" for fault in row.get("faults", ()))
        parts.append(_SECTION.format(utt=html.escape(utt), why=why, found=found))
    text = html.escape((out / "report.txt").read_text(encoding="utf-8"))
    write_text(folder / "index.html", _PAGE.format(text=text, sections="".join(parts)))
    return folder / "index.html"


def _labels(out: Path, utt: str) -> list[Segment]:
    path = out / "textgrids" / f"{utt}.TextGrid"
    return [s._replace(label=s.label or "pau") for s in read_textgrid(path)] if path.exists() else []
