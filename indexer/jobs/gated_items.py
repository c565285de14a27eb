"""The items that a label set applies to, as far as a fit to them needs to know."""

from __future__ import annotations

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.label_sets import CATEGORY
from indexer.core.records import FloatArray, IndexArray
from indexer.labels import taxonomy
from indexer.labels.adaptation import MIN_ITEMS, fit
from indexer.labels.gates import GateFile
from indexer.labels.head import adapted, plain

FEWEST = 20
"""Items in a gate below which labels are adapted to all items: the smallest branch measured had
24."""

_ROWS = 512
"""Items that are scored at once: a shop's taxonomy has ten thousand leaves."""


def within_gate(catalog: OpenCatalog, vectors: FloatArray) -> FloatArray:
    """Those of some items' vectors that a label set applies to; all of them where it has no gate.

    Colours of bags differ from colours of all products, so labels fit better to the items that
    they are meant for: macro-F1 .80 instead of .71 over 11 branches of the sample shop. An item's
    category is its nearest leaf here; nobody's verdict and no title counts.

    Args:
        catalog: at the label set.
        vectors: float32 (n, d), rows of length 1, of items of the catalog.
    """
    branches = {branch.label_id for branch in GateFile(catalog.folder.labels).load()}
    categories = catalog.of_set(CATEGORY) if branches else catalog
    leaves = categories.label_set.leaves
    if not branches or len(leaves) < 2 or len(vectors) < MIN_ITEMS:
        return vectors
    ancestors = taxonomy.ancestors(categories.label_set.labels)
    is_inside = np.array(
        [
            not branches.isdisjoint((*ancestors[label.label_id], label.label_id))
            for label in leaves.labels
        ]
    )
    inside = is_inside[_nearest_leaves(categories, vectors)]
    return vectors[inside] if inside.sum() >= FEWEST else vectors


def _nearest_leaves(categories: OpenCatalog, vectors: FloatArray) -> IndexArray:
    """int64 (n,): the leaf of the best score for each vector."""
    leaves = categories.label_set.leaves
    if categories.adaptation_folder.is_disabled:
        head = plain(leaves, categories.fingerprint.logit_scale)
    else:
        head = adapted(leaves, categories.adaptation or fit(vectors, leaves.vectors))
    blocks = [
        (head.queries(vectors[start : start + _ROWS]) @ head.matrix.T).argmax(axis=1)
        for start in range(0, len(vectors), _ROWS)
    ]
    return np.concatenate(blocks)
