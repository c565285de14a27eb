"""Catalogs of given vectors, made by the real jobs in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.records import EmbeddedItem, FloatArray, Kind
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.sources import TableOptions


def add_items(options: CatalogOptions, vectors: FloatArray, *, prefix: str = "i") -> None:
    """Ingest vectors, as items ``PREFIX0``, ``PREFIX1``, ..."""
    folder = options.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    table, block = folder / f"{prefix}.jsonl", folder / f"{prefix}.npy"
    rows = [json.dumps({"id": f"{prefix}{row}", "title": ""}) for row in range(len(vectors))]
    table.write_text("\n".join(rows))
    np.save(block, vectors)
    sizes = PipelineSizes(workers=1, batch_size=16)
    ingest(
        options, [str(table)], IngestOptions(table=TableOptions(vectors=str(block)), sizes=sizes)
    )


def set_labels(options: CatalogOptions, vectors: FloatArray, parents: Sequence[str] = ()) -> None:
    """Make labels ``l0``, ``l1``, ... of these vectors the whole label set."""
    file, block = options.data_dir / "labels.jsonl", options.data_dir / "labels.npy"
    known = [*parents, *[""] * (len(vectors) - len(parents))]
    rows = [
        json.dumps({"id": f"l{row}", "name": f"label {row}", "parent": parent})
        for row, parent in enumerate(known)
    ]
    file.write_text("\n".join(rows))
    np.save(block, vectors)
    add_labels(options, str(file), vectors=block, replace=True)


def make_catalog(folder: Path, items: FloatArray, labels: FloatArray) -> CatalogOptions:
    """A new catalog in a folder, in Milvus Lite."""
    options = CatalogOptions(data_dir=folder)
    add_items(options, items)
    set_labels(options, labels)
    return options


def add_titles(options: CatalogOptions, titles: FloatArray) -> None:
    """Give the items of the first shard titles of these vectors; zeros are no title."""
    with open_catalog(options, write=True) as catalog:
        rows = [row for row in catalog.archive.rows(1) if isinstance(row, EmbeddedItem)]
        titled = [
            replace(row, kind=Kind.PICTURE, title="a title", title_vector=title)
            if title.any()
            else row
            for row, title in zip(rows, titles, strict=True)
        ]
        catalog.ledger.add(catalog.archive.write(titled))
