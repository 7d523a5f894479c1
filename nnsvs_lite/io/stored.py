"""Zip files that are no larger in memory than on disk."""

import os
import zipfile

from nnsvs_lite.io.errors import DataError


def check_stored(archive: zipfile.ZipFile, size: int, path: str | os.PathLike) -> None:
    """Raises DataError for a zip file of ``size`` bytes whose members are larger, or compressed."""
    members = archive.infolist()
    packed = any(m.compress_type != zipfile.ZIP_STORED for m in members)
    if packed or sum(m.file_size for m in members) > size:
        raise DataError("a zip file with compressed data is not read here", path)
