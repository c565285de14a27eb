"""Groups of look-alikes as a page: each group side by side, what is kept first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from queries.duplicates.finding import DuplicatesReport
from queries.pages import parts

if TYPE_CHECKING:
    import pyarrow as pa

MOST_SHOWN = 24
"""Items of one group on the page; the others are counted."""


def first_groups(table: pa.Table, groups: int) -> list[dict[str, Any]]:
    """The rows of the first groups, the first ``MOST_SHOWN`` of each.

    Each row gets ``group_size``.
    """
    import numpy as np

    numbers = table.column("group").to_numpy()
    rows = np.flatnonzero(numbers <= groups)
    sizes = np.bincount(numbers[rows]) if len(rows) else np.zeros(1, dtype=np.int64)
    starts = np.searchsorted(numbers, numbers[rows])
    shown = rows[rows - starts < MOST_SHOWN]
    return [row | {"group_size": int(sizes[row["group"]])} for row in table.take(shown).to_pylist()]


def duplicates_page(
    report: DuplicatesReport,
    rows: Sequence[Mapping[str, Any]],
    shown: Mapping[str, tuple[str, str]],
    *,
    catalog: str,
    command: str,
    pictures: parts.Pictures,
) -> str:
    """The page as one file, the largest group first.

    Args:
        rows: of the table, group by group.
        shown: title and source by item.
    """
    groups = [list(members) for _, members in groupby(rows, key=lambda row: row["group"])]
    return parts.render(
        "duplicates.html",
        title=f"Look-alikes - {catalog}",
        report=report,
        groups=groups,
        shown=shown,
        catalog=catalog,
        command=command,
        pictures=pictures,
    )
