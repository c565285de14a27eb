"""Decisions of the last categorization, one file for each shard of the archive.

Items in the database carry their label, so that they can be filtered by it. These files are the
record of that, for rebuilding the database and for exports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.core.durable import aside_of, naming, replace_durably
from indexer.core.errors import CatalogError, first_line
from indexer.core.protocols import Decision

if TYPE_CHECKING:
    import pyarrow as pa


class DecisionFiles:
    """The decisions of one catalog, in one folder.

    Args:
        folder: made with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, shard: int, decisions: Sequence[Decision | None]) -> None:
        """Store the decisions on a shard's rows, in row order; None where there is none."""
        self.prepare(shard, decisions)
        self.publish([shard])

    def prepare(self, shard: int, decisions: Sequence[Decision | None]) -> None:
        """Write decisions aside; the earlier ones count until ``publish``."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        aside = aside_of(self._path(shard))
        arrays = {
            name: pa.array([getattr(decision, name, None) for decision in decisions], kind)
            for name, kind in columns().items()
        }
        with naming(aside):
            pq.write_table(pa.table(arrays), aside, write_page_checksum=True)

    def publish(self, shards: Iterable[int]) -> None:
        """Put the prepared decisions of these shards in place of the earlier ones."""
        for shard in shards:
            replace_durably(aside_of(self._path(shard)), self._path(shard))

    def read(self, shard: int) -> list[Decision | None] | None:
        """The decisions on a shard's rows; None where it was never categorized."""
        table = self.table(shard)
        if table is None:
            return None
        return [None if row["item_id"] is None else Decision(**row) for row in table.to_pylist()]

    def table(self, shard: int) -> pa.Table | None:
        """The decisions on a shard's rows as columns, null where there is none.

        None where the shard was never categorized.

        Raises:
            CatalogError: the file is damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._path(shard)
        if not path.exists():
            return None
        try:
            table = pq.read_table(path, page_checksum_verification=True)
            return table.select(list(columns()))
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise CatalogError(
                f"decisions {str(path)!r} are damaged: {first_line(error)}. Decide again: "
                "zeroshelf categorize --to categories.parquet --write-back"
            ) from error

    def stamp(self, shard: int) -> tuple[int, int] | None:
        """A value that changes with a shard's decisions; None where there are none."""
        try:
            status = self._path(shard).stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size

    def _path(self, shard: int) -> Path:
        return self.folder / f"decisions-{shard:08d}.parquet"


def columns() -> dict[str, pa.DataType]:
    """The columns of the files, as those of ``Decision``."""
    import pyarrow as pa

    return {
        "item_id": pa.string(),
        "label_id": pa.string(),
        "label": pa.string(),
        "score": pa.float32(),
        "status": pa.string(),
    }
