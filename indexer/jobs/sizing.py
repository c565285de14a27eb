"""Estimates what a catalog of some size needs: bytes, machines, hours and money; pure.

``docs/scaling.md`` gives the source of each formula, and the measurements that check it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from indexer.core.layout import VectorType
from indexer.jobs.capacity import LITE_ITEMS
from indexer.store.capabilities import server_info
from indexer.store.indexes import (
    AUTO,
    FLAT,
    HNSW,
    HNSW_SQ,
    IVF_FLAT,
    IVF_RABITQ,
    IVF_SQ8,
    SCANN,
    TYPES,
    backend,
    choose,
)

NEWEST = backend(server_info("v2.6"))
"""The planned server: that of the compose file."""

MEASURED_TYPES, MEASURED_ITEMS = (FLAT, HNSW), 100_000
"""Measured on a 2.3.5 server; the rest follows from the formulas."""

FILL_SHARE = 0.7
"""Share of a query node's memory to fill. A node takes no segment beyond 0.9
(``queryNode.overloadedMemoryThresholdPercentage``), and holds old and new ones for a while."""

FLOAT_BYTES = 4
HASH_BYTES = 96
"""Of an item's content (64) and of its row (32), as hex."""

# Each is fitted to one measurement and checked by others: see docs/scaling.md.
PACKED_HASH_BYTES, PACKED_TEXT = 55, 0.15
ROW_NUMBERS_BYTES, ENTRY_BYTES, RANDOM_FILL = 10, 4, 0.69
DECISION_BYTES = 7
WORDS_BYTES, WORDS_TEXT = 65, 0.95
LITE_BYTES, LITE_MEMORY = 150_000_000, 4.6
SERVER_BYTES = 300_000_000

MOVING_ITEMS = 1_000_000
"""Items whose vectors a server holds a second time beside their index, while segments are filled
and replaced. Measured for all items up to 100,000; this bound is an assumption, since sealed
segments should hold the index alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A catalog to estimate.

    Attributes:
        items: number of items, at least 1.
        labels: number of labels, at least 1.
        width: dimension d of the vectors.
        index: ``auto`` or an index type of a server.
        vector_type: number format of the vectors on the server.
        id_bytes: of an item's id.
        text_bytes: of an item's id, source, title and metadata together, in UTF-8.
        titles: whether titles are embedded too.
        rate: pictures that one machine embeds in a second; None if unknown.
        price: of that machine for an hour, in any currency; None if unknown.
        node_bytes: main memory of a query node.
        gigaflops: products with labels that one machine computes, 1e9 operations a second.
    """

    items: int
    labels: int = 1_000
    width: int = 512
    index: str = AUTO
    vector_type: VectorType = VectorType.FLOAT32
    id_bytes: int = 12
    text_bytes: int = 160
    titles: bool = False
    rate: float | None = None
    price: float | None = None
    node_bytes: int = 64 * 10**9
    gigaflops: float = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a planned catalog needs.

    Attributes:
        index: type of the server's index.
        archive_bytes: Parquet shards, on this machine's disk.
        ledger_bytes: the shards' index, on the same disk.
        words_bytes: the index of words, on the same disk, from the first hybrid search on.
        decisions_bytes: decisions of ``categorize --write-back``, on the same disk.
        lite_memory_bytes: of the process that opens Milvus Lite; None where that is too slow.
        lite_disk_bytes: of Milvus Lite, likewise.
        server_memory_bytes: of all query nodes together.
        server_disk_bytes: of the server's storage, while it is being filled.
        query_nodes: of ``node_bytes``, filled to ``FILL_SHARE``.
        embedding_hours: of one machine; None without a rate.
        embedding_cost: of all items; None without a rate and a price.
        embedding_cost_per_million: of a million of them, likewise.
        operations: multiplications and additions of one categorization.
        categorizing_hours: of one machine, for these alone.
        was_measured: whether a catalog of this index and at least this size was measured.
    """

    items: int
    labels: int
    width: int
    index: str
    archive_bytes: int
    ledger_bytes: int
    words_bytes: int
    decisions_bytes: int
    lite_memory_bytes: int | None
    lite_disk_bytes: int | None
    server_memory_bytes: int
    server_disk_bytes: int
    query_nodes: int
    embedding_hours: float | None
    embedding_cost: float | None
    embedding_cost_per_million: float | None
    operations: int
    categorizing_hours: float
    was_measured: bool


def estimate(plan: Plan) -> Estimate:
    """Estimate what a planned catalog needs.

    Raises:
        ConfigError: servers do not have this index type.
    """
    index = choose(plan.index, plan.items, NEWEST, current=None)
    items, vector, text = plan.items, FLOAT_BYTES * plan.width, plan.text_bytes
    value_bytes = plan.vector_type.value_bytes
    memory = server_memory_bytes(index, items, plan.width, text, value_bytes)
    suits_lite = items <= LITE_ITEMS
    hours = None if plan.rate is None else items / plan.rate / 3_600
    cost = None if hours is None or plan.price is None else hours * plan.price
    operations = 2 * items * plan.labels * plan.width
    return Estimate(
        items=items,
        labels=plan.labels,
        width=plan.width,
        index=index,
        archive_bytes=round(items * archive_bytes(plan.width, text, titles=plan.titles)),
        ledger_bytes=round(items * ledger_bytes(plan.id_bytes)),
        words_bytes=round(items * words_bytes(plan.id_bytes, text)),
        decisions_bytes=items * (plan.id_bytes + DECISION_BYTES),
        lite_memory_bytes=round(LITE_BYTES + items * LITE_MEMORY * vector) if suits_lite else None,
        lite_disk_bytes=round(items * (2 * vector + text + HASH_BYTES)) if suits_lite else None,
        server_memory_bytes=round(memory),
        server_disk_bytes=round(items * server_disk_bytes(index, plan.width, text, value_bytes)),
        query_nodes=math.ceil(memory / (FILL_SHARE * plan.node_bytes)),
        embedding_hours=hours,
        embedding_cost=cost,
        embedding_cost_per_million=None if cost is None else cost / items * 1_000_000,
        operations=operations,
        categorizing_hours=operations / (plan.gigaflops * 1e9) / 3_600,
        was_measured=index in MEASURED_TYPES
        and items <= MEASURED_ITEMS
        and plan.vector_type is VectorType.FLOAT32,
    )


def index_bytes(kind: str, width: int, value_bytes: int = FLOAT_BYTES) -> float:
    """Bytes an item in the memory of a server's index.

    Graphs: 2M links in the lowest layer and M in each above, where every M-th item of the
    layer below is found (Malkov and Yashunin 2018), each 4 bytes, and 12 bytes of offsets.
    Lists: an id of 8 bytes. RaBitQ: a bit a dimension and two floats (Gao and Long 2024), and
    eight bits a dimension for ranking the candidates.

    Args:
        kind: index type.
        width: dimension d.
        value_bytes: of a dimension of a stored vector.
    """
    whole = value_bytes * width
    links: int = TYPES[HNSW].build["M"]
    graph = 4 * (2 * links + links / (links - 1)) + 12
    return {
        FLAT: whole,
        HNSW: whole + graph,
        HNSW_SQ: width + graph,
        IVF_FLAT: whole + 8,
        IVF_SQ8: width + 8,
        SCANN: whole + width / 4 + 8,
        IVF_RABITQ: width / 8 + 8 + width + 8,
    }[kind]


def archive_bytes(width: int, text_bytes: int, *, titles: bool) -> float:
    """Bytes an item in the archive: plain vectors, and packed hashes and texts."""
    vectors = FLOAT_BYTES * width * (1 + titles)
    return vectors + PACKED_HASH_BYTES + PACKED_TEXT * text_bytes


def ledger_bytes(id_bytes: int) -> float:
    """Bytes an item in the ledger: a row by its id, and an entry by its content.

    Hashes come in random order, so pages of their B-tree are 69% full (Yao 1978), as are those
    of the ids in the worst case.
    """
    row = id_bytes + HASH_BYTES + ROW_NUMBERS_BYTES
    entry = id_bytes + 64 + ENTRY_BYTES
    return row + entry / RANDOM_FILL


def words_bytes(id_bytes: int, text_bytes: int) -> float:
    """Bytes an item in the index of words: its text, postings, and its id four times.

    Fitted to 100,000 items of 42 to 377 bytes, and checked by ids of 44 bytes.
    """
    return WORDS_BYTES + 4 * id_bytes + WORDS_TEXT * text_bytes


def server_memory_bytes(
    kind: str, items: int, width: int, text_bytes: int, value_bytes: int = FLOAT_BYTES
) -> float:
    """Bytes of a freshly filled server: indexes, rows, and vectors of growing segments."""
    row = index_bytes(kind, width, value_bytes) + text_bytes + HASH_BYTES
    return SERVER_BYTES + items * row + min(items, MOVING_ITEMS) * value_bytes * width


def server_disk_bytes(
    kind: str, width: int, text_bytes: int, value_bytes: int = FLOAT_BYTES
) -> float:
    """Bytes an item in the storage of a freshly filled server.

    Merged segments stay for three hours (``dataCoord.gc.dropTolerance``), so rows and index are
    stored twice, and the log keeps rows for three days
    (``rocksmq.retentionTimeInMinutes``).
    """
    row = value_bytes * width + text_bytes + HASH_BYTES
    return 3 * row + (0 if kind == FLAT else 2 * index_bytes(kind, width, value_bytes))
