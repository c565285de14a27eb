"""Exports a catalog to Parquet files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.catalog.decisions import ItemDecisions
from indexer.catalog.ledger import Size
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.label_sets import CATEGORY, column_prefix
from indexer.core.object_stores import StoredFolder
from indexer.core.watch import Watch
from indexer.jobs.export_folder import export_folder
from indexer.labels.prompt_sets import write_prompts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa


_FILES = re.compile(r"items-\d{8}\.parquet|(labels|prompts)(-.+)?\.parquet")


def export(
    options: CatalogOptions,
    to: str | Path,
    *,
    partition: str | None = None,
    replace: bool = False,
    watch: Watch = Watch(),
) -> Size:
    """Write items with vectors and decisions, labels and their prompts, as Parquet files.

    ``items-*.parquet`` have the columns of the archive (``metadata`` and ``part`` as JSON text;
    a row with a ``parent_id`` is a part of that item, such as a further picture) and
    ``label_id``, ``label``, ``score`` (null where never categorized with write-back), and
    ``title_vector`` (null where no title was embedded). ``labels.parquet`` is the label set,
    ``prompts.parquet`` has a row and a vector a prompt, where labels are made of prompts. Other
    label sets have the same columns and files, with the set's name: ``colour_label_id``,
    ``labels-colour.parquet``.

    Args:
        to: the folder, a path or an address such as ``s3://bucket/folder``.
        partition: only the items of one partition.
        replace: an earlier export there.

    Returns:
        Items and rows written.

    Raises:
        UsageError: the folder holds an export already, or can't be written to; the catalog is
            not divided, or has no such partition.
    """
    import pyarrow.parquet as pq

    # Locked, so that all files are of one state of the catalog.
    with open_catalog(options, write=True) as catalog:
        rows_of, size = catalog.ledger.live_rows, catalog.ledger.size()
        if partition is not None:
            catalog.require_partition(partition)
            catalog.ledger.select_partition(partition)
            rows_of, size = catalog.ledger.selected_rows, catalog.ledger.selected_size()
        decisions = catalog.decisions
        with export_folder(str(to), _FILES, kind="an export", replace=replace) as folder:
            watch.begin("Exporting", size.rows)
            for shard in catalog.archive.shards():
                rows = rows_of(shard)
                if rows.size:
                    table = _export_table(catalog, decisions, shard, rows)
                    with folder.writing(f"items-{shard:08d}.parquet") as aside:
                        pq.write_table(table, aside)
                watch.advance(len(rows))
            for at_set in catalog.sets:
                _export_labels(at_set, folder)
        return size


def _export_labels(catalog: OpenCatalog, folder: StoredFolder) -> None:
    """Write the labels and prompts of one set."""
    set_name = catalog.folder.set_name
    ending = "" if set_name == CATEGORY else f"-{set_name}"
    label_file = catalog.label_folder.current()
    if label_file is not None:
        with folder.writing(f"labels{ending}.parquet") as aside:
            aside.write_bytes(label_file.read_bytes())
    if len(catalog.prompts):
        with folder.writing(f"prompts{ending}.parquet") as aside:
            write_prompts(aside, catalog.prompts)


def _export_table(
    catalog: OpenCatalog, decisions: ItemDecisions, shard: int, rows: npt.NDArray[np.int64]
) -> pa.Table:
    import pyarrow as pa

    table = catalog.archive.table(shard)
    table = table.drop_columns(["removed", "row_hash"])
    new_names = {"metadata_json": "metadata", "part_json": "part"}
    names = [new_names.get(name, name) for name in table.column_names]
    table = table.rename_columns(names)
    # Shards of earlier versions have another vector type; all exported files have the same.
    kind = pa.list_(pa.float32(), catalog.archive.width)
    place = names.index("vector")
    table = table.set_column(place, "vector", table.column(place).cast(kind))
    table = table.append_column("title_vector", _title_column(catalog, shard, table.num_rows))
    kinds = {"label_id": pa.string(), "label": pa.string(), "score": pa.float32()}
    for set_name, files in decisions.files.items():
        decided = files.read(shard) or [None] * table.num_rows
        for name, kind in (kinds | {"status": pa.string()}).items():
            column = pa.array([getattr(decision, name, None) for decision in decided], kind)
            table = table.append_column(f"{column_prefix(set_name)}{name}", column)
    return table.take(pa.array(rows))


def _title_column(catalog: OpenCatalog, shard: int, count: int) -> pa.Array:
    """One vector a row; null where no title was embedded."""
    import numpy as np
    import pyarrow as pa

    width = catalog.archive.width
    stored = catalog.archive.title_vectors(shard)
    titles = np.zeros((count, width), dtype=np.float32) if stored is None else stored
    missing = pa.array(~titles.any(axis=1))
    return pa.FixedSizeListArray.from_arrays(pa.array(titles.ravel()), width, mask=missing)
