"""The table that is measured where none is given: the catalog's items, categorized now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from indexer.catalog.opening import OpenCatalog
from indexer.core.watch import Watch
from queries.categorizing.categorize import Selection, categorize
from queries.deciding.question import Question
from queries.evaluation.truth import refuse_missing

LABELS_GIVEN = 5
"""Labels for each item: top-5 accuracy is among the figures."""


def categorize_for_evaluation(
    catalog: OpenCatalog,
    folder: Path,
    question: Question,
    *,
    truth: str,
    slices: Sequence[str] = (),
    selection: Selection = Selection(),
    watch: Watch = Watch(),
) -> Path:
    """Write a table of the items into a folder, as ``categorize`` does.

    Args:
        catalog: opened for writing.

    Raises:
        UsageError: no item has the truth's column, or that of a slice; nothing is categorized.
    """
    refuse_missing(catalog, truth, slices)
    path = folder / "categorized.parquet"
    categorize(catalog, path, question, selection=selection, watch=watch)
    return path
