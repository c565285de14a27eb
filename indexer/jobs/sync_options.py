"""The options of a sync; light, since every command's help loads them."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.core.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What happens to items that their source no longer has.

    Attributes:
        remove: remove them; else they are only counted.
        max_removed: largest share of the source's items that may be removed.
        source_name: one name for all sources of the command; empty names each by its address.

    Raises:
        UsageError: ``max_removed`` is no share.
    """

    remove: bool = False
    max_removed: float = 0.2
    source_name: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.max_removed <= 1:
            raise UsageError(f"--max-removed {self.max_removed:g}: give a share from 0 to 1.")
