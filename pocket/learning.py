"""What both packaged models learn by: the teacher's words, batches and rates."""

import logging
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import ClapModel, CLIPModel, CLIPTokenizer

from pocket.losses import cosine_distance
from pocket.model import embed_texts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """Texts without pictures, and the teacher's vectors of them, float32 (n, WIDTH)."""

    texts: list[str]
    vectors: Tensor


def gathered(vectors: Tensor, concepts: list[str | None], share: float) -> Tensor:
    """The teacher's vectors, those of one type or category moved towards their mean.

    The catalogue knows that its names of a type mean one thing; the teacher, not quite.

    Args:
        vectors: (n, d), rows of length 1.
        concepts: n types or categories, None where a text names none.
        share: how much of the mean is added.
    """
    rows: dict[str, list[int]] = {}
    for row, concept in enumerate(concepts):
        if concept is not None:
            rows.setdefault(concept, []).append(row)
    moved = vectors.clone()
    for same in rows.values():
        moved[same] += share * normalize(vectors[same].mean(dim=0), dim=0)
    return normalize(moved, dim=1)


def mean_vectors(
    model: CLIPModel | ClapModel,
    tokenizer: CLIPTokenizer,
    wordings: Mapping[str, Sequence[str]],
    prompts: Sequence[str],
) -> dict[str, Tensor]:
    """The mean vector of all wordings of each name in all prompts, of length 1."""
    means: dict[str, Tensor] = {}
    with torch.no_grad():
        for name, words in wordings.items():
            texts = [prompt.format(word) for word in words for prompt in prompts]
            means[name] = normalize(embed_texts(model, tokenizer, texts).mean(0), dim=0)
    return means


def learn_words(
    model: CLIPModel | ClapModel,
    tokenizer: CLIPTokenizer,
    stock: Stock,
    *,
    steps: int,
    batch: int = 192,
    bfloat16: bool,
    rng: random.Random,
    prompt: Callable[[str, random.Random], str],
) -> None:
    """Teaches the text tower the teacher's vectors, with texts put in a sentence by `prompt`."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.02)
    for step in range(steps):
        set_rate(optimizer, step, steps, (1.5e-3,))
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = _stock_loss(model, tokenizer, stock, batch, rng, prompt)
        descend(model, optimizer, loss)
        if step % 250 == 0:
            _log.info("words: step %d, cosine distance %.3f", step, loss.item())


def _stock_loss(
    model: CLIPModel | ClapModel,
    tokenizer: CLIPTokenizer,
    stock: Stock,
    count: int,
    rng: random.Random,
    prompt: Callable[[str, random.Random], str],
) -> Tensor:
    rows = [rng.randrange(len(stock.texts)) for _ in range(count)]
    texts = [prompt(stock.texts[row], rng) for row in rows]
    return cosine_distance(embed_texts(model, tokenizer, texts), stock.vectors[rows])


def batches(count: int, *, steps: int, size: int, rng: random.Random) -> list[list[int]]:
    """`steps` batches of rows, each pass over all rows in a new order."""
    rows: list[int] = []
    while len(rows) < steps * size:
        rows += rng.sample(range(count), count)
    return [rows[i * size : (i + 1) * size] for i in range(steps)]


def set_rate(
    optimizer: torch.optim.Optimizer, step: int, steps: int, peaks: tuple[float, ...]
) -> None:
    """Warms up over the first twentieth, then falls as a cosine."""
    warm = max(1, steps // 20)
    share = (step + 1) / warm if step < warm else _cosine((step - warm) / (steps - warm))
    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
        group["lr"] = peak * share


def _cosine(progress: float) -> float:
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress))


def descend(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step down the loss, with the model's gradient clipped."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
