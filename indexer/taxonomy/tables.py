"""Label files with a row a label: CSV, TSV and JSON Lines.

Columns are ``name`` and, where wanted, ``id`` (defaults to the name), ``parent``,
``description`` and ``synonyms`` (separated by ``|``; in JSON also a list).
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from indexer.errors import TaxonomyError
from indexer.taxonomy.rows import Row, nearest, split_synonyms

logger = logging.getLogger(__name__)

COLUMNS = ("id", "name", "parent", "description", "synonyms")


def read_csv(text: str, place: str) -> list[Row]:
    """Rows of a table with a header; separated by commas, semicolons or tabs.

    The header's most frequent separator counts. Blank rows are skipped.

    Raises:
        TaxonomyError: no column ``name``, a column twice, or a row that is too long.
    """
    header_line = text.lstrip("\n").partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=header_line.count), strict=True
    )
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise TaxonomyError(
            f"{place}, line {reader.line_num}: this is no CSV ({error}): look for a quotation "
            "mark that is not closed before this line."
        ) from error
    if not lines:
        return []
    columns = [cell.strip() for cell in lines[0][1]]
    header = _header(columns, place)
    for number, cells in lines[1:]:
        if len(cells) > len(columns):
            raise TaxonomyError(
                f"{place}, line {number}: {len(cells)} cells, the header has {len(columns)}: "
                "put a cell that has the separator in it in quotation marks."
            )
    return [_csv_row(header, cells, f"{place}, line {number}") for number, cells in lines[1:]]


def read_json_lines(text: str, place: str) -> list[Row]:
    """Rows of a file with a JSON object, or a name as a JSON string, a line.

    Raises:
        TaxonomyError: a line that is neither, or a value that is no text.
    """
    rows: list[Row] = []
    unknown: dict[str, None] = {}
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
        unknown |= dict.fromkeys(fields.keys() - set(COLUMNS))
        rows.append(row_of(fields, where))
    ignored(sorted(unknown), place)
    return rows


def row_of(fields: Mapping[str, Any], place: str) -> Row:
    """A row of JSON values: texts, numbers as texts, and a list of synonyms.

    Raises:
        TaxonomyError: no name, or a value of another type.
    """
    if "name" not in fields:
        raise TaxonomyError(
            f"{place}: there is no 'name', there are: {_listed(fields)}."
            f"{nearest('name', fields)} Give every label a 'name'."
        )
    synonyms = fields.get("synonyms")
    if isinstance(synonyms, list):
        each = (_text(value, "synonyms", place) for value in synonyms)
        split = tuple(name for name in each if name)
    else:
        split = split_synonyms(_text(synonyms, "synonyms", place))
    name = _text(fields["name"], "name", place)
    return Row(
        name=name,
        label_id=_text(fields.get("id"), "id", place) or name,
        parent=_text(fields.get("parent"), "parent", place),
        description=_text(fields.get("description"), "description", place),
        synonyms=split,
        place=place,
    )


def ignored(columns: Sequence[str], place: str) -> None:
    """Say which columns play no part."""
    if columns:
        logger.info("%s: these columns are ignored: %s", place, ", ".join(columns))


def _text(value: object, column: str, place: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        kind = {list: "a list", bool: "true or false"}.get(type(value), "a mapping")
        raise TaxonomyError(f"{place}: {column!r} is {kind}: write a text in quotes.")
    return str(value).strip()


def _header(columns: list[str], place: str) -> dict[str, int]:
    """Position by known column; the case of a header doesn't count."""
    positions: dict[str, int] = {}
    for position, column in enumerate(columns):
        known = column.lower()
        if known in COLUMNS and known in positions:
            raise TaxonomyError(f"{place}: the column {known!r} is there twice: remove one.")
        if known in COLUMNS:
            positions[known] = position
    if "name" not in positions:
        raise TaxonomyError(
            f"{place}: there is no column 'name', there are: {_listed(columns)}."
            f"{nearest('name', columns)} Write a header line with 'name' and, where wanted, "
            "id, parent, description and synonyms; a plain list of names is a .txt file."
        )
    ignored([column for column in columns if column.lower() not in COLUMNS], place)
    return positions


def _csv_row(header: dict[str, int], cells: list[str], place: str) -> Row:
    fields = {
        column: cells[position].strip() if position < len(cells) else ""
        for column, position in header.items()
    }
    return Row(
        name=fields["name"],
        label_id=fields.get("id") or fields["name"],
        parent=fields.get("parent", ""),
        description=fields.get("description", ""),
        synonyms=split_synonyms(fields.get("synonyms", "")),
        place=place,
    )


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(repr, columns)) or "none"
