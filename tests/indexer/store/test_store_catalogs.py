"""Contract of catalogs: making, naming, describing and dropping them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import store_rows
from store_rows import FINGERPRINT, unit_vectors

from indexer.core.errors import CatalogError, ConfigError
from indexer.store import Database


def test_a_catalog_carries_its_fingerprint(database: Database, catalog: str) -> None:
    """What made the vectors comes back from a new catalog, and from no other."""
    assert not database.has_catalog(catalog)
    database.create_catalog(catalog, FINGERPRINT)
    assert database.has_catalog(catalog)
    assert database.has_catalog(catalog)
    assert database.fingerprint(catalog) == FINGERPRINT


def test_a_catalog_carries_its_label_version(database: Database, catalog: str) -> None:
    """Empty at first, then as set, beside the fingerprint."""
    database.create_catalog(catalog, FINGERPRINT)
    assert database.label_version(catalog) == ""
    database.set_label_version(catalog, "sha256:ab 😀")
    assert database.label_version(catalog) == "sha256:ab 😀"
    assert database.fingerprint(catalog) == FINGERPRINT


def test_a_catalog_is_dropped_and_made_anew(database: Database, catalog: str) -> None:
    """A dropped catalog leaves nothing, and its name serves a model of another width."""
    database.create_catalog(catalog, FINGERPRINT)
    items = database.items(catalog)
    items.upsert(store_rows.items(5), [None] * 5)
    database.drop_catalog(catalog)
    assert not database.has_catalog(catalog)
    database.create_catalog(catalog, replace(FINGERPRINT, width=8))
    items = database.items(catalog)
    assert items.count() == 0
    vector = unit_vectors(1, width=8)
    items.upsert([store_rows.item("a", vector[0])], [None])
    items.flush()
    [[hit]] = items.search(vector, limit=5)
    assert hit.fields["item_id"] == "a"


def test_catalogs_do_not_touch_each_other(database: Database, catalog: str) -> None:
    """Rows and drops of one catalog leave a catalog of a longer name alone."""
    other = f"{catalog}_items"
    database.create_catalog(catalog, FINGERPRINT)
    database.create_catalog(other, FINGERPRINT)
    database.items(catalog).upsert(store_rows.items(3), [None] * 3)
    database.drop_catalog(catalog)
    assert database.items(other).count() == 0
    assert not database.has_catalog(catalog)
    database.drop_catalog(other)


def test_refuses_to_make_a_catalog_twice(database: Database, catalog: str) -> None:
    """An existing catalog is not overwritten."""
    database.create_catalog(catalog, FINGERPRINT)
    with pytest.raises(CatalogError, match="exists"):
        database.create_catalog(catalog, FINGERPRINT)


def test_finishes_what_a_killed_command_left(database: Database, catalog: str) -> None:
    """A catalog without its first alias does not exist, and can be made."""
    database.create_catalog(catalog, FINGERPRINT)
    database._client.drop_alias(f"{catalog}_items")
    assert not database.has_catalog(catalog)
    assert not database.has_catalog(catalog)
    database.create_catalog(catalog, FINGERPRINT)
    assert database.items(catalog).count() == 0


def test_takes_over_an_alias_of_nothing(database: Database, catalog: str) -> None:
    """A collection that was dropped underneath does not block its catalog's name."""
    database.create_catalog(catalog, FINGERPRINT)
    items = database.items(catalog)
    database._client.drop_collection(f"{catalog}_items_001")
    with pytest.raises(CatalogError, match="gone"):
        items.search(unit_vectors(1), limit=1)
    database.create_catalog(catalog, FINGERPRINT)
    assert database.items(catalog).count() == 0


@pytest.mark.parametrize("call", ["items", "labels", "fingerprint", "label_version"])
def test_a_missing_catalog_is_named(database: Database, call: str) -> None:
    """The message names the catalog, the database and the remedy."""
    with pytest.raises(CatalogError, match=r"catalog 'nowhere': not in .*zeroshelf ingest"):
        getattr(database, call)("nowhere")


def test_dropping_a_missing_catalog_is_an_error(database: Database) -> None:
    """So that a mistyped name does not pass for done."""
    with pytest.raises(CatalogError, match="nowhere"):
        database.drop_catalog("nowhere")


@pytest.mark.parametrize("name", ["", "a-b", "1a", "a b", 'a"', "ä", "a" * 61, "a\n", "../a"])
def test_refuses_names_that_servers_refuse(database: Database, name: str) -> None:
    """Milvus Lite would accept some of them."""
    with pytest.raises(ConfigError, match="catalog"):
        database.create_catalog(name, FINGERPRINT)


def test_refuses_collections_of_others(database: Database, catalog: str) -> None:
    """A collection that zeroshelf did not make is neither read nor dropped."""
    database._client.create_collection(f"{catalog}_items_001", dimension=4)
    database._client.create_alias(f"{catalog}_items_001", f"{catalog}_items")
    try:
        for call in (database.items, database.fingerprint, database.drop_catalog):
            with pytest.raises(CatalogError, match="not made by zeroshelf"):
                call(catalog)
        assert database._client.has_collection(f"{catalog}_items_001")
    finally:
        database._client.drop_alias(f"{catalog}_items")
        database._client.drop_collection(f"{catalog}_items_001")


def test_refuses_another_schema_version(database: Database, catalog: str) -> None:
    """A catalog of another version is refused with the way out, and can be made anew."""
    database.create_catalog(catalog, FINGERPRINT)
    database._client.alter_collection_properties(f"{catalog}_items_001", {"zeroshelf.schema": "99"})
    try:
        with pytest.raises(CatalogError, match=r"schema version 99.*rebuild"):
            database.items(catalog)
    finally:
        database.drop_catalog(catalog)
    database.create_catalog(catalog, FINGERPRINT)
    assert database.items(catalog).count() == 0


def test_says_what_the_database_is(database: Database) -> None:
    """Version and address are for people: no password in them."""
    assert database.server_info().version.startswith("milvus_lite" if database.is_lite else "v")
    assert "Milvus@" not in database.address
