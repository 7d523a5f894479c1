"""How a song is sung: the page's sliders, one for each option of ``Singer.sing`` that a musician may turn."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError

ROWS = read_json(Path(__file__).with_suffix(".json"))


def describe(ranges: Mapping[str, tuple[float, float]], still: Mapping[str, str]) -> list[dict[str, Any]]:
    """All options in the order of the page; ``ranges`` has the limits of those that change features,
    ``still`` why some cannot change what this voice sings.
    """
    limits = {name: dict(zip(("low", "high"), both)) for name, both in ranges.items()}
    return [row | limits.get(row["name"], {}) | {"still": still.get(row["name"], "")} for row in ROWS]


def checked(value: Any, known: list[dict[str, Any]]) -> dict[str, Any]:
    """What the page sent, as arguments of ``Singer.sing``.

    Raises DataError where an option is unknown, no number, or out of its limits.
    """
    if not isinstance(value, dict):
        raise DataError("options must be a JSON object")
    rows = {row["name"]: row for row in known}
    options: dict[str, Any] = {}
    for name, given in value.items():
        if name == "singer":
            if not isinstance(given, str) or len(given) > 200:
                raise DataError("singer must be a name")
            options[name] = given
            continue
        if name not in rows:
            raise DataError(f"unknown option {name[:40]!r}; known: {', '.join(['singer', *rows])}")
        row = rows[name]
        number = isinstance(given, (int, float)) and not isinstance(given, bool)
        if not number or not row["low"] <= given <= row["high"]:
            raise DataError(f"{row['label']} must be a number in {row['low']:g}..{row['high']:g}")
        if row["step"] == 1 and given != int(given):
            raise DataError(f"{row['label']} must be a whole number")
        options[name] = int(given) if row["step"] == 1 else float(given)
    return options
