"""Dead letters: an item that failed, with stage, reason and time."""

from __future__ import annotations

from datetime import UTC, datetime

from indexer.core.credentials import without_credentials
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item


def failure(item: Item, stage: Stage, reason: Reason, message: str) -> Failure:
    """A dead letter of now."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    return Failure(
        item=item, stage=stage, reason=reason, message=without_credentials(message), time=time
    )
