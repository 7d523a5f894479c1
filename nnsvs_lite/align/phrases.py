"""What is aligned: phrases of a data dir, and the corpus folder that an aligner reads."""

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnsvs_lite.align.units import SILENCES, Dictionary, units_of
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.audio import resample
from nnsvs_lite.io.atomic import atomic_path, write_text
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
    """A stretch of an utterance that is aligned by itself.

    Attributes:
        name: ``utt``, or ``utt__000``, ``utt__001``, ... where it was cut.
        score: notes of the phrase; time 0 is the phrase's start.
        start, end: seconds from the utterance's start.
    """

    name: str
    utt: str
    speaker: str
    score: Score
    start: float
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
    edges = [0, *cuts, len(score.notes) - 1]
    for number, (left, right) in enumerate(zip(edges, edges[1:])):
        # Both phrases at a cut have its rest, and half of its time.
        start = _middle(score, left) if number else 0.0
        end = _middle(score, right) if right in cuts else duration
        part = score.slice(left, right + 1, offset=start)
        name = f"{utt}__{number:03d}"
        phrases.append(AlignPhrase(name, utt, speaker, part, round(start, 7), round(end, 7)))
    return phrases


def _middle(score: Score, note: int) -> float:
    return (score.notes[note].start + score.notes[note].end) / 2


def join_phrases(
    phrases: Sequence[AlignPhrase], labels: Mapping[str, list[Segment]], duration: float
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


@dataclass(frozen=True)
class Piece:
    """A short stretch of a phrase to train on, in seconds from its start; silence is between words."""

    start: float
    end: float
    words: tuple[tuple[str, ...], ...]


def pieces_of(phrase: AlignPhrase, notes: int) -> list[Piece]:
    """Stretches of about ``notes`` notes, cut in the middle of held vowels.

    Training from nothing begins with phones of equal length. In a sung phrase that
    is far from the truth, in a piece of it it is not; and in the middle of its note a
    vowel is sure to sound, even where the singer is early or late. The vowel at a cut
    belongs to both pieces. With 0 notes the piece is the whole phrase.
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

    Args:
        unit: see :class:`nnsvs_lite.align.config.AlignConfig`.
        single_speaker: whether all phrases count as one speaker's.
        notes: how many notes go into a training piece, see :func:`pieces_of`; with 0 the
            phrases are trained on as they are.
        names: what the acoustic model calls our phones, where that differs.
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

        Raises:
            DataError: for an id that cannot be a file name, or unreadable audio.
        """
        words = Dictionary(self.names)
        wanted: set[Path] = set()
        for phrase in phrases:
            if not _SAFE.fullmatch(phrase.name):
                raise DataError(f"the id {phrase.utt!r} cannot be a file name; use letters, digits, . _ + -")
            phones, units = phrase.score.phones, units_of(phrase.score, self.unit)
            text = " ".join(words.word(tuple(phones[first:last])) for first, last in units)
            audio = self.place(phrase)
            pieces = pieces_of(phrase, self.notes) if self.notes else []
            stem = self.training / audio.relative_to(self.corpus).with_suffix("")
            places = [stem.with_name(f"{stem.name}--{number:02d}.wav") for number in range(len(pieces))]
            _write_changed(audio.with_suffix(".lab"), text + "\n")
            for place, piece in zip(places, pieces):
                line = " ".join(words.word(word) for word in piece.words) + "\n"
                _write_changed(place.with_suffix(".lab"), line)
            # The stamp is written last: while it is missing, the audio is not whole.
            mark = audio.with_suffix(".stamp")
            text = _made_of(dirs[phrase.utt], phrase, pieces)
            whole = all(path.exists() for path in (audio, mark, *places))
            if not whole or mark.read_text(encoding="utf-8") != text:
                mark.unlink(missing_ok=True)
                _write_audio(audio, dirs[phrase.utt], phrase, list(zip(places, pieces)))
                write_text(mark, text)
            for path in (audio, *places):
                wanted |= {path, path.with_suffix(".lab")}
            wanted.add(mark)
            self.phrases.append(phrase)
        _write_changed(self.dictionary, words.text())
        for folder in (self.corpus, self.root / "training"):
            for path in sorted(folder.rglob("*")) if folder.exists() else []:
                if path.is_file() and path not in wanted:
                    path.unlink()


def _write_changed(path: Path, text: str) -> None:
    """Writes a text unless it is there already, so that what depends on it stays up to date."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def _made_of(data: DataDir, phrase: AlignPhrase, pieces: Sequence[Piece]) -> str:
    """What a phrase's audio files are made of."""
    wav, start, _ = data.place(phrase.utt)
    cuts = [[piece.start, piece.end] for piece in pieces]
    return json.dumps([*stamp(wav.resolve()), start, phrase.start, phrase.end, NOISE_DB, cuts]) + "\n"


def _write_audio(
    path: Path, data: DataDir, phrase: AlignPhrase, pieces: Sequence[tuple[Path, Piece]]
) -> None:
    import soundfile

    audio, rate = data.audio(phrase.utt)
    audio = resample(audio[round(phrase.start * rate) : round(phrase.end * rate)], rate, AUDIO_RATE)
    # Digital silence is so far from all sound that it takes the models' variances for itself.
    noise = np.random.default_rng(0).standard_normal(len(audio))
    audio = audio + 10.0 ** (NOISE_DB / 20.0) * np.sqrt(np.mean(audio**2) + 1e-12) * noise
    audio = np.clip(audio, -1.0, 1.0)
    whole = Piece(0.0, len(audio) / AUDIO_RATE, ())
    for place, piece in [(path, whole), *pieces]:
        with atomic_path(place) as tmp:
            part = audio[round(piece.start * AUDIO_RATE) : round(piece.end * AUDIO_RATE)]
            soundfile.write(str(tmp), part, AUDIO_RATE, subtype="PCM_16")
