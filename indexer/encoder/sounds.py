"""Prepares sounds for a model: from mono samples to its input, always the same one.

CLAP's own processor cuts a random piece of a sound that is longer than its ten seconds, and of a
batch of short ones it marks a random one as long (for models that fuse pieces). Here a sound is a
window that is not longer, and each is marked as the processor marks one that comes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.errors import ItemError
from indexer.core.protocols import SoundInput
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray

if TYPE_CHECKING:
    import torch

_CLAP = "ClapFeatureExtractor"


class SoundPreparation:
    """Makes a model's inputs of sounds; threads may share it.

    Args:
        extractor: the model's feature extractor, of transformers.
    """

    def __init__(self, extractor: Any) -> None:
        self.extractor = extractor
        self.rate = int(extractor.sampling_rate)
        self.is_clap = type(extractor).__name__ == _CLAP

    @property
    def longest_s(self) -> float | None:
        """Seconds beyond which the model would cut a sound; None for no limit."""
        return float(self.extractor.max_length_s) if self.is_clap else None

    def prepare(self, samples: FloatArray) -> SoundInput:
        """The input of one sound.

        Args:
            samples: float32 (n,), mono, at ``rate``.

        Returns:
            For CLAP float32 (1 or 4, frames, mel bins), its log-mel spectrogram; for other
            models the samples.

        Raises:
            ItemError: TOO_LONG: it is longer than the model takes.
        """
        if not self.is_clap:
            return samples
        if len(samples) > self.extractor.nb_max_samples:
            raise ItemError(
                Reason.TOO_LONG,
                f"a window of {len(samples) / self.rate:g} s, the model takes {self.longest_s:g}; "
                "give a shorter --window",
            )
        features = self.extractor([samples], sampling_rate=self.rate, return_tensors="np")
        return np.asarray(features["input_features"][0], dtype=np.float32)

    def batch(self, inputs: Sequence[SoundInput], *, like: torch.Tensor) -> dict[str, Any]:
        """What CLAP's module of sentence-transformers takes for some inputs.

        Args:
            like: a weight of the model, for the device and the number format.
        """
        import torch

        features = torch.from_numpy(np.stack(inputs)).to(like.device, like.dtype)
        fuses = self.extractor.truncation == "fusion"
        is_longer = torch.full((len(inputs), 1), fuses, device=like.device)
        return {"input_features": features, "is_longer": is_longer, "modality": "audio"}
