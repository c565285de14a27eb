"""Finds typed labels that are probably wrong, and the label that fits: to a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.catalog.catalog import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.records import DoubleArray, IndexArray
from indexer.core.watch import Watch
from indexer.jobs.adapt import current, fit_to
from indexer.labels.adaptation import Adaptation
from indexer.labels.sets import LabelSet
from indexer.labels.taxonomy.rows import PATH_SEPARATOR
from queries.audit.judge import FEWEST_ITEMS, Judge, fit_judge, slices
from queries.audit.noise import Noise
from queries.audit.typed_labels import TypedBlock, TypedLabels
from queries.categorizing.categorize import Selection
from queries.categorizing.tables import TableWriter
from queries.classify import active_labels
from queries.deciding.settings import TEXT_WEIGHT
from queries.evaluation.result_table import read_given_labels

if TYPE_CHECKING:
    import pyarrow as pa

WORTH_A_LOOK = 0.1
"""Probability of being wrong from which an item is written: people find nearly all errors then,
and look at few items in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found.

    Attributes:
        items: of the catalog, or of those selected.
        judged: items whose typed value is a label.
        empty: items without a value, left out.
        no_label: items whose value means none of the labels, left out.
        strangers: items of the table that are not in the catalog, or not selected.
        unknown: items by value that is no label, left out; the most frequent first.
        ambiguous: items by value that fits several labels, left out.
        labels: active labels.
        suspects: rows of the table: worth a look.
        probable: those of them that are more probably wrong than right.
        expected_errors: sum of the probabilities over all judged items.
        error_rate: share of wrong labels by the confident joint of a sample.
        sampled: items of that sample.
        strength: of what the typed labels themselves teach, beside zero-shot scores; 0: nothing.
        text_weight: share of the titles; 0 where pictures decided alone.
    """

    items: int
    judged: int
    empty: int
    no_label: int
    strangers: int
    unknown: Mapping[str, int]
    ambiguous: Mapping[str, int]
    labels: int
    suspects: int
    probable: int
    expected_errors: float
    error_rate: float
    sampled: int
    strength: float
    text_weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions:
    """Which labels are audited, and how.

    Attributes:
        truth: column with the labels that somebody gave: ids, names or paths, inner ones too.
        table: has the column, and ``item_id``; None is the items' metadata.
        no_label: values that mean none of the labels.
        labels: ids or names of the active labels; None is all leaves.
        adapt: score by labels that are adapted to the items.
        text_weight: share of the titles in the scores; None is the default share.
        selection: the items that are audited, and learnt from.
        min_probability: of being wrong, from which an item is written.
    """

    truth: str
    table: Path | None = None
    no_label: Sequence[str] = ()
    labels: Sequence[str] | None = None
    adapt: bool = True
    text_weight: float | None = None
    selection: Selection = Selection()
    min_probability: float = WORTH_A_LOOK


def audit(
    catalog: OpenCatalog,
    to: Path,
    how: AuditOptions,
    *,
    csv_raw: bool = False,
    watch: Watch = Watch(),
) -> tuple[AuditReport, pa.Table]:
    """Write the items whose typed label may be wrong, the surest first.

    Probabilities are out of sample. Zero-shot scores never saw a typed label: examples that the
    catalog was taught are left out. A discriminant of the typed labels judges each item by the
    items of other folds; its strength beside the zero-shot scores is the one of least log loss.

    Args:
        catalog: opened for writing, at the label set.
        to: ``.parquet``, ``.csv`` or ``.jsonl``; replaced when all is done.
        how: which labels, and from which probability on.
        watch: follows the items judged; a stop ends it, and nothing is written.

    Returns:
        What was found, and the table that was written.

    Raises:
        CatalogError: the catalog has no labels.
        UsageError: no such table or column, no label in it, too few items, or another ending of
            ``to``.
    """
    labels = active_labels(catalog, how.labels)
    writer = TableWriter(to, csv_raw=csv_raw)
    typed = TypedLabels(
        catalog,
        labels,
        how.truth,
        table=None if how.table is None else read_given_labels(how.table),
        no_label=how.no_label,
        selection=how.selection,
    )
    counts = typed.counts()
    if counts.labelled < FEWEST_ITEMS or len(labels) < 2:
        raise UsageError(
            f"an audit takes {FEWEST_ITEMS} items with a typed label and 2 labels at least: there "
            f"are {counts.labelled} and {len(labels)}."
        )
    text_weight = TEXT_WEIGHT if how.text_weight is None else how.text_weight
    watch.begin("Learning", None)
    judge, sampled = fit_judge(
        catalog,
        labels,
        _adaptation(catalog, labels, how),
        typed,
        counts,
        text_weight=text_weight,
    )
    watch.begin("Judging", counts.items)
    suspects, expected = _judge_all(judge, labels, typed, how.min_probability, watch)
    with writer:
        writer.write(suspects)
    report = AuditReport(
        items=counts.items,
        judged=counts.labelled,
        empty=counts.empty,
        no_label=counts.no_label,
        strangers=counts.strangers,
        unknown=dict(counts.unknown.most_common()),
        ambiguous=dict(counts.ambiguous.most_common()),
        labels=len(labels),
        suspects=suspects.num_rows,
        probable=int((suspects.column("wrong_probability").to_numpy() >= 0.5).sum()),
        expected_errors=expected,
        error_rate=judge.noise.error_rate,
        sampled=sampled,
        strength=judge.strength,
        text_weight=text_weight if judge.fusion is not None else 0.0,
    )
    return report, suspects


def _judge_all(
    judge: Judge, labels: LabelSet, typed: TypedLabels, min_probability: float, watch: Watch
) -> tuple[pa.Table, float]:
    """The items whose label may be wrong, the surest first, and the expected wrong ones of all."""
    tables: list[pa.Table] = []
    expected = 0.0
    for block in typed.blocks():
        watch.check_stop()
        table, wrong = _suspects(judge, labels, typed, block, min_probability)
        tables.append(table)
        expected += wrong
        watch.advance(len(block.item_ids))
    return _sorted(tables), expected


def _adaptation(catalog: OpenCatalog, labels: LabelSet, how: AuditOptions) -> Adaptation | None:
    """What the active labels are adapted by; None where they are not."""
    if not how.adapt or catalog.adaptation_folder.is_disabled:
        return None
    # An adaptation is stored of all leaves only.
    return current(catalog) if how.labels is None else fit_to(catalog, labels)


def _suspects(
    judge: Judge,
    labels: LabelSet,
    typed: TypedLabels,
    block: TypedBlock,
    min_probability: float,
) -> tuple[pa.Table, float]:
    """The rows of a shard that are probably wrong, and the sum of the probabilities."""
    rows = np.flatnonzero(block.is_leaf | block.is_inner)
    columns: dict[str, list[Any]] = {name: [] for name in _schema().names}
    expected = 0.0
    for part in slices(len(rows)):
        places = rows[part]
        shares = judge.probabilities(
            block.vectors[places], block.titles[places], block.folds[places]
        )
        typed_scores, wrong = _typed_scores(judge.noise, typed, block.codes[places], shares)
        expected += float(wrong.sum())
        for place, row in zip(places.tolist(), np.arange(len(places)), strict=True):
            if wrong[row] >= min_probability:
                _append(
                    columns, block, place, labels, typed, shares[row], typed_scores[row], wrong[row]
                )
    import pyarrow as pa

    return pa.table(columns, schema=_schema()), expected


def _typed_scores(
    noise: Noise, typed: TypedLabels, codes: IndexArray, shares: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """The probability of each item's typed label, and that it is wrong; float64 (n,) each."""
    typed_score, wrong = np.zeros(len(codes)), np.zeros(len(codes))
    leaf = codes >= 0
    typed_score[leaf] = shares[leaf, codes[leaf]]
    wrong[leaf] = noise.wrong(shares[leaf], codes[leaf])
    for code in np.unique(codes[~leaf]):
        rows = codes == code
        typed_score[rows] = shares[rows][:, typed.inner[-2 - code]].sum(axis=1)
        wrong[rows] = noise.wrong_group(typed_score[rows])
    return typed_score, wrong


def _append(
    columns: dict[str, list[Any]],
    block: TypedBlock,
    place: int,
    labels: LabelSet,
    typed: TypedLabels,
    shares: DoubleArray,
    typed_score: float,
    wrong: float,
) -> None:
    code = int(block.codes[place])
    others = shares.copy()
    others[code if code >= 0 else typed.inner[-2 - code]] = -1.0
    best = int(others.argmax())
    label = labels.labels[best]
    values = {
        "item_id": block.item_ids[place],
        "title": block.item_titles[place],
        "wrong_probability": wrong,
        "typed": block.typed[place],
        "typed_label_id": labels.labels[code].label_id if code >= 0 else typed.inner_ids[-2 - code],
        "typed_score": typed_score,
        "label_id": label.label_id,
        "label": label.name,
        "path": PATH_SEPARATOR.join(label.path),
        "score": shares[best],
    }
    for name, value in values.items():
        columns[name].append(value)


def _schema() -> pa.Schema:
    import pyarrow as pa

    numbers = ("wrong_probability", "typed_score", "score")
    names = (
        "item_id", "title", "wrong_probability", "typed", "typed_label_id", "typed_score",
        "label_id", "label", "path", "score",
    )  # fmt: skip
    return pa.schema([(name, pa.float32() if name in numbers else pa.string()) for name in names])


def _sorted(tables: list[pa.Table]) -> pa.Table:
    """All rows, the surest first; ties by id."""
    import pyarrow as pa

    table = pa.concat_tables([_schema().empty_table(), *tables])
    return table.sort_by([("wrong_probability", "descending"), ("item_id", "ascending")])
