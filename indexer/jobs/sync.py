"""Items that their source has no more: counted after every ingestion, removed with ``--sync``.

A source is what the user names: a file, a folder, a pattern, or a name for several of them. An
item is absent where its source was read to the end without it. A dead letter is not absent, and
where something of a source could not be read, nothing of it is: what could not be read may be any
of the items that seem to be gone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from indexer.catalog.opened import Catalog
from indexer.catalog.origins import KnownSource, Origins
from indexer.core.errors import UsageError
from indexer.core.protocols import Source, left_out, merged
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item
from indexer.jobs.removal import take_out
from indexer.sources import addresses

_IDS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """What becomes of items that their source has no more.

    Attributes:
        remove: take them out; else they are counted.
        max_removed: largest share of the source's items that may be taken out.
        source_name: what the sources of the command are called together; empty calls each by
            its address.
    """

    remove: bool = False
    max_removed: float = 0.2
    source_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What became of the items that are in the catalog and not in the source.

    Attributes:
        absent: in the catalog, not in this source; those that were removed included.
        removed: of them, those that were taken out.
        problem: why they were not taken out, though it was asked for; empty where they were.
        dead_sources: sources of which no item could be stored.
    """

    absent: int = 0
    removed: int = 0
    problem: str = ""
    dead_sources: tuple[str, ...] = ()


@dataclass(slots=True)
class _Part:
    """One source of the command and what a run has seen of it."""

    known: KnownSource
    source: Source
    unread: int = 0
    read: int = 0
    ended: bool = False
    sources_before: set[int] = field(default_factory=set)


class TrackedSources:
    """The sources of one command as one, which remembers what it has met.

    Args:
        names: how the user names each source.
        sources: as opened, in step with the names.
    """

    def __init__(
        self, origins: Origins, names: Sequence[str], sources: Sequence[Source], source_name: str
    ) -> None:
        self._origins = origins
        self._run = origins.new_run()
        self._parts = [
            _Part(known=_known(origins, name, source_name), source=source)
            for name, source in zip(names, sources, strict=True)
        ]

    def __iter__(self) -> Iterator[Item | Failure]:
        """The items of all sources, in order, each with the place of its source."""
        for place, part in enumerate(self._parts):
            met: list[str] = []
            try:
                for one in part.source:
                    part.read += 1
                    if _hides_an_item(one):
                        part.unread += 1
                    else:
                        met.append(_item_of(one).item_id)
                    if len(met) >= _IDS_AT_ONCE:
                        self._meet(part, met)
                    yield _placed(one, place) if place else one
                part.ended = True
            finally:
                self._meet(part, met)

    def _meet(self, part: _Part, ids: list[str]) -> None:
        part.sources_before |= self._origins.record(ids, part.known.number, self._run)
        ids.clear()

    def count(self) -> int | None:
        """Rows of all; None where one of them does not know."""
        counts = [part.source.count() for part in self._parts]
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def left_out(self) -> Counter[str]:
        """What the sources took no item from, by file extension."""
        return sum((left_out(part.source) for part in self._parts), Counter())

    @property
    def merged(self) -> Counter[str]:
        """What the sources made part of other rows' items."""
        return sum((merged(part.source) for part in self._parts), Counter())

    def settle(
        self, catalog: Catalog, options: SyncOptions, dead_by_origin: Counter[int]
    ) -> SyncReport:
        """Count what is absent, and take it out where that was asked for and is safe.

        Args:
            dead_by_origin: how many items of each source are dead letters now.
        """
        dead = tuple(
            part.known.shown
            for place, part in enumerate(self._parts)
            if part.read and dead_by_origin[place] >= part.read
        )
        unread = sum(part.unread for part in self._parts)
        absent: list[str] = []
        gone: list[str] = []
        last_met = self._run
        numbers = self._numbers()
        for number in numbers:
            unmet = self._origins.missing_items(number, self._run)
            stored = set(catalog.ledger.find(list(unmet)))
            absent += [item_id for item_id in unmet if item_id in stored]
            gone += [item_id for item_id in unmet if item_id not in stored]
            last_met = min([last_met, *(unmet[item_id] for item_id in stored)])
        # A share of what was there with them: what came since, from a wrong file perhaps, must
        # not make it small.
        known = self._origins.count_at(numbers, last_met)
        problem, removed = "", 0
        if options.remove and (absent or gone):
            problem = self._problem(len(absent), known, unread, options)
            if not problem:
                take_out(catalog, [*absent, *gone])  # dead letters of what is gone, too
                removed = len(absent)
        return SyncReport(absent=len(absent), removed=removed, problem=problem, dead_sources=dead)

    def _problem(self, absent: int, known: int, unread: int, options: SyncOptions) -> str:
        """Why nothing may be removed; empty where it may.

        Args:
            known: items that the source had when it had these.
        """
        if not all(part.ended for part in self._parts):
            return "the source was not read to its end"
        if unread:
            return (
                f"{unread:,} rows, folders or members of the source could not be read, and may be "
                "any of them: see the dead letters, correct them, and run the same command again"
            )
        share = min(1.0, absent / known) if known else 0.0
        if share > options.max_removed:
            return (
                f"they are {share:.0%} of the {known:,} items that this source had, more than "
                f"--max-removed {options.max_removed:g}: check the source, or allow it with "
                f"--max-removed {min(1.0, -(-share * 100 // 1) / 100):g}"
            )
        return ""

    def _numbers(self) -> list[int]:
        """The sources of this run, and those that were moved to them and are there no more."""
        own = dict.fromkeys(part.known.number for part in self._parts)
        for part in self._parts:
            for number in sorted(part.sources_before):
                shown = self._origins.shown(number)
                local = Path(shown)
                if not addresses.is_remote(shown) and local.is_absolute() and not local.exists():
                    own[number] = None
        return list(own)


def _known(origins: Origins, name: str, source_name: str) -> KnownSource:
    if source_name:
        return origins.source(f"name {source_name}", shown=source_name)
    address = addresses.absolute(name)
    if not addresses.is_remote(address):
        address = os.path.normpath(address)
    return origins.source(address, shown=_without_secrets(address))


def _without_secrets(address: str) -> str:
    """An address without its user and query, which may hold keys."""
    if not addresses.is_remote(address):
        return address
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _hides_an_item(one: Item | Failure) -> bool:
    """Whether something could not be read that may be an item whose id is not known now."""
    if isinstance(one, Item):
        return False
    if one.reason is Reason.BAD_ID:
        return True
    return one.reason is Reason.UNREADABLE and not _is_row_with_id(one.item)


def _is_row_with_id(item: Item) -> bool:
    """Whether a failure is of a table's row (``TABLE#ROW``) whose id could be read."""
    is_row = item.source.rpartition("#")[2].isdecimal()
    # A folder or file is called by the end of its address; a row that can't be parsed by all of it.
    return is_row and not item.source.endswith(item.item_id.rstrip("/"))


def _item_of(one: Item | Failure) -> Item:
    return one if isinstance(one, Item) else one.item


def _placed(one: Item | Failure, place: int) -> Item | Failure:
    if isinstance(one, Item):
        return replace(one, origin=place)
    return replace(one, item=replace(one.item, origin=place))


def checked(options: SyncOptions) -> SyncOptions:
    """The options, where they make sense.

    Raises:
        UsageError: the share is no share.
    """
    if not 0 <= options.max_removed <= 1:
        raise UsageError(f"--max-removed {options.max_removed:g}: give a share from 0 to 1.")
    return options
