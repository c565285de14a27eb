"""Items and their parts: which rows of the archive are of one item.

Most catalogs have a row an item, and nothing here is asked then. Where items have several parts,
such as pictures, each part is a row with its parent's id. An item's **lead** row stands for it:
its own row, or the first of its parts where it has none, as where the first picture was broken.
The index is a part of the ledger, so it is derived from the archive.
"""

from __future__ import annotations

import hashlib
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.core.parts import BOX, is_box_id, is_id_of_part, order_of
from indexer.core.records import IndexArray
from indexer.core.sqlite_files import number_of, select_in, transaction

# Temporary tables hold ids of a whole run, or of a whole selection: in memory they would grow
# with the catalog.
SCHEMA = """
PRAGMA temp_store=FILE;
CREATE TABLE IF NOT EXISTS parts (
    item_id TEXT PRIMARY KEY, parent_id TEXT NOT NULL, place REAL NOT NULL,
    shard INTEGER NOT NULL, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parts_by_parent ON parts (parent_id, place, item_id);
CREATE TEMP TABLE IF NOT EXISTS groups (
    item_id TEXT PRIMARY KEY, digest BLOB NOT NULL, rows INTEGER NOT NULL, has_own INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS chosen_items (item_id TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class PartRow:
    """A row of the archive that is an item's, or a part of one.

    Attributes:
        row_id: the row's own id.
        item_id: the item's.
        place: among the item's parts; 0 for the item's own row.
    """

    row_id: str
    item_id: str
    place: float
    shard: int
    row: int


@dataclass(frozen=True, slots=True)
class GroupedRow:
    """A row of a source, several of which may be of one item.

    Attributes:
        described: its title and metadata, as text.
        is_own: it is called as the item is.
    """

    item_id: str
    described: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Followers:
    """The m rows that do not stand for their item, ordered by the lead row, then by place.

    Attributes:
        lead_shards: int32 (m,), of the lead rows.
        lead_rows: int32 (m,).
        shards: int32 (m,), of the rows themselves.
        rows: int32 (m,).
        part_leads: shards with a part that stands for its item.
    """

    lead_shards: npt.NDArray[np.int32]
    lead_rows: npt.NDArray[np.int32]
    shards: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    part_leads: frozenset[int]

    def led_by(self, shard: int) -> slice:
        """Those of the items whose lead row is in a shard."""
        start, end = np.searchsorted(self.lead_shards, [shard, shard + 1])
        return slice(int(start), int(end))

    def of_leads(self, leads: Mapping[int, IndexArray]) -> Followers:
        """Those of some items.

        Args:
            leads: int64 (n,) a shard, rows that stand for items.
        """
        fits = np.zeros(len(self.rows), dtype=bool)
        for shard, rows in leads.items():
            led = self.led_by(shard)
            fits[led] = np.isin(self.lead_rows[led], rows)
        return Followers(
            self.lead_shards[fits],
            self.lead_rows[fits],
            self.shards[fits],
            self.rows[fits],
            self.part_leads,
        )


class PartIndex:
    """The parts of one catalog's items, in the ledger's file.

    Args:
        connection: of the ledger.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def exist(self) -> bool:
        """Whether any item has parts."""
        return self._connection.execute("SELECT 1 FROM parts LIMIT 1").fetchone() is not None

    def count(self) -> int:
        """Rows that are parts of items, without the items' own rows."""
        return number_of(self._connection, "SELECT count(*) FROM parts")

    @property
    def have_boxes(self) -> bool:
        """Whether any item has boxes."""
        return next(self.boxes(), None) is not None

    def boxes(self) -> Iterator[tuple[int, int]]:
        """Shard and row of each box."""
        query = "SELECT item_id, shard, row FROM parts WHERE item_id LIKE ?"
        for row_id, shard, row in self._connection.execute(query, (f"%{BOX}=%",)):
            if is_box_id(row_id):
                yield shard, row

    def items_after(self, item_id: str, size: int) -> Iterator[list[str]]:
        """Ids of the items after one, in their order, in lists of at most so many."""
        query = "SELECT item_id FROM items WHERE item_id > :after"
        if self.exist:
            query += (
                " AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.item_id = items.item_id) "
                "UNION SELECT parent_id FROM parts WHERE parent_id > :after"
            )
        after = item_id
        while True:
            values = {"after": after, "size": size}
            rows = self._connection.execute(f"{query} ORDER BY 1 LIMIT :size", values).fetchall()
            if not rows:
                return
            yield [row_id for (row_id,) in rows]
            (after,) = rows[-1]

    def item_count(self, rows: int) -> int:
        """Number of items.

        Args:
            rows: of the whole catalog.
        """
        if not self.exist:
            return rows
        parents_without_row = number_of(
            self._connection,
            "SELECT count(*) FROM (SELECT DISTINCT parent_id FROM parts) AS p WHERE NOT EXISTS "
            "(SELECT 1 FROM items WHERE items.item_id = p.parent_id AND NOT EXISTS "
            "(SELECT 1 FROM parts AS own WHERE own.item_id = items.item_id))",
        )
        return rows - self.count() + parents_without_row

    def replace(
        self, item_ids: Iterable[str], rows: Iterable[tuple[str, str, str, int, int]]
    ) -> None:
        """Forget rows and index those that took their place; within the ledger's transaction.

        Args:
            item_ids: of all rows that changed.
            rows: id, parent's id, part as JSON, shard and row of those that are parts.
        """
        if self.exist:
            self._connection.executemany(
                "DELETE FROM parts WHERE item_id = ?", ((item_id,) for item_id in item_ids)
            )
        self._connection.executemany(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)",
            (
                (row_id, parent_id, order_of(part), shard, row)
                for row_id, parent_id, part, shard, row in rows
            ),
        )

    def parents(self, row_ids: Sequence[str]) -> dict[str, str]:
        """The items that rows are parts of; rows that are items of their own are left out."""
        if not self.exist:
            return {}
        query = "SELECT item_id, parent_id FROM parts"
        return dict(select_in(self._connection, query, "item_id", row_ids))

    def rows_of(self, item_ids: Sequence[str]) -> dict[str, list[PartRow]]:
        """All rows of items, the lead first; items that are not there are left out.

        Args:
            item_ids: any number.
        """
        requested = list(dict.fromkeys(item_ids))
        own_rows = self._own_rows(requested)
        by_item: dict[str, list[PartRow]] = {item_id: [row] for item_id, row in own_rows.items()}
        if self.exist:
            for part in sorted(self._parts("parent_id", requested), key=_order):
                by_item.setdefault(part.item_id, []).append(part)
        return {item_id: by_item[item_id] for item_id in requested if item_id in by_item}

    def leads(self, item_ids: Sequence[str]) -> dict[str, str]:
        """The id of each item's lead row; items that are not there are left out."""
        return {item_id: rows[0].row_id for item_id, rows in self.rows_of(item_ids).items()}

    def ids_of_rows(self, item_ids: Sequence[str]) -> list[str]:
        """Ids of all rows of some items; an id of a part, which is no item, stands for itself."""
        by_item = self.rows_of(item_ids)
        other_ids = [item_id for item_id in item_ids if item_id not in by_item]
        parts = self.parents(other_ids)
        ids = [row.row_id for rows in by_item.values() for row in rows]
        return list(dict.fromkeys([*ids, *(row_id for row_id in other_ids if row_id in parts)]))

    def ids_of_source_rows(self, source_ids: Sequence[str]) -> list[str]:
        """Ids of the rows that rows of a source became: their own, and their further pictures'.

        Other rows of the same item are left out: with ``--group-column`` a row may be called as
        the item is, and is one of its pictures all the same.
        """
        requested = list(dict.fromkeys(source_ids))
        current = self._own_rows(requested).keys() | self.parents(requested).keys()
        row_ids = [row_id for row_id in requested if row_id in current]
        for source_id in requested if self.exist else ():
            # "$" comes after the "#" that begins a part's description.
            query = "SELECT item_id FROM parts WHERE item_id > ? AND item_id < ?"
            bounds = (f"{source_id}#", f"{source_id}$")
            parts = (row_id for (row_id,) in self._connection.execute(query, bounds))
            row_ids += [row_id for row_id in parts if is_id_of_part(row_id, source_id)]
        return list(dict.fromkeys(row_ids))

    def add_to_groups(self, rows: Sequence[GroupedRow]) -> tuple[list[int], int]:
        """Count rows that a source says to be of one item, in this run.

        Args:
            rows: in the source's order.

        Returns:
            The place of each row among those of its item, from 1, and how many rows are described
            otherwise than the first one of their item.
        """
        requested = [row.item_id for row in rows]
        query = "SELECT item_id, digest, rows, has_own FROM groups"
        groups = {
            item_id: list(group)
            for item_id, *group in select_in(self._connection, query, "item_id", requested)
        }
        places, differing = [], 0
        for row in rows:
            # It is only compared: eight bytes stand for a title and metadata of any length.
            digest = hashlib.blake2b(row.described.encode(), digest_size=8).digest()
            group = groups.setdefault(row.item_id, [digest, 0, False])
            group[1] += 1
            group[2] = group[2] or row.is_own
            places.append(group[1])
            differing += group[0] != digest
        self._connection.executemany(
            "INSERT OR REPLACE INTO groups VALUES (?, ?, ?, ?)",
            ((item_id, *group) for item_id, group in groups.items()),
        )
        return places, differing

    def repeated_rows(self) -> int:
        """Rows of this run's groups beyond the first one of each."""
        query = "SELECT coalesce(sum(rows) - count(*), 0) FROM groups"
        return number_of(self._connection, query)

    def joined_items(self) -> list[str]:
        """Items of this run's groups that also have a row which is in no group."""
        rows = self._connection.execute(
            "SELECT item_id FROM groups WHERE NOT has_own "
            "AND item_id IN (SELECT item_id FROM items) "
            "AND item_id NOT IN (SELECT item_id FROM parts) ORDER BY item_id"
        )
        return [item_id for (item_id,) in rows]

    def followers(self, *, selected: bool = False) -> Followers:
        """The rows that do not stand for their item, with those that do.

        Args:
            selected: only those of the items that ``complete_selection`` has.
        """
        # 16 bytes a row; a list of tuples would take ten times that.
        places = array("i")
        part_leads: set[int] = set()
        item_id, lead = "", (0, 0)
        for parent_id, shard, row, own_shard, own_row in self._rows_by_item(selected=selected):
            if parent_id == item_id:
                places.extend((*lead, shard, row))
                continue
            item_id = parent_id
            if own_shard is None or own_row is None:
                lead = shard, row
                part_leads.add(shard)
            else:
                lead = own_shard, own_row
                places.extend((*lead, shard, row))
        columns = np.array(places, dtype=np.int32).reshape(-1, 4).T
        lead_shards, lead_rows, shards, rows = columns[:, np.lexsort(columns[1::-1])]
        return Followers(lead_shards, lead_rows, shards, rows, frozenset(part_leads))

    def _rows_by_item(
        self, *, selected: bool
    ) -> Iterator[tuple[str, int, int, int | None, int | None]]:
        """All parts by item and place: their parent's id and its own row, None without one."""
        return self._connection.execute(
            "SELECT p.parent_id, p.shard, p.row, own.shard, own.row FROM parts AS p "
            "LEFT JOIN items AS own ON own.item_id = p.parent_id AND NOT EXISTS "
            "(SELECT 1 FROM parts AS other WHERE other.item_id = p.parent_id) "
            "WHERE NOT ? OR p.parent_id IN (SELECT item_id FROM chosen_items) "
            "ORDER BY p.parent_id, p.place, p.item_id",
            (selected,),
        )

    def complete_selection(self) -> int:
        """Extend the ledger's selection of rows to all rows of their items.

        Returns:
            Number of items.
        """
        with transaction(self._connection):
            self._connection.execute("DELETE FROM chosen_items")
            self._connection.execute(
                "INSERT OR IGNORE INTO chosen_items SELECT coalesce("
                "(SELECT parent_id FROM parts WHERE parts.item_id = items.item_id), item_id) "
                "FROM items WHERE (shard, row) IN (SELECT shard, row FROM chosen)"
            )
            self._connection.execute(
                "INSERT OR IGNORE INTO chosen SELECT shard, row FROM parts "
                "WHERE parent_id IN (SELECT item_id FROM chosen_items) UNION ALL "
                "SELECT shard, row FROM items WHERE item_id IN (SELECT item_id FROM chosen_items) "
                "AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.item_id = items.item_id)"
            )
        return number_of(self._connection, "SELECT count(*) FROM chosen_items")

    def _own_rows(self, item_ids: Sequence[str]) -> dict[str, PartRow]:
        """The rows of items that are their own, by id."""
        query = "SELECT item_id, shard, row FROM items"
        rows = {
            item_id: PartRow(item_id, item_id, 0.0, shard, row)
            for item_id, shard, row in select_in(self._connection, query, "item_id", item_ids)
        }
        for row_id in self.parents(list(rows)):
            del rows[row_id]
        return rows

    def _parts(self, column: str, values: Sequence[str]) -> Iterator[PartRow]:
        query = "SELECT item_id, parent_id, place, shard, row FROM parts"
        rows = select_in(self._connection, query, column, values)
        return (PartRow(*row) for row in rows)


def _order(part: PartRow) -> tuple[float, str]:
    return part.place, part.row_id
