"""Types of what ``__init__.py`` imports late."""

from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir as DataDir
from nnsvs_lite.evaluation.measures import MEASURES as MEASURES
from nnsvs_lite.features.config import FeatureConfig as FeatureConfig
from nnsvs_lite.features.utterance import analyse as analyse
from nnsvs_lite.io.errors import DataError as DataError
from nnsvs_lite.io.tables import FeatureReader as FeatureReader
from nnsvs_lite.score.formats.readers import read_score as read_score
from nnsvs_lite.score.types import Score as Score
from nnsvs_lite.synthesis.singer import Singer as Singer
from nnsvs_lite.synthesis.vocoder import load_vocoder as load_vocoder
from nnsvs_lite.synthesis.vocoder import waveform_of as waveform_of

__version__: str
BOXED_VOICE: Path
