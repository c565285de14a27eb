"""What a user names, as queries: pictures, sounds, texts and tables of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.core.credentials import without_credentials
from indexer.core.errors import SourceError, UsageError
from indexer.core.records import Failure, Item, Kind
from indexer.sources import TableOptions, open_sources
from indexer.sources.addresses import is_remote
from indexer.sources.formats import open_table
from indexer.sources.options import NO_COLUMN


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One input.

    Attributes:
        name: what its result is called: the path, URL (without credentials) or text itself, the
            id in a table.
        source: path or URL of its picture; empty for a text.
        title: the text, or what is said of the picture; may be empty there.
        problem: why it can't be embedded; empty where it can.
        further: paths or URLs of its other pictures; it is decided by all of them.
    """

    name: str
    source: str = ""
    title: str = ""
    problem: str = ""
    further: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """Where all of its pictures lie."""
        return (self.source, *self.further)


def queries_of(
    inputs: Sequence[str],
    *,
    text: bool = False,
    titles: Sequence[str] = (),
    table: TableOptions | None = None,
) -> list[Query]:
    """What the inputs ask, in order; a table asks one a row.

    Args:
        inputs: pictures' paths or URLs, tables of them, or texts.
        text: inputs are texts, and tables hold texts.
        titles: of the pictures, in order; for all or for none.
        table: which column is what.

    Raises:
        UsageError: titles for other than all pictures.
        SourceError: a table can't be read, or lacks a column; or none of the files is there.
    """
    options = replace(table or TableOptions(), metadata=False)
    if text:
        options = replace(options, image_column=NO_COLUMN)
    queries: list[Query] = []
    for name in inputs:
        if is_table(name):
            queries += map(_row, open_sources([name], options))
        else:
            shown = without_credentials(name)
            query = Query(name=shown, title=name) if text else Query(name=shown, source=name)
            queries.append(query)
    if not text:
        refuse_absent(inputs)
    if not titles:
        return queries
    if text or len(queries) != len(inputs):
        raise UsageError("--title is for pictures: texts and tables bring their own.")
    if len(titles) != len(queries):
        raise UsageError(
            f"{len(titles)} titles for {len(queries)} pictures: give one --title for each, "
            "in their order; '' for none."
        )
    return [replace(query, title=title) for query, title in zip(queries, titles, strict=True)]


def refuse_absent(inputs: Sequence[str]) -> None:
    """Refuse files none of which is there; some missing ones among others are failed inputs.

    An id of an item or a text is often given in their place, so the error offers both options.

    Raises:
        SourceError: as said.
    """
    if inputs and not any(is_remote(name) or Path(name).exists() for name in inputs):
        others = ", nor is any of the others there" if inputs[1:] else ""
        raise SourceError(
            f"{inputs[0]}: no such file{others}; check the path. A stored item is given with "
            "--item ID, a text with --text."
        )


def is_table(name: str) -> bool:
    """Whether an input is a table by its ending, and not a text that ends like one."""
    return open_table(name) is not None and (is_remote(name) or Path(name).is_file())


def expand_stdin(inputs: Sequence[str]) -> Iterator[str]:
    """The inputs, with ``-`` replaced by the lines of standard input."""
    for value in inputs:
        if value == "-":
            yield from (line for raw in sys.stdin if (line := raw.rstrip("\r\n")))
        else:
            yield value


def _row(row: Item | Failure) -> Query:
    if isinstance(row, Failure):
        return Query(name=row.item.item_id, problem=row.message)
    picture = "" if row.kind in {Kind.TEXT, Kind.VECTOR} else row.source
    further = tuple(part.source for part in row.parts or () if isinstance(part, Item))
    return Query(name=row.item_id, source=picture, title=row.title, further=further)
