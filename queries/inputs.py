"""From what a user names to query vectors: pictures by path or URL, and texts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.decode import Decoder
from indexer.errors import ItemError
from indexer.protocols import Encoder, Pixels
from indexer.records import FloatArray
from indexer.sources import Fetcher

BLOCK = 256
"""Decoded pictures in memory at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """Query vectors and the inputs that gave none.

    Attributes:
        names: the inputs that were embedded, in order.
        vectors: float32 (n, d), a row a name.
        errors: what went wrong, by input.
    """

    names: tuple[str, ...]
    vectors: FloatArray
    errors: dict[str, str]


def expand_stdin(inputs: Sequence[str]) -> Iterator[str]:
    """The inputs, with ``-`` replaced by the lines of standard input."""
    for one in inputs:
        if one == "-":
            yield from (line for raw in sys.stdin if (line := raw.rstrip("\r\n")))
        else:
            yield one


def embed_pictures(
    encoder: Encoder, inputs: Sequence[str], *, decoder: Decoder, fetcher: Fetcher
) -> Embedded:
    """Read, decode and embed pictures, a block at a time; a bad one is an error of its own."""
    names: list[str] = []
    errors: dict[str, str] = {}
    blocks: list[FloatArray] = []
    for start in range(0, max(len(inputs), 1), BLOCK):
        pictures: list[Pixels] = []
        for name in inputs[start : start + BLOCK]:
            try:
                pixels = decoder.decode(fetcher.read(name), name)
            except ItemError as error:
                errors[name] = str(error)
            else:
                names.append(name)
                pictures.append(encoder.prepare(pixels))
        blocks.append(encoder.embed_pictures(pictures))
    return Embedded(names=tuple(names), vectors=np.concatenate(blocks), errors=errors)


def embed_texts(encoder: Encoder, inputs: Sequence[str]) -> Embedded:
    """Embed texts; an empty one is an error of its own."""
    errors = {text: "the text is empty" for text in inputs if not text.strip()}
    names = [text for text in inputs if text.strip()]
    return Embedded(names=tuple(names), vectors=encoder.embed_texts(names), errors=errors)
