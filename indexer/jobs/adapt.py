"""Adapt a catalog's labels to its items, without labelled ones."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum

from indexer.catalog.opened import Catalog, CatalogOptions, open_catalog
from indexer.catalog.sampling import sampled_vectors
from indexer.core.errors import CatalogError
from indexer.labels.adaptation import MIN_ITEMS, Adaptation, fit
from indexer.labels.files import Fitted
from indexer.labels.sets import LabelSet

CHANGE = 0.2
"""Share of the items that may come, go or change before labels are adapted anew: a mean
moves by at most that share of the distance between the old items and the new ones."""

MOST_SCORES = 40_000_000
"""Beyond so many scores of items by labels a sample of the items is taken."""

FEWEST_SAMPLED, MOST_SAMPLED = 2_048, 16_384
"""Items of a sample; half of a catalog of 1,000 gave as good statistics."""

_log = logging.getLogger(__name__)


class FitReason(StrEnum):
    """Why labels are fitted to the items of a catalog."""

    FIRST = "for the first time"
    LABELS = "labels have changed"
    ITEMS = "more than a fifth of the items have changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptReport:
    """What ``labels adapt`` did.

    Attributes:
        items: that the labels were adapted to; 0 where adaptation was put off.
        labels: that were adapted: the leaves.
        trust: 0 where centring would be a guess, up to 1.
        effective_labels: how many labels the catalog uses, by inverse Simpson index.
        version: of the adaptation; empty where it was put off.
    """

    items: int
    labels: int
    trust: float
    effective_labels: float
    version: str


def adapt(options: CatalogOptions, *, off: bool = False) -> AdaptReport:
    """Adapt the leaves of a catalog to its items, anew; or go back to plain labels.

    Args:
        off: put adaptation off, until the next call without.

    Raises:
        CatalogError: too few labels or items.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        if off:
            before = catalog.adaptation
            catalog.adaptation_folder.put_off()
            _replace(catalog, before, None)
            return AdaptReport(items=0, labels=0, trust=0.0, effective_labels=0.0, version="")
        labels = catalog.label_set.leaves
        found = fit_to(catalog, labels)
        if found is None:
            raise CatalogError(
                f"catalog {catalog.folder.name!r} has {len(labels)} labels and "
                f"{catalog.ledger.count()} items: adapting takes 2 labels and {MIN_ITEMS} items."
            )
        keep(catalog, found)
        return AdaptReport(
            items=found.items,
            labels=len(labels),
            trust=found.trust,
            effective_labels=found.effective_labels,
            version=found.version,
        )


def current(catalog: Catalog) -> Adaptation | None:
    """The stored adaptation of a catalog's leaves; fitted anew where it does not fit any more.

    Args:
        catalog: opened for writing.

    Returns:
        None where adaptation was put off, or there are too few labels or items.
    """
    if catalog.adaptation_folder.is_off:
        _log.info("adaptation was put off for catalog %r.", catalog.folder.name)
        return None
    reason = reason_to_fit(catalog)
    if reason is None:
        return catalog.adaptation
    _log.info("labels of catalog %r are fitted: %s.", catalog.folder.name, reason)
    found = fit_to(catalog, catalog.label_set.leaves)
    if found is not None:
        keep(catalog, found)
    return found


def reason_to_fit(catalog: Catalog) -> FitReason | None:
    """Why what the leaves were adapted by does not serve; None where it does."""
    fitted = catalog.adaptation_folder.load()
    if fitted is None:
        return FitReason.FIRST
    if catalog.adaptation is None:
        return FitReason.LABELS
    if _changed(catalog, fitted) > CHANGE * fitted.catalog_items:
        return FitReason.ITEMS
    return None


def fit_to(catalog: Catalog, labels: LabelSet) -> Adaptation | None:
    """Labels adapted to a sample of a catalog's items; None where there are too few of either.

    Args:
        labels: to adapt, whether they are the catalog's or others.
    """
    if len(labels) < 2 or catalog.ledger.count() < MIN_ITEMS:
        return None
    return fit(sampled_vectors(catalog, sample_size(len(labels))), labels.vectors)


def sample_size(labels: int) -> int:
    """How many items stand for all where so many labels are adapted to them."""
    return min(max(MOST_SCORES // labels, FEWEST_SAMPLED), MOST_SAMPLED)


def keep(catalog: Catalog, adaptation: Adaptation) -> None:
    """Store an adaptation of the leaves, and bring the database to it.

    File first, then database: a command that is killed between the two is told of it.
    """
    fitted = Fitted(
        adaptation=adaptation,
        label_version=catalog.label_set.leaves.version,
        catalog_items=catalog.ledger.count(),
        newest_shard=max(catalog.ledger.shards(), default=0),
    )
    before = catalog.adaptation
    catalog.adaptation_folder.save(fitted)
    _replace(catalog, before, adaptation)


def _replace(catalog: Catalog, before: Adaptation | None, after: Adaptation | None) -> None:
    """Bring the ``labels`` collection to another adaptation of the same labels."""
    catalog.adaptation = after
    catalog.write_labels((catalog.label_set, before))


def _changed(catalog: Catalog, fitted: Fitted) -> int:
    """Items that came, went or changed since an adaptation was fitted."""
    shards = [one for one in catalog.ledger.shards() if one > fitted.newest_shard]
    new = sum(len(catalog.ledger.live_rows(one)) for one in shards)
    gone = fitted.catalog_items - (catalog.ledger.count() - new)
    return new + max(gone, 0)
