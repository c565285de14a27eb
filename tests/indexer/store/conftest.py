"""Databases of the store's contract suite: Milvus Lite always, a real server with ``-m server``."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from store_rows import FINGERPRINT

from indexer.store import Database, MilvusItems, MilvusLabels

SHARED = "shared_catalog"
"""One catalog for most tests, emptied before each: to make one takes a server 5 s."""


@pytest.fixture(scope="session")
def lite_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A Milvus Lite database."""
    with Database.connect(str(tmp_path_factory.mktemp("lite") / "milvus.db")) as database:
        database.create_catalog(SHARED, FINGERPRINT)
        yield database


@pytest.fixture(scope="session")
def server_database(server_uri: str) -> Iterator[Database]:
    """A database on the server."""
    with Database.connect(server_uri) as database:
        if database.has_catalog(SHARED):
            database.drop_catalog(SHARED)
        database.create_catalog(SHARED, FINGERPRINT)
        yield database
        database.drop_catalog(SHARED)


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def database(request: pytest.FixtureRequest) -> Database:
    """Each kind of database in turn."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture
def items(database: Database) -> MilvusItems:
    """An empty ``items`` collection."""
    store = database.items(SHARED)
    store.flush()
    store.delete(list(store.item_ids()))
    store.flush()
    return store


@pytest.fixture
def labels(database: Database) -> MilvusLabels:
    """An empty ``labels`` collection."""
    store = database.labels(SHARED)
    store.flush()
    store.delete([row.label.label_id for row in store.labels()])
    store.flush()
    return store


@pytest.fixture
def catalog(database: Database) -> Iterator[str]:
    """The name of a catalog that is not there yet; dropped at the end."""
    name = f"test_{uuid4().hex[:8]}"
    yield name
    if database.has_catalog(name):
        database.drop_catalog(name)
