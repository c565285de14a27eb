"""How items lie in a database: the format of vectors, indexes of metadata."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import store_rows
from fakes import RecordingClient
from hypothesis import given
from hypothesis import strategies as st
from pymilvus import DataType, MilvusClient
from pymilvus.client.prepare import Prepare

from indexer.core.errors import CatalogError, ConfigError
from indexer.core.layout import (
    AS_IT_IS,
    IndexedColumn,
    Layout,
    ValueType,
    VectorType,
    columns_of,
    columns_text,
)
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise, unit_rows
from indexer.store import Database, schema
from indexer.store.addresses import parse
from indexer.store.bulk import as_table
from indexer.store.collection import Collection
from indexer.store.connection import Connection
from indexer.store.indexing import index_metadata
from indexer.store.vector_format import from_stored, to_stored

PRICE = IndexedColumn(name="price", values=ValueType.NUMBER)
SHOP = IndexedColumn(name="shop")
HALF = Layout(vector_type=VectorType.FLOAT16)


def units(rows: int, width: int = 4) -> FloatArray:
    """float32 (rows, width), of length 1."""
    return normalise(np.random.default_rng(0).normal(size=(rows, width)))


def recorded(version: str = "v2.6.4") -> tuple[Database, RecordingClient]:
    """A server of this version that has nothing, and what it is asked."""
    client = RecordingClient(
        get_server_version=version,
        has_collection=False,
        list_collections=[],
        list_indexes=["vector"],
        describe_index={"index_type": "FLAT"},
    )
    return Database(Connection(client, parse("http://newer:19530"), 5.0)), client


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop", SHOP),
        ("price:number", PRICE),
        ("shop:text", SHOP),
        ("sold:boolean", IndexedColumn(name="sold", values=ValueType.BOOLEAN)),
        ("a:b:text", IndexedColumn(name="a:b")),
        (":number:text", IndexedColumn(name=":number")),
    ],
)
def test_columns_are_read(text: str, expected: IndexedColumn) -> None:
    """A name may hold a colon where its type is given."""
    assert IndexedColumn.parse(text) == expected
    assert IndexedColumn.parse(expected.option) == expected


@pytest.mark.parametrize("text", ["price:numeric", "a:b", "price:"])
def test_an_unknown_type_is_no_part_of_a_name(text: str) -> None:
    """It would index a column that is not there, and nobody would notice."""
    with pytest.raises(ConfigError, match=rf"text, number, boolean.*{text}:text"):
        IndexedColumn.parse(text)


@pytest.mark.parametrize("text", ["", " ", ":number", 'a"b', "a\\"])
def test_names_that_can_not_stand_in_a_path_are_refused(text: str) -> None:
    """They would end it."""
    with pytest.raises(ConfigError, match="--index-metadata"):
        IndexedColumn.parse(text)


def test_what_is_left_open_stays_as_it_is() -> None:
    """And a column is indexed once, as was said last."""
    there = Layout(vector_type=VectorType.FLOAT16, indexed=(SHOP, PRICE))
    assert AS_IT_IS.over(there) == there
    text = replace(PRICE, values=ValueType.TEXT)
    asked = Layout.of_options("float32", ["price", "price:text"])
    assert asked.over(there) == Layout(vector_type=VectorType.FLOAT32, indexed=(SHOP, text))
    assert columns_of(columns_text(there.indexed)) == there.indexed
    assert columns_of("") == ()


@given(
    st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=600).filter(
        lambda values: np.linalg.norm(values) > 1e-2
    )
)
def test_float16_keeps_direction_and_length(values: list[float]) -> None:
    """Bytes as pymilvus gives them, alone or in a list, are a vector of length 1 again."""
    vector = normalise(values)
    (half,) = to_stored(vector[None], VectorType.FLOAT16)
    assert half.nbytes == 2 * len(vector)
    for given_back in (half.tobytes(), [half.tobytes()]):
        back = from_stored(given_back, VectorType.FLOAT16)
        assert back.dtype == np.float32
        assert unit_rows(back[None]).all()
        assert back @ vector > 1 - 1e-3


def test_float32_is_kept_to_the_bit() -> None:
    """Both ways."""
    (vector,) = units(1)
    assert to_stored(vector[None], VectorType.FLOAT32)[0].tobytes() == vector.tobytes()
    assert from_stored(vector.tolist(), VectorType.FLOAT32).tobytes() == vector.tobytes()


def test_a_newer_server_is_asked_for_float16() -> None:
    """Items, not labels: these are few, and their last dimension is no cosine."""
    database, client = recorded()
    database.create_catalog("shop", store_rows.FINGERPRINT, layout=HALF)
    kinds = {
        call.arguments[0]: {field.name: field.dtype for field in call.named["schema"].fields}
        for call in client.calls("create_collection")
    }
    assert kinds["shop_items_001"]["vector"] == DataType.FLOAT16_VECTOR
    assert kinds["shop_labels_001"]["vector"] == DataType.FLOAT_VECTOR


def test_rows_and_queries_of_float16_are_what_pymilvus_packs() -> None:
    """Two bytes a dimension in an upsert, and a query of the same type, as servers demand."""
    database, client = recorded()
    database.create_catalog("shop", store_rows.FINGERPRINT, layout=HALF)
    width = store_rows.FINGERPRINT.width
    vectors = units(2, width)
    collection = Collection(
        database._connection, "shop_items_001", width=width, vector_type=VectorType.FLOAT16
    )
    row = {"key": "k", "vector": collection.to_stored(vectors)[0]}
    fields: Any = [
        {"name": "key", "type": DataType.VARCHAR, "params": {"max_length": 32}, "is_primary": True},
        {"name": "vector", "type": DataType.FLOAT16_VECTOR, "params": {"dim": width}},
    ]
    request = Prepare.row_upsert_param("c", [row], "", fields_info=fields)
    packed = {one.field_name: one for one in request.fields_data}["vector"].vectors
    assert packed.float16_vector == vectors[0].astype(np.float16).tobytes()

    client.answers["search"] = [[], []]
    collection.search(vectors, limit=1, output=[])
    (search,) = client.calls("search")
    queries = search.named["data"]
    assert queries.dtype == np.float16
    group = Prepare._prepare_placeholder_str(queries)
    assert vectors[1].astype(np.float16).tobytes() in group


def test_float16_is_imported_as_its_bytes() -> None:
    """A list of them for each row, in the order of the machine that Milvus runs on."""
    half = to_stored(units(3), VectorType.FLOAT16)
    table = as_table([{"key": str(row), "vector": vector} for row, vector in enumerate(half)])
    first = bytes(table.column("vector")[0].as_py())
    assert first == half[0].tobytes()
    assert np.array_equal(np.frombuffer(first, dtype="<f2"), half[0])


@pytest.mark.parametrize("version", ["milvus_lite-3.2.2", "v2.3.5-lite"])
def test_float16_is_refused_where_it_is_not_there(version: str) -> None:
    """Before anything is made."""
    database, client = recorded(version)
    with pytest.raises(ConfigError, match=r"--vector-type float16.*from Milvus 2\.4 on"):
        database.create_catalog("shop", store_rows.FINGERPRINT, layout=HALF)
    assert not client.calls("create_collection")


def test_a_newer_server_is_asked_to_index_metadata() -> None:
    """A path and a type each, under names that servers accept; once."""
    database, client = recorded()
    layout = Layout(indexed=(PRICE, SHOP))
    database.create_catalog("shop", store_rows.FINGERPRINT, layout=layout)
    found = [
        dict(one.to_dict())
        for call in client.calls("create_index")
        for one in call.arguments[1]
        if one.field_name == "metadata"
    ]
    assert [one["index_type"] for one in found] == ["INVERTED"] * 2
    assert [one["json_path"] for one in found] == ['metadata["price"]', 'metadata["shop"]']
    assert [one["json_cast_type"] for one in found] == ["DOUBLE", "VARCHAR"]
    names = [one["index_name"] for one in found]
    assert len(set(names)) == 2
    assert all(name.isidentifier() for name in names)
    client.answers["list_indexes"] = names
    before = len(client.calls("create_index"))
    index_metadata(database._connection, "shop_items_001", layout.indexed, database.server_info())
    assert len(client.calls("create_index")) == before


def test_databases_without_these_indexes_say_so_and_go_on(
    database: Database, catalog: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was asked for is remembered, so that a copy or a newer server can have it."""
    layout = Layout(indexed=(PRICE,))
    with caplog.at_level(logging.WARNING):
        database.create_catalog(catalog, store_rows.FINGERPRINT, layout=layout)
    assert "filters by price find the same, and look at every row" in caplog.text
    found = database.layout(catalog)
    assert found == Layout(vector_type=VectorType.FLOAT32, indexed=(PRICE,))
    database.apply_layout(catalog, Layout(indexed=(SHOP,)))
    assert database.layout(catalog).indexed == (PRICE, SHOP)
    text = replace(PRICE, values=ValueType.TEXT)  # no index there that has to be another
    database.apply_layout(catalog, Layout(indexed=(text,)))
    assert database.layout(catalog).indexed == (text, SHOP)


def laid_out(version: str, *indexed: IndexedColumn) -> tuple[Database, RecordingClient]:
    """A server that has a catalog with these indexes, and what it is asked."""
    database, client = recorded(version)
    stored = schema.properties(store_rows.FINGERPRINT)
    client.answers["has_collection"] = True
    client.answers["describe_collection"] = {
        "collection_name": "shop_items_001",
        "fields": [{"name": "vector", "type": DataType.FLOAT_VECTOR}],
        "properties": stored | {schema.INDEXED_PROPERTY: columns_text(indexed)},
    }
    return database, client


REBUILD = "rebuild --catalog shop --db http://newer:19530"


def test_the_type_of_what_is_stored_is_not_changed_in_passing() -> None:
    """The message says what changes it, in that database."""
    database, _ = laid_out("v2.6.4")
    database.apply_layout("shop", Layout(vector_type=VectorType.FLOAT32))
    with pytest.raises(ConfigError, match=f"stored as float32.*{REBUILD} --vector-type float16"):
        database.apply_layout("shop", HALF)


def test_the_type_of_an_index_is_not_changed_in_passing() -> None:
    """Nothing is remembered that is not so; the message says what changes it."""
    database, client = laid_out("v2.6.4", replace(PRICE, values=ValueType.TEXT))
    with pytest.raises(ConfigError, match=f"{REBUILD} --index-metadata price:number"):
        database.apply_layout("shop", Layout(indexed=(PRICE,)))
    assert not client.calls("alter_collection_properties")
    assert not client.calls("create_index")


def test_an_index_is_remembered_only_when_it_is_there() -> None:
    """A server that fails in between is asked again the next time."""
    database, client = recorded()
    client.answers["list_indexes"] = ["other"]
    index_metadata(database._connection, "shop_items_001", (PRICE,), database.server_info())
    order = [one.method for one in client._calls]
    assert order.index("create_index") < order.index("alter_collection_properties")


def test_collections_of_others_are_told(database: Database, catalog: str) -> None:
    """By name, and not by what they lack."""
    fields = MilvusClient.create_schema()
    fields.add_field("id", DataType.INT64, is_primary=True)
    fields.add_field("embedding", DataType.FLOAT_VECTOR, dim=4)
    name = schema.physical_name(catalog, schema.ITEMS)
    database._client.create_collection(name, schema=fields)
    try:
        with pytest.raises(CatalogError, match="not made by zeroshelf"):
            database.apply_layout(catalog, AS_IT_IS, 1)
    finally:
        database._client.drop_collection(name)
