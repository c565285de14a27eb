"""Zero-shot classification of sounds with a model's folder, as users of it classify."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from pocket.sounds.synthesis import RATE

PROMPT = "This is a sound of {}."


class SoundZeroShot:
    """A model that names sounds by the nearest label text."""

    def __init__(self, folder: Path) -> None:
        self._model = SentenceTransformer(str(folder), device="cpu")

    def sounds(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Unit vectors, float32 (n, d), of sounds at `RATE` samples a second."""
        return self._encode([{"array": sound, "sampling_rate": RATE} for sound in sounds])

    def labels(self, wordings: Sequence[str], prompt: str = PROMPT) -> NDArray[np.float32]:
        """Unit vectors of the wordings in the prompt, float32 (n, d)."""
        return self._encode([{"text": prompt.format(wording)} for wording in wordings])

    def _encode(self, inputs: Sequence[dict[str, object]]) -> NDArray[np.float32]:
        vectors = self._model.encode(
            list(inputs), batch_size=32, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)
