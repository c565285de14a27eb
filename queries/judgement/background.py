"""How likely words beyond the labels are, for very many vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.labels.adaptation import TEMPERATURE, Adaptation
from indexer.records import FloatArray
from queries.scoring.scan import FEWEST_TILED, log_sums_of, products_with

if TYPE_CHECKING:
    from indexer.encoder.device import Device

_LogSums = Callable[[FloatArray], tuple[npt.NDArray[np.float64], ...]]


class BackgroundScorer:
    """Background words and the labels in play, made ready. Threads may share it.

    Args:
        both: the labels in play and then the words, adapted together.
        known: how many of them are labels.
        device: where they are scored; None is the CPU.
        packed: there are so many vectors that it pays to load torch.
    """

    def __init__(
        self, both: Adaptation, known: int, device: Device | None, *, packed: bool = False
    ) -> None:
        self._both = both
        rows = np.column_stack([both.vectors, both.biases])
        rows /= np.float32(both.spread * TEMPERATURE)
        if device is None:
            repeatable = len(rows) >= FEWEST_TILED
            both_products = [
                products_with(part, repeatable=repeatable, packed=packed)
                for part in np.split(rows, [known])
            ]
            self._log_sums: _LogSums = lambda queries: tuple(
                log_sums_of(products, queries) for products in both_products
            )
            return
        from indexer.encoder.half import HalfRows
        from queries.scoring.device_scan import FEWEST_SPARE

        both_parts = np.split(rows, [known])
        halves = [HalfRows(part, device, candidates=FEWEST_SPARE) for part in both_parts]
        self._log_sums = lambda queries: tuple(half.log_sums(queries) for half in halves)

    def scores(self, vectors: FloatArray) -> npt.NDArray[np.float64]:
        """Unknown scores, float64 (n,): ``background_score`` of sums.

        Args:
            vectors: float32 (n, d), rows of length 1.
        """
        ones = np.ones(len(vectors), dtype=np.float32)
        labels, words = self._log_sums(np.column_stack([self._both.queries(vectors), ones]))
        return np.asarray(TEMPERATURE * (words - labels))
