"""Every n-th item of a catalog, shard by shard, where a sample stands for all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from indexer.catalog.ledger import Ledger
from indexer.catalog.opened import Catalog
from indexer.core.records import FloatArray


def sampled_rows(ledger: Ledger, most: int) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Shards, and int64 (n,), which of their live rows are of the sample; no shard without one.

    Args:
        ledger: of the catalog.
        most: items of the sample; it has half as many at least, or all there are.
    """
    every, seen = -(-max(ledger.count(), 1) // most), 0
    for shard in ledger.shards():
        rows = ledger.live_rows(shard)
        chosen = rows[-seen % every :: every]
        seen += len(rows)
        if chosen.size:
            yield shard, chosen


def sampled_vectors(catalog: Catalog, most: int) -> FloatArray:
    """float32 (n, d): the vectors of a sample of at most so many items."""
    blocks = [np.empty((0, catalog.archive.width), dtype=np.float32)]
    for shard, rows in sampled_rows(catalog.ledger, most):
        blocks.append(catalog.archive.vectors(shard)[rows])
    return np.concatenate(blocks)
