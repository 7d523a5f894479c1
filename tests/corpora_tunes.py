"""What tiny synthetic corpora are made of: tunes as scores of several formats, phone times, tones."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from features_corpus import tone
from scorexml import attributes, document, measure, tempo

from nnsvs_lite.corpus.facts import UNITS, Facts, read_split
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

BPM = 120
STEPS = ["C4", "D4", "E4", "F4", "G4", "A4"]
NUMBERS = dict(zip(STEPS, (60, 62, 64, 65, 67, 69)))
JAPANESE = ["か", "さ", "た", "な", "は", "ま", "ら", "や", "ぎ", "じ", "ぬ", "め", "と", "そ", "あ", "い"]

Tune = list[tuple[str, float, str]]
"""Pitch (``r`` for a rest), quarters, lyric."""


def tune(seed: int, lyrics: Sequence[str] = JAPANESE, notes: int = 12) -> Tune:
    """A song of two phrases; another seed gives another."""
    rng = np.random.default_rng(seed)

    def phrase(count: int) -> Tune:
        return [
            (STEPS[rng.integers(6)], 1.0 if k % 3 else 0.5, lyrics[rng.integers(len(lyrics))])
            for k in range(count)
        ]

    half = notes // 2
    return [("r", 2.0, ""), *phrase(half), ("r", 2.0, ""), *phrase(notes - half), ("r", 2.0, "")]


def score_of(song: Tune, lang: str = "ja") -> Score:
    """The tune as a score with phones."""
    rows, now = [], 0.0
    for pitch, beats, lyric in song:
        end = now + beats * 60 / BPM
        rows.append(Note(now, end, NUMBERS.get(pitch, 0), lyric, beats=beats, tempo=BPM))
        now = end
    return attach_phones(Score(tuple(rows), lang))


def sung(score: Score, late: float = 0.02) -> list[Segment]:
    """Phone times of a performance: vowels ``late`` seconds after their notes, consonants 50 ms earlier."""
    language = get_language(score.lang)
    starts, names = [], []
    for note in score.notes:
        onset = language.onset_count(note.phones)
        for k, phone in enumerate(note.phones):
            starts.append(note.start + late - 0.05 * (onset - k) if not note.is_rest else note.start + late)
            if k > onset:
                starts[-1] = note.start + late + (k - onset) * note.duration * 0.6 / len(note.phones)
            names.append(phone)
    starts[0] = 0.0
    return [Segment(a, b, p) for a, b, p in zip(starts, [*starts[1:], score.duration + 0.1], names)]


def audio(score: Score, rate: int, late: float = 0.02) -> np.ndarray:
    """Tones at the notes' pitches; the recording is 0.1 s longer than the score."""
    x = np.zeros(round((score.duration + 0.1) * rate))
    for note in score.notes:
        if not note.is_rest:
            first = round((note.start + late) * rate)
            wave = tone(note.pitch, note.duration, rate, harmonics=8)[: len(x) - first]
            x[first : first + len(wave)] = wave
    return x


def musicxml(song: Tune, more: str = "") -> str:
    """One part in 4/4 with a tempo; bars are as long as the tune."""
    notes = ",".join(f"{pitch} {beats:g} {lyric}" for pitch, beats, lyric in song)
    return document(measure(f"{attributes()},{tempo(BPM)},{more}{notes}"))


def ust(song: Tune) -> str:
    """The same as UTAU writes it."""
    lines = ["[#VERSION]", "UST Version1.2", "[#SETTING]", f"Tempo={BPM}.00", "ProjectName=x", "Mode2=True"]
    for k, (pitch, beats, lyric) in enumerate(song):
        number = NUMBERS.get(pitch, 60)
        lines += [f"[#{k:04d}]", f"Length={round(beats * 480)}", f"Lyric={lyric or 'R'}", f"NoteNum={number}"]
    return "\r\n".join([*lines, "[#TRACKEND]", ""])


def lab(rows: Sequence[Segment], unit: str, newline: str = "\n", last: bool = True) -> str:
    """Label lines in a unit: whole numbers of 100 ns, seconds with seven decimals."""
    scale = UNITS[unit]
    form = "{:.7f}" if unit == "seconds" else "{:.0f}"
    lines = [f"{form.format(r.start / scale)} {form.format(r.end / scale)} {r.label}" for r in rows]
    return newline.join(lines) + (newline if last else "")


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def write_wav(path: Path, x: np.ndarray, rate: int, subtype: str = "PCM_16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, x, rate, subtype=subtype)
    return path


def songs_of(facts: Facts, more: Sequence[str] = ()) -> list[str]:
    """An eval and a dev song of the usual split, and others to train on."""
    _, split = read_split(facts.name)
    return [split.eval[0], *split.dev[:1], *more]


def put(
    facts: Facts,
    root: Path,
    song: str,
    files: dict[str, str | np.ndarray],
    rate: int,
    singer: str = "",
) -> dict[str, Path]:
    """Writes the files of one song where the corpus' tree has them."""
    paths = {}
    for kind, content in files.items():
        path = root / facts.folder / facts.tree[kind].format(song=song, part=song, singer=singer)
        encoding = "cp932" if path.suffix == ".ust" else "utf-8"
        paths[kind] = (
            write(path, content, encoding) if isinstance(content, str) else write_wav(path, content, rate)
        )
    return paths


CHINESE = ["x iao", "j iu", "w o", "zh ang", "q i", "l an", "m ei", "y ao"]


def rows_of(seed: int, syllables: Sequence[str] = CHINESE) -> list[tuple[str, float, str, int]]:
    """A phrase: for each phone its name, seconds, note, and 1 where its note carries a syllable on."""
    rng = np.random.default_rng(seed)
    rows = [("SP", 0.3, "rest", 0)]
    for k in range(5):
        syllable = syllables[rng.integers(len(syllables))].split()
        note = ("C#4/Db4", "F4", "G4", "A#4/Bb4")[rng.integers(4)]
        rows += [(phone, 0.08, note, 0) for phone in syllable[:-1]] + [(syllable[-1], 0.3, note, 0)]
        if k == 2:
            rows += [(syllable[-1], 0.2, "A4", 1)]
        if k == 3:
            rows += [("AP", 0.25, "rest", 0)]
    return [*rows, ("SP", 0.3, "rest", 0)]


def tones_of(
    rows: Sequence[tuple[str, float, str, int]], rate: int, numbers: Callable[[str], int]
) -> np.ndarray:
    """Tones over the rows that have a note."""
    x = np.zeros(round(sum(row[1] for row in rows) * rate) + rate // 100)
    now = 0.0
    for _, seconds, note, _ in rows:
        if numbers(note):
            wave = tone(numbers(note), seconds, rate, harmonics=8)
            first = round(now * rate)
            x[first : first + len(wave)] = wave
        now += seconds
    return x


def note_lengths(rows: Sequence[tuple[str, float, str, int]]) -> list[float]:
    """Of each phone the length of its note: an initial and its final share one."""
    initial = [note != "rest" and phone[0] not in "aeiouv" for phone, _, note, _ in rows]
    return [
        seconds + (rows[k + 1][1] if initial[k] else rows[k - 1][1] if k and initial[k - 1] else 0.0)
        for k, (_, seconds, _, _) in enumerate(rows)
    ]


def midi(tempo: float = BPM, notes: Sequence[tuple[int, int, int, str]] = ()) -> bytes:
    """A MIDI file of one tempo; notes are (start, end, pitch, lyric) in ticks of 480 a quarter."""

    def event(delta: int, data: bytes) -> bytes:
        groups = [delta & 0x7F]
        while delta := delta >> 7:
            groups.insert(0, delta & 0x7F | 0x80)
        return bytes(groups) + data

    def meta(kind: int, data: bytes) -> bytes:
        return bytes((0xFF, kind, len(data))) + data

    track = event(0, meta(0x51, round(6e7 / tempo).to_bytes(3, "big")))
    now = 0
    for start, end, pitch, lyric in notes:
        track += event(start - now, meta(0x05, lyric.encode())) + event(0, bytes((0x90, pitch, 90)))
        track += event(end - start, bytes((0x80, pitch, 0)))
        now = end
    track += event(0, meta(0x2F, b""))
    head = b"MThd" + (6).to_bytes(4, "big") + bytes((0, 0, 0, 1)) + (480).to_bytes(2, "big")
    return head + b"MTrk" + len(track).to_bytes(4, "big") + track


def write_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
