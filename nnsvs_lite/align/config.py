"""The alignment configuration: one YAML in ``conf/mfa/``, every key known and typed."""

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nnsvs_lite.io.settings import read_settings


@dataclass(frozen=True)
class SyncConfig:
    """Global offset and tempo drift between recording and score."""

    search: float = 3.0  # seconds; offsets up to this are looked for, either way
    max_drift: float = 0.03  # share; tempo differences up to this are looked for
    correct: bool = True  # whether the refinement moves the score by what was found
    least: float = 0.06  # seconds; a smaller offset is left to the learnt onset prior


@dataclass(frozen=True)
class RefineConfig:
    """Score-guided refinement."""

    enabled: bool = True  # whether the aligner's boundaries are refined at all
    start: Literal["score", "aligner"] = "score"  # whose times the models are learnt from at first
    frame_shift: float = 0.005  # seconds between frames
    window: float = 0.25  # seconds; a note's vowel is looked for this far around its note
    iterations: int = 10  # rounds of re-estimation and search
    # Whether a breath or silence that the score lacks is looked for between notes, so that it does
    # not count as part of a vowel.
    breaths: bool = True


@dataclass(frozen=True)
class QualityConfig:
    """When a phrase is kept out of training; ``docs/alignment.md`` says what each kind of fault is."""

    max_offset: float = 0.25  # seconds between score and recording
    max_pitch: float = 0.7  # semitones between a note, or the whole phrase, and its singing
    # Seconds for which a note may be sung at another pitch, its vowel be early or late beyond what
    # is usual, or a rest be sung in; a third of it for which a vowel may lose its voice.
    max_wrong: float = 0.15
    # A phone is not what is sung where others are so much likelier: 0 is none, 1 is as many as there
    # are less likely.
    max_rival: float = 1.1
    max_faulty: float = 0.2  # share of notes with a fault
    # Share of notes without a fault times share of vowels that sound most like themselves; the
    # latter may not be below it either.
    min_confidence: float = 0.4


@dataclass(frozen=True)
class ViterConfig:
    """The embedded back end."""

    model: str = ""  # a ``.viter`` model, or an MFA model's ``.zip``; empty to train on the corpus
    stage: Literal["mono", "tri", "lda", "sat"] = "mono"  # how far training goes
    position_dependent: bool = False  # whether phones differ by their place in the word
    refine: bool = True  # whether viter itself moves boundaries off its 10 ms grid
    beam: float = 40.0  # of the search
    retry_beam: float = 400.0  # of the second search, where the first found no path
    seed: int = 0  # of the training


@dataclass(frozen=True)
class MfaConfig:
    """The Montreal Forced Aligner."""

    # The program, or several words such as ``micromamba run -p tools/mfa mfa``; empty to look in
    # ``tools/mfa`` and then on the path.
    command: str = ""
    model: str = ""  # a downloaded acoustic model's name, or a path; empty to train on the corpus
    root: str = ""  # ``MFA_ROOT_DIR``; empty for a folder inside the experiment
    single_speaker: bool = True  # treat the corpus as one speaker
    use_mp: bool = False  # let it start processes
    beam: int = 10  # of the search
    retry_beam: int = 400  # of the second search
    iterations: int = 40  # of the monophone training
    max_gaussians: int = 1000  # of the monophone model
    triphones: bool = False  # whether training goes on to MFA's triphone stage
    options: tuple[str, ...] = ()  # further options of ``mfa align``, word by word


@dataclass(frozen=True)
class AlignConfig:
    """All of stage 1; see the classes of its parts."""

    # No aligner at all, where there are scores; the embedded one; the Montreal Forced Aligner.
    backend: Literal["score", "viter", "mfa"] = "score"
    # What becomes one word of the dictionary: the phones between two rests (``phrase``), those of
    # one word or syllable of the lyrics, or of one mora.
    unit: Literal["phrase", "word", "syllable", "mora"] = "syllable"
    # A table ``ours theirs``, a phone a line, for an acoustic model whose phones have other names;
    # empty where they are ours.
    phone_map: str = ""
    # How many notes go into a piece of a phrase that the back end trains on; 0 to train on whole
    # phrases, as aligners of speech do.
    pieces: int = 1
    cut: bool = True  # whether songs without labels become phrases once they are aligned
    viter: ViterConfig = field(default_factory=ViterConfig)
    mfa: MfaConfig = field(default_factory=MfaConfig)
    sync: SyncConfig = field(default_factory=SyncConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)


def read_config(path: str | os.PathLike) -> AlignConfig:
    """Reads a configuration from YAML; its ``phone_map`` may lie beside it.

    Raises DataError where the file is missing or is not YAML, for an unknown key (naming the nearest), a
    value of the wrong type, or one that is none of those possible; with the line.
    """
    config = read_settings(path, ["align"]).build(AlignConfig)
    beside = Path(path).parent / Path(config.phone_map).name
    if config.phone_map and not Path(config.phone_map).exists() and beside.exists():
        config = dataclasses.replace(config, phone_map=os.fspath(beside))
    return config
