"""The items to remove: ids from a file, or matches of a filter."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.catalog.near_ids import hint
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.catalog.outdated_labels import notes_of_filter
from indexer.core.errors import ItemError, SourceError
from indexer.jobs.removal import removable_ids, store_removals
from indexer.sources import addresses, formats
from indexer.sources.rows import checked_id

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalPlan:
    """The items that a removal would remove.

    Attributes:
        item_ids: items of the catalog, and items whose removal was started.
        unknown: ids that the catalog does not have.
        hint: what the first of them may have been meant as; empty where nothing is near.
    """

    item_ids: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    hint: str = ""


def plan_of_ids(options: CatalogOptions, item_ids: Sequence[str]) -> RemovalPlan:
    """Divide ids into those of the catalog and others."""
    with open_catalog(options) as catalog:
        requested_ids = list(dict.fromkeys(item_ids))
        removable = removable_ids(catalog, requested_ids)
        unknown = tuple(item_id for item_id in requested_ids if item_id not in removable)
        return RemovalPlan(
            item_ids=tuple(item_id for item_id in requested_ids if item_id in removable),
            unknown=unknown,
            hint=hint(catalog.ledger, unknown[0]) if unknown else "",
        )


def plan_of_filter(options: CatalogOptions, expression: str) -> RemovalPlan:
    """The items that a filter matches; of an item with several parts one part is enough.

    Raises:
        UsageError: the filter is not valid.
        StoreError: the database lacks items of the archive, and can't store them.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        store_removals(catalog)
        for note in notes_of_filter(catalog, expression):
            _log.warning("%s", note)
        matching_ids = list(catalog.items.item_ids(expression))
        current = catalog.ledger.find(matching_ids)
        parents = catalog.ledger.parts.parents(matching_ids)
    item_ids = (parents.get(row_id, row_id) for row_id in matching_ids if row_id in current)
    return RemovalPlan(item_ids=tuple(dict.fromkeys(item_ids)))


def ids_of_file(address: str, *, id_column: str = "id") -> list[str]:
    """Item ids of a text file, one a line, or of a table's column; ``-`` is standard input.

    Raises:
        SourceError: it can't be read, has no such column, or a row has no id, whose item would
            silently stay.
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
    item_ids = []
    for row in table.rows():
        try:
            if row.values is None:
                raise SourceError(f"{address}#{row.number}: {row.problem}; nothing was removed")
            item_ids.append(checked_id(row.values.get(id_column), id_column))
        except ItemError as error:
            raise SourceError(f"{address}#{row.number}: {error}; nothing was removed") from error
    return item_ids


def _lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line]
