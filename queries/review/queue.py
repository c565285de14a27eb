"""The review queue: which items to review first, and the number of items by label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.catalog.corrections import Correction, CorrectionFile
from indexer.catalog.decisions import DecisionFiles, columns
from indexer.catalog.opening import OpenCatalog
from indexer.core.records import BoolArray, DoubleArray, FloatArray, IndexArray
from queries.deciding.calibration import Status
from queries.review.corrections import without_removed
from queries.review.order import look_alikes_last, nearest, trust

if TYPE_CHECKING:
    import pyarrow as pa


CANDIDATES = 4_000
"""Items of the lowest scores are ordered by their neighbours too; the others by score."""

SAMPLE = 10_000
"""Items that neighbours are searched in, beside the candidates: every n-th of a large catalog."""

LOOKS = 10
"""Verdicts after which the candidates are ordered again: they count for the neighbours. Of 5, 10,
20 and 25 as few looks as 5 until half and 80% of the errors are mended, to 1%, on CLINC, banking77,
clothing, CIFAR-10 and the sample shop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An item that waits for a review."""

    item_id: str
    label_id: str
    label: str
    score: float
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCount:
    """The number of items of a label, their mean score, and their statuses."""

    label_id: str
    label: str
    items: int
    mean_score: float
    statuses: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which items are reviewed.

    Attributes:
        label_ids: of the labels that they have, "" for none; None for all.
        statuses: of them; empty for all.
        item_ids: only these; None for all.
    """

    label_ids: frozenset[str] | None = None
    statuses: frozenset[str] = frozenset()
    item_ids: frozenset[str] | None = None


ALL = Choice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A page of the review queue, and the size of the whole.

    Attributes:
        total: items that nobody has reviewed.
        doubtful: those of them whose label is not accepted.
        reviewed: items of the chosen labels that people have reviewed, whatever their status was;
            those to which they gave a label that is removed since wait again.
        expected_wrong: expected number of wrong labels among ``total``: the sum of 1 - score. It
            holds as far as scores are probabilities.
        expected_errors: the same as a share of all chosen items, reviewed ones included.
    """

    page: list[Doubt]
    total: int
    doubtful: int
    reviewed: int
    expected_wrong: float
    expected_errors: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """The rows of a catalog in the order of review.

    Attributes:
        rows: the ordered table.
        order: int64 (n,), the most useful first.
        looks: items that people had reviewed.
        pool: int64 (p,), rows that neighbours are searched in; with the candidates.
        candidates: int64 (c,), places in the pool.
        neighbours: int64 (c, k), places in the pool.
        vectors: float32 (c, d), of the candidates.
    """

    rows: pa.Table
    order: IndexArray
    looks: int
    pool: IndexArray
    candidates: IndexArray
    neighbours: IndexArray
    vectors: FloatArray

    def fits(self, rows: pa.Table, corrections: Mapping[str, Correction]) -> bool:
        """Whether the rows are the ordered ones, apart from items that were reviewed since."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not rows["item_id"].equals(self.rows["item_id"]):
            return False
        unchanged = pc.and_(
            *(pc.equal(rows[name], self.rows[name]) for name in ("label_id", "score"))
        ).fill_null(True)
        looked_at = pc.is_in(rows["item_id"], pa.array(corrections, pa.string()))
        return bool(pc.all(pc.or_(unchanged, looked_at), min_count=0).as_py())

    def reorder(self, scores: DoubleArray, labels: IndexArray, looks: int) -> _Order:
        """The candidates in order by the labels and scores that the rows have now.

        Args:
            scores: float64 (n,).
            labels: int64 (n,), equal numbers for equal labels.
            looks: items that people have looked at.
        """
        rows = self.pool[self.candidates]
        trusted = trust(scores[self.pool], labels[self.pool], self.candidates, self.neighbours)
        least_trusted = np.argsort(trusted, kind="stable")
        least_trusted = look_alikes_last(least_trusted, labels[rows], self.vectors)
        order = np.concatenate([rows[least_trusted], self.order[len(rows) :]])
        return replace(self, order=order, looks=looks)


def _equal(column: pa.ChunkedArray, value: str) -> BoolArray:
    """Which of n values are equal to one, bool (n,); null is not."""
    import pyarrow.compute as pc

    return np.asarray(pc.equal(column, value).fill_null(False).to_numpy())


def _one_of(column: pa.ChunkedArray, values: Collection[str]) -> BoolArray:
    """Which of n values are one of some, bool (n,); null is not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_one = pc.is_in(column, pa.array(sorted(values), pa.string()))
    return np.asarray(is_one.fill_null(False).to_numpy())


class DecisionCache:
    """The decisions on a catalog's items as they are now, kept in memory a shard at a time.

    A shard is read again where its file has changed, or rows of it were replaced. For one
    thread at a time.
    """

    def __init__(self) -> None:
        self._shards: dict[Path, tuple[object, pa.Table, IndexArray]] = {}
        self._orders: dict[Path, _Order] = {}
        self._corrections: dict[Path, CorrectionFile] = {}

    def queue(
        self, catalog: OpenCatalog, *, limit: int, offset: int = 0, choice: Choice = ALL
    ) -> Queue:
        """The items that nobody has reviewed, the most useful first.

        Accepted labels are in it too: some of them are wrong. Items that an attribute does not
        apply to are not. The order is by the score and the
        neighbours' labels (``queries.review.order``), and one of a group of look-alikes comes
        before the others. It is updated after every ``LOOKS`` verdicts.

        Args:
            limit: items of the page.
            offset: items before it.
            choice: which items.
        """
        rows = self._rows(catalog)
        order = self._ordered(catalog, rows)
        reviewed = _one_of(rows["item_id"], self.corrections(catalog))
        is_chosen = ~_equal(rows["status"], Status.NOT_APPLICABLE.value)
        if choice.label_ids is not None:
            is_chosen &= _one_of(rows["label_id"], choice.label_ids)
        if choice.item_ids is not None:
            is_chosen &= _one_of(rows["item_id"], choice.item_ids)
        waiting = ~reviewed & is_chosen
        if choice.statuses:
            waiting &= _one_of(rows["status"], choice.statuses)
        sure = _equal(rows["status"], Status.ACCEPTED.value)
        wrong = 1 - np.nan_to_num(rows["score"].to_numpy().astype(np.float64))
        expected_wrong = float(wrong[waiting].sum())
        order = order[waiting[order]]
        return Queue(
            page=[Doubt(**row) for row in rows.take(order[offset : offset + limit]).to_pylist()],
            total=len(order),
            doubtful=int((waiting & ~sure).sum()),
            reviewed=int((reviewed & is_chosen).sum()),
            expected_wrong=expected_wrong,
            expected_errors=expected_wrong / max(1, int(is_chosen.sum())),
        )

    def _ordered(self, catalog: OpenCatalog, rows: pa.Table) -> IndexArray:
        """int64 (n,): all rows, the most useful to look at first.

        A new categorization makes a new order. After ``LOOKS`` more verdicts the candidates are
        ordered again, because verdicts count for the neighbours.
        """
        home, corrections = catalog.folder.corrections, self.corrections(catalog)
        order, looks = self._orders.get(home), len(corrections)
        if order is not None and not order.fits(rows, corrections):
            order = None
        if order is not None and looks < order.looks + LOOKS:
            return order.order
        scores = np.nan_to_num(rows["score"].to_numpy().astype(np.float64))
        # The best label of an unknown item is no more than a guess.
        unknown = _equal(rows["status"], Status.UNKNOWN.value)
        unknown |= _equal(rows["status"], Status.NOT_VISIBLE.value)
        scores = np.where(unknown, np.minimum(scores, 0.5), scores)
        scores[_equal(rows["status"], Status.NOT_APPLICABLE.value)] = 1.0
        labels = rows["label_id"].combine_chunks().dictionary_encode().indices
        codes = labels.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        if order is None:
            order = self._by_score(catalog, rows, scores)
        self._orders[home] = order.reorder(scores, codes, looks)
        return self._orders[home].order

    def _by_score(self, catalog: OpenCatalog, rows: pa.Table, scores: DoubleArray) -> _Order:
        """The lowest score first, and the neighbours of the candidates."""
        # Ties go by id, so that pages do not depend on the order of the shards.
        order = np.lexsort((rows["item_id"].to_numpy(zero_copy_only=False), scores))
        sample = np.arange(0, len(scores), max(1, -(-len(scores) // SAMPLE)))
        pool = np.union1d(sample, order[:CANDIDATES])
        candidates = np.searchsorted(pool, order[:CANDIDATES])
        vectors = self._vectors(catalog, pool)
        return _Order(
            rows=rows,
            order=order,
            looks=0,
            pool=pool,
            candidates=candidates,
            neighbours=nearest(vectors, candidates),
            vectors=vectors[candidates],
        )

    def _vectors(self, catalog: OpenCatalog, positions: IndexArray) -> FloatArray:
        """float32 (n, d): of some rows of ``_rows``; each shard is read once."""
        wanted_vectors = np.empty((len(positions), catalog.archive.width), dtype=np.float32)
        start = 0
        for path, (_, rows, places) in self._shards.items():
            in_shard = np.flatnonzero((positions >= start) & (positions < start + rows.num_rows))
            if in_shard.size:
                vectors = catalog.archive.vectors(int(path.name))
                wanted_vectors[in_shard] = vectors[places[positions[in_shard] - start]]
            start += rows.num_rows
        return wanted_vectors

    def categories(self, catalog: OpenCatalog) -> list[CategoryCount]:
        """How the items spread over the labels, the most frequent first."""
        rows = self._rows(catalog)
        counted = rows.group_by(["label_id", "label", "status"]).aggregate(
            [("score", "sum"), ("score", "count")]
        )
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in counted.to_pylist():
            groups.setdefault(row["label_id"], []).append(row)
        counts = [_category(label_id, group) for label_id, group in groups.items()]
        return sorted(counts, key=lambda count: (-count.items, count.label))

    def corrections(self, catalog: OpenCatalog) -> dict[str, Correction]:
        """Corrections by item id, without those of removed labels."""
        home = catalog.folder.corrections
        if home not in self._corrections:
            self._corrections[home] = CorrectionFile(home)
        return without_removed(self._corrections[home].all(), catalog.label_set)

    def _rows(self, catalog: OpenCatalog) -> pa.Table:
        """Columns of ``Doubt``, a row each item that was categorized."""
        import pyarrow as pa

        files = DecisionFiles(catalog.folder.decisions)
        previous_shards, self._shards = self._shards, {}
        with catalog.ledger.snapshot():
            newest = max(catalog.ledger.shards(), default=0)
            catalog_items = catalog.ledger.items()
            for shard in catalog.ledger.shards():
                path, live = files.folder / str(shard), catalog.ledger.live_rows(shard)
                stamp = files.stamp(shard)
                if stamp is None or not live.size:
                    continue
                # Rows of a shard only ever die; which of them stand for an item also changes
                # with the other shards.
                state = (stamp, live.size, newest if catalog.ledger.parts.exist else 0)
                cached = previous_shards.get(path)
                if cached is None or cached[0] != state:
                    items = catalog_items.of(shard)
                    rows = files.table(shard).take(items.rows)  # type: ignore[union-attr]
                    valid = rows["item_id"].is_valid()
                    ids = items.item_ids(rows["item_id"])
                    rows = rows.set_column(rows.column_names.index("item_id"), "item_id", ids)
                    cached = state, rows.filter(valid), items.rows[valid.to_numpy()]
                self._shards[path] = cached
        none = pa.table({name: pa.array([], kind) for name, kind in columns().items()})
        return pa.concat_tables([none, *(rows for _, rows, _ in self._shards.values())])


def _category(label_id: str, group: Sequence[Mapping[str, Any]]) -> CategoryCount:
    """One label from its groups: a row each name and status."""
    statuses: Counter[str] = Counter()
    for row in group:
        statuses[row["status"]] += row["score_count"]
    return CategoryCount(
        label_id=label_id,
        label=group[-1]["label"],
        items=statuses.total(),
        mean_score=sum(row["score_sum"] for row in group) / statuses.total(),
        statuses=dict(statuses),
    )
