"""Cheap changes of spectrograms, so that no sound is heard twice alike."""

import torch
from torch import Tensor

_FLOOR_DB = -100.0  # the feature extractor's own


def augment(spectrograms: Tensor) -> Tensor:
    """Moved in time, louder or softer, in more noise, with stripes left out.

    Args:
        spectrograms: in dB, (n, 1, frames, mels).
    """
    count, _, frames, mels = spectrograms.shape
    shift = torch.randint(0, frames, (count, 1))
    rows = (torch.arange(frames)[None] + shift) % frames
    moved = spectrograms.gather(2, rows[:, None, :, None].expand(-1, 1, -1, mels))
    moved = moved + torch.empty(count, 1, 1, 1).uniform_(-12, 4)
    return _striped(_noisy(moved)).clamp(min=_FLOOR_DB)


def mix(spectrograms: Tensor, others: Tensor) -> Tensor:
    """Two sounds at once: their powers add up; all in dB, (n, 1, frames, mels)."""
    loudest = spectrograms.amax(dim=(1, 2, 3), keepdim=True)
    even = others - others.amax(dim=(1, 2, 3), keepdim=True) + loudest
    return _sum(spectrograms, even - torch.empty(len(others), 1, 1, 1).uniform_(0, 6))


def _sum(first: Tensor, second: Tensor) -> Tensor:
    return 10 * torch.log10(10 ** (first / 10) + 10 ** (second / 10) + 1e-10)


def _noisy(spectrograms: Tensor) -> Tensor:
    """With noise of random level and slope, below the loudest by 25 dB or more."""
    count, _, _, mels = spectrograms.shape
    loudest = spectrograms.amax(dim=(1, 2, 3), keepdim=True)
    level = loudest - torch.empty(count, 1, 1, 1).uniform_(25, 90)
    slope = torch.empty(count, 1, 1, 1).uniform_(-18, 6) * torch.linspace(-0.5, 0.5, mels)
    # The power of noise in one cell of a spectrogram is distributed exponentially.
    grain = 10 * torch.log10(torch.empty_like(spectrograms).exponential_() + 1e-3)
    return _sum(spectrograms, level + slope + grain)


def _striped(spectrograms: Tensor) -> Tensor:
    """Some with a stretch of time or some bands silent (Park et al., "SpecAugment", 2019)."""
    count, _, frames, mels = spectrograms.shape
    for axis, size, longest in ((2, frames, 32), (3, mels, 6)):
        start = torch.randint(0, size, (count, 1))
        length = torch.randint(0, longest, (count, 1)) * (torch.rand(count, 1) < 0.35)
        place = torch.arange(size)[None]
        hidden = (place >= start) & (place < start + length)
        shape = (count, 1, size, 1) if axis == 2 else (count, 1, 1, size)
        spectrograms = spectrograms.masked_fill(hidden.view(shape), _FLOOR_DB)
    return spectrograms
