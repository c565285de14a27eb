"""Embeds the titles of pictures: each title once a shard, and none that has a vector already.

A title says what a picture does not show, so a picture with a title gets two vectors. Milvus
holds the vector of the picture; the archive holds both.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from indexer.catalog.archive import Archive
from indexer.catalog.ledger import Place
from indexer.core.chunks import in_chunks
from indexer.core.errors import ModelError
from indexer.core.hashing import described_hash
from indexer.core.records import EmbeddedItem, FloatArray, Item, Kind

_log = logging.getLogger(__name__)

_BATCHES_AT_ONCE = 32


class TextEncoder(Protocol):
    """A model's text encoder."""

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d), rows of length 1, in order; long texts are cut at the limit."""
        ...


class Titles:
    """Adds the vectors of their titles to the rows of a shard.

    Args:
        encoder: None embeds no title; vectors of earlier rows with the same title are kept.
        archive: holds the earlier rows.
    """

    def __init__(self, encoder: TextEncoder | None, archive: Archive, *, batch_size: int) -> None:
        self._encoder = encoder
        self._archive = archive
        self._batch_size = batch_size
        self.embedded = 0
        """Titles that went through the model."""
        self.not_embedded = 0
        """Titles of sounds and videos: they are found by their words only."""

    def is_current(self, item: Item, row_hash: str) -> bool:
        """Whether a stored row agrees with the item, and has a title vector if it needs one.

        Args:
            row_hash: of the stored row.
        """
        with_title = described_hash(item, with_title=True)
        if _has_title(item) and self._encoder is not None:
            return row_hash == with_title
        return row_hash in {with_title, described_hash(item)}

    def with_vectors(
        self, rows: Sequence[EmbeddedItem], previous: Mapping[str, Place]
    ) -> list[EmbeddedItem]:
        """The rows with title vectors, where they have a title.

        Args:
            previous: the place of each item's previous row, by item id.
        """
        self.not_embedded += sum(map(_has_other_title, rows))
        titled = [row for row in rows if _has_title(row)]
        if not titled:
            return list(rows)
        vectors = self._stored_vectors(titled, previous)
        vectors |= self._embed(
            dict.fromkeys(row.title for row in titled if row.title not in vectors)
        )
        return [
            replace(
                row,
                title_vector=vectors[row.title],
                row_hash=described_hash(row, with_title=True),
            )
            if _has_title(row) and row.title in vectors
            else row
            for row in rows
        ]

    def _stored_vectors(
        self, rows: Iterable[EmbeddedItem], previous: Mapping[str, Place]
    ) -> dict[str, FloatArray]:
        """Vectors of unchanged titles, by title: a changed price needs no embedding."""
        vectors: dict[str, FloatArray] = {}
        for row in rows:
            place = previous.get(row.item_id)
            if place is not None and row.title not in vectors:
                title, vector = self._archive.title(place.shard, place.row)
                if title == row.title and vector is not None:
                    vectors[title] = vector
        return vectors

    def _embed(self, titles: Iterable[str]) -> dict[str, FloatArray]:
        if self._encoder is None:
            return {}
        vectors: dict[str, FloatArray] = {}
        # Many batches at once, since the encoder sorts titles by length into its batches.
        for chunk in in_chunks(titles, self._batch_size * _BATCHES_AT_ONCE):
            try:
                vectors |= dict(zip(chunk, self._encoder.embed_texts(chunk), strict=True))
            except ModelError:
                vectors |= self._one_by_one(chunk)
        self.embedded += len(vectors)
        return vectors

    def _one_by_one(self, titles: Sequence[str]) -> dict[str, FloatArray]:
        """Embed the titles of a failed batch one by one; a title that fails again is skipped."""
        assert self._encoder is not None
        vectors: dict[str, FloatArray] = {}
        for title in titles:
            try:
                vectors[title] = self._encoder.embed_texts([title])[0]
            except ModelError as error:
                _log.warning("the title %.80r is left out: %s", title, error)
        return vectors


def _has_title(item: Item | EmbeddedItem) -> bool:
    return item.kind is Kind.PICTURE and bool(item.title.strip())


def _has_other_title(row: EmbeddedItem) -> bool:
    """Whether a row is an item's own, of a sound or a video with a title."""
    return row.kind in {Kind.SOUND, Kind.VIDEO} and bool(row.title.strip()) and not row.parent_id
