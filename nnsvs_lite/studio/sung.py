"""A track of the page, sung or written; and what the page is told of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from nnsvs_lite.score.song import Song
from nnsvs_lite.score.types import Score
from nnsvs_lite.studio.convert import score_and_places, score_of
from nnsvs_lite.studio.drawn import PageMarks
from nnsvs_lite.synthesis.curves import Curves
from nnsvs_lite.synthesis.kept import Kept
from nnsvs_lite.synthesis.performance import Performance
from nnsvs_lite.synthesis.singer import Singer


def written(track: dict[str, Any]) -> Score:
    """A track as a score with its curves, for files of other editors. Raises DataError."""
    song = Song.from_json(track["song"])
    score = score_of(song)
    return replace(score, drawn=PageMarks.from_json(track["drawn"], len(song.notes)).over(song, score))


class SungTrack(NamedTuple):
    """A performance, the indices of the song's notes in its score, and the notes' numbers in chance; and
    what is drawn or set that the voice's vocoder does not let be heard.
    """

    song: Performance
    places: list[int]
    numbers: list[int]
    unheard: list[str]


def sing_track(
    voice: Singer, track: dict[str, Any], kept: Kept, progress: Callable[[float], None]
) -> SungTrack:
    """Sings a track; phrases that are kept are not sung again. What the voice does not let be heard is left
    out: a song may have been made with another. Raises DataError.
    """
    song, options = Song.from_json(track["song"]), track["options"]
    score, places = score_and_places(song)
    drawn = PageMarks.from_json(track["drawn"], len(song.notes))
    how = (voice.spec.frame_shift, options.get("tempo", 1.0), options.get("transpose", 0))
    told = drawn.options(song, score, places, *how)
    unheard = _take_unheard(voice, told)
    performance = voice.sing(score, kept=kept, progress=progress, **options, **told)
    return SungTrack(performance, places, told["numbers"], unheard)


def _take_unheard(voice: Singer, told: dict[str, Any]) -> list[str]:
    """Takes out of what a voice is told whatever its vocoder does not let be heard, and names it."""
    asked, controls = Curves.of(told.get("curves", {}), voice.spec.frame_shift), voice.vocoder.controls
    names = asked.unheard(voice.vocoder)
    hand, told["curves"] = told["by_hand"], asked.without(names).values
    if hand.vibrati and "pitch" not in controls:
        names, hand = [*names, "vibrato"], replace(hand, vibrati={})
    if hand.formants is not None and "gender" not in controls:
        names, hand = [*names, "gender"], replace(hand, formants=None)
    told["by_hand"] = hand
    return ["pitch" if name == "f0" else name for name in names]


def result_of(sung: SungTrack) -> dict[str, Any]:
    """What the page is told of a track: its F0 and phones."""
    song, note_of = sung.song, {place: i for i, place in enumerate(sung.places)}
    phones = song.phones
    owners = [note_of.get(phone.note, -1) for phone in phones]
    return {
        "frame_shift": song.frame_shift,
        "f0": np.round(song.f0, 1).tolist(),
        "phones": [[p.symbol, round(p.start, 4), round(p.end, 4)] for p in phones],
        "owners": owners,
        "chance": [sung.numbers[place] for place in sung.places],
    }
