"""Checks of feature tables: every matrix is there, whole and finite."""

from collections.abc import Iterable
from pathlib import Path

from nnsvs_lite.corpus.faults import Faults, read_rows
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import parse_ark_ref, read_sums


def check_features(folder: Path, faults: Faults, *, utts: Iterable[str] = ()) -> None:
    """Checks every ``*.scp`` of matrices below a folder.

    Faults: those of a text table, a shell pipe, an archive that is missing, truncated
    or damaged, a place outside the archive, NaN or infinity, matrices of one table
    with different numbers of columns, and ids that stand in one table of a folder
    and not in another (nor among ``utts``, if given, where the folder is that of
    their data dir or bears its name).
    """
    if not folder.is_dir():
        faults.add(folder, 0, "no such folder")
        return
    scps = sorted(path for path in folder.rglob("*.scp") if path.name != "wav.scp" and path.name[0] != ".")
    if not scps:
        faults.add(folder, 0, "holds no feature table (*.scp)")
    tables: dict[Path, dict[Path, set[str]]] = {}
    for scp in scps:
        tables.setdefault(scp.parent, {})[scp] = check_table(scp, faults)
    wanted = set(utts)
    for ids in tables.values():
        everything = wanted.union(*ids.values())
        for scp, there in ids.items():
            for utt in everything - there:
                faults.add(scp, 0, f"no line for {utt!r}, which other tables have")
            for utt in there - wanted if wanted else ():
                faults.add(scp, 0, f"{utt!r} is not in the data dir")


def check_table(scp: Path, faults: Faults) -> set[str]:
    """Loads every matrix of one table; returns its ids."""
    ids = set()
    columns: dict[int, str] = {}
    sums: dict[Path, dict[str, int]] = {}
    for row in read_rows(scp, faults):
        ids.add(row.key)
        try:
            ref = parse_ark_ref(row.value, "", scp.parent)
            if ref.path not in sums:
                sums[ref.path] = read_sums(ref.path.with_suffix(".crc"))
            value = ref.load(row.key, sums[ref.path].get(row.key))
        except DataError as error:
            faults.add(scp, row.line, f"{row.key}: {error.what}")
            continue
        if value.size == 0:
            faults.add(scp, row.line, f"{row.key}: an empty matrix")
        columns.setdefault(value.shape[-1] if value.ndim == 2 else 1, row.key)
        if len(columns) > 1:
            first, other = columns
            faults.add(scp, row.line, f"{row.key}: {other} columns, {columns[first]} has {first}")
            del columns[other]
    return ids
