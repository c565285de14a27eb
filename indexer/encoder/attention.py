"""Relevance of a picture's patches by attention and its gradients.

Chefer, Gur and Wolf 2021, "Generic Attention-model Explainability for Interpreting
Bi-Modal and Encoder-Decoder Transformers", ICCV, arXiv:2103.15679: each layer
adds what flows through its attention, weighted by the gradient of what is explained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.records import FloatArray

if TYPE_CHECKING:
    import torch


def is_traceable(model: Any) -> bool:
    """Whether a transformers model has a vision transformer whose class token is projected."""
    vision = getattr(getattr(model, "vision_model", None), "config", None)
    has_attention = hasattr(vision, "num_attention_heads") and hasattr(vision, "patch_size")
    return has_attention and hasattr(model, "visual_projection")


def relevance(model: Any, pixels: torch.Tensor, directions: FloatArray) -> FloatArray:
    """Relevance of each patch for the inner product of the picture's vector with a direction.

    Args:
        model: one that ``is_traceable``.
        pixels: float (1, 3, height, width), as the model takes them.
        directions: float32 (k, d).

    Returns:
        float32 (k, rows, columns), 0 or more.
    """
    import torch

    pixels = pixels.to(model.device, model.dtype)
    side = model.vision_model.config.patch_size
    rows, columns = (int(length) // side for length in pixels.shape[-2:])
    with _eager_attention(model), torch.enable_grad():
        seen = model.vision_model(pixel_values=pixels, output_attentions=True)
        vector = model.visual_projection(seen.pooler_output)[0].float()
        vector = vector / vector.norm()
        relevances = []
        for direction in directions:
            score = vector @ torch.as_tensor(direction, device=vector.device)
            gradients = torch.autograd.grad(score, seen.attentions, retain_graph=True)
            maps = [attention.detach().float() for attention in seen.attentions]
            flow = class_token_flow(maps, [gradient.float() for gradient in gradients])
            relevances.append(flow[-rows * columns :].reshape(rows, columns).cpu().numpy())
    return np.stack(relevances).astype(np.float32)


def class_token_flow(
    attentions: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]
) -> torch.Tensor:
    """The paper's rule for self-attention, from the first layer to the last.

    Args:
        attentions: float (1, heads, tokens, tokens), a tensor a layer.
        gradients: of what is explained, by each of them.

    Returns:
        float (tokens,): the class token's row of the relevances.
    """
    import torch

    tokens = attentions[0].shape[-1]
    relevances = torch.eye(tokens, device=attentions[0].device)
    for attention, gradient in zip(attentions, gradients, strict=True):
        mean = (gradient * attention).clamp(min=0).mean(dim=1)[0]
        relevances = relevances + mean @ relevances
    return relevances[0]


@contextlib.contextmanager
def _eager_attention(model: Any) -> Iterator[None]:
    """Switch to the eager implementation, the only one that returns attention weights."""
    previous = model.vision_model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(previous)
