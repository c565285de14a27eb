"""A self-contained HTML page of search results: pictures, scores, labels."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from indexer.decode import Decoder, thumbnail
from indexer.errors import ItemError
from indexer.sources import Fetcher
from queries.results import SearchHit

THUMBNAIL_SIDE = 320

_STYLE = """
:root { color-scheme: light dark; --line: #d9dce1; --dim: #5b6472; --card: #fff; --back: #f5f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --line: #343a44; --dim: #a2abb8; --card: #1c2027; --back: #13161b; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 2rem clamp(1rem, 4vw, 3rem); background: var(--back);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
p { margin: 0 0 1.5rem; color: var(--dim); overflow-wrap: anywhere; }
ol { list-style: none; margin: 0; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(170px, 1fr)); }
li { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  overflow: hidden; }
li img, li .none { width: 100%; aspect-ratio: 1; object-fit: contain; display: block;
  background: #fff; }
li .none { display: grid; place-items: center; color: #5b6472; }
li div.text { padding: .7rem .8rem .8rem; }
.title { font-weight: 600; overflow-wrap: anywhere; }
.dim { color: var(--dim); font-size: .85rem; overflow-wrap: anywhere; }
.score { font-variant-numeric: tabular-nums; }
"""


def search_page(
    hits: Sequence[SearchHit], *, query: str, catalog: str, fetcher: Fetcher, decoder: Decoder
) -> str:
    """The page as one file; every text on it is escaped, pictures are inside.

    Args:
        query: what was searched for, for the heading.
    """
    cards = "\n".join(_card(hit, fetcher, decoder) for hit in hits)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(query)} - zeroshelf</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(query)}</h1>
<p>{len(hits)} of catalog {escape(catalog)}, the nearest first</p>
<ol>
{cards}
</ol>
</body>
</html>
"""


def _card(hit: SearchHit, fetcher: Fetcher, decoder: Decoder) -> str:
    name = escape(hit.title or hit.item_id)
    label = ""
    if hit.label:
        label = (
            f'<div class="dim">{escape(hit.label)} <span class="score">{hit.score:.2f}</span></div>'
        )
    return f"""<li>{_picture(hit, fetcher, decoder)}<div class="text">
<div class="title">{name}</div>
<div class="dim">{escape(hit.item_id)}</div>{label}
<div class="dim score">similarity {hit.similarity:.3f}</div></div></li>"""


def _picture(hit: SearchHit, fetcher: Fetcher, decoder: Decoder) -> str:
    name = escape(hit.title or hit.item_id, quote=True)
    try:
        pixels = decoder.decode(fetcher.read(hit.source), hit.source)
    except ItemError:
        return '<div class="none">no picture</div>'
    encoded = base64.b64encode(thumbnail(pixels, side=THUMBNAIL_SIDE)).decode()
    return f'<img alt="{name}" loading="lazy" src="data:image/jpeg;base64,{encoded}">'
