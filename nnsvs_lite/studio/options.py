"""How a song is sung: the page's sliders, one for each option of ``Singer.sing`` that a musician may turn."""

from collections.abc import Mapping
from typing import Any

from nnsvs_lite.io.errors import DataError

_FIELDS = ("name", "label", "low", "high", "step", "neutral", "help")


def describe(ranges: Mapping[str, tuple[float, float]]) -> list[dict[str, Any]]:
    """All options with their limits, in the order of the page.

    Args:
        ranges: limits of the options that change the voice's features.
    """
    deviation = ranges["pitch_deviation"]
    rows = [
        ("transpose", "Transpose", -24, 24, 1, 0, "semitones"),
        ("tempo", "Speed", 0.25, 4, 0.05, 1, "2 is twice as fast"),
        ("vibrato", "Vibrato", *ranges["vibrato"], 0.1, 1, "0 removes it, 2 doubles it"),
        ("pitch_deviation", "Pitch freedom", *deviation, 0.1, 1, "0 keeps to the notes"),
        ("timing", "Timing freedom", 0, 2, 0.1, 1, "0 keeps to the beats"),
        ("gender", "Formants", *ranges["gender"], 0.01, 1, "darker to brighter"),
        ("breathiness", "Breathiness", *ranges["breathiness"], 1, 0, "dB of more breath"),
        ("seed", "Seed", 0, 9999, 1, 0, "a number for each take"),
    ]
    return [dict(zip(_FIELDS, row)) for row in rows]


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
