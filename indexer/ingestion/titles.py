"""Titles of pictures as vectors: each title once a shard, and never one that is known.

A title says what a picture leaves open, so a picture that has one is embedded on both
sides of the model. The vector that Milvus holds stays the picture's own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from indexer.catalog.archive import Archive
from indexer.catalog.ledger import Place
from indexer.core.errors import ModelError
from indexer.core.hashing import described_hash
from indexer.core.records import EmbeddedItem, FloatArray, Item, Kind

_log = logging.getLogger(__name__)

_BATCHES_AT_ONCE = 32


class TextEncoder(Protocol):
    """The side of a model that reads."""

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d), rows of length 1, in order; long texts are cut at the limit."""
        ...


class Titles:
    """Gives the rows of a shard the vectors of their titles.

    Args:
        encoder: None embeds no title; what earlier rows have of the same title is kept.
        archive: where earlier rows lie.
    """

    def __init__(self, encoder: TextEncoder | None, archive: Archive, *, batch_size: int) -> None:
        self._encoder = encoder
        self._archive = archive
        self._batch_size = batch_size
        self.embedded = 0
        """Titles that went through the model."""

    def are_as_wanted(self, item: Item, row_hash: str) -> bool:
        """Whether a stored row says what the item says, and has a title vector if it shall.

        Args:
            row_hash: of the stored row.
        """
        with_title = described_hash(item, with_title=True)
        if _has_title(item) and self._encoder is not None:
            return row_hash == with_title
        return row_hash in {with_title, described_hash(item)}

    def added(
        self, rows: Sequence[EmbeddedItem], before: Mapping[str, Place]
    ) -> list[EmbeddedItem]:
        """The rows with title vectors, where they have a title.

        Args:
            before: by item id, where the item's row before lies.
        """
        titled = [row for row in rows if _has_title(row)]
        if not titled:
            return list(rows)
        known = self._kept(titled, before)
        known |= self._embedded(
            dict.fromkeys(row.title for row in titled if row.title not in known)
        )
        return [
            replace(
                row,
                title_vector=known[row.title],
                row_hash=described_hash(row, with_title=True),
            )
            if _has_title(row) and row.title in known
            else row
            for row in rows
        ]

    def _kept(
        self, rows: Iterable[EmbeddedItem], before: Mapping[str, Place]
    ) -> dict[str, FloatArray]:
        """Vectors by title that rows before have: a changed price embeds nothing."""
        found: dict[str, FloatArray] = {}
        for row in rows:
            place = before.get(row.item_id)
            if place is not None and row.title not in found:
                title, vector = self._archive.title(place.shard, place.row)
                if title == row.title and vector is not None:
                    found[title] = vector
        return found

    def _embedded(self, titles: Iterable[str]) -> dict[str, FloatArray]:
        if self._encoder is None:
            return {}
        found: dict[str, FloatArray] = {}
        wanted = list(titles)
        # Many at once: the encoder puts titles of one length into one batch.
        for start in range(0, len(wanted), step := self._batch_size * _BATCHES_AT_ONCE):
            some = wanted[start : start + step]
            try:
                found |= dict(zip(some, self._encoder.embed_texts(some), strict=True))
            except ModelError:
                found |= self._one_by_one(some)
        self.embedded += len(found)
        return found

    def _one_by_one(self, titles: Sequence[str]) -> dict[str, FloatArray]:
        """After a batch failed: a title that the model can't embed leaves its item a picture."""
        assert self._encoder is not None
        found: dict[str, FloatArray] = {}
        for title in titles:
            try:
                found[title] = self._encoder.embed_texts([title])[0]
            except ModelError as error:
                _log.warning("the title %.80r is left out: %s", title, error)
        return found


def _has_title(one: Item | EmbeddedItem) -> bool:
    return one.kind is Kind.PICTURE and bool(one.title.strip())
