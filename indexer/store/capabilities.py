"""What a database offers of what the store uses, told from the version that it gives; pure.

Known by what was run (Milvus Lite 3.2.2, server 2.3.5); of other servers by Milvus'
documentation. Milvus ignores what it lacks in silence as often as it refuses it, so
trying a thing tells little, and the version is asked.

Left out is what would make nothing simpler while older databases lack it: nullable fields
(a missing decision is an empty label), partial upserts (decisions are written with their
rows), and keys that make an import idempotent (keys of the rows are deleted before it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

Version = tuple[int, ...]

OLDEST_SERVER: Version = (2, 3)
"""Older servers have no upsert."""


class Capability(StrEnum):
    """A thing that some databases have and others lack; the value is for people."""

    BULK_IMPORT = "bulk import"
    PARTITION_KEYS = "partition keys"
    FLOAT16_VECTORS = "float16 vectors"
    JSON_INDEXES = "JSON indexes"
    QUANTIZED_INDEXES = "quantized indexes"


SINCE: dict[Capability, Version] = {
    Capability.BULK_IMPORT: (2, 2),
    # They are older, but 2.3.5 sends an upserted row to the partition of its primary key, where
    # no search by partition finds it (seen; milvus pull request 30772 of 2024 mended it).
    Capability.PARTITION_KEYS: (2, 4),
    Capability.FLOAT16_VECTORS: (2, 4),
    Capability.JSON_INDEXES: (2, 6),
    # IVF_SQ8 is older, but a 2.3.5 server with local storage removed the collection's vectors
    # when it released such an index, so that no other could be built (seen, its log says
    # "file not exist").
    Capability.QUANTIZED_INDEXES: (2, 6),
}
"""From which server on; before 2.6 a capability may be there in part."""

LITE = frozenset({Capability.PARTITION_KEYS, Capability.QUANTIZED_INDEXES})
"""What Milvus Lite 3.2.2 was seen to have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a database is, and has.

    Attributes:
        version: as the database gives it.
        number: its parts; empty where the version can't be read.
        is_lite: whether it is Milvus Lite.
    """

    version: str
    number: Version
    is_lite: bool
    capabilities: frozenset[Capability]

    @property
    def is_too_old(self) -> bool:
        """Whether it lacks what every command needs."""
        return not self.is_lite and bool(self.number) and self.number < OLDEST_SERVER

    @property
    def was_run(self) -> bool:
        """Whether the store's contract suite was run against this line."""
        return self.is_lite or self.number[:3] == (2, 3, 5)


def offer(version: str) -> Offer:
    """What a database offers that gives this version: ``milvus_lite-3.2.2``, ``v2.3.5-lite``.

    A server whose version can't be read (a development build) is taken for one that has
    nothing but the basics.
    """
    is_lite = version.startswith("milvus_lite")
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    number = tuple(int(part) for part in found.groups() if part is not None) if found else ()
    newer = frozenset(one for one, since in SINCE.items() if number >= since)
    return Offer(
        version=version, number=number, is_lite=is_lite, capabilities=LITE if is_lite else newer
    )
