"""Refuses the rows of a source whose id came before in the same run."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.catalog.ledger import Ledger
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, failure, item_of


class DuplicateIds:
    """The ids of one run.

    Args:
        ledger: marks them on disk: the ids of a large source do not fit into memory.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # Kept between chunks: an item's parts may come in the chunk after the item itself.
        self._repeated_parts: set[str] = set()

    def refuse(self, entries: Sequence[Item | Failure]) -> list[Item | Failure]:
        """The entries, with a failure in the place of an item whose id came before.

        The parts of an item whose id is repeated are left out with it.
        """
        ids = [item.item_id for item in entries if isinstance(item, Item)]
        fresh = self._ledger.mark_seen(ids)
        accepted: list[Item | Failure] = []
        for entry in entries:
            item = item_of(entry)
            if item.item_id in self._repeated_parts:
                self._repeated_parts.discard(item.item_id)
            elif isinstance(entry, Failure):
                accepted.append(entry)
            elif item.item_id in fresh:
                fresh.discard(item.item_id)
                accepted.append(entry)
            else:
                self._repeated_parts = {item_of(part).item_id for part in item.parts or ()}
                accepted.append(_repeated(item))
        return accepted


def _repeated(item: Item) -> Failure:
    message = (
        f"id {item.item_id!r} occurred before in the same job; the first one was kept. Make ids "
        "unique, or ingest the second source under another --catalog."
    )
    return failure(item, Stage.READ, Reason.DUPLICATE_ID, message)
