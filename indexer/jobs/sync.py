"""Where items come from: those that their source no longer has, and those of another source before.

Items that a source no longer has are counted after every ingestion, and removed with ``--sync``.

A source is what the user names: a file, a folder, a pattern, or a name for several of them. An
item is absent if its source was read to the end without it. A dead letter is not absent. If a
part of a source could not be read, no item of it counts as absent, since the unread part may hold
any of them.

Rows of a table without a column of ids are called by the file's name and their numbers, and so are
those of another file of this name. Such a row does not replace one of another file that is still
there: it is a dead letter.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from indexer.catalog.opening import OpenCatalog
from indexer.catalog.origins import KnownSource, Origins
from indexer.core.chunks import in_chunks
from indexer.core.parts import source_id_of
from indexer.core.protocols import Source, left_out, merged
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, failure, item_of, with_origin
from indexer.ingestion.reports import IngestReport
from indexer.jobs.removal import remove_rows
from indexer.jobs.sync_options import SyncOptions
from indexer.sources import addresses
from indexer.sources.chained import ChainedSource
from indexer.sources.options import NO_COLUMN
from indexer.sources.table import TableSource

_IDS_AT_ONCE = 1000
_ROWS_AT_ONCE = 64
"""Rows of a table, maybe with their pictures, that are in memory together."""


@dataclass(slots=True)
class _TrackedSource:
    """One source of the command, and what a run has read of it."""

    origin: KnownSource
    source: Source
    unread: int = 0
    read: int = 0
    ended: bool = False
    sources_before: Counter[int] = field(default_factory=Counter)

    @property
    def is_numbered(self) -> bool:
        """Whether ids are made of the numbers of rows."""
        return any(
            isinstance(leaf, TableSource) and leaf.options.id_column == NO_COLUMN
            for leaf in ChainedSource([self.source]).leaves()
        )


class TrackedSources:
    """The sources of one command as one source that records its items' ids.

    Args:
        names: how the user names each source.
        sources: the opened sources, in the order of the names.
    """

    def __init__(
        self, origins: Origins, names: Sequence[str], sources: Sequence[Source], source_name: str
    ) -> None:
        self._origins = origins
        self._run = origins.new_run()
        self._tracked = [
            _TrackedSource(origin=_origin(origins, name, source_name), source=source)
            for name, source in zip(names, sources, strict=True)
        ]

    def __iter__(self) -> Iterator[Item | Failure]:
        """The items of all sources, in order, each with the place of its source."""
        for place, tracked in enumerate(self._tracked):
            met: list[str] = []
            try:
                for entry in self._entries(tracked):
                    tracked.read += 1
                    if _may_hide_item(entry):
                        tracked.unread += 1
                    elif not _is_named_alike(entry):  # else the id stays the other source's
                        met.append(item_of(entry).item_id)
                    if len(met) >= _IDS_AT_ONCE:
                        self._record(tracked, met)
                    yield with_origin(entry, place) if place else entry
                tracked.ended = True
            finally:
                self._record(tracked, met)

    def _entries(self, tracked: _TrackedSource) -> Iterator[Item | Failure]:
        """The entries of a source, with a failure for a row that would replace one of another."""
        if not tracked.is_numbered:
            yield from tracked.source
            return
        for chunk in in_chunks(tracked.source, _ROWS_AT_ONCE):
            ids = [entry.item_id for entry in chunk if isinstance(entry, Item)]
            previous_sources = self._origins.before(ids, self._run)
            for entry in chunk:
                number = tracked.origin.number
                if isinstance(entry, Item):
                    number = previous_sources.get(entry.item_id, number)
                is_own = number == tracked.origin.number
                # A source that is gone was moved: its rows are these.
                if isinstance(entry, Failure) or is_own or self._is_gone(number):
                    yield entry
                else:
                    yield _named_alike(entry, self._origins.shown(number))

    def _is_gone(self, number: int) -> bool:
        """Whether a source was a file or folder of this machine that is no more."""
        shown = self._origins.shown(number)
        local = Path(shown)
        return not addresses.is_remote(shown) and local.is_absolute() and not local.exists()

    def _record(self, tracked: _TrackedSource, ids: list[str]) -> None:
        tracked.sources_before += self._origins.record(ids, tracked.origin.number, self._run)
        ids.clear()

    def count(self) -> int | None:
        """Rows of all sources; None where one of them does not know."""
        counts = [tracked.source.count() for tracked in self._tracked]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def left_out(self) -> Counter[str]:
        """Files that the sources made no item of, by extension."""
        return sum((left_out(tracked.source) for tracked in self._tracked), Counter())

    @property
    def merged(self) -> Counter[str]:
        """Rows that the sources merged into other rows' items."""
        return sum((merged(tracked.source) for tracked in self._tracked), Counter())

    def settle(self, catalog: OpenCatalog, options: SyncOptions, report: IngestReport) -> None:
        """Count the absent items, and remove them if that was requested and is safe.

        Args:
            report: of the run; gets the counts, and the reason why nothing was removed.
        """
        report.dead_sources = tuple(
            tracked.origin.shown
            for place, tracked in enumerate(self._tracked)
            if tracked.read and report.dead_by_origin[place] >= tracked.read
        )
        report.moved = self._moved()
        absent: list[str] = []
        removed_before: list[str] = []
        last_met = self._run
        numbers = self._numbers()
        for number in numbers:
            missing = self._origins.missing_items(number, self._run)
            row_ids = catalog.ledger.parts.ids_of_source_rows(list(missing))
            stored = missing.keys() & {*row_ids, *map(source_id_of, row_ids)}
            absent += [item_id for item_id in missing if item_id in stored]
            removed_before += [item_id for item_id in missing if item_id not in stored]
            last_met = min([last_met, *(missing[item_id] for item_id in stored)])
        # The share is of the items that the source had together with the absent ones: later
        # items, maybe from a wrong file, must not make it small.
        source_items = self._origins.count_at(numbers, last_met)
        report.absent = len(absent)
        if options.remove and (absent or removed_before):
            report.sync_problem = self._problem(len(absent), source_items, options)
            if not report.sync_problem:
                # Those that were removed before may still have dead letters.
                remove_rows(catalog, [*absent, *removed_before])
                report.removed = len(absent)

    def _problem(self, absent: int, source_items: int, options: SyncOptions) -> str:
        """Why nothing may be removed; empty if it may.

        Args:
            source_items: items that the source had together with the absent ones.
        """
        if not all(tracked.ended for tracked in self._tracked):
            return "the source was not read to its end"
        if unread := sum(tracked.unread for tracked in self._tracked):
            return (
                f"{unread:,} rows, folders or members of the source could not be read, and may be "
                "any of them: see the dead letters, correct them, and run the same command again"
            )
        share = min(1.0, absent / source_items) if source_items else 0.0
        if share > options.max_removed:
            return (
                f"they are {share:.0%} of the {source_items:,} items that this source had, more "
                f"than --max-removed {options.max_removed:g}: check the source, or allow it with "
                f"--max-removed {min(1.0, -(-share * 100 // 1) / 100):g}"
            )
        return ""

    def _moved(self) -> Counter[str]:
        """Items of this run that came from other sources before, by the names of these."""
        moved: Counter[str] = Counter()
        for tracked in self._tracked:
            for number, items in tracked.sources_before.items():
                if number != tracked.origin.number:
                    moved[self._origins.shown(number)] += items
        return moved

    def _numbers(self) -> list[int]:
        """Numbers of this run's sources, and of deleted files whose items moved to them."""
        numbers = dict.fromkeys(tracked.origin.number for tracked in self._tracked)
        for tracked in self._tracked:
            for number in sorted(tracked.sources_before):
                if self._is_gone(number):
                    numbers[number] = None
        return list(numbers)


def _origin(origins: Origins, name: str, source_name: str) -> KnownSource:
    if source_name:
        return origins.source(f"name {source_name}", shown=source_name)
    address = addresses.absolute(name)
    if not addresses.is_remote(address):
        address = os.path.normpath(address)
    return origins.source(address, shown=_without_secrets(address))


def _named_alike(item: Item, source: str) -> Failure:
    """The dead letter of a row that is called as one of another file is."""
    message = (
        f"the id {item.item_id!r} is made of the file's name and the row's number, and a row of "
        f"{source} has it: that one was kept. Name a column of ids with --id-column, or ingest "
        "this table under another --catalog."
    )
    return failure(item, Stage.READ, Reason.DUPLICATE_ID, message)


def _is_named_alike(entry: Item | Failure) -> bool:
    return isinstance(entry, Failure) and entry.reason is Reason.DUPLICATE_ID


def _without_secrets(address: str) -> str:
    """An address without its user and query, which may hold keys."""
    if not addresses.is_remote(address):
        return address
    url = urlsplit(address)
    return urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))


def _may_hide_item(entry: Item | Failure) -> bool:
    """Whether a failure may be an item with an unknown id."""
    if isinstance(entry, Item):
        return False
    if entry.reason is Reason.BAD_ID:
        return True
    return entry.reason is Reason.UNREADABLE and not _is_row_with_id(entry.item)


def _is_row_with_id(item: Item) -> bool:
    """Whether a failure is a table's row (``TABLE#ROW``) with a known id."""
    is_row = item.source.rpartition("#")[2].isdecimal()
    # The id of a file is the end of its address, that of an unreadable row the whole of it.
    return is_row and not item.source.endswith(item.item_id.rstrip("/"))
