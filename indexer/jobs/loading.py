"""Stores missing items in a database: upserts rows, or lets a server import files."""

from __future__ import annotations

import logging

from indexer.catalog.opening import OpenCatalog
from indexer.core.protocols import ItemStore
from indexer.core.watch import Watch
from indexer.ingestion.storing import store_unstored
from indexer.store import bulk
from indexer.store.capabilities import Capability

_log = logging.getLogger(__name__)


def store_missing(catalog: OpenCatalog, *, staging: str = "", watch: Watch = Watch()) -> int:
    """Store every shard that the catalog's database lacks.

    Args:
        catalog: opened for writing.
        staging: where a server can import files from, see ``bulk.Staging``; used from
            ``bulk.BULK_ROWS`` on. Empty upserts.
        watch: follows the rows written.

    Returns:
        Rows written.

    Raises:
        ConfigError: the staging address can't be opened.
        StoreError: the database refused or stayed away; the shards are in the archive.
    """
    store: ItemStore = catalog.items
    rows_at_once = 1
    if staging and catalog.ledger.stored.missing_rows() >= bulk.BULK_ROWS:
        if Capability.BULK_IMPORT in catalog.database.server_info().capabilities:
            store, rows_at_once = catalog.items.imported_from(staging), bulk.ROWS_A_FILE
        else:
            _log.warning("%s can't import files: rows are upserted.", catalog.database.address)
    return store_unstored(
        catalog.archive,
        catalog.ledger,
        store,
        decisions=catalog.decisions.read,
        watch=watch,
        rows_at_once=rows_at_once,
    )
