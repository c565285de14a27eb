"""Adapts a catalog's labels to its items, without labelled examples."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import numpy as np

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.catalog.sampling import sampled_vectors
from indexer.core.errors import CatalogError
from indexer.core.label_sets import CATEGORY
from indexer.core.records import FloatArray, IndexArray
from indexer.labels import taxonomy
from indexer.labels.adaptation import MIN_ITEMS, Adaptation, fit
from indexer.labels.files import Fitted
from indexer.labels.gates import GateFile
from indexer.labels.head import adapted_or_plain
from indexer.labels.sets import LabelSet

CHANGE = 0.2
"""Share of the items that may be added, removed or changed before labels are adapted again. A mean
moves by at most this share of the distance between the old items and the new ones."""

MAX_SCORES = 40_000_000
"""Items times labels beyond which a sample of the items is used."""

MIN_SAMPLE, MAX_SAMPLE = 2_048, 16_384
"""Sizes of a sample; half of a catalog of 1,000 items gave as good statistics as all of it."""

_FEWEST_IN_GATE = 20
"""Items in a gate below which labels are adapted to all items: the smallest branch measured had
24."""

_ROWS = 512
"""Items that are scored at once: a shop's taxonomy has ten thousand leaves."""

Start = Callable[[Callable[[], object]], object]
"""Starts work beside, or does it at once: see ``indexer.core.threads.beside``."""

_log = logging.getLogger(__name__)


class FitReason(StrEnum):
    """Why labels are fitted to the items of a catalog."""

    FIRST = "for the first time"
    LABELS = "labels have changed, or what they apply to"
    ITEMS = "more than a fifth of the items have changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptReport:
    """What ``labels adapt`` did.

    Attributes:
        items: number of items that the labels were adapted to; 0 if adaptation was turned off.
        labels: number of adapted labels, which are the leaves.
        trust: how reliable the centring is, from 0 (a guess) to 1.
        effective_labels: number of labels that the catalog uses, by inverse Simpson index.
        version: of the adaptation; empty if it was turned off.
    """

    items: int
    labels: int
    trust: float
    effective_labels: float
    version: str


def adapt(options: CatalogOptions, *, off: bool = False) -> AdaptReport:
    """Adapt the leaves of a catalog to its items, or go back to plain labels.

    Args:
        off: turn adaptation off, until the next call without it.

    Raises:
        CatalogError: too few labels or items.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        if off:
            previous = catalog.adaptation
            catalog.adaptation_folder.disable()
            catalog.adaptation = None
            _write(catalog, previous)
            return AdaptReport(items=0, labels=0, trust=0.0, effective_labels=0.0, version="")
        labels = catalog.label_set.leaves
        adaptation = fit_to(catalog, labels)
        if adaptation is None:
            raise CatalogError(
                f"catalog {catalog.folder.name!r} has {len(labels)} labels and "
                f"{catalog.ledger.count()} items: adapting takes 2 labels and {MIN_ITEMS} items."
            )
        store(catalog, adaptation)
        return AdaptReport(
            items=adaptation.items,
            labels=len(labels),
            trust=adaptation.trust,
            effective_labels=adaptation.effective_labels,
            version=adaptation.version,
        )


def current(catalog: OpenCatalog, start: Start = lambda work: work()) -> Adaptation | None:
    """The stored adaptation of a catalog's leaves; fitted again where it is outdated.

    Args:
        catalog: opened for writing.
        start: is given the work of writing fitted labels to the database, which takes seconds.

    Returns:
        None where adaptation is turned off, or there are too few labels or items.
    """
    if catalog.adaptation_folder.is_disabled:
        _log.info("adaptation is turned off for catalog %r.", catalog.folder.name)
        return None
    reason = reason_to_fit(catalog)
    if reason is None:
        return catalog.adaptation
    _log.info("labels of catalog %r are fitted: %s.", catalog.folder.name, reason)
    adaptation = fit_to(catalog, catalog.label_set.leaves)
    if adaptation is not None:
        store(catalog, adaptation, start)
    return adaptation


def reason_to_fit(catalog: OpenCatalog) -> FitReason | None:
    """Why the leaves must be fitted; None where the stored adaptation is up to date."""
    fitted = catalog.adaptation_folder.load()
    if fitted is None:
        return FitReason.FIRST
    if catalog.adaptation is None:
        return FitReason.LABELS
    if _changed(catalog, fitted) > CHANGE * fitted.catalog_items:
        return FitReason.ITEMS
    return None


def fit_to(catalog: OpenCatalog, labels: LabelSet) -> Adaptation | None:
    """Labels adapted to a sample of a catalog's items; None where there are too few of either.

    Args:
        catalog: at a label set; only items that it applies to count.
        labels: the catalog's labels or others.
    """
    if len(labels) < 2 or catalog.ledger.count() < MIN_ITEMS:
        return None
    vectors = _within_gate(catalog, sampled_vectors(catalog, sample_size(len(labels))))
    return fit(vectors, labels.vectors)


def sample_size(labels: int) -> int:
    """Size of the sample of items that so many labels are adapted to."""
    return min(max(MAX_SCORES // labels, MIN_SAMPLE), MAX_SAMPLE)


def store(catalog: OpenCatalog, adaptation: Adaptation, start: Start = lambda work: work()) -> None:
    """Store an adaptation of the leaves in its file, then in the database.

    After a kill between the two, the next command sees that the database is behind.

    Args:
        start: is given the work of writing to the database.
    """
    previous = catalog.adaptation
    catalog.adaptation_folder.save(
        fitted_now(catalog, adaptation, catalog.label_set.leaves.version)
    )
    catalog.adaptation = adaptation
    start(partial(_write, catalog, previous))


def fitted_now(catalog: OpenCatalog, adaptation: Adaptation, label_version: str) -> Fitted:
    """An adaptation with the version of its labels, and with the items as they are now."""
    return Fitted(
        adaptation=adaptation,
        label_version=label_version,
        gate_version=GateFile(catalog.folder.labels).version,
        catalog_items=catalog.ledger.count(),
        newest_shard=max(catalog.ledger.shards(), default=0),
    )


def still_serves(catalog: OpenCatalog, items: int) -> bool:
    """Whether what was measured on so many items is kept: few came or went since then."""
    return abs(catalog.ledger.count() - items) <= CHANGE * items


def _write(catalog: OpenCatalog, previous: Adaptation | None) -> None:
    """Write the ``labels`` collection, which holds another adaptation of the same labels."""
    catalog.write_labels((catalog.label_set, previous))


def _changed(catalog: OpenCatalog, fitted: Fitted) -> int:
    """Number of items added, removed or changed since an adaptation was fitted."""
    shards = [shard for shard in catalog.ledger.shards() if shard > fitted.newest_shard]
    new = sum(len(catalog.ledger.live_rows(shard)) for shard in shards)
    removed = fitted.catalog_items - (catalog.ledger.count() - new)
    return new + max(removed, 0)


def _within_gate(catalog: OpenCatalog, vectors: FloatArray) -> FloatArray:
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
    return vectors[inside] if inside.sum() >= _FEWEST_IN_GATE else vectors


def _nearest_leaves(categories: OpenCatalog, vectors: FloatArray) -> IndexArray:
    """int64 (n,): the leaf of the best score for each vector."""
    leaves, adaptation = categories.label_set.leaves, None
    if not categories.adaptation_folder.is_disabled:
        adaptation = categories.adaptation or fit(vectors, leaves.vectors)
    head = adapted_or_plain(leaves, adaptation, categories.fingerprint.logit_scale)
    blocks = [
        (head.queries(vectors[start : start + _ROWS]) @ head.matrix.T).argmax(axis=1)
        for start in range(0, len(vectors), _ROWS)
    ]
    return np.concatenate(blocks)
