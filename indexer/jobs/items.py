"""Take items out of a catalog; write the catalog to files for others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.archive import Removal, replace_durably
from indexer.build import Catalog, CatalogOptions, open_catalog
from indexer.decisions import DecisionFiles
from indexer.errors import CatalogError
from indexer.jobs.ingest import store_pending
from indexer.storing import Storing

if TYPE_CHECKING:
    import pyarrow as pa


def remove_items(options: CatalogOptions, item_ids: Sequence[str]) -> int:
    """Remove items for good: from the archive's view, and from the database.

    Raises:
        CatalogError: an id is not in the catalog; nothing is removed then.

    Returns:
        How many were removed.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        wanted = list(dict.fromkeys(item_ids))
        known = catalog.ledger.find(wanted)
        unknown = [item_id for item_id in wanted if item_id not in known]
        if unknown:
            raise CatalogError(
                f"catalog {catalog.folder.name!r} has no item "
                f"{', '.join(map(repr, unknown[:5]))}{' ...' if unknown[5:] else ''}. "
                "Nothing was removed: correct the ids."
            )
        catalog.ledger.add(catalog.archive.write([Removal(item_id=one) for one in wanted]))
        storing = Storing(catalog.archive, catalog.items)
        store_pending(catalog, storing)
        storing.finish()
        catalog.ledger.mark_stored(storing.take_stored())
        return len(wanted)


def export(
    options: CatalogOptions, folder: Path, *, on_rows: Callable[[int], None] = lambda _: None
) -> int:
    """Write items with vectors and decisions, and labels, as Parquet files.

    ``items-*.parquet`` have the columns of the archive (``metadata`` as JSON text) and
    ``label_id``, ``label``, ``score`` (null where never categorized with write-back);
    ``labels.parquet`` is the label set.

    Returns:
        Items written.
    """
    with open_catalog(options, write=True) as catalog:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.glob("items-*.parquet")):
            raise CatalogError(
                f"{str(folder)!r} holds an export already. Choose another folder, or empty it."
            )
        written = 0
        decisions = DecisionFiles(catalog.folder.decisions)
        for shard in catalog.archive.shards():
            table = _export_table(catalog, decisions, shard)
            if table.num_rows:
                _write(table, folder / f"items-{shard:08d}.parquet")
            written += table.num_rows
            on_rows(table.num_rows)
        label_file = catalog.label_folder.current()
        if label_file is not None:
            (folder / "labels.parquet").write_bytes(label_file.read_bytes())
        return written


def _export_table(catalog: Catalog, decisions: DecisionFiles, shard: int) -> pa.Table:
    import pyarrow as pa

    table = catalog.archive.table(shard)
    table = table.drop_columns(["removed", "row_hash"])
    names = ["metadata" if name == "metadata_json" else name for name in table.column_names]
    table = table.rename_columns(names)
    decided = decisions.read(shard) or [None] * table.num_rows
    for name, kind in (("label_id", pa.string()), ("label", pa.string()), ("score", pa.float32())):
        column = pa.array([getattr(one, name, None) for one in decided], kind)
        table = table.append_column(name, column)
    return table.take(pa.array(catalog.ledger.live_rows(shard)))


def _write(table: pa.Table, target: Path) -> None:
    import pyarrow.parquet as pq

    aside = target.with_suffix(".writing")
    pq.write_table(table, aside)
    replace_durably(aside, target)
