"""What became of a folder of recordings: what is used, what is not and why, what to record next."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnsvs_lite.align.quality import FATAL
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.labels import DEVOICED
from nnsvs_lite.corpus.prepare import PARTS
from nnsvs_lite.evaluation.reference import group_notes
from nnsvs_lite.io.atomic import read_json, write_text
from nnsvs_lite.recordings.drafts import write_drafts
from nnsvs_lite.recordings.folder import listed
from nnsvs_lite.recordings.gather import KINDS, RECORD
from nnsvs_lite.recordings.split import split
from nnsvs_lite.report import plots
from nnsvs_lite.report.card import Coverage, coverage_map, lacking, length_names
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.languages.base import SILENCES

PAGE, TEXT = "recordings.html", "recordings.txt"
_WITH = {
    "labelled": "score and phone times",
    "scored": "score",
    "lyrics": "lyrics, its notes as they are heard",
}
_UNLIKE = 0.75


def gathered_text(out: str | os.PathLike) -> str:
    """What stage 0 made of each file, a line each."""
    record = read_json(Path(out) / RECORD)
    used = [row for row in record["takes"] if row["kind"]]
    seconds = sum(row["seconds"] for row in used)
    lines = [
        f"{len(used)} of {len(record['takes'])} recordings can be used, {seconds / 60:.1f} minutes, "
        f"sung by {record['speaker']} ({record['lang']})\n"
    ]
    lines.append(listed(f"{row['file']}: {'; '.join([_WITH[row['kind']], *row['remarks']])}" for row in used))
    lines.append(_not_used(record))
    return "".join(lines)


def _not_used(record: Mapping) -> str:
    rows = [f"{row['file']}: {row['why']}" for row in record["takes"] if not row["kind"]]
    text = f"not used: {len(rows)}\n" + listed(rows) if rows else ""
    passed = record["passed_over"]
    return text + (f"passed over: {len(passed)}\n" + listed(passed) if passed else "")


@dataclass
class _Song:
    """What of a recording is used."""

    row: Mapping
    kept: int = 0
    phrases: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)


def split_and_report(datadir: str | os.PathLike, align: str | os.PathLike | None) -> str:
    """Makes the sets, and ``recordings.txt`` and ``recordings.html`` beside them; returns the text.

    Args:
        datadir: what stage 0 wrote. align: the experiment folder of stage 1, if there was anything to align.

    Raises DataError where too little is left to train on.
    """
    datadir = Path(datadir)
    songs = [datadir / "songs" / kind for kind in KINDS if (datadir / "songs" / kind).is_dir()]
    drafted = [Path(align) / "draft" / "lyrics"] if align and (datadir / "songs" / "lyrics").is_dir() else []
    # Before anything can fail: they are what somebody would mend.
    record = read_json(datadir / RECORD)
    mend = record["drafts"]
    made = [path for data in drafted if mend for path in write_drafts(DataDir.read(data), mend)]
    split(songs, datadir, drafted)
    sets = {name: DataDir.read(datadir / name) for name in PARTS}
    found = _songs(record, sets, [*songs, *drafted], align)
    coverage, seconds = _coverage(sets, record["lang"])
    language = get_language(record["lang"])
    # Devoiced vowels are of labels alone: lyrics do not ask for them.
    unasked = {*SILENCES, *(DEVOICED if language.code == "ja" else ())}
    sung = [phone for phone in language.phones if phone not in unasked]
    held = [phone for phone in sung if phone in language.vowels]
    following = lacking(sung, coverage.phones, held, seconds, coverage)
    summary = _summary(record, sets, coverage, seconds)
    text = _text(record, summary, found, following)
    write_text(datadir / TEXT, text)
    _write_page(datadir / PAGE, record, summary, found, following, coverage, (sung, held))
    if made:
        text += f"drafted scores to mend: {', '.join(os.fspath(path) for path in made)}\n"
    return text + f"report: {datadir / PAGE}\n"


def _songs(
    record: Mapping, sets: Mapping[str, DataDir], dirs: Sequence[Path], align: str | os.PathLike | None
) -> list[_Song]:
    """Each usable recording with its phrases, and why some of them are left out."""
    found = {row["id"]: _Song(row) for row in record["takes"] if row["kind"]}
    for data in sets.values():
        for utt in data.utts:
            song = found[data.segments[utt][0]]
            song.kept += 1
            song.seconds += data.duration(utt)
    path = Path(align) / "report.json" if align else None
    judged = read_json(path)["utterances"] if path and path.exists() else {}
    for data in map(DataDir.read, dirs):
        for utt in data.utts if data.scores else ():
            rec, start, end = data.segments.get(utt) or (utt, 0.0, float("inf"))
            song, judgement = found[rec], judged.get(rec)
            if judgement is None or data.labels.get(utt):
                continue
            kinds = [fault for fault in judgement["faults"] if start <= fault["time"] <= end]
            why = [fault["text"] for fault in kinds if fault["kind"] in FATAL]
            reason = why[0] if why and not judgement["whole"] else judgement["rejected"] or "not aligned"
            at = "" if end == float("inf") else f"{start:.1f} to {end:.1f} s: "
            song.lost.append(at + reason)
    for name, song in found.items():
        song.phrases = song.kept + len(song.lost)
        if name in judged and song.kept and judged[name]["vowels"] < _UNLIKE:
            share = 1 - judged[name]["vowels"]
            song.row["remarks"].append(f"{share:.0%} of its vowels sound like others: are these its words?")
    return list(found.values())


def _coverage(sets: Mapping[str, DataDir], lang: str) -> tuple[Coverage, float]:
    """Coverage of all sets, and the seconds of singing in them."""
    coverage = Coverage()
    for data in sets.values():
        for utt in data.utts:
            score, labels = data.scores[utt], data.labels[utt]
            spans = group_notes(score, score.note_index).spans(labels)
            coverage.add(score, labels, [s.label for s in labels], spans[:, 1] - spans[:, 0])
    return coverage, sum(coverage.seconds.values())


def _summary(
    record: Mapping, sets: Mapping[str, DataDir], coverage: Coverage, seconds: float
) -> list[tuple[str, str]]:
    """The figures of all recordings, in words."""
    used = [row for row in record["takes"] if row["kind"]]
    whole, good = (sum(row["seconds"] for row in rows) / 60 for rows in (record["takes"], used))
    span = coverage.range
    by_pitch = Counter()
    for (_, pitch), length in coverage.seconds.items():
        by_pitch[pitch] += length
    low, middle, high = map(plots.note_name, (span[0], _median(by_pitch), span[-1]))
    parts = ", ".join(f"{len(data.utts)} in {name}" for name, data in sets.items())
    return [
        ("recordings", f"{len(used)} of {len(record['takes'])} used, {good:.1f} of {whole:.1f} minutes"),
        ("phrases", f"{sum(len(data.utts) for data in sets.values())}: {parts}"),
        ("singing", f"{seconds / 60:.1f} minutes without rests, {int(coverage.lengths.sum())} notes"),
        ("range of the notes", f"{low} to {high}, half of the singing up to {middle}"),
        ("phones", f"{len([p for p in coverage.phones if p not in SILENCES])} different ones"),
    ]


def _median(seconds: Mapping[int, float]) -> int:
    """The pitch below which half of the singing lies."""
    half, total = sum(seconds.values()) / 2, 0.0
    for pitch in sorted(seconds):
        total += seconds[pitch]
        if total >= half:
            return pitch
    return 0


def _text(
    record: Mapping,
    summary: Sequence[tuple[str, str]],
    songs: Sequence[_Song],
    following: Sequence[tuple[str, str]],
) -> str:
    """The report as text."""
    lines = [f"recordings of {record['speaker']} ({record['lang']})\n"]
    lines.append(listed(f"{name}: {value}" for name, value in summary))
    for song in songs:
        kind = "; ".join([_WITH[song.row["kind"]], *song.row["remarks"]])
        lines.append(f"{song.row['file']}: {song.kept} of {song.phrases} phrases; {kind}\n")
        lines.append(listed(f"left out, {why}" for why in song.lost))
    lines.append(_not_used(record))
    lines.append(
        "to record next:\n" if following else "every phone, pitch and length is there often enough\n"
    )
    lines.append(listed(f"{kind}: {which}" for kind, which in following))
    return "".join(lines)


def _write_page(
    path: Path,
    record: Mapping,
    summary: Sequence[tuple[str, str]],
    songs: Sequence[_Song],
    following: Sequence[tuple[str, str]],
    coverage: Coverage,
    phones: tuple[Sequence[str], Sequence[str]],
) -> None:
    import jinja2

    loader = jinja2.PackageLoader("nnsvs_lite.report")
    blocks = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    page = jinja2.Environment(loader=loader, autoescape=True, **blocks).get_template("recordings.html.j2")
    text = page.render(
        comparison=None,
        record=record,
        summary=summary,
        songs=songs,
        kinds=_WITH,
        unused=[row for row in record["takes"] if not row["kind"]],
        following=following,
        map=coverage_map(*phones, coverage),
        lengths=list(zip(length_names(), coverage.lengths)),
    )
    write_text(path, text)
