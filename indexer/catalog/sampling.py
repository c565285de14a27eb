"""Samples of a catalog: every n-th item, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from indexer.catalog.ledger import Ledger
from indexer.catalog.opening import OpenCatalog
from indexer.core.records import FloatArray


def sampled_rows(ledger: Ledger, size: int) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Shards with the row numbers of their sampled rows, int64 (n,); none without rows.

    Args:
        ledger: of the catalog.
        size: largest size of the sample; it has at least half as many items, or all.
    """
    stride, seen = -(-max(ledger.count(), 1) // size), 0
    for shard in ledger.shards():
        rows = ledger.live_rows(shard)
        # Every n-th of all items, wherever this shard begins.
        sampled = rows[-seen % stride :: stride]
        seen += len(rows)
        if sampled.size:
            yield shard, sampled


def sampled_vectors(catalog: OpenCatalog, size: int) -> FloatArray:
    """float32 (n, d): the vectors of a sample of at most so many items."""
    blocks = [np.empty((0, catalog.archive.width), dtype=np.float32)]
    for shard, rows in sampled_rows(catalog.ledger, size):
        blocks.append(catalog.archive.vectors(shard)[rows])
    return np.concatenate(blocks)
