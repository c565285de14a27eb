"""Draws the catalog of a small shop that never was: pictures, tables, taxonomies.

``python -m pocket.shop`` draws the one that comes with the package anew.
"""

from __future__ import annotations

import csv
import random
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml
from PIL import Image

from indexer.core.watch import Watch
from indexer.jobs.sample import (
    BROKEN,
    ELECTRONICS,
    ELECTRONICS_LABELS,
    NEW_LABEL,
    PACKED,
    PRODUCTS,
    TAXONOMY,
)
from pocket.drawing import BACKGROUNDS, COLOURS, ProductType, product_type, product_types
from pocket.drawing import draw as draw_product

_PACKED_SIDE = 160
_PACKED_QUALITY = 56
"""With it the packed shop is 1.5 MB; the figures of quality are of larger and better pictures."""

_PICTURE_DETAIL = 3
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
    """A row of the shop's table."""

    id: str
    image: str
    title: str
    price: str
    colour: str
    brand: str
    truth: str


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
        watch: follows the pictures drawn.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)  # noqa: S311 - drawings, not secrets
    products = [(kind, "p") for kind in product_types() for _ in range(each)]
    rng.shuffle(products)
    devices = [(product_type(name), "e") for name in _DEVICES for _ in range(_OF_EACH_DEVICE)]
    rng.shuffle(devices)
    drawn: dict[str, list[Product]] = {"p": [], "e": []}
    watch.begin("Drawing", len(products) + len(devices))
    for kind, shelf in [*products, *devices]:
        product, picture = _product(kind, f"{shelf}{len(drawn[shelf]) + 1:04d}", side, rng)
        picture.save(folder / product.image, quality=quality)
        drawn[shelf].append(product)
        watch.advance(1)
    broken = _break_some(folder, drawn["p"], rng)
    _write_table(folder / PRODUCTS, [asdict(product) for product in [*drawn["p"], *broken]])
    _write_table(folder / ELECTRONICS, [asdict(product) for product in drawn["e"]])
    write_labels(folder)


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
) -> tuple[Product, Image.Image]:
    """One product and its picture; half of the titles do not name its type."""
    colour = rng.choice(sorted(COLOURS))
    pattern = rng.choice(kind.patterns)
    brand = rng.choice(_BRANDS)
    picture = draw_product(
        kind,
        colour=colour,
        pattern=pattern,
        size=side,
        rng=rng,
        background=rng.choice(BACKGROUNDS),
        detail=_PICTURE_DETAIL,
    )
    lowest, highest = _PRICES.get(kind.parent, _USUAL_PRICES)
    look = colour if pattern == "plain" else f"{colour} {pattern}"
    noun = kind.name if rng.random() < 0.5 else f"no. {rng.randint(10, 99)}"
    product = Product(
        id=identifier,
        image=f"pictures/{identifier}.jpg",
        title=f"{brand} {look} {noun}",
        price=f"{rng.randint(lowest, highest) - 0.01:.2f}",
        colour=colour,
        brand=brand,
        truth=kind.name,
    )
    return product, picture


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
                title=title,
                price="9.99",
                colour="",
                brand="",
                truth="",
            )
        )
    return rows


def _write_table(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
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
