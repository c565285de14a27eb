"""Recovers a catalog's folder from its database, if only that is left."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.archive import Archive
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.folder import CatalogFolder
from indexer.catalog.ledger import Ledger
from indexer.catalog.opening import CatalogOptions
from indexer.core.chunks import in_chunks
from indexer.core.label_sets import CATEGORY, set_option
from indexer.core.protocols import Decision
from indexer.core.records import EmbeddedLabel, key_of
from indexer.core.watch import Watch
from indexer.ingestion.storing import mark_stored
from indexer.labels.files import LabelFolder
from indexer.labels.set_settings import write_settings
from indexer.labels.sets import LabelSet
from indexer.store import Database, MilvusItems

if TYPE_CHECKING:
    from pathlib import Path

PART_ROWS = 20_000
"""Rows that are read as one part, and again after a kill."""

# Rows in memory at once.
SHARD_ROWS = 8192

_log = logging.getLogger(__name__)


def recover(options: CatalogOptions, watch: Watch = Watch()) -> int:
    """Read a catalog from its database into a new folder.

    Keys are evenly distributed hashes, so the collection is read in parts by their first
    digits. A part that the archive has already, from a killed call, is skipped. The folder
    counts as a catalog only when it is complete.

    Vectors of titles, prompts, dead letters and the adaptation are lost, since a database does
    not hold them. Of adapted labels only the names can be recovered; they are written to a file
    for ``zeroshelf labels add``.

    Returns:
        Items read, by this call and earlier ones.

    Raises:
        CatalogError: the database has no such catalog.
    """
    folder = options.folder
    with (
        Database.connect(options.db_uri, token=options.token) as database,
        folder.locked(),
    ):
        folder = folder.at(database.current_generation(folder.name))
        fingerprint = database.fingerprint(folder.name)
        items = database.items(folder.name)
        archive = Archive(folder.archive, width=fingerprint.width)
        partition_key = database.partition_key(folder.name)
        ledger = Ledger(folder.ledger, archive, partition_key=partition_key)
        try:
            total = items.count()
            watch.begin("Reading the database", total)
            for prefix in _prefixes(total):
                watch.advance(_read_part(items, prefix, archive, ledger, folder))
            for set_name in database.label_sets(folder.name):
                _read_labels(database, folder.of_set(set_name))
            folder.create(fingerprint, partition_key=partition_key)
            ledger.stored.track(database.collection_id(folder.name))
            mark_stored(ledger, items, archive.shards())
            return ledger.count()
        finally:
            ledger.close()


def _prefixes(rows: int) -> list[str]:
    """Prefixes of keys that divide the rows into parts of about ``PART_ROWS``."""
    digits = 0
    while rows > PART_ROWS * 16**digits:
        digits += 1
    return [f"{number:0{digits}x}" if digits else "" for number in range(16**digits)]


def _read_part(
    items: MilvusItems, prefix: str, archive: Archive, ledger: Ledger, folder: CatalogFolder
) -> int:
    """Archive the rows of a part, unless the archive has them all; returns their number."""
    archived_ids = {item_id for item_id in ledger.item_ids() if key_of(item_id).startswith(prefix)}
    count = items.count_part(prefix)
    if len(archived_ids) < count:
        fresh = (pair for pair in items.read_part(prefix) if pair[0].item_id not in archived_ids)
        for chunk in in_chunks(fresh, SHARD_ROWS):
            shard = archive.write([row for row, _ in chunk])
            _store_decisions(folder, shard, [decision for _, decision in chunk])
            ledger.add(shard)
    return count


def _store_decisions(
    folder: CatalogFolder, shard: int, decisions: Sequence[Decision | None]
) -> None:
    """Write the decisions of each label set to its files; ``decisions``: as ``ItemDecisions``."""
    by_set: dict[str, list[Decision | None]] = {
        CATEGORY: [
            decision if decision is not None and (decision.label_id or decision.status) else None
            for decision in decisions
        ]
    }
    for row, decision in enumerate(decisions):
        for set_name, attribute in (decision.attributes if decision is not None else {}).items():
            by_set.setdefault(set_name, [None] * len(decisions))[row] = attribute
    for set_name, of_set in by_set.items():
        if any(decision is not None for decision in of_set):
            DecisionFiles(folder.of_set(set_name).decisions).write(shard, of_set)


def _read_labels(database: Database, folder: CatalogFolder) -> None:
    """Store the label set if its vectors are not adapted; else write the labels' names."""
    set_name = folder.set_name
    write_settings(folder.labels, database.label_settings(folder.name, set_name=set_name))
    rows = list(database.labels(folder.name, set_name=set_name).labels())
    if not rows:
        return
    labels = LabelSet(
        labels=tuple(row.label for row in rows),
        definitions=tuple(row.definition_hash for row in rows),
        vectors=np.stack([row.vector[:-1] for row in rows]),
    )
    if labels.version == database.label_version(folder.name, set_name=set_name):
        LabelFolder(folder.labels).save(labels)
        return
    file = folder.labels / "recovered.jsonl"
    _write_names(file, rows)
    _log.warning(
        "the labels of catalog %r were adapted, and a database has only the adapted vectors. Their "
        "names are in %s; embed them again with: zeroshelf labels add %s --catalog %s%s",
        folder.name,
        file,
        file,
        folder.name,
        set_option(set_name),
    )


def _write_names(file: Path, rows: Iterable[EmbeddedLabel]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        {
            "id": row.label.label_id,
            "name": row.label.name,
            "parent": row.label.parent_id,
            "description": row.label.description,
            "synonyms": list(row.label.synonyms),
        }
        for row in rows
    )
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    file.write_text(text, encoding="utf-8")
