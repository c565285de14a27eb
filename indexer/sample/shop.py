"""Writes the catalog of a small shop that never was: pictures, tables, taxonomies.

DIR/
|-- products.csv         id, image, title, price, colour, brand, truth
|-- taxonomy.yaml        categories and product types with descriptions
|-- electronics.csv      some laptops, smartphones and e-readers
|-- electronics-labels.csv  laptop and smartphone
|-- e-reader.csv         the label that comes later
`-- pictures/            a JPEG each, and a few that are broken, as in any catalog
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from indexer.core.errors import UsageError
from indexer.sample import BACKGROUNDS, COLOURS, ProductType, draw, product_type, product_types

PRODUCTS = "products.csv"
TAXONOMY = "taxonomy.yaml"
ELECTRONICS = "electronics.csv"
ELECTRONICS_LABELS = "electronics-labels.csv"
NEW_LABEL = "e-reader.csv"

_PICTURE_SIDE = 192
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What was written."""

    products: int
    broken: int
    types: int
    categories: int


def write_shop(
    folder: Path,
    *,
    each: int = 8,
    seed: int = 20,
    on_picture: Callable[[int, int], None] = lambda _done, _of: None,
) -> Shop:
    """Draw a catalog into a folder; the same seed gives the same catalog.

    Args:
        folder: made if missing; must be empty.
        each: products of each type.
        on_picture: called with the pictures drawn so far and their number.

    Raises:
        UsageError: the folder holds something already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"folder {str(folder)!r} is not empty: name a new one.")
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    rng = random.Random(seed)  # noqa: S311 - drawings, not secrets
    wanted = [(kind, "p") for kind in product_types() for _ in range(each)]
    rng.shuffle(wanted)
    devices = [(product_type(name), "e") for name in _DEVICES for _ in range(_OF_EACH_DEVICE)]
    rng.shuffle(devices)
    drawn: dict[str, list[Product]] = {"p": [], "e": []}
    for number, (kind, shelf) in enumerate([*wanted, *devices], start=1):
        drawn[shelf].append(_product(kind, f"{shelf}{len(drawn[shelf]) + 1:04d}", folder, rng))
        on_picture(number, len(wanted) + len(devices))
    broken = _break_some(folder, drawn["p"], rng)
    _write_table(folder / PRODUCTS, [asdict(one) for one in [*drawn["p"], *broken]])
    _write_table(folder / ELECTRONICS, [asdict(one) for one in drawn["e"]])
    _write_labels(folder)
    return Shop(
        products=len(drawn["p"]) + len(broken),
        broken=len(broken),
        types=len(product_types()),
        categories=len({kind.parent for kind in product_types()}),
    )


def _product(kind: ProductType, identifier: str, folder: Path, rng: random.Random) -> Product:
    """Draw one product and say what it is; half of the titles do not name its type."""
    colour = rng.choice(sorted(COLOURS))
    pattern = rng.choice(kind.patterns)
    brand = rng.choice(_BRANDS)
    picture = draw(
        kind,
        colour=colour,
        pattern=pattern,
        size=_PICTURE_SIDE,
        rng=rng,
        background=rng.choice(BACKGROUNDS),
        detail=_PICTURE_DETAIL,
    )
    image = f"pictures/{identifier}.jpg"
    picture.save(folder / image, quality=88)
    lowest, highest = _PRICES.get(kind.parent, _USUAL_PRICES)
    look = colour if pattern == "plain" else f"{colour} {pattern}"
    noun = kind.name if rng.random() < 0.5 else f"no. {rng.randint(10, 99)}"
    return Product(
        id=identifier,
        image=image,
        title=f"{brand} {look} {noun}",
        price=f"{rng.randint(lowest, highest) - 0.01:.2f}",
        colour=colour,
        brand=brand,
        truth=kind.name,
    )


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
                id=f"x-{name}",
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


def _write_labels(folder: Path) -> None:
    """The taxonomy as a nested tree, and the labels of the electronics shelf as tables."""
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
