"""Memory and disk space that items need, from measurements; pure."""

from __future__ import annotations

from dataclasses import dataclass

LITE_ITEMS = 100_000
"""With more items Milvus Lite is slow even in batches: 0.1 to 0.3 s a search."""

# Measured with 100,000 items of width 512 and short titles, as multiples of the vectors' own
# bytes (205 MB): Milvus Lite 1.7 GB of memory and 394 MB of disk; server 2.3.5 with HNSW 0.7 to
# 0.9 GB when it is loaded. While it was loaded the server took up to 2.3 GB.
_LITE_MEMORY, _LITE_DISK = 8.3, 1.9
_SERVER_MEMORY = 4.0
_ARCHIVE_DISK = 1.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Bytes that a number of items needs, rounded up generously.

    Attributes:
        memory_bytes: of the process that searches, which for Milvus Lite is this one.
        disk_bytes: on this machine: the archive, and a Milvus Lite database.
    """

    memory_bytes: int
    disk_bytes: int


def capacity_for(items: int, width: int, *, is_lite: bool, value_bytes: int = 4) -> Capacity:
    """Capacity for items with vectors of this width.

    Args:
        value_bytes: of a dimension in the database; the archive has 4.
    """
    values = width * items
    memory = _LITE_MEMORY if is_lite else _SERVER_MEMORY
    disk = _ARCHIVE_DISK + (_LITE_DISK if is_lite else 0.0)
    return Capacity(
        memory_bytes=round(memory * value_bytes * values), disk_bytes=round(disk * 4 * values)
    )
