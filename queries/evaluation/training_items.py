"""Items that a catalog was taught or calibrated by: figures on them are too good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.records import BoolArray
from indexer.labels.examples import ITEM_KINDS, LabelledFolder


@dataclass(frozen=True, slots=True)
class TrainingItems:
    """Which of n items a catalog was taught or calibrated by.

    Attributes:
        taught: bool (n,), examples of ``labels teach``.
        calibrating: bool (n,), items of ``labels calibrate`` and items of no label, without
            the taught ones.
    """

    taught: BoolArray
    calibrating: BoolArray

    @property
    def either(self) -> BoolArray:
        """Bool (n,)."""
        return np.asarray(self.taught | self.calibrating)


def find_training_items(catalog: OpenCatalog, item_ids: Sequence[str]) -> TrainingItems:
    """Find the items that the catalog is taught and calibrated by now."""
    folder = LabelledFolder(catalog.folder.labels)
    ids = {
        kind: set(labelled.item_ids if (labelled := folder.items(kind)) else ())
        for kind in ITEM_KINDS
    }
    calibrating = ids["calibrating"] | ids["unknown"]
    was_taught = np.array([item_id in ids["taught"] for item_id in item_ids], dtype=np.bool_)
    calibrates = np.array([item_id in calibrating for item_id in item_ids], dtype=np.bool_)
    return TrainingItems(was_taught, calibrates & ~was_taught)
