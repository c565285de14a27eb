"""Draws the catalog of a small shop that never was: pictures, tables, taxonomies.

``python -m pocket.shop`` draws the one that comes with the package anew.
"""

from __future__ import annotations

import csv
import random
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from indexer.core.watch import Watch
from indexer.jobs.sample import (
    BROKEN,
    COPIES,
    ELECTRONICS,
    ELECTRONICS_LABELS,
    NEW_LABEL,
    PACKED,
    PRODUCTS,
    TAXONOMY,
)
from pocket import planting
from pocket.drawing import BACKGROUNDS, COLOURS, ProductType, product_type, product_types
from pocket.drawing import draw as draw_product

_PACKED_SIDE = 160
_PACKED_QUALITY = 50
"""With it the packed shop is 1.5 MB; the figures of quality are of larger and better pictures."""

_PICTURE_DETAIL = 3
_OTHER_ANGLE = 25.0
_DETAIL_VIEW = 3
_ZOOM = 1.7
_FURTHER_SIDE = 0.8
_SMALLEST_WEBP = 6
_OF_EACH_DEVICE = 20
_DEVICES = ("laptop", "smartphone", "e-reader")
_BRANDS = ("Alder & Finch", "Brightwater", "Corvane", "Dune", "Elmside", "Fjellheim", "Gatto")
_PRICES = {
    "electronics": (49, 1499),
    "furniture": (39, 1299),
    "musical instrument": (59, 899),
    "sporting goods": (15, 799),
    "bag": (19, 249),
}
_USUAL_PRICES = (4, 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A row of the shop's table.

    Attributes:
        sku: its design and its colour: no two rows have the same.
        image_2: a second view; empty where there is none, as `image_3`.
        design: variants in other colours share it.
        truth: its product type.
        category: the product type that somebody typed, wrong for some.
    """

    id: str
    image: str
    image_2: str = ""
    image_3: str = ""
    sku: str
    title: str
    price: str
    colour: str
    pattern: str
    brand: str
    design: str
    truth: str
    category: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What is drawn of a product; the same one gives other views of the same thing.

    Attributes:
        shape: the state of the generator that draws shape and shade.
    """

    kind: ProductType
    colour: str
    pattern: str
    shape: tuple[Any, ...]

    def drawn(self, side: int, rng: random.Random, **scene: Any) -> Image.Image:
        """A picture of it, in a scene that `rng` draws."""
        shape = random.Random()  # noqa: S311 - drawings, not secrets
        shape.setstate(self.shape)
        return draw_product(
            self.kind,
            colour=self.colour,
            pattern=self.pattern,
            size=side,
            rng=rng,
            shape=shape,
            background=rng.choice(BACKGROUNDS),
            detail=_PICTURE_DETAIL,
            **scene,
        )


def draw(
    folder: Path,
    *,
    each: int = 8,
    seed: int = 20,
    side: int = 192,
    quality: int = 88,
    watch: Watch = Watch(),
) -> None:
    """Draw a shop into a folder; the same arguments give the same shop.

    Args:
        each: products of each type.
        side: of each picture, in pixels.
        quality: of the JPEG files.
        watch: follows the products drawn.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)  # noqa: S311 - drawings, not secrets
    kinds = [kind for kind in product_types() for _ in range(each)]
    rng.shuffle(kinds)
    devices = [product_type(name) for name in _DEVICES for _ in range(_OF_EACH_DEVICE)]
    rng.shuffle(devices)
    watch.begin("Drawing", len(kinds) + len(devices))
    shelf = _Shelf(folder, planting.plan(kinds, seed), side, quality, seed)
    products = []
    for number, kind in enumerate(kinds, start=1):
        products.append(shelf.add(*_product(kind, f"p{number:04d}", side, rng)))
        watch.advance(1)
    electronics = []
    for number, kind in enumerate(devices, start=1):
        product, _, picture = _product(kind, f"e{number:04d}", side, rng)
        picture.save(folder / product.image, quality=quality)
        electronics.append(replace(product, **_numbers(product, number)))
        watch.advance(1)
    broken = _break_some(folder, products, rng)
    _write_table(folder / PRODUCTS, [asdict(product) for product in [*products, *broken]])
    _write_table(folder / ELECTRONICS, [asdict(product) for product in electronics])
    _write_table(folder / COPIES, shelf.copies, ("id", "original", "copy"))
    write_labels(folder)


class _Shelf:
    """Saves products' pictures, with what is planned for each."""

    def __init__(
        self, folder: Path, plan: planting.Plan, side: int, quality: int, seed: int
    ) -> None:
        self._folder, self._plan = folder, plan
        self._side, self._quality = side, quality
        # Its own generator: what is planted leaves the other products as they are.
        self._rng = random.Random(f"shelf {seed}")  # noqa: S311 - drawings, not secrets
        self._products: list[Product] = []
        self._first_looks: dict[int, _Look] = {}
        self.copies: list[dict[str, str]] = []

    def add(self, product: Product, look: _Look, picture: Image.Image) -> Product:
        """Save the next product's pictures; returns its row."""
        position = len(self._products)
        product = replace(product, **_numbers(product, self._plan.designs[position]))
        if position in self._plan.variants.values():
            self._first_looks[position] = look
        if position in self._plan.variants:
            product, look = self._as_variant(product, self._plan.variants[position])
            picture = look.drawn(self._side, self._rng)
        elif position in self._plan.copies:
            original, way = self._plan.copies[position]
            product, picture = self._as_copy(product, original, way)
        picture.save(self._folder / product.image, quality=self._quality)
        product = replace(
            product,
            category=self._plan.typed.get(position, product.truth),
            **self._further_views(product, look, self._plan.views.get(position, 0)),
        )
        self._products.append(product)
        return product

    def _as_variant(self, product: Product, first: int) -> tuple[Product, _Look]:
        """The first product's design in a colour that none of its products has."""
        model, look = self._products[first], self._first_looks[first]
        taken = {other.colour for other in self._products if other.design == model.design}
        colour = self._rng.choice(sorted(COLOURS.keys() - taken))
        variant = replace(
            model,
            id=product.id,
            image=product.image,
            image_2="",
            image_3="",
            colour=colour,
            sku=f"{model.design}-{colour.upper()}",
            title=model.title.replace(f" {model.colour} ", f" {colour} "),
        )
        return variant, replace(look, colour=colour)

    def _as_copy(self, product: Product, original: int, way: str) -> tuple[Product, Image.Image]:
        """The original's picture, copied, under a listing of its own."""
        model = self._products[original]
        own_look = _described(product.colour, product.pattern)
        noun = product.title.removeprefix(f"{product.brand} {own_look} ")
        copy = replace(
            product,
            title=f"{model.brand} {_described(model.colour, model.pattern)} {noun}",
            colour=model.colour,
            pattern=model.pattern,
            brand=model.brand,
            sku=f"{product.design}-{model.colour.upper()}",
        )
        self.copies.append({"id": copy.id, "original": model.id, "copy": way})
        with Image.open(self._folder / model.image) as picture:
            return copy, planting.COPYING[way](picture.convert("RGB"), self._rng)

    def _further_views(self, product: Product, look: _Look, views: int) -> dict[str, str]:
        """Another angle in another scene, and then a detail."""
        columns = {}
        side = round(_FURTHER_SIDE * self._side)
        for number in range(2, 2 + views):
            columns[f"image_{number}"] = image = f"pictures/{product.id}-{number}.webp"
            if number == _DETAIL_VIEW:
                view = look.drawn(round(_ZOOM * side), self._rng)
                left, top = (self._rng.randrange(view.width - side) for _ in range(2))
                view = view.crop((left, top, left + side, top + side))
            else:
                view = look.drawn(side, self._rng, tilt=_OTHER_ANGLE)
            view.save(self._folder / image, quality=self._quality, method=_SMALLEST_WEBP)
        return columns


def _numbers(product: Product, number: int) -> dict[str, str]:
    """The product's design number and sku."""
    design = f"{product.brand[:2].upper()}{number}"
    return {"design": design, "sku": f"{design}-{product.colour.upper()}"}


def pack(target: Path) -> None:
    """Draw the shop that comes with the package; the same pictures give the same file."""
    with tempfile.TemporaryDirectory() as made, tarfile.open(target, "w:xz", preset=9) as packed:
        folder = Path(made)
        draw(folder, side=_PACKED_SIDE, quality=_PACKED_QUALITY)
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size = path.stat().st_size
            with path.open("rb") as stream:
                packed.addfile(member, stream)


def _product(
    kind: ProductType, identifier: str, side: int, rng: random.Random
) -> tuple[Product, _Look, Image.Image]:
    """One product and its picture; half of the titles do not name its type."""
    colour = rng.choice(sorted(COLOURS))
    pattern = rng.choice(kind.patterns)
    brand = rng.choice(_BRANDS)
    background = rng.choice(BACKGROUNDS)
    look = _Look(kind=kind, colour=colour, pattern=pattern, shape=rng.getstate())
    picture = draw_product(
        kind,
        colour=colour,
        pattern=pattern,
        size=side,
        rng=rng,
        background=background,
        detail=_PICTURE_DETAIL,
    )
    lowest, highest = _PRICES.get(kind.parent, _USUAL_PRICES)
    noun = kind.name if rng.random() < 0.5 else f"no. {rng.randint(10, 99)}"
    product = Product(
        id=identifier,
        image=f"pictures/{identifier}.jpg",
        sku="",
        title=f"{brand} {_described(colour, pattern)} {noun}",
        price=f"{rng.randint(lowest, highest) - 0.01:.2f}",
        colour=colour,
        pattern=pattern,
        brand=brand,
        design="",
        truth=kind.name,
        category=kind.name,
    )
    return product, look, picture


def _described(colour: str, pattern: str) -> str:
    """A product's colour and pattern, as in its title."""
    return colour if pattern == "plain" else f"{colour} {pattern}"


def _break_some(folder: Path, products: Sequence[Product], rng: random.Random) -> list[Product]:
    """Rows as every real catalog has them: a truncated, a missing and a false picture."""
    whole = (folder / products[0].image).read_bytes()
    contents = {
        "truncated": whole[: len(whole) // 2],
        "missing": None,
        "not-a-picture": b"<html><body>404 Not Found</body></html>\n",
        "empty": b"",
    }
    rows = []
    for name, content in contents.items():
        image = f"pictures/{name}.jpg"
        if content is not None:
            (folder / image).write_bytes(content)
        title = f"{rng.choice(_BRANDS)} product with a {name} picture"
        rows.append(
            Product(
                id=f"{BROKEN}{name}",
                image=image,
                sku="",
                title=title,
                price="9.99",
                colour="",
                pattern="",
                brand="",
                design="",
                truth="",
                category="",
            )
        )
    return rows


def _write_table(path: Path, rows: Sequence[dict[str, str]], columns: Sequence[str] = ()) -> None:
    """Write a CSV file; ``columns`` are needed where there may be no row."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=columns or list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_labels(folder: Path) -> None:
    """Write the taxonomy as a nested tree, and the labels of the electronics shelf as tables."""
    tree = [
        {"name": category, "id": f"category {category}", "children": list(_children(category))}
        for category in dict.fromkeys(kind.parent for kind in product_types())
    ]
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
    (folder / TAXONOMY).write_text(text, encoding="utf-8")
    devices = [product_type(name) for name in _DEVICES]
    rows = [{"id": one.name, "name": one.name, "description": one.description} for one in devices]
    _write_table(folder / ELECTRONICS_LABELS, rows[:-1])
    _write_table(folder / NEW_LABEL, rows[-1:])


def _children(category: str) -> Iterator[dict[str, object]]:
    for kind in product_types():
        if kind.parent == category:
            yield {
                "name": kind.name,
                "id": kind.name,
                "description": kind.description,
                "synonyms": list(kind.synonyms),
            }


if __name__ == "__main__":
    pack(PACKED)
