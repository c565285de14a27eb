"""A measurement of a collection's index, stored with it as a property; pure."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

TUNING_PROPERTY = "zeroshelf.tuning"

OUTDATED_GROWTH = 2.0
"""Growth in items after which a measurement should be repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How widely an index has to be searched for a recall.

    Attributes:
        index: the index type that was measured.
        effort: ``ef`` or ``nprobe`` that reaches the target, 0 where the index is exact.
        limit: results a query, the k of recall@k.
        recall: measured recall@k against exact search, of the hardest kind of query.
        target: recall to reach.
        items: rows that were searched.
        queries: number of queries measured.
        refine_k: candidates of a quantized index for each result; 0 is the default number.
    """

    index: str
    effort: int
    limit: int
    recall: float
    target: float
    items: int
    queries: int
    refine_k: int = 0

    def effort_for(self, limit: int) -> int:
        """The effort for another number of results.

        More results need more effort for the same recall, but not in proportion: on 50,000
        vectors 100 results needed about twice the effort of 10, and get three times.
        """
        return math.ceil(self.effort * math.sqrt(max(1.0, limit / self.limit)))

    def is_outdated(self, items: int) -> bool:
        """Whether the catalog has grown so much that it should be measured again."""
        return items > OUTDATED_GROWTH * self.items

    def as_property(self) -> str:
        """As text for ``from_property``."""
        return json.dumps(asdict(self), sort_keys=True)


def from_property(text: str) -> Tuning | None:
    """Read ``as_property``'s text; None where there is none, or another version wrote it."""
    try:
        return Tuning(**json.loads(text))
    except (ValueError, TypeError):
        return None
