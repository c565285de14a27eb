"""An evaluation as a page: figures, plots, and the surest mistakes with their pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from indexer.catalog.fingerprints import PRECOMPUTED
from queries.evaluation import metrics, plots
from queries.evaluation.breakdowns import Confusion, Group
from queries.evaluation.controls import DescriptionControl
from queries.evaluation.evaluate import Evaluation
from queries.evaluation.mistakes import Mistake
from queries.pages import parts

_SHOWN_CLASSES = 24
_SHOWN_CONFUSED = 10
_FEWEST_PAIRS = 8
_MOST_PAIRS = 15
_SHOWN_GROUPS = 14
_LEAST_ITEMS = 5
_ONE_IN = 20  # groups outside their 95% interval by chance


class _Plot(NamedTuple):
    """A plot with title and text; a wide one scrolls, so that it stays readable."""

    title: str
    text: str
    svg: str
    wide: bool = False


def evaluation_page(
    evaluation: Evaluation, mistakes: Sequence[Mistake], pictures: parts.Pictures, *, command: str
) -> str:
    """The whole report as one file.

    Args:
        mistakes: the surest first.
        command: what made the page, for its heading.
    """
    return parts.render(
        "evaluation.html",
        title=f"Evaluation of {evaluation.catalog}",
        pictures=pictures,
        evaluation=evaluation,
        precomputed=PRECOMPUTED,
        command=command,
        measures=_figures(evaluation),
        trust=_trust(evaluation),
        confusion_matrix=[_matrix(evaluation)] if evaluation.confusions else [],
        classes=_classes(evaluation),
        pairs=_pairs(evaluation),
        mistakes_in_all=sum(pair.items for pair in evaluation.confusions),
        control_arms=[_control(evaluation.control)] if evaluation.control else [],
        groups=_groups(evaluation),
        mistakes=mistakes,
        percent=_percent,
    )


_MEANINGS = {
    "acc1": "have the right label (acc1)",
    "acc5": "have it among the best five (acc5)",
    "mean_per_class_recall": "mean recall of a class",
    "macro_f1": "mean F1 of a class",
    "acc1_surest_80": "right among the surest 80%",
    "hierarchical_precision": "of the given paths are true",
    "hierarchical_recall": "of the true paths are given",
    "expected_calibration_error": "expected calibration error",
    "set_coverage": "of the sets hold the right label",
    "mean_set_size": "labels in a set on the mean",
    "auroc_unknown": "AUROC of the unknown score",
    "known_called_unknown": "of the known items are called unknown",
    "unknown_called_known": "of the unknown items are called known",
}


def _figures(evaluation: Evaluation) -> dict[str, str]:
    plain = {"expected_calibration_error", "mean_set_size", "auroc_unknown"}
    return {
        meaning: format(evaluation.measures[name], ".3f" if name in plain else ".1%")
        for name, meaning in _MEANINGS.items()
        if not np.isnan(evaluation.measures[name])
        and (evaluation.levels or not name.startswith("hierarchical"))
    }


def _trust(evaluation: Evaluation) -> list[_Plot]:
    coverage = [row["coverage"] for row in evaluation.coverage]
    precision = [row["precision"] for row in evaluation.coverage]
    error = evaluation.measures["expected_calibration_error"]
    swept = evaluation.measures["sweep_calibration_error"]
    at_80 = next(row for row in evaluation.coverage if row["coverage"] == 0.8)
    return [
        _Plot(
            "Reliability",
            "Of the labels with a score of 60%, 60% should be right: the bars should reach the "
            f"dashed line. On average they miss it by {error:.1%}; by {swept:.1%} with less of "
            "what few items add by chance (Roelofs et al. 2022).",
            plots.reliability_diagram(evaluation.reliability),
        ),
        _Plot(
            "Coverage against precision",
            f"Keep the surest 80% (scores from {at_80['min_score']:.2f}) and leave the rest to "
            f"people: {at_80['precision']:.1%} of those kept are right.",
            plots.coverage_curve(coverage, precision),
        ),
    ]


def _classes(evaluation: Evaluation) -> _Plot:
    with_items = [row for row in evaluation.classes if row.items]
    enough = [row for row in with_items if row.items >= _LEAST_ITEMS] or with_items
    worst = sorted(enough, key=lambda row: (row.recall, -row.items))[:_SHOWN_CLASSES]
    shown = "All" if len(worst) == len(with_items) else f"The {len(worst)} least found"
    least = f" with {_LEAST_ITEMS} items or more" if len(enough) < len(with_items) else ""
    return _Plot(
        "Class by class",
        f"{shown} of {len(with_items)} classes{least}, and how many items each has.",
        plots.class_bars(worst),
    )


def _matrix(evaluation: Evaluation) -> _Plot:
    """The classes with the most mistakes, and their most frequent predictions."""
    mistakes: Counter[str] = Counter()
    for confusion in evaluation.confusions:
        mistakes[confusion.truth_id] += confusion.items
    truths = [label_id for label_id, _ in mistakes.most_common(_SHOWN_CONFUSED)]
    columns = _columns(evaluation, truths)
    label_ids = list(dict.fromkeys([*truths, *columns, *evaluation.outcomes.predicted]))
    place = {label_id: row for row, label_id in enumerate(label_ids)}
    outcomes = evaluation.outcomes.take(np.isin(evaluation.outcomes.truths.astype(str), truths))
    counts = metrics.confusion_counts(
        np.array([place[label_id] for label_id in outcomes.truths]),
        np.array([place[label_id] for label_id in outcomes.predicted]),
        size=len(label_ids),
    )
    rows = counts[[place[label_id] for label_id in truths]]
    shown = rows[:, [place[label_id] for label_id in columns]]
    others = rows.sum(axis=1, keepdims=True) - shown.sum(axis=1, keepdims=True)
    if others.any():
        shown = np.hstack([shown, others])
    svg = plots.confusion_matrix(
        shown,
        [evaluation.names[label_id] for label_id in truths],
        [
            *(evaluation.names.get(label_id) or "nothing" for label_id in columns),
            *(["others"] if others.any() else []),
        ],
    )
    return _Plot(
        "Confusion matrix of the most confused",
        "A row is what the items are, a column what they were called; blue is right, red is wrong, "
        "stronger where it is a larger share of the row.",
        svg,
        wide=True,
    )


def _columns(evaluation: Evaluation, truths: Sequence[str]) -> list[str]:
    """Each class that was ever predicted, and the most frequent wrong prediction for it."""
    predicted = set(evaluation.outcomes.predicted)
    columns: dict[str, None] = {}
    for truth in truths:
        called = [pair.predicted_id for pair in evaluation.confusions if pair.truth_id == truth]
        columns |= dict.fromkeys([*([truth] if truth in predicted else []), called[0]])
    return list(columns)


def _pairs(evaluation: Evaluation) -> Sequence[Confusion]:
    """The most frequent confusions."""
    classes = sum(label_class.items > 0 for label_class in evaluation.classes)
    return evaluation.confusions[: min(max(classes, _FEWEST_PAIRS), _MOST_PAIRS)]


def _control(control: DescriptionControl) -> _Plot:
    arms = {
        "descriptions": control.descriptions,
        "random words": control.random_words,
        "names only": control.names,
    }
    groups = []
    for name, share in arms.items():
        low, high = metrics.wilson_interval(share * control.items, control.items)
        groups.append(Group(name=name, items=control.items, acc1=share, low=low, high=high))
    return _Plot(
        "Descriptions against random words",
        f"{control.described:,} labels have a description. Random words: mean of "
        f"{control.draws} draws (Roth et al. 2023). Without titles and taught examples.",
        plots.group_intervals(groups, control.random_words),
    )


def _groups(evaluation: Evaluation) -> list[_Plot]:
    overall = evaluation.measures["acc1"]
    levels = "Paths cut at a level of the taxonomy; 1 is the top. Items whose truth is as deep."
    of_levels = (
        [_Plot("By level", levels, plots.group_intervals(evaluation.levels, overall))]
        if evaluation.levels
        else []
    )
    return of_levels + [
        _Plot(
            f"By {name}",
            _unevenness(groups, overall),
            plots.group_intervals(groups[:_SHOWN_GROUPS], overall),
        )
        for name, groups in evaluation.slices.items()
    ]


def _unevenness(groups: Sequence[Group], overall: float) -> str:
    """In words, which groups differ by more than chance."""
    worse = [group.name for group in groups if group.high < overall]
    better = [group.name for group in groups if group.low > overall]
    sentences = []
    if worse:
        sentences.append(f"Worse than all items by more than chance: {_some(worse)}.")
    if better:
        sentences.append(f"Better: {_some(better)}.")
    if sentences and len(groups) >= 2 * _ONE_IN:
        sentences.append(f"Chance alone sets about {len(groups) / _ONE_IN:.0f} of so many apart.")
    if len(groups) > _SHOWN_GROUPS:
        sentences.append(f"Shown are the {_SHOWN_GROUPS} largest of {len(groups):,} groups.")
    return " ".join(sentences) or "No group differs from all items by more than chance."


def _percent(score: float) -> str:
    """A percentage that never rounds up to 100%."""
    return ">99%" if 0.995 <= score < 1 else f"{score:.0%}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if names[4:] else ""
    return ", ".join(names[:4]) + more
