"""Prepares sounds for a model: from mono samples to its input, always the same one.

CLAP's own processor cuts a random piece of a sound that is longer than its ten seconds, and of a
batch of short ones it marks a random one as long (for models that fuse pieces). Here a sound is a
window that is not longer, and each is marked as the processor marks one that comes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.errors import ItemError
from indexer.core.protocols import SoundInput
from indexer.core.reasons import Reason
from indexer.core.records import DoubleArray, FloatArray
from indexer.encoder.probes import probe_sound

if TYPE_CHECKING:
    import torch

_CLAP = "ClapFeatureExtractor"
_LEAST_POWER = 1e-10
"""Power below which CLAP's spectrograms hear nothing."""

_SAME_DB = 1e-3
"""Decibels between two spectrograms that are one, rounded otherwise."""


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
        return self._quick(samples) if self._is_quick else self._exact(samples)

    def _exact(self, samples: FloatArray) -> SoundInput:
        """By the model's own extractor, which goes through the frames one by one, in Python."""
        features = self.extractor([samples], sampling_rate=self.rate, return_tensors="np")
        return np.asarray(features["input_features"][0], dtype=np.float32)

    def _quick(self, samples: FloatArray) -> SoundInput:
        """The same log-mel spectrogram, all frames at once, without the interpreter's lock."""
        from scipy import fft

        extractor, size = self.extractor, self.extractor.fft_window_size
        padded = np.zeros(extractor.nb_max_samples)
        repeats = extractor.nb_max_samples // len(samples)
        padded[: repeats * len(samples)] = np.tile(samples, repeats)
        padded = np.pad(padded, size // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: extractor.hop_length]
        spectrum = fft.rfft(frames * self._window, axis=1)
        fuses = extractor.truncation == "fusion"
        filters = extractor.mel_filters if fuses else extractor.mel_filters_slaney
        bands = (spectrum.real**2 + spectrum.imag**2) @ filters
        decibels = (10 * np.log10(np.maximum(bands, _LEAST_POWER))).astype(np.float32)
        return np.stack([decibels] * (4 if fuses else 1))

    @cached_property
    def _window(self) -> DoubleArray:
        return np.hanning(self.extractor.fft_window_size + 1)[:-1]

    @cached_property
    def _is_quick(self) -> bool:
        """Whether the quick way gives what the extractor gives, for a long and a short sound."""
        if self.extractor.padding != "repeatpad":
            return False
        sound = probe_sound(self.rate)
        short = sound[: len(sound) // 3]
        return all(
            np.allclose(self._quick(probe), self._exact(probe), atol=_SAME_DB)
            for probe in (sound, short)
        )

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
