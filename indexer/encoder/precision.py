"""Which number format a model computes in, and what makes one fit.

Every format but float32 is tried when it is first used, on the first inputs that come: it must
be quicker, and the vectors must keep their direction. What counts is the cosine of **centred**
vectors: all pictures of a catalog share most of their vector, and labels go by the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from indexer.core.errors import ModelError
from indexer.core.records import FloatArray

_log = logging.getLogger(__name__)

SAME_COSINE = 0.99
"""The least cosine that a centred vector keeps to float32's where a format is chosen by itself."""

EXACT_COSINE = 0.9999
"""The same of float32 by other means: below it something is wrong with it."""

WORST_COSINE = 0.9
"""Below it a format that was asked for is refused: labels would be others."""

LEAST_GAIN = 1.05
"""A speedup below it is not worth another arithmetic."""

LEAST_SPEED = 0.2
"""A format that was asked for and has less than this share of float32's rate is refused."""

_WIDE = 512
"""Inputs of a layer from which int8 pays: narrower ones spend more on rounding than they save."""

_MOSTLY = 0.5


class Precision(StrEnum):
    """Number formats of a model."""

    AUTO = "auto"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class Backend(StrEnum):
    """What multiplies."""

    TORCH = "torch"
    PACKED = "packed weights"
    ONNX = "ONNX Runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one side of a model computes in, and why.

    Attributes:
        cosine: the least that centred vectors had to those in float32; None where nothing but
            float32 was tried.
        speedup: rate over that of torch's float32; None where it was not measured.
        complete: everything that may be tried was tried.
    """

    precision: Precision
    backend: Backend = Backend.TORCH
    cosine: float | None = None
    speedup: float | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One way to compute, against torch's float32 on the same inputs.

    Attributes:
        cosine: the least of the centred vectors.
    """

    precision: Precision
    backend: Backend
    speedup: float
    cosine: float

    @property
    def fits(self) -> bool:
        """Whether it may be chosen by itself."""
        exact = self.precision is Precision.FLOAT32
        least = EXACT_COSINE if exact else SAME_COSINE
        return self.speedup >= LEAST_GAIN and self.cosine >= least


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


def centred_cosine(vectors: FloatArray, exact: FloatArray) -> float:
    """The least cosine of the vectors' differences from the mean of the exact ones.

    Args:
        vectors: float32 (n, d), rows of length 1; n at least 2.
        exact: float32 (n, d), of the same inputs in float32.
    """
    mean = exact.mean(axis=0)
    ours, theirs = vectors - mean, exact - mean
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / np.maximum(lengths, 1e-12)).min())


def best_of(measured: list[Measured]) -> Choice:
    """The quickest that fits; what is simpler where that is nearly as quick."""
    best = Choice(precision=Precision.FLOAT32, speedup=1.0)

    def simplicity(candidate: Measured) -> tuple[bool, bool]:
        return candidate.precision is not Precision.FLOAT32, candidate.backend is Backend.ONNX

    for candidate in sorted(measured, key=simplicity):
        if candidate.fits and candidate.speedup >= LEAST_GAIN * (best.speedup or 1.0):
            best = Choice(
                precision=candidate.precision,
                backend=candidate.backend,
                cosine=None if candidate.precision is Precision.FLOAT32 else candidate.cosine,
                speedup=candidate.speedup,
            )
    return best


def tell(choice: Choice, measured: list[Measured]) -> None:
    """Say what was chosen by itself, and what was not, with the figures; once a start."""
    if choice.precision is not Precision.FLOAT32 or choice.backend is Backend.ONNX:
        _log.info(
            "precision %s by %s: %.2f times the rate of torch's float32 on this machine%s.",
            choice.precision,
            choice.backend,
            choice.speedup or 1.0,
            ""
            if choice.cosine is None
            else f", and centred vectors of the first inputs keep a cosine of {choice.cosine:.4f} "
            "to float32. --precision float32 is exact",
        )
    for candidate in measured:
        if candidate.precision is not Precision.FLOAT32 and candidate.cosine < SAME_COSINE:
            _log.info(
                "precision %s by %s was not taken: centred vectors of the first inputs have a "
                "cosine of only %.4f to float32.",
                candidate.precision,
                candidate.backend,
                candidate.cosine,
            )


def check_requested(way: Measured) -> None:
    """Warn where a format that was asked for gains nothing or turns vectors.

    Raises:
        ModelError: it turns them so far that labels would be others.
    """
    figures = (
        f"--precision {way.precision}: {way.speedup:.2f} times the rate of float32, and a "
        f"least cosine of {way.cosine:.4f} of centred vectors to float32's, on the first inputs"
    )
    if way.cosine < WORST_COSINE:
        raise ModelError(f"{figures}. Labels would be others: use --precision float32.")
    if way.cosine < SAME_COSINE:
        _log.warning("%s. Use --precision float32 where labels matter more than time.", figures)
    elif way.speedup < 1.0:
        _log.warning(
            "%s: it gains nothing here. --precision float32 is quicker, and exact.", figures
        )


def refuse_slow(precision: Precision, speed: float) -> None:
    """Refuse a format whose products are far slower than float32's, before they are used.

    Args:
        speed: rate of one layer over float32's.

    Raises:
        ModelError: names the figure and the remedy.
    """
    if speed < LEAST_SPEED:
        raise ModelError(
            f"--precision {precision}: this processor multiplies {1 / speed:.0f} times slower in "
            f"it than in float32 (its instructions: {instructions()}). Use --precision float32, "
            "or leave it out."
        )


def has_int8_products() -> bool:
    """Whether the processor multiplies bytes in one instruction (VNNI); others gain little."""
    import torch

    return bool(getattr(torch.cpu, "_is_vnni_supported", lambda: False)())


def instructions() -> str:
    """The widest instructions that torch uses here, such as ``AVX512 with VNNI``."""
    import torch

    capability = str(torch.backends.cpu.get_cpu_capability())
    return f"{capability} with VNNI" if has_int8_products() else capability


def is_wide(layers: Collection[Any]) -> bool:
    """Whether most of a model's time is spent in products that int8 may spare.

    Args:
        layers: its linear layers.
    """
    sizes = [layer.weight.shape for layer in layers]
    wide = sum(rows * columns for rows, columns in sizes if columns >= _WIDE)
    return bool(wide >= _MOSTLY * max(1, sum(rows * columns for rows, columns in sizes)))
