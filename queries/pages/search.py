"""Search results as a page: pictures, scores, labels."""

from __future__ import annotations

from collections.abc import Sequence

from queries.pages import parts
from queries.results import Facet, SearchHit


def search_page(
    hits: Sequence[SearchHit],
    *,
    query: str,
    catalog: str,
    pictures: parts.Pictures,
    facets: Sequence[Facet] = (),
) -> str:
    """The results as one file, the best first.

    Args:
        query: what was searched for, for the heading.
        facets: counts of columns over what was found.
    """
    return parts.render(
        "search.html",
        title=f"{query} - zeroshelf",
        query=query,
        catalog=catalog,
        results=hits,
        pictures=pictures,
        facets=facets,
    )
