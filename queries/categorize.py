"""Label every item of a catalog: exact, from memory, file to file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.build import Catalog
from indexer.decisions import DecisionFiles
from indexer.jobs.adapt import OnRows, current, fit_to
from indexer.labels.head import Head
from indexer.labels.sets import LabelSet
from indexer.prompts import Pooling
from indexer.protocols import Decision
from indexer.storing import store_again
from queries.classify import head_of, labels_in_play
from queries.decide import Indices
from queries.judgement.judging import NOTHING, Judge, Settings, Verdicts
from queries.judgement.verdicts import judge_of
from queries.tables import TableWriter

if TYPE_CHECKING:
    import pyarrow as pa

PATH_SEPARATOR = " > "


@dataclass(frozen=True, slots=True, kw_only=True)
class CategorizeReport:
    """What a categorization did.

    Attributes:
        label_version: of the head that decided: the labels in play and their adaptation.
        adapted: whether the labels were adapted to the catalog.
        text_weight: share of the titles; 0 where pictures decided alone.
    """

    items: int
    labels: int
    label_version: str
    adapted: bool
    text_weight: float
    written_back: bool


def categorize(
    catalog: Catalog,
    to: Path,
    *,
    limit: int = 5,
    filter_expression: str = "",
    restrict_to: Sequence[str] | None = None,
    adapt: bool = True,
    pooling: Pooling = Pooling.MEAN,
    settings: Settings | None = None,
    write_back: bool = False,
    on_adapting: OnRows = lambda _done, _of: None,
    on_total: Callable[[int], None] = lambda _: None,
    on_rows: Callable[[int], None] = lambda _: None,
    on_stored: Callable[[int], None] = lambda _: None,
) -> CategorizeReport:
    """Give every stored item its label, exactly, and write a table.

    Items stream from the archive, a shard at a time, against the label set in memory.

    Args:
        catalog: opened for writing.
        to: ``.parquet``, ``.csv`` or ``.jsonl``; replaced when all is done.
        limit: labels for each item.
        filter_expression: only items that match, in Milvus' syntax.
        restrict_to: label ids or names; None is all leaves.
        adapt: decide by labels that are adapted to the catalog, where it has enough items.
            Those of all leaves are stored, and taken again while the items stay the same
            for the most part; those of other labels are not.
        pooling: by the best prompt, labels are scored as the model has them.
        settings: level, back-off, thresholds, the share of titles; None asks for nothing
            beyond labels.
        write_back: store label and score on the items, so that they can be filtered by.

    Raises:
        CatalogError: no labels, or no such catalog.
        UsageError: the filter is not valid, ``to`` has another ending, or the settings
            ask for what the catalog does not have.
    """
    labels = labels_in_play(catalog, restrict_to)
    table = TableWriter(to)
    chosen = _choose(catalog, filter_expression)
    if pooling is Pooling.MAX:
        head = head_of(catalog, labels, None, pooling=pooling)
    else:
        head = _head(catalog, labels, adapt=adapt, on_adapting=on_adapting)
    judge = judge_of(catalog, head, settings or Settings(), save=True)
    on_total(catalog.items.count(filter_expression) if chosen else catalog.ledger.count())
    decisions = DecisionFiles(catalog.folder.decisions)
    done = 0
    with table as writer:
        for shard, rows in _rows_by_shard(catalog, chosen=chosen):
            vectors = catalog.archive.vectors(shard)[rows]
            titles = None if judge.fusion is None else catalog.archive.title_vectors(shard)
            found = judge.judge(
                vectors, limit=limit, titles=None if titles is None else titles[rows]
            )
            ids = catalog.archive.table(shard, ["item_id"]).column("item_id").take(rows)
            writer.write(_table(ids, found, judge))
            if write_back:
                _keep(decisions, catalog, shard, rows, ids.to_pylist(), found, judge)
            done += len(rows)
            on_rows(len(rows))
        if not done:
            writer.write(_no_rows(judge, limit))
    if write_back:
        _write_back(catalog, decisions, on_stored)
    return CategorizeReport(
        items=done,
        labels=len(labels),
        label_version=head.version,
        adapted=head.is_adapted,
        text_weight=judge.settings.title_share if judge.fusion is not None else 0.0,
        written_back=write_back,
    )


def _head(catalog: Catalog, labels: LabelSet, *, adapt: bool, on_adapting: OnRows) -> Head:
    if not adapt or catalog.adaptation_folder.is_off:
        return head_of(catalog, labels, None)
    if labels.version == catalog.label_set.leaves.version:
        return head_of(catalog, labels, current(catalog, on_adapting))
    return head_of(catalog, labels, fit_to(catalog, labels, on_adapting))


def _choose(catalog: Catalog, filter_expression: str) -> bool:
    """Whether a filter chose items; the choice is kept on disk, in the ledger."""
    catalog.report_missing()
    if not filter_expression:
        return False
    catalog.ledger.choose(catalog.items.item_ids(filter_expression))
    return True


def _rows_by_shard(catalog: Catalog, *, chosen: bool) -> Iterator[tuple[int, Indices]]:
    rows_of = catalog.ledger.chosen_rows if chosen else catalog.ledger.live_rows
    for shard in catalog.archive.shards():
        rows = rows_of(shard)
        if rows.size:
            yield shard, rows


def _table(ids: pa.ChunkedArray, found: Verdicts, judge: Judge) -> pa.Table:
    """The rows of the result for one shard; the columns of the k-th label end in ``_k``."""
    import pyarrow as pa

    labels = (*judge.labels.labels, NOTHING)
    known_ids = pa.array([label.label_id for label in labels], pa.string())
    names = pa.array([label.name for label in labels], pa.string())
    paths = pa.array([PATH_SEPARATOR.join(label.path) for label in labels], pa.string())
    ranking, margins = found.ranking, found.ranking.margins
    columns: dict[str, object] = {"item_id": ids}
    for place in range(ranking.labels.shape[1]):
        suffix = f"_{place + 1}" if place else ""
        best = pa.array(ranking.labels[:, place] % len(labels))  # NO_NODE is the last: NOTHING
        similarities = ranking.similarities[:, place]
        columns[f"label_id{suffix}"] = known_ids.take(best)
        columns[f"label{suffix}"] = names.take(best)
        if not place or judge.settings.level is not None:
            columns[f"path{suffix}"] = paths.take(best)
        columns[f"score{suffix}"] = pa.array(ranking.scores[:, place], pa.float32())
        columns[f"similarity{suffix}"] = pa.array(
            similarities, pa.float32(), mask=np.isnan(similarities)
        )
        if not place:
            columns["margin"] = pa.array(margins, pa.float32(), mask=np.isnan(margins))
        if not place or judge.settings.multi_label:
            statuses = [row[place].value for row in found.statuses]
            columns[f"status{suffix}"] = pa.array(statuses, pa.string())
        if not place:
            columns["unknown_score"] = pa.array(found.unknown_scores, pa.float32())
    return pa.table(columns)


def _no_rows(judge: Judge, limit: int) -> pa.Table:
    import pyarrow as pa

    none = np.empty((0, judge.labels.vectors.shape[1]), dtype=np.float32)
    return _table(pa.chunked_array([], pa.string()), judge.judge(none, limit=limit), judge)


def _keep(
    files: DecisionFiles,
    catalog: Catalog,
    shard: int,
    rows: Indices,
    ids: list[str],
    found: Verdicts,
    judge: Judge,
) -> None:
    """Remember a shard's decisions beside those that a filter left alone."""
    total = catalog.archive.table(shard, ["item_id"]).num_rows
    kept = files.read(shard) or [None] * total
    labels = (*judge.labels.labels, NOTHING)
    ranking = found.ranking
    for row, item_id, best, score in zip(
        rows, ids, ranking.labels[:, 0], ranking.scores[:, 0], strict=True
    ):
        label = labels[best]
        kept[row] = Decision(
            item_id=item_id, label_id=label.label_id, label=label.name, score=float(score)
        )
    files.write(shard, kept)


def _write_back(catalog: Catalog, decisions: DecisionFiles, on_rows: Callable[[int], None]) -> None:
    """Write items again with their decisions: servers of 2.3 can't change part of a row."""
    store_again(
        catalog.archive, catalog.ledger, catalog.items, decisions=decisions.read, on_rows=on_rows
    )
