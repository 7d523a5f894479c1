"""What is aligned: phrases of a data dir, and the corpus folder that an aligner reads."""

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnsvs_lite.align.units import SILENCES, Dictionary, units_of
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.audio import resample
from nnsvs_lite.io.atomic import atomic_path, read_text, write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.done import stamp
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score

AUDIO_RATE = 16000
"""Hz: what acoustic models of aligners listen to; higher rates only cost time."""
NOISE_DB = -20.0
"""Level of the white noise under what an aligner hears, dB against the phrase."""
LONGEST = 8.0
"""Seconds: longer utterances are cut at rests for the aligner."""
_SAFE = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class AlignPhrase:
    """A stretch of an utterance that is aligned by itself."""

    name: str  # ``utt``, or ``utt__000``, ``utt__001``, ... where it was cut
    utt: str
    speaker: str
    score: Score  # notes of the phrase; time 0 is the phrase's start
    start: float  # seconds from the utterance's start
    end: float


def cut_utterance(
    utt: str, speaker: str, score: Score, duration: float, longest: float = LONGEST
) -> list[AlignPhrase]:
    """Phrases of an utterance, cut in the middle of rests where it is longer than ``longest``.

    The score has its times as in the recording, so corrected for a global offset. A phrase is
    closed at the last rest that keeps it below ``longest`` seconds.
    """
    if duration <= longest:
        return [AlignPhrase(utt, utt, speaker, score, 0.0, duration)]
    cuts, begin = [], 0.0
    rests = [
        (i, note.start)
        for i, note in enumerate(score.notes[1:-1], start=1)
        if note.is_rest and note.duration >= 0.15 and note.phones != ("br",)
    ]
    for (here, start), (_, end) in zip(rests, [*rests[1:], (0, duration)]):
        if end - begin > longest:
            cuts.append(here)
            begin = start
    # Both phrases at a cut have its rest, and half of its time.
    times = [0.0, *(_middle(score, cut) for cut in cuts), duration]
    edges = [0, *cuts, len(score.notes) - 1]
    return [
        AlignPhrase(
            f"{utt}__{number:03d}",
            utt,
            speaker,
            score.slice(edges[number], edges[number + 1] + 1, offset=start),
            round(start, 7),
            round(end, 7),
        )
        for number, (start, end) in enumerate(zip(times, times[1:]))
    ]


def _middle(score: Score, note: int) -> float:
    return (score.notes[note].start + score.notes[note].end) / 2


def join_phrases(
    phrases: Sequence[AlignPhrase], labels: Mapping[str, list[Segment]], duration: float
) -> list[Segment]:
    """An utterance's labels from those of its phrases, in order; a cut rest is one label again."""
    joined: list[Segment] = []
    for phrase in phrases:
        at = phrase.start
        rows = [Segment(round(a + at, 7), round(b + at, 7), phone) for a, b, phone in labels[phrase.name]]
        if joined:
            joined[-1] = joined[-1]._replace(end=rows.pop(0).end)
        joined += rows
    joined[-1] = joined[-1]._replace(end=round(duration, 7))
    return joined


@dataclass(frozen=True)
class Piece:
    """A short stretch of a phrase to train on, in seconds from its start; silence is between words."""

    start: float
    end: float
    words: tuple[tuple[str, ...], ...]


def pieces_of(phrase: AlignPhrase, notes: int) -> list[Piece]:
    """Stretches of about ``notes`` notes, cut in the middle of held vowels; with 0 the whole phrase.

    Training begins with phones of equal length: far from the truth in a sung phrase, not in a piece
    of it. In the middle of its note a vowel is sure to sound, even where the singer is early or late;
    the vowel at a cut belongs to both pieces.
    """
    vowels = get_language(phrase.score.lang).vowels
    phones, index = phrase.score.phones, phrase.score.note_index
    # (phone number, time) of every note that ends on a vowel, so that no closure is cut off.
    held = [
        (i, _middle(phrase.score, n))
        for i, (phone, n) in enumerate(zip(phones, index))
        if phone in vowels and (i + 1 == len(phones) or index[i + 1] != n)
    ]
    cuts = held[notes - 1 : -1 : notes] if notes and len(held) > notes else []
    edges = [(0, 0.0), *cuts, (len(phones) - 1, phrase.end - phrase.start)]
    pieces = []
    for (first, start), (last, end) in zip(edges, edges[1:]):
        runs = itertools.groupby(phones[first : last + 1], SILENCES.__contains__)
        pieces.append(Piece(start, end, tuple(tuple(run) for silent, run in runs if not silent)))
    return [piece for piece in pieces if piece.words and piece.end - piece.start > 0.1]


class CorpusFolder:
    """Audio, transcripts and dictionary in the layout that MFA and viter read.

    ``<root>/corpus/<phrase>.wav`` with ``<phrase>.lab`` beside it (one folder per
    speaker below ``corpus`` unless ``single_speaker``) and ``<root>/dictionary.dict``.
    For ``unit`` and ``notes`` (``pieces``) see :class:`nnsvs_lite.align.config.AlignConfig`;
    ``names`` are what the acoustic model calls our phones, where that differs.
    """

    def __init__(
        self,
        root: Path,
        unit: str,
        single_speaker: bool = True,
        notes: int = 0,
        names: Mapping[str, str] | None = None,
    ):
        self.names = dict(names or {})
        self.root = Path(root)
        self.corpus = self.root / "corpus"
        self.training = self.root / "training" if notes else self.corpus
        self.notes = notes
        self.dictionary = self.root / "dictionary.dict"
        self.unit = unit
        self.single_speaker = single_speaker
        self.phrases: list[AlignPhrase] = []

    def place(self, phrase: AlignPhrase) -> Path:
        """The phrase's audio file."""
        folder = self.corpus if self.single_speaker else self.corpus / phrase.speaker
        return folder / f"{phrase.name}.wav"

    def write(self, phrases: Iterable[AlignPhrase], dirs: dict[str, DataDir]) -> None:
        """Writes what is not there yet: all phrases, in order, with audio from ``dirs`` by utterance.

        Raises DataError for an id that cannot be a file name, or unreadable audio.
        """
        words = Dictionary()
        wanted: set[Path] = set()
        heard: dict[Path, list[str]] = {}
        for phrase in phrases:
            if not _SAFE.fullmatch(phrase.name):
                raise DataError(f"the id {phrase.utt!r} cannot be a file name; use letters, digits, . _ + -")
            phones, units = phrase.score.phones, units_of(phrase.score, self.unit)
            whole = Piece(0.0, math.inf, tuple(tuple(phones[a:b]) for a, b in units))
            audio = self.place(phrase)
            pieces = {audio: whole}
            stem = self.training / audio.relative_to(self.corpus).with_suffix("")
            for number, piece in enumerate(pieces_of(phrase, self.notes) if self.notes else []):
                pieces[stem.with_name(f"{stem.name}--{number:02d}.wav")] = piece
            for path, piece in pieces.items():
                line = " ".join(words[word] for word in piece.words) + "\n"
                _write_changed(path.with_suffix(".lab"), line)
            wav, start, _ = dirs[phrase.utt].place(phrase.utt)
            cuts = [[piece.start, piece.end] for piece in list(pieces.values())[1:]]
            if wav not in heard:
                heard[wav] = stamp(wav.resolve())
            made_of = [*heard[wav], start, phrase.start, phrase.end, NOISE_DB, cuts]
            # The stamp is written last: while it is missing, the audio is not whole.
            mark, text = audio.with_suffix(".stamp"), json.dumps(made_of) + "\n"
            if not all(path.exists() for path in (mark, *pieces)) or read_text(mark) != text:
                mark.unlink(missing_ok=True)
                _write_audio(dirs[phrase.utt], phrase, pieces)
                write_text(mark, text)
            wanted |= {mark, *pieces, *(path.with_suffix(".lab") for path in pieces)}
            self.phrases.append(phrase)
        _write_changed(self.dictionary, words.text(self.names))
        for folder in (self.corpus, self.root / "training"):
            for path in sorted(folder.rglob("*")) if folder.exists() else []:
                if path.is_file() and path not in wanted:
                    path.unlink()


def _write_changed(path: Path, text: str) -> None:
    """Writes a text unless it is there already, so that what depends on it stays up to date."""
    if not path.exists() or read_text(path) != text:
        write_text(path, text)


def _write_audio(data: DataDir, phrase: AlignPhrase, pieces: Mapping[Path, Piece]) -> None:
    """Writes what an aligner hears of a phrase: the pieces, by path."""
    import soundfile

    audio, rate = data.audio(phrase.utt)
    audio = resample(audio[round(phrase.start * rate) : round(phrase.end * rate)], rate, AUDIO_RATE)
    # Digital silence is so far from all sound that it takes the models' variances for itself.
    noise = np.random.default_rng(0).standard_normal(len(audio))
    audio = audio + 10.0 ** (NOISE_DB / 20.0) * np.sqrt(np.mean(audio**2) + 1e-12) * noise
    audio = np.clip(audio, -1.0, 1.0)
    for path, piece in pieces.items():
        with atomic_path(path) as tmp:
            last = round(min(piece.end * AUDIO_RATE, len(audio)))
            part = audio[round(piece.start * AUDIO_RATE) : last]
            soundfile.write(str(tmp), part, AUDIO_RATE, subtype="PCM_16")
