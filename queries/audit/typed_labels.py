"""The labels that somebody gave, shard by shard, as rows of the active labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.item_rows import CatalogItems, ItemRows
from indexer.catalog.item_vectors import mean_vectors
from indexer.core.errors import UsageError
from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.suggestions import did_you_mean
from indexer.labels.sets import LabelSet
from queries.audit.held_out import FOLDS
from queries.categorizing.categorize import Selection, select_items, selected_items
from queries.evaluation.result_table import Table
from queries.evaluation.truth import TruthLabels, text_of

NOT_JUDGED = -1
"""The code of an item whose typed value is no label, or that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedBlock:
    """Items of a shard with their typed labels.

    Attributes:
        item_ids: n ids.
        item_titles: empty where an item has none.
        typed: what was typed, as text; empty where nothing was.
        codes: int64 (n,): a row of the active labels; below -1 an inner label, whose number is
            ``-2 - code``; ``NOT_JUDGED`` else.
        vectors: float32 (n, d).
        titles: float32 (n, d), zeros where an item has no title.
        folds: int64 (n,); items with the same content are in one fold.
    """

    shard: int
    item_ids: list[str]
    item_titles: list[str]
    typed: list[str]
    codes: IndexArray
    vectors: FloatArray
    titles: FloatArray
    folds: IndexArray

    @property
    def is_leaf(self) -> BoolArray:
        """Bool (n,): typed as an active label."""
        return np.asarray(self.codes >= 0)

    @property
    def is_inner(self) -> BoolArray:
        """Bool (n,): typed as a label above active ones."""
        return np.asarray(self.codes < NOT_JUDGED)


@dataclass(slots=True)
class TypedCounts:
    """What was typed.

    Attributes:
        items: of the catalog, or of those selected.
        labelled: with a value that is a label.
        empty: without a value.
        no_label: with a value that means none of the labels.
        unknown: items by each value that is no label.
        ambiguous: items by each value that fits several labels.
        strangers: items of the table that are not among these.
    """

    items: int = 0
    labelled: int = 0
    empty: int = 0
    no_label: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    ambiguous: Counter[str] = field(default_factory=Counter)
    strangers: int = 0


class TypedLabels:
    """Reads typed labels from a column of the items' metadata, or of a table.

    Args:
        labels: the active ones, leaves of the catalog's.
        column: label ids, names or paths.
        table: has the column, and the items' ids; None for the metadata.
        no_label: values that mean none of the labels; their items are not judged.
        selection: the items that are judged and learnt from.

    Raises:
        UsageError: the table has no such column.
    """

    def __init__(
        self,
        catalog: OpenCatalog,
        labels: LabelSet,
        column: str,
        *,
        table: Table | None = None,
        no_label: Sequence[str] = (),
        selection: Selection = Selection(),
    ) -> None:
        self._catalog, self._labels, self._column = catalog, labels, column
        self._given = None if table is None else _given_labels(table, column)
        self._matched = 0
        self._no_label = frozenset(no_label)
        self._selection = selection
        if not selection.is_whole:
            select_items(catalog, selection)
        self._resolver = TruthLabels(catalog.label_set.labels)
        self._codes: dict[str, int] = {}
        self._ambiguous: set[str] = set()
        self.inner: list[IndexArray] = []
        """Rows of the active labels below each inner label that was typed."""
        self.inner_ids: list[str] = []
        self._below = _leaves_below(catalog.label_set, labels)

    def counts(self) -> TypedCounts:
        """Count what was typed.

        Raises:
            UsageError: no item has the column or is in the table, or no value is a label.
        """
        counts, keys = TypedCounts(), set[str]()
        for items in self._items():
            for value in self._values(items, keys):
                counts.items += 1
                text = text_of(value)
                if text in self._no_label:
                    counts.no_label += 1
                elif not text:
                    counts.empty += 1
                elif self._code(value) != NOT_JUDGED:
                    counts.labelled += 1
                else:
                    (counts.ambiguous if text in self._ambiguous else counts.unknown)[text] += 1
        if self._given is not None:
            counts.strangers = len(self._given) - self._matched
        self._refuse_nothing(counts, keys)
        return counts

    def blocks(self) -> Iterator[TypedBlock]:
        """All items, a shard at a time."""
        yield from map(self._block, self._items().with_vectors(self._catalog.folder.root))

    def _block(self, items: ItemRows) -> TypedBlock:
        archive = self._catalog.archive
        shard, rows = items.shard, items.rows
        table = archive.table(shard, ["item_id", "title", "content_hash", "vector"])
        vectors, titles = archive.vectors(shard, table), archive.title_vectors(shard)
        hashes = table.column("content_hash").take(rows).to_pylist()
        values = self._values(items, set())
        ids = items.item_ids(table.column("item_id").take(rows))
        return TypedBlock(
            shard=shard,
            item_ids=ids.to_pylist(),
            item_titles=table.column("title").take(rows).to_pylist(),
            typed=[text_of(value) for value in values],
            codes=np.array([self._code(value) for value in values], dtype=np.int64),
            vectors=mean_vectors(*items.views(vectors)),
            titles=np.zeros_like(vectors[rows]) if titles is None else titles[rows],
            # A copy of a picture must not vouch for the label that both were given.
            folds=np.array([int(text[:8], 16) % FOLDS for text in hashes], dtype=np.int64),
        )

    def _items(self) -> CatalogItems:
        return selected_items(self._catalog, self._selection)

    def _values(self, items: ItemRows, keys: set[str]) -> list[Any]:
        """What was typed of each item; ``keys`` gets the columns that there are."""
        archive = self._catalog.archive
        if self._given is not None:
            stored = archive.table(items.shard, ["item_id"]).column(0).take(items.rows)
            keys.add(self._column)
            ids = items.item_ids(stored).to_pylist()
            self._matched += sum(item_id in self._given for item_id in ids)
            return [self._given.get(item_id) for item_id in ids]
        texts = archive.table(items.shard, ["metadata_json"]).column(0).take(items.rows)
        values = []
        for text in texts.to_pylist():
            metadata = json.loads(text)
            keys.update(metadata)
            values.append(metadata.get(self._column))
        return values

    def _code(self, value: Any) -> int:
        text = text_of(value)
        if not text or text in self._no_label:
            return NOT_JUDGED
        if text not in self._codes:
            self._codes[text] = self._resolve(value, text)
        return self._codes[text]

    def _resolve(self, value: Any, text: str) -> int:
        label_ids = self._resolver.find(value)
        if len(label_ids) > 1:
            self._ambiguous.add(text)
        if len(label_ids) != 1:
            return NOT_JUDGED
        (label_id,) = label_ids
        if label_id in self._labels.places:
            return self._labels.places[label_id]
        if not self._below.get(label_id):
            return NOT_JUDGED
        if label_id not in self.inner_ids:
            self.inner_ids.append(label_id)
            self.inner.append(np.array(self._below[label_id], dtype=np.int64))
        return NOT_JUDGED - 1 - self.inner_ids.index(label_id)

    def _refuse_nothing(self, counts: TypedCounts, keys: set[str]) -> None:
        name = self._column
        if name not in keys:
            raise UsageError(
                f"no item has the column {name!r} for --truth.{did_you_mean(name, sorted(keys))} "
                f"Their metadata has: {', '.join(sorted(keys)) or 'none'}. Ingest a table that has "
                "the column, or give one with item_id and this column as TABLE."
            )
        if self._given and counts.strangers == len(self._given):
            raise UsageError(
                f"catalog {self._catalog.folder.name!r} has none of the {counts.strangers:,} items "
                f"of the table, such as {next(iter(self._given))!r}: name the catalog that they "
                "are in with --catalog."
            )
        if not counts.labelled:
            values = [*counts.unknown, *counts.ambiguous]
            self._resolver.refuse(
                {text: (counts.unknown[text] + counts.ambiguous[text], []) for text in values},
                name,
                otherwise="or name another column",
            )
            raise UsageError(f"column {name!r} has no label in all {counts.items:,} items.")


def _given_labels(table: Table, column: str) -> dict[str, Any]:
    """The labels of a table by item."""
    if column not in table.columns or column == "item_id":
        names = sorted(table.columns - {"item_id"})
        raise UsageError(
            f"table {str(table.path)!r} has no column {column!r} for --truth."
            f"{did_you_mean(column, names)} It has: {', '.join(names) or 'none'}."
        )
    return dict(zip(table.item_ids, table.values(column), strict=True))


def _leaves_below(all_labels: LabelSet, leaves: LabelSet) -> dict[str, list[int]]:
    """Rows of the leaves by each label above them."""
    parents = {label.label_id: label.parent_id for label in all_labels.labels}
    below: dict[str, list[int]] = {}
    for row, label in enumerate(leaves.labels):
        ancestor = label.parent_id
        while ancestor:
            below.setdefault(ancestor, []).append(row)
            ancestor = parents.get(ancestor, "")
    return below
