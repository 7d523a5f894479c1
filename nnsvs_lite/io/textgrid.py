"""TextGrids: what aligners write, and what people edit in Praat."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from nnsvs_lite.io.atomic import atomic_path, check_regular
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError


def read_textgrid(path: str | os.PathLike, tier: str = "phones") -> list[Segment]:
    """Reads one interval tier, empty intervals included, in order of time.

    Args:
        path: a TextGrid, long or short form, UTF-8 or UTF-16.
        tier: its name; capitals do not count. A name ``speaker - phones``, as the
            Montreal Forced Aligner writes for several speakers, is found too.

    Raises DataError where the file is missing or damaged, or has no such tier.
    """
    from praatio import textgrid
    from praatio.utilities.errors import PraatioException

    path = Path(path)
    check_regular(path)
    if not path.exists():
        raise DataError("no such file", path)
    try:
        grid = textgrid.openTextgrid(
            str(path), includeEmptyIntervals=True, reportingMode="silence", duplicateNamesMode="rename"
        )
    except (PraatioException, ValueError, IndexError, KeyError, UnicodeError, AttributeError) as error:
        raise DataError(f"not a TextGrid that can be read: {error or type(error).__name__}", path) from None
    names = {name.lower().rpartition(" - ")[2]: name for name in reversed(grid.tierNames)}
    if tier.lower() not in names:
        found = ", ".join(grid.tierNames) or "none"
        raise DataError(f"no tier named {tier!r}; it has {found}", path)
    entries = grid.getTier(names[tier.lower()]).entries
    if entries and len(entries[0]) != 3:
        raise DataError(f"the tier {tier!r} holds points, intervals are needed", path)
    return [Segment(round(e.start, 7), round(e.end, 7), e.label.strip()) for e in entries]


def write_textgrid(path: str | os.PathLike, tiers: Mapping[str, Iterable[Segment]], duration: float) -> None:
    """Writes interval tiers in Praat's long form, atomically.

    Args:
        tiers: name to segments, in order of time; gaps become empty intervals,
            segments of no length are left out, as Praat cannot hold them.
        duration: seconds; the end of every tier.
    """
    from praatio import textgrid
    from praatio.data_classes.interval_tier import IntervalTier

    grid = textgrid.Textgrid(0.0, duration)
    for name, segments in tiers.items():
        entries = [(s.start, min(s.end, duration), s.label) for s in segments if s.end - s.start > 1e-6]
        grid.addTier(IntervalTier(name, entries, 0.0, duration), reportingMode="silence")
    with atomic_path(path) as tmp:
        grid.save(str(tmp), format="long_textgrid", includeBlankSpaces=True, reportingMode="silence")
