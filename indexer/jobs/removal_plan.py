"""Which items a removal is of: ids of a file, or what a filter matches."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.catalog.opened import CatalogOptions, open_catalog
from indexer.core.errors import ItemError, SourceError
from indexer.jobs.removal import bring_to_database
from indexer.sources import addresses, formats
from indexer.sources.rows import checked_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalPlan:
    """What a removal would take out.

    Attributes:
        item_ids: of items that are in the catalog, or whose removal was begun.
        unknown: ids that the catalog does not have.
    """

    item_ids: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def plan_of_ids(options: CatalogOptions, item_ids: Sequence[str]) -> RemovalPlan:
    """Sort ids into those of the catalog's items and others."""
    with open_catalog(options) as catalog:
        wanted = list(dict.fromkeys(item_ids))
        known = set(catalog.ledger.find(wanted)) | set(catalog.lag.removals)
    return RemovalPlan(
        item_ids=tuple(one for one in wanted if one in known),
        unknown=tuple(one for one in wanted if one not in known),
    )


def plan_of_filter(options: CatalogOptions, expression: str) -> RemovalPlan:
    """The items that a filter matches.

    Raises:
        UsageError: the filter is not valid.
        StoreError: the database lacks items of the archive and can't be brought up to it.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        bring_to_database(catalog)
        found = list(catalog.items.item_ids(expression))
        known = catalog.ledger.find(found)
    return RemovalPlan(item_ids=tuple(one for one in found if one in known))


def ids_of_file(address: str, *, id_column: str = "id") -> list[str]:
    """Item ids of a text file, one a line, or of a table's column; ``-`` is standard input.

    Raises:
        SourceError: it can't be read, has no such column, or a row has no id: an id that is
            not read is an item that stays.
    """
    if address == "-":
        return _lines(sys.stdin.read())
    table = formats.open_table(addresses.absolute(address))
    if table is None:
        try:
            return _lines(Path(address).read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{address}: can't be read ({error}); check the file") from error
    if id_column not in table.columns():
        raise SourceError(
            f"{address}: no column {id_column!r}; its columns are "
            f"{', '.join(map(repr, table.columns()))}; choose one with --id-column"
        )
    found = []
    for row in table.rows():
        try:
            if row.values is None:
                raise SourceError(f"{address}#{row.number}: {row.problem}; nothing was removed")
            found.append(checked_id(row.values.get(id_column), id_column))
        except ItemError as error:
            raise SourceError(f"{address}#{row.number}: {error}; nothing was removed") from error
    return found


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line]
