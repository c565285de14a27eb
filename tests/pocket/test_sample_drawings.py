"""The drawings of the sample catalog."""

import random

import numpy as np
import pytest

from pocket.drawing import (
    BACKGROUNDS,
    COLOURS,
    PARENTS,
    PATTERNS,
    draw,
    product_type,
    product_types,
)


def test_same_seed_same_picture() -> None:
    """A picture depends on nothing but its arguments and the seed."""
    first, second = (
        draw(product_type("mug"), colour="red", pattern="dotted", size=48, rng=random.Random(3))
        for _ in range(2)
    )
    assert first.tobytes() == second.tobytes()


def test_shapes_vary() -> None:
    """The next picture from the same generator is another one."""
    rng = random.Random(3)
    first, second = (draw(product_type("vase"), colour="blue", size=48, rng=rng) for _ in range(2))
    assert first.tobytes() != second.tobytes()


@pytest.mark.parametrize("product", product_types(), ids=lambda product: product.name)
def test_every_type_fills_its_picture(product: object) -> None:
    """Each type draws something, in the middle of a picture of the size asked for."""
    picture = draw(product, colour="red", size=48, rng=random.Random(5), background="white")
    pixels = np.asarray(picture, dtype=float)
    assert picture.size == (48, 48)
    assert picture.mode == "RGB"
    assert (pixels.min(axis=2) < 200).mean() > 0.04


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_pattern_on_every_background(pattern: str, background: str) -> None:
    """All patterns and all backgrounds go together."""
    shirt = product_type("shirt")
    picture = draw(
        shirt, colour="white", pattern=pattern, size=32, rng=random.Random(1), background=background
    )
    assert len(picture.getcolors(32 * 32) or []) > 30


def test_colour_is_the_products() -> None:
    """A red cushion is mostly red."""
    picture = draw(product_type("cushion"), colour="red", size=48, rng=random.Random(2))
    red, green, blue = np.asarray(picture, dtype=float)[16:32, 16:32].mean(axis=(0, 1))
    assert red > 2 * max(green, blue)


@pytest.mark.parametrize(
    "wrong", [{"colour": "mauve"}, {"pattern": "paisley"}, {"background": "moon"}]
)
def test_unknown_names_are_refused(wrong: dict[str, str]) -> None:
    """An unknown colour, pattern or background is an error that lists the known ones."""
    arguments = {"colour": "red", "pattern": "plain", "background": "white"} | wrong
    with pytest.raises(ValueError, match="there are"):
        draw(product_type("mug"), size=16, rng=random.Random(0), **arguments)


def test_unknown_type_is_refused() -> None:
    """An unknown type is an error that lists the known ones."""
    with pytest.raises(KeyError, match="e-reader"):
        product_type("spaceship")


def test_catalogue_is_sound() -> None:
    """Names are unique, every category is known, and patterns and colours exist."""
    types = product_types()
    assert len({t.name for t in types}) == len(types) >= 50
    assert {t.parent for t in types} == set(PARENTS)
    assert all(set(t.patterns) <= set(PATTERNS) and t.synonyms for t in types)
    assert len(COLOURS) >= 10
