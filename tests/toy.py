"""A tiny dump with made-up features, for tests of models, training and decoding.

Contexts come from real scores through the real front end; spectra are simple functions of
phone and pitch plus noise, so that there is something to learn.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import FRAMES, PHONES, Spec, current_phones
from nnsvs_lite.io.atomic import write_json
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.tables import FeatureWriter, write_table
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.context import note_context, phone_context
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.timing import phone_durations, time_lags

LYRICS = list("さくらのはながきれいにさいてかぜもふかないやまみち")


def make_score(
    rng: np.random.Generator, notes: int, lang: str = "ja", lyrics: Sequence[str] = LYRICS
) -> Score:
    """A random melody between two rests, phones attached."""
    rows, time = [Note(0.0, 0.3, 0, beats=0.5)], 0.3
    for _ in range(notes):
        length = float(rng.choice([0.25, 0.5, 0.75]))
        lyric = str(rng.choice(lyrics))
        rows.append(
            Note(time, time + length, int(rng.integers(57, 72)), lyric, beats=length * 2, tempo=120.0)
        )
        time += length
    rows.append(Note(time, time + 0.25, 0, beats=0.5, tempo=120.0))
    return attach_phones(Score(tuple(rows), lang=lang))


def perform(score: Score, rng: np.random.Generator) -> list[Segment]:
    """Labels of a plausible performance: consonants before the beat, with some noise."""
    starts = []
    for i, note in enumerate(score.notes):
        lead = 0.07 if len(note.phones) > 1 else 0.0
        onset = note.start - lead + (rng.normal(0, 0.005) if i else 0.0)
        # Consonants after the vowel are squeezed in behind it.
        starts += [max(0.0, onset), *(note.start + 0.01 + 0.03 * k for k in range(len(note.phones) - 1))]
    bounds = [0.0, *starts[1:], score.notes[-1].end]
    return [Segment(a, b, p) for a, b, p in zip(bounds, bounds[1:], score.phones)]


def make_dump(
    folder: Path,
    sets: dict[str, int],
    frame_shift: float = 0.005,
    seed: int = 0,
    mgc: int = 8,
    notes: tuple[int, int] = (3, 8),
    languages: Sequence[tuple[str, Sequence[str]]] = (("ja", LYRICS),),
    mel: bool = False,
    shared: bool = False,
    sample_rate: int = 24000,
) -> Path:
    """Writes ``schema.json``, ``stats.json`` and the sets; returns the folder.

    ``mel`` makes spectra of ``mgc`` numbers mel spectra, without aperiodicity; ``shared`` makes one of the
    phones that languages have alike.
    """
    from nnsvs_lite.features.stats import compute_stats

    rng = np.random.default_rng(seed)
    spectra = {"mel": {"bins": mgc}} if mel else {"world": {"mgc_order": mgc - 1}}
    times = {"sample_rate": sample_rate, "frame_shift": frame_shift}
    config = FeatureConfig.from_dict({**times, **spectra}, "toy")
    phones = current_phones({lang for lang, _ in languages})
    spec = Spec(config, config.streams, phones, ("toy",), shared_phones=shared)
    spec.write(folder)
    colours = rng.normal(0, 1, (len(spec.phones), mgc + 3))
    for name, count in sets.items():
        items = {}
        for k in range(count):
            lang, lyrics = languages[k % len(languages)]
            score = make_score(rng, int(rng.integers(notes[0], notes[1] + 1)), lang, lyrics)
            items[f"toy_{name}{k:03d}"] = (score, perform(score, rng))
        _write_set(folder / name, items, spec, colours, frame_shift, rng)
    compute_stats(folder, "train").write(folder)
    return folder


def _write_set(folder, items, spec, colours, frame_shift, rng) -> None:
    rows = {}
    for utt, (score, labels) in items.items():
        duration = phone_durations(labels, frame_shift)
        phone = np.repeat(np.arange(len(duration)), duration)
        index = np.array(score.note_index)[phone]
        pitch = np.array([n.pitch for n in score.notes], float)
        pitch[pitch == 0] = np.nan
        pitch = np.interp(np.arange(len(pitch)), np.flatnonzero(pitch > 0), pitch[pitch > 0])
        lf0 = math.log(440) + (pitch[index] - 69) * math.log(2) / 12 + rng.normal(0, 0.01, len(index))
        numbers = spec.context("phone", score)[:, spec.column("phone", "phone")]
        ids = numbers.astype(int)[phone] - 1
        colour = colours[ids] + rng.normal(0, 0.1, (len(ids), colours.shape[1]))
        vuv = ~np.isin(np.array(score.phones)[phone], ["pau", "k", "s", "t", "h", "f", "sh", "ch", "ts"])
        rows[utt] = {
            "note_context": note_context(score),
            "phone_context": phone_context(score),
            "note_index": np.array(score.note_index, np.float32)[:, None],
            "note_time": np.array([[n.start, n.end] for n in score.notes], np.float64),
            "time_lag": time_lags(score, labels, frame_shift).astype(np.float32)[:, None],
            "duration": duration.astype(np.float32)[:, None],
            "lf0": lf0[:, None],
            "vuv": vuv[:, None].astype(np.float32),
            **(
                {"mel": colour[:, :-3]}
                if "mel" in spec.streams
                else {"mgc": colour[:, :-3], "bap": colour[:, -3:]}
            ),
        }
    for name in next(iter(rows.values())):
        with FeatureWriter(folder, name) as writer:
            for utt in sorted(rows):
                value = rows[utt][name]
                writer.write(utt, value if name == "note_time" else value.astype(np.float32))
    write_table(folder / FRAMES, {utt: len(row["lf0"]) for utt, row in rows.items()})
    write_table(folder / PHONES, {utt: len(row["duration"]) for utt, row in rows.items()})
    write_table(folder / "utt2lang", {utt: score.lang for utt, (score, _) in items.items()})
    write_table(folder / "utt2spk", {utt: "toy" for utt in items})
    write_table(folder / "score", {utt: score.to_json() for utt, (score, _) in items.items()})
    write_json(folder / "labels.json", {u: labels for u, (_, labels) in items.items()})


def make_recordings(dump: Path, folder: Path, sets: tuple[str, ...] = ("train", "dev")) -> Path:
    """Data dirs with recordings that go with a dump's streams: harmonics of its F0 where it is voiced."""
    import soundfile

    from nnsvs_lite.corpus.datadir import DataDir
    from nnsvs_lite.io.tables import FeatureReader

    spec = Spec.read(dump)
    rate = spec.sample_rate
    (folder / "wav").mkdir(parents=True)
    for name in sets:
        lf0, vuv = (FeatureReader(dump / name / f"{stream}.scp") for stream in ("lf0", "vuv"))
        wavs = {}
        for utt in lf0:
            at = np.arange(round(len(lf0[utt]) * spec.frame_shift * rate)) / rate / spec.frame_shift
            curve, voiced = (np.interp(at, np.arange(len(v)), v[:, 0]) for v in (lf0[utt], vuv[utt]))
            phase = 2 * np.pi * np.cumsum(np.exp(curve)) / rate
            wavs[utt] = folder / "wav" / f"{utt}.wav"
            sound = voiced * sum(np.sin(k * phase) / k for k in range(1, 6))
            soundfile.write(str(wavs[utt]), 0.2 * sound, rate)
        DataDir(folder / name, wavs, dict.fromkeys(wavs, "toy")).write()
    return folder
