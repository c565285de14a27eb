"""What the last categorization decided, a file beside each shard of the archive.

The items in the database carry their label so that they can be filtered by it; these
files are the record of that, for rebuilding the database and for exports.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from indexer.archive import replace_durably
from indexer.protocols import Decision


class DecisionFiles:
    """The decisions of one catalog, in one folder.

    Args:
        folder: made with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, shard: int, decisions: Sequence[Decision | None]) -> None:
        """Keep the decisions on a shard's rows, in row order; None where there is none."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        columns = {
            name: pa.array([getattr(one, name, None) for one in decisions], kind)
            for name, kind in _columns().items()
        }
        aside = self._path(shard).with_suffix(".writing")
        pq.write_table(pa.table(columns), aside)
        replace_durably(aside, self._path(shard))

    def read(self, shard: int) -> list[Decision | None] | None:
        """The decisions on a shard's rows; None where it was never categorized."""
        import pyarrow.parquet as pq

        path = self._path(shard)
        if not path.exists():
            return None
        return [
            None if row["item_id"] is None else Decision(**row)
            for row in pq.read_table(path).to_pylist()
        ]

    def _path(self, shard: int) -> Path:
        return self.folder / f"decisions-{shard:08d}.parquet"


def _columns() -> dict[str, object]:
    import pyarrow as pa

    return {
        "item_id": pa.string(),
        "label_id": pa.string(),
        "label": pa.string(),
        "score": pa.float32(),
        "status": pa.string(),
    }
