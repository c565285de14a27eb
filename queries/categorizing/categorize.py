"""Label every item of a catalog: exact, from memory, file to file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from indexer.catalog.item_rows import CatalogItems
from indexer.catalog.opening import OpenCatalog
from indexer.catalog.outdated_labels import notes_of_filter
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY
from indexer.core.records import IndexArray
from indexer.core.threads import beside
from indexer.core.watch import Watch
from indexer.ingestion.ray import ClusterOptions
from indexer.jobs.adapt import FitReason, Start
from indexer.jobs.label_sets import gate_of
from indexer.labels.gates import Gate as Branches
from indexer.labels.set_settings import is_by_pixels
from queries.categorizing.label_fit import (
    LabelFit,
    category_predictor,
    fit_labels,
    gate_for,
    pixels_for,
    question_of,
)
from queries.categorizing.shard_job import SetJob, ShardJob, label_shards
from queries.categorizing.tables import TableWriter
from queries.categorizing.writing_back import WriteBack
from queries.deciding.calibrated_labels import Calibration
from queries.deciding.calibration import MIN_SCORE, STATUSES, Status
from queries.deciding.predictor import Predictions, Predictor
from queries.deciding.predictor_fit import calibration
from queries.deciding.question import Question

_log = logging.getLogger(__name__)


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
        calibration: what the scores were calibrated by, if by anything.
        accepted: items whose label is accepted.
        by_default_threshold: whether they are accepted from the default score on.
        sets: the sets of labels that a coverage gave.
        by_best_part: items of several parts that the best one decided.
        label_set: the set that these figures are of, the first one.
        not_applicable: items of another category than those that the set is limited to.
        not_visible: items that fit no label of an attribute.
        by_pixels: whether pixels decide the set, where they were measured.
        unmeasured: items of such a set that embeddings decided: texts, vectors, and pictures whose
            colours were not measured.
        others: the same of the other label sets.
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
    accepted: int
    by_default_threshold: bool
    sets: SetReport | None = None
    by_best_part: int = 0
    label_set: str = CATEGORY
    not_applicable: int = 0
    not_visible: int = 0
    by_pixels: bool = False
    unmeasured: int = 0
    others: tuple[CategorizeReport, ...] = ()


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
    catalog: OpenCatalog,
    to: Path,
    question: Question = Question(),
    *,
    sets: Sequence[str] = (),
    selection: Selection = Selection(),
    by_part: bool = False,
    write_back: bool = False,
    cluster: ClusterOptions | None = None,
    csv_raw: bool = False,
    watch: Watch = Watch(),
) -> CategorizeReport:
    """Give every stored item its label, exactly, and write a table.

    Items stream from the archive, some shards at a time, against the labels in memory.

    Args:
        catalog: opened for writing.
        to: ``.parquet``, ``.csv`` or ``.jsonl``; replaced when all is done.
        question: the active labels, and how they decide. Where all leaves are adapted, the
            adaptation is stored, and taken again while the items stay the same for the most
            part; that of other labels is not.
        sets: label sets to decide, each on its own; empty is the question's. One that has a gate
            is decided for the items that it applies to.
        selection: which items are labelled.
        by_part: decide on each part of an item by itself, such as each window of a sound: a row
            a part, with its place. The labels are fitted to items all the same.
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
            ask for what the catalog does not have, or there is no such partition or label set.
    """
    names = tuple(dict.fromkeys(sets)) or (question.set_name or catalog.folder.set_name,)
    _refuse_labels_of_several(question, names)
    if by_part and write_back:
        raise UsageError(
            "--parts is a table of parts, and --write-back stores what is decided on whole items: "
            "leave one of them out."
        )
    at_sets = [catalog.of_set(name) for name in names]
    gates = [gate_of(at_set) for at_set in at_sets]
    table = TableWriter(to, csv_raw=csv_raw)
    total = select_items(catalog, selection)
    # Fitted labels go to the database while items are labelled.
    with beside() as start:
        fits = [fit_labels(at_set, question_of(at_set, question), start) for at_set in at_sets]
        job = ShardJob(
            archive=catalog.archive,
            sets=_set_jobs(at_sets, question, fits, gates, start),
            limit=question.limit,
            view_pooling=question.view_pooling,
            has_parts=catalog.ledger.parts.exist,
            has_boxes=catalog.ledger.parts.have_boxes,
            by_part=by_part,
        )
        items = selected_items(catalog, selection)
        stored = None
        if write_back:
            predictors = [fit.predictor for fit in fits]
            stored = WriteBack(at_sets, predictors, items, is_selection=not selection.is_whole)
        watch.begin("Categorizing", None if by_part else total)
        counts = _label_items(job, items, catalog.folder.root, table, stored, cluster, watch)
    if stored is not None:
        stored.finish(watch)
    first, *others = (
        _report(at_set, fit, count, written_back=write_back)
        for at_set, fit, count in zip(at_sets, fits, counts, strict=True)
    )
    return replace(first, others=tuple(others))


def _set_jobs(
    at_sets: Sequence[OpenCatalog],
    question: Question,
    fits: Sequence[LabelFit],
    gates: Sequence[Branches],
    start: Start,
) -> tuple[SetJob, ...]:
    """How each label set decides; one with a gate asks for the items' categories first."""
    catalog = at_sets[0]
    category = None
    if any(gates):
        category = category_predictor(catalog, question, fits, start)
    return tuple(
        SetJob.of(
            at_set.folder.set_name,
            fit.predictor,
            gate_for(catalog, category, gate),
            pixels_for(at_set, fit.predictor),
        )
        for at_set, fit, gate in zip(at_sets, fits, gates, strict=True)
    )


def _label_items(
    job: ShardJob,
    items: CatalogItems,
    folder: Path,
    table: TableWriter,
    stored: WriteBack | None,
    cluster: ClusterOptions | None,
    watch: Watch,
) -> list[_Counts]:
    """Write the rows of all shards; what was decided of each label set."""
    counts = [_Counts() for _ in job.sets]
    shards = (
        items.row_by_row()
        if job.by_part
        else items.with_vectors(folder, with_ids=job.tells_deciding)
    )
    with table as writer, label_shards(job, shards, cluster) as labelled_shards:
        for labelled in labelled_shards:
            writer.write(labelled.table)
            if stored is not None:
                stored.add(labelled.items, labelled.item_ids, labelled.predictions)
            for count, predictions, sizes in zip(
                counts, labelled.predictions, labelled.set_sizes, strict=True
            ):
                count.add(predictions, sizes)
            counts[0].by_best += labelled.by_best
            watch.advance(len(labelled.item_ids))
            watch.check_stop()
        # A table without items has its columns all the same.
        if not counts[0].items:
            writer.write(job.empty())
    return counts


def _refuse_labels_of_several(question: Question, names: Sequence[str]) -> None:
    if question.labels is not None and len(names) > 1:
        raise UsageError(
            f"--labels and --under choose labels of one set, and --sets names {len(names)}: "
            f"{', '.join(names)}. Name one."
        )


@dataclass(slots=True)
class _Counts:
    """What was decided of one label set."""

    items: int = 0
    accepted: int = 0
    not_applicable: int = 0
    not_visible: int = 0
    by_embeddings: int = 0
    by_best: int = 0
    set_sizes: list[IndexArray] = field(default_factory=list)

    def add(self, predictions: Predictions, set_sizes: IndexArray) -> None:
        codes = predictions.codes[:, 0]
        self.items += len(codes)
        self.accepted += int((codes == STATUSES.index(Status.ACCEPTED)).sum())
        self.not_applicable += int((codes == STATUSES.index(Status.NOT_APPLICABLE)).sum())
        self.not_visible += int((codes == STATUSES.index(Status.NOT_VISIBLE)).sum())
        # What pixels decided, and what nothing did, has no similarity of embeddings.
        similarities = predictions.ranking.similarities[:, 0]
        self.by_embeddings += int((~np.isnan(similarities)).sum())
        self.set_sizes.append(set_sizes)


def _report(
    catalog: OpenCatalog, fit: LabelFit, counts: _Counts, *, written_back: bool
) -> CategorizeReport:
    """The report of one label set, without others."""
    predictor = fit.predictor
    head = predictor.scorer.head
    by_pixels = is_by_pixels(catalog.folder.labels)
    return CategorizeReport(
        items=counts.items,
        labels=len(head),
        label_version=head.version,
        adapted=head.is_adapted,
        fitted=fit.reason if head.is_adapted else None,
        trust=None if fit.adaptation is None else fit.adaptation.trust,
        text_weight=predictor.settings.title_share if predictor.fusion is not None else 0.0,
        written_back=written_back,
        calibration=calibration(catalog, predictor.scorer),
        accepted=counts.accepted,
        by_default_threshold=predictor.min_score == MIN_SCORE,
        sets=_set_report(predictor, counts.set_sizes),
        by_best_part=counts.by_best,
        label_set=catalog.folder.set_name,
        not_applicable=counts.not_applicable,
        not_visible=counts.not_visible,
        by_pixels=by_pixels,
        unmeasured=counts.by_embeddings if by_pixels else 0,
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


def select_items(catalog: OpenCatalog, selection: Selection) -> int:
    """Select items in the ledger, on disk; returns their number."""
    catalog.report_lag()
    ledger = catalog.ledger
    if selection.is_whole:
        return ledger.item_count()
    if selection.filter_expression:
        for note in notes_of_filter(catalog, selection.filter_expression):
            _log.warning("%s", note)
        items = catalog.items_in(selection.partition)
        ledger.select(items.item_ids(selection.filter_expression))
    elif selection.partition is not None:
        catalog.require_partition(selection.partition)
        ledger.select_partition(selection.partition)
    return ledger.parts.complete_selection()


def selected_items(catalog: OpenCatalog, selection: Selection) -> CatalogItems:
    """The selected items; ``select_items`` has selected them."""
    return catalog.ledger.items(selected=not selection.is_whole)
