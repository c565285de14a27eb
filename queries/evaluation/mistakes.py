"""Wrong predictions with the highest scores: the first to review."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.records import IndexArray, Kind
from queries.evaluation.outcomes import Outcomes

OF_A_KIND = 3
"""Mistakes of one pair of labels that are shown before others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """An item whose label is not its truth.

    Attributes:
        source: where its picture lies; empty where it has none.
    """

    item_id: str
    title: str
    source: str
    truth_id: str
    predicted_id: str
    score: float


def surest_mistakes(catalog: OpenCatalog, outcomes: Outcomes, *, limit: int) -> list[Mistake]:
    """Items with a wrong label, those with the highest score first.

    At most ``OF_A_KIND`` mistakes of a pair of labels come before others: else a frequent
    confusion would fill the list.
    Items that the catalog no longer has are shown without title and picture.
    """
    wrong = outcomes.take(outcomes.known & ~outcomes.correct)
    mistakes = wrong.take(_varied(wrong, limit))
    shown = titles_and_pictures(catalog, mistakes.item_ids.tolist())
    return [
        Mistake(
            item_id=item_id,
            title=shown.get(item_id, ("", ""))[0],
            source=shown.get(item_id, ("", ""))[1],
            truth_id=truth,
            predicted_id=predicted,
            score=float(score),
        )
        for item_id, truth, predicted, score in zip(
            mistakes.item_ids, mistakes.truths, mistakes.predicted, mistakes.scores, strict=True
        )
    ]


def _varied(wrong: Outcomes, limit: int) -> IndexArray:
    """Positions of the mistakes to show, best score first."""
    order = np.argsort(-wrong.scores, kind="stable")
    taken: Counter[tuple[str, str]] = Counter()
    rare: list[int] = []
    more: list[int] = []
    for row in order:
        pair = wrong.truths[row], wrong.predicted[row]
        taken[pair] += 1
        (rare if taken[pair] <= OF_A_KIND else more).append(int(row))
    positions = [*rare, *more][:limit]
    return np.array(sorted(positions, key=lambda row: -wrong.scores[row]), dtype=np.int64)


def titles_and_pictures(catalog: OpenCatalog, item_ids: list[str]) -> dict[str, tuple[str, str]]:
    """Title, and where the first picture lies, by item; those that the catalog has."""
    by_shard: dict[int, dict[int, str]] = {}
    for item_id, rows in catalog.ledger.parts.rows_of(item_ids).items():
        by_shard.setdefault(rows[0].shard, {})[rows[0].row] = item_id
    shown = {}
    for shard, items in by_shard.items():
        table = catalog.archive.table(shard, ["kind", "title", "source"]).take(list(items))
        for item_id, row in zip(items.values(), table.to_pylist(), strict=True):
            picture = "" if row["kind"] == Kind.TEXT else row["source"]
            shown[item_id] = (row["title"], picture)
    return shown
