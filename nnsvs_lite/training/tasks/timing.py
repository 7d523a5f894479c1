"""Time-lag and duration models: scores and the times of their phones."""

from nnsvs_lite.score.timing import MAX_LAG, MAX_LAG_REST
from nnsvs_lite.training.data import DumpDataset
from nnsvs_lite.training.tasks.base import Task


class TimeLagTask(Task):
    """Batches are counted in phones."""

    units = "notes"
    left_out = (
        f": all are sung over {MAX_LAG:g} s (rests {MAX_LAG_REST:g} s) from their place in the score, or are "
        "an utterance's first; is there a constant offset? See reconciled.txt and nnsvs-lite validate"
    )

    def lengths(self, data: DumpDataset) -> list[int]:
        return data.phones


class DurationTask(TimeLagTask):
    """As time lags."""

    units = "phones"
    left_out = ""
