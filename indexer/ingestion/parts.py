"""Makes one row of each part of an item, and finds the parts that an item no longer has.

    source -> limit -> segmenters -> flatten -> without duplicates -> the stages, a row at a time
              |--here--|             |--here--|

A source yields an item with its further pictures as its ``parts``, and a segmenter one with what
is cut from its file (``segments``). They become items of their own here, so that each one is
embedded, resumed and tried again by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from indexer.catalog.archive import Removal
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.ledger import Ledger, Place
from indexer.catalog.parts import GroupedRow
from indexer.core.hashing import canonical_json
from indexer.core.parts import ROW, VIEW, is_id_of_part
from indexer.core.reasons import Reason, Stage
from indexer.core.records import FURTHER_PICTURES, Failure, Item, failure, item_of, with_origin
from indexer.ingestion.reports import IngestReport


class ItemParts:
    """The items of one run and their parts.

    Args:
        max_views: pictures of an item that are embedded; None is all. The addresses of others
            stay in its metadata.
        report: gets the counts.
    """

    def __init__(
        self,
        ledger: Ledger,
        dead_letters: DeadLetters,
        report: IngestReport,
        *,
        max_views: int | None = None,
    ) -> None:
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._report = report
        self._further = None if max_views is None else max_views - 1
        self._with_letters = {letter.item.parent_id for letter in dead_letters.all()} - {""}
        self._gone: list[Removal] = []
        self._joined: set[str] = set()
        self._numbered: dict[int, int] = {}
        """The place of the last row of a group, by its number in the table."""

    def limit(self, entries: Iterable[Item | Failure]) -> Iterator[Item | Failure]:
        """Each item with the further pictures that are embedded."""
        for entry in entries:
            self._report.items += 1
            if isinstance(entry, Item) and entry.parts:
                yield self._limited(entry)
                continue
            if isinstance(entry, Item):
                self._report.further_pictures += len(entry.metadata.get(FURTHER_PICTURES, ()))
            yield entry

    def flatten(
        self, entries: Iterable[Item | Failure], size: int, *, within_s: float
    ) -> Iterator[list[Item | Failure]]:
        """Each item, followed by its parts, in lists of at most ``size`` rows.

        Args:
            within_s: a list is passed on before it is full where items take longer to come, with
                the parts of its last item: they are there, and the next item may be slow.
        """
        rows: list[Item | Failure] = []
        started = time.monotonic()
        for entry in entries:
            for row in _with_parts(entry):
                rows.append(row)
                if len(rows) == size:
                    yield rows
                    rows, started = [], time.monotonic()
            if rows and time.monotonic() - started > within_s:
                yield rows
                rows, started = [], time.monotonic()
        if rows:
            yield rows

    def _limited(self, item: Item) -> Item:
        """The item with the parts that are embedded, and the addresses of the others."""
        parts = item.parts or ()
        metadata = dict(item.metadata)
        addresses = metadata.pop(FURTHER_PICTURES, [])
        pictures = [part for part in parts if isinstance(part, Item)]
        embedded = pictures if self._further is None else pictures[: self._further]
        if left := addresses[len(embedded) :]:
            metadata[FURTHER_PICTURES] = left
            self._report.further_pictures += len(left)
        skipped = {part.item_id for part in pictures[len(embedded) :]}
        return replace(
            item,
            metadata=metadata,
            parts=tuple(
                replace(part, metadata=metadata) if isinstance(part, Item) else part
                for part in parts
                if isinstance(part, Failure) or part.item_id not in skipped
            ),
        )

    def note(self, entries: Sequence[Item | Failure]) -> list[Item | Failure]:
        """Find what items of a chunk no longer have, and what differs between rows of an item.

        Returns:
            The entries; rows of a group are numbered in it, rather than in their table, where
            each row changes its number when one is put in before.
        """
        items = [entry for entry in entries if isinstance(entry, Item)]
        self._note_gone([item for item in items if item.parts is not None])
        grouped = [
            GroupedRow(
                item.parent_id or item.item_id,
                canonical_json([item.title, item.metadata]),
                not item.parent_id,
            )
            for item in items
            if _is_grouped_row(item)
        ]
        if not grouped and not self._numbered:
            return list(entries)
        places, differing = self._ledger.parts.add_to_groups(grouped)
        self._report.differing_rows += differing
        remaining = iter(places)
        return [
            self._with_place(entry, remaining) if isinstance(entry, Item) else entry
            for entry in entries
        ]

    def _with_place(self, item: Item, places: Iterator[int]) -> Item:
        """A row of a group with the next place; a further picture with that of its row."""
        number = item.part.get(ROW, 0)
        if _is_grouped_row(item):
            self._numbered = {number: next(places)}
        if number not in self._numbered:
            return item
        return replace(item, part={**item.part, ROW: self._numbered[number]})

    def _note_gone(self, items: Sequence[Item]) -> None:
        """Parts that are stored or dead letters, and that their item's row no longer has."""
        parents = [item.parent_id or item.item_id for item in items]
        stored = self._ledger.parts.rows_of(parents) if self._ledger.parts.exist else {}
        for item, parent_id in zip(items, parents, strict=True):
            current = {item_of(part).item_id for part in item.parts or ()}
            self._gone += [
                Removal(item_id=row.row_id, parent_id=parent_id)
                for row in stored.get(parent_id, ())
                if is_id_of_part(row.row_id, item.item_id) and row.row_id not in current
            ]
            if not item.parent_id and ROW not in item.part:
                self._joined.update(
                    row.item_id
                    for row in stored.get(parent_id, ())
                    if not is_id_of_part(row.row_id, parent_id) and row.row_id != parent_id
                )
            if parent_id in self._with_letters:
                self._forget_letters(item)

    def _forget_letters(self, item: Item) -> None:
        """Forget failures of pictures that the item's row no longer has at that place."""
        current = {(part.item_id, part.source) for part in map(item_of, item.parts or ())}
        for letter in self._dead_letters.of_item(item.parent_id or item.item_id):
            key = letter.item.item_id, letter.item.source
            if is_id_of_part(key[0], item.item_id) and key not in current:
                self._dead_letters.forget(letter.item)

    def joined_items(self) -> list[str]:
        """Ids of items that are groups, and that a row which is in no group is called by, too."""
        return sorted(self._joined.union(self._ledger.parts.joined_items()))

    def take_gone(self) -> list[Removal]:
        """The parts that are gone since the last call."""
        gone, self._gone = self._gone, []
        self._report.removed_parts += len(gone)
        return gone

    @property
    def gone_count(self) -> int:
        """Parts that ``take_gone`` would give."""
        return len(self._gone)

    def collisions(self, items: Sequence[Item], stored: dict[str, Place]) -> dict[str, Failure]:
        """Items whose id is that of another item's part in the catalog, or the other way round.

        Args:
            stored: the current rows of their ids.
        """
        candidates = [item for item in items if item.item_id in stored]
        if not candidates:
            return {}
        parents = self._ledger.parts.parents([item.item_id for item in candidates])
        return {
            item.item_id: _collision(item, stored_parent)
            for item in candidates
            if (stored_parent := parents.get(item.item_id, "")) != item.parent_id
            and any(
                parent and is_id_of_part(item.item_id, parent)
                for parent in (stored_parent, item.parent_id)
            )
        }


def _is_grouped_row(item: Item) -> bool:
    """Whether an item is a row that its source says to be one of a group."""
    return ROW in item.part and VIEW not in item.part and item.parts is not None


def _collision(item: Item, stored_parent: str) -> Failure:
    stored = f"a part of item {stored_parent!r}" if stored_parent else "an item of its own"
    return failure(
        item,
        Stage.READ,
        Reason.DUPLICATE_ID,
        f"id {item.item_id!r} is in the catalog as {stored}, and was kept as that. Give the other "
        "item an id that does not look like a part's.",
    )


def _with_parts(entry: Item | Failure) -> Iterator[Item | Failure]:
    yield entry
    if isinstance(entry, Item):
        for part in entry.parts or ():
            yield with_origin(part, entry.origin) if entry.origin else part
