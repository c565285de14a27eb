"""Labels the items of a shard: reads, scores, and makes the rows of the result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.archive import Archive
from indexer.catalog.item_rows import ItemRows
from indexer.core.label_sets import column_prefix
from indexer.core.parts import is_box_id, place_of
from indexer.core.records import IndexArray
from indexer.core.threads import side_by_side
from indexer.ingestion import ray as distributed
from indexer.ingestion.ray import ClusterOptions
from indexer.labels import colours
from queries.categorizing.category_table import CategoryTable
from queries.deciding.gates import Gate, without_inapplicable
from queries.deciding.pixel_colours import PixelColours
from queries.deciding.predictor import Predictions, Predictor
from queries.deciding.question import ViewPooling
from queries.deciding.views import ItemPredictions, Views, predict_items

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPredictions:
    """A shard's items with their labels.

    Attributes:
        predictions: of each label set.
        set_sizes: of each label set, int64 (n,); empty without a coverage.
        by_best: items of several parts that the best one decided.
    """

    items: ItemRows
    item_ids: list[str]
    table: pa.Table
    predictions: tuple[Predictions, ...]
    set_sizes: tuple[IndexArray, ...]
    by_best: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetJob:
    """One label set of a job."""

    table: CategoryTable
    gate: Gate | None
    pixels: PixelColours | None = None

    @classmethod
    def of(
        cls, name: str, predictor: Predictor, gate: Gate | None, pixels: PixelColours | None
    ) -> SetJob:
        """The job of a predictor, with the columns of the set."""
        head = predictor.scorer.head
        version = head.version if pixels is None else f"{head.version}+{colours.VERSION}"
        prefix = column_prefix(name)
        table = CategoryTable(predictor=predictor, label_version=version, prefix=prefix)
        return cls(table=table, gate=gate, pixels=pixels)

    @property
    def predictor(self) -> Predictor:
        """The predictor of the set's labels."""
        return self.table.predictor

    def for_workers(self) -> SetJob:
        """A copy without cached values."""
        gate = self.gate
        return replace(
            self,
            table=replace(self.table, predictor=replace(self.predictor)),
            gate=None if gate is None else replace(gate, predictor=replace(gate.predictor)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """Label a shard in a thread: read, score, and make the rows of the result.

    Attributes:
        has_parts: whether items of the catalog have several parts.
        has_boxes: whether any of these is a box.
        by_part: each row is decided by itself, and the table has a row for each.
    """

    archive: Archive
    sets: tuple[SetJob, ...]
    limit: int
    view_pooling: ViewPooling = ViewPooling.AUTO
    has_parts: bool = False
    has_boxes: bool = False
    by_part: bool = False

    def label(self, items: ItemRows) -> ShardPredictions:
        """Label the items of a shard by every set."""
        shard, rows = items.shard, items.rows
        by_pixels = any(of_set.pixels is not None for of_set in self.sets)
        hash_column = ["content_hash"] if by_pixels else []
        stored = self.archive.table(shard, ["item_id", "vector", *hash_column])
        row_ids = stored.column("item_id")
        if len(rows) < stored.num_rows:
            row_ids = row_ids.take(rows)
        titles = self.archive.title_vectors(shard) if self._takes_titles else None
        view_vectors, starts = items.views(self.archive.vectors(shard, stored))
        ids = items.item_ids(row_ids)
        part_ids = items.view_ids(row_ids) if self.tells_deciding else []
        inputs = _Inputs(
            ids.to_pylist(),
            Views(
                vectors=view_vectors,
                starts=starts,
                titles=None if titles is None else titles[rows],
                are_boxes=np.array(list(map(is_box_id, part_ids)))
                if self.has_boxes and part_ids
                else None,
            ),
            self.view_pooling,
            stored.column("content_hash").take(rows).to_pylist() if by_pixels else [],
        )
        predictions, set_sizes, by_best = [], [], 0
        columns: dict[str, object] = {"item_id": ids}
        if self.by_part:
            columns = _part_columns(self.archive, shard, rows, row_ids)
        elif self.has_parts:
            columns["parts"] = _counts(items)
        for of_set in self.sets:
            predicted, sets = self._label_set(of_set, inputs)
            columns |= of_set.table.columns(predicted, sets)
            if self.tells_deciding:
                deciding = inputs.predict(of_set.predictor, self.limit).deciding
                columns |= of_set.table.deciding(part_ids, deciding)
                by_best = int(((deciding >= 0) & (items.counts > 1)).sum())
            predictions.append(predicted)
            set_sizes.append(np.array([len(label_ids) for label_ids in sets or ()], dtype=np.int64))
        return ShardPredictions(
            items=items,
            item_ids=inputs.item_ids,
            table=_table(columns),
            predictions=tuple(predictions),
            set_sizes=tuple(set_sizes),
            by_best=by_best,
        )

    def _label_set(
        self, of_set: SetJob, inputs: _Inputs
    ) -> tuple[Predictions, list[IndexArray] | None]:
        """The predictions of one set, and the sets of labels that a coverage asks for."""
        predictor = of_set.predictor
        decided = inputs.predict(predictor, self.limit)
        titles = inputs.views.titles
        sets = None
        if predictor.set_rule is not None:
            sets = predictor.sets(decided.vectors, titles)
        predictions = decided.predictions
        if of_set.pixels is not None:
            predictions = of_set.pixels.decide(predictions, inputs.content_hashes)
        if of_set.gate is None:
            return predictions, sets
        category = inputs.predict(of_set.gate.predictor, self.limit)
        applies = of_set.gate.applies(
            inputs.item_ids, category.predictions, category.vectors, titles
        )
        if sets is not None:
            sets = [
                labels if fits else labels[:0] for labels, fits in zip(sets, applies, strict=True)
            ]
        return without_inapplicable(predictions, applies), sets

    @property
    def tells_deciding(self) -> bool:
        """Whether a column tells the part that decided on an item alone."""
        if self.by_part:
            return False
        if self.view_pooling is ViewPooling.AUTO:
            return self.has_boxes
        return self.has_parts and self.view_pooling is ViewPooling.BEST

    @property
    def _takes_titles(self) -> bool:
        predictors = [of_set.predictor for of_set in self.sets]
        predictors += [of_set.gate.predictor for of_set in self.sets if of_set.gate is not None]
        return any(predictor.fusion is not None for predictor in predictors)

    def empty(self) -> pa.Table:
        """A table without rows, with the same columns."""
        import pyarrow as pa

        columns: dict[str, object] = {"item_id": pa.array([], pa.string())}
        if self.by_part:
            columns |= {name: pa.array([], pa.string()) for name in ("part_id", "place")}
        elif self.has_parts:
            columns["parts"] = pa.array([], pa.int32())
        for of_set in self.sets:
            columns |= of_set.table.empty(self.limit)
            if self.tells_deciding:
                columns |= of_set.table.deciding([], np.empty(0, dtype=np.int64))
        return _table(columns)

    def for_workers(self) -> ShardJob:
        """A copy for another machine, without cached values, and with an absolute path."""
        archive = Archive(self.archive.folder.absolute(), width=self.archive.width)
        sets = tuple(of_set.for_workers() for of_set in self.sets)
        return replace(self, archive=archive, sets=sets)


@dataclass(slots=True)
class _Inputs:
    """A shard's items; predictions of a predictor are made once, though several sets use them."""

    item_ids: list[str]
    views: Views
    pooling: ViewPooling
    content_hashes: list[str]
    made: dict[int, ItemPredictions] = field(default_factory=dict)

    def predict(self, predictor: Predictor, limit: int) -> ItemPredictions:
        """The predictions of all items."""
        # By identity: a predictor holds arrays, which have no hash.
        key = id(predictor)
        if key not in self.made:
            self.made[key] = predict_items(predictor, self.views, pooling=self.pooling, limit=limit)
        return self.made[key]


def _part_columns(
    archive: Archive, shard: int, rows: IndexArray, row_ids: pa.ChunkedArray
) -> dict[str, object]:
    """The item, the id and the place of each row, which is a part or a whole item."""
    import pyarrow as pa

    stored = archive.table(shard, ["parent_id", "part_json"]).take(rows)
    parents, parts = (stored.column(name).to_pylist() for name in stored.column_names)
    items = [parent or own for parent, own in zip(parents, row_ids.to_pylist(), strict=True)]
    return {
        "item_id": pa.array(items, pa.string()),
        "part_id": row_ids,
        "place": pa.array(list(map(place_of, parts)), pa.string()),
    }


def _counts(items: ItemRows) -> pa.Array:
    import pyarrow as pa

    return pa.array(items.counts, pa.int32())


def _table(columns: dict[str, object]) -> pa.Table:
    import pyarrow as pa

    return pa.table(columns)


@contextmanager
def label_shards(
    job: ShardJob, shards: Iterator[ItemRows], cluster: ClusterOptions | None
) -> Iterator[Iterator[ShardPredictions]]:
    """The shards' items with their labels, in order."""
    if cluster is None:
        yield side_by_side(job.label, shards)
        return
    with (
        distributed.connected(cluster) as room,
        closing(distributed.side_by_side(room, job.for_workers().label, shards)) as labelled_shards,
    ):
        yield labelled_shards
