"""Contract of the ``items`` collection, on Milvus Lite and on a server."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import store_rows
from conftest import SHARED
from store_rows import WIDTH, item, unit_vectors

from indexer.core.errors import StoreError, UsageError
from indexer.core.protocols import Decision
from indexer.store import MAX_LIMIT, Database, MilvusItems

READ_ELSEWHERE = """
import sys
from indexer.store import Database
with Database.connect(sys.argv[1]) as database:
    items = database.items(sys.argv[2])
    print(items.count(), sorted(items.fetch(["i0", "i1", "i2"])))
"""


def write(items: MilvusItems, rows: list[store_rows.EmbeddedItem]) -> None:
    """Store rows without decisions, visible to readers."""
    items.upsert(rows, [None] * len(rows))
    items.flush()


def test_stores_all_fields(items: MilvusItems) -> None:
    """What is written comes back as it was, 4-byte characters and nesting included."""
    metadata = {"brand": "Ünïque 😀", "n": {"x": [1, None, True, 2.5]}, "empty": "", "": 1}
    row = item("a/b 😀.jpg", unit_vectors(1)[0], title="täg 😀", metadata=metadata, source="s3://x")
    write(items, [row])
    assert items.fetch(["a/b 😀.jpg", "unknown"]) == {
        "a/b 😀.jpg": {
            "item_id": "a/b 😀.jpg",
            "parent_id": "a/b 😀.jpg",
            "part": {},
            "kind": "picture",
            "source": "s3://x",
            "title": "täg 😀",
            "metadata": metadata,
            "content_hash": "0" * 64,
            "label_id": "",
            "label": "",
            "score": 0.0,
            "status": "",
            "attributes": {},
        }
    }


def test_replaces_rows_of_the_same_id(items: MilvusItems) -> None:
    """Writing an id again replaces its row and vector."""
    old, new = unit_vectors(2)
    write(items, [item("a", old, title="old")])
    write(items, [item("a", new, title="new")])
    [[hit]] = items.search(new[None], limit=5)
    assert (items.count(), hit.fields["title"]) == (1, "new")
    assert hit.similarity == pytest.approx(1.0, abs=1e-5)


def test_writes_more_than_a_batch(items: MilvusItems) -> None:
    """Rows beyond the batch size are all stored; counts and ids are exact."""
    write(items, store_rows.items(2_345))
    assert items.count() == 2_345
    assert sorted(items.item_ids()) == sorted(f"i{row}" for row in range(2_345))


def test_finds_what_numpy_finds(items: MilvusItems) -> None:
    """Search gives numpy's nearest, in order, with the inner product."""
    rows = store_rows.items(300)
    write(items, rows)
    queries = unit_vectors(20, seed=9)
    exact = queries @ np.stack([row.vector for row in rows]).T
    for found, scores in zip(items.search(queries, limit=10), exact, strict=True):
        nearest = np.argsort(-scores)[:10]
        assert [hit.fields["item_id"] for hit in found] == [f"i{row}" for row in nearest]
        assert [hit.similarity for hit in found] == pytest.approx(scores[nearest], abs=1e-5)


def test_attributes_are_filtered_by_and_read_back(items: MilvusItems) -> None:
    """Decisions of other label sets; a row without them matches none of it."""
    rows = store_rows.items(3)
    colour = Decision(item_id="i0", label_id="c1", label="dark red", score=0.75, status="review")
    nothing = Decision(item_id="i1", label_id="", label="", score=0.0, status="not_applicable")
    category = Decision(item_id="i0", label_id="shoe", label="Shoe", score=0.5, status="accepted")
    only = Decision(item_id="i1", label_id="", label="", score=0.0)
    decided = [
        replace(category, attributes={"colour": colour}),
        replace(only, attributes={"colour": nothing}),
        None,
    ]
    items.upsert(rows, decided)
    items.flush()

    def matches(expression: str) -> set[str]:
        return set(items.item_ids(expression))

    assert matches('attributes["colour"] == "dark red"') == {"i0"}
    assert matches('attributes["colour_score"] > 0.7 and label == "Shoe"') == {"i0"}
    assert matches('attributes["colour_status"] == "not_applicable"') == {"i1"}
    assert matches('attributes["colour"] in ["dark red", "blue"]') == {"i0"}
    assert matches('attributes["pattern"] == "striped"') == set()
    read = {row.item_id: decision for row, decision in items.read_part("")}
    assert read == {"i0": decided[0], "i1": decided[1], "i2": None}


def test_search_gives_the_fields_of_a_hit(items: MilvusItems) -> None:
    """Hits carry what a result shows."""
    row = item("a", unit_vectors(1)[0], title="t", metadata={"price": 3})
    decision = Decision(item_id="a", label_id="shoe", label="Shoe", score=0.5, status="review")
    items.upsert([row], [decision])
    items.flush()
    [[hit]] = items.search(row.vector[None], limit=1)
    assert hit.fields == {
        "item_id": "a",
        "parent_id": "a",
        "part": {},
        "kind": "picture",
        "title": "t",
        "source": "a.jpg",
        "metadata": {"price": 3},
        "label_id": "shoe",
        "label": "Shoe",
        "score": 0.5,
        "status": "review",
        "attributes": {},
    }


def test_search_in_an_empty_catalog_finds_nothing(items: MilvusItems) -> None:
    """No rows: an empty list a query; no queries: an empty list."""
    assert items.search(unit_vectors(2), limit=5) == [[], []]
    assert items.search(np.empty((0, WIDTH), np.float32), limit=5) == []
    assert list(items.item_ids()) == []


def test_many_queries_come_back_in_order(items: MilvusItems) -> None:
    """More queries than one call takes are answered in their order."""
    rows = store_rows.items(1_500)
    write(items, rows)
    found = items.search(np.stack([row.vector for row in rows]), limit=1)
    assert [hits[0].fields["item_id"] for hits in found] == [row.item_id for row in rows]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('metadata["price"] < 2', {"i0", "i1"}),
        ('metadata["price"] < 3 and label_id == "x"', {"i0", "i2"}),
        ('item_id == "i3" or item_id == "i4"', {"i3", "i4"}),
        ('item_id in ["i3", "nobody"]', {"i3"}),
        ('item_id like "i1%"', {"i1"}),
        ('metadata["missing"] == 1', set()),
        ("score > 0.5", {"i0", "i2", "i4", "i6", "i8"}),
        ("  ", {f"i{row}" for row in range(10)}),
    ],
)
def test_filters(items: MilvusItems, expression: str, expected: set[str]) -> None:
    """A user's filter decides what is listed, counted and found."""
    rows = store_rows.items(10)
    decisions = [
        Decision(item_id=row.item_id, label_id="x", label="X", score=0.75)
        if number % 2 == 0
        else None
        for number, row in enumerate(rows)
    ]
    items.upsert(rows, decisions)
    items.flush()
    [hits] = items.search(rows[0].vector[None], limit=10, filter_expression=expression)
    assert {hit.fields["item_id"] for hit in hits} == expected
    assert set(items.item_ids(expression)) == expected
    assert items.count(expression) == len(expected)


@pytest.mark.parametrize(
    "expression",
    [
        'metadata["price"] <',
        "price == 3",
        "label_id == 3",
        'metadata["price"] == "',
        'item_id == "a") or (item_id == "b"',
        "and",
    ],
)
def test_refuses_a_bad_filter(items: MilvusItems, expression: str) -> None:
    """A filter that is not valid is quoted back, with the fields there are."""
    write(items, store_rows.items(3))
    with pytest.raises(UsageError) as raised:
        items.search(unit_vectors(1), limit=1, filter_expression=expression)
    assert repr(expression) in str(raised.value)
    assert "label_id" in str(raised.value)
    with pytest.raises(UsageError):
        list(items.item_ids(expression))


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("price << 3", "unexpected token '<' at column 8: expected literal"),
        ('label = "x"', "at column 7: did you mean '=='?"),
    ],
)
def test_what_is_wrong_in_a_filter_is_one_sentence(
    items: MilvusItems, expression: str, cause: str, request: pytest.FixtureRequest
) -> None:
    """The filter is quoted once, and no caret points at nothing. Servers have their own words."""
    write(items, store_rows.items(3))
    with pytest.raises(UsageError) as raised:
        items.search(unit_vectors(1), limit=1, filter_expression=expression)
    assert f"filter {expression!r} is not valid" in str(raised.value)
    if "server" not in request.node.name:
        assert cause in str(raised.value)
        assert str(raised.value).count(expression) == 1
        assert "^" not in str(raised.value)


def test_a_decision_is_replaced_and_removed(items: MilvusItems) -> None:
    """Rows written again with other decisions, or none, carry those."""
    [row] = store_rows.items(1)
    for label_id in ("a", "b", ""):
        decision = Decision(item_id="i0", label_id=label_id, label="", score=0.25)
        items.upsert([row], [decision if label_id else None])
        items.flush()
        assert items.fetch(["i0"])["i0"]["label_id"] == label_id


def test_delete_removes_only_the_given(items: MilvusItems) -> None:
    """Deleted rows are gone from counts, lists and searches; unknown ids are ignored."""
    rows = store_rows.items(10)
    write(items, rows)
    items.delete(["i1", "i7", "unknown", "i1"])
    items.flush()
    left = {f"i{row}" for row in range(10)} - {"i1", "i7"}
    [hits] = items.search(rows[1].vector[None], limit=10)
    assert {hit.fields["item_id"] for hit in hits} == set(items.item_ids()) == left
    assert items.count() == len(left)


@pytest.mark.server
def test_the_next_process_sees_what_was_written(server_uri: str, server_database: Database) -> None:
    """After a flush another process finds inserts, updates and deletes at once."""
    items = server_database.items(SHARED)
    items.delete(list(items.item_ids()))
    for seed in range(3):
        write(items, store_rows.items(20, seed))
        items.delete(["i1"])
        items.flush()
        command = [sys.executable, "-c", READ_ELSEWHERE, server_uri, SHARED]
        read = subprocess.run(command, capture_output=True, text=True, check=True)
        assert read.stdout.split(maxsplit=1) == ["19", "['i0', 'i2']\n"]
        assert read.stderr == ""


@pytest.mark.parametrize("width", [1, WIDTH - 1, WIDTH + 1])
def test_refuses_another_width(items: MilvusItems, width: int) -> None:
    """A vector of another width is refused, also beside a good one, and nothing is written."""
    rows = [*store_rows.items(1), item("bad", unit_vectors(1, width=width)[0])]
    with pytest.raises(StoreError, match=r"item 'bad'.*shape"):
        items.upsert(rows, [None, None])
    items.flush()
    assert items.count() == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 0.5, 3e38])
def test_refuses_a_vector_not_of_length_one(items: MilvusItems, value: float) -> None:
    """NaN, infinity, zero and other lengths never reach Milvus."""
    vector = np.full(WIDTH, value, np.float32)
    with pytest.raises(StoreError, match="item 'bad'"):
        items.upsert([item("bad", vector)], [None])
    with pytest.raises(StoreError, match="query vector"):
        items.search(vector[None], limit=1)
    assert items.count() == 0


def test_refuses_queries_of_another_width(items: MilvusItems) -> None:
    """A query by another model's width is refused."""
    with pytest.raises(StoreError, match="width 16"):
        items.search(unit_vectors(1, width=8), limit=1)


def test_refuses_an_id_twice_in_a_batch(items: MilvusItems) -> None:
    """Which of two rows would stay is not left to chance."""
    rows = [*store_rows.items(3), *store_rows.items(1, seed=5)]
    with pytest.raises(StoreError, match="'i0' occurs 2 times"):
        items.upsert(rows, [None] * 4)


def test_refuses_what_does_not_fit_its_field(items: MilvusItems) -> None:
    """Lengths are in bytes, as servers count, on Milvus Lite too."""
    vector = unit_vectors(1)[0]
    for bad, words in (
        (item("é" * 1_025, vector), "its id has 2050 bytes"),
        (item("a", vector, source="x" * 9_000), "its source has 9000 bytes"),
        (item("a", vector, metadata={"a": "x" * 70_000}), "its metadata has"),
        (item("\ud800", vector), "its id is not valid text"),
        (replace(item("a", vector), metadata_json='{"a": NaN}'), "not valid JSON"),
        (replace(item("a", vector), metadata_json='{"a": "\\ud800"}'), "not valid JSON"),
        (replace(item("a", vector), metadata_json="[1]"), "not a JSON object"),
    ):
        with pytest.raises(StoreError, match=words):
            items.upsert([bad], [None])


def test_long_titles_are_cut_on_a_character(items: MilvusItems) -> None:
    """A title beyond the field keeps its first bytes as whole characters."""
    write(items, [item("a", unit_vectors(1)[0], title="x" + "😀" * 3_000)])
    assert items.fetch(["a"])["a"]["title"] == "x" + "😀" * 2_047


def test_decisions_must_be_in_the_order_of_the_rows(items: MilvusItems) -> None:
    """A decision of another item is refused."""
    decision = Decision(item_id="other", label_id="x", label="X", score=0.5)
    with pytest.raises(StoreError, match="decision at its place"):
        items.upsert(store_rows.items(1), [decision])


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_refuses_a_limit_out_of_range(items: MilvusItems, limit: int) -> None:
    """Milvus gives at most 16,384 results."""
    with pytest.raises(UsageError, match="limit"):
        items.search(unit_vectors(1), limit=limit)
