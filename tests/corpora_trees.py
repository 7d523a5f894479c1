"""Tiny synthetic copies of public corpora: their layout, encodings, units and quirks, sung by tones.

``make(name, folder)`` writes one and returns the folder that ``--db-root`` names.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from features_corpus import tone
from scorexml import attributes, document, measure, tempo

from nnsvs_lite.corpus.facts import UNITS, Facts, read_facts, read_split
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
    facts: Facts, root: Path, song: str, files: dict[str, str | np.ndarray], rate: int
) -> dict[str, Path]:
    """Writes the files of one song where the corpus' tree has them."""
    paths = {}
    for kind, content in files.items():
        path = root / facts.folder / facts.tree[kind].format(song=song, part=song, singer="")
        encoding = "cp932" if path.suffix == ".ust" else "utf-8"
        paths[kind] = (
            write(path, content, encoding) if isinstance(content, str) else write_wav(path, content, rate)
        )
    return paths


RATES = {"kiritan": 96000, "itako": 96000, "ofuton_p": 96000, "pjs": 48000}
TRAIN = {
    "kiritan": ("02", "29", "26"),
    "itako": ("02", "27"),
    "no7": ("02", "07"),
    "natsume": ("1", "14"),
    "ofuton_p": ("haruga_kita", "kagome_kagome"),
    "oniku_kurumi": ("haruga_kita", "kagome_kagome"),
    "namine_ritsu": ("ARROW", "hana"),
    "ameboshi": ("akatonbo", "turkey in the straw"),
    "pjs": ("001", "060"),
}


def _hts(facts: Facts, root: Path) -> None:
    """Whole songs with a label and a score file; what is odd about each corpus is in ``_ODD``."""
    rate = RATES.get(facts.name, 44100)
    for seed, song in enumerate(songs_of(facts, TRAIN[facts.name])):
        notes = tune(seed)
        late = 0.02
        if song == "02" and facts.name == "kiritan":
            late += facts.offsets[song] / 1000
        score = score_of(notes)
        rows = sung(score, late)
        text = ust(notes) if facts.tree["score"].endswith(".ust") else musicxml(notes)
        newline, last = "\n", True
        if facts.name == "kiritan":
            newline, last = ("\r\n", False) if song == "26" else ("\n", True)
            if song == "29":
                # The particle is labelled as it is written.
                notes[3] = (*notes[3][:2], "を")
                text, rows = musicxml(notes), sung(score_of(notes), late)
                rows = _replaced(rows, "o", ("w", "o"), after=notes[3])
        if facts.name == "itako":
            text = text.replace("</text>", " </text>")
            middle = next(k for k, row in enumerate(rows) if k > 2 and row.label in "kst")
            end = rows[middle].start - 0.01
            rows[middle - 1 : middle + 2] = [
                rows[middle - 1],
                rows[middle]._replace(end=end),
                rows[middle + 1]._replace(start=end),
            ]
            if song == "27":
                notes[1] = (*notes[1][:2], "すぃ")
                notes[2] = (*notes[2][:2], "い")
                rows = sung(score_of(notes), late)
                text = musicxml(notes).replace("すぃ", "&lt;Melodyne&gt;")
        if facts.name == "no7" and song == "07":
            notes = [(pitch, beats * 95 / BPM, lyric) for pitch, beats, lyric in notes]
            text = musicxml(tune(seed)).replace(tempo(BPM), "")
            slow = score_of(tune(seed))
            factor = BPM / 95
            score = Score(
                tuple(Note(n.start * factor, n.end * factor, n.pitch, n.lyric, n.phones) for n in slow.notes)
            )
            rows = sung(score, late)
        if facts.name == "namine_ritsu" and song == "hana":
            rows[4:4] = [Segment(rows[4].start - 0.02, rows[4].start, "GlottalStop")]
            rows[3] = rows[3]._replace(end=rows[4].start)
        if facts.name == "pjs" and song == "060":
            notes[3:5] = [(*notes[3][:2], "ぐ"), (*notes[4][:2], "の")]
            score = score_of(notes)
            rows = sung(score, late)
            k = next(k for k, row in enumerate(rows) if (row.label, rows[k + 1].label) == ("n", "o"))
            rows[k : k + 2] = [Segment(rows[k].start, rows[k + 1].end, "xx")]
            text = musicxml(notes)
        if facts.name in ("ofuton_p", "natsume"):
            vowels = [k for k, row in enumerate(rows) if row.label == "i"]
            rows = [row._replace(label="I") if k in vowels[:1] else row for k, row in enumerate(rows)]
        labels = lab([*rows[:-1], rows[-1]._replace(label="sil")], facts.unit, newline, last)
        put(facts, root, song, {"wav": audio(score, rate, late), "label": labels, "score": text}, rate)


def _replaced(rows: list[Segment], old: str, new: tuple[str, ...], after: tuple) -> list[Segment]:
    """The first ``old`` that is a syllable of its own becomes ``new``."""
    for k, row in enumerate(rows):
        if row.label == old and rows[k - 1].label in "aiueo" and k > 1:
            middle = (row.start + row.end) / 2
            return [
                *rows[:k],
                Segment(row.start, middle, new[0]),
                Segment(middle, row.end, new[1]),
                *rows[k + 1 :],
            ]
    raise AssertionError(f"no {old} of {after}")


MAKERS: dict[str, Callable[[Facts, Path], None]] = {"hts": _hts}


def make(name: str, folder: Path) -> Path:
    """Writes the tiny copy of a corpus; returns the folder to give as ``--db-root``."""
    facts = read_facts(name)
    MAKERS[facts.reader](facts, folder)
    return folder
