"""Mends the form of a data dir, in a new one."""

import os
from pathlib import Path

from nnsvs_lite.corpus.check_audio import PIPE
from nnsvs_lite.corpus.faults import Faults, TableRow, read_rows
from nnsvs_lite.corpus.prepare import PROVENANCE, SPLIT
from nnsvs_lite.io.atomic import atomic_dir, read_text, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import write_table

_REPEATS = frozenset({"label.ctm", "align.ctm"})
_TEXTS = ("LICENSE", "phone_set", SPLIT, PROVENANCE)
"""What of a data dir is no table, and stays as it is."""


def fix(source: str | os.PathLike, target: str | os.PathLike) -> list[str]:
    """Writes a mended copy of a data dir and leaves the source as it is.

    Tables are sorted, line ends are made Unix ones, empty lines, lines that are not
    UTF-8 and repeated ids go (the first of them stays), ``spk2utt`` is made from
    ``utt2spk``, labels are put in order of time, and utterances that are not in all
    of ``utt2spk``, ``text``, ``score`` and, if it is there, ``segments`` are left out
    of all tables.

    Returns:
        what was done, a sentence each.

    Raises DataError where the source is not a data dir or has a shell pipe in its ``wav.scp``, or the target
    exists.
    """
    source, target = Path(source), Path(target)
    if not (source / "utt2spk").is_file():
        raise DataError("no such file; a data dir needs it", source / "utt2spk")
    if target.exists():
        raise DataError("exists already; name a new folder", target)
    remarks: list[str] = []
    tables: dict[str, list[TableRow]] = {}
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name not in ("spk2utt", *_TEXTS) and not path.name.startswith("."):
            faults = Faults()
            tables[path.name] = read_rows(path, faults, repeats=path.name in _REPEATS)
            remarks += map(str, faults.sorted())
    for row in tables.get("wav.scp", ()):
        if row.value.startswith("|") or row.value.endswith("|"):
            raise DataError(PIPE, f"{source / 'wav.scp'}:{row.line}")
    keep = {row.key for row in tables["utt2spk"]}
    for name in ("text", "score", "segments"):
        if name in tables:
            keep &= {row.key for row in tables[name]}
    for name, rows in tables.items():
        if name in ("wav.scp", "reco2dur") and "segments" in tables:
            wanted = {row.value.split()[0] for row in tables["segments"] if row.key in keep}
        else:
            wanted = keep
        dropped = sorted({row.key for row in rows} - wanted)
        if dropped:
            remarks.append(f"{source / name}: left out, for want of a line elsewhere: {' '.join(dropped)}")
        tables[name] = [row for row in rows if row.key in wanted]
    with atomic_dir(target) as tmp:
        for name, rows in tables.items():
            rows.sort(key=_time if name in _REPEATS else lambda row: row.key)
            write_text(tmp / name, "".join(f"{key} {value}\n" for _, key, value in rows))
        for name in _TEXTS:
            if (source / name).exists():
                write_text(tmp / name, read_text(source / name))
        members: dict[str, list[str]] = {}
        for _, utt, speaker in tables["utt2spk"]:
            members.setdefault(speaker, []).append(utt)
        write_table(tmp / "spk2utt", {speaker: " ".join(utts) for speaker, utts in members.items()})
    return remarks


def _time(row: TableRow) -> tuple[str, float]:
    """The place of a label: code points order as UTF-8's bytes do."""
    try:
        return row.key, float(row.value.split()[1])
    except (ValueError, IndexError):
        return row.key, 0.0
