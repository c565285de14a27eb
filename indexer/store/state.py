"""State of a catalog's collections and of a server: index, load state, memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.store.connection import Connection
from indexer.store.indexing import index_of

QUERY_NODES = ("querynode", "standalone")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """State of one collection.

    Attributes:
        index: type of its vector index; empty where it has none.
        pending_rows: rows that the index does not hold yet; None where the database does not say.
        index_state: as Milvus words it: ``Finished``, ``InProgress``, ``Failed``.
        loaded: whether it can be searched now.
    """

    index: str
    pending_rows: int | None
    index_state: str
    loaded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Main memory of the nodes that search, in bytes."""

    total: int
    used: int

    @property
    def free(self) -> int:
        """What is not used."""
        return max(0, self.total - self.used)


def read_state(connection: Connection, collection: str, field: str) -> CollectionState:
    """Ask for the state of a collection.

    Args:
        field: of its vectors.

    Raises:
        StoreError: the database did not answer, or refused.
    """
    client, timeout_s = connection.client, connection.timeout_s
    with connection.translate_errors(f"examining {collection}"):
        state = client.get_load_state(collection, timeout=timeout_s)["state"]
    index = index_of(connection, collection, field) or {}
    pending = index.get("pending_index_rows")
    return CollectionState(
        index=str(index.get("index_type", "")),
        pending_rows=None if pending is None else int(pending),
        index_state=str(index.get("state", "")),
        loaded=str(state) == "Loaded",
    )


def memory(connection: Connection) -> Memory | None:
    """Memory of a server's query nodes; None where the server does not say.

    Milvus gives it with the metrics of its proxy, for which pymilvus has no call of its own.
    """
    import grpc  # type: ignore[import-untyped]  # it ships none
    from pymilvus.grpc_gen import milvus_pb2

    request = milvus_pb2.GetMetricsRequest(request='{"metric_type":"system_info"}')
    try:
        handler = connection.client._get_connection()
        response = handler._stub.GetMetrics(request, timeout=connection.timeout_s).response
        return read_memory(json.loads(response))
    except (grpc.RpcError, ValueError, AttributeError):
        return None


def read_memory(metrics: Mapping[str, Any]) -> Memory | None:
    """Memory of the query nodes in ``GetMetrics``' answer; None where it names none."""
    nodes = [node.get("infos", {}) for node in metrics.get("nodes_info", ())]
    hardware = [
        node["hardware_infos"]
        for node in nodes
        if node.get("type") in QUERY_NODES and "memory" in node.get("hardware_infos", {})
    ]
    # Nodes of a standalone server are one process, and each reports the whole machine's memory.
    machines = {str(machine.get("ip", "")).partition(":")[0]: machine for machine in hardware}
    if not machines:
        return None
    return Memory(
        total=sum(int(machine["memory"]) for machine in machines.values()),
        used=sum(int(machine.get("memory_usage", 0)) for machine in machines.values()),
    )
