"""Decisions of the last categorization, one file for each shard of the archive.

Items in the database carry their label, so that they can be filtered by it. These files are the
record of that, for rebuilding the database and for exports.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from indexer.catalog.archive import Archive
from indexer.catalog.folder import CatalogFolder
from indexer.catalog.ledger import Ledger, Place
from indexer.core.durable import aside_of, naming, replace_durably
from indexer.core.errors import CatalogError, first_line
from indexer.core.label_sets import CATEGORY, set_name_of, sets_option
from indexer.core.protocols import Decision

if TYPE_CHECKING:
    import pyarrow as pa


_log = logging.getLogger(__name__)


class DecisionFiles:
    """The decisions of one catalog, in one folder.

    Args:
        folder: made with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, shard: int, decisions: Sequence[Decision | None]) -> None:
        """Store the decisions on a shard's rows, in row order; None where there is none."""
        self.prepare(shard, decisions)
        self.publish([shard])

    def prepare(self, shard: int, decisions: Sequence[Decision | None]) -> None:
        """Write decisions aside; the earlier ones count until ``publish``."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        aside = aside_of(self.path(shard))
        arrays = {
            name: pa.array([getattr(decision, name, None) for decision in decisions], kind)
            for name, kind in columns().items()
        }
        with naming(aside):
            pq.write_table(pa.table(arrays), aside, write_page_checksum=True)

    def read_prepared(self, shard: int) -> list[Decision | None]:
        """The decisions that ``prepare`` wrote and that are not published yet."""
        import pyarrow.parquet as pq

        path = aside_of(self.path(shard))
        return _of_rows(pq.read_table(path, page_checksum_verification=True))

    def publish(self, shards: Iterable[int]) -> None:
        """Put the prepared decisions of these shards in place of the earlier ones."""
        for shard in shards:
            replace_durably(aside_of(self.path(shard)), self.path(shard))

    def read(self, shard: int) -> list[Decision | None] | None:
        """The decisions on a shard's rows; None where it was never categorized."""
        table = self.table(shard)
        return None if table is None else _of_rows(table)

    def table(self, shard: int) -> pa.Table | None:
        """The decisions on a shard's rows as columns, null where there is none.

        None where the shard was never categorized.

        Raises:
            CatalogError: the file is damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path(shard)
        if not path.exists():
            return None
        try:
            table = pq.read_table(path, page_checksum_verification=True)
            return table.select(list(columns()))
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            option = sets_option(set_name_of(self.folder))
            raise CatalogError(
                f"decisions {str(path)!r} are damaged: {first_line(error)}. Decide again: "
                f"zeroshelf categorize --to categories.parquet --write-back{option}"
            ) from error

    def stamp(self, shard: int) -> tuple[int, int] | None:
        """A value that changes with a shard's decisions; None where there are none."""
        try:
            status = self.path(shard).stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size

    def path(self, shard: int) -> Path:
        """The file of a shard's decisions; it need not exist."""
        return self.folder / f"decisions-{shard:08d}.parquet"


def _of_rows(table: pa.Table) -> list[Decision | None]:
    return [None if row["item_id"] is None else Decision(**row) for row in table.to_pylist()]


class ItemDecisions:
    """The decisions of all label sets on a catalog's items, joined.

    Args:
        folder: of the catalog's generation.
    """

    def __init__(self, folder: CatalogFolder) -> None:
        sets = {name: folder.of_set(name) for name in folder.set_names()}
        self.files = {name: DecisionFiles(at_set.decisions) for name, at_set in sets.items()}

    def read(
        self, shard: int, changed: Mapping[str, list[Decision | None]] = MappingProxyType({})
    ) -> list[Decision | None] | None:
        """The decisions on a shard's rows: the category's, with those of the other sets in it.

        None where no set was ever decided.

        Args:
            changed: decisions of label sets in the place of the stored ones.

        Raises:
            CatalogError: a file is damaged.
        """
        by_set = {
            name: changed[name] if name in changed else files.read(shard)
            for name, files in self.files.items()
        }
        decisions = by_set.pop(CATEGORY)
        attributes = {name: rows for name, rows in by_set.items() if rows is not None}
        if not attributes:
            return decisions
        total = len(next(iter(attributes.values())))
        return [
            _joined(category, {name: rows[row] for name, rows in attributes.items()})
            for row, category in enumerate(decisions or [None] * total)
        ]


def _joined(
    category: Decision | None, attributes: Mapping[str, Decision | None]
) -> Decision | None:
    """A category's decision with those of the attributes that were decided."""
    decided = {name: decision for name, decision in attributes.items() if decision is not None}
    if not decided:
        return category
    if category is None:
        item_id = next(iter(decided.values())).item_id
        category = Decision(item_id=item_id, label_id="", label="", score=0.0)
    return replace(category, attributes=decided)


Description = tuple[str, str, str]
"""Of a row: its item's id, the hash of its content, and its title."""


def carry_decisions(
    archive: Archive,
    sets: Sequence[DecisionFiles],
    shard: int,
    rows: Sequence[Description],
    previous: Mapping[str, Place],
) -> None:
    """Copy the decisions of items whose content and title are unchanged to their new rows.

    A label depends on the picture and its title, so a new price does not change it. An item with
    a new title has no decision until the next categorization.

    Args:
        sets: the decisions of each label set.
        shard: the new shard, not in the ledger yet.
        rows: its rows, in order.
        previous: the place of each item's previous row, by item id.
    """
    shards = {place.shard for place in previous.values()}
    decided = {old for old in shards if any(files.stamp(old) is not None for files in sets)}
    unchanged: dict[int, Place] = {}
    for row, (item_id, content_hash, title) in enumerate(rows):
        place = previous.get(item_id)
        if (
            place is not None
            and place.shard in decided
            and place.content_hash == content_hash
            and archive.title(place.shard, place.row)[0] == title
        ):
            unchanged[row] = place
    for files in sets:
        _carry(files, shard, len(rows), unchanged)


def _carry(files: DecisionFiles, shard: int, total: int, places: Mapping[int, Place]) -> None:
    """Copy one set's decisions; ``places``: the old place of each row to copy to."""
    carried: list[Decision | None] = [None] * total
    decisions_by_shard: dict[int, list[Decision | None] | None] = {}
    for row, place in places.items():
        if place.shard not in decisions_by_shard:
            decisions_by_shard[place.shard] = files.read(place.shard)
        decisions = decisions_by_shard[place.shard]
        if decisions is not None:
            carried[row] = decisions[place.row]
    if any(decision is not None for decision in carried):
        files.write(shard, carried)


def carry_missing_decisions(
    archive: Archive, decisions: ItemDecisions, ledger: Ledger, shard: int
) -> None:
    """Carry decisions to a shard whose writer was killed before it could.

    Every command opens the ledger, also the one that decides again, so a damaged file of older
    decisions is told and stops none of them.

    Args:
        ledger: it does not know the shard yet, so it still has its items' previous rows.
        shard: on disk.
    """
    sets = [files for files in decisions.files.values() if files.stamp(shard) is None]
    if not sets:
        return
    # A removal's row has neither hash nor title, so no decision is carried to it.
    names = ["item_id", "content_hash", "title"]
    item_ids, hashes, titles = archive.table(shard, names).to_pydict().values()
    if previous := ledger.find(item_ids):
        rows = list(zip(item_ids, hashes, titles, strict=True))
        try:
            carry_decisions(archive, sets, shard, rows, previous)
        except CatalogError as error:
            _log.warning("items of shard %d come without their decisions: %s", shard, error)


def columns() -> dict[str, pa.DataType]:
    """The columns of the files, as those of ``Decision``."""
    import pyarrow as pa

    return {
        "item_id": pa.string(),
        "label_id": pa.string(),
        "label": pa.string(),
        "score": pa.float32(),
        "status": pa.string(),
    }
