"""Where the pictures of Amazon Berkeley Objects lie: ids to paths, by its table of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from indexer.core.errors import SourceError
from indexer.sources import addresses
from indexer.sources.delimited import DelimitedTable
from indexer.sources.feeds.abo import IMAGE_IDS
from indexer.sources.feeds.table import FeedTable
from indexer.sources.tables import Row

_TABLES = ("images.csv.gz", "images.csv")
_FOLDERS = ("", "images/metadata", "../images/metadata", "../../images/metadata")
_SIZES = ("small", "original")


@dataclass(frozen=True)
class LocatedTable(FeedTable):
    """Listings with the addresses of their pictures in the place of ids.

    Attributes:
        images: address of the table of images.
        pictures: folder that its paths begin at.
    """

    images: str = ""
    pictures: str = ""

    def rows(self) -> Iterator[Row]:
        """A row for each listing; the address of an id that the table lacks is the id."""
        paths = self._paths
        for row in super().rows():
            if row.values is None:
                yield row
                continue
            ids = row.values.get(IMAGE_IDS, [])
            located = [
                addresses.join(self.pictures, paths[picture_id])
                if picture_id in paths
                else picture_id
                for picture_id in ids
            ]
            yield replace(row, values={**row.values, IMAGE_IDS: located})

    @cached_property
    def _paths(self) -> dict[str, str]:
        """Paths of 400,000 pictures by their ids, about 60 MB."""
        rows = DelimitedTable(self.images).rows()
        return {
            str(row.values["image_id"]): str(row.values["path"])
            for row in rows
            if row.values is not None
        }


def located(products: FeedTable, root: str = "") -> LocatedTable:
    """Listings with the addresses of their pictures.

    Args:
        root: folder that the listings lie in; empty for that of the file.

    Raises:
        SourceError: the table of images or the pictures are not where the data set has them.
    """
    folder = root or addresses.parent(products.address)
    images = next(filter(addresses.is_file, _candidates(folder)), None)
    if images is None:
        raise SourceError(
            f"{products.address}: names its pictures by ids, and no images.csv.gz lies beside it "
            "or in ../../images/metadata, where the data set has it; unpack it there, or say where "
            f'the pictures lie, for instance --image-pattern "images/{{{IMAGE_IDS}}}.jpg"'
        )
    above = addresses.parent(addresses.parent(images))
    folders = [addresses.join(above, size) for size in _SIZES]
    pictures = next(filter(addresses.is_folder, folders), None)
    if pictures is None:
        raise SourceError(
            f"{images}: its pictures lie neither in {' nor in '.join(folders)}; unpack them there"
        )
    return LocatedTable(
        products.table, products.feed, products.names, images=images, pictures=pictures
    )


def _candidates(folder: str) -> Iterator[str]:
    for relative in _FOLDERS:
        place = folder
        while relative.startswith("../"):
            place, relative = addresses.parent(place), relative.removeprefix("../")
        for name in _TABLES:
            yield addresses.join(place, f"{relative}/{name}".lstrip("/"))
