"""Songs as OpenUtau tells them an ENUNU server: UST files of lyrics for ``timing``, of phones afterwards.

Files are read and written only beside the UST: ``<ust without suffix>_enutemp`` holds ``score.lab`` and
``timing.lab`` (mono labels in 100 ns), ``f0.npy`` (T,) in Hz, ``vuv.npy`` (T,), ``mel.npy`` (T, D), and of
WORLD voices ``spectrogram.npy`` and ``aperiodicity.npy`` (T, fft/2 + 1), all float64; the editor leaves
``editorf0.npy`` there. Frame 0 is the UST's beginning.
"""

from __future__ import annotations

import bisect
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnsvs_lite.export.frames import loaded, score_from
from nnsvs_lite.features.audio import resample, write_audio
from nnsvs_lite.features.world import parameters
from nnsvs_lite.io.atomic import check_regular, write_bytes
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.rawfile import decode, get_number, read_bytes
from nnsvs_lite.score.formats.ust import TICKS, read_ust, sections_of
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.studio.convert import MAX_SECONDS
from nnsvs_lite.studio.worker import run_role
from nnsvs_lite.synthesis.curves import array_of
from nnsvs_lite.synthesis.impose import write_lab
from nnsvs_lite.synthesis.performance import Performance, SungPhrase
from nnsvs_lite.synthesis.singer import Plan, Singer

RATE = 44100
"""Hz of waveforms: OpenUtau mixes them without resampling."""
MAX_BYTES = 4 << 20
"""Of a UST, and of an F0 that was drawn."""
NOTHING = {"spectrogram": 1e-16, "aperiodicity": 1 - 1e-12}
"""WORLD's numbers of silence."""


class UstNote(NamedTuple):
    """A note of a UST: what is sung, seconds, MIDI number, and flags."""

    lyric: str
    start: float
    end: float
    midi: int
    flags: str


def main() -> None:
    """Answers tasks of :mod:`nnsvs_lite.export.enunu`."""
    run_role({"phones": phones})


def phones(setup: dict[str, Any]) -> tuple[Any, Any]:
    """Sings with the voice ``setup["model"]``; tasks name a step and its paths."""
    voice = loaded(**setup)
    if "pitch" not in voice.vocoder.controls:
        raise DataError("its vocoder follows no F0 that is drawn, which editors draw", setup["model"])
    steps = {"timing": timing, "acoustic": acoustic, "synthe": synthe}

    def do(task: dict[str, Any], say: Any) -> Any:
        ust, *more = map(Path, task["paths"])
        if not ust.is_absolute() or ust.suffix not in (".tmp", ".ust"):
            raise DataError("a UST is named by its whole path, *.tmp or *.ust", ust)
        rows = read_rows(ust, voice.spec.codes[0])
        return steps[task["what"]](voice, ust, rows, *more)

    return {"name": Path(setup["model"]).resolve().stem}, do


def read_rows(ust: Path, lang: str) -> list[UstNote]:
    """The notes of a UST. Raises DataError where it is none, or too long."""
    setting, sections = sections_of(decode(read_bytes(ust, MAX_BYTES), lang))
    tempo = get_number(setting.get("Tempo", "120").replace(",", "."), "Tempo", 1, 10_000)
    rows, ticks = [], 0.0
    for name, fields in sections:
        length = get_number(fields.get("Length"), f"[#{name}]: Length", 1, 1e9)
        midi = get_number(fields.get("NoteNum", "60"), f"[#{name}]: NoteNum", 0, 127)
        start, end = (at / TICKS * 60 / tempo for at in (ticks, ticks + length))
        rows.append(
            UstNote(fields.get("Lyric", "").strip(), start, end, round(midi), fields.get("Flags", "").strip())
        )
        ticks += length
    if not rows:
        raise DataError("there is nothing to sing", ust)
    return rows


def work_folder(ust: Path) -> Path:
    """Where what belongs to a UST is found, and is looked for."""
    folder = ust.with_name(f"{ust.stem}_enutemp")
    folder.mkdir(exist_ok=True)
    return folder


def timing(voice: Singer, ust: Path, rows: Sequence[UstNote]) -> dict[str, Any]:
    """Phones of each note, and when they are sung.

    In ``score.lab`` phones have the times of their note: the editor counts notes by where they begin, so that
    each has a phone at least.
    """
    plan = voice.plan(read_ust(ust, lang=voice.spec.codes[0]))
    timed = zip(plan.phrases, plan.timings)
    sung = _performance(voice, plan, [SungPhrase(p.start, p.score, p.first_note, *t, {}) for p, t in timed])
    starts, own = [row.start for row in rows], [[] for _ in rows]
    for phone in sung.phones:
        begin = plan.score.notes[phone.note].start
        # After the last note the score is filled with a rest, of which the editor knows nothing.
        if begin < rows[-1].end - 1e-4:
            own[bisect.bisect_right(starts, begin + 1e-4) - 1].append((phone.symbol, phone.start))
    score, sings = [], []
    for row, phones in zip(rows, own):
        # A rest after a rest, or what only carries on, has the phone before once more.
        phones = phones or [(score[-1].label if score else "pau", row.start)]
        score += [Segment(row.start, row.end, symbol) for symbol, _ in phones]
        sings += phones
    begins = np.minimum.accumulate([start for _, start in sings][::-1])[::-1]
    ends = [*begins[1:], max(rows[-1].end, begins[-1])]
    folder = work_folder(ust)
    write_lab(folder / "score.lab", score)
    names = [name for name, _ in sings]
    write_lab(folder / "timing.lab", [Segment(*row) for row in zip(begins, ends, names)])
    return {"path_full_timing": None, "path_mono_timing": os.fspath(folder / "timing.lab")}


def acoustic(voice: Singer, ust: Path, rows: Sequence[UstNote]) -> dict[str, Any]:
    """Features of phones at their times."""
    plan = voice.plan(**_phones(voice, rows))
    sung = _performance(voice, plan, voice.phrases(plan, range(len(plan.phrases))))
    folder, written = work_folder(ust), {}
    for name, value in laid_out(voice, sung).items():
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(value, np.float64), allow_pickle=False)
        write_bytes(folder / f"{name}.npy", buffer.getvalue())
        written[f"path_{name}"] = os.fspath(folder / f"{name}.npy")
    return {"path_spectrogram": None, "path_aperiodicity": None} | written


def synthe(voice: Singer, ust: Path, rows: Sequence[UstNote], wav: Path) -> dict[str, Any]:
    """The waveform, with the F0 that was drawn, if any was."""
    if wav.suffix != ".wav" or wav.parent.resolve() != ust.parent.resolve():
        raise DataError("a wav is named *.wav and lies beside its UST", wav)
    drawn, curves = work_folder(ust) / "editorf0.npy", None
    if drawn.exists():
        f0 = _read_f0(drawn)
        curves = {"f0": np.where((f0 >= 20) & (f0 <= 5000), f0, 0.0)}
    song = voice.sing(**_phones(voice, rows), curves=curves)
    write_audio(wav, resample(song.waveform, song.sample_rate, RATE), RATE)
    return {"path_wav": os.fspath(wav)}


def _phones(voice: Singer, rows: Sequence[UstNote]) -> dict[str, Any]:
    """Of notes that are phones: what :meth:`Singer.plan` is told."""
    if rows[-1].end > MAX_SECONDS:
        raise DataError(f"a phrase lasts {MAX_SECONDS} seconds at most")
    language = get_language(voice.spec.codes[0])
    labels = [Segment(row.start, row.end, row.lyric if row.lyric not in ("", "R") else "pau") for row in rows]
    score = score_from(labels, [row.midi for row in rows], language)
    flags = (part for row in rows for part in row.flags.rpartition("S")[0].split("/"))
    return {"score": score, "labels": labels, "singer": next((f for f in flags if f in voice.singers), None)}


def _performance(voice: Singer, plan: Plan, sung: list[SungPhrase]) -> Performance:
    """Phrases as a song that is not heard."""
    rate, shift = voice.spec.sample_rate, voice.spec.frame_shift
    silent = np.broadcast_to(np.zeros(1), round(plan.end * rate))
    return Performance(silent, rate, shift, plan.score, sung, plan.singer, voice.spec)


def laid_out(voice: Singer, sung: Performance) -> dict[str, np.ndarray]:
    """What the editor reads of a song, by name; see the module."""
    f0 = sung.f0
    out = {"f0": f0, "vuv": (f0 > 0).astype(float)}
    for phrase in sung.phrases:
        streams, first = phrase.streams, round(phrase.start / sung.frame_shift)
        # OpenUtau looks only whether there are spectra.
        parts = {"mel": next(streams[name] for name in ("mel", "mgc", "latent") if name in streams)}
        if voice.vocoder.name == "World":
            _, *spectra = parameters(**streams, config=voice.spec.feature_config)
            parts |= dict(zip(NOTHING, spectra))
        for name, part in parts.items():
            whole = (len(f0), part.shape[1])
            place = out.setdefault(name, np.full(whole, NOTHING.get(name, float(part.min()))))
            place[first : first + len(part)] = part
    return out


def _read_f0(path: Path) -> np.ndarray:
    """(T,) numbers of an NPY file. Raises DataError for anything else."""
    check_regular(path)
    if path.stat().st_size > MAX_BYTES:
        raise DataError("is larger than an F0 of a phrase", path)
    try:
        value = array_of(path.read_bytes()).astype(float).reshape(-1)
    except (ValueError, TypeError, OSError) as error:
        raise DataError(f"is no NPY file of an F0 ({error})", path) from None
    if not np.isfinite(value).all():
        raise DataError("has numbers that are not finite", path)
    return value
