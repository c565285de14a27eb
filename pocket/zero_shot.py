"""Zero-shot classification with a model's folder, as users of it classify."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sentence_transformers import SentenceTransformer


class ZeroShot:
    """A model that names pictures by the nearest label text."""

    prompt = "a photo of a {}"
    batch_size = 64

    def __init__(self, folder: Path) -> None:
        self._model = SentenceTransformer(str(folder), device="cpu")

    def pictures(self, pictures: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Unit vectors, float32 (n, d)."""
        return self._encode(list(pictures))

    def labels(self, wordings: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of the wordings in the prompt, float32 (n, d)."""
        return self._encode([{"text": self.prompt.format(wording)} for wording in wordings])

    def _encode(self, inputs: list[Any]) -> NDArray[np.float32]:
        vectors = self._model.encode(
            inputs, batch_size=self.batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


def ranks(
    pictures: NDArray[np.float32], labels: NDArray[np.float32], truth: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many labels are nearer to each picture than the true one: 0 is right.

    Args:
        pictures: unit vectors (n, d).
        labels: unit vectors (m, d).
        truth: the row of each picture's label, (n,).
    """
    scores = pictures @ labels.T
    true = scores[np.arange(len(truth)), truth]
    return np.asarray((scores > true[:, None]).sum(axis=1), dtype=np.int64)
