"""What was measured of a collection's index, kept with it as a property; pure."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

TUNING_PROPERTY = "zeroshelf.tuning"

OUTGROWN = 2.0
"""Times as many items after which a measurement is worth repeating."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How widely an index has to be searched for a recall.

    Attributes:
        index: type that was measured; the rest holds for it alone.
        effort: ``ef`` or ``nprobe`` that reaches the target, 0 where the index is exact.
        limit: results a query, the k of recall@k.
        recall: measured recall@k against exact search, of the hardest kind of query.
        target: recall that was asked for.
        items: rows that were searched.
        queries: how many were asked.
    """

    index: str
    effort: int
    limit: int
    recall: float
    target: float
    items: int
    queries: int

    def effort_for(self, limit: int) -> int:
        """The effort for another number of results.

        More results take more effort for the same recall, though not in proportion: for
        100 in place of 10 about twice as much was needed on 50,000 vectors, and three
        times is given.
        """
        return math.ceil(self.effort * math.sqrt(max(1.0, limit / self.limit)))

    def outgrown(self, items: int) -> bool:
        """Whether the catalog has grown so much that it should be measured again."""
        return items > OUTGROWN * self.items

    def as_property(self) -> str:
        """As text for ``from_property``."""
        return json.dumps(asdict(self), sort_keys=True)


def from_property(text: str) -> Tuning | None:
    """What ``as_property`` wrote; None where there is none, or another version wrote it."""
    try:
        return Tuning(**json.loads(text))
    except (ValueError, TypeError):
        return None
