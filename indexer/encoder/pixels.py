"""Normalises and embeds batches of prepared pictures.

A processor rescales and normalises picture by picture in numpy. Here a batch stays bytes, a quarter
of float32's size, until it is on the device, and is normalised there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray

if TYPE_CHECKING:
    import torch

_SAME_VALUES = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """Turns bytes into a model's input: ``(byte * factor - mean) / deviation``.

    Attributes:
        factor: 1/255 in nearly all models.
        mean: of each colour.
        deviation: of each colour.
    """

    factor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Normalise on the device where the batch is.

        Args:
            batch: uint8 (n, height, width, 3).

        Returns:
            float32 (n, 3, height, width).
        """
        import torch

        deviation = torch.tensor(self.deviation, device=batch.device)
        shift = torch.tensor(self.mean, device=batch.device) / deviation
        return (batch * (self.factor / deviation)).sub_(shift).permute(0, 3, 1, 2)


def normalisation_of(
    processor: Any, process: Callable[[Pixels], dict[str, Any]]
) -> Normalisation | None:
    """How a processor normalises pixels; None where it does more than that.

    Args:
        processor: an image processor of transformers.
        process: a picture by that processor, without resizing, to check the result with.
    """
    settings = processor.to_dict()
    if not (settings.get("do_rescale") and settings.get("do_normalize")):
        return None
    normalisation = Normalisation(
        factor=float(settings["rescale_factor"]),
        mean=tuple(settings["image_mean"]),
        deviation=tuple(settings["image_std"]),
    )
    import torch

    probe = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    processed = process(probe)
    if set(processed) != {"pixel_values"} or len(normalisation.mean) != 3:
        return None
    ours = normalisation(torch.from_numpy(probe[None]))
    theirs = torch.as_tensor(processed["pixel_values"])
    agrees = ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= _SAME_VALUES)
    return normalisation if agrees else None


def embed(
    replicas: Sequence[Any],
    pictures: Sequence[Pixels],
    *,
    forward: Callable[[Any, torch.Tensor], torch.Tensor],
    normalisation: Normalisation,
    batch_size: int,
) -> FloatArray:
    """Vectors of pictures of one size, a batch to each replica of the model in turn.

    GPUs run asynchronously, and results are awaited once, at the end. So replicas run in parallel,
    and the next batch is copied from pinned memory while one is embedded.

    Args:
        replicas: copies of the model, each on a device of its own.
        pictures: uint8 (input height, input width, 3) each, one or more.
        forward: vectors (n, d) by a replica of float (n, 3, input height, input width).

    Returns:
        float32 (n, d), in order, as the model gives them.
    """
    import torch

    outputs = []
    with torch.inference_mode():
        for number, start in enumerate(range(0, len(pictures), batch_size)):
            model = replicas[number % len(replicas)]
            batch = torch.from_numpy(np.stack(pictures[start : start + batch_size]))
            if model.device.type == "cuda":
                batch = batch.pin_memory().to(model.device, non_blocking=True)
            pixels = normalisation(batch.to(model.device)).to(model.dtype)
            outputs.append(forward(model, pixels))
        vectors: FloatArray = torch.cat([output.float().cpu() for output in outputs]).numpy()
    return vectors


def replicas_of(model: Any, *, devices: int) -> list[Any]:
    """The model on its own GPU and a copy on each of the others.

    Args:
        devices: how many GPUs there are; the model is on the first.
    """
    import copy

    return [model, *(copy.deepcopy(model).to(f"cuda:{number}") for number in range(1, devices))]
