"""Copy a catalog to another database: Milvus Lite to a server, back, or between servers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from indexer.catalog.ledger import Size
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import CatalogError, UsageError
from indexer.core.layout import AS_IT_IS, Layout
from indexer.core.watch import Watch
from indexer.jobs.loading import store_missing
from indexer.jobs.recovery import recover


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """What ``copy`` did.

    Attributes:
        items: in the target.
        rows: in the target, as it counts them.
        labels: in the target.
        written: rows that this call wrote.
        recovered: rows that were read from the source database, for lack of an archive.
        target: the address of the target, without password.
        index: of the target's items.
    """

    items: int
    rows: int
    labels: int
    written: int
    recovered: int
    target: str
    index: str

    @property
    def size(self) -> Size:
        """Items and rows in the target."""
        return Size(self.items, self.rows)


def copy(
    options: CatalogOptions,
    *,
    to_db: str,
    to_token: str = "",
    index: str = "auto",
    layout: Layout = AS_IT_IS,
    staging: str = "",
    watch: Watch = Watch(),
) -> CopyReport:
    """Copy a catalog to another database: items with decisions, labels, fingerprint.

    The rows come from the archive; where this data folder has none, they are first read from
    the source database. The folder serves both databases afterwards. It records what was
    copied, so the same call resumes after a kill, and later copies what is new.

    Args:
        options: name the catalog and its database.
        to_db: the target: a Milvus Lite path or a server's URI.
        to_token: of the target.
        index: of the target's items: ``auto`` or a Milvus index type.
        layout: vector type and metadata indexes in the target.
        staging: where the target imports large loads from; empty upserts.

    Raises:
        UsageError: the target is the source.
        CatalogError: the target holds rows that are not the catalog's, or lost some.
        ModelMismatchError: the target holds the catalog by another model.
    """
    _check_target(options, to_db)
    recovered = 0 if options.folder.exists() else recover(options, watch)
    with open_catalog(
        replace(options, db=to_db, token=to_token), write=True, migrating=True
    ) as catalog:
        catalog.create_collections(layout=layout)
        watch.begin("Copying", catalog.ledger.stored.missing_rows())
        written = store_missing(catalog, staging=staging, watch=watch)
        return CopyReport(
            items=catalog.ledger.item_count(),
            rows=_checked_count(catalog),
            labels=len(catalog.label_set),
            written=written,
            recovered=recovered,
            target=catalog.database.address,
            index=catalog.items.ensure_index(index, catalog.ledger.count()),
        )


def _check_target(options: CatalogOptions, to_db: str) -> None:
    from indexer.store import same_database

    if same_database(options.db_uri, to_db):
        raise UsageError(f"--to-db {to_db!r} is the database that the catalog is in; name another.")


def _checked_count(catalog: OpenCatalog) -> int:
    """Rows in the target, by ``count(*)``, if they are as many as in the archive.

    Raises:
        CatalogError: they are fewer, or more.
    """
    stored, expected = catalog.items.count(), catalog.ledger.count()
    if stored != expected:
        raise CatalogError(
            f"{catalog.database.address} holds {stored:,} rows of catalog "
            f"{catalog.folder.name!r}, its archive {expected:,}: it has lost rows, or has those "
            f"of another archive. Make it again: zeroshelf rebuild --catalog {catalog.folder.name} "
            "--db with its address"
        )
    return stored
