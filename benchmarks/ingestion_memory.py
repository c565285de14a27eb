"""Peak memory of ``zeroshelf ingest --vectors``, by the number of items.

Milvus Lite runs in the process and keeps all rows in memory, so it is measured apart: once
with rows that are checked and then dropped where the store would send them, which is what the
job itself takes, and once as it is, beside the same rows inserted by a bare ``MilvusClient``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.memory import drop_rows, peak_of
from benchmarks.report import Row, compared

WIDTH = 512
FEW = 10_000
LITE_ITEMS = 50_000
BLOCK = 10_000
MOST = 1.10


def write_vectors(folder: Path, count: int) -> tuple[Path, Path]:
    """A table of ``count`` products and their vectors, float32 (count, 512)."""
    rng = np.random.default_rng(0)
    table, vectors = folder / f"{count}.csv", folder / f"{count}.npy"
    stored = np.lib.format.open_memmap(vectors, mode="w+", dtype=np.float32, shape=(count, WIDTH))
    with table.open("w", encoding="utf-8") as stream:
        stream.write("id,title,price\n")
        for start in range(0, count, BLOCK):
            stop = min(start + BLOCK, count)
            stored[start:stop] = rng.standard_normal((stop - start, WIDTH), dtype=np.float32)
            stream.writelines(
                f"item-{row:07d},product {row},{row % 97}\n" for row in range(start, stop)
            )
    stored.flush()
    return table, vectors


def job(table: Path, vectors: Path, scratch: Path) -> None:
    """What ``zeroshelf ingest TABLE --vectors FILE`` does."""
    from indexer.catalog.options import CatalogOptions
    from indexer.jobs.ingest import ingest
    from indexer.jobs.ingest_options import IngestOptions
    from indexer.sources import TableOptions

    options = IngestOptions(
        table=TableOptions(vectors=str(vectors), image_column="none"), index="FLAT"
    )
    ingest(CatalogOptions(data_dir=scratch / "data"), [str(table)], options)


def job_without_store(table: Path, vectors: Path, scratch: Path) -> None:
    """The same; rows are dropped where Milvus would be called."""
    drop_rows()
    job(table, vectors, scratch)


def bare_client(_table: Path, vectors: Path, scratch: Path) -> None:
    """The same rows into Milvus Lite with nothing of ours."""
    from pymilvus import MilvusClient

    client = MilvusClient(str(scratch / "bare.db"))
    client.create_collection("items", dimension=WIDTH)
    stored = np.load(vectors, mmap_mode="r")
    for start in range(0, len(stored), 1000):
        block = np.array(stored[start : start + 1000])
        rows = [
            {"id": start + place, "vector": vector, "title": f"product {start + place}"}
            for place, vector in enumerate(block)
        ]
        client.insert("items", rows)
    client.flush("items")


def _peak(work: Callable[[Path, Path, Path], None], count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        return peak_of(work, *write_vectors(scratch, count), scratch)


def memory_rows(count: int) -> list[Row]:
    """Peak memory of many items against few, for the job alone and with Milvus Lite in it."""
    few, many = _peak(job_without_store, FEW), _peak(job_without_store, count)
    with_lite, bare = _peak(job, LITE_ITEMS), _peak(bare_client, LITE_ITEMS)
    return [
        compared(
            f"peak memory, ingest {count:,} vectors, without Milvus Lite's own",
            f"{FEW:,} vectors",
            many,
            few,
            "MiB",
            f"<= {MOST:g}",
        ),
        compared(
            f"peak memory, ingest {LITE_ITEMS:,} vectors, Milvus Lite in the process",
            "the same rows by a bare MilvusClient",
            with_lite,
            bare,
            "MiB",
        ),
    ]
