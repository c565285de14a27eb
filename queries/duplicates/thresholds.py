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

from indexer.catalog.catalog import Catalog
from indexer.catalog.fingerprints import PRECOMPUTED
from indexer.catalog.sampling import sampled_rows
from indexer.core.errors import ItemError, ModelError
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray, Kind
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder, thumbnail

SAMPLED = 100
"""Pictures that are copied."""

FEWEST_SAMPLED = 20
"""Readable pictures below which the usual thresholds are taken."""

COPIES_FOUND = 0.95
"""Share of the copies that is above the threshold of near-duplicates."""

VARIANTS_FOUND = 0.75
"""Share of the recoloured pictures that is above the threshold of variants: other things of the
same kind are nearly as near as the last quarter."""

USUAL_NEAR = 0.95
USUAL_PRODUCT = 0.9
"""Where pictures can't be read or no model is at hand, as with vectors that were given."""

_REENCODED_SIDE = 0.75
_CROPPED_SHARE = 0.06
_MARK = 0.45
_BATCH = 32

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Lowest cosines.

    Attributes:
        near: of near-duplicates.
        product: of variants of one product; at most ``near``.
        sampled: pictures that they were calibrated on; 0: they are the usual ones, or given.
    """

    near: float
    product: float
    sampled: int = 0


def thresholds(
    catalog: Catalog,
    fetcher: Fetcher,
    decoder: Decoder,
    *,
    near: float | None = None,
    product: float | None = None,
) -> Thresholds:
    """Calibrate the thresholds that are not given.

    Args:
        near: as a user gave it.
        product: likewise.
    """
    if near is not None and product is not None:
        return Thresholds(near=near, product=min(near, product))
    cosines = _copy_cosines(catalog, fetcher, decoder)
    if cosines is None:
        own_near, own_product, sampled = USUAL_NEAR, USUAL_PRODUCT, 0
    else:
        copies, variants = cosines
        own_near = float(np.quantile(copies, 1 - COPIES_FOUND))
        own_product = float(np.quantile(variants, 1 - VARIANTS_FOUND))
        sampled = len(variants)
    chosen_near = own_near if near is None else near
    chosen_product = own_product if product is None else product
    return Thresholds(near=chosen_near, product=min(chosen_near, chosen_product), sampled=sampled)


def _copy_cosines(
    catalog: Catalog, fetcher: Fetcher, decoder: Decoder
) -> tuple[FloatArray, FloatArray] | None:
    """Cosines of pictures with their copies and with recoloured ones; None without pictures."""
    if (catalog.options.model or catalog.fingerprint.model) == PRECOMPUTED:
        return None
    try:
        encoder = catalog.encoder
    except ModelError as error:
        _log.warning("thresholds are the usual ones, not calibrated: %s", error)
        return None
    if not encoder.sees_pictures:
        return None
    pictures = list(_pictures(catalog, fetcher, decoder))
    if len(pictures) < FEWEST_SAMPLED:
        return None
    versions = [pictures]
    versions += [
        [copy(picture, decoder) for picture in pictures]
        for copy in (_encoded_again, _cropped, _marked, _recoloured)
    ]
    original, *copies, recoloured = (
        np.concatenate(
            [
                encoder.embed_pictures(list(map(encoder.prepare, group[start : start + _BATCH])))
                for start in range(0, len(group), _BATCH)
            ]
        )
        for group in versions
    )
    near = np.concatenate([(original * copy).sum(axis=1) for copy in copies])
    return near, (original * recoloured).sum(axis=1)


def _pictures(catalog: Catalog, fetcher: Fetcher, decoder: Decoder) -> Iterator[Pixels]:
    """A sample of the catalog's pictures, those that can be read."""
    for shard, rows in sampled_rows(catalog.ledger, SAMPLED):
        table = catalog.archive.table(shard, ["kind", "source"]).take(rows)
        for row in table.to_pylist():
            if row["kind"] != Kind.PICTURE:
                continue
            try:
                yield decoder.decode(fetcher.read(row["source"]), row["source"])
            except (ItemError, OSError):
                continue


def _encoded_again(picture: Pixels, decoder: Decoder) -> Pixels:
    """Smaller, and as JPEG."""
    side = max(16, round(_REENCODED_SIDE * max(picture.shape[:2])))
    return decoder.decode(thumbnail(picture, side=side), "a copy of a picture")


def _cropped(picture: Pixels, _decoder: Decoder) -> Pixels:
    """Without a strip at each side."""
    height, width = picture.shape[:2]
    top, left = round(_CROPPED_SHARE * height), round(_CROPPED_SHARE * width)
    return np.ascontiguousarray(picture[top : height - top, left : width - left])


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


def _recoloured(picture: Pixels, _decoder: Decoder) -> Pixels:
    """Mirrored, and in other colours: red becomes green, green blue, blue red."""
    return np.ascontiguousarray(picture[:, ::-1, [2, 0, 1]])
