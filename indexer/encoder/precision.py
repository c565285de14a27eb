"""The number formats that a model may compute in, and the rules for choosing one.

Every format but float32 is measured on the first inputs: it must be faster, and the vectors must
keep their direction. What counts is the cosine of **centred** vectors: all pictures of a catalog
share most of their vector, and labels depend on the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from indexer.core.errors import ModelError, ModelUsageError
from indexer.core.records import FloatArray

_log = logging.getLogger(__name__)

SAME_COSINE = 0.99
"""Least cosine of centred vectors to float32's for a format that ``auto`` chooses."""

EXACT_COSINE = 0.9999
"""The same for float32 by another backend; below it the backend is wrong."""

WORST_COSINE = 0.9
"""Below it a requested format is refused: labels would change."""

LEAST_GAIN = 1.05
"""A smaller speedup is not worth other rounding."""

LEAST_SPEED = 0.2
"""A requested format with a smaller share of float32's rate is refused."""

_WIDE = 512
"""Inputs of a layer from which int8 pays; narrower layers lose more by rounding than they save."""

_WIDE_SHARE = 0.5


class Precision(StrEnum):
    """Number formats of a model."""

    AUTO = "auto"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


class Backend(StrEnum):
    """The library that computes matrix products."""

    TORCH = "torch"
    PACKED = "packed weights"
    ONNX = "ONNX Runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionChoice:
    """The precision and backend of one side of a model, and why.

    Attributes:
        cosine: the least that centred vectors had to those in float32; None where nothing but
            float32 was tried.
        speedup: rate over that of torch's float32; None where it was not measured.
        complete: no other variant is left to be measured.
    """

    precision: Precision
    backend: Backend = Backend.TORCH
    cosine: float | None = None
    speedup: float | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A variant measured against torch's float32 on the same inputs.

    Attributes:
        cosine: the least of the centred vectors.
    """

    precision: Precision
    backend: Backend
    speedup: float
    cosine: float

    @property
    def fits(self) -> bool:
        """Whether ``auto`` may choose it."""
        least = EXACT_COSINE if self.precision is Precision.FLOAT32 else SAME_COSINE
        return self.speedup >= LEAST_GAIN and self.cosine >= least


def weights_dtype(precision: Precision, device: str) -> str:
    """The number format that weights are loaded in, as torch calls it.

    Raises:
        ModelError: int8 on a device that is no CPU.
    """
    if precision is Precision.AUTO:
        return "float16" if device.startswith("cuda") else "float32"
    if precision is Precision.INT8:
        if device != "cpu":
            raise ModelUsageError(
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


def best_of(measured: list[Measured]) -> PrecisionChoice:
    """The fastest that fits; a simpler one where that is nearly as fast."""
    best = PrecisionChoice(precision=Precision.FLOAT32, speedup=1.0)

    def simplicity(candidate: Measured) -> tuple[bool, bool]:
        return candidate.precision is not Precision.FLOAT32, candidate.backend is Backend.ONNX

    for candidate in sorted(measured, key=simplicity):
        if candidate.fits and candidate.speedup >= LEAST_GAIN * (best.speedup or 1.0):
            best = PrecisionChoice(
                precision=candidate.precision,
                backend=candidate.backend,
                cosine=None if candidate.precision is Precision.FLOAT32 else candidate.cosine,
                speedup=candidate.speedup,
            )
    return best


def log_choice(choice: PrecisionChoice, measured: list[Measured]) -> None:
    """Log what ``auto`` chose and what it rejected, with the figures; once a start."""
    if choice.precision is not Precision.FLOAT32 or choice.backend is Backend.ONNX:
        cosine = ""
        if choice.cosine is not None:
            cosine = (
                f", and centred vectors of the first inputs keep a cosine of {choice.cosine:.4f} "
                "to float32. --precision float32 is exact"
            )
        _log.info(
            "precision %s by %s: %.2f times the rate of torch's float32 on this machine%s.",
            *(choice.precision, choice.backend, choice.speedup or 1.0, cosine),
        )
    for candidate in measured:
        if candidate.precision is not Precision.FLOAT32 and candidate.cosine < SAME_COSINE:
            _log.info(
                "precision %s by %s was not taken: centred vectors of the first inputs have a "
                "cosine of only %.4f to float32.",
                *(candidate.precision, candidate.backend, candidate.cosine),
            )


def check_requested(measured: Measured) -> None:
    """Warn where a requested format gains nothing or turns vectors.

    Raises:
        ModelError: it turns them so far that labels would change.
    """
    figures = (
        f"--precision {measured.precision}: {measured.speedup:.2f} times the rate of float32, and "
        f"a least cosine of {measured.cosine:.4f} of centred vectors to float32's, on the first "
        "inputs"
    )
    if measured.cosine < WORST_COSINE:
        raise ModelError(f"{figures}. Labels would be others: use --precision float32.")
    if measured.cosine < SAME_COSINE:
        _log.warning("%s. Use --precision float32 where labels matter more than time.", figures)
    elif measured.speedup < 1.0:
        _log.warning("%s: it gains nothing. --precision float32 is quicker, and exact.", figures)


def refuse_slow(precision: Precision, speed: float) -> None:
    """Refuse a requested format whose products are far slower than float32's.

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
    """Whether layers that int8 can speed up hold most of a model's weights.

    Args:
        layers: its linear layers.
    """
    sizes = [layer.weight.shape for layer in layers]
    wide = sum(rows * columns for rows, columns in sizes if columns >= _WIDE)
    return bool(wide >= _WIDE_SHARE * max(1, sum(rows * columns for rows, columns in sizes)))
