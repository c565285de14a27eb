"""Making the indexes of a collection: of its vectors, of texts, of values in its metadata."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from indexer.core.layout import IndexedColumn, columns_text
from indexer.core.records import key_of
from indexer.store.capabilities import Capability, ServerInfo
from indexer.store.connection import LONG_TIMEOUT_S, Connection
from indexer.store.indexes import METRIC, TYPES, Quantization
from indexer.store.schema import INDEXED_PROPERTY

TEXT_INDEX = "Trie"
"""Every server has it, Milvus Lite does not."""

JSON_INDEX = "INVERTED"
METADATA = "metadata"

_log = logging.getLogger(__name__)


def index_of(connection: Connection, name: str, field: str) -> Mapping[str, Any] | None:
    """A field's index: ``index_type`` and its parameters; None where there is none."""
    client, timeout_s = connection.client, connection.timeout_s
    with connection.translate_errors(f"reading the index of {name}"):
        if not client.list_indexes(name, field, timeout=timeout_s):
            return None
        description: Mapping[str, Any] = client.describe_index(name, field, timeout=timeout_s)
    return description


def index_vectors(
    connection: Connection,
    name: str,
    field: str,
    kind: str,
    quantization: Quantization | None = None,
) -> None:
    """Index vectors; an index that they have is dropped before.

    Args:
        quantization: of ``HNSW_SQ``; its usual one if None.
    """
    params = dict(TYPES[kind].build)
    if quantization is not None:
        params |= quantization.build_params()
    with connection.translate_errors(f"building the {kind} index of {name}"):
        if index_of(connection, name, field) is not None:
            connection.client.release_collection(name, timeout=LONG_TIMEOUT_S)
            connection.client.drop_index(name, field, timeout=LONG_TIMEOUT_S)
        _create(connection, name, field, kind, metric_type=METRIC, params=params)


def index_texts(connection: Connection, name: str, field: str) -> None:
    """Index a field of texts, for filters that ask for one value of it."""
    with connection.translate_errors(f"indexing {field} of {name}"):
        _create(connection, name, field, TEXT_INDEX)


def index_metadata(
    connection: Connection, name: str, columns: Sequence[IndexedColumn], server: ServerInfo
) -> None:
    """Index values within the items' metadata and record which; warn where the server can't.

    Milvus, "JSON Indexing" (https://milvus.io/docs/json-indexing.md): an index a path, with the
    type that values are cast to; values of other types are left out. Written by this
    documentation and not tested, since it takes a server of 2.6.

    Args:
        columns: those that have an index already are skipped.
        server: the database.
    """
    if not columns:
        return
    if Capability.JSON_INDEXES not in server.capabilities:
        _log.warning(
            "%s has no indexes of metadata (servers have them from Milvus 2.6 on): filters by %s "
            "find the same, and look at every row",
            connection.address,
            ", ".join(column.name for column in columns),
        )
    else:
        _index_columns(connection, name, columns)
    connection.set_property(name, INDEXED_PROPERTY, columns_text(columns))


def _index_columns(connection: Connection, name: str, columns: Sequence[IndexedColumn]) -> None:
    with connection.translate_errors(f"indexing the metadata of {name}"):
        indexes = connection.client.list_indexes(name, METADATA, timeout=connection.timeout_s)
        for column in columns:
            index = f"{METADATA}_{key_of(column.name)}"  # letters, digits and _ only
            if index not in indexes:
                params = {"json_path": column.path, "json_cast_type": str(column.values)}
                _create(connection, name, METADATA, JSON_INDEX, index=index, params=params)


def _create(
    connection: Connection,
    name: str,
    field: str,
    kind: str,
    *,
    index: str = "",
    params: Mapping[str, Any] | None = None,
    **extra: Any,
) -> None:
    """Create one index, named like its field unless another name is given."""
    from pymilvus import MilvusClient

    index_params = MilvusClient.prepare_index_params()
    index_params.add_index(
        field, index_name=index or field, index_type=kind, params=params or {}, **extra
    )
    # pymilvus sleeps half a second before it first asks whether an index is built. Milvus Lite
    # only notes the index here, and builds it in ``load``.
    is_awaited = not connection.is_lite
    connection.client.create_index(name, index_params, timeout=LONG_TIMEOUT_S, sync=is_awaited)
