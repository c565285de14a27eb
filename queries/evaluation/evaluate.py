"""Labels of ``categorize`` against a truth: figures, curves, confusions, slices."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from indexer.catalog.fingerprints import PRECOMPUTED
from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.records import BoolArray, Label
from indexer.core.watch import Watch
from indexer.labels import taxonomy
from queries.evaluation import breakdowns, metrics
from queries.evaluation.breakdowns import Class, Confusion, Group
from queries.evaluation.controls import DescriptionControl, control_descriptions
from queries.evaluation.outcomes import FORMAT, Measures, Outcomes
from queries.evaluation.result_table import read_table, text_of
from queries.evaluation.table_labels import TableLabels, find_table_labels, level_of
from queries.evaluation.table_outcomes import read_outcomes
from queries.evaluation.training_items import TrainingItems, find_training_items
from queries.evaluation.truth import TruthLabels, join

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A table of labels measured against a truth.

    Attributes:
        label_set: that was measured.
        truth: the column.
        labels: number of active labels.
        level: of the taxonomy, 1 the top, where the table was made with ``--level``: truths and
            labels are cut there, and all figures are of that level; None for the leaves.
        labels_certain: whether that many; else that many at least.
        label_version: of the active labels.
        items: items whose truth is a label.
        unknowns: items that are known to be none of the labels.
        unlabelled: items without a truth, left out.
        taught: items with a truth that the labels were taught by; left out of all figures but
            those ``with_taught``.
        calibrating: the same of items that scores were calibrated on.
        of_training: every figure is of taught and calibrating items, since there are no others.
        with_taught: where it was asked for, ``items``, ``unknowns`` and every figure of
            ``measures`` on all items, those that the catalog has learnt from too.
        names: a name by the id of each label that occurs; ids where names are alike.
        measures: every figure; nan where no item tells it.
        interval: 95% Wilson interval of ``acc1``.
        coverage: rows of coverage, precision and the lowest score taken.
        levels: ``acc1`` of paths cut at each level of the taxonomy; empty for a flat one.
        classes: the labels that occur, most items first.
        confusions: the most frequent first.
        slices: groups by column, most items first.
        control: of the descriptions in the prompts; None where it was not asked for.
    """

    catalog: str
    label_set: str
    model: str
    label_version: str
    truth: str
    labels: int
    level: int | None
    labels_certain: bool
    items: int
    unknowns: int
    unlabelled: int
    taught: int
    calibrating: int
    labels_given: int
    names: Mapping[str, str]
    measures: Mapping[str, float]
    interval: tuple[float, float]
    coverage: Sequence[Mapping[str, float]]
    reliability: metrics.Reliability
    levels: Sequence[Group]
    classes: Sequence[Class]
    confusions: Sequence[Confusion]
    slices: Mapping[str, Sequence[Group]]
    outcomes: Outcomes
    of_training: bool = False
    with_taught: Mapping[str, float] | None = None
    control: DescriptionControl | None = None


def evaluate(
    catalog: OpenCatalog,
    path: Path,
    *,
    truth: str,
    unknown: Sequence[str] = (),
    slices: Sequence[str] = (),
    restrict_to: Sequence[str] | None = None,
    include_taught: bool = False,
    control: bool = False,
    adapt: bool = True,
    watch: Watch = Watch(),
) -> Evaluation:
    """Measure a table that ``categorize`` wrote.

    Items that the catalog was taught or calibrated by are left out: figures on them are better
    than on others.

    Args:
        path: ``.parquet``, ``.csv`` or ``.jsonl``.
        truth: column of the table or of the items' metadata: label ids, names or paths;
            items without a value are left out.
        unknown: values of the truth that mean "none of the labels"; the empty one too.
        slices: columns of the table or of the metadata.
        restrict_to: the active labels, where the table does not say which; a truth that is
            another label of the catalog, neither above nor below one of them, counts as unknown.
        include_taught: also measure on all items, beside those figures.
        control: also score descriptions against random words; reads the model.
        adapt: adapt the labels of that control, as those of the table were.
        watch: follows the label sets that are scored for it.

    Raises:
        UsageError: columns or labels that are not there, nothing labelled, one class, or no
            item that the catalog has not learnt from.
        CatalogError: the catalog has no labels.
        ModelError: a model is named that did not make the catalog.
    """
    _refuse_other_model(catalog)
    labels = catalog.label_set.labels
    table = read_table(path, catalog.folder.set_name)
    table_labels = find_table_labels(catalog, table, restrict_to)
    values, slice_columns = join(catalog, table, truth, slices)
    _report_unused(unknown, values, truth)
    truths = _truths(values, table_labels, labels, set(map(text_of, unknown)), truth)
    rows = list(truths)
    level = level_of(catalog, table)
    at_level = _cut_at(level, labels)
    cut_truths = [at_level[label_id] for label_id in truths.values()]
    everything = read_outcomes(table, rows, cut_truths, labels)
    training = find_training_items(catalog, everything.item_ids.tolist())
    is_measured = _measured_items(everything, training, truth, include_taught=include_taught)
    outcomes = everything.take(is_measured)
    label_count = len({at_level[label_id] for label_id in table_labels.labels.places})
    measures = partial(_measures, labels_given=len(table.label_columns), labels=label_count)
    leaf_truths = dict(zip(everything.item_ids, truths.values(), strict=True))
    described = None
    if control:
        leaves, active_labels = _of_leaves(outcomes, leaf_truths), table_labels.labels
        described = control_descriptions(catalog, leaves, active_labels, adapt=adapt, watch=watch)
    measured_rows = np.array(rows)[is_measured].tolist()
    return Evaluation(
        catalog=catalog.folder.name,
        label_set=catalog.folder.set_name,
        model=catalog.fingerprint.models,
        label_version=table_labels.version,
        truth=truth,
        labels=label_count,
        level=level,
        labels_certain=table_labels.certain,
        unlabelled=len(values) - len(truths),
        taught=int(training.taught.sum()),
        calibrating=int(training.calibrating.sum()),
        labels_given=len(table.label_columns),
        measures=measures(outcomes),
        **_breakdowns(outcomes, labels),
        slices={
            name: breakdowns.groups([column[row] for row in measured_rows], outcomes)
            for name, column in slice_columns.items()
        },
        outcomes=outcomes,
        of_training=bool((is_measured & training.either).any()),
        with_taught=_with_counts(everything, measures(everything)) if include_taught else None,
        control=described,
    )


def _truths(
    values: Sequence[Any],
    table_labels: TableLabels,
    all_labels: Sequence[Label],
    unknown: set[str],
    column: str,
) -> dict[int, str]:
    """The label id of each row that has a truth, by row; the empty id for none of the labels."""
    ids = TruthLabels(all_labels).resolve(values, unknown, column)
    if table_labels.restricted:
        # A truth above an active label, or below one of a level, is no item of no label.
        related = _related(table_labels, all_labels)
        ids = ["" if value is not None and value not in related else value for value in ids]
    truths = {row: label_id for row, label_id in enumerate(ids) if label_id is not None}
    _refuse_too_little(list(truths.values()), column, len(ids))
    return truths


def _related(table_labels: TableLabels, all_labels: Sequence[Label]) -> set[str]:
    """Ids of the active labels, of those above them and of those below."""
    above = taxonomy.ancestors(all_labels)
    active = table_labels.labels.places.keys()
    upper = {label_id for active_id in active for label_id in above[active_id]}
    lower = {label_id for label_id, ids in above.items() if not active.isdisjoint(ids)}
    return {*active, *upper, *lower}


def _measured_items(
    outcomes: Outcomes, training: TrainingItems, column: str, *, include_taught: bool
) -> BoolArray:
    """Which items are measured: those that the catalog has not learnt from, where there are some.

    Raises:
        UsageError: there are none, and ``include_taught`` does not ask for the others.
    """
    is_measured = ~training.either
    if outcomes.take(is_measured).known.any():
        return is_measured
    _refuse_training_only(training, column, include_taught=include_taught)
    return np.ones(len(outcomes), dtype=np.bool_)


def _measures(outcomes: Outcomes, *, labels_given: int, labels: int) -> dict[str, float]:
    all_given = labels_given >= labels
    return Measures(outcomes, labels_given=labels_given, all_given=all_given).all()


def _breakdowns(outcomes: Outcomes, labels: Sequence[Label]) -> dict[str, Any]:
    """The fields of an evaluation that are of the items whose truth is a label."""
    with_label = outcomes.take(outcomes.known)
    scored = with_label.take(with_label.predicted_sizes > 0)
    return {
        "items": len(with_label),
        "unknowns": len(outcomes) - len(with_label),
        "names": breakdowns.names(with_label, labels),
        "interval": metrics.wilson_interval(int(with_label.correct.sum()), len(with_label)),
        "coverage": breakdowns.coverage(with_label),
        "reliability": metrics.reliability(scored.scores, scored.holds),
        "levels": breakdowns.levels(with_label, labels),
        "classes": breakdowns.classes(with_label, labels),
        "confusions": breakdowns.confusions(with_label),
    }


def _cut_at(level: int | None, labels: Sequence[Label]) -> dict[str, str]:
    """The label itself, or the one above it at the level, by label id; the empty id stays."""
    above = taxonomy.ancestors(labels)
    return {"": ""} | {
        label_id: (*ancestors, label_id)[:level][-1] for label_id, ancestors in above.items()
    }


def _of_leaves(outcomes: Outcomes, truths: Mapping[str, str]) -> Outcomes:
    """The same with leaves as truths: the control scores leaves, whatever level the table has."""
    leaves = np.array([truths[item_id] for item_id in outcomes.item_ids], dtype=object)
    return replace(outcomes, truths=leaves)


def _with_counts(items: Outcomes, measures: Mapping[str, float]) -> dict[str, float]:
    with_label = int(items.known.sum())
    return {"items": with_label, "unknowns": len(items) - with_label, **measures}


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as JSON values; nan becomes null."""
    values = {name: getattr(evaluation, name) for name in Evaluation.__slots__}
    plain = {
        "reliability": [
            {"items": items, "confidence": confidence, "accuracy": accuracy}
            for items, confidence, accuracy in zip(
                *(getattr(evaluation.reliability, name).tolist() for name in _RELIABILITY),
                strict=True,
            )
        ],
        "outcomes": evaluation.outcomes.as_json(),
        "control": None
        if evaluation.control is None
        else asdict(evaluation.control) | {"verdict": evaluation.control.verdict},
    }
    for name in ("levels", "classes", "confusions"):
        plain[name] = list(map(asdict, values[name]))
    plain["slices"] = {
        name: list(map(asdict, groups)) for name, groups in evaluation.slices.items()
    }
    cleaned: dict[str, Any] = _without_nan({"format": FORMAT} | values | plain)
    return cleaned


_RELIABILITY = ("counts", "confidence", "accuracy")


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(member) for member in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _refuse_other_model(catalog: OpenCatalog) -> None:
    """Refuse a ``--model`` that did not make the catalog. Nothing is embedded here to show it."""
    named, made_by = catalog.options.model, catalog.fingerprint.model
    if named is not None and made_by not in (named, PRECOMPUTED):
        catalog.encoder  # noqa: B018 - it is compared with the catalog's fingerprint


def _report_unused(unknown: Sequence[str], values: Sequence[Any], column: str) -> None:
    """Warn of a value for unknown items that no item has: it may be misspelt."""
    for name in sorted(set(map(text_of, unknown)).difference(map(text_of, values))):
        _log.warning("--unknown %r: no item has this value in column %r.", name, column)


def _refuse_too_little(truths: Sequence[str], column: str, items: int) -> None:
    classes = set(truths) - {""}
    if not classes:
        raise UsageError(
            f"none of the {items:,} items has a truth that is a label in column {column!r}: there "
            "is nothing to measure. Fill the column for some items."
        )
    if len(classes) == 1 and "" not in truths:
        (only,) = classes
        raise UsageError(
            f"all {len(truths):,} items with a truth in column {column!r} are {only!r}: one class "
            "can't show how well classes are told apart. Add items of other classes."
        )


def _refuse_training_only(training: TrainingItems, column: str, *, include_taught: bool) -> None:
    """Raise an error where every item is a training item, unless these are asked for."""
    problem = (
        f"all items whose truth in column {column!r} is a label were taught "
        f"({int(training.taught.sum()):,}) or calibrated on ({int(training.calibrating.sum()):,})"
    )
    if include_taught:
        _log.warning("%s: every figure is of these, and says little of others.", problem)
        return
    raise UsageError(
        f"{problem}: figures on these say little of others. Label more items, or teach and "
        "calibrate by a part of the labelled items, given as a FILE; --include-taught measures on "
        "them all the same."
    )
