"""Items and their parts: which rows of the archive are of one item.

Most catalogs have a row an item, and nothing here is asked then. Where items have several parts,
such as pictures, each part is a row with its parent's id. An item's **lead** row stands for it:
its own row, or the first of its parts where it has none, as where the first picture was broken.
The index is a part of the ledger, so it is derived from the archive.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.archive import Archive
from indexer.core.parts import is_id_of_part, order_of
from indexer.core.records import FloatArray, IndexArray
from indexer.core.sqlite_files import select_in, transaction

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = """
PRAGMA temp_store=FILE;
CREATE TABLE IF NOT EXISTS parts (
    item_id TEXT PRIMARY KEY, parent_id TEXT NOT NULL, place REAL NOT NULL,
    shard INTEGER NOT NULL, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parts_by_parent ON parts (parent_id, place, item_id);
CREATE TEMP TABLE IF NOT EXISTS described (
    parent_id TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS chosen_items (item_id TEXT PRIMARY KEY) WITHOUT ROWID;
"""

_TINY = 1e-6


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRows:
    """The items whose lead rows are in one shard, with all their other rows; picklable.

    Attributes:
        shard: of the lead rows.
        rows: int64 (n,), the lead rows, in order.
        named: ids of the items whose lead row has another id, by place among the n.
        others: shards, rows and places among the n of the items' other rows, each int64 (m,).
        other_ids: ids of those rows.
    """

    shard: int
    rows: IndexArray
    named: dict[int, str]
    others: tuple[IndexArray, IndexArray, IndexArray]
    other_ids: tuple[str, ...] = ()

    @property
    def counts(self) -> IndexArray:
        """int64 (n,): rows of each item."""
        return 1 + np.bincount(self.others[2], minlength=len(self.rows)).astype(np.int64)

    def item_ids(self, row_ids: pa.ChunkedArray) -> pa.ChunkedArray:
        """The items' ids.

        Args:
            row_ids: of the lead rows.
        """
        import pyarrow as pa

        if not self.named:
            return row_ids
        ids = row_ids.to_pylist()
        for place, item_id in self.named.items():
            ids[place] = item_id
        return pa.chunked_array([pa.array(ids, pa.string())])

    def views(self, archive: Archive, vectors: FloatArray) -> tuple[FloatArray, IndexArray]:
        """The vectors of all rows, float32 (n + m, d), those of one item together.

        Args:
            vectors: float32 (n, d), of the lead rows.

        Returns:
            The vectors, and the place of each item's first one, its lead row's, int64 (n,).
        """
        shards, rows, owners = self.others
        if not len(owners):
            return vectors, np.arange(len(vectors))
        further = np.empty((len(owners), archive.width), dtype=np.float32)
        for shard in np.unique(shards):
            of_shard = shards == shard
            further[of_shard] = archive.vectors(int(shard))[rows[of_shard]]
        counts = self.counts
        return np.concatenate([vectors, further])[self._order], np.cumsum(counts) - counts

    def view_ids(self, row_ids: pa.ChunkedArray) -> list[str]:
        """Ids of all rows, in the order of ``views``.

        Args:
            row_ids: of the lead rows.
        """
        ids = [*row_ids.to_pylist(), *self.other_ids]
        return [ids[place] for place in self._order.tolist()]

    @property
    def _order(self) -> IndexArray:
        """int64 (n + m,): places that bring lead rows, then others, together by item."""
        owners = np.concatenate([np.arange(len(self.rows)), self.others[2]])
        return np.argsort(owners, kind="stable")


def mean_vectors(views: FloatArray, starts: IndexArray) -> FloatArray:
    """float32 (n, d): the normalised mean of each item's vectors.

    Args:
        views: float32 (m, d), rows of length 1, those of an item together.
        starts: int64 (n,), each item's first row.
    """
    if len(starts) == len(views):
        return views
    sums = np.add.reduceat(views.astype(np.float64), starts)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    single = np.diff(np.append(starts, len(views))) == 1
    # Views that cancel each other out have no mean: the first one stands for them.
    first = single[:, np.newaxis] | (lengths < _TINY)
    return np.where(first, views[starts], sums / np.maximum(lengths, _TINY)).astype(np.float32)


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
        (count,) = self._connection.execute("SELECT count(*) FROM parts").fetchone()
        return int(count)

    def item_count(self, rows: int) -> int:
        """Number of items.

        Args:
            rows: of the whole catalog.
        """
        if not self.exist:
            return rows
        (parents_without_row,) = self._connection.execute(
            "SELECT count(*) FROM (SELECT DISTINCT parent_id FROM parts) AS p WHERE NOT EXISTS "
            "(SELECT 1 FROM items WHERE items.item_id = p.parent_id AND NOT EXISTS "
            "(SELECT 1 FROM parts AS own WHERE own.item_id = items.item_id))"
        ).fetchone()
        return rows - self.count() + int(parents_without_row)

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
        own = self._own_rows(requested)
        by_item: dict[str, list[PartRow]] = {item_id: [row] for item_id, row in own.items()}
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
        rest = [item_id for item_id in item_ids if item_id not in by_item]
        parts = self.parents(rest)
        ids = [row.row_id for rows in by_item.values() for row in rows]
        return list(dict.fromkeys([*ids, *(row_id for row_id in rest if row_id in parts)]))

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

    def items(self, archive: Archive, shard: int, rows: IndexArray) -> ItemRows:
        """The items whose lead rows are among some rows of a shard.

        Args:
            rows: int64 (r,), the current ones of the shard, or a selection that has all rows of
                each item (``complete_selection``).
        """
        nothing = np.empty(0, dtype=np.int64)
        none = (nothing, nothing, nothing)
        if not self.exist or not len(rows):
            return ItemRows(shard=shard, rows=rows, named={}, others=none)
        ids = archive.table(shard, ["item_id"]).column("item_id").take(rows).to_pylist()
        parents = self.parents(ids)
        item_ids = [parents.get(row_id, row_id) for row_id in ids]
        by_item = self.rows_of(item_ids)
        leads = [
            place
            for place, row_id in enumerate(ids)
            if by_item[item_ids[place]][0].row_id == row_id
        ]
        others = [
            (part.shard, part.row, owner, part.row_id)
            for owner, place in enumerate(leads)
            for part in by_item[item_ids[place]][1:]
        ]
        columns = [np.array([row[column] for row in others], dtype=np.int64) for column in range(3)]
        return ItemRows(
            shard=shard,
            rows=np.asarray(rows)[leads],
            named={
                owner: item_ids[place]
                for owner, place in enumerate(leads)
                if item_ids[place] != ids[place]
            },
            others=(columns[0], columns[1], columns[2]),
            other_ids=tuple(row[3] for row in others),
        )

    def count_differing(self, described: Sequence[tuple[str, str]]) -> int:
        """How many rows are described otherwise than the first row of their item in this run.

        Args:
            described: the id of each row's item, and its title and metadata.
        """
        digests = [
            (parent_id, hashlib.blake2b(text.encode(), digest_size=8).digest())
            for parent_id, text in described
        ]
        self._connection.executemany("INSERT OR IGNORE INTO described VALUES (?, ?)", digests)
        query = "SELECT parent_id, digest FROM described"
        first = dict(
            select_in(self._connection, query, "parent_id", [item_id for item_id, _ in digests])
        )
        return sum(first[parent_id] != digest for parent_id, digest in digests)

    def followers(
        self, archive: Archive, shard: int, rows: IndexArray
    ) -> list[tuple[PartRow, PartRow]]:
        """Those of a shard's rows that do not stand for their item, each with the lead row.

        Args:
            rows: int64 (r,), as ``items`` takes them.
        """
        if not self.exist or not len(rows):
            return []
        ids = archive.table(shard, ["item_id"]).column("item_id").take(rows).to_pylist()
        parents = self.parents(ids)
        by_item = self.rows_of(list(parents.values()))
        return [
            (row, item_rows[0])
            for item_rows in by_item.values()
            for row in item_rows[1:]
            if row.shard == shard
        ]

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
        (count,) = self._connection.execute("SELECT count(*) FROM chosen_items").fetchone()
        return int(count)

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


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """The vectors of one item.

    Attributes:
        rows: its rows, the lead first.
        views: float32 (m, d), a vector a row.
        title: float32 (d,), of the lead row's title; None where it has none.
    """

    rows: list[PartRow]
    views: FloatArray
    title: FloatArray | None

    @property
    def mean(self) -> FloatArray:
        """float32 (d,), of length 1."""
        vector: FloatArray = mean_vectors(self.views, np.zeros(1, dtype=np.int64))[0]
        return vector


def vectors_of_items(
    archive: Archive, index: PartIndex, item_ids: Sequence[str]
) -> dict[str, ItemVectors]:
    """Stored vectors of items, by id; items that are not there are left out."""
    return {
        item_id: ItemVectors(
            rows,
            np.stack([archive.vector(row.shard, row.row) for row in rows]),
            archive.title(rows[0].shard, rows[0].row)[1],
        )
        for item_id, rows in index.rows_of(item_ids).items()
    }


@dataclass(frozen=True, slots=True)
class MeanVectors:
    """One vector an item.

    Attributes:
        places: the row of ``vectors`` by item id.
        vectors: float32 (n, d), rows of length 1.
    """

    places: dict[str, int]
    vectors: FloatArray


def mean_vectors_of_items(
    archive: Archive, index: PartIndex, item_ids: Sequence[str]
) -> MeanVectors:
    """The mean vectors of many items; each shard is read once.

    Items that are not there are left out.
    """
    by_item = index.rows_of(item_ids)
    rows = [row for item_rows in by_item.values() for row in item_rows]
    counts = np.array([len(item_rows) for item_rows in by_item.values()], dtype=np.int64)
    views = np.empty((len(rows), archive.width), dtype=np.float32)
    by_shard: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        by_shard.setdefault(row.shard, []).append(place)
    for shard, places in by_shard.items():
        views[places] = archive.vectors(shard)[[rows[place].row for place in places]]
    places_by_id = {item_id: place for place, item_id in enumerate(by_item)}
    return MeanVectors(places_by_id, mean_vectors(views, np.cumsum(counts) - counts))
