"""What each family of models is trained on, and how: one file a task."""

from nnsvs_lite.training.tasks.acoustic import AcousticTask
from nnsvs_lite.training.tasks.base import Task
from nnsvs_lite.training.tasks.endtoend import EndToEndTask
from nnsvs_lite.training.tasks.timing import DurationTask, TimeLagTask
from nnsvs_lite.training.tasks.vocoder import VocoderTask

TASKS: dict[str, type[Task]] = {
    "timelag": TimeLagTask,
    "duration": DurationTask,
    "acoustic": AcousticTask,
    "endtoend": EndToEndTask,
    "vocoder": VocoderTask,
}
"""By family, or by the ``task`` that a model names."""
