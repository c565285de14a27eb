"""Where stored rows lie in the files that they are cut from."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.catalog.archive import Archive
from indexer.catalog.parts import PartRow
from indexer.core.parts import place_of


def places_of(archive: Archive, rows: Sequence[PartRow]) -> list[str]:
    """The place of each row for people, such as ``0:10-0:20``; empty for whole files.

    Args:
        rows: any number; each shard is read once.
    """
    shards = dict.fromkeys(row.shard for row in rows)
    parts = {shard: archive.table(shard, ["part_json"]).column("part_json") for shard in shards}
    return [place_of(parts[row.shard][row.row].as_py() or "") for row in rows]
