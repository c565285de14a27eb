"""What people look at, and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from indexer.core.errors import UsageError
from indexer.core.given_values import mappings_of, texts_of
from indexer.core.label_sets import CATEGORY
from queries.service.client.answers import queue_of, value_of, values_of
from queries.service.client.connection import Connection
from queries.service.client.results import (
    Category,
    GivenVerdict,
    Glance,
    ReviewQueue,
    StoredCorrection,
)


class Reviewing(Connection):
    """Routes of ``/v1/catalog`` and ``/v1/review``."""

    def catalog(self, *, set_name: str = CATEGORY) -> Glance:
        """The catalog at a glance: items by label, dead letters by reason.

        Raises:
            ServiceError: refused, or there is no such label set.
            StoreUnavailableError: the service does not answer.
        """
        answer = self._ask("GET", "/v1/catalog", params={"set": set_name})
        return value_of(Glance, answer, categories=values_of(Category, answer["categories"]))

    def review_queue(
        self,
        *,
        limit: int = 20,
        offset: int = 0,
        category: Sequence[str] = (),
        status: Sequence[str] = (),
        item_ids: Sequence[str] | None = None,
        set_name: str = CATEGORY,
    ) -> ReviewQueue:
        """Items that nobody has looked at, the most useful first.

        Args:
            limit: items of the page, at most 100.
            category: labels by id, name or path, a branch with all below it; "" is no label.
            status: accepted, review, unknown or not_visible; none are all.
            item_ids: only these, at most 10,000; None for all.

        Raises:
            ServiceError: refused, or there is no such label set.
            StoreUnavailableError: the service does not answer.
            UsageError: a text in the place of a list.
        """
        parameters: dict[str, Any] = {"limit": limit, "offset": offset, "set": set_name}
        parameters |= {"category": texts_of("category", category)}
        parameters |= {"status": texts_of("status", status)}
        if item_ids is None:
            return queue_of(self._ask("GET", "/v1/review", params=parameters))
        chosen = parameters | {"item_ids": texts_of("item_ids", item_ids)}
        return queue_of(self._ask("POST", "/v1/review/queue", json=chosen))

    def review(
        self,
        item_id: str,
        verdict: Literal["accepted", "corrected", "rejected"],
        *,
        label: str = "",
        seen: str | None = None,
        set_name: str = CATEGORY,
    ) -> StoredCorrection:
        """Accept an item's label, correct it, or reject it; the item has it at once.

        Args:
            label: id or name of the right one, for corrected.
            seen: ``label_id`` that was shown; accepted is refused where it is another by now.

        Raises:
            ServiceError: refused: no such item or label, or the key may not.
            StoreUnavailableError: the service does not answer.
        """
        verdict_body = {
            "item_id": item_id,
            "verdict": verdict,
            "label": label,
            "seen": seen,
            "label_set": set_name,
        }
        answer = self._ask("POST", "/v1/review", repeatable=False, json=verdict_body)
        return value_of(StoredCorrection, answer)

    def review_several(self, verdicts: Sequence[Mapping[str, Any]]) -> tuple[GivenVerdict, ...]:
        """Verdicts on several items of one label set; one that is refused stops no other.

        Args:
            verdicts: each ``item_id`` and ``verdict``, and where it needs them ``label``, ``seen``
                and ``label_set``, as ``review`` takes them.

        Raises:
            ServiceError: refused as a whole: an item twice, or the key may not.
            StoreUnavailableError: the service does not answer.
            UsageError: a verdict is no mapping.
        """
        verdict_body = {"verdicts": mappings_of("verdicts", verdicts)}
        answer = self._ask("POST", "/v1/review/several", repeatable=False, json=verdict_body)
        return values_of(GivenVerdict, answer["results"])

    def withdraw(
        self, item_ids: Sequence[str], *, times: Sequence[str] = (), set_name: str = CATEGORY
    ) -> tuple[GivenVerdict, ...]:
        """Take back the newest verdict on each item; it has again what it had before.

        Args:
            times: of the verdicts, in the order of the items: one that is not the newest is
                refused. None at all are whichever are.

        Raises:
            ServiceError: refused as a whole: an item twice, or the key may not.
            StoreUnavailableError: the service does not answer.
            UsageError: a text in the place of a list, or not as many times as items.
        """
        item_ids, times = texts_of("item_ids", item_ids), texts_of("times", times)
        if times and len(times) != len(item_ids):
            raise UsageError(f"{len(times)} times for {len(item_ids)} items: give one for each.")
        verdict_times: Sequence[str | None] = times or [None] * len(item_ids)
        verdicts = [
            {"item_id": item_id, "time": time}
            for item_id, time in zip(item_ids, verdict_times, strict=True)
        ]
        withdrawal = {"label_set": set_name, "verdicts": verdicts}
        answer = self._ask("POST", "/v1/review/withdraw", repeatable=False, json=withdrawal)
        return values_of(GivenVerdict, answer["results"])

    def corrections(self, *, set_name: str = CATEGORY) -> str:
        """What people said, as a CSV that ``labels teach`` and ``labels calibrate`` read.

        Raises:
            ServiceError: refused, or there is no such label set.
            StoreUnavailableError: the service does not answer.
        """
        return self._answer("GET", "/v1/review/corrections", params={"set": set_name}).text
