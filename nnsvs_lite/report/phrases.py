"""What a page shows of one phrase: players, spectrograms and a piano roll, for several systems."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.evaluation.reference import Reference, Utterance
from nnsvs_lite.evaluation.results import order_rows
from nnsvs_lite.evaluation.scoring import NATURAL
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader
from nnsvs_lite.report import media, plots
from nnsvs_lite.report.comparison import Comparison, read_setup

HOP = 0.01
TOP_HZ = 12000.0


class PhraseSources(NamedTuple):
    """Where the sounds and curves of all systems are."""

    reference: Reference
    order: Sequence[str]  # of systems as they are shown, the recording first
    systems: Mapping[str, System]  # by name, without the recording
    f0: Mapping[str, FeatureReader]  # that was scored, Hz, by system
    data: DataDir | None  # of the recordings, if known

    def wave(self, name: str, utt: str) -> tuple[np.ndarray, int] | None:
        """Audio and rate of a system's utterance; None where there is none that can be played."""
        # Scoring has named faults among the failed utterances; the page says so beside the players.
        with suppress(DataError):
            source = self.data if name == NATURAL else self.systems.get(name)
            return None if source is None else source.audio(utt)

    def phones(self, utterance: Utterance) -> dict[str, Sequence[Segment]]:
        """Labelled phone times, and those of the first system that predicts its own."""
        strips: dict[str, Sequence[Segment]] = {NATURAL: utterance.phones}
        for name in order_rows(self.systems):
            with suppress(DataError):
                if (found := self.systems[name].phones(utterance)) is not None:
                    return strips | {name: found}
        return strips


def gather(
    comparison: Comparison, systems: Mapping[str, Path] | None = None, data: Path | None = None
) -> tuple[PhraseSources | None, list[str]]:
    """Sounds and curves of all systems, of several seeds the first, and what could not be found.

    ``systems`` and ``data`` are decode folders and data dir where they are not those that were scored.

    Raises DataError where a table is damaged, or a folder that is named here is missing.
    """
    systems, notes = systems or {}, []
    reference, recordings = None, None
    opened: dict[str, System] = {}
    curves: dict[str, FeatureReader] = {}
    for name, (run, *_) in comparison.runs.items():
        setup = read_setup(run.results)
        # Paths were written from the recipe's folder, which lies somewhere above the results.
        roots = (Path(), *run.results.resolve().parents)
        root = setup and next((r for r in roots if (r / setup["dump"] / "schema.json").exists()), None)
        if root is None:
            notes.append(f"{name}: its recordings were not found, so it cannot be heard.")
            continue
        if reference is None:
            reference = Reference(root / setup["dump"], setup["set"])
            recordings = data or (setup.get("data") and root / setup["data"])
        if run.system in systems:
            opened[name] = System(name, systems[run.system])
        elif run.system in setup["systems"]:
            try:
                opened[name] = System(name, root / setup["systems"][run.system])
            except DataError as error:
                notes.append(f"{name} cannot be heard: {error}")
        scp = run.results.parent / "scored" / run.system / "f0.scp"
        if scp.exists():
            curves[name] = FeatureReader(scp)
    if reference is None:
        return None, ["No sounds were found: the dump and decode folders that were scored are not here."]
    lacking = [utt for utt in comparison.utts if utt not in reference.utts]
    if lacking:
        return None, [*notes, f"The dump {reference.path} lacks {lacking[0]}, so nothing can be heard."]
    order = [name for name in comparison.order if name in opened or name == NATURAL]
    known = DataDir.read(recordings) if recordings and (recordings == data or recordings.is_dir()) else None
    return PhraseSources(reference, order, opened, curves, known), notes


def build_phrase(sources: PhraseSources, utt: str, compression: float) -> dict[str, Any]:
    """Audio (data URIs), spectrograms and piano roll (SVG) of one utterance, as the template shows them.

    ``compression`` is :func:`nnsvs_lite.report.media.mp3`'s. Raises DataError where it is not there.
    """
    utterance = sources.reference[utt]
    seconds = max(utterance.seconds, utterance.score.duration)
    axis = plots.TimeAxis.of(seconds)
    found = {name: sources.wave(name, utt) for name in sources.order}
    waves = {name: pair for name, pair in found.items() if pair is not None}
    high = min([TOP_HZ, *(rate / 2 for _, rate in waves.values())])
    mels = {name: media.mel_spectrogram(*pair, hop=HOP, high=high) for name, pair in waves.items()}
    loudest = max((float(mel.max()) for mel in mels.values()), default=0.0)
    players = []
    for name, (wave, rate) in waves.items():
        # One scale for all: a system that is too quiet should look so.
        picture = media.data_uri("image/png", media.spectrogram_png(mels[name], loudest))
        audio = media.data_uri("audio/mpeg", media.mp3(wave, rate, compression))
        shown = plots.spectrogram(picture, mels[name].shape[1], HOP, high, axis, name)
        players.append({"name": name, "audio": audio, "spectrogram": shown})
    curves = {name: sources.f0[name][utt][:, 0] for name in sources.order if utt in sources.f0.get(name, ())}
    phones = sources.phones(utterance)
    return dict(
        utt=utt,
        lang=utterance.score.lang,
        lyrics=utterance.score.lyrics,
        seconds=seconds,
        axis=axis,
        roll=plots.piano_roll(utterance.score, curves, utterance.frame_shift, phones, axis),
        players=players,
        missing=[n for n in found if n not in waves and (n != NATURAL or sources.data is not None)],
    )
