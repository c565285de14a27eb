"""Heat maps: on small cases worked by hand, and on pictures of two products."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from fakes import FakeEncoder

from indexer.core.protocols import Encoder, Pixels
from indexer.core.records import DoubleArray, FloatArray
from indexer.core.vectors import normalise
from indexer.encoder import SentenceTransformerEncoder
from pocket.drawing import draw, product_type
from queries.explanation.heat_maps import (
    CELLS,
    Evidence,
    Word,
    gradient,
    occlusion,
    seen_region,
    trace_attention,
    words_left_out,
)

PAIRS = (
    ("high heel", "umbrella"),
    ("mug", "guitar"),
    ("laptop", "teddy bear"),
    ("bicycle", "wallet"),
    ("boot", "clock"),
    ("scissors", "sofa"),
)
SIZE = 128


def occlude(
    encoder: Encoder, picture: Pixels, evidence: Evidence
) -> tuple[DoubleArray, DoubleArray]:
    """Occlusion, embedded at once."""
    passes = occlusion(picture, evidence)
    return passes.finish(encoder.embed_pictures(passes.inputs))


def leave_words_out(encoder: Encoder, text: str, evidence: Evidence) -> tuple[Word, ...]:
    """Words left out in turn, embedded at once."""
    passes = words_left_out(text, evidence)
    return passes.finish(encoder.embed_texts(passes.inputs) if passes.inputs else np.zeros((0, 1)))


class CornerEncoder(FakeEncoder):
    """A picture's vector is the brightness of its first cell, and of all of it."""

    def embed_pictures(self, pictures: list[Pixels]) -> FloatArray:  # type: ignore[override]
        """float32 (n, 2), not of length 1: nothing here needs that."""
        side = pictures[0].shape[0] // CELLS
        return np.array([[one[:side, :side].mean(), one.mean()] for one in pictures], np.float32)

    def embed_texts(self, texts: list[str]) -> FloatArray:  # type: ignore[override]
        """float32 (n, 2): letters, and whether a mug is there."""
        return np.array([[len(one), "mug" in one] for one in texts], np.float32)


def column(number: int) -> Evidence:
    """Evidence that is one number of the vector."""
    return lambda vectors: vectors[:, number : number + 1].astype(np.float64)


def lit_corner() -> Pixels:
    """Black, but for one white cell at the top left."""
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[:8, :8] = 255
    return picture


def test_hiding_what_counts_takes_evidence_away() -> None:
    """Only squares that reach the lit cell change it, so heat is most there, none far off."""
    supports, opposes = occlude(CornerEncoder(), lit_corner(), column(0))
    assert supports.shape == (1, CELLS, CELLS)
    assert np.unravel_index(supports[0].argmax(), supports[0].shape) == (0, 0)
    assert supports[0, 0, 0] == pytest.approx(255)
    assert not supports[0, 3:].any()
    assert not opposes.any()


def test_what_speaks_against_is_kept_apart() -> None:
    """The negative of the same evidence gives the same map on the other side."""
    supports, _ = occlude(CornerEncoder(), lit_corner(), column(0))
    other, opposes = occlude(CornerEncoder(), lit_corner(), lambda v: -column(0)(v))
    assert not other.any()
    assert np.array_equal(opposes, supports)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((120, 200), (0.0, 0.2, 1.0, 0.8)),
        ((200, 120), (0.2, 0.0, 0.8, 1.0)),
        ((90, 90), (0.0, 0.0, 1.0, 1.0)),
    ],
)
def test_region_is_what_the_model_sees(
    pocket: SentenceTransformerEncoder,
    shape: tuple[int, int],
    expected: tuple[float, float, float, float],
) -> None:
    """CLIP takes the middle square of a picture; its place is found without being told."""
    found = seen_region(pocket, np.zeros((*shape, 3), dtype=np.uint8))
    edges = (found.top, found.left, found.bottom, found.right)
    assert edges == pytest.approx(expected, abs=0.02)


def test_gradient_of_a_linear_decision_is_its_row_along_the_sphere() -> None:
    """What stands on the vector is lost to its length; the rest is the row itself."""
    generator = np.random.default_rng(0)
    vector, row = normalise(generator.normal(size=16)), generator.normal(size=(16, 2))
    found = gradient(lambda vectors: vectors.astype(np.float64) @ row, vector)
    expected = row - np.outer(vector, vector @ row)
    assert found == pytest.approx(expected.T, abs=1e-2)


def test_words_that_carry_the_evidence_are_found() -> None:
    """Without the word that counts all evidence is gone, without another none."""
    found = leave_words_out(CornerEncoder(), "one red mug", column(1))
    assert [(one.word, one.evidence) for one in found] == [("one", 0), ("red", 0), ("mug", 1)]


def test_one_word_is_compared_with_nothing() -> None:
    """A text of one word has no shorter one."""
    assert leave_words_out(CornerEncoder(), "mug", column(1)) == ()


def on_one_half(name: str, *, right: bool, rng: random.Random) -> Pixels:
    """The product on one half of an otherwise empty picture."""
    drawn = draw(product_type(name), colour="blue", size=SIZE, rng=rng, tilt=5, background="white")
    canvas = np.empty((2 * SIZE, 2 * SIZE, 3), dtype=np.uint8)
    canvas[:] = np.median(np.asarray(drawn)[0], axis=0)
    canvas[SIZE // 2 : -SIZE // 2, SIZE * right : SIZE * (1 + right)] = np.asarray(drawn)
    return canvas


def share_on_own_half(
    encoder: SentenceTransformerEncoder,
    method: Callable[
        [SentenceTransformerEncoder, Pixels, Evidence], tuple[DoubleArray, DoubleArray]
    ],
) -> DoubleArray:
    """Share of the label's heat that lies on the product's half: float64 (2 * pairs,)."""
    rng, shares = random.Random(5), []
    for name, other in PAIRS:
        first, second = encoder.embed_texts([f"a photo of a {one}." for one in (name, other)])
        apart = (first - second).astype(np.float64)
        for right in (False, True):
            picture = encoder.prepare(on_one_half(name, right=right, rng=rng))
            supports, _ = method(encoder, picture, lambda v, apart=apart: (v @ apart)[:, None])
            half = supports.shape[2] // 2
            own = supports[0, :, half:] if right else supports[0, :, :half]
            shares.append(own.sum() / supports[0].sum())
    return np.array(shares)


@pytest.mark.slow
def test_occlusion_finds_the_product(pocket: SentenceTransformerEncoder) -> None:
    """Most of a label's heat lies where the product stands, not on the empty half."""
    shares = share_on_own_half(pocket, occlude)
    assert shares.mean() > 0.6
    assert np.median(shares) > 0.75


def test_attention_finds_the_product(pocket: SentenceTransformerEncoder) -> None:
    """The same by attention."""
    shares = share_on_own_half(pocket, trace_attention)
    assert shares.mean() > 0.7
    assert shares.min() > 0.5
