"""What all methods of a catalog in Python share: options, opening it, the model that is kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import pyarrow as pa

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import SourceError, UsageError
from indexer.core.label_sets import CATEGORY
from queries.frames.frame import Frame


class Opened:
    """A catalog by its name, opened for each call; ``Catalog`` says what the arguments are."""

    def __init__(self, name: str = "catalog", **options: Any) -> None:
        if "set_name" in options:
            raise UsageError("set_name is of each method: catalog.labels(set_name='colour').")
        self.options = CatalogOptions(catalog=name, **options)
        self._encoder: Any = None
        self._made_by: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the model, which is loaded again when it is needed."""
        return vars(self) | {"_encoder": None, "_made_by": None}

    def __repr__(self) -> str:
        return f"<Catalog {self.options.catalog!r} in {str(self.options.data_dir)!r}>"

    @contextlib.contextmanager
    def _opened(self, set_name: str = CATEGORY, *, write: bool = False) -> Iterator[OpenCatalog]:
        """The catalog, with the model of the last time where it is still the same."""
        with open_catalog(self.options.of_set(set_name), write=write) as catalog:
            if self._encoder is not None and self._made_by == catalog.fingerprint:
                catalog.encoder = self._encoder
            yield catalog
            if "encoder" in vars(catalog):
                self._encoder, self._made_by = catalog.encoder, catalog.fingerprint


def counts_frame(
    values: Mapping[str, Any],
    *,
    title: str,
    shown: tuple[str, ...] = (),
    kinds: Mapping[str, pa.DataType] | None = None,
) -> Frame:
    """A frame of one row: what a job did; those by reason or kind as JSON.

    Args:
        kinds: types of the columns whose values do not tell.
    """
    row = {
        name: value if isinstance(value, bool | int | float | str | None) else json.dumps(value)
        for name, value in values.items()
    }
    return Frame.of_rows([row], dict.fromkeys(row) | dict(kinds or {}), title=title, shown=shown)


def sources_of(catalog: OpenCatalog, item_ids: Sequence[str]) -> tuple[str, ...]:
    """Where the picture of each item lies: that of its lead row; empty for one that is no more."""
    rows = catalog.ledger.parts.rows_of(item_ids)
    leads = [rows[item_id][0] if item_id in rows else None for item_id in item_ids]
    sources = {
        shard: catalog.archive.table(shard, ["source"]).column("source")
        for shard in {lead.shard for lead in leads if lead is not None}
    }
    return tuple(
        "" if lead is None else sources[lead.shard][lead.row].as_py() or "" for lead in leads
    )


def address_of(source: Any) -> str:
    """The path or URL of a file.

    Raises:
        SourceError: it is a value: a list, a data frame, a table.
    """
    if not isinstance(source, str | PurePath):
        raise SourceError(
            f"{type(source).__name__} is no path: write it to a file first, such as one by "
            "to_parquet or to_csv, and give the path."
        )
    return str(source)
