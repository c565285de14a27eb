"""Plain-text label files: names, and paths with or without ids.

Each line is one label; blank lines and comments, which begin with ``#``, are skipped. The content
decides which of five forms a file has:

    Shirt                                          names
    Clothing > Shirts                              paths (Google's product taxonomy)
    1604 - Apparel & Accessories > Clothing        numbered paths (Google's, with ids)
    gid://shopify/TaxonomyCategory/aa : Apparel    ids and paths (Shopify's categories.txt)
    n01440764 tench, Tinca tinca                   ids and names (WordNet's, or before a tab)

In paths, a parent without a line (as in a part of a larger file) becomes a label after all
others, with its path as its id.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

from indexer.core.errors import TaxonomyError
from indexer.labels.taxonomy.records import rows_of_paths
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, Row

logger = logging.getLogger(__name__)

Line = tuple[int, str]
"""Number in the file from 1, and text without surrounding blanks."""

_NO_COMMENT = re.compile(r"#[^\s#]")
_ARROW = re.compile(r"\s+>(?=\s|$)")
_SHOPIFY = re.compile(r"(?P<id>\S+)\s+:\s+(?P<path>.+)")
_BESIDE = re.compile(r"(?P<id>n\d{8}|/[mg]/\w+)\s+(?P<path>\S.*)|(?P<key>\S+)\t+(?P<name>\S[^\t]*)")
_NUMBERED = re.compile(r"(?P<id>\d+)\s+-\s+(?P<path>.+)")


def read_list(text: str, place: str) -> list[Row]:
    """Rows of a plain-text label file.

    Raises:
        TaxonomyError: a line that doesn't fit the form of the file, or a path that is
            there twice.
    """
    written = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in written if line and not line.startswith("#")]
    _warn_of_comments([line for _, line in written], place)
    if rows := _rows_with_ids(lines, place):
        return rows
    has_paths = any(_ARROW.search(line) for _, line in lines)
    pattern = _pattern(lines, has_paths=has_paths)
    if pattern is None and not has_paths:
        return [
            Row(name=name, label_id=name, place=f"{place}, line {number}") for number, name in lines
        ]
    return _rows_of_paths(lines, pattern, place)


def _warn_of_comments(lines: Iterable[str], place: str) -> None:
    """Warn of lines such as ``#1 Mug``, which may be meant as names."""
    doubtful = [line for line in lines if _NO_COMMENT.match(line)]
    if doubtful:
        logger.warning(
            "%s: lines that begin with # are comments, and are left out: %d of them look like "
            "names, such as %r. Write those in a table with a column 'name'.",
            place,
            len(doubtful),
            doubtful[0][:60],
        )


def _rows_with_ids(lines: list[Line], place: str) -> list[Row]:
    """Rows of lines with an id and a name; empty unless all lines are so."""
    matches = [(number, _BESIDE.fullmatch(line)) for number, line in lines]
    return [
        Row(
            name=(match["path"] or match["name"]).strip(),
            label_id=match["id"] or match["key"],
            place=f"{place}, line {number}",
        )
        for number, match in matches
        if match and all(fits for _, fits in matches)
    ]


def _pattern(lines: list[Line], *, has_paths: bool) -> re.Pattern[str] | None:
    """The pattern that splits a line into id and path, by the first line; None without ids."""
    first_line = lines[0][1] if lines else ""
    if first_line.startswith("gid://"):
        return _SHOPIFY
    for pattern in (_SHOPIFY, _NUMBERED):
        fits = pattern.fullmatch
        if fits(first_line) and (
            has_paths or (pattern is _NUMBERED and all(fits(x) for _, x in lines))
        ):
            return pattern
    return None


def _rows_of_paths(lines: list[Line], pattern: re.Pattern[str] | None, place: str) -> list[Row]:
    numbers: dict[tuple[str, ...], int] = {}
    rows: list[Row] = []
    for number, line in lines:
        where = f"{place}, line {number}"
        label_id, path = _split(line, pattern, where)
        names = tuple(map(str.strip, _ARROW.split(path)))
        if numbers.setdefault(names, number) != number:
            raise TaxonomyError(
                f"{where}: the path {PATH_SEPARATOR.join(names)!r} is on line {numbers[names]} "
                "already: remove one of the two."
            )
        rows.append(Row(name=names[-1], label_id=label_id, place=where))
    return rows_of_paths(rows, list(numbers), f"{place}, a parent without a line")


def _split(line: str, pattern: re.Pattern[str] | None, place: str) -> tuple[str, str]:
    if pattern is None:
        return "", line
    match = pattern.fullmatch(line)
    if match is None:
        form = "ID : A > B > C" if pattern is _SHOPIFY else "1234 - A > B > C"
        raise TaxonomyError(
            f"{place}: {line[:80]!r} is not as the lines before it, {form!r}: correct it, "
            "or begin it with # to leave it out."
        )
    return match["id"], match["path"]
