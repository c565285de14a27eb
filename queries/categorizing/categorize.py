"""Label every item of a catalog: exact, from memory, file to file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.archive import Archive
from indexer.catalog.opened import Catalog
from indexer.core.records import IndexArray
from indexer.core.threads import side_by_side
from indexer.ingestion import ray as distributed
from indexer.ingestion.ray import ClusterOptions
from indexer.jobs.adapt import FitReason, current, fit_to, reason_to_fit
from indexer.labels.prompts import Pooling
from queries.categorizing.category_table import CategoryTable
from queries.categorizing.tables import TableWriter
from queries.categorizing.writing_back import WriteBack
from queries.classify import active_labels, head_of
from queries.deciding.calibrated_labels import Calibration
from queries.deciding.predictor import Predictions, Predictor
from queries.deciding.predictor_fit import calibration, fit_predictor
from queries.deciding.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa


FEWEST_PACKED_PAIRS = 4 * 10**9
"""Pairs of an item and a label from which torch's products pay: they are up to twice as quick as
numpy's, and loading torch takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorizeReport:
    """What a categorization did.

    Attributes:
        label_version: of the head that decided: the active labels and their adaptation.
        adapted: whether the labels were adapted to the catalog.
        fitted: why they were adapted in this run; None where what was stored served, or a
            selection of the labels was fitted.
        trust: how far both sides were centred, 0 to 1; None where nothing was adapted.
        text_weight: share of the titles; 0 where pictures decided alone.
        calibration: what makes the scores probabilities, if anything does.
    """

    items: int
    labels: int
    label_version: str
    adapted: bool
    fitted: FitReason | None
    trust: float | None
    text_weight: float
    written_back: bool
    calibration: Calibration
    sets: SetReport | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetReport:
    """The sets of labels that a coverage gave.

    Attributes:
        coverage: that was asked for.
        sure_coverage: that such sets have in nine of ten draws of as many calibrating items.
        calibrating_items: they come from.
        mean_size: labels in a set.
        largest: labels in the largest set.
    """

    coverage: float
    sure_coverage: float
    calibrating_items: int
    mean_size: float
    largest: int


def categorize(
    catalog: Catalog,
    to: Path,
    *,
    limit: int = 5,
    filter_expression: str = "",
    partition: str | None = None,
    restrict_to: Sequence[str] | None = None,
    adapt: bool = True,
    pooling: Pooling = Pooling.MEAN,
    settings: Settings | None = None,
    write_back: bool = False,
    cluster: ClusterOptions | None = None,
    csv_raw: bool = False,
    on_total: Callable[[int], None] = lambda _: None,
    on_rows: Callable[[int], None] = lambda _: None,
    on_stored: Callable[[int], None] = lambda _: None,
) -> CategorizeReport:
    """Give every stored item its label, exactly, and write a table.

    Items stream from the archive, some shards at a time, against the label set in memory.

    Args:
        catalog: opened for writing.
        to: ``.parquet``, ``.csv`` or ``.jsonl``; replaced when all is done.
        limit: labels for each item.
        filter_expression: only items that match, in Milvus' syntax.
        partition: only items of this one.
        restrict_to: label ids or names; None is all leaves.
        adapt: decide by labels that are adapted to the catalog, where it has enough items.
            Those of all leaves are stored, and taken again while the items stay the same
            for the most part; those of other labels are not.
        pooling: by the best prompt, labels are scored as the model has them.
        settings: level, back-off, thresholds, the share of titles; None asks for nothing
            beyond labels.
        write_back: store label and score on the items, so that they can be filtered by; an
            item whose label a person has looked at keeps it (``queries.review.corrections``).
        cluster: who scores shards; None is this machine. Each machine must see the catalog's
            archive under the same path.
        csv_raw: as ``TableWriter`` takes it.

    Raises:
        ClusterError: the cluster is away or lost its workers.
        CatalogError: no labels, or no such catalog.
        UsageError: the filter is not valid, ``to`` has another ending, or the settings
            ask for what the catalog does not have, or there is no such partition.
    """
    labels = active_labels(catalog, restrict_to)
    table = TableWriter(to, csv_raw=csv_raw)
    is_selection = _select_items(catalog, filter_expression, partition)
    counted = catalog.items_in(partition)
    total = counted.count(filter_expression) if is_selection else catalog.ledger.count()
    adapt = adapt and pooling is Pooling.MEAN and not catalog.adaptation_folder.is_disabled
    are_leaves = labels.version == catalog.label_set.leaves.version
    fitted = reason_to_fit(catalog) if adapt and are_leaves else None
    adaptation = None
    if adapt:
        adaptation = current(catalog) if are_leaves else fit_to(catalog, labels)
    head = head_of(catalog, labels, adaptation, pooling=pooling)
    predictor = fit_predictor(catalog, head, settings or Settings(), save=True)
    predictor = replace(predictor, packed=total * len(labels) >= FEWEST_PACKED_PAIRS)
    on_total(total)
    with _torch_in_one_thread() if predictor.packed and cluster is None else nullcontext():
        report = _write_labels(
            catalog,
            predictor,
            table,
            limit=limit,
            is_selection=is_selection,
            write_back=write_back,
            cluster=cluster,
            on_rows=on_rows,
            on_stored=on_stored,
        )
    if not report.adapted or adaptation is None:
        return report
    return replace(report, fitted=fitted, trust=adaptation.trust)


def _torch_in_one_thread() -> AbstractContextManager[None]:
    from indexer.encoder.packed import one_thread

    return one_thread()


def _write_labels(
    catalog: Catalog,
    predictor: Predictor,
    table: TableWriter,
    *,
    limit: int,
    is_selection: bool,
    write_back: bool,
    cluster: ClusterOptions | None,
    on_rows: Callable[[int], None],
    on_stored: Callable[[int], None],
) -> CategorizeReport:
    """``categorize`` by a predictor; ``is_selection``: only some of the items are labelled."""
    head = predictor.scorer.head
    job = _ShardJob(
        archive=catalog.archive,
        predictor=predictor,
        limit=limit,
        table=CategoryTable(predictor=predictor, label_version=head.version),
    )
    stored = WriteBack(catalog, predictor, is_selection=is_selection) if write_back else None
    items = 0
    sizes: list[IndexArray] = []
    shards = _rows_by_shard(catalog, is_selection=is_selection)
    with table as writer, _label_shards(job, shards, cluster) as labelled_shards:
        for labelled in labelled_shards:
            writer.write(labelled.table)
            if stored is not None:
                stored.add(
                    labelled.shard, labelled.rows, labelled.table, labelled.predictions.ranking
                )
            items += len(labelled.rows)
            sizes.append(labelled.set_sizes)
            on_rows(len(labelled.rows))
        if not items:
            writer.write(job.table.empty(limit))
    if stored is not None:
        stored.finish(on_stored)
    return CategorizeReport(
        items=items,
        labels=len(head),
        label_version=head.version,
        adapted=head.is_adapted,
        fitted=None,
        trust=None,
        text_weight=predictor.settings.title_share if predictor.fusion is not None else 0.0,
        written_back=write_back,
        calibration=calibration(catalog, predictor.scorer),
        sets=_set_report(predictor, sizes),
    )


def _set_report(predictor: Predictor, sizes: list[IndexArray]) -> SetReport | None:
    rule = predictor.set_rule
    if rule is None:
        return None
    all_sizes = np.concatenate([np.empty(0, dtype=np.int64), *sizes])
    return SetReport(
        coverage=rule.coverage,
        sure_coverage=rule.sure_coverage,
        calibrating_items=rule.items,
        mean_size=float(all_sizes.mean()) if len(all_sizes) else 0.0,
        largest=int(all_sizes.max(initial=0)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShardPredictions:
    """A shard's rows with their labels."""

    shard: int
    rows: IndexArray
    table: pa.Table
    predictions: Predictions
    set_sizes: IndexArray


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShardJob:
    """Label a shard in a thread: read, score, and make the rows of the result."""

    archive: Archive
    predictor: Predictor
    limit: int
    table: CategoryTable

    def label(self, shard_rows: tuple[int, IndexArray]) -> _ShardPredictions:
        shard, rows = shard_rows
        columns = self.archive.table(shard, ["item_id", "vector"])
        vectors, ids = self.archive.vectors(shard, columns), columns.column("item_id")
        if len(rows) < len(vectors):
            vectors, ids = vectors[rows], ids.take(rows)
        titles = None if self.predictor.fusion is None else self.archive.title_vectors(shard)
        row_titles = None if titles is None else titles[rows]
        predictions = self.predictor.predict(vectors, limit=self.limit, titles=row_titles)
        sets = None if self.predictor.set_rule is None else self.predictor.sets(vectors, row_titles)
        return _ShardPredictions(
            shard=shard,
            rows=rows,
            table=self.table.rows(ids, predictions, sets),
            predictions=predictions,
            set_sizes=np.array([len(label_set) for label_set in sets or ()], dtype=np.int64),
        )

    def for_workers(self) -> _ShardJob:
        """A copy for another machine, without cached values, and with an absolute path."""
        predictor = replace(self.predictor)
        archive = Archive(self.archive.folder.absolute(), width=self.archive.width)
        return replace(
            self,
            archive=archive,
            predictor=predictor,
            table=replace(self.table, predictor=predictor),
        )


@contextmanager
def _label_shards(
    job: _ShardJob, shards: Iterator[tuple[int, IndexArray]], cluster: ClusterOptions | None
) -> Iterator[Iterator[_ShardPredictions]]:
    """The shards' rows with their labels, in order."""
    if cluster is None:
        yield side_by_side(job.label, shards)
        return
    with (
        distributed.connected(cluster) as room,
        closing(distributed.side_by_side(room, job.for_workers().label, shards)) as labelled_shards,
    ):
        yield labelled_shards


def _select_items(catalog: Catalog, filter_expression: str, partition: str | None) -> bool:
    """Select items in the ledger, on disk; False where all items are labelled."""
    catalog.report_lag()
    if filter_expression:
        catalog.ledger.select(catalog.items_in(partition).item_ids(filter_expression))
    elif partition is not None:
        catalog.require_partition(partition)
        catalog.ledger.select_partition(partition)
    return bool(filter_expression) or partition is not None


def _rows_by_shard(catalog: Catalog, *, is_selection: bool) -> Iterator[tuple[int, IndexArray]]:
    rows_of = catalog.ledger.selected_rows if is_selection else catalog.ledger.live_rows
    for shard in catalog.ledger.shards():
        rows = rows_of(shard)
        if rows.size:
            yield shard, rows
