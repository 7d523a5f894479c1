"""Reads an ``.htsvoice`` file: decision trees and state distributions of an HMM voice.

The format is that of hts_engine API 1.10 and HTS 2.3 (HTS Working Group): a text header, then trees in text
and Gaussians in little-endian float32. Nothing of what stands in the file is executed.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.io.errors import DataError

_NODE = re.compile(r"^\s*(-?\d+)\s+(\S+)\s+(\S+)\s+(\S+)\s*$")
_LEAF = re.compile(r"(\d+)$")


Tree = list[tuple[Callable[[str], Any], int, int]]
"""Question, no and yes of inner nodes; a child is a node's index, or ``-1 - leaf``. Empty: a bare leaf."""


@dataclass(frozen=True)
class Stream:
    """One parameter stream: its trees and Gaussians, one tree per state.

    Attributes:
        trees: per state.
        pdfs: per state (leaves, columns): means, variances and, of an MSD stream, its weight.
        size: parameters a frame. windows: coefficients of the static and dynamic windows, of odd length.
        gv_mean: (size,) mean of the global variance of an utterance, or None.
    """

    trees: list[Tree]
    pdfs: list[np.ndarray]
    size: int = 1
    windows: Sequence[np.ndarray] = ()
    gv_mean: np.ndarray | None = None

    def rows(self, labels: Sequence[str]) -> np.ndarray:
        """What the leaves hold that labels fall into, (labels, states, columns)."""
        states = list(zip(self.trees, self.pdfs))
        return np.array([[pdf[_leaf(tree, label)] for tree, pdf in states] for label in labels])


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
    """An HMM voice, read from an ``.htsvoice`` file. Raises DataError if it is missing or is none."""

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
            pdfs = self._pdfs("DURATION_PDF", 1, 2 * self.states)
            self._durations = Stream(self._trees("DURATION_TREE")[:1], pdfs)
            self.alpha = float(re.search(r"\bALPHA=([^,]*)", self._header["OPTION[MCP]"])[1])
            # What the voice puts on its pulses, (taps,); its noise gets the rest.
            self.low_pass = self.streams["LPF"].pdfs[0][0, : self.streams["LPF"].size]
        except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
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
            trees.append([(questions[name].search, no, yes) for name, no, yes in nodes])
        return trees

    def _pdfs(self, name: str, trees: int, size: int) -> list[np.ndarray]:
        data = self._span(self._header[name])
        counts = np.frombuffer(data, "<u4", trees)
        values = np.frombuffer(data, "<f4", offset=4 * trees)
        if values.size != counts.sum() * size:
            what = f"{name} holds {values.size} numbers, {counts.sum() * size} are needed"
            raise DataError(what, self.path)
        return np.split(values.reshape(-1, size).astype(np.float64), np.cumsum(counts)[:-1])

    def _stream(self, name: str) -> Stream:
        header = self._header
        size = int(header[f"VECTOR_LENGTH[{name}]"])
        msd = header[f"IS_MSD[{name}]"] == "1"
        spans = header[f"STREAM_WIN[{name}]"].split(",")
        windows = [np.array([float(x) for x in self._span(span).split()[1:]]) for span in spans]
        width = size * len(windows)
        pdfs = self._pdfs(f"STREAM_PDF[{name}]", self.states, 2 * width + msd)
        gv = None
        if header.get(f"USE_GV[{name}]") == "1":
            trees = self._trees(f"GV_TREE[{name}]")
            # Voices without singing contexts split the mean by utterance length; the
            # first leaf in label order is the shortest. All leaves are averaged.
            rows = self._pdfs(f"GV_PDF[{name}]", len(trees), 2 * size)[0]
            gv = np.mean(rows[:, :size].astype(np.float32), axis=0)
        return Stream(self._trees(f"STREAM_TREE[{name}]"), pdfs, size, windows, gv)

    def durations(self, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Means and variances (labels, states) of the state durations in frames."""
        rows = self._durations.rows(labels)[:, 0]
        return rows[:, : self.states], rows[:, self.states :]

    def select(self, labels: Sequence[str]) -> StateSequence:
        """The state distributions for full-context labels."""
        mean, variance = self.durations(labels)
        means, variances, voiced = {}, {}, None
        for name in ("MCP", "LF0"):
            stream = self.streams[name]
            rows, width = stream.rows(labels), stream.size * len(stream.windows)
            shape = (len(labels), self.states, len(stream.windows), stream.size)
            means[name] = rows[..., :width].reshape(shape)
            variances[name] = rows[..., width : 2 * width].reshape(shape)
            if rows.shape[2] > 2 * width:
                voiced = rows[..., -1]
        return StateSequence(mean, variance, means, variances, voiced)


def _leaf(tree: Tree, label: str) -> int:
    """The leaf, counted from 0, that a label falls into."""
    at = 0 if tree else -1
    while at >= 0:
        ask, no, yes = tree[at]
        at = yes if ask(label) else no
    return -1 - at


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
