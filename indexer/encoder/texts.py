"""How texts go through a model in batches, so that no vector depends on its neighbours.

Texts of a batch are padded to one length, and the model is told which tokens are padding. That
is not enough for all: SigLIP was trained on texts of exactly 64 tokens, padding among them, and
has no mask; where padding stands before a text and positions count from the left, it moves
them. So the first are always padded to that length, and whether the others' vectors stay as
they are is found out by a probe; if not, only texts of the same length share a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from indexer.core.records import FloatArray

_NO_LIMIT = 10**6
"""From here on a tokenizer's longest text means that it knows none."""

_OTHER_TOWERS = ("vision", "visual", "image", "audio")
_SAME_COSINE = {"float32": 1 - 1e-5}
_NEARLY_SAME_COSINE = 1 - 1e-3
"""What padding may cost in half precision, whose sums depend on the shape of a product."""

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
            # Where padding has a position of its own, texts begin behind it (RoBERTa).
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


def padding_matters(embed: Callable[[Sequence[str]], FloatArray], *, dtype: str) -> bool:
    """Whether texts that are padded together get other vectors than alone.

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
    apart: bool,
) -> FloatArray:
    """Vectors of texts, embedded beside others of about their length.

    Args:
        encode: float32 (n, d) of texts in one batch.
        lengths: of each text: tokens, where ``apart``; else what grows with them will do.
        apart: texts of different lengths don't share a batch.

    Returns:
        float32 (n, d), in the order of the texts.
    """
    order = sorted(range(len(texts)), key=lambda place: -lengths[place])
    batches: list[list[int]] = []
    for place in order:
        other_length = apart and batches and lengths[place] != lengths[batches[-1][0]]
        if not batches or len(batches[-1]) == batch_size or other_length:
            batches.append([])
        batches[-1].append(place)
    vectors = np.concatenate([encode([texts[place] for place in batch]) for batch in batches])
    ordered = np.empty_like(vectors)
    ordered[order] = vectors
    return ordered


def overlong(texts: Sequence[str], tokenizer: Any, limit: int | None) -> dict[str, tuple[int, ...]]:
    """The texts that have more tokens than the model takes, each with those that it reads.

    Args:
        tokenizer: of transformers; None for a model that has none.
        limit: tokens that the model takes, those that begin and end a text included; None
            for a model that takes any number.
    """
    if tokenizer is None or limit is None:
        return {}
    # A token is of a byte at least, and two mark the ends.
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
