"""Measures the colours of a catalog's pictures, which are read again for it."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.measured_colours import MeasuredColours
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.chunks import in_chunks, map_in_order
from indexer.core.errors import ItemError
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray, Kind
from indexer.core.watch import Watch
from indexer.jobs.label_sets import refuse_category
from indexer.labels.colours import SIDE, measure, memberships
from indexer.labels.set_settings import set_by_pixels

if TYPE_CHECKING:
    from indexer.sources import Fetcher
    from indexer.sources.decoding import Decoder

_log = logging.getLogger(__name__)

_BATCH = 256
"""Pictures between writes: as many are measured again after a kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureReport:
    """What was measured.

    Attributes:
        items: in the catalog.
        measured: pictures that were measured in this run.
        unchanged: items whose picture was measured before.
        without_picture: items that are no pictures; embeddings decide for them.
        failed: pictures that could not be read again, by reason; embeddings decide for them.
    """

    items: int
    measured: int
    unchanged: int
    without_picture: int
    failed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Picture:
    content_hash: str
    source: str


def measure_colours(
    options: CatalogOptions, fetcher: Fetcher, decoder: Decoder, watch: Watch = Watch()
) -> MeasureReport:
    """Let a label set be decided by the pixels of the items' pictures, and measure these.

    Pictures that were measured are not read again, so after a kill the same call goes on, and
    later it measures what is new.

    Args:
        options: at the label set.

    Raises:
        TaxonomyError: a label of the set is no known colour.
        UsageError: the set is the category, or there is no such set.
        StoppedError: ``watch`` stopped it; what was measured is kept.
    """
    refuse_category(options, "colours are an attribute")
    with (
        open_catalog(options, write=True) as catalog,
        MeasuredColours(catalog.folder.measured_colours) as colours,
    ):
        memberships(catalog.label_set.leaves.labels)  # refuses what is no colour, before the work
        set_by_pixels(catalog.folder.labels, True)
        total = catalog.ledger.count()
        watch.begin("Measuring colours", total)
        counts, failed = Counter[str](), Counter[str]()
        todo = _unmeasured(catalog, colours, counts, watch)
        read = partial(_measured, fetcher, decoder)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            results = map_in_order(pool, read, todo, window=_BATCH)
            for batch in in_chunks(results, _BATCH):
                measured = [
                    (name, cells) for name, cells in batch if not isinstance(cells, ItemError)
                ]
                colours.add(measured)
                failed.update(
                    cells.reason.value for _, cells in batch if isinstance(cells, ItemError)
                )
                counts["measured"] += len(measured)
                watch.advance(len(batch))
                watch.check_stop()
    return MeasureReport(
        items=total,
        measured=counts["measured"],
        unchanged=counts["unchanged"],
        without_picture=counts["without_picture"],
        failed=dict(failed),
    )


def by_embeddings(options: CatalogOptions) -> None:
    """Let a label set be decided by embeddings again; measured colours are kept.

    Raises:
        UsageError: the set is the category, or there is no such set.
    """
    refuse_category(options, "it is never decided by pixels")
    with open_catalog(options, write=True) as catalog:
        set_by_pixels(catalog.folder.labels, False)


def _unmeasured(
    catalog: OpenCatalog, colours: MeasuredColours, counts: Counter[str], watch: Watch
) -> Iterator[_Picture]:
    """Pictures of the catalog that were not measured yet; streams, a shard at a time."""
    for shard in catalog.ledger.shards():
        columns = ["kind", "content_hash", "source"]
        table = catalog.archive.table(shard, columns).take(catalog.ledger.live_rows(shard))
        rows = table.to_pylist()
        pictures = [row for row in rows if row["kind"] == Kind.PICTURE]
        measured = colours.find([row["content_hash"] for row in pictures])
        counts["without_picture"] += len(rows) - len(pictures)
        counts["unchanged"] += sum(row["content_hash"] in measured for row in pictures)
        new = {
            row["content_hash"]: row["source"]
            for row in pictures
            if row["content_hash"] not in measured
        }
        watch.advance(len(rows) - len(new))
        for content_hash, source in new.items():
            yield _Picture(content_hash, source)


def _measured(
    fetcher: Fetcher, decoder: Decoder, picture: _Picture
) -> tuple[str, FloatArray | ItemError]:
    try:
        pixels = decoder.decode(fetcher.read(picture.source), picture.source)
    except ItemError as error:
        _log.info("%s", error)
        return picture.content_hash, error
    return picture.content_hash, measure(_small(pixels))


def _small(pixels: Pixels) -> Pixels:
    """The picture with at most ``SIDE`` pixels a side, each the mean of what it stands for."""
    from PIL import Image

    longest = max(pixels.shape[:2])
    if longest <= SIDE:
        return pixels
    image = Image.fromarray(pixels)
    size = [max(1, round(side * SIDE / longest)) for side in image.size]
    return np.asarray(image.resize((size[0], size[1]), Image.Resampling.BOX))
