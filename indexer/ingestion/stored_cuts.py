"""Finds the stored rows that were cut from one file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache

from indexer.catalog.archive import Archive
from indexer.catalog.ledger import Ledger
from indexer.core.parts import is_cut, uncut
from indexer.core.records import FloatArray, Item, Part


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCut:
    """A row of the archive that is cut from a file.

    Attributes:
        vector: float32 (d,), length 1.
    """

    part: Part
    content_hash: str
    vector: FloatArray


def stored_cuts(whole: Item, ledger: Ledger, archive: Archive) -> list[StoredCut]:
    """What of an item's file, or of a further file of an item, is stored, in the order of places.

    Args:
        whole: the item, or the further part of one, whose content is the file.
    """
    item_id = whole.parent_id or whole.item_id
    cuts: list[StoredCut] = []
    for row in ledger.parts.rows_of([item_id]).get(item_id, ()):
        part_json, content_hash = _described(archive, row.shard)[row.row]
        part = json.loads(part_json or "{}")
        parent_id = "" if row.row_id == item_id else item_id
        stored = replace(whole, item_id=row.row_id, parent_id=parent_id, part=part)
        if is_cut(part) and uncut(stored).item_id == whole.item_id:
            vector = archive.vector(row.shard, row.row)
            cuts.append(StoredCut(part=part, content_hash=content_hash, vector=vector))
    return cuts


@lru_cache(maxsize=2)
def _described(archive: Archive, shard: int) -> list[tuple[str, str]]:
    """Part and content hash of each row of a shard, which never changes."""
    table = archive.table(shard, ["part_json", "content_hash"])
    columns = (table.column(name).to_pylist() for name in ("part_json", "content_hash"))
    return list(zip(*columns, strict=True))
