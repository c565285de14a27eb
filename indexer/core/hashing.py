"""Hashes of what an item holds: its content, and what is stored beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from indexer.core.parts import ROW, VIEW, cut_of, is_cut
from indexer.core.records import EmbeddedItem, Item, Part

# Made once: json.dumps makes one at each call that has options.
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))

_described = json.JSONEncoder(ensure_ascii=False)


def canonical_json(metadata: object) -> str:
    """Metadata as JSON with sorted keys, so that equal metadata is equal text."""
    return _canonical.encode(metadata)


def described_hash(item: Item | EmbeddedItem, *, with_title: bool = False) -> str:
    """Hash of what is stored beside the content: a changed price is a changed row.

    Args:
        with_title: the row has the vector of its title too.
    """
    metadata = canonical_json(item.metadata) if isinstance(item, Item) else item.metadata_json
    described = [item.kind, item.source, item.title, metadata]
    if with_title:
        described.append("title vector")
    if item.parent_id:
        described += ["part of", item.parent_id]
    # Where rows of a table are parts, the first one describes their item, so their order counts.
    part = item.part if isinstance(item, Item) else json.loads(item.part_json or "{}")
    if item.parent_id and ROW in part:
        # A database may give 2.0 for the 2 that was stored.
        described.append(f"row {part[ROW]:g}, {part.get(VIEW, 0):g}")
    text = _described.encode(described)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def sha256(content: bytes | bytearray) -> str:
    """Hash of a content, as hex."""
    return hashlib.sha256(content).hexdigest()


def checksum(values: object) -> str:
    """Hash of JSON values, as hex, by which a damaged file is told."""
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=8).hexdigest()


def file_sha256(file: Path) -> str:
    """Hex digest of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def part_hash(file_hash: str, part: Part) -> str:
    """Hash of what is cut from a file, as hex; that of the file where the part is all of it.

    Args:
        file_hash: SHA-256 of the file, as hex.
    """
    if not is_cut(part):
        return file_hash
    return sha256(f"{file_hash} {canonical_json(cut_of(part))}".encode())
