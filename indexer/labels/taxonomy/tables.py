"""Label files with a row a label: CSV, TSV, spreadsheets and JSON Lines.

Columns are ``name`` and, where wanted, ``id`` (defaults to the name), ``parent``,
``description`` and ``synonyms``; ``fields`` lists other names for them, and ``records`` reads the
other ways to write a tree in a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from indexer.core.delimited import HeaderError, read_text
from indexer.core.errors import TaxonomyError
from indexer.labels.taxonomy.fields import ROLES, plain_key
from indexer.labels.taxonomy.records import Record, rows_of
from indexer.labels.taxonomy.rows import Row, refuse

_ID = re.compile(r"\d+|/[mg]/\w+|n\d{8}|Q\d+")
_NAMED = frozenset(name for names in ROLES.values() for name in names)


def read_csv(text: str, place: str) -> list[Row]:
    """Rows of a table with a header; separated by commas, semicolons, tabs or bars.

    Its dialect is detected, as for tables of items. Blank rows are skipped. Two
    columns of an id and a name may do without a header (``/m/011k07,Tortoise``).

    Raises:
        TaxonomyError: no column ``name``, a column twice, or a row that is too long.
    """
    if not text.strip():
        return []
    try:
        records = read_text(text, expected="\t" if place.lower().endswith(".tsv") else ",")
    except HeaderError as error:
        raise TaxonomyError(f"{place}, the header: {error}.") from error
    problems = [
        f"{place}, line {number}: {problem}. Put a cell that has the separator in it in "
        "quotation marks, and write a mark inside them twice."
        for number, _, problem in records
        if problem
    ]
    if problems:
        refuse(problems)
    lines = [
        (number, cells) for number, cells, _ in records if cells and any(map(str.strip, cells))
    ]
    return rows_of_lines(lines, place)


def rows_of_lines(lines: Sequence[tuple[int, Sequence[str]]], place: str) -> list[Row]:
    """Rows of a table's lines, each its number and its cells; the header is the first.

    Raises:
        TaxonomyError: as ``read_csv``.
    """
    if not lines:
        return []
    columns = [cell.strip() for cell in lines[0][1]]
    if _has_no_header(lines):
        columns, lines = ["id", "name"], [(0, ()), *lines]
    for column in columns:
        if column and columns.count(column) > 1:
            raise TaxonomyError(f"{place}: the column {column!r} is there twice: remove one.")
    records = [
        Record(
            fields={
                column: cells[at].strip() if at < len(cells) else ""
                for at, column in enumerate(columns)
                if column
            },
            place=f"{place}, line {number}",
        )
        for number, cells in lines[1:]
    ]
    return rows_of(records, place, of_table=True)


def read_json_lines(text: str, place: str) -> list[Row]:
    """Rows of a file with a JSON object, or a name as a JSON string, a line.

    Raises:
        TaxonomyError: a line that is neither, or a value that is no text.
    """
    records: list[Record] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{place}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TaxonomyError(
                f"{where}: this is no JSON ({error}): write one object a line."
            ) from error
        fields = {"name": value} if isinstance(value, str) else value
        if not isinstance(fields, dict):
            raise TaxonomyError(
                f'{where}: write an object such as {{"name": "Shirt"}}, or a name in quotes.'
            )
        records.append(Record(fields=fields, place=where))
    return rows_of(records, place, of_table=False)


def is_header(line: str) -> bool:
    """Whether a line is the header of a label table: a name and at least one other column."""
    keys = [plain_key(cell) for cell in re.split(r"[\t,;]", line)]
    return len(keys) > 1 and "name" in keys and all(key in _NAMED for key in keys)


def _has_no_header(lines: Sequence[tuple[int, Sequence[str]]]) -> bool:
    """Whether the first line is a label: an id and a name, like all others."""
    first_cells = [cell.strip() for cell in lines[0][1]]
    if len(first_cells) != 2 or any(plain_key(cell) in _NAMED for cell in first_cells):
        return False
    return all(len(cells) == 2 and _ID.fullmatch(cells[0].strip()) for _, cells in lines)
