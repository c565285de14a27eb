"""A divided catalog: what is asked of one partition touches only its items."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from two_models import HOW, NEW, OLD, Faked, Model, draw, picture

from indexer.catalog.opening import OpenCatalog, open_catalog
from indexer.core.errors import UsageError
from indexer.core.partitions import partition_of
from indexer.core.records import FloatArray, key_of
from indexer.core.watch import Watch
from indexer.jobs.ingest import ingest
from indexer.jobs.items import export
from indexer.jobs.labels import add_labels
from indexer.jobs.rebuild import compare, rebuild
from indexer.jobs.reembed import reembed
from indexer.store.capabilities import Capability, server_info
from indexer.store.expressions import Filter, in_partition
from queries.categorizing.categorize import Selection, categorize
from queries.inputs.stored import stored_items
from queries.search.finding import search

ITEMS = 30
SHOPS = ["shop 0", "shop 1", "shop 2"]
HOSTILE = 'o\'brien" or key != "'
DIVIDED = replace(HOW.ingest, partition_key="shop")


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def options(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Faked:
    """A catalog divided by its items' shops, with labels; tests only read it."""
    folder = tmp_path_factory.mktemp("divided")
    db = request.getfixturevalue("server_uri") if request.param == "server" else None
    return make(folder, db=db, catalog="divided")


@pytest.fixture
def own(tmp_path: Path) -> Faked:
    """One of a test's own, in Milvus Lite."""
    return make(tmp_path)


def make(folder: Path, **given_options: Any) -> Faked:
    """Thirty items of three shops, one of them with a hostile name."""
    options = Faked(data_dir=folder / "data", model=OLD, **given_options)
    table = draw(folder / "shop", range(ITEMS))
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    for row in rows[:3]:
        row["shop"] = HOSTILE
    table.write_text("\n".join(map(json.dumps, rows)))
    report = ingest(options, [str(table)], DIVIDED)
    assert report.stored == ITEMS
    (folder / "labels.txt").write_text("mug\nboot\njacket")
    add_labels(options, str(folder / "labels.txt"))
    return replace(options, model=None)


def query(number: int) -> FloatArray:
    """The vector of a picture."""
    return Model(OLD).embed_pictures([picture(number)])[0]


def shops_of(hits: list[Any]) -> set[str]:
    """The shops that hits belong to."""
    return {hit.metadata["shop"] for hit in hits}


def test_a_search_finds_items_of_its_partition_only(options: Faked) -> None:
    """The nearest of all is of another shop; every item of the shop is found."""
    with open_catalog(options) as catalog:
        assert search(catalog, query(4), limit=1)[0].item_id == "i4"
        for shop, count in {"shop 0": 9, "shop 1": 9, "shop 2": 9, HOSTILE: 3}.items():
            hits = search(catalog, query(4), limit=ITEMS, partition=shop)
            assert shops_of(hits) == {shop}
            assert len(hits) == count
            assert catalog.items_in(shop).count() == count


def test_filters_hold_within_the_partition(options: Faked) -> None:
    """And can't lead out of it, however they are written."""
    with open_catalog(options) as catalog:
        cheap = search(
            catalog,
            query(4),
            limit=ITEMS,
            partition="shop 1",
            filter_expression='metadata["price"] < 10',
        )
        assert {hit.item_id for hit in cheap} == {"i4", "i7"}
        either = 'item_id == "i5" or item_id == "i7"'
        found = search(catalog, query(4), partition="shop 1", filter_expression=either)
        assert [hit.item_id for hit in found] == ["i7"]
        for crafted in ['item_id == "x") or (item_id != "x"', 'item_id == "x" or (1 == 1', "(]"]:
            with pytest.raises(UsageError, match="brackets"):
                search(catalog, query(4), partition="shop 1", filter_expression=crafted)


def test_fetch_and_ids_hold_within_the_partition(options: Faked) -> None:
    """Ids of others count as unknown."""
    with open_catalog(options) as catalog:
        items = catalog.items_in("shop 1")
        assert set(items.fetch(["i4", "i5", "i0"])) == {"i4"}
        assert set(items.item_ids()) == {f"i{one}" for one in range(4, ITEMS, 3)}
        found = stored_items(catalog, ["i4", "i5"], partition="shop 1")
        assert found.names == ("i4",)
        assert "no such item of shop 'shop 1'" in found.errors[1]


def test_jobs_hold_within_the_partition(options: Faked, tmp_path: Path) -> None:
    """Categorize and export write its items, with and without a filter."""
    expected = {f"i{one}" for one in range(4, ITEMS, 3)}
    with open_catalog(options, write=True) as catalog:
        totals: list[int | None] = []
        report = categorize(
            catalog,
            tmp_path / "a.parquet",
            selection=Selection(partition="shop 1"),
            watch=Watch(begin=lambda _, rows: totals.append(rows)),
        )
        assert report.items == 9
        assert totals == [9]
        some = categorize(
            catalog,
            tmp_path / "b.parquet",
            selection=Selection(partition="shop 1", filter_expression='metadata["price"] < 10'),
        )
        assert some.items == 2
    assert set(pq.read_table(tmp_path / "a.parquet")["item_id"].to_pylist()) == expected
    assert export(options, tmp_path / "out", partition="shop 1").rows == 9
    written = [pq.read_table(file) for file in (tmp_path / "out").glob("items-*.parquet")]
    assert {one for table in written for one in table["item_id"].to_pylist()} == expected


def test_a_filter_that_is_not_valid_is_told_as_it_was_typed(
    options: Faked, request: pytest.FixtureRequest
) -> None:
    """Nobody typed the condition that holds it in its partition; servers count it in a column."""
    with open_catalog(options) as catalog, pytest.raises(UsageError) as raised:
        search(catalog, query(4), partition="shop 1", filter_expression="cost < 10")
    assert "filter 'cost < 10' is not valid" in str(raised.value)
    assert key_of("shop 1") not in str(raised.value)
    assert "partition ==" not in str(raised.value)
    on_server, column = "server" in request.node.name, r"at column 7: .*\? Fields"
    with (
        open_catalog(options) as catalog,
        pytest.raises(UsageError, match="is not valid" if on_server else column),
    ):
        search(catalog, query(4), partition="shop 1", filter_expression="title = 'a'")


def test_labels_are_written_back_to_the_items_of_the_partition_only(
    own: Faked, tmp_path: Path
) -> None:
    """Other shops' rows are not written again, and keep the labels they have."""
    stages: list[str] = []
    stored: list[int] = []
    storing = Watch(
        begin=lambda stage, _: stages.append(stage),
        advance=lambda rows: stored.append(rows if stages[-1] == "Storing" else 0),
    )
    with open_catalog(own, write=True) as catalog:
        categorize(
            catalog,
            tmp_path / "a.csv",
            selection=Selection(partition="shop 1"),
            write_back=True,
            watch=storing,
        )
        assert sum(stored) == 9
        labelled = set(catalog.items.item_ids('label != ""'))
        assert labelled == {f"i{one}" for one in range(4, ITEMS, 3)}
        categorize(catalog, tmp_path / "a.csv", write_back=True, watch=storing)
        assert sum(stored) == 9 + ITEMS
    assert compare(own).equal


@pytest.mark.parametrize("call", ["search", "categorize", "export", "item"])
def test_an_unknown_partition_is_named_with_those_near_it(
    options: Faked, tmp_path: Path, call: str
) -> None:
    """A misspelt name must not pass for a shop without items."""
    message = r"no items of shop 'shop 11'\. It has 4 others, such as: shop 1"
    calls: dict[str, Callable[[OpenCatalog], object]] = {
        "search": lambda catalog: search(catalog, query(4), partition="shop 11"),
        "categorize": lambda catalog: categorize(
            catalog, tmp_path / "a.csv", selection=Selection(partition="shop 11")
        ),
        "item": lambda catalog: stored_items(catalog, ["i4"], partition="shop 11"),
    }
    if call == "export":
        with pytest.raises(UsageError, match=message):
            export(options, tmp_path / "out", partition="shop 11")
        return
    with open_catalog(options, write=True) as catalog, pytest.raises(UsageError, match=message):
        calls[call](catalog)


def test_the_database_knows_the_partitions(options: Faked) -> None:
    """By its own partition keys where rows reach them, else by an index of texts."""
    with open_catalog(options) as catalog:
        client = catalog.database._client
        name = f"{options.catalog}_items_001"
        fields = {one["name"]: one for one in client.describe_collection(name)["fields"]}
        by_key = Capability.PARTITION_KEYS in catalog.database.server_info().capabilities
        assert by_key == catalog.database.is_lite  # the server here is a 2.3.5
        assert fields["partition"].get("is_partition_key", False) == by_key
        if by_key:
            names = client.list_partitions(name)
            rows = [int(client.get_partition_stats(name, one)["row_count"]) for one in names]
            assert len([one for one in rows if one]) <= 4
        else:
            assert client.list_indexes(name, "partition") == ["partition"]


def test_an_item_moves_to_another_partition(own: Faked, tmp_path: Path) -> None:
    """Ingested again with another shop it is found there, and there only."""
    table = tmp_path / "shop" / "table.jsonl"
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    rows[4]["shop"] = "shop 2"
    table.write_text("\n".join(map(json.dumps, rows)))
    assert ingest(own, [str(table)], HOW.ingest).replaced == 1
    with open_catalog(own) as catalog:
        assert catalog.ledger.partitions.counts() == {
            "shop 2": 10,
            "shop 0": 9,
            "shop 1": 8,
            HOSTILE: 3,
        }
        assert "i4" not in set(catalog.items_in("shop 1").item_ids())
        assert "i4" in set(catalog.items_in("shop 2").item_ids())
        assert catalog.items.count() == ITEMS
    assert compare(own).equal


def test_an_item_without_a_partition_is_a_dead_letter(own: Faked, tmp_path: Path) -> None:
    """It would be in nobody's results."""
    rows = [{"id": "n", "image": "1.png"}, {"id": "m", "image": "2.png", "shop": ""}]
    table = tmp_path / "shop" / "more.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)))
    report = ingest(own, [str(table)], HOW.ingest)
    assert dict(report.dead_by_reason) == {"bad_metadata": 2}
    with open_catalog(own) as catalog:
        assert "'shop'" in catalog.dead_letters.all()[0].message


def test_partitions_outlive_a_lost_ledger_a_rebuild_and_another_model(own: Faked) -> None:
    """The archive is the record of them, too."""
    for file in own.folder.root.glob("ledger.sqlite*"):
        file.unlink()
    rebuild(own)
    reembed(replace(own, model=NEW), HOW)
    with open_catalog(own) as catalog:
        assert catalog.fingerprint.model == NEW
        assert catalog.items_in("shop 1").count() == 9
        assert catalog.ledger.partitions.count(HOSTILE) == 3


def test_a_catalog_is_divided_when_it_is_made_or_never(own: Faked, tmp_path: Path) -> None:
    """The same key again is fine; another, or one for an undivided catalog, is refused."""
    table = str(tmp_path / "shop" / "table.jsonl")
    assert ingest(own, [table], DIVIDED).unchanged == ITEMS
    with pytest.raises(UsageError, match="divided by 'shop'"):
        ingest(own, [table], replace(HOW.ingest, partition_key="price"))
    plain = replace(own, catalog="plain", model=OLD)
    ingest(plain, [table], HOW.ingest)
    with pytest.raises(UsageError, match="not divided"):
        ingest(plain, [table], DIVIDED)
    with (
        open_catalog(plain) as catalog,
        pytest.raises(UsageError, match=r"not divided.*--partition-key"),
    ):
        search(catalog, query(4), partition="shop 1")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("milvus_lite-3.2.2", True),
        ("v2.3.5-lite", False),
        ("v2.4.0", True),
        ("v2.6.3", True),
        ("v3.0.1", True),
    ],
)
def test_partition_keys_are_used_where_upserts_reach_them(version: str, expected: bool) -> None:
    """Not on 2.3.5, which loses upserted rows to searches by partition."""
    assert (Capability.PARTITION_KEYS in server_info(version).capabilities) is expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"shop": "a"}, "a"),
        ('{"shop": 7}', "7"),
        ({"shop": True}, "true"),
        ({"shop": None}, ""),
        ({"shop": ["a"]}, ""),
        ({}, ""),
    ],
)
def test_the_partition_of_an_item(metadata: Any, expected: str) -> None:
    """A text, a number or a truth value; nothing else."""
    assert partition_of(metadata, "shop") == expected


@given(st.text(alphabet="()[]{}\"'\\ or=1", max_size=30))
def test_no_filter_ends_the_condition_that_holds_it(text: str) -> None:
    """What is let through stays inside of its brackets, however a parser reads it."""
    try:
        limited = Filter(expression=text, typed=text).limited_to(in_partition("a"))
    except UsageError:
        return
    expression = limited.expression
    own = f'partition == "{key_of("a")}"'
    if not text:
        assert expression == own
        return
    assert expression == f"{own} and ({text})"
    depth, rest, quote = 1, text, ""
    while rest:
        character, rest = rest[0], rest[1:]
        if quote and character == "\\":
            rest = rest[1:]
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
        assert depth >= 1
    assert (depth, quote) == (1, "")
