"""The HMM singing synthesiser of 2010 as a baseline: trees of Gaussians, and MLPG."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.acoustic.rule import RuleAcoustic
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor
from nnsvs_lite.models.layers.expand import gather_rows, phone_of_frame
from nnsvs_lite.models.layers.linguistic import Questions
from nnsvs_lite.models.layers.losses import LF0_UNIT
from nnsvs_lite.models.layers.mlpg import WINDOWS, dynamics, generate
from nnsvs_lite.models.layers.trees import TreeBank
from nnsvs_lite.models.options import Size


class HmmAcoustic(RuleAcoustic):
    """Context-clustered Gaussians for each state of each phone.

    A phone is cut evenly into states. For each stream and state a tree asks about the context,
    and holds in its leaves the mean and variance of statics and dynamics. Singing walks
    the trees, and generates the smoothest likely trajectory.

    HTS finds the states' borders in training; tried here, that left nearly all of a long vowel, and of
    its moving F0, to one state's mean. F0 is the distance from the score's smoothed pitch, since trees
    over absolute pitch cannot sing a note that was not in training. Splits reduce squared error in
    normalised features, where HTS maximises likelihood and stops by description length.

    Args:
        states: of a phone. leaves: of a tree, at most. smallest: frames in a leaf, at least.
    """

    fits = True

    def __init__(self, spec: Spec, states: Size = 5, leaves: Size = 256, smallest: Size = 120):
        super().__init__(spec)
        self.states, self.smallest = states, smallest
        self.questions = Questions(spec)
        self.floor = SmoothFloor(spec)
        self.trees = nn.ModuleDict()
        for name, dim in spec.streams.items():
            self.trees[name] = TreeBank(states, leaves, 1 if name == "vuv" else 2 * WINDOWS * dim)
            mean, std = torch.zeros(1), torch.full((1,), LF0_UNIT)
            if name != "lf0":
                moments = spec.stats.streams[name]
                mean, std = torch.tensor(moments.mean), torch.tensor(moments.std).clamp(min=1e-4)
            self.register_buffer(f"mean_{name}", mean, persistent=False)
            self.register_buffer(f"std_{name}", std, persistent=False)
            # Before anything was learnt every leaf has the overall mean.
            self.trees[name].values[..., -WINDOWS * dim :] = 1.0
            if name == "vuv":
                self.trees[name].values[...] = mean

    def _states(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T) long: the state of each frame."""
        length = batch.score.duration.to(torch.float32)
        start = (length.cumsum(1) - length).gather(1, phone)
        frames = torch.arange(batch.max_frames, device=phone.device, dtype=length.dtype) + 0.5
        share = (frames - start) / length.gather(1, phone).clamp(min=1)
        return (share * self.states).long().clamp(0, self.states - 1)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        phone = phone_of_frame(batch)
        questions = self.questions(batch)
        state = self._states(batch, phone)
        out = {}
        for name, trees in self.trees.items():
            nodes = torch.stack([trees.walk(s, questions) for s in range(self.states)], dim=-1)
            node = gather_rows(nodes, phone).gather(-1, state[..., None])[..., 0]
            values = trees.values[state, node]
            if name == "vuv":
                out[name] = values.clamp(0.02, 0.98)
                continue
            means, precisions = values.chunk(2, dim=-1)
            static = generate(means, precisions, batch.frame_mask)
            base = self.floor.pitch_of(batch, phone) if name == "lf0" else getattr(self, f"mean_{name}")
            out[name] = base + static * getattr(self, f"std_{name}")
        return out

    def _normal(self, example: Example) -> dict[str, np.ndarray]:
        """Streams of an utterance about 0, in deviations; ``vuv`` as it is."""
        batch = collate([example], self.spec.frame_shift)
        base = self.floor.pitch_of(batch, phone_of_frame(batch))[0].numpy()
        out = {"vuv": example.streams["vuv"]}
        for name in self.trees:
            if name != "vuv":
                mean = base if name == "lf0" else getattr(self, f"mean_{name}").numpy()
                out[name] = (example.streams[name] - mean) / getattr(self, f"std_{name}").numpy()
        return out

    @torch.no_grad()
    def fit(self, examples: Sequence[Example]) -> None:
        asked, normal, places = [], [], []
        for example in examples:
            batch = collate([example], self.spec.frame_shift)
            asked.append(self.questions(batch)[0].numpy())
            normal.append(self._normal(example))
            phone = phone_of_frame(batch)
            cell = (phone * self.states + self._states(batch, phone))[0].numpy()
            # Where each state of each phone begins; a short phone leaves some of them empty.
            borders = np.searchsorted(cell, np.arange(len(example.score.duration) * self.states + 1))
            places.append(borders)
        for name in self.trees:
            self._fit_stream(name, normal, places, np.concatenate(asked))

    def _fit_stream(
        self, name: str, normal: list[dict[str, np.ndarray]], places: list[np.ndarray], asked: np.ndarray
    ) -> None:
        """Grows a stream's trees; ``places`` (P * states + 1,) frame borders of each utterance."""
        trees, parts = self.trees[name], []
        for streams, place in zip(normal, places):
            x, voiced = streams[name], streams["vuv"]
            full = x if name == "vuv" else dynamics(torch.from_numpy(np.ascontiguousarray(x))).numpy()
            weight = voiced if name == "lf0" else np.ones_like(voiced)
            rows = np.concatenate([weight, full * weight, full**2 * weight], axis=1)
            sums = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0, dtype=np.float64)])
            parts.append((sums[place[1:]] - sums[place[:-1]]).reshape(-1, self.states, sums.shape[1]))
        sums = np.concatenate(parts)
        for s in range(self.states):
            used = sums[:, s, 0] > 0
            if not used.any():
                continue
            counts, first, second = np.split(sums[used, s], [1, 1 + sums.shape[2] // 2], axis=1)
            node = trees.grow(s, asked[used], first / counts, counts[:, 0], self.smallest)
            mean, variance = _leaf_moments(node, trees.values.shape[1], counts, first, second)
            trees.values[s] = mean if name == "vuv" else torch.cat([mean, 1 / variance], dim=-1)


def _leaf_moments(
    node: np.ndarray, nodes: int, counts: np.ndarray, first: np.ndarray, second: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Mean and variance (nodes, size) in each leaf; overall ones, of which 0.01 is a floor, elsewhere.

    Args:
        node: (samples,) leaf of each. counts: (samples, 1). first, second: (samples, size) sums of powers.
    """
    overall = first.sum(0) / counts.sum()
    spread = np.maximum(second.sum(0) / counts.sum() - overall**2, 1e-6)
    totals = []
    for values in (counts, first, second):
        total = np.zeros((nodes, values.shape[1]))
        np.add.at(total, node, values)
        totals.append(total)
    n, sums, squares = totals
    used = n[:, 0] > 0
    mean, variance = np.tile(overall, (nodes, 1)), np.tile(spread, (nodes, 1))
    mean[used] = sums[used] / n[used]
    variance[used] = squares[used] / n[used] - mean[used] ** 2
    variance = np.maximum(variance, 0.01 * spread)
    return torch.from_numpy(mean).float(), torch.from_numpy(variance).float()
