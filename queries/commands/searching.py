"""The command that finds items; parsing and printing, no logic."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.objects import with_objects
from indexer.commands.options import option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.commands.tables import split_names
from indexer.core.credentials import without_credentials
from indexer.core.errors import UsageError
from indexer.core.object_options import ObjectOptions
from queries.commands.object_results import (
    check_object_search,
    search_objects_here,
    show_found_items,
)
from queries.commands.remote import Remote, search_objects_remotely, search_remotely, with_remote
from queries.commands.search_options import with_search_query
from queries.results import Facet, FoundBy, SearchHit, SearchResult
from queries.search.facets import value_of
from queries.search.query import SearchQuery

if TYPE_CHECKING:
    from indexer.catalog.opening import OpenCatalog
    from indexer.sources import Fetcher
    from queries.search_inputs import SearchInputs

app = typer.Typer()

_ALL = "all"
"""What ``--columns`` takes for all that a hit has."""

SHOWN_VALUES = 20
"""Values of a ``--facet`` that are printed; a taxonomy has hundreds."""

_ALL_COLUMNS = ("similarity", "item_id", "title", "label", "metadata")
_FEW_COLUMNS = ("item_id", "title", "label", "price", "similarity")
"""Of a terminal, where they are not empty: all metadata takes a line for each of its words."""


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
@with_search_query
@with_objects
@with_remote
def search(
    *,
    text: Annotated[str | None, typer.Argument(help="What to search for, in words.")] = None,
    image: Annotated[str | None, option("--image", help="A picture: path or URL.")] = None,
    sound: Annotated[str | None, option("--sound", help="A sound: path or URL.")] = None,
    item: Annotated[
        str | None, option("--item", help="Id of a stored item: finds those like it.")
    ] = None,
    text_weight: Annotated[
        float, option(min=0.0, max=1.0, help="Share of the words where both are given.")
    ] = 0.5,
    hybrid: Annotated[
        bool,
        option(
            "--hybrid",
            help="Find what has the words, too: in its title, its id or the columns of its table. "
            "For skus, brands and names.",
        ),
    ] = False,
    query: SearchQuery,
    objects: ObjectOptions | None,
    remote: Remote | None,
    reading: Reading,
    columns: Annotated[
        str,
        option(
            "--columns",
            help="Columns of the table and of CSV, separated by commas: of the result or of your "
            "own table; all shows each hit's whole metadata. Default: the main ones in a terminal, "
            "all in CSV.",
            show_default=False,
        ),
    ] = "",
    output: Annotated[
        SearchOutput, option("--output", help="How the result is printed.")
    ] = SearchOutput.TABLE,
    common: CatalogOptions,
) -> None:
    """Find items by words, by a picture or a sound, by both, or like a stored item.

    Without any of these, list the items that --filter and --category choose.
    """
    from indexer.catalog.opening import open_catalog
    from queries.search_inputs import SearchInputs, find_by_inputs

    if sum(map(bool, (image, sound, item is not None))) > 1:
        raise UsageError(
            "--image, --sound and --item each stand for what is looked for: give one of them."
        )
    inputs = SearchInputs(
        text=text, content=image or sound, item_id=item, text_weight=text_weight, hybrid=hybrid
    )
    inputs.check(query)
    if objects is not None:
        check_object_search(query, text=text, image=image, hybrid=hybrid, output=output)
        picture_objects = (
            search_objects_here(common, image, query, objects, reading)
            if remote is None
            else search_objects_remotely(remote, image, query, objects)
        )
        show_found_items(picture_objects, output)
        return
    if remote is not None:
        if output == SearchOutput.HTML:
            raise UsageError("--output html goes without --server, which has a page of its own.")
        result = search_remotely(remote, query, inputs)
        _tell_notes(result)
        shown_columns = () if columns.strip() == _ALL else split_names(columns)
        _warn_of_unknown(result, shown_columns)
    else:
        with reading.fetcher() as fetcher, open_catalog(common) as catalog:
            shown_columns = _chosen_columns(catalog, columns)
            _tell_hidden(catalog, [*query.facets, query.group_by])
            result = find_by_inputs(
                catalog, inputs, query, decoder=reading.contents(), fetcher=fetcher
            )
            _tell_notes(result)
            if output == SearchOutput.HTML:
                _write_page(result, inputs, common.catalog, fetcher, reading)
                return
    _show(result, output, shown_columns or _default_columns(result, output, columns, hybrid=hybrid))


def _tell_notes(result: SearchResult) -> None:
    for note in result.notes:
        console.warn(note)


def _write_page(
    result: SearchResult, inputs: SearchInputs, catalog: str, fetcher: Fetcher, reading: Reading
) -> None:
    # Loaded where a page is written only: a search on the command line starts quicker.
    from queries.pages.parts import Pictures
    from queries.pages.search import search_page

    sources = (inputs.text, inputs.content, inputs.item_id)
    heading = " + ".join(source for source in sources if source and source.strip())
    page = search_page(
        result.hits,
        facets=result.facets,
        query=without_credentials(heading),
        catalog=catalog,
        pictures=Pictures(fetcher, reading.decoder()),
    )
    sys.stdout.write(page)


def _tell_hidden(catalog: OpenCatalog, columns: Sequence[str]) -> None:
    """Say which of two columns of one name is taken."""
    from queries.search.facets import OF_TABLE, hidden_columns

    for column in hidden_columns(columns, catalog.metadata_columns()):
        console.say(
            f"{column} is the item's own here; the column of your table is {OF_TABLE}{column}."
        )


def _default_columns(
    result: SearchResult, output: SearchOutput, columns: str, *, hybrid: bool
) -> tuple[str, ...]:
    """The columns that a search shows where none are named."""
    is_short = output == SearchOutput.TABLE and columns.strip() != _ALL
    main = tuple(
        name
        for name in _FEW_COLUMNS
        if name == "item_id" or any(_value(hit, name) is not None for hit in result.hits)
    )
    has_parts = any(hit.parts and not hit.place for hit in result.hits)
    has_places = any(hit.place for hit in result.hits)
    shown = main if is_short else _ALL_COLUMNS
    return (
        *shown,
        *["found_by"] * hybrid,
        *["part_id"] * has_parts,
        *["place"] * has_places,
    )


def _warn_of_unknown(result: SearchResult, columns: Sequence[str]) -> None:
    """Say which columns no hit of a service has; which there are, only its catalog knows."""
    for name in columns:
        if result.hits and all(_value(hit, name) is None for hit in result.hits):
            console.warn(f"--columns {name!r}: no hit has a value of such a column.")


def _chosen_columns(catalog: OpenCatalog, columns: str) -> tuple[str, ...]:
    """The names of ``--columns``; empty where none are named."""
    from queries.search.facets import require_columns

    chosen_columns = () if columns.strip() == _ALL else split_names(columns)
    if chosen_columns:
        require_columns(chosen_columns, {*SearchHit.__slots__, *catalog.value_columns}, "--columns")
    return chosen_columns


def _show(result: SearchResult, output: SearchOutput, columns: Sequence[str]) -> None:
    rows: list[Mapping[str, Any]] = [asdict(hit) for hit in result.hits]
    if output == SearchOutput.JSON and result.facets:
        facets = {facet.column: asdict(facet) for facet in result.facets}
        counted = {"counted": result.counted, "all_counted": result.all_counted}
        console.print_json({"hits": rows, "facets": facets, **counted})
        return
    if output in {SearchOutput.TABLE, SearchOutput.CSV}:
        rows = [_row(hit, columns, people=output == SearchOutput.TABLE) for hit in result.hits]
    if rows or output != SearchOutput.TABLE:
        console.show_rows(rows, output)
    else:
        console.say("No items found.")
    for facet in result.facets:
        _show_counts(facet, result)
    if result.next_after is not None:
        console.say(f"More items match: go on with --after {shlex.quote(result.next_after)}")


def _show_counts(facet: Facet, result: SearchResult) -> None:
    """Print how often the values of a column occur, a line each, the most frequent first."""
    counted_hits = "all" if result.all_counted else "the nearest"
    console.say(f"{facet.column} of {counted_hits} {result.counted:,}:")
    rows = list(facet.values.items())[:SHOWN_VALUES]
    more = len(facet.values) - len(rows)
    rows += [("(no value)", facet.without)] if facet.without else []
    name_width = max((len(value) for value, _ in rows), default=0)
    count_width = max((len(f"{count:,}") for _, count in rows), default=0)
    for value, count in rows:
        console.say(f"  {value:{name_width}}  {count:>{count_width},}")
    if more:
        console.say(f"  and {more:,} more: --output json has all")
    if not facet.values:
        console.say("  no item has a value")


def _row(hit: SearchHit, columns: Sequence[str], *, people: bool) -> dict[str, Any]:
    """A hit's values of some columns; empty where it has none."""
    row = {name: _value(hit, name) for name in columns}
    if "found_by" in row:
        row["found_by"] = _FOUND_BY[hit.found_by] if people else str(hit.found_by)
    for name, value in row.items() if people else ():
        if isinstance(value, float) and name not in SearchHit.__slots__:
            row[name] = f"{value:.10g}"  # a price as the table has it
    if people and "metadata" in row:
        row["metadata"] = ", ".join(f"{name}={value}" for name, value in hit.metadata.items())
    return {name: "" if value is None else value for name, value in row.items()}


def _value(hit: SearchHit, column: str) -> Any:
    """A hit's value of a column of the result or of its table; None where it has none."""
    value = getattr(hit, column) if column in SearchHit.__slots__ else value_of(hit, column)
    return None if value == "" else value


_FOUND_BY = {
    FoundBy.FILTER: "filter",
    FoundBy.VECTOR: "vector",
    FoundBy.WORDS: "words",
    FoundBy.BOTH: "vector, words",
}
