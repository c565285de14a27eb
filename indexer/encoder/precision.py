"""Which number format a model computes in, and the check that it still gives its vectors.

On a CPU ``auto`` takes int8 for a wide model (where most of the time is spent in large
products), if the processor has instructions for it and the vectors of probe inputs keep
their direction; else float32. What it chose is logged once, with the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from indexer.errors import ModelError
from indexer.protocols import Pixels
from indexer.records import FloatArray

_log = logging.getLogger(__name__)

SAME_COSINE = 0.99
"""What probe vectors keep to those in float32 where a lower precision is chosen by itself."""

_WIDE = 512
"""Inputs of a layer from which int8 pays: narrower ones spend more on rounding than they save."""

_MOSTLY = 0.5
_PROJECTION = "projection"
"""How the names of the layers end whose outputs are vectors (CLIP and its family)."""

PROBE_TEXTS = (
    "a photo of a cat.",
    "a red ceramic mug with a white handle, dishwasher safe",
    "shoes",
)


class Precision(StrEnum):
    """Number formats of a model."""

    AUTO = "auto"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a model computes in, and why.

    Attributes:
        cosine: the least that probe vectors in int8 have to those in float32; None where
            int8 was not tried.
    """

    precision: Precision
    cosine: float | None = None


def weights_dtype(precision: Precision, device: str) -> str:
    """The number format that weights are loaded in, as torch calls it.

    Raises:
        ModelError: int8 is asked for, and the device is not a CPU.
    """
    if precision is Precision.AUTO:
        return "float16" if device.startswith("cuda") else "float32"
    if precision is Precision.INT8:
        if device != "cpu":
            raise ModelError(
                f"--precision int8 is for CPUs, and the device is {device!r}: leave it out "
                "(float16 on cuda), or give --device cpu."
            )
        return "float32"
    return str(precision)


def settle(model: Any, asked: Precision, probe: Callable[[], FloatArray]) -> Choice:
    """Make a model in float32 on a CPU compute as it was asked to, and as quickly as it can.

    In int8 are the layers that the probes go through, but for the last projection, whose
    output is the vector. So of a CLIP the texts stay in float32: labels are few beside
    pictures, and an error of theirs is in every decision.

    Args:
        model: a torch module, float32 on the CPU; its linear layers are replaced.
        asked: ``AUTO``, ``FLOAT32`` or ``INT8``.
        probe: float32 (n, d), the vectors of probe inputs by the model as it is now.

    Returns:
        ``FLOAT32`` or ``INT8``.

    Raises:
        ModelError: int8 was asked for, and this build of torch can't.
    """
    from indexer.encoder.linear import Int8Linear, is_right

    chosen = Choice(precision=Precision.FLOAT32)
    if asked is not Precision.FLOAT32:
        chosen = _tried_int8(model, asked, probe, can=is_right(Int8Linear, tolerance=0.05))
    pack(model)
    return chosen


def settle_again(tower: Any, asked: Precision, chosen: Choice) -> None:
    """Make a tower compute as ``settle`` once chose for it; no probe goes through it.

    Args:
        tower: a torch module whose linear layers all take part in what it gives.
    """
    from indexer.encoder.linear import Int8Linear, replace_linear

    if chosen.precision is Precision.INT8:
        replace_linear(tower, Int8Linear, where=lambda name, _: not name.endswith(_PROJECTION))
    if chosen.cosine is not None:
        _tell(asked, chosen.cosine)
    pack(tower)


def pack(model: Any) -> None:
    """The same products in float32, quicker where this build of torch can."""
    from indexer.encoder.linear import PackedLinear, is_right, replace_linear

    if is_right(PackedLinear, tolerance=1e-5):
        replace_linear(model, PackedLinear)


def _tried_int8(
    model: Any, asked: Precision, probe: Callable[[], FloatArray], *, can: bool
) -> Choice:
    from indexer.encoder.linear import Int8Linear, layers_at_work, replace_linear

    by_itself = asked is Precision.AUTO
    if not can and not by_itself:
        raise ModelError(
            "--precision int8: this build of torch can't multiply in int8 on this processor. "
            "Use --precision float32."
        )
    if by_itself and not (can and has_int8_products() and _is_wide(model)):
        return Choice(precision=Precision.FLOAT32)
    before: list[FloatArray] = []
    seen = layers_at_work(model, lambda: before.append(probe()))
    undo = replace_linear(
        model,
        Int8Linear,
        where=lambda name, linear: linear in seen and not name.endswith(_PROJECTION),
    )
    cosine = float((probe() * before[0]).sum(axis=1).min())
    _tell(asked, cosine)
    if by_itself and cosine < SAME_COSINE:
        undo()
        return Choice(precision=Precision.FLOAT32, cosine=cosine)
    return Choice(precision=Precision.INT8, cosine=cosine)


def _tell(asked: Precision, cosine: float) -> None:
    if cosine >= SAME_COSINE:
        if asked is Precision.AUTO:
            _log.info(
                "precision int8: quicker on this processor, and the vectors of probe inputs keep "
                "a cosine of %.4f to float32. --precision float32 is exact.",
                cosine,
            )
    elif asked is Precision.AUTO:
        _log.info(
            "precision float32: in int8 the vectors of probe inputs have a cosine of only %.4f "
            "to float32.",
            cosine,
        )
    else:
        _log.warning(
            "precision int8: the vectors of probe inputs have a cosine of only %.4f to float32. "
            "Use --precision float32 where labels matter more than time.",
            cosine,
        )


def has_int8_products() -> bool:
    """Whether the processor multiplies bytes in one instruction (VNNI); others gain little."""
    import torch

    return bool(getattr(torch.cpu, "_is_vnni_supported", lambda: False)())


def _is_wide(model: Any) -> bool:
    from indexer.encoder.linear import linear_layers, share_in_wide_layers

    layers = {linear for _, _, linear in linear_layers(model)}
    return share_in_wide_layers(layers, width=_WIDE) >= _MOSTLY


def probe_pictures() -> list[Pixels]:
    """Fixed uint8 (256, 256, 3): waves with an edge, and a shape on white."""
    rows, columns = np.mgrid[0:256, 0:256]
    waves = np.stack([127 + 120 * np.sin((rows + one * columns) / 20) for one in range(3)], axis=-1)
    waves[:, 128:] //= 2
    shape = np.full((256, 256, 3), 255)
    shape[(rows - 128) ** 2 + (columns - 128) ** 2 < 90**2] = (200, 30, 60)
    return [waves.astype(np.uint8), shape.astype(np.uint8)]
