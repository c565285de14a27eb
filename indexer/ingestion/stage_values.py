"""The values that pass between the stages of an ingestion."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.catalog.ledger import Place
from indexer.core.protocols import Pixels, SoundInput
from indexer.core.records import Download, FloatArray, Item, Kind


@dataclass(frozen=True, slots=True)
class RemoteContent:
    """A content that was read in another process and stays there.

    Attributes:
        handle: the reading stages' handle of contents that were read together.
        place: its place among them.
    """

    handle: object
    place: int


Decoded = Pixels | SoundInput | bytes | RemoteContent | None
"""Pixels of a picture, or a sound's input for the model; the content where another process decodes
it; None for a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An item with its content: bytes, or a vector; a text is its title.

    Attributes:
        content: None for a picture that was not downloaded, since its hash is known.
        download: of its URL, if it was requested.
        previous: the place of the id's current row, which this one replaces; None for a new id.
        shards_at_lookup: finished shards of this job when the ledger was read.
    """

    item: Item
    content_hash: str
    content: bytes | FloatArray | RemoteContent | None
    download: Download | None = None
    previous: Place | None = None
    shards_at_lookup: int = 0

    def ready(self, decoded: Decoded = None, vector: FloatArray | None = None) -> Ready:
        """The same item with what was made of its content."""
        return Ready(
            item=self.item,
            content_hash=self.content_hash,
            decoded=decoded,
            vector=vector,
            previous=self.previous,
            shards_at_lookup=self.shards_at_lookup,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An item that can become a row: what the model takes, or an existing vector.

    Attributes:
        place: the place of its vector in the archive.
        previous: as of ``Loaded``.
        is_shared: its vector is that of another item with the same content.
        shards_at_lookup: as of ``Loaded``.
    """

    item: Item
    content_hash: str
    decoded: Decoded = None
    vector: FloatArray | None = None
    place: Place | None = None
    previous: Place | None = None
    is_shared: bool = False
    shards_at_lookup: int = 0

    @property
    def lacks_content(self) -> bool:
        """Whether it is a picture that was not downloaded, since another with its hash was."""
        lacks = self.decoded is None and self.vector is None and self.place is None
        return self.item.kind is Kind.PICTURE and lacks
