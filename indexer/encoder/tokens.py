"""How much of a text a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


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
        text: tuple(some)
        for text, every, some in zip(long, whole, read, strict=True)
        if len(every) > len(some)
    }
