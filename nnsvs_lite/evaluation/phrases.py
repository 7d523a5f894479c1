"""What a page shows of one phrase: players, spectrograms and a piano roll, for several systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nnsvs_lite.evaluation import media, plots
from nnsvs_lite.evaluation.measures import BY_KEY
from nnsvs_lite.evaluation.reference import Reference, Utterance
from nnsvs_lite.evaluation.results import order_rows
from nnsvs_lite.evaluation.scoring import NATURAL
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader

if TYPE_CHECKING:
    from nnsvs_lite.corpus.datadir import DataDir

HOP = 0.01
TOP_HZ = 12000.0
SHOWN = ("mcd_db", "lf0_rmse_cents", "onset_mae_ms", "in_tune_cents")
"""Measures under a player."""

Values = Mapping[str, Mapping[str, Mapping[str, float | None]]]
"""System to utterance to measure."""


@dataclass
class Material:
    """Where the sounds and curves of all systems are.

    Attributes:
        reference: the set that was sung.
        order: systems as they are shown, the recording among them if it can be heard.
        systems: name to decode folder, without the recording.
        values: each utterance's own numbers.
        f0: name to the F0 that was scored, Hz.
        data: data dir of the recordings, if known.
    """

    reference: Reference
    order: Sequence[str]
    systems: Mapping[str, System]
    values: Values
    f0: Mapping[str, FeatureReader] = field(default_factory=dict)
    data: DataDir | None = None

    def wave(self, name: str, utt: str) -> tuple[np.ndarray, int] | None:
        """Audio and rate of a system's utterance; None where there is none that can be played."""
        try:
            if name == NATURAL:
                return None if self.data is None else self.data.audio(utt)
            return self.systems[name].audio(utt) if name in self.systems else None
        except DataError:
            # Scoring has named it among the failed utterances; the page says so beside the players.
            return None

    def phones(self, utterance: Utterance) -> dict[str, Sequence[Segment]]:
        """Labelled phone times, and those of the first system that predicts its own."""
        strips: dict[str, Sequence[Segment]] = {NATURAL: utterance.phones}
        for name in order_rows(self.systems):
            try:
                found = self.systems[name].phones(
                    utterance.utt, utterance.symbols, utterance.silences, utterance.seconds
                )
            except DataError:
                continue
            if found is not None:
                strips[name] = found
                break
        return strips


@dataclass(frozen=True)
class Voice:
    """One player of a phrase.

    Attributes:
        name: system. audio: data URI. spectrogram: SVG. figures: short text of its metrics.
    """

    name: str
    audio: str
    spectrogram: str
    figures: str


@dataclass(frozen=True)
class Phrase:
    """All that is shown of one utterance."""

    utt: str
    lyrics: str
    seconds: float
    axis: plots.TimeAxis
    roll: str
    voices: list[Voice]
    missing: list[str]


def figures(values: Mapping[str, float | None]) -> str:
    """The numbers under a player, as text."""
    parts = [
        f"{BY_KEY[key].label} {BY_KEY[key].show(values[key])} {BY_KEY[key].unit}"
        for key in SHOWN
        if values.get(key) is not None
    ]
    return " · ".join(parts)


def build_phrase(material: Material, utt: str, compression: float) -> Phrase:
    """Audio, spectrograms and piano roll of one utterance.

    Args:
        compression: of the audio, see :func:`nnsvs_lite.evaluation.media.mp3`.

    Raises:
        DataError: where the reference lacks the utterance.
    """
    utterance = material.reference[utt]
    seconds = max(utterance.seconds, utterance.score.duration)
    axis = plots.TimeAxis.of(seconds)
    found = {name: material.wave(name, utt) for name in material.order}
    waves = {name: pair for name, pair in found.items() if pair is not None}
    high = min([TOP_HZ, *(rate / 2 for _, rate in waves.values())])
    mels = {
        name: media.mel_spectrogram(wave, rate, hop=HOP, high=high) for name, (wave, rate) in waves.items()
    }
    loudest = max((float(mel.max()) for mel in mels.values()), default=0.0)
    voices = []
    for name, (wave, rate) in waves.items():
        # One scale for all: a system that is too quiet should look so.
        picture = media.data_uri("image/png", media.spectrogram_png(mels[name], loudest))
        voices.append(
            Voice(
                name=name,
                audio=media.data_uri("audio/mpeg", media.mp3(wave, rate, compression)),
                spectrogram=plots.spectrogram(picture, mels[name].shape[1], HOP, high, axis, name),
                figures=figures(material.values.get(name, {}).get(utt, {})),
            )
        )
    curves = {
        name: material.f0[name][utt][:, 0] for name in material.order if utt in material.f0.get(name, ())
    }
    roll = plots.piano_roll(utterance.score, curves, utterance.frame_shift, material.phones(utterance), axis)
    return Phrase(
        utt=utt,
        lyrics=utterance.score.lyrics,
        seconds=seconds,
        axis=axis,
        roll=roll,
        voices=voices,
        missing=[
            name
            for name, pair in found.items()
            if pair is None and (name != NATURAL or material.data is not None)
        ],
    )


def utterance_rows(
    utts: Sequence[str], order: Sequence[str], values: Values, keys: Sequence[str]
) -> list[dict[str, object]]:
    """Rows of the table of all phrases: ``utt``, ``system``, and ``cells`` with text and value."""
    rows: list[dict[str, object]] = []
    for utt in utts:
        for name in order:
            numbers = values.get(name, {}).get(utt)
            if numbers is None:
                continue
            cells = [{"text": BY_KEY[key].show(numbers.get(key)), "value": numbers.get(key)} for key in keys]
            rows.append({"utt": utt, "system": name, "cells": cells})
    return rows
