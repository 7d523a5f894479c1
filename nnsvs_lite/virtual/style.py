"""How a virtual singer performs: the constants of timing, F0 and loudness."""

from dataclasses import dataclass

FRAME = 0.005
"""Seconds a frame of a performance: the frame shift of the voices."""


@dataclass(frozen=True)
class SingingStyle:
    """The rules of one singer. Times in seconds, F0 in cents, levels in dB.

    Timing. A vowel lands on its beat plus a lag; consonants come before it. The lag is ``phrase_lag`` on a
    note after a rest, else ``leap_lag`` for each semitone of a rising leap beyond a major second (four at
    most count), less ``short_lead`` on notes under 0.25 s; on all of them normal noise of ``onset_sigma``,
    half of it within a melisma. Consonants last as in the voice's duration model, times ``consonant_scale``,
    times a factor from 0.75 before the shortest note to 1.25 before one of 0.8 s and more, times log-normal
    noise of ``consonant_sigma``. A phrase's last vowel is held ``release`` beyond its note.

    F0. See :mod:`nnsvs_lite.virtual.pitch`. ``flutter`` is slow, in cents; ``jitter`` fast, in Hz.

    Loudness. The voices sing some notes and vowels much louder than others; of a note's difference from the
    voice's level the part ``evenness`` is made up for, and of the swelling and fading inside a vowel the part
    ``steadiness``. ``dynamics`` is the difference between velocity 0 and 1; a phrase swells by ``arch``
    towards its middle; higher notes are louder by ``pitch_slope`` a semitone.
    """

    name: str = "plain"
    phrase_lag: float = 0.035
    leap_lag: float = 0.006
    short_lead: float = 0.01
    onset_sigma: float = 0.012
    consonant_scale: float = 0.6
    consonant_sigma: float = 0.08
    release: float = 0.02

    overshoot: float = 1.0
    preparation: float = 1.0
    large_interval: float = 400.0
    scoop: float = 80.0
    fall: float = 40.0
    vibrato_rate: float = 5.5
    vibrato_depth: float = 30.0
    vibrato_onset: float = 0.3
    vibrato_fade: float = 0.25
    vibrato_shortest: float = 0.6
    vibrato_rate_sigma: float = 0.1
    flutter: float = 5.0
    jitter: float = 0.0

    evenness: float = 0.85
    steadiness: float = 0.8
    dynamics: float = 12.0
    arch: float = 1.0
    pitch_slope: float = 0.1
