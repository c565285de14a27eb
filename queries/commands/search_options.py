"""The options of a search beside what is searched for; they make a ``SearchQuery``."""

from __future__ import annotations

from typing import Annotated

from indexer.commands.options import option, with_options
from indexer.commands.tables import split_names
from queries.commands.options import Filter, Limit, Partition
from queries.search.query import SearchQuery


def _search_query(
    *,
    not_: Annotated[
        list[str] | None,
        option(
            "--not",
            metavar="WORDS",
            help="What is not wanted, such as striped. Moves the vector of the query away from it; "
            "with --hybrid what has these words is left out, too. Repeatable.",
            show_default=False,
        ),
    ] = None,
    filter: Filter = "",  # noqa: A002 - the option's name is its key and variable too
    category: Annotated[
        str,
        option(
            "--category",
            metavar="LABELS",
            help="Only items of these labels, by id, name or path, separated by commas; a branch "
            "with all below it. Alone, or with --filter, it lists them.",
            show_default=False,
        ),
    ] = "",
    partition: Partition = None,
    min_similarity: Annotated[
        float | None,
        option(
            "--min-similarity",
            min=-1.0,
            max=1.0,
            help="Leave out what is less like the query than this cosine. What --hybrid finds by "
            "its words stays.",
        ),
    ] = None,
    group_by: Annotated[
        str,
        option(
            "--group-by",
            metavar="COLUMN",
            help="Only the best item of each value of this column; items without a value stay. "
            "metadata.COLUMN is surely the table's: label, status and kind are the item's.",
            show_default=False,
        ),
    ] = "",
    facet: Annotated[
        str,
        option(
            "--facet",
            metavar="COLUMNS",
            help="Count the values of these columns, separated by commas, over the 1,000 best "
            "items, or over all that --min-similarity passes.",
            show_default=False,
        ),
    ] = "",
    limit: Limit = 10,
    after: Annotated[
        str,
        option(
            "--after",
            metavar="ID",
            help="Go on with a list behind this id: the next page of what --category and --filter "
            "choose.",
            show_default=False,
        ),
    ] = "",
) -> SearchQuery:
    return SearchQuery(
        vector=None,
        without=tuple(not_ or ()),
        limit=limit,
        after=after,
        filter_expression=filter,
        categories=split_names(category),
        partition=partition,
        min_similarity=min_similarity,
        group_by=group_by.strip(),
        facets=tuple(dict.fromkeys(split_names(facet))),
    )


with_search_query = with_options("query", _search_query)
"""Puts them in the place of a command's parameter ``query``."""
