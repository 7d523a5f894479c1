"""Time-lag and duration models: scores and the times of their phones."""

from nnsvs_lite.training.data import DumpDataset
from nnsvs_lite.training.tasks.base import Task


class TimeLagTask(Task):
    """Batches are counted in phones."""

    units = "notes"

    def lengths(self, data: DumpDataset) -> list[int]:
        return [len(data[i].score.phone_context) for i in range(len(data))]


class DurationTask(TimeLagTask):
    """As time lags."""

    units = "phones"
