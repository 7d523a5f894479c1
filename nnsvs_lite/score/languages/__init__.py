"""Languages: one module each, found by its name."""

import functools
import importlib
import pkgutil

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.languages.base import Language, LyricError, Reading

__all__ = ["Language", "LyricError", "Reading", "get_language", "language_codes"]


def language_codes() -> list[str]:
    """Codes of all languages at hand, sorted.

    Modules with the two or three letters of an ISO 639 code are languages; others help them.
    """
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if len(m.name) in (2, 3))


@functools.cache
def get_language(code: str) -> Language:
    """The language of a code such as ``ja``.

    Raises DataError where there is no such language; names those there are.
    """
    codes = language_codes()
    if code not in codes:
        raise DataError(f"no language {code!r}{nearest(code, codes)}; there are: {', '.join(codes)}")
    return importlib.import_module(f"{__name__}.{code}").LANGUAGE
