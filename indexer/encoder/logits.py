"""The logit scale of a model, and the bias of a SigLIP."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

TEXT_LOGIT_SCALE = 20.0
"""For models that carry none: the scale sentence-transformers trains text models with
(MultipleNegativesRankingLoss, ``scale=20``)."""

_SCALES: dict[str, Callable[[float], float]] = {
    "logit_scale": math.exp,  # CLIP and its family
    "logit_scale_a": math.exp,  # CLAP, whose other scale is for sounds by texts
    "temperature": lambda value: 1 / value,  # ALIGN
}
LOGIT_NAMES = (*_SCALES, "logit_bias")


@dataclass(frozen=True, slots=True, kw_only=True)
class Logits:
    """``scale * cosine + bias``.

    Attributes:
        bias: None where the model was trained by a softmax, which a bias does not change.
        learned: the model carries the scale; else it is ``TEXT_LOGIT_SCALE``.
    """

    scale: float
    bias: float | None
    learned: bool


def logits_of(named: dict[str, float]) -> Logits:
    """Scale and bias from the single numbers among a model's weights.

    Args:
        named: single numbers by the last part of their names, such as ``logit_scale``.

    Raises:
        ValueError: one is no number, or of a scale that no cosine can be multiplied by.
    """
    for name, scale_of in _SCALES.items():
        if name not in named:
            continue
        bias = named.get("logit_bias")
        try:
            scale = scale_of(named[name])
        except ArithmeticError:
            scale = math.inf
        if not (math.isfinite(scale) and scale > 0 and math.isfinite(bias or 0.0)):
            raise ValueError(
                f"its {name} is {named[name]:g}{'' if bias is None else f', its bias {bias:g}'}, "
                "which can't be: the weights are damaged"
            )
        return Logits(scale=scale, bias=bias, learned=True)
    return Logits(scale=TEXT_LOGIT_SCALE, bias=None, learned=False)
