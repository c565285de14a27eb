"""Batches of texts in which no vector depends on the other texts.

Texts of a batch are padded to one length, and the model gets a mask of the padding. That is not
enough for every model. SigLIP was trained on texts of exactly 64 tokens, padding included, and
has no mask: its texts are always padded to that length. In models that pad on the left and count
positions from the left, padding moves a text. So a probe measures whether padding changes
vectors; if it does, only texts of the same length share a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from indexer.core.records import FloatArray

_NO_LIMIT = 10**6
"""A tokenizer's limit from here on means that it has none."""

_OTHER_TOWERS = ("vision", "visual", "image", "audio")
_SAME_COSINE = {"float32": 1 - 1e-5}
_NEARLY_SAME_COSINE = 1 - 1e-3
"""For half precision, whose sums depend on the shape of a product."""

PROBES = (
    "mug",
    "a red ceramic mug with a white handle, dishwasher safe, three hundred millilitres",
    "shoes of black leather",
)


def positions_of(model: Any) -> int | None:
    """Tokens that a model's texts may have by its position embeddings; None where it has none.

    Args:
        model: of transformers.
    """
    import torch

    limits: list[int] = []
    for name, module in model.named_modules():
        learned = isinstance(module, torch.nn.Embedding) and "position" in name.rpartition(".")[2]
        if learned and not any(tower in name for tower in _OTHER_TOWERS):
            # RoBERTa's padding has a position, and texts begin after it.
            padding = -1 if module.padding_idx is None else module.padding_idx
            limits.append(module.num_embeddings - padding - 1)
    if limits:
        return min(limits)
    config = getattr(model.config, "text_config", model.config)
    stated = getattr(config, "max_position_embeddings", None)
    return stated if isinstance(stated, int) and stated > 0 else None


def longest_text(model: Any, tokenizer: Any) -> int | None:
    """Tokens at which a text is cut: what model and tokenizer both take; None for no limit."""
    limits = [positions_of(model), getattr(tokenizer, "model_max_length", None)]
    finite_limits = [int(limit) for limit in limits if limit is not None and 0 < limit < _NO_LIMIT]
    return min(finite_limits) if finite_limits else None


def fixed_length(model: Any) -> int | None:
    """Tokens that every text is padded to; None where the model does not ask for it.

    SigLIP and SigLIP 2 do: Zhai et al. 2023, "Sigmoid Loss for Language Image Pre-Training",
    arXiv:2303.15343; transformers' zero-shot pipeline pads them likewise.
    """
    return positions_of(model) if "siglip" in model.config.model_type else None


def padding_changes_vectors(embed: Callable[[Sequence[str]], FloatArray], *, dtype: str) -> bool:
    """Whether texts get other vectors in one padded batch than alone.

    Args:
        embed: float32 (n, d), rows of length 1, of texts in one batch.
        dtype: number format of the weights, as torch calls it.
    """
    together = embed(PROBES)
    alone = np.concatenate([embed([text]) for text in PROBES])
    least = float((together * alone).sum(axis=1).min())
    return not least >= _SAME_COSINE.get(dtype, _NEARLY_SAME_COSINE)


def in_batches(
    texts: Sequence[str],
    encode: Callable[[list[str]], FloatArray],
    *,
    lengths: Sequence[int],
    batch_size: int,
    by_length: bool,
) -> FloatArray:
    """Embed texts in batches of similar length.

    Args:
        encode: float32 (n, d) of texts in one batch.
        lengths: of each text, in tokens if ``by_length``; else in any unit.
        by_length: texts of different lengths don't share a batch.

    Returns:
        float32 (n, d), in the order of the texts.
    """
    order = sorted(range(len(texts)), key=lambda place: -lengths[place])
    batches: list[list[int]] = []
    for place in order:
        other_length = by_length and batches and lengths[place] != lengths[batches[-1][0]]
        if not batches or len(batches[-1]) == batch_size or other_length:
            batches.append([])
        batches[-1].append(place)
    vectors = np.concatenate([encode([texts[place] for place in batch]) for batch in batches])
    ordered = np.empty_like(vectors)
    ordered[order] = vectors
    return ordered


def overlong(texts: Sequence[str], tokenizer: Any, limit: int | None) -> dict[str, tuple[int, ...]]:
    """Texts with more tokens than the model takes, each with the tokens that it reads.

    Args:
        tokenizer: of transformers; None for a model that has none.
        limit: tokens that the model takes, those that begin and end a text included; None
            for a model that takes any number.
    """
    if tokenizer is None or limit is None:
        return {}
    # A token has at least one byte, and two tokens mark the ends.
    long = [text for text in dict.fromkeys(texts) if len(text.encode()) > limit - 2]
    if not long:
        return {}
    whole = tokenizer(long, truncation=False, verbose=False)["input_ids"]
    read = tokenizer(long, truncation=True, max_length=limit)["input_ids"]
    return {
        text: tuple(read_tokens)
        for text, all_tokens, read_tokens in zip(long, whole, read, strict=True)
        if len(all_tokens) > len(read_tokens)
    }
