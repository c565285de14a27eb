"""Compares the labels of a table with the truth, item by item."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from indexer.core.errors import UsageError
from indexer.core.label_sets import sets_option
from indexer.core.records import DoubleArray, Label
from indexer.labels import taxonomy
from queries.deciding.calibration import Status
from queries.evaluation.outcomes import Outcomes, outcomes_of
from queries.evaluation.result_table import Table, text_of


def read_outcomes(
    table: Table, rows: Sequence[int], truths: Sequence[str], labels: Sequence[Label]
) -> Outcomes:
    """Each item's outcome.

    Args:
        rows: of the items with a truth.
        truths: their label ids, empty for none of the labels.
        labels: all of the catalog.

    Raises:
        UsageError: the table has other labels than the catalog, or no numbers for scores.
    """
    columns = [map(text_of, table.values(name, rows)) for name in table.label_columns]
    guesses = list(zip(*columns, strict=True))
    above = taxonomy.ancestors(labels)
    paths = {label_id: {label_id, *ancestors} for label_id, ancestors in above.items()}
    paths[""] = set()
    _refuse_foreign({guess[0] for guess in guesses}.difference(paths), table)
    scores = _numbers(table, "score", rows)
    doubts = (
        _numbers(table, "unknown_score", rows) if "unknown_score" in table.columns else 1 - scores
    )
    pairs = list(zip(truths, guesses, strict=True))
    return outcomes_of(
        {
            "item_ids": [table.item_ids[row] for row in rows],
            "truths": truths,
            "predicted": [guess[0] for guess in guesses],
            "scores": scores,
            "unknown_scores": doubts,
            "ranks": [
                guess.index(truth) + 1 if truth and truth in guess else 0 for truth, guess in pairs
            ],
            "shared": [len(paths[truth] & paths[guess[0]]) for truth, guess in pairs],
            "predicted_sizes": [len(paths[guess[0]]) for guess in guesses],
            "true_sizes": [len(paths[truth]) for truth in truths],
            **_sets(table, rows, truths),
            **_called_unknown(table, rows),
        }
    )


def _sets(table: Table, rows: Sequence[int], truths: Sequence[str]) -> dict[str, list[int]]:
    """Sizes of the items' sets, and whether the truth is in them; nothing without sets."""
    if "label_set" not in table.columns:
        return {}
    try:
        sets = [set(json.loads(text_of(value))) for value in table.values("label_set", rows)]
    except (ValueError, TypeError):
        raise UsageError(
            f"table {str(table.path)!r}: its column label_set must hold JSON lists of label ids. "
            f"Run zeroshelf categorize --coverage again{sets_option(table.set_name)}."
        ) from None
    pairs = zip(truths, sets, strict=True)
    return {
        "set_sizes": list(map(len, sets)),
        "in_set": [int(truth in label_ids) for truth, label_ids in pairs],
    }


_NO_LABEL = (Status.UNKNOWN, Status.NOT_VISIBLE, Status.NOT_APPLICABLE)
"""Statuses of items that have none of the labels."""


def _called_unknown(table: Table, rows: Sequence[int]) -> dict[str, list[int]]:
    """Which items have none of the labels by their status; nothing without statuses."""
    if "status" not in table.columns:
        return {}
    statuses = table.values("status", rows)
    return {"called_unknown": [int(status in _NO_LABEL) for status in statuses]}


def _refuse_foreign(foreign: set[str], table: Table) -> None:
    if foreign:
        raise UsageError(
            f"table {str(table.path)!r} has labels that the catalog does not have "
            f"({len(foreign):,}, such as {min(foreign)!r}): it was made with another label set. "
            f"Run zeroshelf categorize again{sets_option(table.set_name)}."
        )


def _numbers(table: Table, column: str, rows: Sequence[int]) -> DoubleArray:
    numbers = np.empty(len(rows))
    for place, value in enumerate(table.values(column, rows)):
        try:
            numbers[place] = float(value)
        except (TypeError, ValueError):
            raise UsageError(
                f"table {str(table.path)!r}: item {table.item_ids[rows[place]]!r} has the {column} "
                f"{value!r}, which is no number. Run zeroshelf categorize again"
                f"{sets_option(table.set_name)}."
            ) from None
    return numbers
