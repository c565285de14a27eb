"""Rebuilds a catalog's database from its archive, or compares the two."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np

from indexer.catalog.archive import Removal
from indexer.catalog.folder import catalog_names
from indexer.catalog.ledger import Size
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.chunks import in_chunks
from indexer.core.errors import StoreError, StoreLockedError, StoreUnavailableError
from indexer.core.layout import AS_IT_IS, Layout, VectorType
from indexer.core.protocols import Decision
from indexer.core.records import EmbeddedItem, EmbeddedLabel
from indexer.core.sqlite_files import delete_files
from indexer.core.watch import Watch
from indexer.jobs.loading import store_missing
from indexer.labels.head import stored_rows, stored_version
from indexer.store.addresses import parse
from indexer.store.item_rows import decision_fields
from indexer.store.running_server import find_server

SAMPLE = 1_000
"""Number of vectors to compare, unless all are requested."""

_FETCHED_AT_ONCE = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Differences of a database from the archive.

    Attributes:
        vectors: number of compared vectors.
        items: in the archive.
        missing: ids that the database lacks.
        different: ids whose content, title, metadata, label or vector differ.
        foreign: rows of the database that the archive does not have.
        labels_match: whether the labels are those of the catalog's label set.
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
    watch: Watch = Watch(),
) -> Size:
    """Drop a catalog's collections and fill them from the archive.

    Nothing is dropped before all files were read without error. A damaged Milvus Lite database
    is moved aside and made again.

    Args:
        index: of the items: ``auto`` or a Milvus index type.
        layout: vector type and metadata indexes; what it leaves open stays as it is.
        staging: where a server imports large loads from; empty upserts.

    Returns:
        Items and rows in the database.

    Raises:
        CatalogError: the archive, the labels or the decisions are damaged.
        StoreError: the database failed.
    """

    def fill() -> Size:
        with open_catalog(options, write=True, migrating=True) as catalog:
            name, generation = catalog.folder.name, catalog.folder.number
            watch.begin("Rebuilding", catalog.ledger.count())
            full_layout = layout
            if catalog.database.has_catalog(name, generation):
                full_layout = layout.over(catalog.database.layout(name, generation))
                catalog.database.check_layout(full_layout)
                catalog.database.drop_catalog(name, generation)
            catalog.create_collections(layout=full_layout)
            store_missing(catalog, staging=staging, watch=watch)
            catalog.items.ensure_index(index, catalog.ledger.count())
            return replace(catalog.ledger.size(), rows=catalog.items.count())

    with open_catalog(options, write=True, migrating=True) as catalog:
        # Derived from the archive, and maybe damaged too.
        delete_files(catalog.folder.ledger)
        delete_files(catalog.folder.texts)
        check_record(catalog)
    try:
        return fill()
    except StoreError as error:
        if not is_damage(options, error):
            raise
        _log.warning("%s", error)
        move_aside(options)
        return fill()


def check_record(catalog: OpenCatalog) -> None:
    """Read all files that a database is made from.

    Raises:
        CatalogError: a file is damaged; the message says what to do.
    """
    sets = catalog.decisions.files.values()
    for shard in catalog.archive.shards():
        catalog.archive.table(shard)
        catalog.archive.title_vectors(shard)
        for decisions in sets:
            decisions.table(shard)
    for at_set in catalog.sets:
        _ = at_set.label_set, at_set.prompts, at_set.adaptation


def is_damage(options: CatalogOptions, error: StoreError) -> bool:
    """Whether an error means that a Milvus Lite database is damaged."""
    path = parse(options.db_uri).path
    is_transient = isinstance(error, StoreLockedError | StoreUnavailableError)
    if path is None or not path.is_dir() or is_transient or "the disk is full" in str(error):
        return False
    return os.access(path, os.W_OK)


def move_aside(options: CatalogOptions) -> Path:
    """Rename a Milvus Lite database, so that another can take its place.

    Returns:
        Its new path.

    Raises:
        StoreLockedError: another process serves it.
    """
    path = parse(options.db_uri).path
    assert path is not None
    if find_server(path) is not None:
        raise StoreLockedError(
            f"database {path}: it has to be moved away and made again, and a process serves it. "
            "End that with `zeroshelf db stop`, and run this command again"
        )
    number = 1
    while (target := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(target)
    _log.warning("the database was moved to %s, and is made again from the archive.", target)
    others = [catalog for catalog in catalog_names(options.data_dir) if catalog != options.catalog]
    if others:
        commands = "; ".join(f"zeroshelf rebuild --catalog {catalog}" for catalog in others)
        _log.warning("it held other catalogs too. Make them again with: %s", commands)
    return target


def compare(
    options: CatalogOptions,
    *,
    all_vectors: bool = False,
    watch: Watch = Watch(),
) -> Comparison:
    """Compare the database with the archive, item by item.

    Args:
        all_vectors: compare every vector; else those of about ``SAMPLE`` items, spread over the
            archive, since Milvus reads vectors slowly.

    Raises:
        CatalogError: the archive, the labels or the decisions are damaged.
    """
    with open_catalog(options, write=True, migrating=True) as catalog:
        missing: list[str] = []
        different: list[str] = []
        watch.begin("Comparing", catalog.ledger.count())
        stride = 1 if all_vectors else -(-max(catalog.ledger.count(), 1) // SAMPLE)
        tolerance = _tolerance(catalog)
        seen = vectors = 0
        for rows in _batches(catalog):
            stored = catalog.items.fetch([row.item_id for row, _ in rows])
            sampled = [row for row, _ in rows[-seen % stride :: stride]]
            seen += len(rows)
            stored_vectors = catalog.items.vectors([row.item_id for row in sampled])
            vectors += len(stored_vectors)
            differing_vectors = {
                row.item_id
                for row in sampled
                if row.item_id in stored_vectors
                and not np.allclose(row.vector, stored_vectors[row.item_id], atol=tolerance)
            }
            for row, decision in rows:
                fields = stored.get(row.item_id)
                if fields is None:
                    missing.append(row.item_id)
                elif row.item_id in differing_vectors or not _same(row, decision, fields):
                    different.append(row.item_id)
            watch.advance(len(rows))
        total = catalog.ledger.count()
        return Comparison(
            items=total,
            missing=tuple(missing),
            different=tuple(different),
            foreign=catalog.items.count() - (total - len(missing)),
            labels_match=all(map(_labels_match, catalog.sets)),
            vectors=vectors,
        )


def _tolerance(catalog: OpenCatalog) -> float:
    """Largest difference of a component; the relative error of float16 is up to 2 ** -11."""
    layout = catalog.database.layout(catalog.folder.name, catalog.folder.number)
    return 1e-6 if layout.vector_type is VectorType.FLOAT32 else 1e-3


def _batches(catalog: OpenCatalog) -> Iterator[list[tuple[EmbeddedItem, Decision | None]]]:
    """The current items of the archive with their decisions, some hundreds at a time."""
    decisions = catalog.decisions
    for shard in catalog.archive.shards():
        live = set(catalog.ledger.live_rows(shard).tolist())
        rows, decided = catalog.archive.rows(shard), decisions.read(shard) or repeat(None)
        current = (
            (row, decision)
            for place, (row, decision) in enumerate(zip(rows, decided, strict=False))
            if place in live and not isinstance(row, Removal)
        )
        yield from in_chunks(current, _FETCHED_AT_ONCE)


def _same(row: EmbeddedItem, decision: Decision | None, stored: dict[str, object]) -> bool:
    expected = {
        "kind": str(row.kind),
        "parent_id": row.parent_id or row.item_id,
        "part": json.loads(row.part_json or "{}"),
        "source": row.source,
        "metadata": json.loads(row.metadata_json),
        "content_hash": row.content_hash,
        "label_id": decision.label_id if decision else "",
        "attributes": decision_fields(row, decision)["attributes"],
    }
    is_equal = all(stored[name] == value for name, value in expected.items())
    # The database stores long titles cut.
    return is_equal and row.title.startswith(str(stored["title"]))


def _labels_match(catalog: OpenCatalog) -> bool:
    """Whether the labels of one set are stored as they are in its files."""
    folder, labels, database = catalog.folder, catalog.label_set, catalog.database
    version = database.label_version(folder.name, folder.number, set_name=folder.set_name)
    if version != stored_version(labels, catalog.adaptation):
        return False
    stored = database.labels(folder.name, folder.number, set_name=folder.set_name).labels()
    expected = labels.rows(stored_rows(labels, catalog.adaptation))
    return [_label_facts(row) for row in stored] == [_label_facts(row) for row in expected]


def _label_facts(row: EmbeddedLabel) -> tuple[str, bytes]:
    return row.definition_hash, row.vector.tobytes()
