"""Two rankings made one, and hits in groups; pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

RANK_OFFSET = 60
"""The k of reciprocal rank fusion, as its authors chose it."""

T = TypeVar("T")


def fuse(rankings: Iterable[Sequence[str]], *, offset: int = RANK_OFFSET) -> list[str]:
    """Ids by the sum of 1 / (offset + rank) over the rankings, the best first.

    Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009, "Reciprocal rank fusion outperforms
    Condorcet and individual rank learning methods"). It needs no common scale of the scores.
    Of equal sums the first ranking decides.

    Args:
        rankings: each with different ids, the best first.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, item_id in enumerate(ranking, start=1):
            scores[item_id] = scores.get(item_id, 0.0) + 1.0 / (offset + rank)
    return sorted(scores, key=lambda item_id: -scores[item_id])


def best_of_groups(hits: Sequence[T], group_of: Callable[[T], Hashable]) -> list[T]:
    """The first hit of each group, in order; what belongs to no group (None) stays.

    It groups on our side, over more hits than are asked for: Milvus Lite looks at ten times
    the limit and may lose groups, and a server 2.3.5 ignores ``group_by_field`` in silence.
    """
    seen: set[Hashable] = set()
    best: list[T] = []
    for hit in hits:
        group = group_of(hit)
        if group is None or group not in seen:
            best.append(hit)
        if group is not None:
            seen.add(group)
    return best
