"""Label files of every kind: those of ``taxonomy``, and the tables that ``sources`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from indexer.core.errors import TaxonomyError
from indexer.core.records import Label
from indexer.labels import taxonomy
from indexer.labels.taxonomy.files import TABLES
from indexer.sources import addresses, formats


def read_label_file(
    path: str,
    *,
    existing: Sequence[Label] = (),
    create_parents: bool | None = None,
    dataset: str = "",
) -> taxonomy.LabelFile:
    """As ``taxonomy.read_label_file``, and workbooks, Parquet and Arrow tables.

    Raises:
        TaxonomyError: the file is no valid taxonomy.
        SourceError: a workbook or table can't be read.
    """
    if not path.lower().endswith(TABLES):
        return taxonomy.read_label_file(
            path, existing=existing, create_parents=create_parents, dataset=dataset
        )
    table = formats.open_table(addresses.absolute(path))
    assert table is not None
    rows: list[tuple[int, dict[str, Any]]] = []
    for row in table.rows():
        if row.values is None:
            raise TaxonomyError(f"{path}, row {row.number}: {row.problem}: correct the row.")
        rows.append((row.number, {name: _plain(value) for name, value in row.values.items()}))
    return taxonomy.label_file_of_table(
        rows, path, existing=existing, create_parents=create_parents
    )


def _plain(value: Any) -> Any:
    """A cell as JSON has it; dates and the like as text."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | dict) else str(value)
