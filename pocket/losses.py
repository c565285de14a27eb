"""What training minimises."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from pocket.captions import Caption
from pocket.drawing import product_type
from pocket.splits import Combination


def matches(captions: list[Caption], combinations: list[Combination]) -> Tensor:
    """Which captions are true of which pictures.

    Pictures of the same thing are no negatives of each other: a caption that is silent
    about the colour holds for every colour.

    Returns:
        bool (captions, pictures).
    """
    parents = [product_type(name).parent for name, _, _ in combinations]
    rows = [
        [
            said.name in (None, name)
            and said.parent in (None, parent)
            and said.colour in (None, colour)
            and said.pattern in (None, pattern)
            for (name, colour, pattern), parent in zip(combinations, parents, strict=True)
        ]
        for said in captions
    ]
    return torch.tensor(rows)


def contrastive_loss(texts: Tensor, pictures: Tensor, match: Tensor, scale: Tensor) -> Tensor:
    """CLIP's symmetric loss with several positives (Khosla et al., "SupCon", 2020).

    Args:
        texts: unit vectors (t, d).
        pictures: unit vectors (p, d).
        match: bool (t, p); each row and each column has a true entry.
        scale: the inverse temperature.
    """
    logits = scale * texts @ pictures.T
    target = match.float()
    return 0.5 * (_soft(logits, target) + _soft(logits.T, target.T))


def _soft(logits: Tensor, target: Tensor) -> Tensor:
    return cross_entropy(logits, target / target.sum(dim=1, keepdim=True))


def label_loss(pictures: Tensor, labels: Tensor, truth: Tensor, scale: Tensor) -> Tensor:
    """Zero-shot classification as it is used: each picture against one text per label.

    Args:
        pictures: unit vectors (p, d).
        labels: unit vectors (labels, d).
        truth: int64 (p,), the row of the picture's label.
        scale: the inverse temperature.
    """
    return cross_entropy(scale * pictures @ labels.T, truth)


class Recognition(torch.nn.Module):
    """Plain classifiers of type, colour and pattern on the image tower; training drops them.

    Texts alone are slow teachers of a tower that starts from nothing: those of one
    category lie so near each other that telling them apart hardly moves the loss.

    Args:
        hidden: the width of the image tower's features.
        classes: the names of each attribute's classes, in a combination's order.
    """

    def __init__(self, hidden: int, classes: Sequence[Sequence[str]]) -> None:
        super().__init__()
        self._places = [{name: i for i, name in enumerate(names)} for names in classes]
        self._sizes = [len(names) for names in classes]
        self._logits = torch.nn.Linear(hidden, sum(self._sizes))

    def forward(self, features: Tensor, shown: Sequence[Combination]) -> Tensor:
        """Mean cross-entropy over the attributes; features (n, hidden) of what is `shown`."""
        truth = torch.tensor(
            [[p[name] for p, name in zip(self._places, c, strict=True)] for c in shown]
        )
        parts = self._logits(features).float().split(self._sizes, dim=1)
        losses = [cross_entropy(part, truth[:, i]) for i, part in enumerate(parts)]
        return torch.stack(losses).mean()


def cosine_distance(vectors: Tensor, targets: Tensor) -> Tensor:
    """Mean cosine distance of each vector from its own target; both (n, d), rows of length 1.

    Of texts from their teacher's vectors, and of pictures and sounds from their own texts: telling
    labels apart leaves a picture far from all of them, and only one that lies where its texts lie
    is found by words which training never paired with it.
    """
    return 1 - (vectors * targets).sum(dim=1).mean()
