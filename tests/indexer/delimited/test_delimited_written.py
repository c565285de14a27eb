"""Delimited text by many writers: what is read is what was written."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.delimited import (
    DelimitedText,
    Dialect,
    Quoting,
    find_dialect,
    read_text,
)

HOSTILE = st.text(alphabet="ab1,;|'\" \n\r\t\\é\U0001f45f", max_size=12)
"""Cells of separators, quotation marks and line breaks."""


def read(text: str, dialect: Dialect) -> list[list[str] | None]:
    """The records of a text, None for each that can't be read."""
    lines = io.StringIO(text, newline="")
    return [fields for _, fields, _ in DelimitedText(lines, dialect).records()]


def written(rows: list[list[str]], **settings: object) -> str:
    """A table as Python's csv writes it."""
    target = io.StringIO(newline="")
    csv.writer(target, **settings).writerows(rows)  # type: ignore[arg-type]
    return target.getvalue()


def table(cells: list[str]) -> list[list[str]]:
    """A table of ids, pictures and hostile titles."""
    rows = [[str(number), f"pics/{number}.jpg", cell] for number, cell in enumerate(cells)]
    return [["id", "image", "title"], *rows]


@given(
    cells=st.lists(HOSTILE, min_size=1, max_size=8),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    end=st.sampled_from(["\r\n", "\n"]),
    delimiter=st.sampled_from(",;|"),
)
def test_quoted(cells: list[str], quoting: int, end: str, delimiter: str) -> None:
    """Whatever is in the cells: a proper writer's table is read back equal."""
    if end == "\n":  # Python before 3.13 does not quote a \r then
        cells = [cell.replace("\r", "") for cell in cells]
    rows = table(cells)
    text = written(rows, quoting=quoting, lineterminator=end, delimiter=delimiter)
    assert read(text, Dialect(delimiter=delimiter)) == rows[1:]


@given(cells=st.lists(HOSTILE, min_size=1, max_size=8))
def test_escaped(cells: list[str]) -> None:
    """Fields without quotation marks, and a backslash before each separator, as said."""
    rows = table(cells)
    text = written(rows, quoting=csv.QUOTE_NONE, escapechar="\\")
    assert read(text, Dialect(delimiter=",", quoting=Quoting.BACKSLASH, trusted=True)) == rows[1:]


@given(cells=st.lists(HOSTILE.filter(lambda cell: "\t" not in cell), min_size=1, max_size=8))
def test_tabs_that_are_quoted(cells: list[str]) -> None:
    """Excel and pandas quote tab-separated cells: consistently, which is seen."""
    rows = table(cells)
    found = read_text(written(rows, delimiter="\t"), expected="\t")
    assert [fields for _, fields, _ in found] == rows


def test_short_records() -> None:
    """A text in memory, such as a label file, may leave out the last fields of a record."""
    found = read_text('name,id,parent\nShirt\n\n"Tee\nshirt",t\n')
    assert found == [
        (1, ["name", "id", "parent"], ""),
        (2, ["Shirt", "", ""], ""),
        (4, ["Tee\nshirt", "t", ""], ""),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """Unix, Windows and the old Macintosh; the last line needs no end."""
    text = end.join(["id,title", "1,a", f'2,"b{end}c"', "3,d"])
    assert read(text, Dialect(delimiter=",")) == [["1", "a"], ["2", f"b{end}c"], ["3", "d"]]


def test_descriptions_over_several_lines() -> None:
    """A shop's export: HTML over many lines, with separators and doubled marks."""
    body = '<p>Nice, ""really""\n1, 2, 3\n<b>nice</b></p>'
    text = "id,body,image\n" + "".join(f'h-{n},"{body}",pics/{n}.jpg\n' for n in range(3000))
    found = read(text, Dialect(delimiter=","))
    plain = body.replace('""', '"')
    assert found == [[f"h-{n}", plain, f"pics/{n}.jpg"] for n in range(3000)]


def test_long_cells() -> None:
    """A cell may be longer than the csv module's own limit."""
    cell = "x" * 200_000
    assert read(f"id,body\n1,{cell}\n", Dialect(delimiter=",")) == [["1", cell]]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (r'1,"27\" TV, black",a', ["1", '27" TV, black', "a"]),
        ('1, "a, b", c', ["1", "a, b", "c"]),
        ("1,a,b,,", ["1", "a", "b"]),
        ('1,5" wide,"x"', ["1", '5" wide', "x"]),
    ],
)
def test_other_hands(line: str, fields: list[str]) -> None:
    """Backslashes before marks, blanks after separators, separators at the end, loose marks."""
    assert read(f"id,b,c\n{line}\n", Dialect(delimiter=",")) == [fields]


@pytest.mark.parametrize(
    ("lines", "delimiter"),
    [
        (["id,image", "1,a"], ","),
        (["id;image;title", "1;a;b, c", "2;b;d"], ";"),
        (["id\timage", "1\ta, b"], "\t"),
        (["id|image", "1|a"], "|"),
        (["sep=;", "id;image", "1;a"], ";"),
        (['id,image,"a;b;c;d"', "1,a,x", "2,b,y"], ","),
        (["name", "Salt, Pepper"], ","),
        ([], ","),
    ],
)
def test_separators(lines: list[str], delimiter: str) -> None:
    """The separator is the one that divides header and lines alike."""
    dialect = find_dialect([f"{line}\n" for line in lines])
    assert dialect.delimiter == delimiter
    assert dialect.header_line == 1 + (lines[:1] == ["sep=;"])


def test_backslashes_that_explain_every_line() -> None:
    """A dump with backslashes is found as one; a path with backslashes alone is not."""
    dump = ["id,path\n", '1,"a \\"b\\", c"\n', "2,C\\\\x\n"]
    assert find_dialect(dump).quoting is Quoting.BACKSLASH
    assert find_dialect(["id,path\n", "1,C:\\x\n"]).quoting is Quoting.DOUBLE


def test_null_of_a_database() -> None:
    r"""``\N`` without quotation marks stays what it is; in them it is a letter with a backslash."""
    dialect = Dialect(delimiter=",", quoting=Quoting.BACKSLASH)
    text = 'a,b,c\n\\N,"5\\" x",\\N\r\n1,"\\\\N",x\\N\n'
    assert read(text, dialect) == [["\\N", '5" x', "\\N"], ["1", "\\N", "xN"]]
