"""How a delimited text is written: its separator, and what its quotation marks mean."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _csv import Reader  # what ``csv.reader`` gives, which ``csv`` does not name

SAMPLED_LINES = 1000
"""Lines at the start of a text that tell how it is written."""

DELIMITERS = ",;\t|"
"""Separators that are recognised."""

_SEPARATOR_LINE = re.compile(r'"?sep=(\\t|[^\r\n"])"?', re.IGNORECASE)


class Quoting(StrEnum):
    """What quotation marks mean."""

    AUTO = "auto"
    """As the text shows."""

    NONE = "none"
    """Nothing: they are characters like others (text/tab-separated-values)."""

    DOUBLE = "double"
    """They enclose a field; one inside is written twice (RFC 4180)."""

    BACKSLASH = "backslash"
    """They enclose a field; a backslash takes the meaning from the character after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a text is written.

    Attributes:
        delimiter: one character.
        quoting: not ``AUTO``.
        trusted: the quoting was said, not found: fields that run over line breaks are
            believed whatever follows.
        header_line: number of the line on which the header begins, from 1.
        skips_blanks: blanks after a separator are no part of the field.
    """

    delimiter: str
    quoting: Quoting = Quoting.DOUBLE
    trusted: bool = False
    header_line: int = 1
    skips_blanks: bool = False

    def settings(self) -> dict[str, Any]:
        """Arguments of ``csv.reader``."""
        settings: dict[str, Any] = {
            "delimiter": self.delimiter,
            "skipinitialspace": self.skips_blanks,
            "strict": True,
        }
        if self.quoting is Quoting.NONE:
            settings["quoting"] = csv.QUOTE_NONE
        if self.quoting is Quoting.BACKSLASH:
            settings["escapechar"] = "\\"
        return settings

    def reader(self, lines: Iterable[str]) -> Reader:
        r"""What reads the records of some lines.

        A field ``\N`` outside quotation marks stays as it is: databases that write backslashes
        mean NULL by it, and ``csv`` would make it the text "N".
        """
        if self.quoting is Quoting.BACKSLASH:
            mark = re.escape(self.delimiter)
            null = re.compile(rf"(?:^|(?<={mark}))\\N(?={mark}|[\r\n]|\Z)")
            lines = (null.sub(r"\\\\N", line) if r"\N" in line else line for line in lines)
        return csv.reader(lines, **self.settings())

    def split(self, line: str) -> list[str]:
        """The fields of one line by itself; without quoting where its marks do not match."""
        try:
            return next(self.reader((line,)), [])
        except csv.Error:
            return line.rstrip("\r\n").split(self.delimiter)


def find_dialect(
    sample: Sequence[str],
    *,
    expected: str = ",",
    delimiter: str = "",
    quoting: Quoting = Quoting.AUTO,
) -> Dialect:
    """How a text is written, as its first lines tell.

    The separator is the one that a line ``sep=;`` names (Excel's own), else the one that divides
    the header and most of the lines into equally many fields, as many as can be.

    Args:
        sample: the first lines, with their ends.
        expected: the separator that decides where the lines do not.
        delimiter: the separator, where it was said.
        quoting: what quotation marks mean, where that was said. ``AUTO`` finds doubled marks
            or backslashes; in a text that is separated by tabs it finds none, see
            ``spans.is_quoted``.
    """
    lines = [(number, line) for number, line in enumerate(sample, 1) if line.strip("\r\n")]
    if lines and (named := _SEPARATOR_LINE.fullmatch(lines[0][1].strip())):
        delimiter = delimiter or named[1].replace("\\t", "\t")
        lines = lines[1:]
    texts = [line for _, line in lines]
    dialect = Dialect(
        delimiter=delimiter or _separator(texts, expected),
        trusted=quoting is not Quoting.AUTO,
        header_line=lines[0][0] if lines else 1,
    )
    if quoting is Quoting.AUTO:
        quoting = Quoting.NONE if dialect.delimiter == "\t" else _escaping(texts, dialect)
    return replace(dialect, quoting=quoting)


def _separator(lines: Sequence[str], expected: str) -> str:
    """The candidate that divides header and lines alike, into most fields."""
    best = (False, 1, True)
    separator = expected
    for candidate in dict.fromkeys(expected + DELIMITERS):
        counts = [len(Dialect(delimiter=candidate).split(line)) for line in lines[:100]]
        if counts and counts[0] > 1:
            agree = 2 * counts.count(counts[0]) > len(counts)
            if (key := (agree, counts[0], candidate == expected)) > best:
                best, separator = key, candidate
    return separator


def _escaping(lines: Sequence[str], doubled: Dialect) -> Quoting:
    """Backslashes where they explain every line, and doubled marks do not."""
    if not any("\\" in line for line in lines):
        return Quoting.DOUBLE
    width = len(doubled.split(lines[0]))
    escaped = replace(doubled, quoting=Quoting.BACKSLASH)
    explained = [
        sum(len(convention.split(line)) == width for line in lines)
        for convention in (doubled, escaped)
    ]
    return Quoting.BACKSLASH if explained[0] < explained[1] == len(lines) else Quoting.DOUBLE
