"""Tiny synthetic copies of public corpora: their layout, encodings, units and quirks, sung by tones.

``make(name, folder)`` writes one and returns the folder that ``--db-root`` names.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from features_corpus import tone
from scorexml import attributes, document, measure, tempo

from nnsvs_lite.corpus.facts import UNITS, Facts, read_facts, read_split
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.formats.htslabel import pitch_number
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


# Phrases in rows of phones.

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


def _opencpop(facts: Facts, root: Path) -> None:
    """Three songs of two phrases each; ACE-Opencpop has them from two voices."""
    top = root / facts.folder
    songs = [*songs_of(facts), "2001", "2002"]
    lines = []
    for seed, song in enumerate(songs):
        for part in ("000001", "000002"):
            rows = rows_of(10 * seed + int(part[-1]))
            fields = [f"{song}{part}", "小酒窝"]
            fields += [" ".join(row[0] for row in rows), " ".join(row[2] for row in rows)]
            fields += [" ".join(f"{length:.6f}" for length in note_lengths(rows))]
            fields += [" ".join(f"{row[1]:.6f}" for row in rows), " ".join(str(row[3]) for row in rows)]
            lines.append("|".join(fields))
            for singer in ("1", "2") if "{singer}" in facts.tree["wav"] else ("",):
                path = top / facts.tree["wav"].format(song=song, part=part, singer=singer)
                write_wav(path, tones_of(rows, 24000, pitch_number), 24000)
        write_bytes(top / facts.tree["midi"].format(song=song), midi(96))
    write(top / facts.tree["label"], "\n".join(lines) + "\n")


def _m4singer(facts: Facts, root: Path) -> None:
    """Items whose note lengths are repeated on phones, and others that share them out; one escaped folder."""
    top = root / facts.folder
    items = []
    songs = ["Alto-1#暖暖", "Tenor-2#十年", "Alto-5#修炼爱情", "Alto-1#new boy"]
    for seed, name in enumerate(songs):
        for part in ("0000", "0016"):
            rows = rows_of(10 * seed + int(part[-1]), ["x iao", "iao", "j iou", "zh uo", "uei", "m ei"])
            phones = [f"<{row[0]}>" if row[0].isupper() else row[0] for row in rows]
            if (name, part) == ("Alto-5#修炼爱情", "0016"):
                rows[1:3] = [("x", 0.08, rows[1][2], 0), ("ang", 0.3, rows[1][2], 0)]
                rows[3:3] = [("l", 0.08, "F4", 0), ("e", 0.3, "F4", 0)]
                phones = [f"<{row[0]}>" if row[0].isupper() else row[0] for row in rows]
            lengths = note_lengths(rows) if seed % 2 else [row[1] for row in rows]
            items.append(
                {
                    "item_name": f"{name}#{part}",
                    "txt": "小",
                    "phs": phones,
                    "is_slur": [row[3] for row in rows],
                    "ph_dur": [row[1] for row in rows],
                    "notes": [pitch_number(row[2]) for row in rows],
                    "notes_dur": lengths,
                }
            )
            folder = name
            if "修" in name:
                folder = "".join(c if c.isascii() else f"#U{ord(c):04x}" for c in name)
            write_wav(top / folder / f"{part}.wav", tones_of(rows, 24000, pitch_number), 24000)
            write_bytes(top / folder / f"{part}.mid", midi(90.4))
    write(top / "meta.json", json.dumps(items, ensure_ascii=False))


def _csd(facts: Facts, root: Path) -> None:
    """Two phrases of syllables in each song; the other language is there too."""
    words = {
        "korean": ["n_a", "b_i", "ss_a_l", "g_a_ng", "y_eo"],
        "english": ["t_w_i_ng", "k_eo_l", "s_t_a_r", "m_ii"],
    }
    metadata = []
    for lang, names in (
        ("korean", ["kr047a", "kr046b", "kr001a", "kr002a"]),
        ("english", ["en047b", "en046a", "en001a"]),
    ):
        for seed, song in enumerate(names):
            rng = np.random.default_rng(seed)
            rows, now = [], 0.5
            for k in range(10):
                rows.append((now, now + 0.4, int(rng.integers(57, 70)), words[lang][k % len(words[lang])]))
                now += 0.4 if k != 4 else 1.2
            text = "start,end,pitch,syllable\n" + "".join(f"{a:.2f},{b:.2f},{p},{s}\n" for a, b, p, s in rows)
            x = np.zeros(round((now + 0.5) * 24000))
            for start, end, pitch, _ in rows:
                wave = tone(pitch, end - start, 24000, harmonics=8)
                x[round(start * 24000) :][: len(wave)] = wave
            put(facts, root, song, {"wav": x, "score": text}, 24000, singer=lang)
            metadata.append({"name": song, "tempo": 100, "time_signature": "4/4"})
    write(root / facts.folder / "metadata.json", json.dumps(metadata))


def _kising(facts: Facts, root: Path) -> None:
    """Two voices sing each song; one song is known as bad."""
    for seed, song in enumerate(["425", "421", "422", "436"]):
        rng = np.random.default_rng(seed)
        lyrics = ["xiao", "jiu", "wo", "-", "lan", "?", "zhang", "yu"]
        notes = [
            (480 * k + 480, 480 * k + 960, int(rng.integers(57, 70)), lyric) for k, lyric in enumerate(lyrics)
        ]
        write_bytes(root / facts.folder / song / f"{song}_midi.mid", midi(BPM, notes))
        x = np.zeros(5 * 24000)
        for start, end, pitch, _ in notes:
            wave = tone(pitch, (end - start) / 960, 24000, harmonics=8)
            x[start * 25 : start * 25 + len(wave)] = wave
        for singer in ("barber", "david"):
            write_wav(root / facts.folder / song / f"{song}-{singer}.wav", x, 24000)


def _jsut_song(facts: Facts, root: Path) -> None:
    """Labels with numbers for notes, and NIT-SONG070's labels, which have one song more, beside them."""
    for seed, song in enumerate(["004", "003", "051", "070", "006", "045"]):
        score = score_of(tune(seed))
        nit, own = [], []
        rows = iter(sung(score))
        now = 0
        for note in score.notes:
            length = round(note.beats * 24)
            name = "xx" if note.is_rest else STEPS[list(NUMBERS.values()).index(note.pitch)]
            for phone in note.phones:
                row = next(rows)
                at = f"&{now % 96}]{96 - now % 96}"
                part = f"]0^0=4/4~{BPM}!1@{round(note.duration * 100)}#{length}+xx]1$2|0[0{at}"
                rest = "=0^0~1#3_0;21$0&84%0[100|0]0-mf^xx+xx/F:xx/G:xx\n"
                head = f"{row.start * 1e7:.0f} {row.end * 1e7:.0f} x@xx^xx-{phone}+xx=xx_xx%xx/A:xx/E:"
                nit.append(f"{head}{name}{part}{rest}")
                own.append(f"{head}{'xx' if note.is_rest else note.pitch + 20}{part}{rest}")
            now += length
        write(root / facts.tree["score"].format(song=song), "".join(nit))
        if song != "006":
            write_wav(root / facts.tree["wav"].format(song=song), audio(score, 48000), 48000)
            if song != "045":
                write(root / facts.tree["label"].format(song=song), "".join(own))


MAKERS: dict[str, Callable[[Facts, Path], None]] = {
    "hts": _hts,
    "opencpop": _opencpop,
    "m4singer": _m4singer,
    "csd": _csd,
    "scored": _kising,
    "jsut_song": _jsut_song,
}


def make(name: str, folder: Path) -> Path:
    """Writes the tiny copy of a corpus; returns the folder to give as ``--db-root``."""
    facts = read_facts(name)
    MAKERS[facts.reader](facts, folder)
    return folder
