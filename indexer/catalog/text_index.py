"""The index of the items' words: SQLite's full text search, derived from the archive.

It finds exact words (a sku, a brand), which embeddings miss. Each item has one text: its title,
its id, and the values of its metadata that are texts or whole numbers. Ranking is BM25 (Robertson
and Zaragoza 2009) with SQLite's k1 1.2 and b 0.75, over all items.

It is not Milvus' full text search: ``docs/search.md`` has the measurement. This one is the same for
Milvus Lite and every server, and follows the archive shard by shard: what is removed there is not
found any more, and a lost file is made again.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from indexer.catalog.archive import Archive
from indexer.catalog.ledger import Ledger
from indexer.core.errors import CatalogError
from indexer.core.sqlite_files import connect, number_of, open_or_renew, transaction
from indexer.core.words import RULES_VERSION, TOKENIZER, indexed_text, query_expression

LONGEST_VALUE = 200
"""Characters of a metadata value that is indexed, at most: descriptions would drown titles."""

_SCHEMA = f"""
PRAGMA temp_store=FILE;
CREATE TABLE IF NOT EXISTS shards (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS columns (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (number INTEGER PRIMARY KEY, item_id TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5(text, tokenize = "{TOKENIZER}");
CREATE TEMP TABLE IF NOT EXISTS incoming (item_id TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID;
"""
_TABLES = ("shards", "columns", "items", "texts")
_BEST = """
SELECT item_id FROM (
    SELECT rowid AS number, rank FROM texts WHERE texts MATCH :words AND (:ids IS NULL OR rowid IN (
        SELECT number FROM items WHERE item_id IN (SELECT value FROM json_each(:ids))))
    ORDER BY rank LIMIT :limit OFFSET :offset)
JOIN items USING (number) ORDER BY rank, number
"""
_HAVING = """
SELECT item_id FROM texts JOIN items ON items.number = texts.rowid
WHERE texts MATCH :words AND item_id IN (SELECT value FROM json_each(:ids))
"""
_COLUMNS = ("item_id", "title", "metadata_json", "removed")


class TextIndex:
    """The words of one generation's items.

    Args:
        path: the SQLite file; made where it is not there.
        columns: columns of the metadata that are indexed; None is all with short values.

    Raises:
        CatalogError: the file can't be opened, or this Python's SQLite has no FTS5.
    """

    def __init__(self, path: Path, *, columns: Sequence[str] | None = None) -> None:
        self._path = path
        self._columns = None if columns is None else frozenset(columns)
        self._connection = open_or_renew(
            path,
            partial(connect, schema=_SCHEMA, table="texts"),
            noun="the index of words",
            loss="indexing the words again.",
            remedy="Check the folder's permissions and free space, and that Python's SQLite has "
            "FTS5.",
        )
        self._apply_settings()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def follow(self, archive: Archive, ledger: Ledger) -> None:
        """Index the shards that are new since the last call, each in one transaction.

        Raises:
            CatalogError: a shard is damaged, or the index.
        """
        shards = ledger.shards()
        with self._damage_told():
            indexed = self._indexed()
            if not indexed.issubset(shards) or _is_out_of_order(indexed, shards):
                self._clear()  # a shard that was lost or set aside had replaced rows of others
                indexed = set()
            for number in shards:
                if number not in indexed:
                    self._add(number, archive)

    def find(
        self,
        words: str,
        *,
        without: Sequence[str] = (),
        among: Collection[str] | None = None,
        every: bool = False,
        limit: int,
        offset: int = 0,
    ) -> list[str]:
        """Ids of the items with the words, the best by BM25 first.

        Args:
            words: as a person typed them; quotation marks and operators have no meaning.
            without: phrases; items with one of them are left out.
            among: only these ids.
            every: all of the words must be there; else any of them.
            offset: items to leave out: a next page.

        Raises:
            UsageError: too many words.
            CatalogError: the index is damaged.
        """
        expression = query_expression(words, without, every=every)
        if not expression:
            return []
        ids = None if among is None else json.dumps(list(among))
        values = {"words": expression, "ids": ids, "limit": limit, "offset": offset}
        with self._damage_told():
            return [item_id for (item_id,) in self._connection.execute(_BEST, values)]

    def with_phrases(self, phrases: str, item_ids: Collection[str]) -> set[str]:
        """Those of the ids whose text matches an FTS5 expression of ``words``."""
        if not phrases or not item_ids:
            return set()
        ids = json.dumps(list(item_ids))
        with self._damage_told():
            rows = self._connection.execute(_HAVING, {"words": phrases, "ids": ids})
            return {item_id for (item_id,) in rows}

    def columns(self) -> set[str]:
        """Keys of metadata that an item has, or had."""
        return {name for (name,) in self._connection.execute("SELECT name FROM columns")}

    def count(self) -> int:
        """Items that are indexed."""
        return number_of(self._connection, "SELECT count(*) FROM items")

    @contextlib.contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise CatalogError(
                f"the index of words {str(self._path)!r} can't be used ({error}). Make it again, "
                "and the database, with: zeroshelf rebuild"
            ) from error

    def _add(self, number: int, archive: Archive) -> None:
        table = archive.table(number, _COLUMNS)
        names: set[str] = set()
        texts = _texts(zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True))
        execute = self._connection.execute
        with transaction(self._connection):
            if number in self._indexed():
                return  # another process has indexed the shard meanwhile
            execute("DELETE FROM incoming")
            self._connection.executemany(
                "INSERT OR REPLACE INTO incoming VALUES (?, ?)",
                (
                    (item_id, None if described is None else self._text(described, names))
                    for item_id, described in texts
                ),
            )
            execute(
                "DELETE FROM texts WHERE rowid IN "
                "(SELECT number FROM items WHERE item_id IN (SELECT item_id FROM incoming))"
            )
            execute("DELETE FROM items WHERE item_id IN (SELECT item_id FROM incoming)")
            execute("INSERT INTO items (item_id) SELECT item_id FROM incoming WHERE text NOT NULL")
            execute(
                "INSERT INTO texts (rowid, text) "
                "SELECT number, text FROM incoming JOIN items USING (item_id)"
            )
            self._connection.executemany(
                "INSERT OR IGNORE INTO columns VALUES (?)", [(name,) for name in sorted(names)]
            )
            execute("INSERT INTO shards VALUES (?)", (number,))

    def _text(self, described: tuple[str, str, Mapping[str, Any]], names: set[str]) -> str:
        """An item's text; the keys of its metadata are added to ``names``."""
        item_id, title, metadata = described
        names.update(metadata)
        values = [
            word
            for name, value in metadata.items()
            if self._columns is None or name in self._columns
            for word in _words(value)
            if self._columns is not None or _is_short(word)
        ]
        return indexed_text("\n".join([title, item_id, *values]))

    def _indexed(self) -> set[int]:
        return {number for (number,) in self._connection.execute("SELECT number FROM shards")}

    def _apply_settings(self) -> None:
        """Start again where the words were indexed by other rules, or of other columns."""
        columns = None if self._columns is None else sorted(self._columns)
        settings = json.dumps([RULES_VERSION, columns])
        stored = self._connection.execute("SELECT value FROM settings").fetchone()
        if stored != (settings,):
            with transaction(self._connection):
                self._delete_rows()
                self._connection.execute(
                    "INSERT OR REPLACE INTO settings VALUES ('rules', ?)", (settings,)
                )

    def _clear(self) -> None:
        with transaction(self._connection):
            self._delete_rows()

    def _delete_rows(self) -> None:
        for table in _TABLES:
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names


def _is_out_of_order(indexed: set[int], shards: Sequence[int]) -> bool:
    """Whether a shard is new that lies before an indexed one: a later row would lose to it."""
    return bool(indexed) and any(
        number not in indexed and number < max(indexed) for number in shards
    )


def _texts(
    rows: Iterable[tuple[str, str, str, bool]],
) -> Iterator[tuple[str, tuple[str, str, Mapping[str, Any]] | None]]:
    """Each id with its id, title and metadata; None for a removal."""
    for item_id, title, metadata_json, removed in rows:
        described = None if removed else (item_id, title, json.loads(metadata_json or "{}"))
        yield item_id, described


def _words(value: Any) -> Iterator[str]:
    """The texts and whole numbers in a value of metadata."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, list):
        for entry in value:
            yield from _words(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _words(entry)


def _is_short(word: str) -> bool:
    return len(word) <= LONGEST_VALUE and "://" not in word
