"""Make a catalog's database anew from its archive, or compare the two."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

from indexer.archive import Removal
from indexer.build import Catalog, CatalogOptions, open_catalog
from indexer.decisions import DecisionFiles
from indexer.jobs.loading import store_missing
from indexer.labels.head import stored_rows, stored_version
from indexer.layout import AS_IT_IS, Layout
from indexer.protocols import Decision
from indexer.records import EmbeddedItem, EmbeddedLabel

_FETCHED_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a database differs from the archive.

    Attributes:
        items: in the archive.
        missing: ids that the database lacks.
        different: ids whose content, title, metadata or label are not the archive's.
        foreign: rows of the database that the archive does not know.
        labels_match: the labels are those of the catalog's label set.
    """

    items: int
    missing: tuple[str, ...]
    different: tuple[str, ...]
    foreign: int
    labels_match: bool

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

    Args:
        index: of the items: ``auto`` or a Milvus index type.
        layout: how items shall lie in the database; what it leaves open stays as it is.
        staging: where a server imports large loads from; empty upserts.

    Returns:
        Items in the database.
    """
    with open_catalog(options, write=True) as catalog:
        name, generation = catalog.folder.name, catalog.folder.number
        on_total(catalog.ledger.count())
        if catalog.database.has_catalog(name, generation):
            layout = layout.over(catalog.database.layout(name, generation))
            catalog.database.check_offered(layout)  # before anything is dropped
            catalog.database.drop_catalog(name, generation)
        catalog.create_collections(layout=layout)
        store_missing(catalog, staging=staging, on_rows=on_rows)
        catalog.items.ensure_index(index, catalog.ledger.count())
        return catalog.items.count()


def compare(
    options: CatalogOptions,
    *,
    on_total: Callable[[int], None] = lambda _: None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Compare the database with the archive, item by item."""
    with open_catalog(options, write=True) as catalog:
        missing: list[str] = []
        different: list[str] = []
        on_total(catalog.ledger.count())
        for rows in _batches(catalog):
            stored = catalog.items.fetch([row.item_id for row, _ in rows])
            for row, decision in rows:
                found = stored.get(row.item_id)
                if found is None:
                    missing.append(row.item_id)
                elif not _same(row, decision, found):
                    different.append(row.item_id)
            on_rows(len(rows))
        total = catalog.ledger.count()
        return Comparison(
            items=total,
            missing=tuple(missing),
            different=tuple(different),
            foreign=catalog.items.count() - (total - len(missing)),
            labels_match=_labels_match(catalog),
        )


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
