"""What is under way in an ingestion: the values that pass between its stages."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.catalog.ledger import Place
from indexer.core.protocols import Pixels
from indexer.core.records import Download, FloatArray, Item, Kind


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A content that was read in another process and stays there.

    Attributes:
        held: what the stages that read it find it by.
        place: among the contents that were read together.
    """

    held: object
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """An item with its content: bytes, or a vector; a text is its title.

    Attributes:
        content: None of a picture whose content is known by its hash: it was not downloaded.
        download: what its URL gave, where it was asked.
    """

    item: Item
    content_hash: str
    content: bytes | FloatArray | Elsewhere | None
    download: Download | None = None
    before: Place | None = None
    shards_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An item that can become a row: pixels or text to embed, or a vector that is known.

    Attributes:
        pixels: of a picture; what they can be made of where another process embeds it.
        place: where in the archive its vector lies.
        before: where the row of the same id lies that it replaces; None for a new id.
        shares: its vector is that of another item of the same content.
        shards_before: how many shards this job had finished when the ledger was asked.
    """

    item: Item
    content_hash: str
    pixels: Pixels | bytes | Elsewhere | None = None
    vector: FloatArray | None = None
    place: Place | None = None
    before: Place | None = None
    shares: bool = False
    shards_before: int = 0

    @property
    def lacks_content(self) -> bool:
        """Whether it is a picture that was not downloaded, since another was."""
        lacks = self.pixels is None and self.vector is None and self.place is None
        return self.item.kind is Kind.PICTURE and lacks
