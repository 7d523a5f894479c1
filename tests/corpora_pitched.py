"""Tiny synthetic copies of corpora whose pitch is known: tones, and annotations that are exact for them.

``make(name, folder)`` writes one and returns the folder that ``--db-root`` names.
"""

from pathlib import Path

import numpy as np
from corpora_tunes import write, write_wav
from features_corpus import tone

HOP = 256 / 44100
SINGERS = {"1": ("S1", "Tagalog"), "2": ("S2", "French+English"), "17": ("S1", "none")}
TUNES = {"1": (57, 60, 62), "2": (69, 67, 65), "17": (50, 53, 50)}
"""MIDI numbers of the notes of recordings, each sung for half a second after a tenth of silence."""


def notes(tune: tuple[int, ...]) -> list[tuple[float, float, int]]:
    """Onset, seconds and MIDI number of each note."""
    return [(0.2 + 0.6 * k, 0.5, pitch) for k, pitch in enumerate(tune)]


def sung(tune: tuple[int, ...], rate: int, cents: float = 0.0) -> np.ndarray:
    """The notes as tones, two seconds and a half."""
    x = np.zeros(round(2.5 * rate))
    for onset, seconds, pitch in notes(tune):
        wave = tone(pitch + cents / 100, seconds, rate, harmonics=8)
        x[round(onset * rate) :][: len(wave)] = wave[: len(x) - round(onset * rate)]
    return x


def pitch_at(tune: tuple[int, ...], times: np.ndarray) -> np.ndarray:
    """MIDI number at each time, 0 between notes."""
    found = np.zeros(len(times))
    for onset, seconds, pitch in notes(tune):
        found[(times >= onset) & (times < onset + seconds)] = pitch
    return found


def hz(midi: np.ndarray) -> np.ndarray:
    return np.where(midi > 0, 440 * 2 ** ((midi - 69) / 12), 0.0)


def _vocadito(root: Path) -> None:
    """The second annotator hears the first note as two."""
    times = np.arange(round(2.5 / HOP)) * HOP
    for song, tune in TUNES.items():
        write_wav(root / "Audio" / f"vocadito_{song}.wav", sung(tune, 44100), 44100)
        rows = zip(times, hz(pitch_at(tune, times)))
        write(root / f"Annotations/F0/vocadito_{song}_f0.csv", "".join(f"{t},{f}\n" for t, f in rows))
        heard = [(onset, seconds, float(hz(np.array(pitch)))) for onset, seconds, pitch in notes(tune)]
        first, *rest = heard
        halves = [(first[0], 0.25, first[2]), (first[0] + 0.25, 0.25, first[2])]
        for name, table in (("A1", heard), ("A2", [*halves, *rest])):
            text = "".join(f"{onset:.9f},{f:.3f},{seconds:.9f}\n" for onset, seconds, f in table)
            write(root / f"Annotations/Notes/vocadito_{song}_notes{name}.csv", text)
        write(root / f"Annotations/Lyrics/vocadito_{song}_lyrics.txt", "ako ay may lobo\n")
    lines = [f"{song},{who},50,{language}\n" for song, (who, language) in SINGERS.items()]
    write(root / "vocadito_metadata.csv", "track_id,singer_id,average_pitch,language\n" + "".join(lines))


def _tonas(root: Path) -> None:
    """Sung 43 cents above concert pitch; the program's F0 is an octave off where people corrected it."""
    times = np.arange(500) * 0.005
    for style, song, tune in (("Deblas", "01-D_AMairena", "1"), ("Martinete1", "02-M1_ATalega", "2")):
        base = root / "tonas" / style
        write_wav(base / f"{song}.wav", sung(TUNES[tune], 44100, 43.0), 44100)
        f0 = hz(pitch_at(TUNES[tune], times)) * 2 ** (43 / 1200)
        rows = "".join(f"{t:.6f} 0.02 {2 * f:.6f} {f:.6f}\n" for t, f in zip(times, f0))
        write(base / f"{song}.f0.Corrected", rows)
        table = "".join(f"{a:.6f}, {b:.6f}, {pitch:.6f}, 0.018007\n" for a, b, pitch in notes(TUNES[tune]))
        write(base / f"{song}.notes.Corrected", "43.000000\n" + table)
    write(root / "tonas" / "TONAS-Metadata.txt", "01-D_AMairena.wav\tDebla\tx\tA Mairena\n", "utf-16")


def _mir1k(root: Path) -> None:
    """Noise on the left channel, the voice on the right."""
    rng = np.random.default_rng(0)
    for song, tune in (("abjones_1_01", "1"), ("amy_10_02", "2")):
        voice = sung(TUNES[tune], 16000)
        both = np.column_stack([0.3 * rng.standard_normal(len(voice)), voice])
        write_wav(root / "MIR-1K" / "Wavfile" / f"{song}.wav", both, 16000)
        middles = 0.02 * np.arange(1, 125)
        rows = "".join(f"{pitch:g}\n" for pitch in pitch_at(TUNES[tune], middles))
        write(root / "MIR-1K" / "PitchLabel" / f"{song}.pv", rows)


def _vocalset(root: Path) -> None:
    """Folders as deep as they happen to be."""
    top = root / "VocalSet1-2" / "data_by_singer"
    for place, tune in (
        ("female1/arpeggios/belt/f1_arpeggios_belt_c_a", "1"),
        ("female1/scales/vibrato/f1_scales_vibrato_f_e", "2"),
        ("male2/long_tones/m2_long_forte_a", "17"),
    ):
        write_wav(top / f"{place}.wav", sung(TUNES[tune], 44100), 44100)


MAKERS = {"vocadito": _vocadito, "tonas": _tonas, "mir1k": _mir1k, "vocalset": _vocalset}


def make(name: str, folder: Path) -> Path:
    """Writes the tiny copy of a corpus; returns the folder to give as ``--db-root``."""
    MAKERS[name](folder)
    return folder
