"""What is aligned: phrases of a data dir, and the corpus folder that an aligner reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnsvs_lite.align.units import Dictionary, units_of
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.atomic import atomic_path, write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score

AUDIO_RATE = 16000
"""Hz: what acoustic models of aligners listen to; higher rates only cost time."""
LONGEST = 8.0
"""Seconds: longer utterances are cut at rests for the aligner."""
_SAFE = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class Phrase:
    """A stretch of an utterance that is aligned by itself.

    Attributes:
        name: ``utt``, or ``utt__000``, ``utt__001``, ... where it was cut.
        utt: the utterance.
        speaker: its speaker.
        score: notes of the phrase; time 0 is the phrase's start.
        start: seconds from the utterance's start.
        end: seconds.
        first: index of its first phone in the utterance's score.
    """

    name: str
    utt: str
    speaker: str
    score: Score
    start: float
    end: float
    first: int = 0


def cut_utterance(
    utt: str, speaker: str, score: Score, duration: float, longest: float = LONGEST
) -> list[Phrase]:
    """Phrases of an utterance, cut in the middle of rests where it is longer than ``longest``.

    Args:
        utt: its id.
        speaker: its speaker.
        score: with times as in the recording, so corrected for a global offset.
        duration: seconds of audio.
        longest: seconds; a phrase is closed at the last rest that keeps it below.
    """
    if duration <= longest:
        return [Phrase(utt, utt, speaker, score, 0.0, duration)]
    rests = [
        i
        for i, note in enumerate(score.notes[1:-1], start=1)
        if note.is_rest and note.duration >= 0.15 and note.phones != ("br",)
    ]
    cuts: list[int] = []
    begin = 0.0
    for here, following in zip(rests, [*rests[1:], None]):
        end = duration if following is None else score.notes[following].start
        if end - begin > longest:
            cuts.append(here)
            begin = score.notes[here].start
    phrases = []
    phones = np.cumsum([0] + [len(note.phones) for note in score.notes])
    edges = [0, *cuts, len(score.notes) - 1]
    for number, (left, right) in enumerate(zip(edges, edges[1:])):
        # Both phrases at a cut have its rest, and half of its time.
        start = _middle(score, left) if number else 0.0
        end = _middle(score, right) if right in cuts else duration
        phrases.append(
            Phrase(
                f"{utt}__{number:03d}",
                utt,
                speaker,
                score.slice(left, right + 1, offset=start),
                round(start, 7),
                round(end, 7),
                int(phones[left]),
            )
        )
    return phrases


def _middle(score: Score, note: int) -> float:
    return (score.notes[note].start + score.notes[note].end) / 2


def join_phrases(
    phrases: Sequence[Phrase], labels: Mapping[str, list[Segment]], duration: float
) -> list[Segment]:
    """An utterance's labels from those of its phrases, in order; a cut rest is one label again."""
    joined: list[Segment] = []
    for phrase in phrases:
        rows = [
            Segment(round(s.start + phrase.start, 7), round(s.end + phrase.start, 7), s.label)
            for s in labels[phrase.name]
        ]
        if joined:
            joined[-1] = joined[-1]._replace(end=rows[0].end)
            rows = rows[1:]
        joined += rows
    joined[-1] = joined[-1]._replace(end=round(duration, 7))
    return joined


class CorpusFolder:
    """Audio, transcripts and dictionary in the layout that MFA and viter read.

    ``<root>/corpus/<phrase>.wav`` with ``<phrase>.lab`` beside it (one folder per
    speaker below ``corpus`` unless ``single_speaker``) and ``<root>/dictionary.dict``.

    Args:
        root: the folder.
        unit: see :class:`nnsvs_lite.align.config.AlignConfig`.
        single_speaker: whether all phrases count as one speaker's.
    """

    def __init__(self, root: Path, unit: str, single_speaker: bool = True):
        self.root = Path(root)
        self.corpus = self.root / "corpus"
        self.dictionary = self.root / "dictionary.dict"
        self.unit = unit
        self.single_speaker = single_speaker
        self.phrases: list[Phrase] = []

    def place(self, phrase: Phrase) -> Path:
        """The phrase's audio file."""
        folder = self.corpus if self.single_speaker else self.corpus / phrase.speaker
        return folder / f"{phrase.name}.wav"

    def write(self, phrases: Iterable[Phrase], dirs: dict[str, DataDir]) -> None:
        """Writes what is not there yet.

        Args:
            phrases: all of them, in order.
            dirs: by utterance, where its audio is.

        Raises:
            DataError: for an id that cannot be a file name, or unreadable audio.
        """
        words = Dictionary()
        for phrase in phrases:
            if not _SAFE.fullmatch(phrase.name):
                raise DataError(f"the id {phrase.utt!r} cannot be a file name; use letters, digits, . _ + -")
            vowels = get_language(phrase.score.lang).vowels
            text = " ".join(words.word(u.phones) for u in units_of(phrase.score, self.unit, vowels))
            audio = self.place(phrase)
            transcript = audio.with_suffix(".lab")
            if not transcript.exists() or transcript.read_text(encoding="utf-8") != text + "\n":
                write_text(transcript, text + "\n")
            if not audio.exists():
                _write_audio(audio, dirs[phrase.utt], phrase)
            self.phrases.append(phrase)
        write_text(self.dictionary, words.text())

    def shards(self, size: int) -> Iterator[tuple[str, list[Phrase]]]:
        """Parts of at most ``size`` phrases, by name."""
        for number, start in enumerate(range(0, len(self.phrases), size)):
            yield f"shard{number:03d}", self.phrases[start : start + size]


def _write_audio(path: Path, data: DataDir, phrase: Phrase) -> None:
    import soundfile
    from scipy.signal import resample_poly

    audio, rate = data.audio(phrase.utt)
    audio = audio[round(phrase.start * rate) : round(phrase.end * rate)]
    if rate != AUDIO_RATE:
        common = np.gcd(rate, AUDIO_RATE)
        audio = resample_poly(audio, AUDIO_RATE // common, rate // common)
    with atomic_path(path) as tmp:
        soundfile.write(str(tmp), np.clip(audio, -1.0, 1.0), AUDIO_RATE, subtype="PCM_16")
