"""What is under way in an ingestion: the values that pass between its stages."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from indexer.credentials import without_credentials
from indexer.ledger import Place
from indexer.protocols import Pixels
from indexer.reasons import Reason, Stage
from indexer.records import Download, EmbeddedItem, Failure, FloatArray, Item, Kind

# Made once: json.dumps makes one at each call that has options.
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
_described = json.JSONEncoder(ensure_ascii=False)


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


def failure(item: Item, stage: Stage, reason: Reason, message: str) -> Failure:
    """A dead letter of now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Failure(
        item=item, stage=stage, reason=reason, message=without_credentials(message), time=now
    )


def is_web(source: str) -> bool:
    """Whether a picture is downloaded by HTTP."""
    return source[:8].lower().startswith(("http://", "https://"))


def canonical_json(metadata: object) -> str:
    """Metadata as JSON with sorted keys, so that equal metadata is equal text."""
    return _canonical.encode(metadata)


def described_hash(one: Item | EmbeddedItem, *, with_title: bool = False) -> str:
    """Hash of what is stored beside the content: a changed price is a changed row.

    Args:
        with_title: the row has the vector of its title too.
    """
    metadata = canonical_json(one.metadata) if isinstance(one, Item) else one.metadata_json
    described = [one.kind, one.source, one.title, metadata, *["title vector"] * with_title]
    text = _described.encode(described)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def sha256(content: bytes) -> str:
    """Hash of a content, as hex."""
    return hashlib.sha256(content).hexdigest()
