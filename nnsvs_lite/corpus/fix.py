"""Mends the form of a data dir, in a new one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from nnsvs_lite.corpus.faults import Faults, TableRow, read_rows
from nnsvs_lite.io.atomic import atomic_dir, atomic_path, write_text
from nnsvs_lite.io.errors import DataError

_REPEATS = frozenset({"label.ctm", "align.ctm"})


def fix(source: str | os.PathLike, target: str | os.PathLike, *, allow_pipes: bool = False) -> list[str]:
    """Writes a mended copy of a data dir and leaves the source as it is.

    Tables are sorted, line ends are made Unix ones, empty lines, lines that are not
    UTF-8 and repeated ids go (the first of them stays), ``spk2utt`` is made from
    ``utt2spk``, labels are put in order of time, and utterances that are not in all
    of ``utt2spk``, ``text``, ``score`` and, if it is there, ``segments`` are left out
    of all tables.

    Args:
        source: the data dir to mend.
        target: the folder to write; must not exist.
        allow_pipes: run the shell pipes of ``wav.scp`` and keep what they print as
            ``target/wav/<recording>.wav``. Only for data that you trust.

    Returns:
        what was done, a sentence each.

    Raises:
        DataError: where the source is not a data dir, the target exists or lies at
            the source, or a pipe fails.
    """
    source, target = Path(source), Path(target)
    if not (source / "utt2spk").is_file():
        raise DataError("no such file; a data dir needs it", source / "utt2spk")
    if target.exists():
        raise DataError("exists already; name a new folder", target)
    remarks: list[str] = []
    tables: dict[str, list[TableRow]] = {}
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name != "spk2utt" and not path.name.startswith("."):
            faults = Faults()
            tables[path.name] = read_rows(path, faults, repeats=path.name in _REPEATS)
            remarks += map(str, faults.sorted())
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
        if allow_pipes and "wav.scp" in tables:
            tables["wav.scp"] = [_unpipe(row, tmp, target, remarks) for row in tables["wav.scp"]]
        for name, rows in tables.items():
            write_text(
                tmp / name, "".join(f"{key} {value}\n" for _, key, value in sorted(rows, key=_order(name)))
            )
        members: dict[str, list[str]] = {}
        for _, utt, speaker in sorted(tables["utt2spk"], key=_order("")):
            members.setdefault(speaker, []).append(utt)
        lines = [f"{speaker} {' '.join(members[speaker])}\n" for speaker in sorted(members, key=str.encode)]
        write_text(tmp / "spk2utt", "".join(lines))
    return remarks


def _order(name: str):
    def key(row: TableRow):
        if name not in _REPEATS:
            return row.key.encode()
        try:
            return row.key.encode(), float(row.value.split()[1])
        except (ValueError, IndexError):
            return row.key.encode(), 0.0

    return key


def _unpipe(row: TableRow, tmp: Path, target: Path, remarks: list[str]) -> TableRow:
    if not row.value.endswith("|"):
        return row
    command = row.value.removesuffix("|").strip()
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    if result.returncode or not result.stdout:
        error = result.stderr.decode(errors="replace").strip().split("\n")[-1]
        raise DataError(
            f"pipe of {row.key} failed (status {result.returncode}): {error}", f"wav.scp:{row.line}"
        )
    with atomic_path(tmp / "wav" / f"{row.key}.wav") as wav:
        wav.write_bytes(result.stdout)
    remarks.append(f"{row.key}: the output of its pipe is kept as {target / 'wav' / row.key}.wav")
    return row._replace(value=str(target / "wav" / f"{row.key}.wav"))
