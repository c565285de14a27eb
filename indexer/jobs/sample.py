"""The sample shop: a table, taxonomies and pictures of drawn products, for a first look.

The shop is packed in ``indexer/data/shop.tar.xz``. ``pocket/shop.py``, which a checkout has and an
installation has not, drew it and can draw others.

DIR/
|-- products.csv         id, image, image_2, image_3, sku, title, price, colour, pattern, brand,
|                        design, truth, category
|-- copies.csv           id, original, copy: products that show another one's picture
|-- taxonomy.yaml        categories and product types with descriptions
|-- electronics.csv      some laptops, smartphones and e-readers
|-- electronics-labels.csv  laptop and smartphone
|-- e-reader.csv         the label that comes later
`-- pictures/            a JPEG each, and a few that are broken, as in any catalog

An eighth of the products has a second picture, and half of these a third. Variants of a product in
other colours share its ``design``. ``category`` is what somebody typed: of 656 products, 33 are
typed wrong. ``truth`` is the product type that was drawn; nothing but a measurement reads it.
"""

from __future__ import annotations

import csv
import importlib
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from indexer.core.errors import UsageError
from indexer.core.watch import Watch

PRODUCTS = "products.csv"
COPIES = "copies.csv"
TAXONOMY = "taxonomy.yaml"
ELECTRONICS = "electronics.csv"
ELECTRONICS_LABELS = "electronics-labels.csv"
NEW_LABEL = "e-reader.csv"
BROKEN = "x-"
"""What the ids of items with a broken picture begin with."""

_ROOT = Path(__file__).parents[2]
PACKED = Path(__file__).parents[1] / "data" / "shop.tar.xz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The size of a sample shop.

    Attributes:
        products: rows of the table, those with broken pictures included.
    """

    products: int
    broken: int
    types: int
    categories: int


def write_shop(folder: Path) -> Shop:
    """Unpack the sample shop into a new or empty folder.

    Raises:
        UsageError: the folder holds something already.
    """
    _require_empty(folder)
    (folder / "pictures").mkdir(parents=True)
    with tarfile.open(PACKED) as packed:
        for member in packed:
            content = packed.extractfile(member)
            assert content is not None
            (folder / member.name).write_bytes(content.read())
    return _described(folder)


def draw_shop(folder: Path, *, each: int, watch: Watch = Watch()) -> Shop:
    """Draw another sample shop, as a checkout can.

    Args:
        folder: as for ``write_shop``.
        each: products of each type; 8 is the packed shop in larger pictures.
        watch: follows the pictures drawn.

    Raises:
        UsageError: the folder holds something already, or this is no checkout.
    """
    if not (_ROOT / "pocket" / "shop.py").exists():
        raise UsageError(
            "--draw needs pocket/shop.py, which only a checkout has: leave --draw out for the "
            "ready-made shop, or run it from a clone of the repository."
        )
    if str(_ROOT) not in sys.path:
        sys.path.append(str(_ROOT))
    _require_empty(folder)
    importlib.import_module("pocket.shop").draw(folder, each=each, watch=watch)
    return _described(folder)


def _require_empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"folder {str(folder)!r} is not empty: name a new one.")


def _described(folder: Path) -> Shop:
    with (folder / PRODUCTS).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    broken = sum(row["id"].startswith(BROKEN) for row in rows)
    categories = yaml.safe_load((folder / TAXONOMY).read_text(encoding="utf-8"))
    return Shop(
        products=len(rows),
        broken=broken,
        types=sum(len(category["children"]) for category in categories),
        categories=len(categories),
    )
