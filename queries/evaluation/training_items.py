"""Items that a catalog has learnt from: a figure measured on them says too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.catalog.opened import Catalog
from indexer.core.records import BoolArray
from indexer.labels.examples import LabelledFolder


@dataclass(frozen=True, slots=True)
class Learnt:
    """Which of n items a catalog has learnt from.

    Attributes:
        taught: bool (n,), examples of ``labels teach``.
        calibrating: bool (n,), those of ``labels calibrate`` that were not taught too, and those
            that were given as of no label.
    """

    taught: BoolArray
    calibrating: BoolArray

    @property
    def either(self) -> BoolArray:
        """Bool (n,)."""
        return np.asarray(self.taught | self.calibrating)


def learnt_from(catalog: Catalog, item_ids: Sequence[str]) -> Learnt:
    """Which items the catalog has learnt from until now."""
    folder = LabelledFolder(catalog.folder.labels)
    taught, calibrating = (
        set() if labelled is None else set(labelled.item_ids)
        for labelled in (folder.taught(), folder.calibrating())
    )
    unknown = folder.unknown()
    calibrating |= set() if unknown is None else set(unknown.item_ids)
    was_taught = np.array([item_id in taught for item_id in item_ids], dtype=np.bool_)
    calibrates = np.array([item_id in calibrating for item_id in item_ids], dtype=np.bool_)
    return Learnt(was_taught, calibrates & ~was_taught)
