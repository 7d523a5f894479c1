"""Decision trees as tensors: grown by scikit-learn, walked on any device."""

import numpy as np
import torch
from torch import Tensor, nn


class TreeBank(nn.Module):
    """Several binary trees over the same questions, with a vector in every leaf.

    A tree not grown yet is one leaf of zeros. All are stored at their largest size, ``leaves`` vectors of
    ``size``: a checkpoint's tensors have the shapes that the configuration says.
    """

    def __init__(self, trees: int, leaves: int, size: int):
        super().__init__()
        nodes = 2 * leaves - 1
        self.leaves = leaves
        self.register_buffer("feature", torch.zeros(trees, nodes, dtype=torch.long))
        self.register_buffer("threshold", torch.zeros(trees, nodes))
        # A leaf is its own child: walking on changes nothing.
        self.register_buffer("branches", torch.arange(nodes).repeat(trees, 1)[..., None].repeat(1, 1, 2))
        self.register_buffer("values", torch.zeros(trees, nodes, size))
        self.register_buffer("depth", torch.zeros((), dtype=torch.long))

    def grow(
        self, tree: int, questions: np.ndarray, targets: np.ndarray, weights: np.ndarray, smallest: float
    ) -> np.ndarray:
        """Grows one tree: (samples,) the leaf that each sample fell in. Leaf vectors are left to the caller.

        Args:
            questions: (samples, Q). targets: (samples, D), whose weighted squared error
                splits reduce. weights: (samples,). smallest: weight of a leaf, at least.
        """
        from sklearn.tree import DecisionTreeRegressor

        share = min(smallest / max(float(weights.sum()), 1e-9), 0.5)
        grown = DecisionTreeRegressor(
            max_leaf_nodes=max(self.leaves, 2), min_weight_fraction_leaf=share, random_state=0
        )
        grown.fit(questions, targets, sample_weight=weights)
        found = grown.tree_
        count = found.node_count
        children = np.stack([found.children_left, found.children_right], axis=1)
        children = np.where(children < 0, np.arange(count)[:, None], children)
        self.feature[tree, :count] = torch.tensor(np.maximum(found.feature, 0))
        self.threshold[tree, :count] = torch.tensor(found.threshold)
        self.branches[tree, :count] = torch.tensor(children)
        self.depth.fill_(max(int(self.depth), grown.get_depth()))
        # The tensors' own walk, in single precision, is what inference will take.
        return self.walk(tree, torch.from_numpy(questions.astype(np.float32))).numpy()

    def walk(self, tree: int, questions: Tensor) -> Tensor:
        """(..., Q) to the leaf of each, (...,) long."""
        node = torch.zeros(questions.shape[:-1], dtype=torch.long, device=questions.device)
        # A stranger's tree may point anywhere.
        feature = self.feature[tree].clamp(0, questions.shape[-1] - 1)
        threshold, children = self.threshold[tree], self.branches[tree].clamp(0, 2 * self.leaves - 2)
        for _ in range(1 if self.depth.is_meta else min(int(self.depth), self.leaves)):
            value = questions.gather(-1, feature[node][..., None])[..., 0]
            node = children[node, (value > threshold[node]).long()]
        return node
