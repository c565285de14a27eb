"""The many inputs of one long question, embedded in pieces between the questions of others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.records import FloatArray

if TYPE_CHECKING:
    from indexer.encoder import SentenceTransformerEncoder

In = TypeVar("In")

PIECE_S = 0.01
"""Seconds that one piece of a long question may keep others from the model: less than a question
of theirs takes, so that it is at most twice as slow."""

PATIENCE_S = 0.05
"""Longest wait of a piece for the questions of others: a service that is always asked goes on."""

# Short beside a forward pass.
_LOOK_S = 0.002

MOST_IN_PIECE = 16

RunsWithCatalog = Callable[[Callable[[OpenCatalog], Any]], Awaitable[Any]]
"""Does something with the catalog, in its thread."""


class Pieces:
    """Takes turns with the questions of others, on one event loop.

    Args:
        run: does something with the catalog, in its thread.

    Attributes:
        answers_under_way: questions that are being answered, long ones too.
    """

    def __init__(self, run: RunsWithCatalog) -> None:
        self._run = run
        self.answers_under_way = 0
        self._long_questions = 0

    async def embed(
        self,
        inputs: Sequence[In],
        embed: Callable[[SentenceTransformerEncoder, Sequence[In]], FloatArray],
    ) -> FloatArray:
        """Embed the many inputs of one question a few at a time, so that others go between.

        A piece takes about ``PIECE_S``, however slow the model is, and begins when no question of
        others is being answered, or after ``PATIENCE_S``. It ends where the caller is cancelled.

        Args:
            embed: of the model; called in the catalog's thread.

        Returns:
            float32 (n, d), rows of length 1.

        Raises:
            QueueFullError: too much waits.
        """
        vectors: list[FloatArray] = []
        embedded, size = 0, 1
        self._long_questions += 1
        try:
            while embedded < len(inputs):
                await self._let_others_go_first()
                piece = inputs[embedded : embedded + size]

                def embed_piece(
                    catalog: OpenCatalog, piece: Sequence[In] = piece
                ) -> tuple[FloatArray, float]:
                    start = time.perf_counter()
                    piece_vectors = embed(catalog.encoder, piece)
                    return piece_vectors, time.perf_counter() - start

                piece_vectors, seconds = await self._run(embed_piece)
                vectors.append(piece_vectors)
                embedded += len(piece)
                size = max(1, min(MOST_IN_PIECE, int(PIECE_S * len(piece) / max(seconds, 1e-6))))
        finally:
            self._long_questions -= 1
        return np.concatenate(vectors)

    async def _let_others_go_first(self) -> None:
        """Wait while questions that are no long ones are being answered."""
        until = time.monotonic() + PATIENCE_S
        while self.answers_under_way > self._long_questions and time.monotonic() < until:
            await asyncio.sleep(_LOOK_S)
