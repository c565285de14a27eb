"""The command that finds items; parsing and printing, no logic."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.core.credentials import without_credentials
from indexer.core.errors import UsageError
from queries.commands.options import Filter, Limit, Partition
from queries.results import SearchHit

if TYPE_CHECKING:
    from indexer.catalog.opening import Catalog

app = typer.Typer()


class SearchOutput(StrEnum):
    """How a search prints its result."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


@app.command()
@with_common
@with_reading
def search(
    *,
    text: Annotated[str | None, typer.Argument(help="What to search for, in words.")] = None,
    image: Annotated[str | None, option("--image", help="A picture: path or URL.")] = None,
    item: Annotated[
        str | None, option("--item", help="Id of a stored item: finds those like it.")
    ] = None,
    text_weight: Annotated[
        float, option(min=0.0, max=1.0, help="Share of the words where both are given.")
    ] = 0.5,
    filter: Filter = "",  # noqa: A002 - the option's name is its key and variable too
    partition: Partition = None,
    limit: Limit = 10,
    reading: Reading,
    output: Annotated[
        SearchOutput, option("--output", help="How the result is printed.")
    ] = SearchOutput.TABLE,
    common: CatalogOptions,
) -> None:
    """Find items by words, by a picture, by both, or like a stored item."""
    from indexer.catalog.opening import open_catalog
    from queries.inputs import stored_items
    from queries.pages.parts import Pictures
    from queries.pages.search import search_page
    from queries.search import query_vector
    from queries.search import search as find

    if item is not None and image:
        raise UsageError("--item stands for a picture: leave --image out.")
    decoder = reading.decoder()
    with (
        reading.fetcher() as fetcher,
        open_catalog(common) as catalog,
    ):
        words = catalog.encoder.embed_queries([text])[0] if text else None
        picture = _picture_vector(catalog, image, decoder, fetcher) if image else None
        if item is not None:
            stored = stored_items(catalog, [item])
            if stored.errors:
                raise UsageError(f"--item {item!r}: {stored.errors[0]}.")
            picture = stored.vectors[0]
        vector = query_vector(words, picture, text_weight=text_weight)
        # An item is most like itself: one more is asked for, and it is left out.
        hit_count = limit + (item is not None)
        hits = find(catalog, vector, limit=hit_count, filter_expression=filter, partition=partition)
        hits = [hit for hit in hits if hit.item_id != item][:limit]
        if output == SearchOutput.HTML:
            query_parts = [source for source in (text, image, item) if source]
            query = without_credentials(" + ".join(query_parts))
            pictures = Pictures(fetcher, decoder)
            page = search_page(hits, query=query, catalog=common.catalog, pictures=pictures)
            sys.stdout.write(page)
            return
    _show_hits(hits, output)


def _picture_vector(catalog: Catalog, image: str, decoder: Any, fetcher: Any) -> Any:
    encoder = catalog.encoder
    return encoder.embed_pictures([encoder.prepare(decoder.decode(fetcher.read(image), image))])[0]


def _show_hits(hits: Sequence[SearchHit], output: SearchOutput) -> None:
    rows = [asdict(hit) for hit in hits]
    if output == SearchOutput.TABLE:
        shown = ("similarity", "item_id", "title", "label", "metadata")
        rows = [{name: row[name] for name in shown} for row in rows]
        for row in rows:
            row["metadata"] = ", ".join(
                f"{name}={value}" for name, value in row["metadata"].items()
            )
        if not rows:
            console.say("No items found.")
            return
    console.show_rows(rows, output)
