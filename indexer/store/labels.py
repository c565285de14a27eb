"""The ``labels`` collection of a catalog: one row a label, of all its label sets."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY, check_set_name
from indexer.core.protocols import Hit
from indexer.core.records import (
    MAX_ID_BYTES,
    MAX_TEXT_BYTES,
    EmbeddedLabel,
    FloatArray,
    Label,
    key_of,
)
from indexer.store import schema
from indexer.store.checks import check_bytes, check_unique, stack
from indexer.store.collection import MAX_LIMIT, VECTOR, Collection
from indexer.store.expressions import Filter, key_expressions

HIT_FIELDS = ("label_id", "name", "path", "position")

TIES = 16
"""Results beyond the limit, so that equal ones at its border are ranked by position."""

LEAVES = "is_leaf == true"


class MilvusLabels:
    """The labels of one set of a catalog; ``Database.labels`` makes it.

    Args:
        set_name: the label set; rows of others are neither seen nor changed.
    """

    def __init__(self, collection: Collection, set_name: str = CATEGORY) -> None:
        self._collection = collection
        self._set_name = set_name
        self._in_set = f'{schema.LABEL_SET} == "{check_set_name(set_name)}"'

    def upsert(self, labels: Sequence[EmbeddedLabel]) -> None:
        """Write labels, replacing those of the same id.

        Raises:
            StoreError: a label that must not reach Milvus (none is written then), or Milvus failed.
        """
        check_unique([row.label.label_id for row in labels], "label")
        names = [f"label {row.label.label_id!r}" for row in labels]
        vectors = stack([row.vector for row in labels], names, self._collection.width, unit=False)
        self._collection.upsert(
            [
                {
                    **_fields(row, name),
                    "key": key_of(self._identifier(row.label.label_id)),
                    schema.LABEL_SET: self._set_name,
                    VECTOR: vector,
                }
                for row, name, vector in zip(labels, names, vectors, strict=True)
            ]
        )

    def delete(self, label_ids: Sequence[str]) -> None:
        """Remove labels; unknown ids are ignored."""
        self._collection.delete([self._identifier(label_id) for label_id in label_ids])

    def flush(self) -> None:
        """Make what was written durable, quick to search, and visible to every process."""
        self._collection.flush()

    def count(self) -> int:
        """Rows that a search can find, exactly."""
        return self._collection.count(Filter(expression=self._in_set))

    def count_all_sets(self) -> int:
        """Rows of this label set and of all others; quick at any number."""
        return self._collection.count()

    def label_ids(self) -> list[str]:
        """Ids of all stored labels, in no order; Milvus Lite reads vectors back slowly."""
        rows = self._collection.rows(["label_id"], Filter(expression=self._in_set))
        return [row["label_id"] for row in rows]

    def labels(self) -> Iterator[EmbeddedLabel]:
        """Every stored label with its vector, in order of position."""
        rows = self._collection.rows(
            [*schema.LABEL_FIELDS, VECTOR], Filter(expression=self._in_set)
        )
        yield from sorted(map(_label, rows), key=lambda row: (row.position, row.label.label_id))

    def search(
        self,
        vectors: FloatArray,
        *,
        limit: int,
        label_ids: Sequence[str] | None = None,
        leaves_only: bool = False,
    ) -> list[list[Hit]]:
        """Labels of the largest inner product with each query, best first; ties by position.

        Args:
            vectors: float32 (n, d + 1), queries of the head whose rows are stored.
            limit: results a query, at most ``collection.MAX_LIMIT``; fewer come back where
                there are fewer labels.
            label_ids: search only among these; unknown ids are ignored.
            leaves_only: without ``label_ids``, search only labels that are no parents.

        Returns:
            Hits with the fields ``label_id``, ``name``, ``path`` (a list of names) and
            ``position``.

        Raises:
            UsageError: the limit is out of range.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise UsageError(f"limit {limit}: Milvus gives from 1 to {MAX_LIMIT} labels")
        everything = [f"{self._in_set} and {LEAVES}" if leaves_only else self._in_set]
        expressions = (
            everything if label_ids is None else key_expressions(map(self._identifier, label_ids))
        )
        best: list[list[Hit]] = [[] for _ in range(len(vectors))]
        # Each part is searched exactly (FLAT), so the merged best are the best of all.
        for expression in expressions:
            expression_hits = self._collection.search(
                vectors,
                limit=min(limit + TIES, MAX_LIMIT),
                output=HIT_FIELDS,
                row_filter=Filter(expression=expression),
            )
            best = [
                heapq.nsmallest(limit, [*old, *new], key=_rank)
                for old, new in zip(best, expression_hits, strict=True)
            ]
        return [[_parsed(hit) for hit in hits] for hits in best]

    def _identifier(self, label_id: str) -> str:
        """What the key of a label is made of: sets may have labels of the same id."""
        return label_id if self._set_name == CATEGORY else f"{self._set_name}\0{label_id}"


def _rank(hit: Hit) -> tuple[float, int]:
    return -hit.similarity, hit.fields["position"]


def _parsed(hit: Hit) -> Hit:
    return Hit(
        similarity=hit.similarity, fields={**hit.fields, "path": json.loads(hit.fields["path"])}
    )


def _fields(row: EmbeddedLabel, name: str) -> dict[str, Any]:
    label = row.label
    path = json.dumps(label.path, ensure_ascii=False)
    synonyms = json.dumps(label.synonyms, ensure_ascii=False)
    return {
        "label_id": check_bytes(name, "id", label.label_id, MAX_ID_BYTES),
        "name": check_bytes(name, "name", label.name, schema.NAME_BYTES),
        "path": check_bytes(name, "path", path, MAX_TEXT_BYTES),
        "parent_id": check_bytes(name, "parent id", label.parent_id, MAX_ID_BYTES),
        "depth": label.depth,
        "position": row.position,
        "is_leaf": row.is_leaf,
        "description": check_bytes(name, "description", label.description, MAX_TEXT_BYTES),
        "synonyms": check_bytes(name, "list of synonyms", synonyms, MAX_TEXT_BYTES),
        "definition_hash": check_bytes(
            name, "definition hash", row.definition_hash, schema.HASH_BYTES
        ),
    }


def _label(row: dict[str, Any]) -> EmbeddedLabel:
    label = Label(
        label_id=row["label_id"],
        name=row["name"],
        path=tuple(json.loads(row["path"])),
        parent_id=row["parent_id"],
        description=row["description"],
        synonyms=tuple(json.loads(row["synonyms"])),
    )
    return EmbeddedLabel(
        label=label,
        position=row["position"],
        is_leaf=bool(row["is_leaf"]),
        definition_hash=row["definition_hash"],
        vector=np.asarray(row[VECTOR], dtype=np.float32),
    )
