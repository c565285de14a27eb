"""Copy a catalog to another database: Milvus Lite to a server, back, or between servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from indexer.catalog.opened import Catalog, CatalogOptions, open_catalog
from indexer.core.errors import CatalogError, UsageError
from indexer.core.layout import AS_IT_IS, Layout
from indexer.jobs.loading import store_missing
from indexer.jobs.recovery import recover


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """What ``copy`` did.

    Attributes:
        items: in the target now, counted by it.
        labels: in the target now.
        written: items that were written by this call; the rest was there.
        recovered: items that had to be read out of the source database.
        target: the address of the target, without password.
        index: of the target's items.
    """

    items: int
    labels: int
    written: int
    recovered: int
    target: str
    index: str


def copy(
    options: CatalogOptions,
    *,
    to_db: str,
    to_token: str = "",
    index: str = "auto",
    layout: Layout = AS_IT_IS,
    staging: str = "",
    on_total: Callable[[int], None] = lambda _: None,
    on_rows: Callable[[int], None] = lambda _: None,
) -> CopyReport:
    """Bring a catalog into another database: items with decisions, labels, fingerprint.

    The rows come from the archive, which is complete and reads at memory speed; where this
    data folder has none, they are first read out of the source database. The folder serves
    both databases afterwards. What was copied is remembered, so the same call again goes on
    where a killed one stopped, and later brings what is new.

    Args:
        options: of the catalog and of the database that it is in.
        to_db: the target: a Milvus Lite path or a server's URI.
        to_token: of the target.
        index: of the target's items: ``auto`` or a Milvus index type.
        layout: how items shall lie in the target.
        staging: where the target imports large loads from; empty upserts.

    Raises:
        UsageError: the target is the source.
        CatalogError: the target holds rows that are not the catalog's, or lost some.
        ModelMismatchError: the target holds the catalog by another model.
    """
    _refuse_same(options, to_db)
    recovered = 0 if options.folder.exists() else recover(options, on_total, on_rows)
    with open_catalog(replace(options, db=to_db, token=to_token), write=True) as catalog:
        catalog.create_collections(layout=layout)
        on_total(catalog.ledger.unstored_count())
        written = store_missing(catalog, staging=staging, on_rows=on_rows)
        return CopyReport(
            items=_counted(catalog),
            labels=len(catalog.label_set),
            written=written,
            recovered=recovered,
            target=catalog.database.address,
            index=catalog.items.ensure_index(index, catalog.ledger.count()),
        )


def _refuse_same(options: CatalogOptions, to_db: str) -> None:
    from indexer.store import same_database

    if same_database(options.db_uri, to_db):
        raise UsageError(f"--to-db {to_db!r} is the database that the catalog is in; name another.")


def _counted(catalog: Catalog) -> int:
    """Items in the target, by ``count(*)``, if they are those of the archive.

    Raises:
        CatalogError: they are fewer, or more.
    """
    found, expected = catalog.items.count(), catalog.ledger.count()
    if found != expected:
        raise CatalogError(
            f"{catalog.database.address} holds {found:,} items of catalog "
            f"{catalog.folder.name!r}, its archive {expected:,}: it has lost rows, or has those "
            f"of another archive. Make it anew: zeroshelf rebuild --catalog {catalog.folder.name} "
            "--db with its address"
        )
    return found
