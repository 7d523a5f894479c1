"""What a model must know of the data: columns, streams and training-set statistics.

A model takes all its dimensions from here, never from its YAML, and the spec goes
into every checkpoint, so that one file is enough to sing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import get_language


@dataclass(frozen=True)
class Spec:
    """A dump's ``schema.json`` and ``stats.json``.

    Attributes:
        schema: columns, streams, phones, sampling rate, frame shift, feature config.
        stats: training-set statistics of streams, context columns and phones.
    """

    schema: dict[str, Any]
    stats: dict[str, Any]

    @staticmethod
    def read(dump: str | os.PathLike) -> Spec:
        """Reads both files of a dump dir.

        Raises:
            DataError: where one is missing, or is not of this version.
        """
        folder = Path(dump)
        spec = Spec(read_json(folder / "schema.json"), read_json(folder / "stats.json"))
        if spec.schema.get("version") != 1:
            raise DataError("unknown schema version; extract the features again", folder / "schema.json")
        return spec

    @property
    def frame_shift(self) -> float:
        """Seconds."""
        return float(self.schema["frame_shift"])

    @property
    def sample_rate(self) -> int:
        return int(self.schema["sample_rate"])

    @property
    def phones(self) -> list[str]:
        """The language's phone set; a phone's id in context columns is its index + 1."""
        return self.schema["phones"]

    @property
    def streams(self) -> dict[str, int]:
        """Dimension of each acoustic stream."""
        return self.schema["streams"]

    def columns(self, level: str) -> list[dict[str, Any]]:
        """Columns of the ``note`` or ``phone`` context: name, kind, size, unit."""
        return self.schema[f"{level}_columns"]

    def column(self, level: str, name: str) -> int:
        """Index of a named column.

        Raises:
            DataError: if the dump lacks it.
        """
        names = [c["name"] for c in self.columns(level)]
        if name not in names:
            raise DataError(f"the dump has no {level} column {name!r}; extract the features again")
        return names.index(name)

    @property
    def sustaining(self) -> list[bool]:
        """For each phone id 0..len(phones): whether it fills its note (vowels, silences)."""
        language = get_language(self.schema["lang"])
        filling = {*language.vowels, *language.silences}
        return [False] + [p in filling for p in self.phones]

    def phone_stat(self, name: str, default: float) -> list[float]:
        """A scalar statistic for each phone id 0..len(phones); ``default`` where unseen."""
        seen = self.stats["phones"]
        return [default] + [float(seen.get(p, {}).get(name, default)) for p in self.phones]

    @property
    def duration_moments(self) -> tuple[float, float]:
        """Mean and deviation of the training set's phone durations, in frames."""
        count, mean, std = (self.phone_stat(f, 0.0) for f in ("count", "duration_mean", "duration_std"))
        total = max(sum(count), 1.0)
        overall = sum(c * m for c, m in zip(count, mean)) / total
        square = sum(c * (s**2 + m**2) for c, m, s in zip(count, mean, std)) / total
        return overall, max(square - overall**2, 1.0) ** 0.5

    @property
    def phone_count(self) -> float:
        """Phones in the training set."""
        return sum(self.phone_stat("count", 0.0))

    @property
    def note_count(self) -> float:
        """Notes in the training set, as far as phones tell: one for each sustained phone."""
        return sum(c for c, s in zip(self.phone_stat("count", 0.0), self.sustaining) if s)

    def phone_mean(self, stream: str) -> list[list[float]]:
        """Mean of a stream for each phone id; the overall mean where a phone is unseen."""
        seen, overall = self.stats["phones"], self.stats["streams"][stream]["mean"]
        rows = [seen.get(p, {}).get(f"{stream}_mean", overall) for p in self.phones]
        return [overall, *rows]
