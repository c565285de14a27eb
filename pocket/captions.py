"""Captions of drawn products, in varied words, with what each of them states."""

import random
from dataclasses import dataclass

from pocket.drawing import ProductType
from pocket.splits import Combination, training_parents, training_wordings

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "grey": ("grey", "gray"),
    "turquoise": ("turquoise", "teal"),
    "purple": ("purple", "violet"),
}
PATTERN_WORDS: dict[str, tuple[str, ...]] = {
    "plain": ("plain", "solid", "unpatterned"),
    "striped": ("striped", "stripy"),
    "dotted": ("dotted", "polka dot", "spotted"),
    "checked": ("checked", "plaid", "checkered"),
    "floral": ("floral", "flowery", "flower print"),
    "zigzag": ("zigzag", "chevron"),
}
PROMPTS: tuple[str, ...] = (
    "{}",
    "{}",
    "a {}",
    "the {}",
    "a photo of a {}",
    "a photo of {}",
    "a photo of the {}",
    "a picture of a {}",
    "a product photo of a {}",
    "a close-up photo of a {}",
    "a {} on a white background",
    "an image of {} on a white background",
    "a drawing of a {}",
    "a catalog picture of {}",
    "buy {} online",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A text and what it states; None where it is silent."""

    text: str
    name: str | None = None
    parent: str | None = None
    colour: str | None = None
    pattern: str | None = None


def prompt(wording: str, rng: random.Random) -> str:
    """The wording in a sentence as labels are put in."""
    return rng.choice(PROMPTS).format(wording) + rng.choice(("", "", "."))


def caption(product: ProductType, combination: Combination, rng: random.Random) -> Caption:
    """A caption of a picture of this product, which states some of what it shows."""
    _, colour, pattern = combination
    says_colour, says_pattern = rng.random() < 0.55, rng.random() < 0.45
    thing, name, parent = _thing(product, rng)
    words = [thing]
    if says_pattern:
        words.insert(0, rng.choice(PATTERN_WORDS[pattern]))
    if says_colour:
        words.insert(0, rng.choice(COLOUR_WORDS.get(colour, (colour,))))
    return Caption(
        text=prompt(" ".join(words), rng),
        name=name,
        parent=parent,
        colour=colour if says_colour else None,
        pattern=pattern if says_pattern else None,
    )


def _thing(product: ProductType, rng: random.Random) -> tuple[str, str | None, str | None]:
    draw = rng.random()
    wording = rng.choice(training_wordings(product))
    if draw < 0.62:
        return wording, product.name, None
    parent = rng.choice(training_parents(product.parent))
    if draw < 0.72:
        link = rng.choice(("", "a type of ", "a kind of "))
        return f"{wording}, {link}{parent}", product.name, None
    if draw < 0.80:
        return f"{wording}: {product.description}", product.name, None
    if draw < 0.86:
        return product.description, product.name, None
    if draw < 0.96:
        return parent, None, product.parent
    return "product", None, None
