"""One type for each column, over all tables that are read together."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence

from indexer.core.column_types import ColumnType
from indexer.core.errors import SourceError
from indexer.sources.chained import ChainedSource
from indexer.sources.columnar import ColumnarTable
from indexer.sources.columns import Example, Survey, resolve_types, type_of
from indexer.sources.described import ImageFolderSource
from indexer.sources.jsonl import JsonlTable
from indexer.sources.options import TableOptions
from indexer.sources.table import TableSource

_log = logging.getLogger(__name__)


def assign_types(source: ChainedSource, options: TableOptions) -> dict[str, ColumnType]:
    """Find the type of each column, and set it in the tables.

    Raises:
        SourceError: a value does not fit the type that the catalog has for its column.
    """
    if not options.metadata:
        return {}
    tables = list(_tables(source))
    surveys = [survey for table in tables for survey in _surveys(table)]
    if len(tables) == sum(
        1 for _ in source.leaves()
    ):  # the columns of other sources are not known yet
        _refuse_unknown(tables, surveys, options)
    types = resolve_types(surveys, options.column_types, options.known_types)
    types |= {name: kind for name, kind in options.known_types.items() if name not in types}
    for table in tables:
        table.types.update(types)
    _tell_classes(tables, options)
    return types


def _tell_classes(tables: Sequence[TableSource], options: TableOptions) -> None:
    """Say once which columns have names of classes in the place of the file's numbers."""
    told: dict[str, list[str]] = {}
    for table in tables:
        if isinstance(table.table, ColumnarTable):
            told |= {
                column: names
                for column, names in table.table.class_names().items()
                if options.is_metadata(column)
            }
    for column, names in told.items():
        _log.warning(
            "The numbers of the column %r stand for %s class%s of a data set: items have the "
            "names, such as %r.",
            column,
            f"{len(names):,}",
            "" if len(names) == 1 else "es",
            names[0],
        )


def _tables(source: ChainedSource) -> Iterator[TableSource]:
    """All tables of the sources."""
    for leaf in source.leaves():
        if isinstance(leaf, TableSource):
            yield leaf
        elif isinstance(leaf, ImageFolderSource):
            yield from leaf.tables


def _refuse_unknown(
    tables: Sequence[TableSource], surveys: Sequence[Survey], options: TableOptions
) -> None:
    """Refuse names of columns that no table has, such as a misspelled one."""
    columns = {name for survey in surveys for name in survey.columns}
    columns.update(name for table in tables for name in table.table.columns())
    named: dict[str, Collection[str]] = {
        "columns": options.columns or (),
        "column-type": options.column_types.keys(),
    }
    # The survey of JSON Lines reads only the first lines for excluded columns.
    if not any(isinstance(table.table, JsonlTable) for table in tables):
        named["exclude-columns"] = options.exclude_columns
    for option, names in named.items():
        missing = [name for name in names if name not in columns]
        if missing:
            raise SourceError(
                f"--{option} names {', '.join(map(repr, missing))}; the columns of what is read "
                f"are {', '.join(map(repr, sorted(columns))) or 'none'}"
            )


def _surveys(table: TableSource) -> Iterator[Survey]:
    location = table.location
    yield table.survey
    if location is not None:
        columns = {
            name: {kind: Example(table=table.address, row=0, value=value)}
            for name, value in location.columns.items()
            if table.options.is_metadata(name)
            and value is not None
            and (kind := type_of(value)) is not None
        }
        yield Survey(rows=None, columns=columns)
