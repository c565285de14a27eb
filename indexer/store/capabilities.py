"""What a database can do of what the store uses, known from its version; pure.

Milvus Lite 3.2.2 and server 2.3.5 were tested; other servers follow Milvus' documentation.
Milvus often ignores in silence what it lacks, so the version decides, not a trial.

Some features are not used at all, because older databases lack them: nullable fields (a
missing decision is an empty label), partial upserts (decisions are written with their rows),
and idempotent imports (the rows' keys are deleted before an import).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

Version = tuple[int, ...]

OLDEST_SERVER: Version = (2, 3)
"""Older servers have no upsert."""


class Capability(StrEnum):
    """A feature that some databases lack; the value is for people."""

    BULK_IMPORT = "bulk import"
    PARTITION_KEYS = "partition keys"
    FLOAT16_VECTORS = "float16 vectors"
    JSON_INDEXES = "JSON indexes"
    QUANTIZED_INDEXES = "quantized indexes"
    REFINED_INDEXES = "refined indexes"
    FOUR_BIT_INDEXES = "indexes of four bits"


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
    # Milvus Lite takes the parameters of both in silence, and ignores them (its source says so).
    Capability.REFINED_INDEXES: (2, 6),
    Capability.FOUR_BIT_INDEXES: (2, 6, 8),
}
"""The server version that brought each capability; before 2.6 it may be incomplete."""

LITE = frozenset({Capability.PARTITION_KEYS, Capability.QUANTIZED_INDEXES})
"""Capabilities of Milvus Lite 3.2.2, by test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A database's version and capabilities.

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
        """Whether it lacks upsert, which every command needs."""
        return not self.is_lite and bool(self.number) and self.number < OLDEST_SERVER

    @property
    def is_tested(self) -> bool:
        """Whether the store's contract tests were run on this version."""
        return self.is_lite or self.number[:3] == (2, 3, 5)


def server_info(version: str) -> ServerInfo:
    """What a version string means: ``milvus_lite-3.2.2``, ``v2.3.5-lite``.

    A server whose version can't be read (a development build) is assumed to have the basics
    only.
    """
    is_lite = version.startswith("milvus_lite")
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    number = tuple(int(digits) for digits in match.groups() if digits is not None) if match else ()
    newer = frozenset(capability for capability, since in SINCE.items() if number >= since)
    return ServerInfo(
        version=version, number=number, is_lite=is_lite, capabilities=LITE if is_lite else newer
    )
