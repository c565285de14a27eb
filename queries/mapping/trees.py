"""A taxonomy as arrays: parents, depths, and which label is below which; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.core.records import BoolArray, IndexArray, Label
from indexer.labels import taxonomy
from indexer.labels.taxonomy.rows import PATH_SEPARATOR


@dataclass(frozen=True, slots=True)
class LabelTree:
    """The labels of a taxonomy; places are their positions.

    Attributes:
        labels: n labels, checked.
        parents: int64 (n,), places of the parents; -1 for a root.
        depths: int64 (n,), 0 for a root.
        first: int64 (n,), each label's number in a walk from the roots down.
        last: int64 (n,), the number after those of all labels below it.
    """

    labels: tuple[Label, ...]
    parents: IndexArray
    depths: IndexArray
    first: IndexArray
    last: IndexArray

    @classmethod
    def of(cls, labels: Sequence[Label]) -> LabelTree:
        """The tree of checked labels."""
        places = {label.label_id: place for place, label in enumerate(labels)}
        below = taxonomy.children(labels)
        first = np.zeros(len(labels), dtype=np.int64)
        last = np.zeros(len(labels), dtype=np.int64)
        number = 0
        # No recursion, since a chain may be longer than Python recurses. Each label is met twice:
        # before all that is below it, and after.
        waiting = [(places[label_id], False) for label_id in reversed(below[""])]
        while waiting:
            place, is_done = waiting.pop()
            if is_done:
                last[place] = number
                continue
            first[place] = number
            number += 1
            waiting.append((place, True))
            children = below[labels[place].label_id]
            waiting += [(places[label_id], False) for label_id in reversed(children)]
        parents = [places.get(label.parent_id, -1) for label in labels]
        depths = [label.depth for label in labels]
        return cls(
            tuple(labels),
            np.array(parents, dtype=np.int64),
            np.array(depths, dtype=np.int64),
            first,
            last,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def is_below(self, places: IndexArray, ancestors: IndexArray) -> BoolArray:
        """Whether labels lie below others, themselves not included; arrays are broadcast.

        Args:
            places: of labels.
            ancestors: likewise.
        """
        first = self.first[places]
        return np.asarray((self.first[ancestors] < first) & (first < self.last[ancestors]))

    def path(self, place: int) -> str:
        """The names from the root to a label, as text; empty for -1."""
        return PATH_SEPARATOR.join(self.labels[place].path) if place >= 0 else ""

    def label_id(self, place: int) -> str:
        """The id of a label; empty for -1."""
        return self.labels[place].label_id if place >= 0 else ""

    def levels(self) -> list[IndexArray]:
        """The places of the labels of each depth, the roots first."""
        deepest = int(self.depths.max()) if len(self) else -1
        return [np.flatnonzero(self.depths == depth) for depth in range(deepest + 1)]
