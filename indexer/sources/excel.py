"""Excel workbooks (``.xlsx``), by openpyxl."""

from __future__ import annotations

import contextlib
import logging
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import ParseError

from indexer.core.column_types import ColumnType
from indexer.core.errors import SourceError
from indexer.core.packed import DAMAGE
from indexer.sources import addresses
from indexer.sources.columns import Convert, Survey, converter, survey_values
from indexer.sources.tables import Row, cut_short

_PADDED = re.compile(r"0{2,}")
"""Number formats with leading zeros: the cell shows a code, not a number."""

_CHECKED_ROWS = 1000
"""Rows that are checked for formulas without results."""

_DAMAGE = (ParseError, zipfile.BadZipFile, KeyError, ValueError, IndexError, *DAMAGE)
"""What openpyxl raises for a sheet that is cut short or damaged."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExcelTable:
    """The first sheet of a workbook that has cells; its first row with cells is the header.

    Values are those that Excel stored, for formulas the last result. A number with leading zeros
    becomes a text. Empty rows are skipped.
    """

    address: str

    def columns(self) -> list[str]:
        """Names in the header; an unnamed one is called after its place."""
        with self._rows() as rows:
            return _header(rows)[1]

    def rows(self) -> Iterator[Row]:
        """Rows with the values of their cells."""
        with self._rows() as rows:
            start, names = _header(rows)
            number = start
            while True:
                number += 1
                try:
                    cells = next(rows, None)
                except _DAMAGE as error:
                    yield cut_short(number, error)
                    return
                if cells is None:
                    return
                values = [_value(cell) for cell in cells]
                if any(value is not None for value in values[len(names) :]):
                    problem = f"has a value beyond the {len(names)} columns of the header"
                    yield Row(number=number, values=None, problem=problem)
                elif any(value is not None for value in values):
                    values += [None] * (len(names) - len(values))
                    yield Row(number=number, values=dict(zip(names, values, strict=False)))

    def survey(self, skipped: frozenset[str]) -> Survey:
        """Types of the values of all rows."""
        self._warn_of_other_sheets()
        self._warn_of_formulas()
        return survey_values(self.address, self.rows(), skipped)

    def converter(self, column: str, kind: ColumnType | None) -> Convert | None:
        """Values unchanged, or as text in a text column."""
        return converter(kind, column)

    @contextmanager
    def _rows(self) -> Iterator[Iterator[tuple[Any, ...]]]:
        """The rows of the sheet that is read."""
        with self._workbook() as workbook:
            try:
                yield workbook[self._sheets[0]].iter_rows()
            except _DAMAGE as error:  # in its header
                raise SourceError(self._unreadable(error)) from error

    @cached_property
    def _sheets(self) -> list[str]:
        """Names of the sheets that have cells."""
        with self._workbook() as workbook:
            filled = [sheet for sheet in workbook.worksheets if _has_cells(sheet)]
        if not filled:
            raise SourceError(f"{self.address}: is empty; the first row must name the columns")
        # Hidden sheets hold lists for drop-down cells, and often come first.
        filled.sort(key=lambda sheet: sheet.sheet_state != "visible")
        return [sheet.title for sheet in filled]

    def _warn_of_other_sheets(self) -> None:
        if len(self._sheets) > 1:
            _log.warning(
                "%s: the sheet %r is read, and these are not: %s. Save each as a file of its own.",
                self.address,
                self._sheets[0],
                ", ".join(map(repr, self._sheets[1:])),
            )

    def _warn_of_formulas(self) -> None:
        """Warn of formulas without stored results: their cells have no values."""
        empty: list[str] = []
        with (
            self._workbook() as results,
            self._workbook(formulas=True) as formulas,
            contextlib.suppress(*_DAMAGE),  # rows() tells of it
        ):
            sheet = self._sheets[0]
            rows = zip(
                results[sheet].iter_rows(max_row=_CHECKED_ROWS),
                formulas[sheet].iter_rows(max_row=_CHECKED_ROWS),
                strict=True,
            )
            for cells, formula_cells in rows:
                empty += [
                    formula.coordinate
                    for cell, formula in zip(cells, formula_cells, strict=True)
                    if cell.value is None and formula.value is not None
                ]
        if empty:
            _log.warning(
                "%s: %d cells, %s the first, hold formulas without results: they are read as "
                "empty. Open the file in a spreadsheet program and save it.",
                self.address,
                len(empty),
                empty[0],
            )

    def _unreadable(self, error: Exception) -> str:
        return f"{self.address}: not a readable Excel file ({error}); save it as .xlsx again"

    @contextmanager
    def _workbook(self, *, formulas: bool = False) -> Iterator[Any]:
        try:
            import openpyxl
            from openpyxl.utils.exceptions import InvalidFileException
        except ImportError as error:
            raise SourceError(
                f"{self.address}: Excel files need openpyxl; run: pip install 'zeroshelf[excel]'"
            ) from error
        with addresses.open_binary(self.address) as content:
            try:
                workbook = openpyxl.load_workbook(content, read_only=True, data_only=not formulas)
            except (InvalidFileException, *_DAMAGE) as error:
                raise SourceError(self._unreadable(error)) from error
            for sheet in workbook.worksheets:
                # openpyxl cuts off what lies outside of the size that the file states, and some
                # programs state that of an empty sheet.
                sheet.reset_dimensions()
            try:
                yield workbook
            finally:
                workbook.close()


def _has_cells(sheet: Any) -> bool:
    try:
        return any(cell.value is not None for row in sheet.iter_rows() for cell in row)
    except _DAMAGE:
        return True  # reading it tells of the damage


def _header(rows: Iterator[tuple[Any, ...]]) -> tuple[int, list[str]]:
    """Number and names of the first row with cells; cells at its end without a name are none."""
    for number, cells in enumerate(rows, 1):
        names = ["" if (value := _value(cell)) is None else str(value).strip() for cell in cells]
        while names and not names[-1]:
            names.pop()
        if names:
            return number, [name or f"column_{place}" for place, name in enumerate(names, 1)]
    raise AssertionError("the sheet has cells")


def _value(cell: Any) -> Any:
    value = cell.value
    if value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        pattern = str(cell.number_format)
        return f"{value:0{len(pattern)}d}" if _PADDED.fullmatch(pattern) else value
    if isinstance(value, datetime) and value.time() == time.min:
        return value if "h" in str(cell.number_format).lower() else value.date()
    return value
