"""From which cosine on two pictures are near-duplicates, or variants of one product.

Every model has its own scale: two photos of unlike things have a cosine of .2 by one and of .7 by
another. So pictures of the catalog are copied as shops copy them, and embedded: what nearly all
copies reach is the threshold.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.sampling import sampled_rows
from indexer.core.errors import ItemError, ModelError
from indexer.core.protocols import Pixels
from indexer.core.records import Kind
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder, thumbnail
from queries.duplicates.signatures import ReadPicture, agreement, signature

SAMPLED = 100
"""Pictures that are copied."""

FEWEST_SAMPLED = 20
"""Readable pictures below which the usual thresholds are taken."""

COPIES_FOUND = 0.9
"""Share of the copies that is above the threshold of near-duplicates."""

VARIANTS_FOUND = 0.75
"""Share of the recoloured pictures that is above the threshold of variants: other things of the
same kind are nearly as near as the last quarter."""

USUAL_NEAR = 0.95
USUAL_PRODUCT = 0.9
"""Where pictures can't be read or no model is at hand, as with vectors that were given."""

_REENCODED_SIDE = 0.75
_CROPPED_SHARES = 0.02, 0.09
_MARK = 0.45
_BATCH = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Lowest cosines.

    Attributes:
        near: of near-duplicates.
        product: of variants of one product; at most ``near``.
        signature: lowest agreement of two pictures' signatures; None leaves pictures unread.
        sampled: pictures that they were calibrated on; 0: they are the usual ones, or given.
        untitled: whether ``product`` alone makes variants where an item has no title. Unlike
            things of one kind are as near as recoloured copies are, so only a user says so.
    """

    near: float
    product: float
    signature: float | None = None
    sampled: int = 0
    untitled: bool = False


def thresholds(
    catalog: OpenCatalog,
    fetcher: Fetcher,
    decoder: Decoder,
    *,
    near: float | None = None,
    product: float | None = None,
) -> Thresholds:
    """Calibrate the thresholds that are not given.

    Args:
        near: as a user gave it.
        product: likewise; then it holds for items without titles too.
    """
    untitled = product is not None
    pictures = list(_pictures(catalog, fetcher, decoder)) if catalog_sees_pictures(catalog) else []
    if len(pictures) < FEWEST_SAMPLED:
        near_threshold = USUAL_NEAR if near is None else near
        usual = USUAL_PRODUCT if product is None else product
        return Thresholds(
            near=near_threshold, product=min(near_threshold, usual), untitled=untitled
        )
    copies = [
        [copy(picture, decoder) for picture in pictures]
        for copy in (_encoded_again, _cropped, _marked)
    ]
    signatures = [signature(picture) for picture in pictures]
    agreed = [
        agreement(own, signature(copied)[np.newaxis])[0]
        for group in copies
        for own, copied in zip(signatures, group, strict=True)
    ]
    if near is None or product is None:
        own_near, own_product = _copy_cosines(catalog, pictures, copies)
        near = own_near if near is None else near
        product = own_product if product is None else product
    return Thresholds(
        near=near,
        product=min(near, product),
        signature=float(np.quantile(agreed, 1 - COPIES_FOUND)),
        sampled=len(pictures),
        untitled=untitled,
    )


def catalog_sees_pictures(catalog: OpenCatalog) -> bool:
    """Whether the catalog's model is at hand and embeds pictures."""
    if not catalog.has_model:
        return False
    try:
        return catalog.encoder.sees_pictures
    except ModelError as error:
        _log.warning("thresholds are the usual ones, not calibrated: %s", error)
        return False


def _copy_cosines(
    catalog: OpenCatalog, pictures: list[Pixels], copies: list[list[Pixels]]
) -> tuple[float, float]:
    """What nearly all copies reach, and what most recoloured pictures reach."""
    encoder = catalog.encoder
    recoloured = [_recoloured(picture) for picture in pictures]
    original, *copied, other = (
        np.concatenate(
            [
                encoder.embed_pictures(list(map(encoder.prepare, group[start : start + _BATCH])))
                for start in range(0, len(group), _BATCH)
            ]
        )
        for group in (pictures, *copies, recoloured)
    )
    near = np.concatenate([(original * copy).sum(axis=1) for copy in copied])
    variants = (original * other).sum(axis=1)
    return (
        float(np.quantile(near, 1 - COPIES_FOUND)),
        float(np.quantile(variants, 1 - VARIANTS_FOUND)),
    )


def picture_reader(fetcher: Fetcher, decoder: Decoder) -> ReadPicture:
    """Gives a picture by its source; None where it can't be read."""

    def read(source: str) -> Pixels | None:
        try:
            return decoder.decode(fetcher.read(source), source)
        except (ItemError, OSError):
            return None

    return read


def _pictures(catalog: OpenCatalog, fetcher: Fetcher, decoder: Decoder) -> Iterator[Pixels]:
    """A sample of the catalog's pictures, those that can be read."""
    read = picture_reader(fetcher, decoder)
    for shard, rows in sampled_rows(catalog.ledger, SAMPLED):
        table = catalog.archive.table(shard, ["kind", "source"]).take(rows)
        for row in table.to_pylist():
            picture = read(row["source"]) if row["kind"] == Kind.PICTURE else None
            if picture is not None:
                yield picture


def _encoded_again(picture: Pixels, decoder: Decoder) -> Pixels:
    """Smaller, and as JPEG."""
    side = max(16, round(_REENCODED_SIDE * max(picture.shape[:2])))
    return decoder.decode(thumbnail(picture, side=side), "a copy of a picture")


def _cropped(picture: Pixels, _decoder: Decoder) -> Pixels:
    """Without a strip at each side, each of another width."""
    height, width = picture.shape[:2]
    # By the picture itself, so that each catalog has the same thresholds each time.
    shares = np.random.default_rng(int(picture.sum()) % 2**32).uniform(*_CROPPED_SHARES, 4)
    top, bottom = (round(share * height) for share in shares[:2])
    left, right = (round(share * width) for share in shares[2:])
    return np.ascontiguousarray(picture[top : height - bottom, left : width - right])


def _marked(picture: Pixels, _decoder: Decoder) -> Pixels:
    """With a white line of dashes across the middle, as wide as a shop's name."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    rows, columns = rows / height, columns / width
    along, across = columns - 0.4 * (rows - 0.5), rows - 0.5 + 0.4 * (columns - 0.5)
    dashes = (np.abs(across) < 0.06) & (np.abs(columns - 0.5) < 0.4) & ((along * 24) % 1 < 0.6)
    marked = picture.copy()
    marked[dashes] = ((1 - _MARK) * marked[dashes] + _MARK * 255).astype(np.uint8)
    return marked


def _recoloured(picture: Pixels) -> Pixels:
    """Mirrored, and in other colours: red becomes green, green blue, blue red."""
    return np.ascontiguousarray(picture[:, ::-1, [2, 0, 1]])
