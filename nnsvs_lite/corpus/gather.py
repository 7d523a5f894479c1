"""What a corpus' reader gathers: its songs, what was mended in them, and those that are refused."""

import dataclasses
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from nnsvs_lite.corpus.agree import agree, spelt
from nnsvs_lite.corpus.check_audio import audio_info
from nnsvs_lite.corpus.crossed import uncross
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.facts import UNITS, Facts, Quirk, read_split
from nnsvs_lite.corpus.labels import check_unit, clipped, plain, reconcile, rest_like
from nnsvs_lite.corpus.prepare import finish
from nnsvs_lite.corpus.quirks import known, mend_labels, mend_score
from nnsvs_lite.corpus.segment import cut_labels
from nnsvs_lite.corpus.tree import Found, find_root, find_songs
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.leftout import listening, reading
from nnsvs_lite.io.packed import Packed
from nnsvs_lite.score.formats.htslabel import read_lab
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.languages.base import SILENCE_ALIASES
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Score, joined_rests

LEAVE_OUT = "leave-out"


def safe_id(text: str) -> str:
    """A name as ids may have it: blanks are ``_``, other signs their code points (``u7f8e``)."""
    return "".join(
        c if c.isascii() and (c.isalnum() or c in "._-") else "_" if c.isspace() else f"u{ord(c):04x}"
        for c in text
    )


class Gathering:
    """Songs of one corpus on their way to data dirs.

    Attributes:
        root: the corpus' top folder. data: what was gathered. report: what was mended, a line each.
        refused: songs that cannot be used, and why. usual_split: the split, if not the corpus' default one.
    """

    def __init__(
        self, facts: Facts, db_root: str | os.PathLike, out: str | os.PathLike, bad_songs: str | None = None
    ) -> None:
        if bad_songs not in (None, "stop", LEAVE_OUT):
            raise DataError(f"--bad-songs must be stop or {LEAVE_OUT}, not {bad_songs!r}")
        self.facts, self.out, self.bad_songs = facts, Path(out), bad_songs
        self.root = find_root(facts, db_root)
        self.data = DataDir(path=self.root, wavs=Packed(), utt2spk={})
        self.report: list[str] = []
        self.refused: dict[str, DataError] = {}
        self.usual_split: str | None = None
        self.names: dict[str, list[str]] = defaultdict(list)
        self._unused = {id(quirk): quirk for quirk in facts.quirks}

    def songs(self) -> list[Found]:
        """The corpus' songs; those that lack a file are refused, or left out where that is a known fault."""
        found, faults = find_songs(self.facts, self.root)
        for fault in faults:
            name, _, what = fault.partition(": ")
            self.refused[name] = DataError(what, name)
        for quirk in (quirk for quirk in self.facts.quirks if quirk.drop):
            here = [row.name for row in found if quirk.song in (row.name, row.song)]
            here += [name for name in self.refused if name == quirk.song]
            for name in here:
                self.quirks(quirk.song)
                self.refused.pop(name, None)
                self.report.append(f"{name}: {known(quirk)}: left out\n")
            found = [row for row in found if row.name not in here]
        return found

    def quirks(self, song: str) -> list[Quirk]:
        """The known faults of a song."""
        found = [quirk for quirk in self.facts.quirks if quirk.song == song]
        for quirk in found:
            self._unused.pop(id(quirk), None)
        return found

    @contextmanager
    def song(self, name: str) -> Iterator[list[str]]:
        """Takes the remarks on one song; a DataError within refuses that song alone."""
        remarks: list[str] = []
        try:
            with listening() as left_out:
                yield remarks
            remarks += left_out
        except DataError as error:
            self.refused[name] = error
        self.report += [f"{name}: {remark}\n" for remark in remarks]

    def score(self, path: Path, song: str, remarks: list[str], lang: str) -> Score:
        """A song's score with phones, its known faults mended and moved by the known offset."""
        quirks = self.quirks(song)
        tempo = next((quirk.tempo for quirk in quirks if quirk.tempo), None)
        options = {} if tempo is None else {"tempo": tempo}
        _check_encoding(path)
        score = read_score(path, lang=lang, phones=False, **options)
        if tempo is not None:
            remarks += [f"{known(quirk)}: the tempo is {tempo:g}" for quirk in quirks if quirk.tempo]
        notes = mend_score(score.notes, quirks, remarks)
        readings = self.facts.readings
        notes = [
            dataclasses.replace(note, lyric=f"{note.lyric}[{readings[note.lyric]}]")
            if note.lyric in readings
            else note
            for note in notes
        ]
        with reading(path):
            score = attach_phones(dataclasses.replace(score, notes=tuple(notes)), where=path)
        score = dataclasses.replace(score, notes=tuple(joined_rests(score.notes)), title=song)
        return _late(score, self.facts.offsets.get(song, 0) / 1000)

    def labels(self, found: Found, remarks: list[str], lang: str, seconds: float) -> list[Segment]:
        """A song's phone times in seconds under the language's names, its known faults mended.

        ``seconds`` is the length of the recording, by which a wrong unit shows.
        """
        path = found.files["label"]
        rows = read_lab(path, UNITS[self.facts.unit])
        check_unit(rows, seconds, str(path), "recording")
        silences = get_language(lang).silences
        sung = (row for row in reversed(rows) if row.label not in (*silences, *SILENCE_ALIASES))
        last = next((row for row in sung if row.start > seconds), None)
        if last is not None:
            what = (
                f"{last.label!r} begins at {last.start:.3f} s, after the recording's end at {seconds:.3f} s"
            )
            raise DataError(what, path)
        return self.checked(rows, found, remarks, lang)

    def checked(self, rows: Sequence[Segment], found: Found, remarks: list[str], lang: str) -> list[Segment]:
        """Phone times with boundaries in order, known faults mended, under the language's names.

        Raises DataError at a label that is none of its phones.
        """
        language, path = get_language(lang), found.files["label"]
        rows = uncross(rows, remarks)
        rows = plain(_renamed(rows, self.facts.phones, remarks), language)
        rows = mend_labels(rows, self.quirks(found.song), frozenset(language.silences), remarks)
        for row in rows:
            if row.label not in language:
                hint = nearest(row.label, language.phones)
                raise DataError(
                    f"{row.start:.3f} s: {row.label!r} is no phone of {language.name}{hint}", path
                )
        return rows

    def add(
        self,
        found: Found,
        wav: Path,
        score: Score,
        rows: Sequence[Segment],
        remarks: list[str],
        *,
        where: str | os.PathLike | None = None,
    ) -> None:
        """Adds a song: labels and score are brought to one sequence of phones. ``where`` is for messages.

        Raises DataError where that cannot be, or the audio cannot be read.
        """
        utt, speaker, seconds = self._enter(found, wav)
        language = get_language(score.lang)
        place, begin = str(where or wav), 0.0
        for quirk in self.quirks(found.song):
            if quirk.begin > len(rows) > 0:
                raise DataError(f"{known(quirk)}: there are {len(rows)} labels, not {quirk.begin}", place)
            if quirk.begin and rows:
                begin = rows[quirk.begin - 1].start
                rows = cut_labels(rows[quirk.begin - 1 :], begin, rows[-1].end)
                score = _late(score, -begin)
                remarks.append(f"{known(quirk)}: the song begins at {begin:.3f} s, label {quirk.begin}")
        if rows:
            notes, rows = agree(score.notes, rows, language, place, remarks)
            score = dataclasses.replace(score, notes=tuple(notes))
            result = reconcile(score, rows, where=place, duration=seconds - begin)
            score, rows = spelt(result.score), result.labels
            remarks += result.remarks
        else:
            score = _fitted(score, seconds, place)
        if begin:
            self.data.segments[utt] = (utt, begin, seconds)
        self._keep(found, utt, wav)
        self.data.put(utt, speaker, score, list(rows))

    def add_text(self, found: Found, wav: Path, text: str, lang: str) -> None:
        """Adds a phrase of which nothing but the lyrics is known. Raises as :meth:`add`."""
        utt, speaker, _ = self._enter(found, wav)
        self._keep(found, utt, wav)
        self.data.utt2spk[utt], self.data.text[utt], self.data.utt2lang[utt] = speaker, text, lang

    def _enter(self, found: Found, wav: Path) -> tuple[str, str, float]:
        """Id and speaker of a song, and the seconds of its recording."""
        speaker = safe_id("_".join(filter(None, (self.facts.name, found.singer))))
        utt = safe_id("_".join(filter(None, (speaker, found.song, found.part.replace("#", "_")))))
        if utt in self.data.utt2spk:
            raise DataError(f"its id {utt!r} is that of another song", wav)
        info = audio_info(wav)
        if info.fault:
            raise DataError(f"audio: {info.fault}", wav)
        return utt, speaker, info.seconds

    def _keep(self, found: Found, utt: str, wav: Path) -> None:
        """Notes where a song is, and the names by which splits may call it."""
        self.data.wavs[utt] = wav.resolve()
        names = {found.song, f"{found.singer}#{found.song}", found.name, utt, found.singer}
        for name in names - {""}:
            self.names[name].append(utt)

    def finish(
        self,
        *,
        split: str | None = None,
        eval_songs: Iterable[str] | None = None,
        dev_songs: Iterable[str] | None = None,
        dev_phrases: int | None = None,
        **cutting: float,
    ) -> dict[str, DataDir]:
        """Writes the data dirs with the corpus' licence, and ``reconciled.txt``.

        Args:
            split: one of ``conf/split/<name>.yaml``; its default one if not given.
            eval_songs: songs by name, in place of those of the split; ``dev_songs`` likewise.
            dev_phrases: as for :func:`nnsvs_lite.corpus.prepare.finish`, and so is what follows.

        Raises DataError where songs are refused, unless they are to be left out, and where the split has no
        song that is here.
        """
        for quirk in self._unused.values():
            if not any(quirk.song == name for name in self.refused):
                self.report.append(f"{quirk.song}: known fault ({quirk.what}): there is no such song here\n")
        self.report += [f"{name}: refused: {error}\n" for name, error in self.refused.items()]
        write_text(self.out / "reconciled.txt", "".join(self.report))
        if self.refused and self.bad_songs != LEAVE_OUT:
            first = next(iter(self.refused.values()))
            count = len(self.refused)
            more = (
                f" ({count - 1} songs more are refused, see {self.out}/reconciled.txt)" if count > 1 else ""
            )
            raise DataError(f"{first.what}{more}; --bad-songs {LEAVE_OUT} goes on without", first.where)
        for utt in self.data.utts if self.data.segments else ():
            self.data.segments.setdefault(utt, (utt, 0.0, audio_info(self.data.wavs[utt]).seconds))
        told = ""
        if eval_songs is None:
            split, chosen = read_split(self.facts.name, split or self.usual_split)
            if chosen.every:
                songs = sorted({name for name in self.names if name.count("#") == 1})
                chosen = dataclasses.replace(
                    chosen, eval=songs[:: chosen.every], dev=songs[1 :: chosen.every]
                )
            eval_songs = self._listed(chosen.eval, "eval", split)
            told = f"{split} of conf/split/{self.facts.name}.yaml ({chosen.source})"
            told += " with other dev songs" if dev_songs is not None else ""
            if dev_songs is None:
                dev_songs = self._listed(chosen.dev, "dev", split) if chosen.dev else ()
                if dev_phrases is None and chosen.dev_phrases is not None:
                    # A part of the corpus keeps something to train on.
                    dev_phrases = min(chosen.dev_phrases, max(1, len(self.data.utts) // 10))
        else:
            eval_songs = self._chosen(eval_songs)
        dev_songs = self._chosen(dev_songs or ())
        parts = finish(
            self.data,
            self.out,
            eval_songs=eval_songs,
            dev_songs=dev_songs,
            dev_phrases=dev_phrases,
            # What the tree calls parts of songs are phrases already.
            cut="{part}" not in self.facts.tree["wav"],
            told=told,
            **cutting,
        )
        for part in parts.values():
            write_text(part.path / "LICENSE", self.facts.notice)
        return parts

    def _listed(self, names: Sequence[str], part: str, split: str) -> list[str]:
        """Ids of a split's songs; those that are not here are reported, none at all is a fault."""
        missing = [name for name in names if name not in self.names]
        if len(missing) == len(names):
            raise DataError(
                f"split {split!r} has none of its {part} songs here ({', '.join(names)}); name others with"
                " --eval-songs and --dev-songs",
                self.root,
            )
        if missing:
            said = f"split {split}: {part} songs that are not here: {', '.join(missing)}\n"
            self.report.append(said)
            write_text(self.out / "reconciled.txt", "".join(self.report))
        return [utt for name in names if name in self.names for utt in self.names[name]]

    def _chosen(self, names: Iterable[str]) -> list[str]:
        """Ids of songs by exact names or ids."""
        ids: list[str] = []
        for name in names:
            if name not in self.names:
                known = sorted(
                    name for name in self.names if "#" not in name and name not in self.data.utt2spk
                )
                raise DataError(
                    f"no song {name!r}{nearest(name, self.names)}; there are {', '.join(known[:60])}",
                    self.root,
                )
            ids += self.names[name]
        return ids


def _fitted(score: Score, seconds: float, where: str) -> Score:
    """A score whose closing rest ends with the recording; raises DataError where its notes last longer."""
    sung = max((note.end for note in score.notes if not note.is_rest), default=0.0)
    if sung > seconds + 0.5:
        raise DataError(f"the last note ends at {sung:.3f} s, the recording at {seconds:.3f} s", where)
    last = score.notes[-1]
    start = last.start if last.is_rest else last.end
    if seconds < start + 0.02:
        return score
    rest = clipped(last, start, seconds) if last.is_rest else rest_like(last, start, seconds)
    notes = score.notes[:-1] if last.is_rest else score.notes
    return dataclasses.replace(score, notes=(*notes, rest))


def _check_encoding(path: Path) -> None:
    """Refuses MusicXML that is saved otherwise than it says: the parser's message tells nobody why."""
    if path.suffix not in (".xml", ".musicxml"):
        return
    data = path.read_bytes()
    stated = re.search(rb"<\?xml[^>]*encoding=[\"']([\w-]+)", data[:200])
    if stated is None or stated[1].upper() == b"UTF-8":
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            raise DataError(
                "is not UTF-8 text, as it says; it can be read as CP932: save it as UTF-8", path
            ) from None


def _renamed(rows: Sequence[Segment], phones: Mapping[str, str | None], remarks: list[str]) -> list[Segment]:
    """Labels under this toolkit's names; what is no phone gives its time to the one after it, or before."""
    result: list[Segment] = []
    start = None
    gone = 0
    for row in rows:
        name = phones.get(row.label, row.label)
        if name is None:
            gone += 1
            start = row.start if start is None else start
            continue
        result.append(Segment(row.start if start is None else start, row.end, name))
        start = None
    if start is not None and result:
        result[-1] = result[-1]._replace(end=rows[-1].end)
    if gone:
        names = ", ".join(sorted(name for name, value in phones.items() if value is None))
        remarks.append(f"{gone} labels that are no phones ({names}) were given to their neighbours")
    return result


def _late(score: Score, seconds: float) -> Score:
    """The score, with its first rest longer or shorter, so that all else is ``seconds`` later."""
    first = score.notes[0]
    if not seconds or not first.is_rest or first.end + seconds < 0.02:
        return score
    notes = [
        dataclasses.replace(first, end=first.end + seconds, beats=(first.end + seconds) * first.tempo / 60)
    ]
    for note in score.notes[1:]:
        notes.append(
            dataclasses.replace(note, start=round(note.start + seconds, 7), end=round(note.end + seconds, 7))
        )
    timeline = None if score.timeline is None else score.timeline.moved(seconds)
    return dataclasses.replace(score, notes=tuple(notes), timeline=timeline)
