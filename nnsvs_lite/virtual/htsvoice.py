"""Reads an ``.htsvoice`` file: decision trees and state distributions of an HMM voice.

The format is that of hts_engine API 1.10 and HTS 2.3 (HTS Working Group): a text header, then trees in text
and Gaussians in little-endian float32. Nothing of what stands in the file is executed.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from nnsvs_lite.io.errors import DataError

_NODE = re.compile(r"^\s*(-?\d+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$")
_LEAF = re.compile(r"(\d+)$")


class Tree:
    """One decision tree over full-context labels.

    Args:
        nodes: ``(question, no, yes)`` per inner node; a child is the index of a
            node, or ``-1 - leaf`` for a leaf counted from 0. Empty for a bare leaf.
        questions: compiled question per name.
    """

    def __init__(self, nodes: list[tuple[str, int, int]], questions: dict[str, re.Pattern]):
        self._nodes = [(questions[name].search, no, yes) for name, no, yes in nodes]

    def leaf(self, label: str) -> int:
        """The leaf, counted from 0, that ``label`` falls into."""
        at = 0 if self._nodes else -1
        while at >= 0:
            ask, no, yes = self._nodes[at]
            at = yes if ask(label) else no
        return -1 - at


@dataclass(frozen=True)
class Stream:
    """One parameter stream: its trees and Gaussians, one tree per state.

    Attributes:
        trees: per state. means: per state (leaves, windows, size).
        variances: likewise. voiced: per state (leaves,), the MSD weight; None for a continuous stream.
        windows: coefficients of the static and dynamic windows, each of odd length.
        options: as in the header, such as ``{"ALPHA": "0.55"}``.
        gv_mean: (size,) mean of the global variance of an utterance, or None.
    """

    trees: list[Tree]
    means: list[np.ndarray]
    variances: list[np.ndarray]
    voiced: list[np.ndarray] | None
    windows: list[np.ndarray]
    options: dict[str, str]
    gv_mean: np.ndarray | None


@dataclass(frozen=True)
class StateSequence:
    """The distributions of a label sequence, states of all labels in order.

    Attributes:
        duration_mean: (labels, states) frames. duration_variance: (labels, states).
        means: per stream (labels, states, windows, size). variances: likewise.
        voiced: (labels, states) probability of being voiced.
    """

    duration_mean: np.ndarray
    duration_variance: np.ndarray
    means: dict[str, np.ndarray]
    variances: dict[str, np.ndarray]
    voiced: np.ndarray

    def by_frame(self, stream: str, durations: np.ndarray) -> list[np.ndarray]:
        """Means and variances (frames, windows, size) of a stream, for durations (labels, states)."""
        tables = self.means[stream], self.variances[stream]
        return [np.repeat(t.reshape(-1, *t.shape[2:]), durations.ravel(), axis=0) for t in tables]


class HtsVoice:
    """An HMM voice.

    Args:
        path: the ``.htsvoice`` file.

    Raises DataError if it is missing or is not such a file.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        try:
            raw = self.path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", path) from None
        head, mark, self._data = raw.partition(b"[DATA]\n")
        if not mark:
            raise DataError("not an .htsvoice file: no [DATA] section", path)
        try:
            self._header = dict(
                line.split(":", 1) for line in head.decode("ascii").splitlines() if ":" in line
            )
            self.sample_rate = int(self._header["SAMPLING_FREQUENCY"])
            self.frame_shift = int(self._header["FRAME_PERIOD"]) / self.sample_rate
            self.states = int(self._header["NUM_STATES"])
            self.label_format = self._header["FULLCONTEXT_FORMAT"]
            self.streams = {n: self._stream(n) for n in self._header["STREAM_TYPE"].split(",")}
            self._duration_tree = self._trees("DURATION_TREE")[0]
            self._durations = self._pdfs("DURATION_PDF", 1, 2 * self.states)[0].astype(np.float64)
        except (KeyError, ValueError, IndexError, AttributeError) as error:
            raise DataError(f"not an .htsvoice file that is understood here: {error!r}", path) from None

    def _span(self, span: str) -> bytes:
        first, last = map(int, span.split("-"))
        if last >= len(self._data):
            raise DataError("the file is truncated", self.path)
        return self._data[first : last + 1]

    def _trees(self, name: str) -> list[Tree]:
        text = self._span(self._header[name]).decode("ascii")
        # Names of questions are defined once per file section and shared by its trees.
        questions = {}
        for name_, patterns in re.findall(r"^QS\s+(\S+)\s+\{(.*)\}\s*$", text, re.M):
            questions[name_] = _compile(re.findall(r'"([^"]*)"', patterns) or patterns.split(","))
        trees = []
        for block in re.split(r"^\{\*\}\[\d+\]", text, flags=re.M)[1:]:
            rows = [m.groups() for m in map(_NODE.match, block.splitlines()) if m]
            order = {int(row[0]): index for index, row in enumerate(rows)}
            nodes = [(q, _child(no, order), _child(yes, order)) for _, q, no, yes in rows]
            trees.append(Tree(nodes, questions))
        return trees

    def _pdfs(self, name: str, trees: int, size: int) -> list[np.ndarray]:
        data = self._span(self._header[name])
        counts = np.frombuffer(data, "<u4", trees)
        values = np.frombuffer(data, "<f4", offset=4 * trees)
        if values.size != counts.sum() * size:
            raise DataError(
                f"{name} holds {values.size} numbers, {counts.sum() * size} are needed", self.path
            )
        return np.split(values.reshape(-1, size), np.cumsum(counts)[:-1])

    def _stream(self, name: str) -> Stream:
        header = self._header
        size = int(header[f"VECTOR_LENGTH[{name}]"])
        msd = header[f"IS_MSD[{name}]"] == "1"
        windows = []
        for span in header[f"STREAM_WIN[{name}]"].split(","):
            numbers = self._span(span).split()
            windows.append(np.array([float(x) for x in numbers[1:]]))
        width = size * len(windows)
        raw = self._pdfs(f"STREAM_PDF[{name}]", self.states, 2 * width + msd)
        pdfs = [pdf.astype(np.float64) for pdf in raw]
        gv = None
        if header.get(f"USE_GV[{name}]") == "1":
            trees = self._trees(f"GV_TREE[{name}]")
            # Voices without singing contexts split the mean by utterance length; the
            # first leaf in label order is the shortest. All leaves are averaged.
            gv = np.mean(self._pdfs(f"GV_PDF[{name}]", len(trees), 2 * size)[0][:, :size], axis=0)
        return Stream(
            trees=self._trees(f"STREAM_TREE[{name}]"),
            means=[p[:, :width].reshape(-1, len(windows), size) for p in pdfs],
            variances=[p[:, width : 2 * width].reshape(-1, len(windows), size) for p in pdfs],
            voiced=[p[:, -1] for p in pdfs] if msd else None,
            windows=windows,
            options=dict(o.split("=") for o in header[f"OPTION[{name}]"].split(",") if "=" in o),
            gv_mean=gv,
        )

    @property
    def alpha(self) -> float:
        """The all-pass constant of the mel-cepstra."""
        return float(self.streams["MCP"].options["ALPHA"])

    @cached_property
    def low_pass(self) -> np.ndarray:
        """(taps,) the filter that the voice puts on its pulses; its noise gets the rest."""
        return self.streams["LPF"].means[0][0, 0]

    def durations(self, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Means and variances (labels, states) of the state durations in frames."""
        rows = self._durations[[self._duration_tree.leaf(label) for label in labels]]
        return rows[:, : self.states], rows[:, self.states :]

    def select(self, labels: Sequence[str]) -> StateSequence:
        """The state distributions for full-context labels."""
        mean, variance = self.durations(labels)
        means, variances, voiced = {}, {}, None
        for name in ("MCP", "LF0"):
            stream = self.streams[name]
            leaves = [[tree.leaf(label) for tree in stream.trees] for label in labels]
            means[name] = np.array([[m[i] for m, i in zip(stream.means, row)] for row in leaves])
            variances[name] = np.array([[v[i] for v, i in zip(stream.variances, row)] for row in leaves])
            if stream.voiced is not None:
                voiced = np.array([[w[i] for w, i in zip(stream.voiced, row)] for row in leaves])
        return StateSequence(mean, variance, means, variances, voiced)


def _compile(patterns: Sequence[str]) -> re.Pattern:
    """One regular expression for a question: any of its patterns, each over the whole label."""
    alternatives = []
    for pattern in patterns:
        pattern = pattern.strip().strip('"')
        text = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
        # Searching needs no run at either end, and is far faster without.
        text = text.removeprefix(".*") if text.startswith(".*") else "^" + text
        text = text.removesuffix(".*") if text.endswith(".*") else text + "$"
        alternatives.append(text)
    return re.compile("|".join(alternatives))


def _child(name: str, order: dict[int, int]) -> int:
    """Where a branch leads: the index of a node, or ``-1 - leaf``."""
    if name.startswith('"'):
        return -int(_LEAF.search(name.strip('"')).group(1))
    return order[int(name)]
