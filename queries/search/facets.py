"""Counts of the values of columns over what a search found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any

from indexer.core.errors import UsageError
from indexer.core.label_sets import ATTRIBUTE_PREFIX
from indexer.core.suggestions import did_you_mean
from queries.results import Facet, SearchHit

FIELDS = ("label", "status", "kind")
"""Fields of an item that can be counted and grouped by, besides the columns of its table."""

OF_TABLE = "metadata."
"""Before a column's name: that of the table, where a field of the item has its name too."""


def value_of(hit: SearchHit, column: str) -> Any:
    """A hit's value of a column; None where it has none, as an empty text or list.

    Args:
        column: one of ``FIELDS``, of the table, or ``attributes.SET`` for what a label set decided;
            ``metadata.COLUMN`` is surely the table's.
    """
    if column.startswith(OF_TABLE) and column not in hit.metadata:
        value = hit.metadata.get(column.removeprefix(OF_TABLE))
    elif column in FIELDS:
        value = getattr(hit, column)
    elif column.startswith(ATTRIBUTE_PREFIX):
        value = hit.attributes.get(column.removeprefix(ATTRIBUTE_PREFIX))
    else:
        value = hit.metadata.get(column)
    return None if value in ("", [], {}) else value


def group_of(hit: SearchHit, column: str) -> Hashable:
    """What a hit is grouped by: lists and objects by their text; None where it has no value."""
    value = value_of(hit, column)
    return str(value) if isinstance(value, list | dict) else value


def count_values(hits: Iterable[SearchHit], column: str) -> Facet:
    """A column's values over some hits; each entry of a list counts."""
    counts: Counter[str] = Counter()
    without = 0
    for hit in hits:
        value = value_of(hit, column)
        entries = value if isinstance(value, list) else [value]
        entries = [entry for entry in entries if entry is not None]
        without += not entries
        counts.update({_shown(entry) for entry in entries})
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return Facet(column=column, values=dict(ordered), without=without)


def require_columns(columns: Sequence[str], known: Collection[str], option: str) -> None:
    """Refuse columns that no item has.

    Raises:
        UsageError: it names the nearest ones.
    """
    choices = sorted({*known, *FIELDS})
    for column in columns:
        if column not in choices and column.removeprefix(OF_TABLE) not in known:
            known_columns = f" There are: {', '.join(choices)}."
            raise UsageError(
                f"{option} {column!r}: no item has such a column."
                f"{did_you_mean(column, choices) or known_columns}"
            )


def hidden_columns(columns: Sequence[str], known: Collection[str]) -> list[str]:
    """Of the columns that are requested, those that a field of the item hides in the table.

    Args:
        known: the table's columns.
    """
    return [column for column in dict.fromkeys(columns) if column in FIELDS and column in known]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
