"""Who is heard: the mean spectra of vowels, and how far they are from a singer's own."""

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.evaluation.measures import distortion
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table
from nnsvs_lite.score.types import Score

Spectra = Mapping[str, np.ndarray]
"""Vowel to its mean mel-cepstrum, ``(order + 1,)``."""


def vowel_spectra(
    mgc: Sequence[np.ndarray], labels: Sequence[Sequence[str]], vowels: Collection[str], least: int = 20
) -> dict[str, np.ndarray]:
    """Mean mel-cepstra of vowels over several utterances.

    Args:
        mgc: ``(frames, order + 1)`` each. labels: the phone of every frame.
        vowels: which phones count. least: frames without which a vowel is left out.
    """
    frames = np.concatenate(list(mgc))
    phones = np.concatenate([np.asarray(names, dtype=str) for names in labels])
    found = {}
    for vowel in sorted(set(vowels)):
        own = frames[phones == vowel]
        if len(own) >= least:
            found[vowel] = own.mean(axis=0)
    return found


def timbre_distance(one: Spectra, other: Spectra) -> float:
    """Mean distance in dB over the vowels that both sing: the formula of MCD on mean cepstra, c0 left out.

    Means forget how a voice moves, and with it most of what depends on the music; what stays is mainly
    the singer. There is no published scale: compare distances with each other.

    Raises:
        DataError: where they share no vowel.
    """
    shared = sorted(set(one) & set(other))
    if not shared:
        raise DataError("there is no vowel that both sing; use longer scores")
    pairs = (np.stack([spectra[v][1:] for v in shared]) for spectra in (one, other))
    return float(distortion(*pairs).mean())


def singers_of(dump: str | os.PathLike, subset: str, vowels: Collection[str]) -> dict[str, Spectra]:
    """Each singer's own analysis in one set of a dump: singer to mean spectra.

    Raises:
        DataError: where the set is missing or has no ``mgc``.
    """
    folder = Path(dump) / subset
    if not (folder / "mgc.scp").is_file():
        raise DataError("no mel-cepstra here; extract WORLD features", folder)
    spectra, durations = FeatureReader(folder / "mgc.scp"), FeatureReader(folder / "duration.scp")
    scores, singers = read_table(folder / "score"), read_table(folder / "utt2spk")
    found = {}
    for singer in sorted(set(singers.values())):
        utts = [utt for utt, name in singers.items() if name == singer]
        labels = [
            np.repeat(Score.from_json(scores[utt], f"{folder / 'score'} ({utt})").phones, count)
            for utt in utts
            for count in [durations[utt].reshape(-1).astype(int)]
        ]
        found[singer] = vowel_spectra([spectra[utt] for utt in utts], labels, vowels)
    return found
