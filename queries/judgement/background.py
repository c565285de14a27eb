"""How likely words beyond the labels are, for very many vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.labels.adaptation import TEMPERATURE, Adaptation
from indexer.records import FloatArray
from queries.scoring.device import Device
from queries.scoring.device_scan import SPARE
from queries.scoring.half import HalfRows
from queries.scoring.scan import FEWEST_TILED, part_log_sums
from queries.scoring.tiles import Tiles


class Background:
    """Background words and the labels in play, made ready. Threads may share it.

    Args:
        both: the labels in play and then the words, adapted together.
        known: how many of them are labels.
        device: where they are scored; None is the CPU.
    """

    def __init__(self, both: Adaptation, known: int, device: Device | None) -> None:
        self._both, self._known = both, known
        rows = np.column_stack([both.vectors, both.biases])
        rows /= np.float32(both.spread * TEMPERATURE)
        self._tiles, self._parts = None, None
        if device is None:
            self._tiles = Tiles(rows, repeatable=len(rows) >= FEWEST_TILED)
        else:
            parts = np.split(rows, [known])
            self._parts = [HalfRows(part, device, candidates=SPARE) for part in parts]

    def scores(self, vectors: FloatArray) -> npt.NDArray[np.float64]:
        """Unknown scores, float64 (n,): ``background_score`` of sums.

        Args:
            vectors: float32 (n, d), rows of length 1.
        """
        ones = np.ones(len(vectors), dtype=np.float32)
        queries = np.column_stack([self._both.queries(vectors), ones])
        if self._parts is not None:
            labels, words = (part.log_sums(queries) for part in self._parts)
        else:
            assert self._tiles is not None
            known = self._known
            parts = [slice(known), slice(known, self._tiles.count)]
            labels, words = part_log_sums(self._tiles, queries, parts)
        return np.asarray(TEMPERATURE * (words - labels))
