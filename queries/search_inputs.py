"""From what a user searches by to what is found: words, a picture or a sound, a stored item."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.sources import Fetcher
from indexer.sources.decoding.contents import ContentDecoder
from queries.inputs.embedding import content_vector
from queries.inputs.stored import stored_items
from queries.results import SearchResult
from queries.search.finding import find
from queries.search.query import SearchQuery
from queries.search.query_vector import check_question, query_vector, without_words

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchInputs:
    """What is searched by, as a user gives it.

    Attributes:
        text: words; None for none.
        content: path or URL of a picture or a sound.
        item_id: a stored item, whose likes are looked for.
        text_weight: share of the words where both are given, 0 to 1.
        hybrid: find what has the words, too.
    """

    text: str | None = None
    content: str | None = None
    item_id: str | None = None
    text_weight: float = 0.5
    hybrid: bool = False

    def check(self, query: SearchQuery) -> None:
        """Refuse what can't be answered, before a model is loaded for it.

        Raises:
            UsageError: as ``check_question``, or a picture and an item are given.
        """
        if self.content and self.item_id is not None:
            raise UsageError(
                "--image, --sound and --item each stand for what is looked for: give one of them."
            )
        pictured = self.item_id is not None or bool(self.content)
        check_question(
            self.text,
            pictured=pictured,
            hybrid=self.hybrid,
            without=query.without,
            chooses=query.chooses,
        )


def find_by_inputs(
    catalog: OpenCatalog,
    inputs: SearchInputs,
    query: SearchQuery,
    *,
    decoder: ContentDecoder,
    fetcher: Fetcher,
) -> SearchResult:
    """The best items for words, a picture, a sound or a stored item.

    Args:
        query: all but its vector, its words and the item to leave out, which the inputs give.

    Raises:
        UsageError: the question can't be answered, or there is no such item.
        ItemError: the picture or the sound can't be read.
    """
    inputs.check(query)
    text = inputs.text if inputs.text and inputs.text.strip() else None
    text_vector, negatives = _vectors_of_words(catalog, text, query, hybrid=inputs.hybrid)
    picture = None
    if inputs.content:
        picture = content_vector(catalog.encoder, inputs.content, decoder=decoder, fetcher=fetcher)
    if inputs.item_id is not None:
        picture = _item_vector(catalog, inputs.item_id)
    if text_vector is not None or picture is not None:
        vector = query_vector(text_vector, picture, text_weight=inputs.text_weight)
        query = replace(query, vector=without_words(vector, negatives))
    words = text if text and inputs.hybrid else ""
    return find(catalog, replace(query, words=words, leave_out=inputs.item_id))


def _vectors_of_words(
    catalog: OpenCatalog, text: str | None, query: SearchQuery, *, hybrid: bool
) -> tuple[FloatArray | None, Sequence[FloatArray]]:
    """The vectors of what is wanted and of what is not; none where words alone must do."""
    texts = [*([text] if text else []), *query.without]
    if not texts:
        return None, []
    if hybrid and not catalog.has_model:
        _log.warning(
            "catalog %r was made of given vectors, and no --model is named: it is searched by "
            "words alone.",
            catalog.folder.name,
        )
        return None, []
    # Together, since each call is a forward pass of its own.
    vectors = catalog.encoder.embed_queries(texts)
    return (vectors[0], list(vectors[1:])) if text else (None, list(vectors))


def _item_vector(catalog: OpenCatalog, item_id: str) -> FloatArray:
    stored = stored_items(catalog, [item_id])
    if stored.errors:
        raise UsageError(f"--item {item_id!r}: {stored.errors[0]}.")
    vector: FloatArray = stored.vectors[0]
    return vector
