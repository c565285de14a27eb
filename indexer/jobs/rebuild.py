"""Make a catalog's database anew from its archive, or compare the two."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from indexer.catalog.archive import Removal
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.folder import catalog_names
from indexer.catalog.opened import Catalog, CatalogOptions, open_catalog
from indexer.core.errors import StoreError, StoreLockedError, StoreUnavailableError
from indexer.core.layout import AS_IT_IS, Layout, VectorType
from indexer.core.protocols import Decision
from indexer.core.records import EmbeddedItem, EmbeddedLabel
from indexer.jobs.loading import store_missing
from indexer.labels.head import stored_rows, stored_version
from indexer.store.addresses import parse

SAMPLE = 1_000
"""Vectors that are compared where not all are asked for."""

_FETCHED_AT_ONCE = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a database differs from the archive.

    Attributes:
        vectors: how many vectors were compared.
        items: in the archive.
        missing: ids that the database lacks.
        different: ids whose content, title, metadata, label or vector are not the archive's.
        foreign: rows of the database that the archive does not know.
        labels_match: the labels are those of the catalog's label set.
    """

    items: int
    missing: tuple[str, ...]
    different: tuple[str, ...]
    foreign: int
    labels_match: bool
    vectors: int = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.labels_match and not (self.missing or self.different or self.foreign)


def rebuild(
    options: CatalogOptions,
    *,
    index: str = "auto",
    layout: Layout = AS_IT_IS,
    staging: str = "",
    on_total: Callable[[int], None] = lambda _: None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> int:
    """Drop a catalog's collections and fill them from the archive.

    Nothing is dropped before all that is needed has been read. A Milvus Lite database that is
    damaged inside is moved aside, and made anew.

    Args:
        index: of the items: ``auto`` or a Milvus index type.
        layout: how items shall lie in the database; what it leaves open stays as it is.
        staging: where a server imports large loads from; empty upserts.

    Returns:
        Items in the database.

    Raises:
        CatalogError: the archive, the labels or the decisions are damaged.
        StoreError: the database failed.
    """

    def fill() -> int:
        with open_catalog(options, write=True) as catalog:
            name, generation = catalog.folder.name, catalog.folder.number
            on_total(catalog.ledger.count())
            wanted = layout
            if catalog.database.has_catalog(name, generation):
                wanted = layout.over(catalog.database.layout(name, generation))
                catalog.database.check_layout(wanted)
                catalog.database.drop_catalog(name, generation)
            catalog.create_collections(layout=wanted)
            store_missing(catalog, staging=staging, on_rows=on_rows)
            catalog.items.ensure_index(index, catalog.ledger.count())
            return catalog.items.count()

    with open_catalog(options, write=True) as catalog:
        for file in catalog.folder.ledger.parent.glob(catalog.folder.ledger.name + "*"):
            file.unlink()  # it is made of the archive, and may be damaged too
        check_record(catalog)
    try:
        return fill()
    except StoreError as error:
        if not is_damage(options, error):
            raise
        _log.warning("%s", error)
        move_aside(options)
        return fill()


def check_record(catalog: Catalog) -> None:
    """Read all that a database is made of.

    Raises:
        CatalogError: a part is damaged; its message says what to do.
    """
    decisions = DecisionFiles(catalog.folder.decisions)
    for shard in catalog.archive.shards():
        catalog.archive.table(shard)
        catalog.archive.title_vectors(shard)
        decisions.table(shard)
    _ = catalog.label_set, catalog.prompts, catalog.adaptation


def is_damage(options: CatalogOptions, error: StoreError) -> bool:
    """Whether an error says that a Milvus Lite database is damaged inside."""
    path = parse(options.db_uri).path
    passing = isinstance(error, StoreLockedError | StoreUnavailableError)
    if path is None or not path.is_dir() or passing or "the disk is full" in str(error):
        return False
    return os.access(path, os.W_OK)


def move_aside(options: CatalogOptions) -> Path:
    """Move a Milvus Lite database out of the way, and say under which name it lies.

    Returns:
        Where it is now.
    """
    path = parse(options.db_uri).path
    assert path is not None
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    _log.warning("the database was moved to %s, and is made anew from the archive.", target)
    others = [one for one in catalog_names(options.data_dir) if one != options.catalog]
    if others:
        commands = "; ".join(f"zeroshelf rebuild --catalog {one}" for one in others)
        _log.warning("it held other catalogs too. Make them anew with: %s", commands)
    return target


def compare(
    options: CatalogOptions,
    *,
    all_vectors: bool = False,
    on_total: Callable[[int], None] = lambda _: None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Compare the database with the archive, item by item.

    Args:
        all_vectors: compare every vector; else those of about ``SAMPLE`` items, spread over the
            archive: Milvus is slow to give vectors.

    Raises:
        CatalogError: the archive, the labels or the decisions are damaged.
    """
    with open_catalog(options, write=True) as catalog:
        missing: list[str] = []
        different: list[str] = []
        on_total(catalog.ledger.count())
        every = 1 if all_vectors else -(-max(catalog.ledger.count(), 1) // SAMPLE)
        tolerance = _tolerance(catalog)
        seen = vectors = 0
        for rows in _batches(catalog):
            stored = catalog.items.fetch([row.item_id for row, _ in rows])
            sampled = [row for row, _ in rows[-seen % every :: every]]
            seen += len(rows)
            known = catalog.items.vectors([row.item_id for row in sampled])
            vectors += len(known)
            other = {
                row.item_id
                for row in sampled
                if row.item_id in known
                and not np.allclose(row.vector, known[row.item_id], atol=tolerance)
            }
            for row, decision in rows:
                found = stored.get(row.item_id)
                if found is None:
                    missing.append(row.item_id)
                elif row.item_id in other or not _same(row, decision, found):
                    different.append(row.item_id)
            on_rows(len(rows))
        total = catalog.ledger.count()
        return Comparison(
            items=total,
            missing=tuple(missing),
            different=tuple(different),
            foreign=catalog.items.count() - (total - len(missing)),
            labels_match=_labels_match(catalog),
            vectors=vectors,
        )


def _tolerance(catalog: Catalog) -> float:
    """By how much a component may differ: float16 rounds by up to 2 ** -11 of itself."""
    layout = catalog.database.layout(catalog.folder.name, catalog.folder.number)
    return 1e-6 if layout.vector_type is VectorType.FLOAT32 else 1e-3


def _batches(catalog: Catalog) -> Iterator[list[tuple[EmbeddedItem, Decision | None]]]:
    """The items of the archive as they are now, with their labels, some hundreds at a time."""
    files = DecisionFiles(catalog.folder.decisions)
    for shard in catalog.archive.shards():
        live = set(catalog.ledger.live_rows(shard).tolist())
        rows = catalog.archive.rows(shard)
        decided = files.read(shard) or repeat(None)
        batch: list[tuple[EmbeddedItem, Decision | None]] = []
        for place, (row, decision) in enumerate(zip(rows, decided, strict=False)):
            if place in live and not isinstance(row, Removal):
                batch.append((row, decision))
            if len(batch) == _FETCHED_AT_ONCE:
                yield batch
                batch = []
        if batch:
            yield batch


def _same(row: EmbeddedItem, decision: Decision | None, stored: dict[str, object]) -> bool:
    expected = {
        "kind": str(row.kind),
        "source": row.source,
        "metadata": json.loads(row.metadata_json),
        "content_hash": row.content_hash,
        "label_id": decision.label_id if decision else "",
    }
    same = all(stored[name] == value for name, value in expected.items())
    # A long title is stored cut.
    return same and row.title.startswith(str(stored["title"]))


def _labels_match(catalog: Catalog) -> bool:
    name, generation = catalog.folder.name, catalog.folder.number
    labels, version = catalog.label_set, catalog.database.label_version(name, generation)
    if version != stored_version(labels, catalog.adaptation):
        return False
    stored = catalog.database.labels(name, generation).labels()
    expected = labels.rows(stored_rows(labels, catalog.adaptation))
    return [_label_facts(row) for row in stored] == [_label_facts(row) for row in expected]


def _label_facts(row: EmbeddedLabel) -> tuple[str, bytes]:
    return row.definition_hash, row.vector.tobytes()
