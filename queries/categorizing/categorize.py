"""Label every item of a catalog: exact, from memory, file to file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.archive import Archive
from indexer.catalog.opening import Catalog
from indexer.core.records import IndexArray
from indexer.core.threads import side_by_side
from indexer.core.watch import Watch
from indexer.ingestion import ray as distributed
from indexer.ingestion.ray import ClusterOptions
from indexer.jobs.adapt import FitReason, current, fit_to, reason_to_fit
from indexer.labels.adaptation import Adaptation
from indexer.labels.prompts import Pooling
from indexer.labels.sets import LabelSet
from queries.categorizing.category_table import CategoryTable
from queries.categorizing.tables import TableWriter
from queries.categorizing.writing_back import WriteBack
from queries.classify import active_labels, head_of
from queries.deciding.calibrated_labels import Calibration
from queries.deciding.predictor import Predictions, Predictor
from queries.deciding.predictor_fit import calibration, fit_predictor
from queries.deciding.question import Question

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which items are labelled; all of them without arguments.

    Attributes:
        filter_expression: only items that match, in Milvus' syntax.
        partition: only items of this one.
    """

    filter_expression: str = ""
    partition: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether no item is left out."""
        return not self.filter_expression and self.partition is None


def categorize(
    catalog: Catalog,
    to: Path,
    question: Question = Question(),
    *,
    selection: Selection = Selection(),
    write_back: bool = False,
    cluster: ClusterOptions | None = None,
    csv_raw: bool = False,
    watch: Watch = Watch(),
) -> CategorizeReport:
    """Give every stored item its label, exactly, and write a table.

    Items stream from the archive, some shards at a time, against the label set in memory.

    Args:
        catalog: opened for writing.
        to: ``.parquet``, ``.csv`` or ``.jsonl``; replaced when all is done.
        question: the active labels, and how they decide. Where all leaves are adapted, the
            adaptation is stored, and taken again while the items stay the same for the most
            part; that of other labels is not.
        selection: which items are labelled.
        write_back: store label and score on the items, so that they can be filtered by; an
            item whose label a person has looked at keeps it (``queries.review.corrections``).
        cluster: who scores shards; None is this machine. Each machine must see the catalog's
            archive under the same path.
        csv_raw: as ``TableWriter`` takes it.
        watch: follows the items; it can stop the job until the items get their labels.

    Raises:
        ClusterError: the cluster is away or lost its workers.
        CatalogError: no labels, or no such catalog.
        StoppedError: ``watch`` stopped it; nothing was written.
        UsageError: the filter is not valid, ``to`` has another ending, or the settings
            ask for what the catalog does not have, or there is no such partition.
    """
    labels = active_labels(catalog, question.labels)
    table = TableWriter(to, csv_raw=csv_raw)
    total = _select_items(catalog, selection)
    fitted, adaptation = _adapt(catalog, labels, question)
    head = head_of(catalog, labels, adaptation, pooling=question.pooling)
    predictor = fit_predictor(catalog, head, question.settings, save=True)
    predictor = replace(predictor, packed=total * len(labels) >= FEWEST_PACKED_PAIRS)
    job = _ShardJob.of(catalog, predictor, question.limit)
    is_selection = not selection.is_whole
    stored = WriteBack(catalog, predictor, is_selection=is_selection) if write_back else None
    watch.begin("Categorizing", total)
    shards = _rows_by_shard(catalog, selection)
    with table as writer, _label_shards(job, shards, cluster) as labelled_shards:
        items, set_sizes = _write_shards(labelled_shards, writer, stored, watch)
        if not items:
            writer.write(job.table.empty(question.limit))
    if stored is not None:
        stored.finish(watch)
    return CategorizeReport(
        items=items,
        labels=len(head),
        label_version=head.version,
        adapted=head.is_adapted,
        fitted=fitted if head.is_adapted else None,
        trust=None if adaptation is None else adaptation.trust,
        text_weight=predictor.settings.title_share if predictor.fusion is not None else 0.0,
        written_back=write_back,
        calibration=calibration(catalog, predictor.scorer),
        sets=_set_report(predictor, set_sizes),
    )


def _adapt(
    catalog: Catalog, labels: LabelSet, question: Question
) -> tuple[FitReason | None, Adaptation | None]:
    """What the labels are adapted by, and why that is fitted now; None where they are not."""
    is_disabled = catalog.adaptation_folder.is_disabled
    if not question.adapt or question.pooling is not Pooling.MEAN or is_disabled:
        return None, None
    if labels.version != catalog.label_set.leaves.version:
        return None, fit_to(catalog, labels)
    return reason_to_fit(catalog), current(catalog)


def _write_shards(
    labelled_shards: Iterator[_ShardPredictions],
    writer: TableWriter,
    stored: WriteBack | None,
    watch: Watch,
) -> tuple[int, list[IndexArray]]:
    """Write shards as they are labelled; returns their items, and the sizes of their sets."""
    items = 0
    set_sizes: list[IndexArray] = []
    for labelled in labelled_shards:
        writer.write(labelled.table)
        if stored is not None:
            stored.add(labelled.shard, labelled.rows, labelled.table, labelled.predictions.ranking)
        items += len(labelled.rows)
        set_sizes.append(labelled.set_sizes)
        watch.advance(len(labelled.rows))
        watch.check_stop()
    return items, set_sizes


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

    @classmethod
    def of(cls, catalog: Catalog, predictor: Predictor, limit: int) -> _ShardJob:
        """The job for a catalog's shards."""
        version = predictor.scorer.head.version
        table = CategoryTable(predictor=predictor, label_version=version)
        return cls(archive=catalog.archive, predictor=predictor, limit=limit, table=table)

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


def _torch_in_one_thread() -> AbstractContextManager[None]:
    from indexer.encoder.packed import one_thread

    return one_thread()


@contextmanager
def _label_shards(
    job: _ShardJob, shards: Iterator[tuple[int, IndexArray]], cluster: ClusterOptions | None
) -> Iterator[Iterator[_ShardPredictions]]:
    """The shards' rows with their labels, in order."""
    if cluster is None:
        with _torch_in_one_thread() if job.predictor.packed else nullcontext():
            yield side_by_side(job.label, shards)
        return
    with (
        distributed.connected(cluster) as room,
        closing(distributed.side_by_side(room, job.for_workers().label, shards)) as labelled_shards,
    ):
        yield labelled_shards


def _select_items(catalog: Catalog, selection: Selection) -> int:
    """Select items in the ledger, on disk; returns their number."""
    catalog.report_lag()
    if selection.is_whole:
        return catalog.ledger.count()
    if selection.filter_expression:
        items = catalog.items_in(selection.partition)
        catalog.ledger.select(items.item_ids(selection.filter_expression))
    elif selection.partition is not None:
        catalog.require_partition(selection.partition)
        catalog.ledger.select_partition(selection.partition)
    return catalog.items_in(selection.partition).count(selection.filter_expression)


def _rows_by_shard(catalog: Catalog, selection: Selection) -> Iterator[tuple[int, IndexArray]]:
    ledger = catalog.ledger
    rows_of = ledger.live_rows if selection.is_whole else ledger.selected_rows
    for shard in ledger.shards():
        rows = rows_of(shard)
        if rows.size:
            yield shard, rows
