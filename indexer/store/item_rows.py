"""Rows of the ``items`` collection: from an item and its decision, and back; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from indexer.core.errors import StoreError
from indexer.core.hashing import canonical_json, described_hash
from indexer.core.protocols import Decision
from indexer.core.records import (
    MAX_ID_BYTES,
    MAX_METADATA_BYTES,
    MAX_SOURCE_BYTES,
    EmbeddedItem,
    FloatArray,
    Kind,
    key_of,
)
from indexer.store import schema
from indexer.store.checks import check_bytes, check_json, cut


def item_fields(row: EmbeddedItem, name: str) -> dict[str, Any]:
    """An item's own fields, checked; without vector.

    Args:
        name: of the item, for messages.

    Raises:
        StoreError: a value that must not reach Milvus.
    """
    return {
        "key": key_of(check_bytes(name, "id", row.item_id, MAX_ID_BYTES)),
        "item_id": row.item_id,
        "parent_id": check_bytes(name, "parent", row.parent_id or row.item_id, MAX_ID_BYTES),
        "part": check_json(name, "part", row.part_json or "{}", MAX_METADATA_BYTES),
        "kind": str(row.kind),
        "source": check_bytes(name, "source", row.source, MAX_SOURCE_BYTES),
        # The archive keeps the whole title; this one is for display and filters.
        "title": cut(row.title, schema.TITLE_BYTES),
        "metadata": check_json(name, "metadata", row.metadata_json, MAX_METADATA_BYTES),
        "content_hash": check_bytes(name, "content hash", row.content_hash, schema.HASH_BYTES),
    }


def decision_fields(row: EmbeddedItem, decision: Decision | None) -> dict[str, Any]:
    """The fields of an item's decision; empty ones for None.

    Raises:
        StoreError: the decision is of another item.
    """
    if decision is None:
        return {"label_id": "", "label": "", "score": 0.0, "status": "", "attributes": {}}
    if decision.item_id != row.item_id:
        raise StoreError(
            f"item {row.item_id!r}: the decision at its place belongs to {decision.item_id!r}; "
            "decisions must be in the order of the rows"
        )
    return {
        "label_id": decision.label_id,
        "label": cut(decision.label, schema.NAME_BYTES),
        "score": decision.score,
        "status": decision.status,
        "attributes": {
            name: value
            for set_name, attribute in decision.attributes.items()
            for name, value in _attribute_values(set_name, attribute).items()
        },
    }


def _attribute_values(set_name: str, decision: Decision) -> dict[str, str | float]:
    """An attribute as filters find it: its value by the set's name, the rest behind that name."""
    return {
        set_name: cut(decision.label, schema.NAME_BYTES),
        f"{set_name}_label_id": decision.label_id,
        f"{set_name}_score": decision.score,
        f"{set_name}_status": decision.status,
    }


def _attributes(item_id: str, stored: Mapping[str, Any]) -> dict[str, Decision]:
    """The decisions that ``_attribute_values`` stored, by the set's name."""
    suffix = "_status"
    set_names = [name.removesuffix(suffix) for name in stored if name.endswith(suffix)]
    return {
        set_name: Decision(
            item_id=item_id,
            label_id=stored[f"{set_name}_label_id"],
            label=stored[set_name],
            score=float(stored[f"{set_name}_score"]),
            status=stored[f"{set_name}_status"],
        )
        for set_name in set_names
    }


def read_row(row: dict[str, Any], vector: FloatArray) -> tuple[EmbeddedItem, Decision | None]:
    """An item and its decision from a stored row; None where it has no decision.

    Args:
        vector: float32 (d,).
    """
    item = EmbeddedItem(
        item_id=row["item_id"],
        kind=Kind(row["kind"]),
        source=row["source"],
        title=row["title"],
        metadata_json=canonical_json(row["metadata"]),
        content_hash=row["content_hash"],
        row_hash="",
        vector=vector,
        parent_id="" if row["parent_id"] == row["item_id"] else row["parent_id"],
        part_json=canonical_json(row["part"]) if row["part"] else "",
    )
    item = replace(item, row_hash=described_hash(item))
    decision = Decision(
        item_id=item.item_id,
        label_id=row["label_id"],
        label=row["label"],
        score=float(row["score"]),
        status=str(row["status"]),
        attributes=_attributes(item.item_id, row["attributes"]),
    )
    is_decided = decision.label_id or decision.status or decision.attributes
    return item, decision if is_decided else None
