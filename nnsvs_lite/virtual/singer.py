"""A virtual singer: a voice, a style, and what comes of a score."""

from dataclasses import dataclass

import numpy as np
import pyworld

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Phone, Score
from nnsvs_lite.virtual import render
from nnsvs_lite.virtual.htsvoice import HtsVoice, StateSequence
from nnsvs_lite.virtual.labels import SPEECH, full_context
from nnsvs_lite.virtual.mlpg import capped_durations, fit_durations, mlpg, natural_durations
from nnsvs_lite.virtual.performance import place_phones, speech_lengthening
from nnsvs_lite.virtual.pitch import f0_curve
from nnsvs_lite.virtual.style import FRAME, SingingStyle

_ALWAYS_VOICED = ("vowel", "nasal", "liquid", "glide")
_SMOOTHING = 0.03
_LARGEST_SPREAD = 1.2
LEVEL = -23.0
"""The level in dBFS that singing is brought to."""
_LARGEST_EVENING = 12.0


@dataclass(frozen=True)
class VirtualSong:
    """What a singer makes of a score.

    Attributes:
        phones: times in seconds on whole frames, contiguous from 0.
        f0: (frames,) Hz each 5 ms, 0 where unvoiced.
        mgc: (frames, order + 1) mel-cepstra at the voice's sampling rate.
    """

    phones: list[Phone]
    f0: np.ndarray
    mgc: np.ndarray


@dataclass(frozen=True, eq=False)
class VirtualSinger:
    """Sings scores with a voice in a style.

    Attributes:
        voice: the HMM voice. style: the rules of performance.
        spread: (order + 1,) factors on the deviation of each mel-cepstral coefficient from ``centre``, which
            make up for the flatness of MLPG; see :func:`measure_spread`.
        centre: (order + 1,). level: dBFS of the voice's vowels on the whole.
        smooth: whether the voice's spectra show single harmonics, which are then smoothed away.
        formants: factor of all frequencies of the spectra.
    """

    voice: HtsVoice
    style: SingingStyle
    spread: np.ndarray
    centre: np.ndarray
    level: float
    smooth: bool
    formants: float = 1.0

    def perform(self, score: Score, rng: np.random.Generator) -> VirtualSong:
        """Times, F0 and spectra of a score; noise is ``rng``'s. Raises DataError as :func:`place_phones`."""
        labels = full_context(score, self.voice.label_format)
        states = self.voice.select(labels)
        natural = natural_durations(states.duration_mean).sum(axis=1).astype(float)
        if self.voice.label_format == SPEECH:
            natural *= [speech_lengthening(p, score.lang) for p in score.phones]
        phones = place_phones(score, natural, self.style, rng)
        curve = f0_curve(score, phones, self.style, rng)
        durations = state_durations(states, phones, score.lang, inner=self.voice.label_format == SPEECH)
        mgc = self.mel_cepstra(states, durations)
        voiced = voicing(states, durations, phones, score.lang)
        own, motion = self._levels(score, phones, mgc, curve)
        motion = np.clip(motion, -_LARGEST_EVENING, _LARGEST_EVENING)
        gain = self._loudness(score, phones, own) - self.style.steadiness * motion
        mgc[:, 0] += _smooth(gain, round(_SMOOTHING / FRAME)) * np.log(10) / 20
        return VirtualSong(phones, np.where(voiced, curve, 0.0), mgc)

    def mel_cepstra(self, states: StateSequence, durations: np.ndarray) -> np.ndarray:
        """Mel-cepstra (frames, order + 1) with the voice's spread, for durations (phones, states)."""
        mgc = trajectories(self.voice, states, durations)
        return self.centre + self.spread * (mgc - self.centre)

    def _levels(
        self, score: Score, phones: list[Phone], mgc: np.ndarray, curve: np.ndarray
    ) -> tuple[dict[int, float], np.ndarray]:
        """dBFS of notes' first vowels, and how vowels move around their own: (frames,) dB, 0 elsewhere."""
        vowels = get_language(score.lang).vowels
        levels: dict[int, float] = {}
        motion = np.zeros(len(curve))
        for phone in phones:
            if phone.symbol not in vowels:
                continue
            frames = slice(round(phone.start / FRAME), round(phone.end / FRAME))
            power = self.spectra(mgc[frames], curve[frames], self.voice.sample_rate, 1024).mean(axis=1)
            own = float(10 * np.log10(power.mean()))
            # Attack and decay next to other phones stay as they are.
            edge = np.minimum(np.arange(len(power)), np.arange(len(power))[::-1]) * FRAME
            inside = np.clip(edge / 0.05, 0.0, 1.0)
            motion[frames] = inside * _smooth(10 * np.log10(power) - own, round(0.02 / FRAME))
            levels.setdefault(phone.note, own)
        return levels, motion

    def _loudness(self, score: Score, phones: list[Phone], own: dict[int, float]) -> np.ndarray:
        """Gain in dB for each frame: an even level, then dynamics, the phrase's swell, the pitch."""
        style, notes, language = self.style, score.notes, get_language(score.lang)
        gains: list[float | None] = [None] * len(notes)
        evening = [0.0] * len(notes)
        first = 0
        for i, note in enumerate(notes):
            if note.is_rest:
                first = i + 1
                continue
            last = next((j for j in range(i, len(notes)) if notes[j].is_rest), len(notes))
            begin, end = notes[first].start, notes[last - 1].end
            place = ((note.start + note.end) / 2 - begin) / (end - begin)
            gains[i] = style.dynamics * (note.velocity - 0.5) + style.arch * (np.sin(np.pi * place) - 0.5)
            gains[i] += style.pitch_slope * (note.pitch - 66)
            deviation = self.level - own.get(i, self.level)
            evening[i] = style.evenness * float(np.clip(deviation, -_LARGEST_EVENING, _LARGEST_EVENING))
        level = np.zeros(round(phones[-1].end / FRAME))
        for p in phones:
            around = [g for g in gains[max(p.note - 1, 0) : p.note + 2] if g is not None]
            gain = gains[p.note] if gains[p.note] is not None else min(around, default=0.0)
            # A vowel that the voice almost devoices must not lift the fricative before it.
            if language.is_voiced(p.symbol):
                gain += evening[p.note]
            level[round(p.start / FRAME) : round(p.end / FRAME)] = gain + LEVEL - self.level
        return level

    def spectra(self, mgc: np.ndarray, f0: np.ndarray, sample_rate: int, fft: int) -> np.ndarray:
        """Power spectra (frames, fft // 2 + 1), full scale 1, of mel-cepstra sung at an F0."""
        rate, alpha = self.voice.sample_rate, self.voice.alpha
        spectra = render.power_spectra(mgc, rate, alpha, sample_rate, fft, self.formants)
        return render.smooth_over_harmonics(spectra, f0, sample_rate) if self.smooth else spectra

    def render(self, performance: VirtualSong, sample_rate: int) -> np.ndarray:
        """The waveform, full scale 1. Raises DataError for a rate below 8000 Hz or above the voice's."""
        if not 8000 <= sample_rate <= (highest := self.voice.sample_rate):
            what = f"a sampling rate of 8000 to {highest} Hz is needed, not {sample_rate}"
            raise DataError(what, self.voice.path)
        # For F0 down to 71 Hz.
        fft = pyworld.get_cheaptrick_fft_size(sample_rate, 71.0)
        spectra = self.spectra(performance.mgc, performance.f0, sample_rate, fft)
        ap = render.aperiodicity(self.voice.low_pass, self.voice.sample_rate, sample_rate, fft)
        return render.synthesize(performance.f0, spectra, np.tile(ap, (len(spectra), 1)), sample_rate)


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    """A curve (frames,) under a Hann window that reaches ``width`` frames to both sides."""
    kernel = np.hanning(2 * width + 3)[1:-1]
    return np.convolve(np.pad(values, width, mode="edge"), kernel / kernel.sum(), mode="valid")


def state_durations(states: StateSequence, phones: list[Phone], lang: str, inner: bool = False) -> np.ndarray:
    """Frames of each state (phones, states) for given phone times.

    Vowels and silences are stretched in one state, see :func:`nnsvs_lite.virtual.mlpg.capped_durations`: the
    one that the voice itself makes longest. In a singing voice any of the five may carry a vowel; in speech
    (``inner``) the outer ones do not, even where a phrase's end made them long.
    """
    language = get_language(lang)
    rows = []
    for mean, variance, phone in zip(states.duration_mean, states.duration_variance, phones):
        frames = round((phone.end - phone.start) / FRAME)
        if frames < len(mean):
            # A phone shorter than its states: the outer ones are left out.
            row = np.zeros(len(mean), int)
            skip = (len(mean) - frames) // 2
            row[skip : skip + frames] = 1
        elif phone.symbol in language.vowels or language.is_silence(phone.symbol):
            longest = 1 + int(np.argmax(mean[1:-1])) if inner else int(np.argmax(mean))
            row = capped_durations(mean, variance, frames, longest)
        else:
            row = fit_durations(mean, variance, frames)
        rows.append(row)
    return np.array(rows)


def trajectories(voice: HtsVoice, states: StateSequence, durations: np.ndarray) -> np.ndarray:
    """Mel-cepstra (frames, order + 1) of a state sequence with durations (phones, states)."""
    return mlpg(*states.by_frame("MCP", durations), voice.streams["MCP"].windows)


def voicing(states: StateSequence, durations: np.ndarray, phones: list[Phone], lang: str) -> np.ndarray:
    """Voiced frames (frames,): vowels and sonorants always, voiced obstruents as the voice has it."""
    language = get_language(lang)
    own = states.voiced > 0.5
    for row, phone in zip(own, phones):
        names = {n for n, v in zip(language.class_names, language.classes(phone.symbol)) if v}
        if "voiced" not in names:
            row[:] = False
        elif names & set(_ALWAYS_VOICED):
            row[:] = True
    return np.repeat(own.ravel(), durations.ravel())


def measure_spread(voice: HtsVoice, scores: list[Score]) -> tuple[np.ndarray, np.ndarray]:
    """Factors and centre that give MLPG's trajectories the voice's global variance.

    The voice's own GV optimisation is made for speech and lets c0 explode on held notes. So the ratio of
    standard deviations, GV over MLPG, is measured once at the voice's natural durations over some phrases,
    silences left out, and applied to all (Silen et al. 2012, "Ways to implement global variance in
    statistical speech synthesis"). It is limited: high coefficients ask for factors of 2 to 4, which sharpen
    single harmonics until the level of a song varies by 10 dB.

    Returns factors (order + 1,) from 1 to 1.2; centre (order + 1,).
    """
    deviations, sums, count = [], 0.0, 0
    for score in scores:
        states = voice.select(full_context(score, voice.label_format))
        durations = natural_durations(states.duration_mean)
        mgc = trajectories(voice, states, durations)
        silent = [get_language(score.lang).is_silence(p) for p in score.phones]
        mgc = mgc[~np.repeat(silent, durations.sum(axis=1))]
        deviations.append(mgc.std(axis=0))
        sums, count = sums + mgc.sum(axis=0), count + len(mgc)
    factors = np.sqrt(voice.streams["MCP"].gv_mean) / np.mean(deviations, axis=0)
    return np.clip(factors, 1.0, _LARGEST_SPREAD), sums / count
