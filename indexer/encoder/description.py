"""Describes a model, and checks that it embeds consistently and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.encoder.model import SentenceTransformerEncoder
from indexer.encoder.probes import PROBE_TEXT
from indexer.encoder.texts import PROBES

# Whole batches are measured until this time has passed.
_MEASURED_S = 1.0
_MIXED_TEXTS = (*PROBES, "a", PROBE_TEXT)
# 720 words: longer than the 77 positions of CLIP and the 512 of BERT.
LONG_TEXT = "a long description of a chair made of oak, steel and wool. " * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """Properties of a loaded model.

    Attributes:
        family: transformers' classes and sentence-transformers' modules.
        reading: how its weights are read.
        width: dimension d of the vectors.
        input_size: height and width that a picture of 3 : 4 is resized to; None for texts only.
        longest_text: tokens at which a text is cut; None for no limit.
        padding: how texts of a batch get one length.
        learned_scale: the model has its own logit scale.
        own_prompts: the model's prompts that are not empty, by name.
        sound_rate: samples a second of sounds; None for a model that hears none.
    """

    model: str
    revision: str
    family: str
    reading: str
    width: int
    truncated: bool
    input_size: tuple[int, int] | None
    longest_text: int | None
    padding: str
    logit_scale: float
    learned_scale: bool
    logit_bias: float | None
    prompt: str
    query_prompt: str
    own_prompts: dict[str, str]
    device: str
    precision: str
    sound_rate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Cosines of vectors that should be equal.

    Attributes:
        texts: least cosine of texts in a batch of mixed lengths to the same texts alone.
        pictures: as ``texts``; None for texts only.
        resizing: least cosine of pictures resized by torch to those resized by the model's own
            processor; None for texts only.
        repeated: least cosine of inputs that were embedded twice.
        named: share of drawn products whose own name is the nearest; None for texts only.
        chance: that share for a random model.
    """

    texts: float
    repeated: float
    chance: float
    pictures: float | None = None
    resizing: float | None = None
    named: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Speed of a model on this machine, resizing included.

    Attributes:
        pictures: a second; None for texts only.
        texts: a second.
    """

    pictures: float | None
    texts: float


def describe(encoder: SentenceTransformerEncoder) -> ModelDescription:
    """Describe a model; loads both of its sides and embeds a probe of each.

    Raises:
        ModelError: it can't be used, with the cause and the remedy.
    """
    fingerprint, model = encoder.fingerprint, encoder._model
    reader = encoder.text_encoder
    texts = reader._model
    size = None
    if encoder.sees_pictures:
        height, width = encoder.prepare(np.zeros((300, 400, 3), dtype=np.uint8)).shape[:2]
        size = (height, width)
    return ModelDescription(
        model=encoder.name,
        revision=fingerprint.revision,
        family=model.family if texts is model else f"{model.family}; texts by {texts.family}",
        reading=model.reading,
        width=encoder.width,
        truncated=fingerprint.truncated,
        input_size=size,
        longest_text=texts.longest_text,
        padding=_padding(texts),
        logit_scale=encoder.logit_scale,
        learned_scale=encoder.logits.learned,
        logit_bias=encoder.logits.bias,
        prompt=reader.prompts.document,
        query_prompt=reader.prompts.query,
        own_prompts={name: text for name, text in texts.prompts.items() if text},
        device=encoder.device,
        precision=str(encoder.precision),
        sound_rate=encoder.sound_rate,
    )


def agreement(
    encoder: SentenceTransformerEncoder, pictures: Sequence[Pixels], names: Sequence[str]
) -> Agreement:
    """Embed the same inputs alone, in batches, twice, and by both ways of resizing.

    Args:
        pictures: of different shapes.
        names: of the product on each picture, all different.
    """
    texts = encoder.embed_texts(_MIXED_TEXTS)
    alone = np.concatenate([encoder.embed_texts([text]) for text in _MIXED_TEXTS])
    encoder.embed_texts([LONG_TEXT])  # raises if it is cut beyond the last position
    repeated = _least_cosine(encoder.embed_texts(_MIXED_TEXTS), texts)
    text_agreement = Agreement(
        texts=_least_cosine(texts, alone), repeated=repeated, chance=1 / len(names)
    )
    if not encoder.sees_pictures:
        return text_agreement
    prepared = [encoder.prepare(picture) for picture in pictures]
    seen = encoder.embed_pictures(prepared)
    one_by_one = np.concatenate([encoder.embed_pictures([picture]) for picture in prepared])
    exact = encoder.embed_pictures([encoder.process(picture) for picture in pictures])
    nearest = (seen @ encoder.embed_texts([f"a {name}" for name in names]).T).argmax(axis=1)
    return replace(
        text_agreement,
        pictures=_least_cosine(seen, one_by_one),
        resizing=_least_cosine(seen, exact),
        repeated=min(repeated, _least_cosine(encoder.embed_pictures(prepared), seen)),
        named=float((nearest == np.arange(len(names))).mean()),
    )


def rates(encoder: SentenceTransformerEncoder, pictures: Sequence[Pixels]) -> Rates:
    """Pictures and texts a second, in batches of the encoder's size, for about a second each."""
    size = encoder.batch_size
    batch = [pictures[place % len(pictures)] for place in range(size)]
    texts = [f"a photo of a product, number {number}" for number in range(size)]

    def embed_pictures() -> None:
        encoder.embed_pictures([encoder.prepare(picture) for picture in batch])

    return Rates(
        pictures=_rate(embed_pictures, size) if encoder.sees_pictures else None,
        texts=_rate(lambda: encoder.embed_texts(texts), size),
    )


def _rate(embed: Callable[[], Any], size: int) -> float:
    embed()  # the first pass packs weights
    start, embedded = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < _MEASURED_S:
        embed()
        embedded += size
    return embedded / passed


def _padding(model: Any) -> str:
    if model.fixed_length is not None:
        return f"each to {model.fixed_length} tokens, as the model was trained"
    if model.batches_by_length:
        return "none: padding would change vectors, so texts of one length go together"
    return "to the longest of a batch"


def _least_cosine(ours: FloatArray, theirs: FloatArray) -> float:
    return float((ours * theirs).sum(axis=1).min())
