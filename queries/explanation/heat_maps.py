"""Which parts of a picture, or words of a text, speak for one label against another.

Occlusion asks the whole decision, so it suits every model, and labels that are adapted
or taught; attention asks the model's last layers, for the price of one look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from indexer.core.boxes import Box
from indexer.core.protocols import Encoder, Pixels
from indexer.core.records import DoubleArray, FloatArray
from indexer.core.vectors import normalise

Evidence = Callable[[FloatArray], DoubleArray]
"""From vectors float32 (n, d) to float64 (n, k): how much they speak for each of k claims."""

In = TypeVar("In")
Out = TypeVar("Out")

CELLS = 8
"""Rows and columns of an occlusion's result."""

WINDOWS = (2, 3)
"""Sides of the squares that are hidden, in cells."""

MAX_WORDS = 64
"""Words of a text that are tried; the model reads hardly more."""

# Of a central difference, on vectors of length 1.
_STEP = 0.01
_ROWS_AT_ONCE = 256


class AttentionTracer(Encoder, Protocol):
    """An encoder whose attention can be looked at."""

    def attention_relevance(self, picture: Pixels, directions: FloatArray) -> FloatArray:
        """float32 (k, rows, columns) for directions (k, d), 0 or more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """The part of a picture that the model sees, as shares of its height and width."""

    top: float
    left: float
    bottom: float
    right: float

    def within(self, box: Box, picture: Pixels) -> Region:
        """The same part of a box, as shares of the picture that the box is of."""
        height, width = picture.shape[:2]
        x, y, across, down = box
        return Region(
            top=(y + self.top * down) / height,
            left=(x + self.left * across) / width,
            bottom=(y + self.bottom * down) / height,
            right=(x + self.right * across) / width,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatMap:
    """Where in a picture the evidence lies.

    Attributes:
        method: occlusion or attention.
        region: what the grids cover.
        winner: float64 (rows, columns), 0 or more: speaks for the best label against all
            others.
        runner_up: the same for the next; None where there is none.
        rather: speaks for the best label rather than for the runner-up.
        opposite: speaks for the runner-up rather than for the best label.
    """

    method: str
    region: Region
    winner: DoubleArray
    runner_up: DoubleArray | None
    rather: DoubleArray | None
    opposite: DoubleArray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of a text, and how much evidence goes when it is left out."""

    word: str
    evidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes(Generic[In, Out]):
    """Many inputs whose vectors become one answer: embed them at once, or a few at a time.

    Attributes:
        inputs: what is to be embedded.
        finish: from their vectors, float32 (n, d), to the answer.
    """

    inputs: Sequence[In]
    finish: Callable[[FloatArray], Out]


def occlusion(
    picture: Pixels, evidence: Evidence
) -> Passes[Pixels, tuple[DoubleArray, DoubleArray]]:
    """Evidence that is lost, or won, where a square of the picture is hidden.

    Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", ECCV,
    arXiv:1311.2901, section 4.2. Squares of two sizes overlap; what hides is the colour of the
    picture's rim, since the ground of a product picture says the least.

    Args:
        picture: uint8 (height, width, 3), as ``encoder.prepare`` made it.

    Returns:
        float64 (k, CELLS, CELLS) twice, 0 or more: what supports each claim, and what
        opposes it.
    """
    rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    filling = np.median(rim, axis=0).astype(np.uint8)
    hidden = _squares()

    def finish(vectors: FloatArray) -> tuple[DoubleArray, DoubleArray]:
        scores = evidence(vectors)
        lost = scores[0] - scores[1:]
        weights = np.stack(hidden).astype(np.float64)
        mean = np.tensordot(lost.T, weights, axes=1) / weights.sum(axis=0)
        return np.maximum(mean, 0.0), np.maximum(-mean, 0.0)

    pictures = [_without(picture, square, filling) for square in hidden]
    return Passes(inputs=[picture, *pictures], finish=finish)


def trace_attention(
    encoder: AttentionTracer, picture: Pixels, evidence: Evidence
) -> tuple[DoubleArray, DoubleArray]:
    """Relevance by attention: ``indexer.encoder.attention``.

    The decision is taken as linear around the picture's vector, along its gradient.

    Args:
        picture: as ``encoder.prepare`` made it.

    Returns:
        float64 (k, rows, columns) twice, 0 or more: what supports each claim, and what
        opposes it.

    Raises:
        ModelError: the model has no attention that can be traced.
    """
    directions = gradient(evidence, encoder.embed_pictures([picture])[0])
    relevance = encoder.attention_relevance(picture, np.concatenate([directions, -directions]))
    supports, opposes = np.split(relevance.astype(np.float64), 2)
    return supports, opposes


def words_left_out(text: str, evidence: Evidence) -> Passes[str, tuple[Word, ...]]:
    """Evidence for the last claim that is lost where a word is left out of a text.

    Li, Monroe and Jurafsky 2016, "Understanding Neural Networks through Representation
    Erasure", arXiv:1612.08220. A text of one word has nothing left to compare with.
    """
    words = text.split()[:MAX_WORDS]
    if len(words) < 2:
        return Passes(inputs=[], finish=lambda _: ())

    def finish(vectors: FloatArray) -> tuple[Word, ...]:
        scores = evidence(vectors)[:, -1]
        return tuple(
            Word(word=word, evidence=float(scores[0] - score))
            for word, score in zip(words, scores[1:], strict=True)
        )

    shorter = [" ".join(words[:place] + words[place + 1 :]) for place in range(len(words))]
    return Passes(inputs=[text, *shorter], finish=finish)


def seen_region(encoder: Encoder, picture: Pixels) -> Region:
    """The part of a picture that ``prepare`` keeps, whatever it does.

    A picture of coordinates of the same shape is prepared, and read.
    """
    height, width = picture.shape[:2]
    ramp = np.zeros((height, width, 3), dtype=np.uint8)
    ramp[..., 0] = np.rint(np.linspace(0, 255, height))[:, np.newaxis]
    ramp[..., 1] = np.rint(np.linspace(0, 255, width))[np.newaxis]
    seen = encoder.prepare(ramp).astype(np.float64) / 255
    top, bottom = _ends(seen[:, seen.shape[1] // 2, 0])
    left, right = _ends(seen[seen.shape[0] // 2, :, 1])
    return Region(top=top, left=left, bottom=bottom, right=right)


def gradient(evidence: Evidence, vector: FloatArray) -> FloatArray:
    """float32 (k, d): how evidence changes with a vector (d,) of length 1, by differences."""
    rows: list[DoubleArray] = []
    steps = _STEP * np.eye(len(vector))
    for start in range(0, len(vector), _ROWS_AT_ONCE):
        block = steps[start : start + _ROWS_AT_ONCE]
        ahead, behind = evidence(normalise(vector + block)), evidence(normalise(vector - block))
        rows.append((ahead - behind) / (2 * _STEP))
    return np.concatenate(rows).T.astype(np.float32)


def _squares() -> list[npt.NDArray[np.bool_]]:
    """Bool (CELLS, CELLS) each: squares at every place, also half out of the picture."""
    squares = []
    for side in WINDOWS:
        for row in range(1 - side, CELLS):
            for column in range(1 - side, CELLS):
                square = np.zeros((CELLS, CELLS), dtype=bool)
                square[max(row, 0) : row + side, max(column, 0) : column + side] = True
                squares.append(square)
    return squares


def _without(
    picture: Pixels, square: npt.NDArray[np.bool_], filling: npt.NDArray[np.uint8]
) -> Pixels:
    height, width = picture.shape[:2]
    rows, columns = (np.arange(length) * CELLS // length for length in (height, width))
    return np.where(square[np.ix_(rows, columns)][..., np.newaxis], filling, picture)


def _ends(seen: DoubleArray) -> tuple[float, float]:
    """Where a line of shares begins and ends; its inner half is straight, its ends are not."""
    count = len(seen)
    opening, last = count // 4, count - 1 - count // 4
    slope = (seen[last] - seen[opening]) / max(last - opening, 1)
    start = seen[opening] - slope * (opening + 0.5)
    return float(np.clip(start, 0, 1)), float(np.clip(start + slope * count, 0, 1))
