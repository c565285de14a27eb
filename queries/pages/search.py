"""Search results as a page: pictures, scores, labels."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from queries.pages import parts
from queries.results import SearchHit

_SIDE = 320


def search_page(
    hits: Sequence[SearchHit], *, query: str, catalog: str, pictures: parts.Pictures
) -> str:
    """The results as one file, the nearest first.

    Args:
        query: what was searched for, for the heading.
    """
    found = f"{len(hits)} of catalog {catalog}, the nearest first"
    body = f"<h1>{escape(query)}</h1>\n<p class='dim'>{escape(found)}</p>\n" + parts.grid(
        [hit_card(hit, pictures, side=_SIDE) for hit in hits], width=170
    )
    return parts.document(f"{query} - zeroshelf", body)


def hit_card(hit: SearchHit, pictures: parts.Pictures, *, side: int) -> str:
    """One result: picture, title (the id where there is none), id, label, similarity."""
    title = hit.title or hit.item_id
    lines = [f'<div class="name">{escape(title)}</div>']
    if title != hit.item_id:
        lines.append(f'<div class="dim small">{escape(hit.item_id)}</div>')
    if hit.label:
        lines.append(f'<div class="small number">{escape(hit.label)} {hit.score:.2f}</div>')
    lines.append(f'<div class="dim small number">similarity {hit.similarity:.3f}</div>')
    return parts.card(pictures.tag(hit.source, title, side=side), lines)
