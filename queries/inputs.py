"""From what a user names to query vectors: pictures, texts, rows of tables, stored items."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from indexer.catalog.opened import Catalog
from indexer.core.errors import ItemError, UsageError
from indexer.core.protocols import Encoder, Pixels
from indexer.core.reasons import Reason
from indexer.core.records import Failure, FloatArray, Item, Kind
from indexer.sources import Fetcher, TableOptions, open_sources
from indexer.sources.addresses import is_remote
from indexer.sources.decoding import Decoder
from indexer.sources.formats import open_table
from indexer.sources.options import NO_COLUMN

BLOCK = 256
"""Decoded pictures in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One input.

    Attributes:
        name: what its result is called: the path, URL or text itself, the id in a table.
        source: path or URL of its picture; empty for a text.
        title: the text, or what is said of the picture; may be empty there.
        problem: why it can't be embedded; empty where it can.
    """

    name: str
    source: str = ""
    title: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Query vectors and the inputs that gave none.

    Attributes:
        names: the inputs that were embedded, in order.
        vectors: float32 (n, d), a row a name.
        errors: what went wrong, by input.
        titles: float32 (n, d), vectors of the pictures' titles; zeros where one has none,
            None where none has.
    """

    names: tuple[str, ...]
    vectors: FloatArray
    errors: dict[str, str]
    titles: FloatArray | None = None


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
        SourceError: a table can't be read, or lacks a column.
    """
    options = replace(table or TableOptions(), metadata=False)
    if text:
        options = replace(options, image_column=NO_COLUMN)
    found: list[Query] = []
    for name in inputs:
        if is_table(name):
            found += map(_row, open_sources([name], options))
        else:
            found.append(Query(name=name, title=name) if text else Query(name=name, source=name))
    if not titles:
        return found
    if text or len(found) != len(inputs):
        raise UsageError("--title is for pictures: texts and tables bring their own.")
    if len(titles) != len(found):
        raise UsageError(
            f"{len(titles)} titles for {len(found)} pictures: give one --title for each, in their "
            "order; '' for none."
        )
    return [replace(one, title=title) for one, title in zip(found, titles, strict=True)]


def is_table(name: str) -> bool:
    """Whether an input is a table by its ending, and not a text that ends like one."""
    return open_table(name) is not None and (is_remote(name) or Path(name).is_file())


def embed_queries(
    encoder: Encoder,
    queries: Sequence[Query],
    *,
    titles: bool = True,
    decoder: Decoder,
    fetcher: Fetcher,
) -> Embedded:
    """Embed pictures with their titles, or texts; a bad one is an error of its own.

    Args:
        titles: embed titles of pictures too.
    """
    if not any(one.source for one in queries):
        return embed_texts(encoder, queries)
    if not titles:
        queries = [replace(one, title="") for one in queries]
    return embed_pictures(encoder, queries, decoder=decoder, fetcher=fetcher)


def stored_items(
    catalog: Catalog, item_ids: Sequence[str], *, partition: str | None = None
) -> Embedded:
    """Items of a catalog by their stored vectors, with those of their titles.

    Args:
        partition: items of others count as unknown.

    Raises:
        UsageError: there is no such partition.
    """
    wanted = list(dict.fromkeys(item_ids))
    absent = f"catalog {catalog.folder.name!r} has no such item"
    if partition is not None:
        catalog.require_partition(partition)
        wanted = list(catalog.ledger.filter_partition(wanted, partition))
        absent += f" of {catalog.partition_key} {partition!r}"
    places = catalog.ledger.find(wanted)
    names = tuple(one for one in item_ids if one in places)
    archive, width = catalog.archive, catalog.archive.width
    vectors = np.zeros((len(names), width), dtype=np.float32)
    titles = np.zeros((len(names), width), dtype=np.float32)
    for row, name in enumerate(names):
        place = places[name]
        vectors[row] = archive.vector(place.shard, place.row)
        said = archive.title(place.shard, place.row)[1]
        if said is not None:
            titles[row] = said
    return Embedded(
        names=names,
        vectors=vectors,
        errors={one: absent for one in item_ids if one not in places},
        titles=titles if titles.any() else None,
    )


def expand_stdin(inputs: Sequence[str]) -> Iterator[str]:
    """The inputs, with ``-`` replaced by the lines of standard input."""
    for one in inputs:
        if one == "-":
            yield from (line for raw in sys.stdin if (line := raw.rstrip("\r\n")))
        else:
            yield one


def embed_pictures(
    encoder: Encoder, queries: Sequence[Query], *, decoder: Decoder, fetcher: Fetcher
) -> Embedded:
    """Read, decode and embed pictures, a block at a time; a bad one is an error of its own."""
    decoder = replace(decoder, least_side=encoder.least_side)  # as pictures were ingested
    good: list[Query] = []
    errors: dict[str, str] = {}
    blocks: list[FloatArray] = []
    for start in range(0, max(len(queries), 1), BLOCK):
        pictures: list[Pixels] = []
        for one in queries[start : start + BLOCK]:
            try:
                if one.problem:
                    raise ItemError(Reason.UNREADABLE, one.problem)
                pixels = decoder.decode(fetcher.read(one.source), one.source)
            except ItemError as error:
                errors[one.name] = str(error)
            else:
                good.append(one)
                pictures.append(encoder.prepare(pixels))
        blocks.append(encoder.embed_pictures(pictures))
    vectors = np.concatenate(blocks)
    return Embedded(
        names=tuple(one.name for one in good),
        vectors=vectors,
        errors=errors,
        titles=_titles(encoder, [one.title for one in good], vectors),
    )


def embed_texts(encoder: Encoder, queries: Sequence[Query]) -> Embedded:
    """Embed texts; an empty one is an error of its own."""
    errors = {one.name: one.problem or "the text is empty" for one in queries if _says_nothing(one)}
    good = [one for one in queries if not _says_nothing(one)]
    return Embedded(
        names=tuple(one.name for one in good),
        vectors=encoder.embed_texts([one.title for one in good]),
        errors=errors,
    )


def _says_nothing(one: Query) -> bool:
    return bool(one.problem) or not one.title.strip()


def _titles(encoder: Encoder, titles: Sequence[str], like: FloatArray) -> FloatArray | None:
    """float32 (n, d): each title once through the model; None where there is none."""
    wanted = dict.fromkeys(one for one in titles if one.strip())
    if not wanted:
        return None
    known = dict(zip(wanted, encoder.embed_texts(list(wanted)), strict=True))
    zero = np.zeros(like.shape[1], dtype=np.float32)
    return np.stack([known.get(one, zero) for one in titles])


def _row(found: Item | Failure) -> Query:
    if isinstance(found, Failure):
        return Query(name=found.item.item_id, problem=found.message)
    picture = found.source if found.kind is Kind.PICTURE else ""
    return Query(name=found.item_id, source=picture, title=found.title)
