"""Where the right and the wrong labels lie: by class, level, slice and confusion; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.core.records import Label
from indexer.labels import taxonomy
from queries.evaluation import metrics
from queries.evaluation.outcomes import Outcomes

_COVERAGES = np.round(np.arange(0.05, 1.001, 0.05), 2)
_NO_VALUE = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Accuracy of items that share a value of a slice, or a level.

    Attributes:
        name: the value, or the level.
        low: lower end of the 95% Wilson interval of ``acc1``.
        high: its upper end.
    """

    name: str
    items: int
    acc1: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """Recall and precision of one label.

    Attributes:
        items: items whose truth it is.
        predicted: items that were given it.
        recall: share of ``items`` that were given it; nan for none.
        precision: share of ``predicted`` that are it; nan for none.
    """

    label_id: str
    label: str
    items: int
    predicted: int
    recall: float
    precision: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How many items of one class were given another label."""

    truth_id: str
    predicted_id: str
    items: int


def names(outcomes: Outcomes, labels: Sequence[Label]) -> dict[str, str]:
    """A name by label id for the labels that occur; the id where names are alike."""
    occurring = {*outcomes.truths, *outcomes.predicted}
    shown = [label for label in labels if label.label_id in occurring]
    alike = Counter(label.name for label in shown)
    return {
        label.label_id: label.name if alike[label.name] == 1 else label.label_id for label in shown
    }


def coverage(outcomes: Outcomes) -> list[dict[str, float]]:
    """Rows of coverage, precision and the lowest score that is taken."""
    ordered = np.sort(outcomes.scores)[::-1]
    taken = np.maximum(np.ceil(_COVERAGES * len(outcomes) - 1e-6).astype(int), 1)
    precision = metrics.selective_accuracy(outcomes.scores, outcomes.correct, _COVERAGES)
    return [
        {
            "coverage": float(share),
            "precision": float(right),
            "min_score": float(ordered[count - 1]),
        }
        for share, right, count in zip(_COVERAGES, precision, taken, strict=True)
    ]


def levels(outcomes: Outcomes, labels: Sequence[Label]) -> list[Group]:
    """acc1 of paths cut at a level, 1 the top, of the items whose truth is that deep."""
    above = taxonomy.ancestors(labels)
    paths = {label_id: (*ancestors, label_id) for label_id, ancestors in above.items()}
    deepest = max(len(paths[truth]) for truth in outcomes.truths)
    groups = []
    for level in range(deepest if deepest > 1 else 0):
        pairs = [
            (paths[truth][level], paths.get(guess, ())[level : level + 1])
            for truth, guess in zip(outcomes.truths, outcomes.predicted, strict=True)
            if len(paths[truth]) > level
        ]
        right = sum((truth,) == guess for truth, guess in pairs)
        groups.append(_group(str(level + 1), right, len(pairs)))
    return groups


def classes(outcomes: Outcomes, labels: Sequence[Label]) -> list[Class]:
    """The labels that occur in truth or table, most items first."""
    true, predicted = Counter(outcomes.truths), Counter(outcomes.predicted)
    right = Counter(outcomes.truths[outcomes.correct])
    occurring = [
        Class(
            label_id=label.label_id,
            label=label.name,
            items=true[label.label_id],
            predicted=predicted[label.label_id],
            recall=_share(right[label.label_id], true[label.label_id]),
            precision=_share(right[label.label_id], predicted[label.label_id]),
        )
        for label in labels
        if label.label_id in true or label.label_id in predicted
    ]
    return sorted(occurring, key=lambda row: -row.items)


def confusions(outcomes: Outcomes) -> list[Confusion]:
    """Pairs of classes that were mixed up, the most frequent first."""
    wrong = outcomes.take(~outcomes.correct)
    pairs = Counter(zip(wrong.truths, wrong.predicted, strict=True))
    return [
        Confusion(truth_id=truth, predicted_id=predicted, items=items)
        for (truth, predicted), items in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def groups(values: Sequence[str], outcomes: Outcomes) -> list[Group]:
    """Accuracy by a value that each item has, most items first."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for value, has_truth, correct in zip(values, outcomes.known, outcomes.correct, strict=True):
        if has_truth:
            total[value or _NO_VALUE] += 1
            right[value or _NO_VALUE] += int(correct)
    return [_group(name, right[name], items) for name, items in total.most_common()]


def _group(name: str, right: int, items: int) -> Group:
    low, high = metrics.wilson_interval(right, items)
    return Group(name=name, items=items, acc1=_share(right, items), low=low, high=high)


def _share(count: int, total: int) -> float:
    return count / total if total else float("nan")
