"""How far a database lags behind its archive, for the warnings of readers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indexer.catalog.archive import Archive
from indexer.catalog.ledger import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How the rows of a database differ from the archive.

    Attributes:
        items: in the archive.
        rows: in the database.
        waiting: rows of shards that the database may not have yet.
        removals: ids that were removed, and that the database may still find; an item whose
            last part was removed is one.
        lost: rows that the database had at a later version, and lacks at its current one.
        is_foreign: whether the database has a version that this archive's ledger never wrote.
    """

    items: int
    rows: int
    waiting: int
    removals: frozenset[str]
    lost: int
    is_foreign: bool

    @property
    def missing(self) -> int:
        """Items that the database has lost: Milvus Lite loses rows in silence."""
        return max(0, self.items - self.waiting - self.lost - self.rows)

    @property
    def extra(self) -> int:
        """Rows that are neither items of the archive nor wait for their removal."""
        return max(0, self.rows - self.items - self.waiting - self.lost)

    def warnings(self, address: str, catalog: str, *, is_stored_now: bool) -> Iterator[str]:
        """What is wrong, a sentence each, with the command that repairs it.

        Args:
            address: of the database.
            catalog: its name.
            is_stored_now: the calling command stores the waiting rows itself.
        """
        rebuild = f"zeroshelf rebuild --catalog {catalog}"
        if self.missing:
            yield (
                f"{address} holds {self.rows:,} of the {self.items:,} items of catalog "
                f"{catalog!r}: {self.missing:,} are missing. Run: {rebuild}"
            )
        elif self.lost:
            yield (
                f"{address} is older than the archive of catalog {catalog!r}, such as after a "
                f"backup was put back: up to {self.lost:,} rows are not in it as they are "
                f"now. Run: zeroshelf retry --catalog {catalog}"
            )
        elif self.waiting and not is_stored_now:
            removed = f", {len(self.removals):,} removals among them," if self.removals else ""
            yield (
                f"up to {self.waiting:,} rows of catalog {catalog!r}{removed} wait to be stored in "
                f"{address}: another command is at it, or was interrupted. Store them with: "
                f"zeroshelf retry --catalog {catalog}"
            )
        if self.extra:
            yield (
                f"{address} holds {self.rows:,} rows of catalog {catalog!r}, and the archive "
                f"{self.items:,} items: {self.extra:,} are not of this archive. Run: {rebuild}"
            )
        elif self.is_foreign and not self.waiting:
            yield (
                f"{address} was written by another data folder since this one, or this one was "
                f"put back from a backup: they may differ. Compare them with: {rebuild} --verify"
            )


def measure_lag(archive: Archive, ledger: Ledger, *, rows: int, version: int) -> Lag:
    """Compare a database with its archive, without reading rows.

    Args:
        ledger: of the archive, tracking the database's collection.
        rows: in the collection.
        version: of the collection.

    Raises:
        CatalogError: a shard that waits is damaged.
    """
    removals = [removal for shard in ledger.stored.missing() for removal in archive.removals(shard)]
    removed = [removal.item_id for removal in removals]
    parents = {removal.parent_id for removal in removals} - {""}
    return Lag(
        items=ledger.count(),
        rows=rows,
        waiting=ledger.stored.missing_rows(),
        removals=frozenset([*removed, *parents])
        - ledger.find(removed).keys()
        - ledger.parts.rows_of(sorted(parents)).keys(),
        lost=ledger.stored.lost_rows(version),
        is_foreign=version > ledger.stored.newest_version(),
    )
