"""The door to corpora whose pitch is known: from their files to a folder of truths."""

import os
from pathlib import Path

from nnsvs_lite.corpora import reading
from nnsvs_lite.corpus.check_audio import audio_info
from nnsvs_lite.corpus.facts import Facts, known_corpora, read_facts
from nnsvs_lite.corpus.gather import LEAVE_OUT, safe_id
from nnsvs_lite.corpus.tree import Found, find_root, find_songs
from nnsvs_lite.corpus.truth import KnownPitch, write_truths
from nnsvs_lite.io.atomic import atomic_path, write_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.settings import find_config

TRUTHS = "pitch1"


def prepare_truths(
    name: str, db_root: str | os.PathLike, out: str | os.PathLike, bad_songs: str | None = None
) -> str:
    """Prepares the corpus at ``db_root`` as :mod:`nnsvs_lite.corpus.truth` has it, unless it is up to date.

    Args:
        bad_songs: ``leave-out`` goes on without recordings that cannot be used, and names them in
            ``refused.txt``.

    Returns a line on what there is.

    Raises DataError for an unknown corpus, and where a recording cannot be used.
    """
    known = known_corpora(TRUTHS)
    if name not in known:
        raise DataError(
            f"no corpus {name!r} with known pitch{nearest(name, known)}; known: {', '.join(known)}"
        )
    facts, out = read_facts(name), Path(out)
    root = find_root(facts, db_root)
    done = Done(out, "prepare", [root, find_config("corpus", name)], {"corpus": name, "bad_songs": bad_songs})
    report = out / "refused.txt"
    if done.is_current():
        return f"{out} is up to date"
    done.clear()
    read = reading(facts, "truth", "read_truth")
    songs, faults = find_songs(facts, root)
    refused = [DataError(fault.partition(": ")[2], fault.partition(": ")[0]) for fault in faults]
    wavs: dict[str, Path] = {}
    truths: dict[str, KnownPitch] = {}
    for found in songs:
        try:
            truth = read(found, root)
            utt, singer = _ids(facts, found, truth)
            if utt in truths:
                raise DataError(f"its id {utt!r} is that of {wavs[utt]}", found.files["wav"])
            wavs[utt] = _voice(found.files["wav"], truth.channel, out / "wav" / f"{utt}.wav")
            truths[utt] = truth._replace(singer=singer, group=" ".join(truth.group.split()))
        except DataError as error:
            refused.append(error)
    write_text(report, "".join(f"{error}\n" for error in refused))
    if refused and bad_songs != LEAVE_OUT:
        more = f" ({len(refused) - 1} more are refused, see {report})" if len(refused) > 1 else ""
        raise DataError(f"{refused[0].what}{more}; --bad-songs {LEAVE_OUT} goes on without", refused[0].where)
    if not truths:
        raise DataError("not one recording can be used", root)
    tables = write_truths(out, wavs, truths)
    write_text(out / "LICENSE", facts.notice)
    done.set([*tables, out / "LICENSE", *(path for path in wavs.values() if path.is_relative_to(out))])
    f0, notes = (
        sum(map(bool, part)) for part in zip(*((t.f0 is not None, t.notes) for t in truths.values()))
    )
    return f"{out}: {len(truths)} recordings, {f0} with F0, {notes} with notes, {len(refused)} refused"


def _ids(facts: Facts, found: Found, truth: KnownPitch) -> tuple[str, str]:
    singer = safe_id(f"{facts.name}_{truth.singer}")
    return safe_id("_".join(filter(None, (singer, found.song, found.part)))), singer


def _voice(wav: Path, channel: int | None, out: Path) -> Path:
    """The recording, or a copy of one of its channels at ``out``; raises DataError where it lacks that."""
    import soundfile

    info = audio_info(wav)
    if info.fault:
        raise DataError(f"audio: {info.fault}", wav)
    if channel is None:
        if info.channels != 1:
            raise DataError(f"has {info.channels} channels, one is expected", wav)
        return wav.resolve()
    if info.channels <= channel:
        raise DataError(f"has {info.channels} channels; the voice is expected on number {channel + 1}", wav)
    x, rate = soundfile.read(wav, always_2d=True)
    with atomic_path(out) as tmp:
        soundfile.write(tmp, x[:, channel], rate, format="WAV", subtype="PCM_16")
    return out
