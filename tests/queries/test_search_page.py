"""The page of a search: what a card says of a hit."""

from __future__ import annotations

from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder
from queries.pages.parts import Pictures
from queries.pages.search import search_page
from queries.results import SearchHit


def _page(**fields: str) -> str:
    given = {"item_id": "mugs/1.jpg", "title": "", "source": "/missing.jpg", "label": ""} | fields
    hit = SearchHit(similarity=0.5, metadata={}, label_id="", score=0.0, **given)
    with Fetcher() as fetcher:
        pictures = Pictures(fetcher, Decoder())
        return search_page([hit], query="mug", catalog="shop", pictures=pictures)


def test_an_item_without_a_title_shows_its_id_once() -> None:
    """The id stands for the title, and is not repeated below it."""
    assert _page().count(">mugs/1.jpg<") == 1
    assert _page(title="Mug").count(">mugs/1.jpg<") == 1


def test_what_a_catalog_holds_is_text() -> None:
    """Titles, ids and labels of strangers are no markup."""
    evil = "<script>alert(1)</script>"
    page = _page(title=evil, item_id=evil + "'", label=evil)
    assert "<script>alert" not in page
