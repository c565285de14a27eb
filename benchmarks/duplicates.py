"""Look-alikes among a million vectors: time, memory, and what of the planted groups is found.

The vectors have the structure of a catalog: 20,000 kinds of things, items around each, a fifth of
the items in groups of two to six look-alikes (cosines of about .97 to the first), and one group
of 10,000 equal pictures. The archive is written as ingestion writes it; the command is the user's.

    python -m benchmarks.duplicates [--items 1000000] [--folder DIR] [--json FILE]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.report import command_line, show
from indexer.catalog.archive import Archive
from indexer.catalog.fingerprints import PRECOMPUTED
from indexer.catalog.options import CatalogOptions
from indexer.core.hashing import sha256
from indexer.core.records import EmbeddedItem, Fingerprint, FloatArray, IndexArray, Kind
from indexer.core.vectors import normalise

WIDTH = 512
KINDS = 20_000
EQUAL = 10_000
SHARD = 8_192
NEAR, PRODUCT = 0.95, 0.9


_RUN = """
import sys
from benchmarks.memory import peak_mib
from queries.cli import main
try:
    main()
finally:
    print(peak_mib(), file=sys.stderr)
"""
"""The user's command; the system's figure for a child has the memory of its parent in it."""


def make_vectors(items: int, seed: int = 0) -> tuple[FloatArray, IndexArray]:
    """The vectors, float32 (items, 512), and the planted group of each, int64 (items,)."""
    rng = np.random.default_rng(seed)
    kinds = normalise(rng.standard_normal((min(KINDS, max(10, items // 50)), WIDTH)))
    groups = np.arange(items)
    grouped = items // 5
    sizes = rng.integers(2, 7, grouped)
    ends = np.cumsum(sizes)
    sizes = sizes[ends <= grouped]
    groups[: sizes.sum()] = np.repeat(np.arange(len(sizes)), sizes)
    equal = min(EQUAL, items // 100)
    groups[-equal:] = items - equal
    firsts = np.unique(groups, return_inverse=True)[1]
    vectors = np.empty((items, WIDTH), dtype=np.float32)
    things = rng.integers(0, len(kinds), firsts.max() + 1)
    for start in range(0, items, 50_000):
        rows = slice(start, start + 50_000)
        own = np.stack(
            [np.random.default_rng(int(first)).standard_normal(WIDTH) for first in firsts[rows]]
        )
        centres = normalise(kinds[things[firsts[rows]]] + 0.9 / np.sqrt(WIDTH) * own)
        noise = rng.standard_normal(centres.shape) * (0.17 / np.sqrt(WIDTH))
        noise[groups[rows] == items - equal] = 0
        vectors[rows] = normalise(centres + noise)
    order = rng.permutation(items)
    return vectors[order], groups[order]


def write_archive(options: CatalogOptions, vectors: FloatArray) -> None:
    """Write a catalog's shards as ingestion does, without a database."""
    fingerprint = Fingerprint(
        model=PRECOMPUTED, revision="", preprocessing="", width=WIDTH, logit_scale=100.0
    )
    options.folder.create(fingerprint)
    archive = Archive(options.folder.at(options.folder.number).archive, width=WIDTH)
    for start in range(0, len(vectors), SHARD):
        archive.write(
            [
                EmbeddedItem(
                    item_id=f"item-{row}",
                    kind=Kind.VECTOR,
                    source="",
                    title="",
                    metadata_json="{}",
                    content_hash=sha256(f"{row}".encode()),
                    row_hash="",
                    vector=vectors[row],
                )
                for row in range(start, min(start + SHARD, len(vectors)))
            ]
        )


def measure(folder: Path, items: int) -> dict[str, Any]:
    """Run the command on a new catalog."""
    vectors, groups = make_vectors(items)
    options = CatalogOptions(catalog="many", data_dir=folder / "data")
    write_archive(options, vectors)
    command = [
        sys.executable, "-c", _RUN, "duplicates",
        "--catalog", "many", "--data-dir", str(options.data_dir),
        "--near", str(NEAR), "--product", str(PRODUCT),
        "--to", str(folder / "groups.parquet"), "--output", "json",
    ]  # fmt: skip

    started = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = json.loads(done.stdout)[0]
    return {
        "items": items,
        "seconds": round(seconds, 1),
        "CPU seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak MiB": round(float(done.stderr.split()[-1])),
        **{name: report[name] for name in ("groups", "near_duplicates", "probes", "recall")},
        **_found(folder / "groups.parquet", groups),
        **_against_exact(folder / "groups.parquet", vectors),
    }


def _found(table: Path, groups: IndexArray) -> dict[str, float]:
    """Of planted pairs with the first of a group, the share that is in one group; and purity."""
    written = pq.read_table(table, columns=["group", "item_id"])
    rows = np.array([int(name[5:]) for name in written.column("item_id").to_pylist()])
    group_of = -np.arange(len(groups)) - 1
    group_of[rows] = written.column("group").to_numpy()
    _, first, inverse, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    firsts = first[inverse]
    members = (sizes[inverse] > 1) & (firsts != np.arange(len(groups)))
    together = group_of[firsts[members]] == group_of[members]
    return {"planted pairs": int(members.sum()), "found": round(float(together.mean()), 4)}


def _against_exact(table: Path, vectors: FloatArray, sampled: int = 1000) -> dict[str, float]:
    """Of sampled items with a near neighbour by exact comparison, the share in some group."""
    sample = np.random.default_rng(1).choice(len(vectors), sampled, replace=False)
    has_neighbour = np.zeros(sampled, dtype=bool)
    for start in range(0, len(vectors), 50_000):
        near = vectors[sample] @ vectors[start : start + 50_000].T >= PRODUCT
        inside = (sample >= start) & (sample < start + 50_000)
        near[np.flatnonzero(inside), sample[inside] - start] = False
        has_neighbour |= near.any(axis=1)
    names = pq.read_table(table, columns=["item_id"]).column(0).to_pylist()
    grouped = np.isin(sample, np.array([int(name[5:]) for name in names]))
    return {
        "sampled with a neighbour": int(has_neighbour.sum()),
        "of these in a group": round(float(grouped[has_neighbour].mean()), 4),
    }


def main() -> None:
    """Print the figures, and write them where asked."""
    parser = command_line("duplicates", __doc__, items=1_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show([measure(Path(folder), options.items)], options.json)


if __name__ == "__main__":
    main()
