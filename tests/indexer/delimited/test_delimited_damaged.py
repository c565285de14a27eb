"""Delimited text with damage: each line is accounted for, and nothing is mixed up."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.core.delimited import UNCLOSED, DelimitedText, Dialect, HeaderError, Quoting, Record

ROWS = 40
WORDS = st.sampled_from(["Lamp", 'Screen 12"', "Mug, blue", "Tea", "", '27" wide', 'a "b" c'])


def records(text: str, dialect: Dialect) -> list[Record]:
    """The records of a text."""
    return list(DelimitedText(io.StringIO(text, newline=""), dialect).records())


def by_hand(titles: list[str], delimiter: str = ",") -> str:
    """A table as one joins it by hand: id, title, picture; nothing is quoted."""
    clean = [title.replace(delimiter, " ") for title in titles]
    rows = (delimiter.join((str(n), clean[n], f"pics/{n}.jpg")) for n in range(len(clean)))
    return "\n".join([delimiter.join(("id", "title", "image")), *rows]) + "\n"


def quoted(titles: list[str], quoting: int) -> str:
    """The same table by Python's csv."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    rows = [[str(n), title, f"pics/{n}.jpg"] for n, title in enumerate(titles)]
    writer.writerows([["id", "title", "image"], *rows])
    return target.getvalue()


def check(found: Iterable[Record], lines: int) -> None:
    """Each line below the header is a record or a problem; no record has another's picture."""
    found = list(found)
    assert [number for number, _, _ in found] == list(range(2, lines + 1))
    for _, fields, problem in found:
        assert (fields is None) == bool(problem)
        if fields is not None:
            identifier, _, picture = fields
            assert picture.replace('"', "") == f"pics/{identifier.replace(chr(34), '')}.jpg"


TITLES = st.lists(WORDS, min_size=ROWS, max_size=ROWS)


@given(titles=TITLES, data=st.data())
def test_a_mark_put_anywhere_by_hand(titles: list[str], data: st.DataObject) -> None:
    """A table without quoting, with inch marks in its titles, and one more mark anywhere."""
    text = by_hand(titles)
    at = data.draw(st.integers(text.index("\n") + 1, len(text) - 1))
    check(records(text[:at] + '"' + text[at:], Dialect(delimiter=",")), ROWS + 1)


@given(titles=TITLES, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), data=st.data())
def test_a_mark_put_anywhere_in_quoted_text(
    titles: list[str], quoting: int, data: st.DataObject
) -> None:
    """The same in a table that is quoted."""
    text = quoted(titles, quoting)
    at = data.draw(st.integers(text.index("\n") + 1, len(text) - 1))
    check(records(text[:at] + '"' + text[at:], Dialect(delimiter=",")), ROWS + 1)


@given(titles=TITLES, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), data=st.data())
def test_a_mark_taken_out(titles: list[str], quoting: int, data: st.DataObject) -> None:
    """A quoted table that lacks one of its marks."""
    text = quoted([*titles[1:], 'x "y"'], quoting)
    places = [place for place, letter in enumerate(text) if letter == '"' and place > 20]
    at = data.draw(st.sampled_from(places))
    check(records(text[:at] + text[at + 1 :], Dialect(delimiter=",")), ROWS + 1)


@given(titles=TITLES, data=st.data())
def test_without_quoting(titles: list[str], data: st.DataObject) -> None:
    """Separated by tabs, marks are characters: every line is its record, wherever they are."""
    text = by_hand(titles, "\t")
    at = data.draw(st.integers(text.index("\n") + 1, len(text) - 1))
    found = records(text[:at] + '"' + text[at:], Dialect(delimiter="\t", quoting=Quoting.NONE))
    check(found, ROWS + 1)
    assert all(fields is not None for _, fields, _ in found)


@given(st.integers(0, 10_000), st.integers(1, 200))
@example(4094, 3)
def test_swallowed_rows_across_chunks(first: int, swallowed: int) -> None:
    """A mark that opens in one row and closes in a later one swallows none between them."""
    titles = ["Lamp"] * (first + swallowed + 3)
    titles[first] = '"Retro lamp'
    titles[first + swallowed] = 'Screen 12"'
    text = by_hand(titles)
    found = records(text, Dialect(delimiter=","))
    check(found, len(titles) + 1)
    assert [number for number, fields, _ in found if fields is None] == [first + 2]


def test_what_the_user_says_is_believed() -> None:
    """Rows inside a quoted field are text where quoting was said to be so."""
    text = 'id,title,image\n1,a,1.jpg\n2,"b,2.jpg\n3,c",3.jpg\n4,d,4.jpg\n'
    said = Dialect(delimiter=",", trusted=True)
    assert records(text, said)[1] == (3, ["2", "b,2.jpg\n3,c", "3.jpg"], "")
    assert records(text, Dialect(delimiter=","))[1][2].startswith(UNCLOSED)


@pytest.mark.parametrize("text", ["", "\n", '"id,image\n1,a\n', 'id,"image\n1,a"\n2,b\n'])
def test_headers_that_can_not_be_read(text: str) -> None:
    """An empty text has no header; marks that do not match are no header."""
    with pytest.raises(HeaderError, match=r"empty|header"):
        records(text, Dialect(delimiter=","))


def test_a_header_over_two_lines() -> None:
    """Excel's cells with line breaks are names."""
    text = DelimitedText(io.StringIO('id,"Price\n(EUR)",image\n1,2,a\n'), Dialect(delimiter=","))
    assert text.names == ["id", "Price\n(EUR)", "image"]
    assert list(text.records()) == [(3, ["1", "2", "a"], "")]


def test_what_was_read_before_damage_is_kept() -> None:
    """A source that breaks in the middle gives what it gave, then its error."""

    def lines() -> Iterable[str]:
        yield from ["id,a\n", "1,b\n", "2,c\n"]
        raise EOFError("cut")

    reader = DelimitedText(lines(), Dialect(delimiter=",")).records()
    assert [next(reader)[0], next(reader)[0]] == [2, 3]
    with pytest.raises(EOFError, match="cut"):
        next(reader)


BODIES = st.sampled_from(
    [
        '<p>Nice, "really"\n<b>nice</b></p>',
        "plain",
        "",
        "1, 2, 3\n4, 5, 6\nx",
        'a\n\nb "c"',
        '12" x',
    ]
)


@given(
    bodies=st.lists(BODIES, min_size=20, max_size=20),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    data=st.data(),
)
def test_damage_among_long_texts(bodies: list[str], quoting: int, data: st.DataObject) -> None:
    """A mark too many or too few among texts over several lines costs one row.

    Lines of its text are dead letters, unless one has as many fields as the header by chance;
    no row gets another's picture.
    """
    target = io.StringIO(newline="")
    rows = [[f"h-{n}", "Mug", body, f"{n}.90", f"pics/{n}.jpg"] for n, body in enumerate(bodies)]
    writer = csv.writer(target, quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
    writer.writerows([["id", "title", "body", "price", "image"], *rows])
    text = target.getvalue()
    at = data.draw(st.integers(text.index("\n") + 1, len(text) - 1))
    rest = text[at + 1 :] if text[at] == '"' else '"' + text[at:]
    found = [fields for _, fields, _ in records(text[:at] + rest, Dialect(delimiter=","))]
    whole = [fields for fields in found if fields is not None]
    assert sum(fields in rows for fields in whole) >= len(rows) - 1
    for identifier, _, _, _, picture in whole:
        number = identifier.replace('"', "").removeprefix("h-")
        assert picture.replace('"', "") == f"pics/{number}.jpg" or not picture.endswith(".jpg")


def test_a_row_swallowed_by_the_first_column() -> None:
    """Two titles in the first column, each with a mark, are no text over two lines."""
    titles = ["Lamp", "Tea 5", "x-y", "a/b c", "Mug!"] * 4
    rows = [f"{title},{n}.5,{n},pics/{n}.jpg" for n, title in enumerate(titles)]
    rows[7], rows[8] = f'"{rows[7]}', rows[8].replace(",", '",', 1)
    text = "\n".join(["title,price,id,image", *rows]) + "\n"
    found = records(text, Dialect(delimiter=","))
    assert [number for number, fields, _ in found if fields is None] in ([9], [9, 10])
    assert [number for number, _, _ in found] == list(range(2, 22))
    text = text.replace(f"{rows[7]}\n{rows[8]}", '"A lamp, large\nblue",7.5,7,pics/7.jpg')
    assert all(fields for _, fields, _ in records(text, Dialect(delimiter=",")))
