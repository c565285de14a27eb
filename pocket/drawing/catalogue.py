"""The product types of the sample catalog: what they are called and how they look."""

from collections.abc import Callable
from dataclasses import dataclass

from pocket.drawing import (
    accessories,
    bags,
    clothing,
    electronics,
    footwear,
    furniture,
    home,
    kitchen,
    leisure,
)
from pocket.drawing.patterns import PATTERNS
from pocket.drawing.products import PRODUCTS
from pocket.drawing.sketch import Sketch

Drawing = Callable[[Sketch], None]

_FAMILIES = (
    accessories, bags, clothing, electronics, footwear, furniture, home, kitchen, leisure,
)  # fmt: skip

PLAIN = ("plain",)
PRINTED = ("plain", "striped", "dotted", "zigzag")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductType:
    """One kind of product.

    Attributes:
        name: its plain English name.
        synonyms: other names for it.
        parent: the name of its category, one of `PARENTS`.
        description: its parts and its use, in a phrase.
        patterns: the patterns it is made in.
        drawing: draws one, of a shape drawn at random.
    """

    name: str
    synonyms: tuple[str, ...]
    parent: str
    description: str
    patterns: tuple[str, ...]
    drawing: Drawing


_FABRIC_NAMES = {
    "hat", "cap", "necktie", "umbrella", "mitten", "backpack", "handbag", "suitcase", "tote bag",
    "chair", "sofa", "bed", "stool", "lamp", "cushion", "vase", "floor lamp", "book", "kite",
    "mug", "teapot", "bowl", "sneaker", "flip-flop",
}  # fmt: skip
_PRINTED_NAMES = {
    "boot", "high heel", "clog", "wallet", "bottle", "jug", "potted plant", "candle", "drum",
    "skateboard", "clock", "watering can",
}  # fmt: skip


def _patterns(name: str, parent: str) -> tuple[str, ...]:
    if parent == "clothing" or name in _FABRIC_NAMES:
        return PATTERNS
    return PRINTED if name in _PRINTED_NAMES else PLAIN


def _drawing(name: str) -> Drawing:
    function = name.replace("-", "_").replace(" ", "_")
    drawing: Drawing = next(getattr(m, function) for m in _FAMILIES if hasattr(m, function))
    return drawing


def _read(parent: str, rows: str) -> list[ProductType]:
    lines = [line.strip() for line in rows.strip().splitlines()]
    return [
        ProductType(
            name=name,
            synonyms=tuple(synonym.strip() for synonym in synonyms.split(",")),
            parent=parent,
            description=description,
            patterns=_patterns(name, parent),
            drawing=_drawing(name),
        )
        for name, synonyms, description in zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    ]


PRODUCT_TYPES: tuple[ProductType, ...] = tuple(
    product for parent, rows in PRODUCTS.items() for product in _read(parent, rows)
)
