"""What a real catalog has beside one picture a product, planted where a test knows it.

Further views, variants of one design, copies of a picture under other ids, and typed categories
that are wrong. All of it comes from a seed of its own, so the products themselves stay as they are.
"""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from pocket.drawing import ProductType, product_types

ERROR_RATE = 0.05
"""Typed categories that are wrong, as a share: what audits of public data sets found is 3 to 6%
(Northcutt, Athalye, Mueller 2021, https://arxiv.org/abs/2103.14749)."""

_SECOND_VIEW_RATE = 1 / 8
_THIRD_VIEW_RATE = 1 / 16
_DESIGNS = 20
_PRODUCTS_OF_A_DESIGN = 3
_COPIED_PICTURES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is planted, by the position of a product.

    Attributes:
        views: further pictures of a product, 1 or 2.
        variants: the earlier product whose design a product has in another colour.
        copies: the earlier product whose picture a product shows, and how it was copied.
        typed: the wrong category that somebody typed.
        designs: a number for each product, all different.
    """

    views: Mapping[int, int]
    variants: Mapping[int, int]
    copies: Mapping[int, tuple[int, str]]
    typed: Mapping[int, str]
    designs: Sequence[int]


def plan(kinds: Sequence[ProductType], seed: int) -> Plan:
    """Choose what is planted.

    Args:
        kinds: of each product, in order. Types with fewer products than a design or a copied
            picture needs get none.
        seed: the same one chooses the same.
    """
    rng = random.Random(f"planting {seed}")  # noqa: S311 - drawings, not secrets
    positions: dict[str, list[int]] = defaultdict(list)
    for position, kind in enumerate(kinds):
        positions[kind.name].append(position)
    needed = max(_PRODUCTS_OF_A_DESIGN, 1 + len(COPYING))
    # Plain types look alike anyway: what is printed shows best that a design is the same.
    printed = [
        kind.name
        for kind in dict.fromkeys(kinds)
        if len(kind.patterns) > 1 and len(positions[kind.name]) > needed
    ]
    chosen = rng.sample(printed, min(_DESIGNS + _COPIED_PICTURES, len(printed)))
    variants, copies = {}, {}
    for name in chosen[:_DESIGNS]:
        first, *others = positions[name][-_PRODUCTS_OF_A_DESIGN:]
        variants |= dict.fromkeys(others, first)
    for name in chosen[_DESIGNS:]:
        first, *others = positions[name][-1 - len(COPYING) :]
        copies |= {other: (first, way) for other, way in zip(others, COPYING, strict=True)}
    originals = [position for position in range(len(kinds)) if position not in copies]
    viewed = rng.sample(originals, round(_SECOND_VIEW_RATE * len(kinds)))
    thirds = round(_THIRD_VIEW_RATE * len(kinds))
    return Plan(
        views={position: 2 if n < thirds else 1 for n, position in enumerate(viewed)},
        variants=variants,
        copies=copies,
        typed=_typing_errors(kinds, rng),
        designs=rng.sample(range(10_000, 100_000), len(kinds)),
    )


def _typing_errors(kinds: Sequence[ProductType], rng: random.Random) -> dict[int, str]:
    """Half are slips to a type of the same category, half are any other type."""
    wrong = {}
    for number, position in enumerate(rng.sample(range(len(kinds)), _errors_of(len(kinds)))):
        kind = kinds[position]
        others = [
            other.name
            for other in product_types()
            if other.name != kind.name and (number % 2 or other.parent == kind.parent)
        ]
        wrong[position] = rng.choice(others)
    return wrong


def _errors_of(products: int) -> int:
    return round(ERROR_RATE * products)


def _encoded_again(picture: Image.Image, _rng: random.Random) -> Image.Image:
    """Scaled down and saved with a low quality, as a marketplace does it."""
    side = round(0.75 * picture.width)
    small = picture.resize((side, side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=50)
    return Image.open(stream).convert("RGB")


def _cropped(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Without 4 to 10% at each side."""
    left, top, right, bottom = (round(rng.uniform(0.04, 0.1) * picture.width) for _ in range(4))
    return picture.crop((left, top, picture.width - right, picture.height - bottom))


def _watermarked(picture: Image.Image, _rng: random.Random) -> Image.Image:
    """With a shop's name across it."""
    side = picture.width
    layer = Image.new("L", picture.size, 0)
    font = ImageFont.load_default(size=side / 7)
    centre = (side / 2, side / 2)
    ImageDraw.Draw(layer).text(centre, "OUTLETSHOP", fill=130, font=font, anchor="mm")
    marked = picture.copy()
    marked.paste((255, 255, 255), (0, 0), layer.rotate(25))
    return marked


COPYING: dict[str, Callable[[Image.Image, random.Random], Image.Image]] = {
    "re-encoded": _encoded_again,
    "cropped": _cropped,
    "watermarked": _watermarked,
}
"""How a picture comes to exist again under another id."""
