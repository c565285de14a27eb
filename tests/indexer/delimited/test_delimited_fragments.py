"""Quoted text that lacks a mark, or has one too many: no record is a fragment of another."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.delimited import DelimitedText, Quoting, Record, find_dialect, with_tabs

ROWS = 30
TITLES = (
    "Lamp",
    "Lamp\nred",
    'Screen 12"\nblack, "new"',
    "Tea, green\n\nloose\n500 g",
    'a "b" c',
    "",
    "Mug\tlarge\nblue",
    "1\n2",
)
COLUMNS = ("id", "image", "price", "title")
QUOTINGS = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)


def written(rows: Sequence[Sequence[str]], delimiter: str, quoting: int) -> str:
    """The rows as Python's csv writes them."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=delimiter, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerows(rows)
    return target.getvalue()


def read(text: str) -> tuple[Quoting, list[Record]]:
    """The records of a text whose dialect is found, and its quoting."""
    lines = list(io.StringIO(text, newline=""))
    dialect = with_tabs(find_dialect(lines, expected="\t"), lines, lines)
    return dialect.quoting, list(DelimitedText(lines, dialect).records())


def plain(fields: Sequence[str]) -> tuple[str, ...]:
    """Fields without quotation marks: where the mark is one of the text's, it stays in it."""
    return tuple(field.replace('"', "") for field in fields)


def check(rows: Sequence[Sequence[str]], text: str) -> None:
    """Each record is one of the rows; where one lacks, a dead letter tells a line of it."""
    _, found = read(text)
    whole = [plain(fields) for _, fields, _ in found if fields is not None]
    expected = list(map(plain, rows))
    assert set(whole) <= set(expected)
    accepted = set(whole)
    assert whole == [fields for fields in expected if fields in accepted]
    assert len(whole) >= len(rows) - 3
    assert len(whole) == len(rows) or any(fields is None for _, fields, _ in found)
    assert all(number <= text.count("\n") for number, _, _ in found)


@given(
    titles=st.lists(st.sampled_from(TITLES), min_size=ROWS, max_size=ROWS),
    columns=st.permutations(COLUMNS),
    quoting=st.sampled_from(QUOTINGS),
    delimiter=st.sampled_from("\t,;"),
    data=st.data(),
)
def test_a_mark_too_many_or_too_few(
    titles: list[str], columns: list[str], quoting: int, delimiter: str, data: st.DataObject
) -> None:
    """Wherever the mark is, and whichever column the text is in."""
    values = [
        {"id": f"p{n:04}", "image": f"pics/{n}.jpg", "price": f"{n}.90", "title": title}
        for n, title in enumerate(titles)
    ]
    rows = [[row[column] for column in columns] for row in values]
    text = written([columns, *rows], delimiter, quoting)
    at = data.draw(st.integers(text.index("\n") + 1, len(text) - 1))
    if data.draw(st.booleans()):  # one of the marks, which most places are not
        marks = [place for place, letter in enumerate(text) if letter == '"' and place >= at]
        at = marks[0] if marks else at
    rest = text[at + 1 :] if text[at] == '"' else '"' + text[at:]
    check(rows, text[:at] + rest)


@pytest.mark.parametrize("first", range(4090, 4098))
def test_across_chunks(first: int) -> None:
    """The line that shows a record to be a part of one may be in the next chunk."""
    rows = [[f"p{n}", f"pics/{n}.jpg", "Lamp"] for n in range(4200)]
    rows[first][2] = "Lamp\nred"
    rows[3][2] = rows[4190][2] = "Mug\nblue"
    text = written([["id", "image", "title"], *rows], "\t", csv.QUOTE_MINIMAL)
    check(rows, text.replace('"Lamp', "Lamp"))
    check(rows, text.replace('red"', "red"))


def test_what_shows_that_marks_enclose() -> None:
    """More records with proper marks than others; else they are characters."""
    quoted = 'id\ttitle\n1\t"Lamp\nred"\n2\t"Tea\n3\tMug\n4\t"a ""b"""\n'
    assert read(quoted)[0] is Quoting.DOUBLE
    by_hand = 'id\ttitle\n1\tScreen 12"\n2\t"Retro" lamp\n3\t"Tea"\n'
    quoting, found = read(by_hand)
    assert quoting is Quoting.NONE
    assert [fields and fields[1] for _, fields, _ in found] == [
        'Screen 12"',
        '"Retro" lamp',
        '"Tea"',
    ]


def test_the_only_quoted_text_lacks_its_mark() -> None:
    """Read without quoting, its first line is no record of its own."""
    for text in ('1\ta\t"Lamp\nred\n2\tb\tTea\n', '1\ta\tLamp\nred"\n2\tb\tTea\n'):
        found = read(f"id\timage\ttitle\n{text}")[1]
        assert [(number, fields) for number, fields, _ in found] == [
            (2, None),
            (3, None),
            (4, ["2", "b", "Tea"]),
        ]


def test_a_short_row_is_no_part_of_the_one_before() -> None:
    """A row that lacks its last fields begins as rows do: the one above it is as it is."""
    text = 'id,title,image\n1,Tea,a\n2,Screen 12"\n3,Mug,c\n4,Lamp,d\n'
    found = read(text)[1]
    assert [fields is not None for _, fields, _ in found] == [True, False, True, True]
