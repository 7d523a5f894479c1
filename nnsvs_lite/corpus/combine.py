"""Several data dirs made one, as Kaldi's ``combine_data.sh`` does."""

import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.atomic import read_text, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.packed import Packed

_KINDS = ("label_name", "shared_phones")
_TABLES = tuple(f.name for f in fields(DataDir) if f.name not in ("path", *_KINDS))
_FOR_EVERY_UTTERANCE = ("segments", "scores", "labels")


def combine(sources: Sequence[str | os.PathLike], out: str | os.PathLike) -> DataDir:
    """Writes the utterances of all data dirs as one; their ``LICENSE`` files follow each other.

    Raises DataError where an id stands in two of them, or one has scores, phone times or segments and another
    has not.
    """
    return join([DataDir.read(source) for source in sources], out)


def join(dirs: Sequence[DataDir], out: str | os.PathLike) -> DataDir:
    """The same of data dirs that were read; raises as :func:`combine`, and for another ``phone_set``."""
    first = dirs[0]
    for other in dirs[1:]:
        for table in _FOR_EVERY_UTTERANCE:
            if bool(getattr(other, table)) != bool(getattr(first, table)):
                has, lacks = (first, other) if getattr(first, table) else (other, first)
                raise DataError(f"has no {table}, while {has.path} has; they cannot be one", lacks.path)
        if other.labels and other.label_name != first.label_name:
            raise DataError(f"has {other.label_name}, while {first.path} has {first.label_name}", other.path)
        if other.shared_phones != first.shared_phones:
            raise DataError(f"has another phone_set than {first.path}", other.path)
    kinds = {name: getattr(first, name) for name in _KINDS}
    merged = DataDir(path=Path(out), wavs=Packed(), utt2spk={}, **kinds)
    for part in dirs:
        for name in _TABLES:
            table, new = getattr(merged, name), getattr(part, name)
            twice = sorted(set(table) & set(new))
            if twice:
                raise DataError(f"{twice[0]!r} is in another data dir too; ids must differ", part.path)
            table.update(new)
    merged = merged.write(out)
    notices = [read_text(part.path / "LICENSE") for part in dirs if (part.path / "LICENSE").is_file()]
    if notices:
        write_text(merged.path / "LICENSE", "\n".join(dict.fromkeys(notices)))
    return merged
