"""The places of items on the map, in a file beside the catalog's archive.

It lies in the folder of the generation, since the vectors of another model make another map. An
item's place is that of its lead row, and of its content: where one of them has changed, the place
is not the item's any more (``item_map``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from indexer.core.durable import written_aside
from indexer.core.errors import CatalogError, first_line
from indexer.core.records import Fingerprint, FloatArray, IndexArray

if TYPE_CHECKING:
    import pyarrow as pa

_SCHEMA_VERSION = 1
_KEY = b"zeroshelf"
_HASH_DIGITS = 32
"""Of a content's SHA-256: 128 bits tell a billion contents apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How a projection was made.

    Attributes:
        method: ``umap`` or ``pca``.
        seed: of the random numbers.
        items: of the catalog then; more than were laid out where these are a sample of them.
        trustworthiness: of the map, 0 to 1; None where there were too few items to tell.
        measured_on: items that it was measured on.
        model: digest of the fingerprint of the model that made the vectors.
        time: when, ISO 8601 in UTC.
    """

    method: str
    seed: int
    items: int
    trustworthiness: float | None
    measured_on: int
    model: str
    time: str


@dataclass(frozen=True, slots=True)
class Projection:
    """The places of n items, in the order of the archive.

    Attributes:
        shards: int64 (n,), of their lead rows when they were laid out.
        rows: int64 (n,).
        item_ids: strings (n).
        contents: strings (n), the first digits of the lead rows' content hashes.
        places: float32 (n, 2), in the unit square.
    """

    made: Made
    shards: IndexArray
    rows: IndexArray
    item_ids: pa.Array
    contents: pa.Array
    places: FloatArray

    def __len__(self) -> int:
        return len(self.shards)


def digest_of(fingerprint: Fingerprint) -> str:
    """What tells the model of a projection from others."""
    text = json.dumps(asdict(fingerprint), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def content_keys(hashes: pa.ChunkedArray) -> pa.Array:
    """Content hashes as a projection keeps them."""
    import pyarrow.compute as pc

    return pc.utf8_slice_codeunits(hashes, 0, _HASH_DIGITS).combine_chunks()


def write_projection(path: Path, projection: Projection) -> None:
    """Replace the projection in one step: a killed writer leaves the old one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "item_id": projection.item_ids,
            "content": projection.contents,
            "shard": pa.array(projection.shards, pa.int32()),
            "row": pa.array(projection.rows, pa.int32()),
            "x": pa.array(projection.places[:, 0], pa.float32()),
            "y": pa.array(projection.places[:, 1], pa.float32()),
        }
    )
    described = asdict(projection.made) | {"schema": _SCHEMA_VERSION}
    table = table.replace_schema_metadata({_KEY: json.dumps(described).encode()})
    with written_aside(path) as aside:
        pq.write_table(table, aside, compression="zstd", write_page_checksum=True)


def read_projection(path: Path) -> Projection | None:
    """The stored projection; None where there is none, or a newer zeroshelf wrote it.

    Raises:
        CatalogError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        return None
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        described: dict[str, Any] = json.loads(table.schema.metadata[_KEY])
        if described.pop("schema") != _SCHEMA_VERSION:
            return None
        return Projection(
            Made(**described),
            _numbers(table["shard"]),
            _numbers(table["row"]),
            table["item_id"].combine_chunks(),
            table["content"].combine_chunks(),
            np.column_stack([table["x"].to_numpy(), table["y"].to_numpy()]),
        )
    except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise CatalogError(
            f"the map {str(path)!r} is damaged: {first_line(error)}. Lay the items out again: "
            "zeroshelf map"
        ) from error


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = column.to_numpy().astype(np.int64)
    return numbers
