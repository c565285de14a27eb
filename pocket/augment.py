"""Cheap changes of pictures, so that no picture is seen twice alike."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def augment(pixels: Tensor, size: int) -> Tensor:
    """Turned, zoomed, moved, mirrored, relit and noisy, then normalised as CLIP wants.

    Args:
        pixels: uint8 (n, height, width, 3).
        size: the side of the result.

    Returns:
        float32 (n, 3, size, size).
    """
    n = pixels.shape[0]
    pictures = pixels.permute(0, 3, 1, 2).float() / 255
    angle = (torch.rand(n) - 0.5) * math.radians(16)
    zoom = torch.empty(n).uniform_(0.82, 1.14)
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    move = (torch.rand(n, 2) - 0.5) * 0.16
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    rows = [
        torch.stack([cos * flip, -sin, move[:, 0]], 1),
        torch.stack([sin * flip, cos, move[:, 1]], 1),
    ]
    grid = affine_grid(torch.stack(rows, dim=1), [n, 3, size, size], align_corners=False)
    pictures = grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    contrast = torch.empty(n, 1, 1, 1).uniform_(0.85, 1.15)
    brightness = torch.empty(n, 1, 1, 1).uniform_(-0.07, 0.07)
    cast = torch.empty(n, 3, 1, 1).uniform_(0.96, 1.04)
    pictures = ((pictures - 0.5) * contrast + 0.5 + brightness) * cast
    pictures = pictures + torch.randn_like(pictures) * torch.rand(n, 1, 1, 1) * 0.025
    return normalise(pictures.clamp(0, 1))


def normalise(pictures: Tensor) -> Tensor:
    """Float pictures (n, 3, h, w) from 0..1 to CLIP's mean and deviation."""
    return (pictures - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
