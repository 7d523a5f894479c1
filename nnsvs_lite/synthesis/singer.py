"""From a score to a waveform in one call.

    >>> from nnsvs_lite.synthesis.singer import Singer
    >>> singer = Singer.load(voice)              # an exp dir, or a packed voice
    >>> song = singer.sing("song.musicxml", transpose=-2, vibrato=1.5)
    >>> song.sample_rate, round(song.duration, 2)
    (24000, 4.0)
    >>> [phone.symbol for phone in song.phones]
    ['pau', 's', 'a', 'k', 'u', 'r', 'a', 'h', 'a', 'pau']
    >>> len(song.f0), sorted(song.phrases[0].streams)
    (800, ['bap', 'lf0', 'mgc', 'vuv'])
    >>> gain = song.write("song.wav")            # below 1 where it would have clipped

It uses the functions of stages 5 and 6; there is no second engine. The tests run these
lines, with ``voice`` a small one that is made for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.leftout import leave_out
from nnsvs_lite.models.example import Example, note_seeds
from nnsvs_lite.models.pack import has_graphs, load_voice
from nnsvs_lite.models.voice import NAMED, FeatureModel, Model, Vocoder
from nnsvs_lite.score.change import change
from nnsvs_lite.score.drawn import Drawn
from nnsvs_lite.score.formats.assemble import NoLyrics
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.timing import phone_durations, time_lags
from nnsvs_lite.score.types import Score
from nnsvs_lite.synthesis.byhand import ByHand
from nnsvs_lite.synthesis.curves import Curves
from nnsvs_lite.synthesis.impose import fit_labels, read_labels
from nnsvs_lite.synthesis.joining import Sounding, join, joined, song_size
from nnsvs_lite.synthesis.kept import Kept, as_drawn, phrase_key, timing_key
from nnsvs_lite.synthesis.performance import Performance, SungPhrase
from nnsvs_lite.synthesis.phrases import check_language, check_score, example_of, split
from nnsvs_lite.synthesis.plan import Plan
from nnsvs_lite.synthesis.predict import (
    TimedExamples,
    Timing,
    predict_acoustic,
    predict_timing,
)
from nnsvs_lite.synthesis.style import Style, check_range, restyle
from nnsvs_lite.synthesis.takes import Retake, join_takes, share_of_new, with_seeds
from nnsvs_lite.synthesis.vocoder import choose_vocoder, load_vocoder, pieces_of, waveforms_in_turn

RUNTIMES = ("auto", "torch", "onnx")
"""What computes a voice's models; see :meth:`Singer.load`."""
MAX_SEED = 2**63 - 1
"""The largest that torch's generators take as it is."""
MAX_NUMBER = 1_000_000
"""Of a note in chance."""
AT_ONCE = 1.5
"""Seconds of a stream that a vocoder makes at once: a little more than joining waits for."""


class Singer:
    """A trained voice.

    Args:
        timelag, duration, acoustic: models on one device.
        vocoder: an end-to-end model's own, else chosen by the acoustic model's streams, where not given.

    Attributes:
        spec: what the models know of their data. singers: names of those who sing in it.
    """

    def __init__(
        self,
        timelag: Model,
        duration: Model,
        acoustic: FeatureModel,
        vocoder: Vocoder | None = None,
    ):
        self.timelag, self.duration, self.acoustic = timelag, duration, acoustic
        self.spec = acoustic.spec
        self.vocoder = choose_vocoder(self.spec, vocoder or acoustic.own_vocoder())
        self.singers: list[str] = list(self.spec.speakers)

    @staticmethod
    def load(
        path: str | os.PathLike,
        device: str = "cpu",
        vocoder: str | os.PathLike | None = None,
        trust_code: bool = False,
        runtime: str = "auto",
    ) -> Singer:
        """Loads the exp dir of a finished recipe's acoustic model, or a packed voice.

        ``vocoder`` names another than its own, as :func:`load_vocoder` takes it; ``trust_code``: see
        :func:`nnsvs_lite.models.checkpoint.load_model`. ``runtime`` is one of :data:`RUNTIMES`; ``auto`` is
        onnxruntime wherever it can sing, with a packed voice that has graphs on the CPU, or where there is
        no torch: it starts sooner, takes less memory, and sings the same within 1e-3.

        Raises DataError where it is neither, a checkpoint is damaged, or there is no such device.
        """
        if runtime not in RUNTIMES:
            raise DataError(f"no runtime {runtime!r}; there are {', '.join(RUNTIMES)}")
        if runtime == "auto":
            can = device == "cpu" and vocoder in (None, *NAMED) and has_graphs(path)
            runtime = "onnx" if can or not find_spec("torch") else "torch"
        if runtime == "onnx":
            from nnsvs_lite.models.onnxvoice import load_graphs

            if device != "cpu":
                raise DataError(f"onnxruntime sings on the CPU, not on {device!r}")
            return Singer(**load_graphs(path, vocoder))
        from nnsvs_lite.training.device import find_device

        singer = Singer(**load_voice(path, find_device(device), trust_code, vocoder is None))
        if vocoder is not None:
            singer.vocoder = load_vocoder(singer.spec, vocoder, device, trust_code)
        return singer

    def plan(
        self,
        score: Score | str | os.PathLike,
        *,
        part: int | str | None = None,
        voice: str | None = None,
        verse: int = 1,
        lyrics: str | os.PathLike | None = None,
        lang: str | None = None,
        transpose: int = 0,
        tempo: float = 1.0,
        timing: float = 1.0,
        seed: int = 0,
        temperature: float = 1.0,
        retake: Sequence[Retake | tuple[Sequence[int], int]] = (),
        singer: int | str | None = None,
        vibrato: float = 1.0,
        vibrato_depth: float | None = None,
        vibrato_rate: float | None = None,
        vibrato_delay: float | None = None,
        pitch_deviation: float = 1.0,
        breathiness: float = 0.0,
        gender: float = 1.0,
        labels: Sequence[Segment] | str | os.PathLike | None = None,
        curves: Mapping[str, np.ndarray] | str | os.PathLike | None = None,
        drawn: bool = True,
        by_hand: ByHand | None = None,
        numbers: Sequence[int] | None = None,
        kept: Kept | None = None,
    ) -> Plan:
        """How a score is to be sung: all but features and sound.

        Args:
            score: a score file, or a :class:`Score`.
            part, voice, verse: of a file with several. lang: of its lyrics; the voice's first if not given.
            lyrics: to sing in place of the file's: a text file, or the text itself.
            transpose: semitones. tempo: factor; 2 is twice as fast.
            timing: strength of time lags, 0 to 2; 0 keeps to the score's beats.
            seed: of models that draw by chance, from 0; another seed is another take.
            temperature: of what models draw by chance, 0 to 2: how far takes lie apart; at 0 they are one.
            retake: notes to sing anew, each time with a seed of their own, one after the other; all frames of
                other notes stay as they are. See :class:`~nnsvs_lite.synthesis.takes.Retake`.
            singer: name, or index in :attr:`singers`; the first if not given.
            vibrato, vibrato_depth, vibrato_rate, vibrato_delay, pitch_deviation, breathiness, gender: see
                :class:`~nnsvs_lite.synthesis.style.Style`.
            labels: phone times to keep to, or a file of them (see
                :func:`~nnsvs_lite.synthesis.impose.read_labels`); nothing is predicted of time then.
            curves: loudness, breathiness, voicing and tension over the song, by name, or an NPZ file of them:
                see :mod:`nnsvs_lite.synthesis.curves`; a number a frame of the voice from time 0.
            drawn: whether to sing the pitch and other curves that the score has (``Score.drawn``); those of
                ``curves`` go before them.
            by_hand: times, vibrato and formants that are set for single notes and moments.
            numbers: what stands for each note's index in chance: a note that keeps its number keeps, with one
                seed, what is drawn for it, however many notes come before it.
            kept: times that are known already; new ones are put there.

        Raises DataError for a score that cannot be read or is not in the voice's language, a value out of
        range, an unknown singer, labels of other phones, or curves of another length.
        """
        pitch = (vibrato, vibrato_depth, vibrato_rate, vibrato_delay, pitch_deviation)
        style = Style(*pitch, breathiness, gender)
        check_range("timing", timing, 0, 2)
        check_range("temperature", temperature, 0, 2)
        takes = [Retake(*one) for one in retake]
        if not all(0 <= number <= MAX_SEED for number in (seed, *(one.seed for one in takes))):
            raise DataError(f"the seed must lie in 0..{MAX_SEED}")
        if labels is not None and (tempo != 1 or timing != 1):
            raise DataError("labels give the times themselves: tempo and timing must be left at 1")
        number, name = self.find_singer(singer)
        if not isinstance(score, Score):
            path, lang = Path(score), lang or self.spec.codes[0]
            # First of all: lyrics of a language that is not sung need not be read.
            check_language(lang, self.spec, path)
            try:
                score = read_score(path, lang=lang, part=part, voice=voice, verse=verse, lyrics=lyrics)
            except NoLyrics as error:
                raise DataError(f"{error.what}; --lyrics gives it words", error.where) from None
            score = replace(score, title=score.title or path.stem)
        score = change(score, transpose, tempo)
        if not all(note.phones for note in score.notes):
            check_language(score.lang, self.spec, score.title or None)
            score = attach_phones(score)
        check_score(score, self.spec)
        where = "labels"
        if isinstance(labels, (str, os.PathLike)):
            labels, where = read_labels(labels), os.fspath(labels)
        imposed: Sequence[Segment] = ()
        if labels is not None:
            score, imposed = fit_labels(score, labels, where)
        last = len(score.notes) - 1
        for note in (note for one in takes for note in one.notes):
            if not 0 <= note <= last:
                raise DataError(f"there is no note {note} to retake; the song's are 0..{last}")
        takes.insert(0, Retake(range(last + 1), seed))
        end = max([score.duration, *(label.end for label in imposed[-1:])])
        if not drawn:
            score = replace(score, drawn=None)
        asked = self._curves(score.drawn, curves, end)
        phrases = split(score, imposed)
        number_of = np.arange(last + 1)
        if numbers is not None:
            number_of = np.asarray(numbers, np.int64)
            if number_of.shape != (last + 1,) or not ((number_of >= 0) & (number_of <= MAX_NUMBER)).all():
                raise DataError(f"{last + 1} numbers of notes are needed, each in 0..{MAX_NUMBER}")
        # Chance of frames hangs on the name: so it is that of the notes, wherever in the song they stand.
        names = [f"phrase{number_of[phrase.first_note]:04d}" for phrase in phrases]
        examples = [example_of(n, p.score, self.spec, number) for n, p in zip(names, phrases)]
        if imposed:
            lags = (time_lags(p.score, p.labels, self.spec.frame_shift) for p in phrases)
            lengths = (phone_durations(p.labels, self.spec.frame_shift) for p in phrases)
            timings = [Timing(lag.astype(np.float32), length) for lag, length in zip(lags, lengths)]
        elif kept is not None:
            timings = [self._kept_timing(example, timing, kept) for example in examples]
        else:
            timings = predict_timing(examples, self.timelag, self.duration, strength=timing)
        by_hand = by_hand or ByHand()
        timings = [by_hand.timed(t, p, self.spec.frame_shift) for t, p in zip(timings, phrases)]
        ready, config = TimedExamples(examples, timings), self.spec.feature_config
        how = (takes, temperature, style, asked, by_hand, number_of, config)
        return Plan(score, name, end, phrases, timings, ready, *how)

    def _kept_timing(self, example: Example, strength: float, kept: Kept) -> Timing:
        def make() -> Timing:
            return predict_timing([example], self.timelag, self.duration, strength=strength)[0]

        return kept.get(timing_key(example, strength), make)

    def _curves(
        self, drawn: Drawn | None, given: Mapping[str, np.ndarray] | str | os.PathLike | None, seconds: float
    ) -> Curves | None:
        """Those that are given, and what the score draws besides, as far as it can be heard."""
        shift, asked = self.spec.frame_shift, None
        if given:
            asked = (Curves.of if isinstance(given, Mapping) else Curves.read)(given, shift)
            asked.check_heard(self.vocoder)
            asked.check_length(seconds)
        if drawn is None:
            return asked
        own = Curves.of_score(drawn, seconds, shift)
        if unheard := own.unheard(self.vocoder):
            kind = self.vocoder.name
            names = ", ".join("pitch" if name == "f0" else name for name in unheard)
            leave_out(
                f"the {names} that the score draws cannot be heard: the vocoder, {kind}, does not allow it"
            )
        own = own.without(unheard)
        return own if asked is None else asked.beside(own)

    def sing(
        self,
        score: Score | str | os.PathLike,
        *,
        progress: Callable[[float], None] = lambda done: None,
        kept: Kept | None = None,
        **options: Any,
    ) -> Performance:
        """Sings a score.

        ``options`` are those of :meth:`plan`, which says what is refused; ``progress`` is called now and then
        with the part that is done, 0 to 1. With ``kept``, each phrase is sung by itself, and those that are
        there already are not sung again; without, many are sung at once, which is the same to 1e-4.
        """
        plan = self.plan(score, kept=kept, **options)
        pairs = self._together(plan, progress) if kept is None else self._one_by_one(plan, kept, progress)
        sung = [phrase for phrase, _ in pairs]
        rate = self.spec.sample_rate
        waveform = join([(phrase.start, wave) for phrase, wave in pairs], rate, plan.end)
        return Performance(waveform, rate, self.spec.frame_shift, plan.score, sung, plan.singer, self.spec)

    def _together(self, plan: Plan, progress: Callable[[float], None]) -> list[tuple[SungPhrase, np.ndarray]]:
        """Phrases and their sound, many at once."""
        sung = self.phrases(plan, range(len(plan.phrases)), lambda part: progress(part / 2))
        pairs: list[tuple[SungPhrase, np.ndarray]] = []
        waves = waveforms_in_turn(self.vocoder, [phrase.streams for phrase in sung], plan.takes[0].seed)
        for pair in zip(sung, waves):
            pairs.append(pair)
            progress(0.5 + 0.5 * len(pairs) / len(sung))
        return pairs

    def _one_by_one(
        self, plan: Plan, kept: Kept, progress: Callable[[float], None]
    ) -> list[tuple[SungPhrase, np.ndarray]]:
        """Phrases and their sound, where they are kept as they are there. Each is sung on its own, so that
        it is the same whatever else is sung.
        """
        keys = [phrase_key(plan, i) for i in range(len(plan.phrases))]
        # Taken first: what is new may push it out.
        made = {key: kept.get(key, tuple) for key in keys if key in kept}
        new = {key: i for i, key in enumerate(keys) if key not in made}
        sung: list[SungPhrase] = []
        for i in new.values():
            sung.append(self._alone(plan, i))
            progress(len(sung) / len(new) / 2)
        waves = waveforms_in_turn(self.vocoder, [phrase.streams for phrase in sung], plan.takes[0].seed)
        for done, (key, phrase, wave) in enumerate(zip(new, sung, waves), 1):
            made[key] = phrase, wave
            progress(0.5 + done / len(new) / 2)
        pairs: list[tuple[SungPhrase, np.ndarray]] = []
        for key, place in zip(keys, plan.phrases):
            phrase, wave = kept.get(key, partial(made.get, key), _size)
            here = {"start": place.start, "score": place.score, "first_note": place.first_note}
            pairs.append((replace(phrase, **here), wave))
        progress(1.0)
        return pairs

    def _alone(self, plan: Plan, number: int) -> SungPhrase:
        """A phrase, which depends on nothing but itself."""
        (phrase,) = self.phrases(as_drawn(plan, number), [number])
        return phrase

    def stream(
        self, score: Score | str | os.PathLike, *, seconds: float = AT_ONCE, **options: Any
    ) -> tuple[int, Iterator[np.ndarray]]:
        """Sings a score from its beginning on: what :meth:`sing` sings, to be heard while it is made.

        Args:
            seconds: that the vocoder makes at once, if it can make pieces of a phrase.
            options: those of :meth:`plan`.

        Returns how many samples there will be, and the samples as they come, float64 (some,) each.
        """
        plan = self.plan(score, **options)

        def parts(number: int) -> Iterator[np.ndarray]:
            (phrase,) = self.phrases(plan, [number])
            for piece in pieces_of(self.vocoder, [phrase.streams], plan.takes[0].seed, seconds):
                yield piece[0]

        rate, samples = self.spec.sample_rate, self.spec.feature_config.n_samples
        sizes = [samples(int(timing.duration.sum())) for timing in plan.timings]
        phrases = [Sounding(p.start, size, parts(i)) for i, (p, size) in enumerate(zip(plan.phrases, sizes))]
        return song_size(phrases, rate, plan.end), joined(phrases, rate, plan.end)

    def phrases(
        self, plan: Plan, chosen: Sequence[int], progress: Callable[[float], None] = lambda done: None
    ) -> list[SungPhrase]:
        """Some phrases of a song, by their numbers, with their features."""
        config, names, curves = self.spec.feature_config, self.acoustic.curves, plan.curves
        if curves is None:
            streams = self._features(plan, chosen, {}, progress)
        else:
            places = {i: (plan.ready[i].frames, plan.phrases[i].start) for i in chosen}
            drawn = {i: curves.of_phrase(*place, config) for i, place in places.items()}
            if any(f"{name}_change" in curves.values for name in names):
                # What curves are moved by counts from those that the model sings without being told any.
                own = self._features(plan, chosen, {})
                drawn = {i: mine.absolute(own[i], config, names) for i, mine in drawn.items()}
            told = {i: {n: mine.values[n] for n in names if n in mine.values} for i, mine in drawn.items()}
            streams = self._features(plan, chosen, told, progress)
            streams = {i: drawn[i].drawn(sung, config) for i, sung in streams.items()}
        pairs = [(plan.phrases[i], plan.timings[i], streams[i]) for i in chosen]
        return [SungPhrase(p.start, p.score, p.first_note, *timing, made) for p, timing, made in pairs]

    def _features(
        self,
        plan: Plan,
        chosen: Sequence[int],
        told: Mapping[int, dict[str, np.ndarray]],
        progress: Callable[[float], None] = lambda done: None,
    ) -> dict[int, dict[str, np.ndarray]]:
        """Streams of phrases by number; ``told``: curves (T,) of each that the acoustic model takes."""
        streams: dict[int, dict[str, np.ndarray]] = {}
        given = {i: {n: v[:, None].astype(np.float32) for n, v in by.items()} for i, by in told.items()}
        spans = [slice(p.first_note, p.first_note + len(p.score.notes)) for p in plan.phrases]
        seeds, done = np.zeros(len(plan.score.notes), np.int64), 0
        for notes, seed in plan.takes:
            anew = np.isin(np.arange(len(seeds)), notes)
            seeds[anew] = note_seeds(seed, plan.numbers.max() + 1)[plan.numbers][anew]
            indices = [i for i in chosen if anew[spans[i]].any()]
            ready = [replace(plan.ready[i], given=given.get(i, {})) for i in indices]
            seeded = [with_seeds(example, seeds[spans[i]]) for i, example in zip(indices, ready)]
            sung = predict_acoustic(seeded, self.acoustic, seed=seed, temperature=plan.temperature)
            for i, new in ((indices[k], new) for k, new in sung):
                if i in streams:
                    share = share_of_new(plan.ready[i], anew[spans[i]], self.spec.frame_shift)
                    new = join_takes(streams[i], new, share)
                streams[i] = new
                done += 1
                progress(done / (len(chosen) * len(plan.takes)))
        for i, sung in streams.items():
            last = with_seeds(plan.ready[i], seeds[spans[i]])
            styled = restyle(sung, last, self.spec, self.vocoder, plan.style)
            whose = (plan.phrases[i], self.spec, self.vocoder, plan.style)
            streams[i] = plan.by_hand.applied(styled, sung, last, *whose)
            if plan.curves is not None:
                streams[i] = self._at_pitch(streams[i], plan.curves, plan.phrases[i].start)
        return streams

    def _at_pitch(
        self, streams: dict[str, np.ndarray], curves: Curves, start: float
    ) -> dict[str, np.ndarray]:
        """Streams of a phrase with the F0 that is drawn; harmonics in mel spectra move along."""
        lf0 = curves.pitch(len(streams["lf0"]), start, self.spec.feature_config)
        if lf0 is None:
            return streams
        before = streams["lf0"]
        moved = streams | {"lf0": np.where(np.isnan(lf0), before[:, 0], lf0).astype(np.float32)[:, None]}
        return self.acoustic.repitched(moved, before)

    def find_singer(self, singer: int | str | None) -> tuple[int, str]:
        """Index and name of a singer given by either, the first for None. Raises DataError for others."""
        if singer is None:
            return 0, self.singers[0] if self.singers else "voice"
        if singer in self.singers:
            return self.singers.index(str(singer)), str(singer)
        text = str(singer)
        if text.isdecimal() and int(text) < len(self.singers):
            return int(text), self.singers[int(text)]
        known = ", ".join(self.singers) or "none by name"
        raise DataError(f"no singer {text!r} in this voice{nearest(text, self.singers)}; it knows: {known}")


def _size(made: tuple[SungPhrase, np.ndarray]) -> int:
    """Bytes of a phrase and its sound."""
    return made[1].nbytes + sum(value.nbytes for value in made[0].streams.values())
