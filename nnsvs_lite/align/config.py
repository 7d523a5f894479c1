"""The alignment configuration: one YAML in ``conf/mfa/``, every key known and typed."""

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nnsvs_lite.io.settings import Settings, plain, read_settings


@dataclass(frozen=True)
class SyncConfig:
    """Global offset and tempo drift between recording and score.

    Attributes:
        search: seconds; offsets up to this are looked for, either way.
        max_drift: share; tempo differences up to this are looked for.
        correct: whether the refinement moves the score by what was found.
        least: seconds; a smaller offset is left to the learnt onset prior.
    """

    search: float = 3.0
    max_drift: float = 0.03
    correct: bool = True
    least: float = 0.06


@dataclass(frozen=True)
class RefineConfig:
    """Score-guided refinement.

    Attributes:
        enabled: whether the aligner's boundaries are refined at all.
        frame_shift: seconds between frames.
        window: seconds; a note's vowel is looked for this far around its note.
        iterations: rounds of re-estimation and search.
        breaths: whether a breath or silence that the score lacks is looked for
            between notes, so that it does not count as part of a vowel.
    """

    enabled: bool = True
    frame_shift: float = 0.005
    window: float = 0.25
    iterations: int = 10
    breaths: bool = True


@dataclass(frozen=True)
class QualityConfig:
    """When a phrase is kept out of training; ``docs/alignment.md`` says what each kind of fault is.

    Attributes:
        max_offset: seconds between score and recording.
        max_pitch: semitones between a note, or the whole phrase, and its singing.
        max_wrong: seconds for which a note may be sung at another pitch, its vowel be early or
            late beyond what is usual, or a rest be sung in; a third of it for which a vowel may
            lose its voice.
        max_rival: a phone is not what is sung where others are so much likelier: 0 is none, 1
            is as many as there are less likely.
        max_faulty: share of notes with a fault.
        min_confidence: share of notes without a fault times share of vowels that sound most like
            themselves; the latter may not be below it either.
    """

    max_offset: float = 0.25
    max_pitch: float = 0.7
    max_wrong: float = 0.15
    max_rival: float = 1.1
    max_faulty: float = 0.2
    min_confidence: float = 0.4


@dataclass(frozen=True)
class ViterConfig:
    """The embedded back end.

    Attributes:
        model: a ``.viter`` model, or the ``.zip`` of a Montreal Forced Aligner
            model; empty to train on the corpus.
        stage: how far training goes: ``mono``, ``tri``, ``lda`` or ``sat``.
        position_dependent: whether phones differ by their place in the word.
        refine: whether viter itself moves boundaries off its 10 ms grid.
        beam: of the search.
        retry_beam: of the second search, where the first found no path.
        seed: of the training.
    """

    model: str = ""
    stage: Literal["mono", "tri", "lda", "sat"] = "mono"
    position_dependent: bool = False
    refine: bool = True
    beam: float = 40.0
    retry_beam: float = 400.0
    seed: int = 0


@dataclass(frozen=True)
class MfaConfig:
    """The Montreal Forced Aligner.

    Attributes:
        command: the program, or several words such as
            ``micromamba run -p tools/mfa mfa``; empty to look in ``tools/mfa``
            and then on the path.
        model: the name of a downloaded acoustic model or the path of one; empty
            to train on the corpus.
        root: ``MFA_ROOT_DIR``; empty for a folder inside the experiment.
        single_speaker: treat the corpus as one speaker.
        use_mp: let it start processes.
        beam: of the search.
        retry_beam: of the second search.
        iterations: of the monophone training.
        max_gaussians: of the monophone model.
        triphones: whether training goes on to MFA's triphone stage.
        options: further options of ``mfa align``, word by word.
    """

    command: str = ""
    model: str = ""
    root: str = ""
    single_speaker: bool = True
    use_mp: bool = False
    beam: int = 10
    retry_beam: int = 400
    iterations: int = 40
    max_gaussians: int = 1000
    triphones: bool = False
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class AlignConfig:
    """All of stage 1; see the classes of its parts.

    Attributes:
        backend: ``viter`` (embedded) or ``mfa`` (Montreal Forced Aligner).
        pieces: how many notes go into a piece of a phrase that the back end trains on; 0
            to train on whole phrases, as aligners of speech do.
        unit: what becomes one word of the dictionary: the phones between two
            rests (``phrase``), those of one word or syllable of the lyrics, or of
            one mora.
        phone_map: a table ``ours theirs``, a phone a line, for an acoustic model whose
            phones have other names; empty where they are ours.
    """

    backend: Literal["viter", "mfa"] = "viter"
    unit: Literal["phrase", "word", "syllable", "mora"] = "phrase"
    phone_map: str = ""
    pieces: int = 1
    viter: ViterConfig = field(default_factory=ViterConfig)
    mfa: MfaConfig = field(default_factory=MfaConfig)
    sync: SyncConfig = field(default_factory=SyncConfig)
    refine: RefineConfig = field(default_factory=RefineConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)

    def to_dict(self) -> dict[str, Any]:
        """All values, for ``config.yaml`` of the experiment and for fingerprints."""
        return plain(self)


def from_dict(values: Any, where: str = "alignment configuration") -> AlignConfig:
    """Builds a configuration from nested mappings.

    Raises:
        DataError: for an unknown key (naming the nearest), a value of the wrong
            type, or a value that is none of those possible.
    """
    return Settings(values, where).build(AlignConfig)


def read_config(path: str | os.PathLike) -> AlignConfig:
    """Reads a configuration from YAML; its ``phone_map`` may lie beside it.

    Raises:
        DataError: where the file is missing or is not YAML, and as :func:`from_dict`, with the line.
    """
    config = read_settings(path, ["align"]).build(AlignConfig)
    beside = Path(path).parent / Path(config.phone_map).name
    if config.phone_map and not Path(config.phone_map).exists() and beside.exists():
        config = dataclasses.replace(config, phone_map=os.fspath(beside))
    return config
