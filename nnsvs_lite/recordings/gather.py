"""Stage 0 of a folder of recordings: data dirs of whole songs, each score in its recording's time."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from nnsvs_lite.align.draft import unplaced
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.labels import reconcile
from nnsvs_lite.features.audio import write_audio
from nnsvs_lite.io.atomic import atomic_dir, write_json
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.done import Done, portable
from nnsvs_lite.io.errors import DataError, printable
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.leftout import STRICT, listening, strictly
from nnsvs_lite.io.tables import bad_id, write_table
from nnsvs_lite.recordings.drafts import mended_drafts
from nnsvs_lite.recordings.folder import Take, find_takes, read_lyrics
from nnsvs_lite.recordings.place import place_score
from nnsvs_lite.recordings.sound import read_recording
from nnsvs_lite.score.formats.assemble import NoLyrics
from nnsvs_lite.score.formats.labelfile import read_times
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score

RATE = 48000
"""Hz of the recordings as they are kept."""
KINDS = ("labelled", "scored", "lyrics")
"""Data dirs of songs: with phone times, with scores alone, with lyrics alone."""
RECORD = "recordings.json"


@dataclass
class Gathered:
    """What became of a take.

    Attributes:
        id: of the song, with the speaker. file: the recording, within its folder. seconds: its length.
        kind: one of :data:`KINDS`; empty where it cannot be used. why: the reason then.
        remarks: what else should be known.
    """

    id: str
    file: str
    seconds: float = 0.0
    kind: str = ""
    why: str = ""
    remarks: list[str] = field(default_factory=list)
    score: Score | None = None
    labels: list[Segment] = field(default_factory=list)
    lyrics: str = ""


def gather(
    root: str | os.PathLike,
    out: str | os.PathLike,
    *,
    lang: str,
    speaker: str = "me",
    drafts: str | os.PathLike | None = None,
    jobs: int = 1,
) -> list[Gathered] | None:
    """Writes ``out/songs/<kind>``, ``out/wav`` and ``out/recordings.json``; returns what became of each take.

    Args:
        root: the folder of recordings. lang: language of the lyrics. speaker: the singer's id.
        drafts: a folder of drafted scores; those that were mended count as scores.

    Returns None where all was done before.

    Raises DataError for an unknown language, an id that cannot be one, or where no recording can be used.
    """
    root, out = Path(root), Path(out)
    get_language(lang)
    if what := bad_id(speaker):
        raise DataError(what, "--speaker")
    for inside in filter(None, (out, drafts)):
        if Path(inside).resolve().is_relative_to(root.resolve()):
            what = "would be taken for recordings: keep those in a folder of their own"
            raise DataError(f"{inside} lies in the folder of recordings, and {what}", root)
    found = find_takes(root)
    mended = mended_drafts(drafts) if drafts else {}
    options = {"lang": lang, "speaker": speaker, "rate": RATE, "strict": STRICT.get()}
    options |= {"drafts": portable(drafts) if drafts else "", "version": 1}
    done = Done(out, "gather", [root, *mended.values()], options)
    if done.is_current():
        return None
    if not found.takes:
        more = f" ({'; '.join(found.passed_over[:3])})" if found.passed_over else ""
        raise DataError(f"no recording is here that can be read{more}", root)
    for take in found.takes:
        take.id = f"{speaker}_{take.id}"
        if take.id in mended:
            take.remarks.append(f"its score is the draft that was mended, {mended[take.id]}")
            take.score = mended[take.id]
    with atomic_dir(out / "wav") as new:
        job = partial(_hear, root, new, lang, STRICT.get())
        heard = list(run_jobs(job, found.takes, jobs))
        usable = [row for row in heard if row.kind]
        if not usable:
            more = f" (and {len(heard) - 1} more)" if len(heard) > 1 else ""
            raise DataError(f"no recording can be used: {heard[0].file}: {heard[0].why}{more}", root)
        done.clear()
    outputs = _write(out, usable, speaker, lang)
    rows = [{k: v for k, v in asdict(row).items() if k not in ("score", "labels", "lyrics")} for row in heard]
    record = {"speaker": speaker, "lang": lang, "drafts": options["drafts"]}
    write_json(out / RECORD, record | {"takes": rows, "passed_over": found.passed_over})
    wavs = [out / "wav" / f"{row.id}.wav" for row in usable]
    # Stage 1 moves scores, and carves the breaths that it hears into them.
    done.set([out / RECORD, *wavs], outputs)
    return heard


def _write(out: Path, usable: Sequence[Gathered], speaker: str, lang: str) -> list[Path]:
    """The data dirs; those of kinds that there are no longer are removed."""
    made: list[Path] = []
    shutil.rmtree(out / "songs", ignore_errors=True)
    dirs = {kind: DataDir(out / "songs" / kind, {}, {}) for kind in KINDS}
    for row in usable:
        data = dirs[row.kind]
        data.wavs[row.id] = out / "wav" / f"{row.id}.wav"
        if row.score is not None:
            data.put(row.id, speaker, replace(row.score, title=row.file), row.labels)
        else:
            data.utt2spk[row.id], data.utt2lang[row.id], data.text[row.id] = speaker, lang, row.lyrics
    for data in dirs.values():
        if data.utt2spk:
            # For people: an id has few of the letters of a name in kana.
            files = {row.id: printable(row.file) for row in usable if row.id in data.utt2spk}
            write_table(data.write().path / "utt2file", files)
            made += sorted(data.path.iterdir())
    return made


def _hear(root: Path, wavs: Path, lang: str, strict: bool, take: Take) -> Gathered:
    """One job: reads a take's files and writes its audio, unless it cannot be used."""
    row = Gathered(take.id, os.fspath(take.audio.relative_to(root)), remarks=list(take.remarks))
    try:
        x, said = read_recording(take.audio, RATE)
        row.seconds = round(len(x) / RATE, 3)
        row.remarks += said
        with strictly(strict), listening() as left_out:
            _understand(row, take, x, lang)
        row.remarks += left_out
    except DataError as error:
        # The row names the recording: another file is named here.
        where = "" if error.where in (None, os.fspath(take.audio)) else f"{Path(error.where).name}: "
        row.kind, row.why = "", printable(where + error.what)
        return row
    write_audio(wavs / f"{row.id}.wav", x, RATE, peak=1.0)
    return row


def _understand(row: Gathered, take: Take, x, lang: str) -> None:
    """Finds out what is sung in samples (n,), and where. Raises DataError where that cannot be."""
    if take.score is None and take.lyrics is None:
        names = f"{take.audio.stem}.musicxml (or .mid, .ust, ...) or its lyrics as {take.audio.stem}.txt"
        labels = "; labels alone do not tell the notes" if take.times else ""
        raise DataError(f"neither a score nor lyrics are beside it: add {names}{labels}")
    if take.score is None:
        row.lyrics = read_lyrics(take.lyrics, lang)
        unplaced(row.lyrics, lang, take.lyrics.name)
        row.kind = "lyrics"
        row.remarks += [f"{take.times.name} is not used: labels need a score"] if take.times else []
        return
    try:
        score = read_score(take.score, lang=lang)
        row.remarks += [f"{take.lyrics.name} is not used: the score has the words"] if take.lyrics else []
    except NoLyrics as error:
        if take.lyrics is None:
            names = f"{take.audio.stem}.txt, a syllable for each note"
            raise DataError(
                f"{error.what}; write them in the score, or beside it as {names}", error.where
            ) from None
        # Were they more or fewer, most would stand on wrong notes.
        with strictly():
            score = read_score(take.score, lang=lang, lyrics=take.lyrics)
        row.remarks.append(f"{take.lyrics.name} has the words of the score, which has none")
    if take.times is not None:
        try:
            found = reconcile(score, read_times(take.times), where=take.times.name, duration=row.seconds)
            row.kind, row.score, row.labels = "labelled", found.score, found.labels
            row.remarks += found.remarks
            return
        except DataError as error:
            if STRICT.get():
                raise
            row.remarks.append(f"aligned by its score, since its labels cannot be used: {error}")
    row.score, said = place_score(score, x, RATE)
    row.remarks += said
    row.kind = "scored"
