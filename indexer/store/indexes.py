"""Which vector index a collection gets; pure."""

from __future__ import annotations

from typing import Any

from indexer.errors import ConfigError

AUTO = "auto"
FLAT = "FLAT"
HNSW = "HNSW"

METRIC = "IP"
"""Inner product: the cosine, since all vectors have length 1."""

KNOWN = {"Milvus Lite": (FLAT, HNSW), "a Milvus server": (FLAT, HNSW)}
"""Index types by backend. An allow-list, since Milvus Lite takes any word for an index
type, searches it, and fails only when the collection is loaded the next time."""

BUILD_PARAMS: dict[str, dict[str, int]] = {FLAT: {}, HNSW: {"M": 16, "efConstruction": 200}}

FLAT_ROWS_LITE = 50_000
FLAT_ROWS_SERVER = 20_000
"""Up to here exact search is quick enough, and building a graph costs more than it saves."""

MIN_EF = 64
MAX_EF = 32_768


def choose(kind: str, rows: int, *, is_lite: bool, current: str | None) -> str:
    """The index type for a number of rows.

    Args:
        kind: ``auto`` or a type of ``KNOWN``, in any case of letters.
        rows: rows that the collection has.
        is_lite: whether Milvus Lite serves it.
        current: the type that it has now, if any. ``auto`` keeps a graph until the rows
            are half of what calls for one, so that a count that swings does not rebuild it.

    Raises:
        ConfigError: a type that is not known for the backend.
    """
    backend = "Milvus Lite" if is_lite else "a Milvus server"
    wanted = kind.strip().upper()
    if wanted == AUTO.upper():
        limit = FLAT_ROWS_LITE if is_lite else FLAT_ROWS_SERVER
        if rows > limit or (current == HNSW and rows > limit // 2):
            return HNSW
        return FLAT
    if wanted not in KNOWN[backend]:
        known = ", ".join((AUTO, *KNOWN[backend]))
        raise ConfigError(f"index {kind!r}: not known for {backend}; choose one of {known}")
    return wanted


def search_params(limit: int, ef: int | None) -> dict[str, Any]:
    """Search parameters; ``ef`` (HNSW's candidate list) is ignored by a FLAT index."""
    width = max(MIN_EF, 2 * limit) if ef is None else max(ef, limit)
    return {"metric_type": METRIC, "params": {"ef": min(width, MAX_EF)}}
