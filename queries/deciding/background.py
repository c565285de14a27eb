"""How likely words beyond the labels are, for very many vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray
from indexer.labels.adaptation import TEMPERATURE, Adaptation
from queries.scoring.scan import Tiles


class BackgroundScorer:
    """Background words and the active labels, made ready. Threads may share it.

    Args:
        joint: the active labels and then the words, adapted together.
        label_count: how many of them are labels.
    """

    def __init__(self, joint: Adaptation, label_count: int) -> None:
        self._both = joint
        rows = np.column_stack([joint.vectors, joint.biases])
        scale = 1 / (joint.spread * TEMPERATURE)
        self._tiles = [Tiles(side_rows, scale) for side_rows in np.split(rows, [label_count])]

    def scores(self, vectors: FloatArray) -> npt.NDArray[np.float64]:
        """Unknown scores, float64 (n,): ``background_score`` of sums.

        Args:
            vectors: float32 (n, d), rows of length 1.
        """
        ones = np.ones(len(vectors), dtype=np.float32)
        queries = np.column_stack([self._both.queries(vectors), ones])
        labels, words = (tiles.log_sums(queries) for tiles in self._tiles)
        return np.asarray(TEMPERATURE * (words - labels))
