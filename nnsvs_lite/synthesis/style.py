"""What a musician may change of predicted features before they are vocoded.

All neutral values leave the features as they are, bit by bit.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.vibrato import find_vibrato, sing_vibrato
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.example import Example
from nnsvs_lite.models.habit import HeldVowel, held_vowels, note_chance
from nnsvs_lite.models.melody import smooth_score
from nnsvs_lite.models.voice import Vocoder

VIBRATO_BAND = (3.0, 8.0)
"""Hz within which a held note's F0 counts as vibrato; singers' lies at 4.5 to 7 (Sundberg 1994)."""
SHORTEST_VIBRATO = 0.25
"""Seconds; a shorter steady part of a vowel has no vibrato."""
EDGE = 0.05
"""Seconds at each end of the steady part of a vowel over which its vibrato fades."""
GLIDE = 80 * np.log(2) / 1200
"""A vowel's ends count as glides until F0 is this near, in log Hz, to where the vowel stays."""
SETTLE = 0.08
"""Seconds after a glide, and before the next, that are still part of it."""
LONG = 0.3
"""Seconds; on a longer vowel of a voice without vibrato ``vibrato_depth`` puts one."""
USUAL = {"rate": 5.8, "delay": 0.15, "fade_in": 0.2, "fade_out": 0.05}
"""What is not told of such a vibrato; Hz and seconds."""
RANGES = {
    "vibrato": (0.0, 3.0),
    "vibrato_depth": (0.0, 200.0),
    "vibrato_rate": (4.0, 8.0),
    "vibrato_delay": (0.0, 2.0),
    "pitch_deviation": (0.0, 2.0),
    "breathiness": (-20.0, 20.0),
    "gender": (0.7, 1.4),
}


@dataclass(frozen=True)
class Style:
    """Strengths of what the voice does by itself.

    Attributes:
        vibrato: factor of the vibrato: 0 removes it, 1 leaves it, 2 doubles it.
        vibrato_depth: cents of a sung vibrato to either side, on every held note (of any voice, if it is long
            enough); None leaves it to the voice.
        vibrato_rate, vibrato_delay: Hz, and seconds from the vowel's start on, of notes that have vibrato;
            None leaves them to the voice.
        pitch_deviation: factor of all that sets F0 off from the score, vibrato included;
            0 is the score's pitch with its steps rounded off.
        breathiness: dB added to the aperiodicity.
        gender: factor of the formants' frequencies; F0 stays. Below 1 a longer vocal
            tract, above 1 a shorter one.

    Raises DataError where a value is out of :data:`RANGES`.
    """

    vibrato: float = 1.0
    vibrato_depth: float | None = None
    vibrato_rate: float | None = None
    vibrato_delay: float | None = None
    pitch_deviation: float = 1.0
    breathiness: float = 0.0
    gender: float = 1.0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value is not None:
                check_range(name.replace("_", " "), value, *RANGES[name])

    @property
    def told(self) -> dict[str, float]:
        """What is told of vibrato in absolute terms: ``extent``, ``rate`` and ``delay``."""
        given = {"extent": self.vibrato_depth, "rate": self.vibrato_rate, "delay": self.vibrato_delay}
        return {name: value for name, value in given.items() if value is not None}


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raises DataError where a value (NaN included) is not in ``low..high``."""
    if not low <= value <= high:
        raise DataError(f"{name} {value:g} is out of {low:g}..{high:g}")


def restyle(
    streams: Mapping[str, np.ndarray],
    example: Example,
    spec: Spec,
    vocoder: Vocoder,
    style: Style,
) -> dict[str, np.ndarray]:
    """Changes ``streams`` of one phrase, (T, D) each; ``example`` is what the model was told, with durations.

    Returns all streams of the spec; those that stay the same are the same arrays. Raises DataError where the
    voice's vocoder would not let it be heard.
    """
    out = dict(streams)
    own = out.pop("vibrato", None)
    if style.vibrato != 1 or style.pitch_deviation != 1 or style.told:
        check_control(vocoder, "pitch")
        lf0 = streams["lf0"][:, 0].astype(np.float64)
        smooth, vowels = smooth_score(example, spec), held_vowels(example.score, spec)
        residual = lf0 - smooth
        fast = vibrato_of(residual, vowels, spec.frame_shift) if own is None else own[:, 0]
        wanted = fast
        if style.told:
            heard = lf0 if own is None else own[:, 0]
            wanted = _told_vibrato(heard, fast, streams["vuv"][:, 0] >= 0.5, example, spec, style)
        residual += style.vibrato * wanted - fast
        out["lf0"] = (smooth + style.pitch_deviation * residual)[:, None].astype(np.float32)
    if style.breathiness:
        # Coded aperiodicity is in dB; above 0 there is no more noise to be had.
        check_control(vocoder, "breathiness")
        out["bap"] = np.minimum(streams["bap"] + np.float32(style.breathiness), np.float32(0))
    if style.gender != 1:
        check_control(vocoder, "gender")
        matrix = formant_matrix(streams["mgc"].shape[1], spec.feature_config, style.gender)
        out["mgc"] = (streams["mgc"] @ matrix).astype(np.float32)
    return out


def check_control(vocoder: Vocoder, control: str) -> None:
    """Raises DataError where a vocoder does not let a control be heard."""
    if control not in vocoder.controls:
        name = vocoder.name
        raise DataError(f"{control} cannot be changed: the voice's vocoder, {name}, does not allow it")


def _told_vibrato(
    heard: np.ndarray,
    own: np.ndarray,
    voiced: np.ndarray,
    example: Example,
    spec: Spec,
    style: Style,
) -> np.ndarray:
    """(T,): vibrato with the depth, rate and delay that ``style`` tells, else as ``heard`` in each note.

    Notes that are not to have any keep their ``own``.
    """
    out, shift = own.copy(), spec.frame_shift
    for vowel, rng in note_chance(example.score, spec):
        part = slice(vowel.start, vowel.end)
        found, frames = find_vibrato(heard[part], voiced[part], shift), vowel.end - vowel.start
        if found is not None:
            delay, fades = found.begin * shift, {"fade_in": found.fade_in, "fade_out": found.fade_out}
            usual = {"rate": found.rate, "extent": found.extent, "delay": delay, **fades}
        elif style.vibrato_depth is not None and frames * shift >= LONG:
            usual = USUAL
        else:
            continue
        out[part] = sing_vibrato(frames, shift, **usual | style.told, rng=rng)
    return out


def vibrato_of(residual: np.ndarray, vowels: Sequence[HeldVowel], frame_shift: float) -> np.ndarray:
    """The part of an F0 residual that is vibrato.

    Vowel by vowel, and there only between the glides at its ends, which are far larger and would ring in it.
    A line (in longer vowels a curve, at most cubic) is left out, and of the rest the cosines (DCT-II) of
    :data:`VIBRATO_BAND` are kept, faded at both ends.

    Args:
        residual: (T,) log F0 less that of the score.

    Returns (T,) float64, 0 outside of vowels.
    """
    from numpy.polynomial.legendre import legfit, legval
    from scipy.fft import dct, idct

    out = np.zeros(len(residual))
    for vowel in vowels:
        start, end = _steady(residual, vowel.start, vowel.end, round(SETTLE / frame_shift))
        length = end - start
        if length * frame_shift < SHORTEST_VIBRATO:
            continue
        # A curve of more bends than this would follow the vibrato itself.
        degree = min(3, 1 + int(2 * length * frame_shift))
        time, piece = np.linspace(-1, 1, length), residual[start:end]
        trend = legval(time, legfit(time, piece, degree))
        coefficients = dct(piece - trend, norm="ortho")
        hertz = np.arange(length) / (2 * length * frame_shift)
        coefficients[(hertz < VIBRATO_BAND[0]) | (hertz > VIBRATO_BAND[1])] = 0
        nearest_end = (np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5) * frame_shift
        fade = 0.5 - 0.5 * np.cos(np.pi * np.minimum(nearest_end / EDGE, 1))
        out[start:end] = idct(coefficients, norm="ortho") * fade
    return out


def _steady(residual: np.ndarray, start: int, end: int, margin: int) -> tuple[int, int]:
    """The part of a vowel without the glides at its ends; first and last+1 frame."""
    piece = residual[start:end]
    near = np.flatnonzero(np.abs(piece - np.median(piece)) <= GLIDE)
    if not len(near):
        return start, start
    return start + int(near[0]) + margin, start + int(near[-1]) + 1 - margin


def formant_matrix(columns: int, config: FeatureConfig, factor: float) -> np.ndarray:
    """The change of mel-cepstra, ``mgc @ matrix``, that scales a spectrum's frequencies.

    Cepstra, their log spectrum, its resampling along frequency and the way back are all
    linear, so one matrix does it. The new log spectrum at f is the old one at
    ``f / factor``, above the highest frequency the value there; above 1 formants move up.

    Returns float64 (columns, columns), where ``columns`` is order + 1.
    """
    from nnsvs_lite.features.world import alpha_of, fft_size_of, mgc_to_spectrum, spectrum_to_mgc

    alpha = alpha_of(config)
    spectrum = np.log(mgc_to_spectrum(np.eye(columns), alpha, fft_size_of(config)))
    bins = np.arange(spectrum.shape[1])
    moved = [np.interp(bins / factor, bins, row) for row in spectrum]
    return spectrum_to_mgc(np.exp(moved), columns - 1, alpha)
