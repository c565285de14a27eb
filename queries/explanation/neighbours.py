"""The nearest items whose label is known, by search in Milvus and among taught examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.catalog.grouping import nearest_items
from indexer.catalog.opening import OpenCatalog
from indexer.core.label_sets import CATEGORY
from indexer.core.records import FloatArray
from indexer.labels.examples import LabelledFolder

DECIDED = 'label_id != ""'
"""Filter for the items that a categorization with write-back labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A stored item near an input.

    Attributes:
        similarity: cosine of the two vectors.
        kind: picture, sound, video, text or vector.
        label: empty where the item has none.
        origin: ``taught`` by people, ``calibration`` where people's label only calibrates,
            ``decided`` by a categorization, or empty.
    """

    item_id: str
    similarity: float
    kind: str
    title: str
    source: str
    label: str
    label_id: str
    origin: str


def labelled_neighbours(
    catalog: OpenCatalog,
    vector: FloatArray,
    *,
    limit: int,
    but: str = "",
    partition: str | None = None,
) -> list[Neighbour]:
    """The nearest labelled items, best first; the nearest at all where none is labelled.

    Args:
        vector: float32 (d,), length 1.
        but: an item that is left out: the one that is asked about.
        partition: only items of this one.

    Raises:
        UsageError: there is no such partition.
    """
    if partition is not None:
        catalog.require_partition(partition)
    if limit < 1:
        return []
    catalog.report_lag()
    neighbours = {
        neighbour.item_id: neighbour
        for neighbour in _decided(catalog, vector, limit + 1, _decided_filter(catalog), partition)
    }
    # What people say of an item counts more than what a job decided on it.
    neighbours |= {
        neighbour.item_id: neighbour
        for neighbour in _labelled(catalog, vector, limit + 1, partition)
    }
    if not neighbours.keys() - {but}:
        neighbours = {
            neighbour.item_id: neighbour
            for neighbour in _decided(catalog, vector, limit + 1, "", partition)
        }
    neighbours.pop(but, None)
    return sorted(neighbours.values(), key=lambda one: -one.similarity)[:limit]


def _decided(
    catalog: OpenCatalog, vector: FloatArray, limit: int, expression: str, partition: str | None
) -> Iterator[Neighbour]:
    hits = nearest_items(
        catalog, vector, limit=limit, filter_expression=expression, partition=partition
    )
    for hit in hits:
        fields = hit.fields
        label_id, label = _stored_label(catalog, fields)
        yield Neighbour(
            item_id=fields["item_id"],
            similarity=hit.similarity,
            kind=fields["kind"],
            title=fields["title"],
            source=fields["source"],
            label=label,
            label_id=label_id,
            origin="decided" if label_id else "",
        )


def _decided_filter(catalog: OpenCatalog) -> str:
    """The items that have a label of the catalog's label set."""
    name = catalog.folder.set_name
    return DECIDED if name == CATEGORY else f'attributes["{name}_label_id"] != ""'


def _stored_label(catalog: OpenCatalog, fields: Mapping[str, Any]) -> tuple[str, str]:
    """Id and name of an item's label of the catalog's label set; empty where it has none."""
    name = catalog.folder.set_name
    if name == CATEGORY:
        return fields["label_id"], fields["label"]
    attributes = fields["attributes"]
    return attributes.get(f"{name}_label_id", ""), attributes.get(name, "")


def _labelled(
    catalog: OpenCatalog, vector: FloatArray, limit: int, partition: str | None
) -> Iterator[Neighbour]:
    """The nearest of the examples that were taught, and of the items to calibrate on."""
    folder, labels = LabelledFolder(catalog.folder.labels), catalog.label_set
    # An item that does both counts as taught: the later one replaces the earlier.
    for origin, labelled in (
        ("calibration", folder.items("calibrating")),
        ("taught", folder.items("taught")),
    ):
        if labelled is None:
            continue
        if partition is not None:
            partition_ids = set(
                catalog.ledger.partitions.items_inside(labelled.item_ids, partition)
            )
            labelled = labelled.take(
                row for row, taught_id in enumerate(labelled.item_ids) if taught_id in partition_ids
            )
        leads = catalog.ledger.parts.leads(labelled.item_ids)
        labelled = labelled.take(
            row for row, taught_id in enumerate(labelled.item_ids) if taught_id in leads
        )
        cosines = labelled.vectors.astype(np.float64) @ vector
        rows = np.argsort(-cosines, kind="stable")[:limit].tolist()
        fields = catalog.items.fetch([leads[labelled.item_ids[row]] for row in rows])
        for row in rows:
            item_id, label_id = labelled.item_ids[row], labelled.label_ids[row]
            if label_id not in labels.places:
                continue
            stored: dict[str, Any] = fields.get(leads[item_id], {})
            yield Neighbour(
                item_id=item_id,
                similarity=float(cosines[row]),
                kind=str(stored.get("kind", "")),
                title=str(stored.get("title", "")),
                source=str(stored.get("source", "")),
                label=labels.labels[labels.places[label_id]].name,
                label_id=label_id,
                origin=origin,
            )
