"""Prediction and truth of each labelled item, and the measures of them; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.records import BoolArray, DoubleArray, IndexArray
from queries.evaluation import metrics

FORMAT = "zeroshelf-evaluation/1"
"""Format of the JSON of an evaluation; files of another number are refused."""

SUREST = 0.8
"""Share of the items whose accuracy is a figure of its own."""

ENOUGH = 5
"""Labels an item must have been given for acc5."""

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """n items with a truth; every array has a value an item, in the order of the ids.

    Attributes:
        item_ids: the items.
        truths: ids of the true labels; the empty text where it is none of the labels.
        predicted: ids of the best labels.
        scores: float64, of the best labels.
        unknown_scores: float64, higher where an item fits no label.
        ranks: int64, place of the truth among the labels given, from 1; 0 is not there.
        shared: int64, labels that the true and the predicted path have in common.
        predicted_sizes: int64, labels on the predicted path.
        true_sizes: int64, labels on the true path.
        set_sizes: int64, labels in the item's set; -1 where the table has no sets.
        in_set: int64, 1 where the truth is in the set.
        called_unknown: int64, 1 where the item's status says that it has none of the labels:
            ``unknown``, ``not_visible`` or ``not_applicable``; -1 where the table has no status.
    """

    item_ids: Texts
    truths: Texts
    predicted: Texts
    scores: DoubleArray
    unknown_scores: DoubleArray
    ranks: IndexArray
    shared: IndexArray
    predicted_sizes: IndexArray
    true_sizes: IndexArray
    set_sizes: IndexArray
    in_set: IndexArray
    called_unknown: IndexArray

    def __len__(self) -> int:
        return len(self.item_ids)

    @property
    def known(self) -> BoolArray:
        """Items whose truth is one of the labels."""
        return np.asarray(self.truths != "", dtype=np.bool_)

    @property
    def correct(self) -> BoolArray:
        """Items whose best label is the truth."""
        return np.asarray(self.ranks == 1)

    @property
    def holds(self) -> BoolArray:
        """Items whose best label is the truth or above it, which is what its score is of."""
        is_on_path = self.shared == self.predicted_sizes
        return np.asarray(is_on_path & (self.predicted_sizes > 0))

    def take(self, rows: IndexArray | BoolArray) -> Outcomes:
        """Some of the items, by position or by mask."""
        return Outcomes(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def as_json(self) -> dict[str, list[Any]]:
        """Lists by column; scores with seven digits, which is what they have."""
        columns = {field.name: getattr(self, field.name).tolist() for field in fields(self)}
        for name in ("scores", "unknown_scores"):
            columns[name] = [float(f"{value:.7g}") for value in columns[name]]
        return columns


_KINDS: Mapping[str, Any] = {
    "item_ids": object,
    "truths": object,
    "predicted": object,
    "scores": np.float64,
    "unknown_scores": np.float64,
}


def outcomes_of(columns: Mapping[str, Any]) -> Outcomes:
    """Outcomes from columns, such as ``Outcomes.as_json`` makes.

    Raises:
        KeyError, TypeError, ValueError: a column is missing, of another kind or length.
    """
    names = [field.name for field in fields(Outcomes)]
    none = [-1] * len(columns["item_ids"])
    absent = {"set_sizes": none, "in_set": none, "called_unknown": none}
    columns = absent | dict(columns)  # earlier versions did not have them
    arrays = {name: np.array(columns[name], dtype=_KINDS.get(name, np.int64)) for name in names}
    if len({array.shape for array in arrays.values()}) != 1:
        raise ValueError("the columns differ in length")
    return Outcomes(**arrays)


class Measures:
    """Every figure that is a mean over items, on all of them or on a resample.

    Items whose truth is none of the labels count for ``macro_f1`` (a label that they get is
    wrong) and for the figures of unknown items.

    Args:
        outcomes: of n items.
        labels_given: labels that each item was given; acc5 is nan with fewer than 5,
            unless those are all labels.
        all_given: whether ``labels_given`` is all active labels.
    """

    def __init__(self, outcomes: Outcomes, *, labels_given: int, all_given: bool) -> None:
        self._top5 = labels_given >= ENOUGH or all_given
        # Numbers are drawn and counted many times faster than texts.
        classes = np.unique(outcomes.truths.astype(str), return_inverse=True)[1]
        names = (field.name for field in fields(Outcomes) if _KINDS.get(field.name) is not object)
        self._arrays = {name: getattr(outcomes, name) for name in names} | {"classes": classes}
        self._known = outcomes.known
        self._truths, self._answers = _label_numbers(outcomes)
        self._all_known = bool(self._known.all())

    def all(self) -> dict[str, float]:
        """Every figure on all items."""
        positions = np.arange(len(self._known))
        return {name: self.figure(name, positions) for name in _MEASURES}

    def figure(self, name: str, rows: IndexArray) -> float:
        """One figure on some items; nan where it is not defined on them.

        Args:
            name: a key of what ``all`` gives.
            rows: int64 (k,), positions; one may occur several times.
        """
        if name == "auroc_unknown":
            return metrics.auroc(self._arrays["unknown_scores"][rows], ~self._known[rows])
        if name == "macro_f1":
            return metrics.macro_f1(self._truths[rows], self._answers[rows])
        if name in ("known_called_unknown", "unknown_called_known"):
            return self._wrongly_called(rows, of_known=name.startswith("known"))
        if name == "acc5" and not self._top5:
            return float("nan")
        with_label = rows if self._all_known else rows[self._known[rows]]
        # Only what the figure asks for is drawn: a bootstrap does this a thousand times.
        return float(_MEASURES[name](lambda column: self._arrays[column][with_label]))

    def _wrongly_called(self, rows: IndexArray, *, of_known: bool) -> float:
        """The share of known items called unknown, or of unknown ones called known.

        nan where there is no status, or no unknown item.
        """
        is_known, called = self._known[rows], self._arrays["called_unknown"][rows]
        if (called < 0).any() or is_known.all() or not is_known.any():
            return float("nan")
        return float(
            (called[is_known] == 1).mean() if of_known else (called[~is_known] == 0).mean()
        )


def _label_numbers(outcomes: Outcomes) -> tuple[IndexArray, IndexArray]:
    """The truths and the answers as numbers, -1 for none; int64 (n,) twice.

    An item that is called unknown has no answer, whatever label would be the best for it.
    """
    texts = np.concatenate([outcomes.truths, outcomes.predicted]).astype(str)
    names, numbers = np.unique(texts, return_inverse=True)
    numbers = np.where(names[numbers] == "", -1, numbers)
    truths, answers = np.split(numbers, 2)
    return truths, np.where(outcomes.called_unknown == 1, -1, answers)


def _hierarchical(of: _Draw) -> tuple[float, float]:
    shared = of("shared")
    return (
        metrics.hierarchical_precision(shared, of("predicted_sizes")),
        metrics.hierarchical_recall(shared, of("true_sizes")),
    )


def _mean_of_sets(of: _Draw, column: str) -> float:
    sizes = of("set_sizes")
    return float(of(column).mean()) if len(sizes) and (sizes >= 0).all() else float("nan")


def _surest(of: _Draw) -> float:
    return float(metrics.selective_accuracy(of("scores"), of("ranks") == 1, [SUREST])[0])


def _scored(of: _Draw) -> tuple[DoubleArray, BoolArray]:
    """The scores of the items that have a label, and whether the truth is that label or below it.

    ``--back-off`` leaves items without a label, and gives others one that has labels below it.
    """
    sizes = of("predicted_sizes")
    rows = sizes > 0
    return of("scores")[rows], of("shared")[rows] == sizes[rows]


_Draw = Callable[[str], Any]
"""From the name of a column to its values, of the items that are measured."""

_MEASURES: Mapping[str, Callable[[_Draw], float]] = {
    "acc1": lambda of: metrics.top_accuracy(of("ranks"), 1),
    "acc5": lambda of: metrics.top_accuracy(of("ranks"), 5),
    "mean_per_class_recall": lambda of: metrics.mean_per_class_recall(
        of("classes"), of("ranks") == 1
    ),
    "hierarchical_precision": lambda of: _hierarchical(of)[0],
    "hierarchical_recall": lambda of: _hierarchical(of)[1],
    "hierarchical_f1": lambda of: metrics.harmonic_mean(*_hierarchical(of)),
    "acc1_surest_80": _surest,
    "expected_calibration_error": lambda of: metrics.expected_calibration_error(*_scored(of)),
    "sweep_calibration_error": lambda of: metrics.sweep_calibration_error(*_scored(of)),
    "set_coverage": lambda of: _mean_of_sets(of, "in_set"),
    "mean_set_size": lambda of: _mean_of_sets(of, "set_sizes"),
    # Of all items, so they are measured apart:
    "macro_f1": lambda _: float("nan"),
    "auroc_unknown": lambda _: float("nan"),
    "known_called_unknown": lambda _: float("nan"),
    "unknown_called_known": lambda _: float("nan"),
}
