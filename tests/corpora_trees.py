"""Tiny synthetic copies of public corpora: their layout, encodings, units and quirks, sung by tones.

``make(name, folder)`` writes one and returns the folder that ``--db-root`` names.
"""

import json
from collections.abc import Callable
from pathlib import Path

import align_corpus
import numpy as np
from corpora_tunes import (
    BPM,
    NUMBERS,
    STEPS,
    audio,
    lab,
    midi,
    musicxml,
    note_lengths,
    put,
    rows_of,
    score_of,
    songs_of,
    sung,
    tones_of,
    tune,
    ust,
    write,
    write_bytes,
    write_wav,
)
from features_corpus import tone
from scorexml import tempo

from nnsvs_lite.corpus.facts import Facts, known_corpora, read_facts
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.formats.htslabel import pitch_number
from nnsvs_lite.score.types import Note, Score

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
"""Songs of training; others have 1 and 2."""


def _hts(facts: Facts, root: Path) -> None:
    """Whole songs with a label and a score file; what is odd about a corpus is made by its name."""
    rate = RATES.get(facts.name, 44100)
    for seed, song in enumerate(songs_of(facts, TRAIN.get(facts.name, ("1", "2")))):
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
    """Two phrases of syllables in each song, sung well enough to be aligned; English songs stand beside."""
    sounds = ["n a", "m i", "s a", "k o", "t e"]
    words = {"korean": ["n_a", "m_i", "s_a", "k_o", "t_e"], "english": ["n_a", "m_ii", "s_a", "k_ou", "t_e"]}
    metadata = []
    korean = ["kr047a", "kr046b", "kr001a", "kr002a"]
    for lang, names in (("korean", korean), ("english", ["en047b", "en046a", "en001a"])):
        for seed, song in enumerate(names):
            rng = np.random.default_rng(seed)
            notes, lines, now = [Note(0.0, 0.5, 0, phones=("pau",))], [], 0.5
            for k in range(10):
                sound, word = sounds[(k + seed) % 5], words[lang][(k + seed) % 5]
                pitch = int(rng.integers(57, 70))
                notes.append(Note(now, now + 0.4, pitch, phones=tuple(sound.split())))
                lines.append(f"{now:.2f},{now + 0.4:.2f},{pitch},{word}\n")
                now = round(now + 0.4, 3)
                if k == 4:
                    notes.append(Note(now, now + 0.8, 0, phones=("pau",)))
                    now = round(now + 0.8, 3)
            notes.append(Note(now, now + 0.5, 0, phones=("pau",)))
            x, _ = align_corpus.sing(Score(tuple(notes)), rng)
            text = "start,end,pitch,syllable\n" + "".join(lines)
            put(facts, root, song, {"wav": x, "score": text}, align_corpus.RATE, singer=lang)
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


def _gtsinger(facts: Facts, root: Path) -> None:
    """Phrases of words; one vowel is sung on two notes. English and paired speech stand beside them."""
    songs = {
        "Chinese": [("ZH-Alto-1", song) for song in ("默", "大鱼", "小酒窝", "new song")],
        "English": [("EN-Alto-1", song) for song in ("a", "b", "c")],
        "German": [("DE-Tenor-1", song) for song in "abc"],
        "French": [("FR-Soprano-1", song) for song in "abc"],
        "Spanish": [("ES-Bass-1", song) for song in "abc"],
        "Italian": [("IT-Bass-1", song) for song in "abc"],
        "Japanese": [("JA-Tenor-1", song) for song in "abc"],
    }
    words = {
        "Chinese": [("小", ["x", "iao"]), ("要", ["iao"]), ("窝", ["uo"])],
        "English": [("the", ["DH", "AH0"]), ("cats", ["K", "AE1", "T", "S"]), ("sang", ["S", "AE1", "NG"])],
        "German": [("ein", ["aj", "n"]), ("Vogel", ["f", "oː", "ɡ", "l̩"]), ("kann", ["kʰ", "a", "n"])],
        "French": [("chat", ["ʃ", "a"]), ("bon", ["b", "ɔ̃"]), ("match", ["m", "a", "tʃ"])],
        "Spanish": [("de", ["d̪", "e"]), ("agua", ["a", "ɣ", "w", "a"]), ("tu", ["t̪", "u"])],
        "Italian": [("ciao", ["t͡ʃ", "a", "o"]), ("gatto", ["g", "a", "tː", "o"]), ("e", ["eː"])],
        "Japanese": [("き", ["c", "i"]), ("きゃ", ["c", "aː"]), ("かん", ["k", "a", "ɴ"])],
    }
    for language, rows in songs.items():
        for seed, (singer, song) in enumerate(rows):
            for group in ("Control_Group", "Breathy_Group", "Paired_Speech_Group"):
                rng = np.random.default_rng(seed + len(group))
                entries, now = [], 0.3
                x = np.zeros(3 * 24000)
                for k in range(4):
                    word, phones = words[language][(k + seed) % 3]
                    times = [round(now + 0.5 * i / len(phones), 4) for i in range(len(phones) + 1)]
                    notes = [int(note) for note in rng.integers(57, 70, 2 if k == 1 else 1)]
                    middle = times[-1] - 0.1
                    bounds = [now, middle, times[-1]] if k == 1 and len(phones) == 1 else [now, times[-1]]
                    notes = notes[: len(bounds) - 1]
                    entries.append(
                        {
                            "word": word,
                            "start_time": now,
                            "end_time": times[-1],
                            "ph": phones,
                            "ph_start": times[:-1],
                            "ph_end": times[1:],
                            "note": notes,
                            "note_start": bounds[:-1],
                            "note_end": bounds[1:],
                            "note_dur": [b - a for a, b in zip(bounds, bounds[1:])],
                        }
                    )
                    for note, start, end in zip(notes, bounds, bounds[1:]):
                        wave = tone(note, end - start, 24000, harmonics=8)
                        x[round(start * 24000) :][: len(wave)] = wave
                    now = times[-1]
                silence = {"word": "<SP>", "ph": ["<SP>"], "ph_start": [now], "ph_end": [now + 0.4]}
                silence |= {"note": [0], "note_start": [now], "note_end": [now + 0.4]}
                places = {"language": language, "singer": singer, "technique": "Breathy", "song": song}
                places |= {"group": group, "part": "0000"}
                top = root / facts.folder
                write_wav(top / facts.tree["wav"].format(**places), x[: round((now + 0.4) * 24000)], 24000)
                text = json.dumps([*entries, silence], ensure_ascii=False)
                write(top / facts.tree["label"].format(**places), text)


def _lyrics(facts: Facts, root: Path) -> None:
    """Phrases with their text, of singers whose numbers men and women share."""
    popcs = [("", "", "说散就散"), ("", "", "小酒窝"), ("", "", "new song")]
    opensinger = [("Man", "26", "鼓楼"), ("Man", "1", "一路_向北"), ("Woman", "1", "一路_向北")]
    for seed, (gender, singer, song) in enumerate(opensinger if "{gender}" in facts.tree["wav"] else popcs):
        for part in ("0", "1"):
            rows = rows_of(10 * seed + int(part))
            places = {"gender": gender, "singer": singer, "song": song, "part": part}
            path = root / facts.folder / facts.tree["wav"].format(**places)
            write_wav(path, tones_of(rows, 24000, pitch_number), 24000)
            write(root / facts.folder / facts.tree["text"].format(**places), "小酒窝长睫毛\n")


MAKERS: dict[str, Callable[[Facts, Path], None]] = {
    "hts": _hts,
    "opencpop": _opencpop,
    "m4singer": _m4singer,
    "csd": _csd,
    "scored": _kising,
    "jsut_song": _jsut_song,
    "gtsinger": _gtsinger,
    "lyrics": _lyrics,
}


def make(name: str, folder: Path) -> Path:
    """Writes the tiny copy of a corpus; returns the folder to give as ``--db-root``."""
    facts = read_facts(name)
    MAKERS[facts.reader](facts, folder)
    return folder


def made() -> list[str]:
    """Names of the corpora that have a recipe of singing and a tiny copy here."""
    return [name for name in known_corpora() if read_facts(name).reader in MAKERS]
