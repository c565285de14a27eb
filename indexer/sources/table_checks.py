"""Checks what would fail every row of a table, before the first one is read."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from indexer.core.delimited import DELIMITERS
from indexer.core.errors import SourceError
from indexer.sources import formats, tables
from indexer.sources.arrow_types import WIDE
from indexer.sources.image_patterns import columns_in
from indexer.sources.options import IMAGE_COLUMN, NO_COLUMN, TEXT_COLUMN, TableOptions

_ROLES = ("id_column", "text_column", "vector_column", "group_column")


def match_columns(columns: Sequence[str], options: TableOptions) -> TableOptions:
    """The options with the table's spelling of columns that differ only in case or blanks.

    A table's ``Title`` is the column ``title``, if there is no other like it.
    """
    changes: dict[str, Any] = {
        option: _spelled(columns, getattr(options, option)) for option in _ROLES
    }
    pictures = options.image_columns
    if options.image_column in columns:  # a name with a comma is one column where it is there
        pictures = (options.image_column,)
    spelled = [_spelled(columns, name) for name in pictures]
    changes["image_column"] = spelled[0] if len(spelled) == 1 else _quoted(spelled)
    if len(spelled) == 1 and {",", '"'} & set(spelled[0]):
        changes["image_column"] = _quoted(spelled)
    return replace(options, **changes)


def _spelled(columns: Sequence[str], named: str) -> str:
    """The table's spelling of a column; the name as it is where no column, or several, fit."""
    alike = [column for column in columns if column.strip().casefold() == named.strip().casefold()]
    return alike[0] if named not in columns and len(alike) == 1 else named


def _quoted(names: Sequence[str]) -> str:
    """Names as ``TableOptions.image_columns`` reads them."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def check_columns(
    table: str, columns: Sequence[str], options: TableOptions, *, given_vectors: bool
) -> None:
    """Check that each needed column exists, once.

    Raises:
        SourceError: one is missing or repeated.
    """
    given_vectors = given_vectors or bool(options.vector_column)
    needed = {
        "id_column": options.id_column,
        "vector_column": options.vector_column or NO_COLUMN,
        "group_column": options.group_column or NO_COLUMN,
    }
    in_pattern = columns_in(options.image_pattern)
    if options.image_pattern and not in_pattern:
        raise SourceError(
            f"--image-pattern {options.image_pattern!r} names no column, so all rows would have "
            "one picture; name one in braces, such as 'images/{id}.jpg'"
        )
    if options.texts or options.text_column != TEXT_COLUMN:
        needed["text_column"] = options.text_column
    is_default = options.image_column == IMAGE_COLUMN
    pictures: tuple[str, ...] = ()
    if not options.texts and not in_pattern and not (given_vectors and is_default):
        pictures = options.image_columns
    listed = ", ".join(map(repr, columns))
    if not columns:
        raise SourceError(f"{table}: has no columns; write it again")
    named = [
        *needed.items(),
        *(("image_column", column) for column in pictures),
        *(("image_pattern", column) for column in in_pattern),
    ]
    for option, column in named:
        if column not in columns and column != NO_COLUMN:
            separator = next((mark for mark in DELIMITERS if mark in columns[0]), "")
            advice = f"choose one with --{option.replace('_', '-')}"
            if len(columns) == 1 and separator:
                advice = f"say how they are separated: --delimiter '{separator}'"
            raise SourceError(f"{table}: no column {column!r}; its columns are {listed}; {advice}")
    twice = dict.fromkeys(
        name
        for name in columns
        if columns.count(name) > 1 and (name in options.roles or options.is_metadata(name))
    )
    if twice:
        names = ",".join(twice)
        raise SourceError(
            f"{table}: has several columns called {', '.join(twice)}; rename all but one, or leave "
            f"them out with --exclude-columns {names}"
        )


def check_metadata(table: tables.Table, options: TableOptions) -> None:
    """See that what becomes metadata can be stored: no bytes, no vectors.

    Raises:
        SourceError: a column can't; names all of them, and the option that leaves them out.
    """
    if why := formats.no_ids(table).get(options.id_column):
        raise SourceError(
            f"{table.address}: the column {options.id_column!r} is {why}, which is no id: text or "
            "whole numbers are; choose another with --id-column, or 'none' to count rows"
        )
    bad = {
        name: why for name, why in formats.no_metadata(table).items() if options.is_metadata(name)
    }
    vectors = [name for name in _wide_lists(table) if options.is_metadata(name)]
    bad |= dict.fromkeys(vectors, f"a list of {WIDE} numbers or more")
    if bad:
        told = ", ".join(f"{name!r} is {why}" for name, why in bad.items())
        use = f", or use it: --vector-column {vectors[0]}" if vectors else ""
        raise SourceError(
            f"{table.address}: {told}, which is no metadata; leave it out with --exclude-columns "
            f"{','.join(bad)}{use}"
        )


def _wide_lists(table: tables.Table) -> list[str]:
    """Columns that hold a vector in the first row."""
    first_values = next((row.values for row in table.rows() if row.values is not None), {})
    return [name for name, value in first_values.items() if _is_vector(value)]


def _is_vector(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= WIDE
        and all(isinstance(number, int | float) for number in value)
    )
