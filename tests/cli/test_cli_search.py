"""``zeroshelf search``: words beside vectors, counts, groups, what is not wanted, columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from shell import Shell, write_rows, write_vectors

from queries.commands import searching

ROWS: list[dict[str, Any]] = [
    {"id": "p1", "title": "striped mug", "sku": "AB-1234/X", "brand": "Acme", "colour": "red"},
    {"id": "p2", "title": "plain mug", "sku": "AB-1235/X", "brand": "Acme", "colour": "blue"},
    {"id": "p3", "title": "mug with dots", "sku": "ZZ-1", "brand": "Zenith", "colour": None},
    {"id": "p4", "title": "leather boot", "sku": "BO-77", "brand": "Zenith", "colour": "brown"},
    {"id": "p5", "title": "rain boot", "sku": "BO-78", "brand": "Acme", "colour": "red"},
    {
        "id": "p6",
        "title": "\u7ea2\u8272\u8fde\u8863\u88d9",
        "sku": "CN-1",
        "brand": "Hong",
        "colour": "red",
    },
    {"id": "p7", "title": 'the "big" mug', "sku": "O'B-9", "brand": "Acme", "colour": None},
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Seven texts by the packaged model."""
    shell = Shell(tmp_path_factory.mktemp("shop"), in_process=True, model="pocket")
    write_rows(shell.folder / "items.jsonl", ROWS)
    shell("ingest", "items.jsonl", "--image-column", "none")
    return shell


def ids(shell: Shell, *words: object) -> list[str]:
    """Ids of what a search finds, in order."""
    return [hit["item_id"] for hit in shell.json("search", *words)]


@pytest.mark.parametrize(
    ("words", "item"),
    [
        ("AB-1235/X", "p2"),
        ("ab1235x", "p2"),
        ("zz-1", "p3"),
        ("hong", "p6"),
        ("\u8fde\u8863\u88d9", "p6"),
        ("o'b-9", "p7"),
        ('"big"', "p7"),
        ("p4", "p4"),
    ],
)
def test_exact_words_are_found(shop: Shell, words: str, item: str) -> None:
    """Skus with and without their joints, brands, ids, a part of a Chinese title."""
    found = shop.json("search", words, "--hybrid")
    by_words = [hit["item_id"] for hit in found if hit["found_by"] != "vector"]
    assert by_words[0] == item


def test_each_hit_says_what_found_it(shop: Shell) -> None:
    """Both ways for the mugs, the vector alone for the rest."""
    found = {hit["item_id"]: hit for hit in shop.json("search", "mug", "--hybrid")}
    assert {found[name]["found_by"] for name in ("p1", "p2", "p3", "p7")} == {"both"}
    assert found["p4"]["found_by"] == "vector"
    assert all(-1 <= hit["similarity"] <= 1 for hit in found.values())


def test_a_filter_holds_for_words(shop: Shell) -> None:
    """The words are looked for among what passes."""
    acme = ["--filter", 'metadata["brand"] == "Acme"']
    assert set(ids(shop, "mug", "--hybrid", *acme)) == {"p1", "p2", "p5", "p7"}
    assert "p3" not in ids(shop, "zz-1", "--hybrid", *acme)


def test_a_list_of_metadata_values_filters(shop: Shell) -> None:
    """Milvus Lite has no such lists; they are compared one by one."""
    assert set(ids(shop, "mug", "--filter", 'metadata["brand"] in ["Zenith", "Hong"]')) == {
        "p3",
        "p4",
        "p6",
    }


def test_what_is_not_wanted_is_left_out(shop: Shell) -> None:
    """Among words it is left out, and the vector moves away."""
    assert "p1" in ids(shop, "mug", "--hybrid")
    assert "p1" not in ids(shop, "mug", "--hybrid", "--not", "striped")
    plain = {hit["item_id"]: hit["similarity"] for hit in shop.json("search", "mug")}
    moved = {
        hit["item_id"]: hit["similarity"] for hit in shop.json("search", "mug", "--not", "striped")
    }
    assert moved["p1"] - plain["p1"] < moved["p2"] - plain["p2"]


def test_values_are_counted(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over all that was found, with those that have none."""
    found = shop.json("search", "mug", "--facet", "brand,colour", "--limit", 2)
    assert len(found["hits"]) == 2
    assert found["facets"]["brand"]["values"] == {"Acme": 4, "Zenith": 2, "Hong": 1}
    assert found["facets"]["colour"] == {
        "column": "colour",
        "values": {"red": 3, "blue": 1, "brown": 1},
        "without": 2,
    }
    assert (found["counted"], found["all_counted"]) == (7, True)
    told = shop("search", "mug", "--facet", "brand,colour").stderr
    assert "brand of all 7:\n  Acme    4\n  Zenith  2\n  Hong    1\n" in told
    assert "colour of all 7:\n  red         3\n" in told
    assert "  (no value)  2\n" in told
    monkeypatch.setattr(searching, "SHOWN_VALUES", 1)
    told = shop("search", "mug", "--facet", "brand").stderr
    assert "  Acme  4\n  and 2 more: --output json has all\n" in told


def test_a_filter_alone_lists_its_items(shop: Shell) -> None:
    """By id; the table has no similarity to show."""
    acme = 'metadata["brand"] == "Acme"'
    found = shop.json("search", "--filter", acme, "--limit", 100)
    listed = [hit["item_id"] for hit in found]
    assert listed == sorted(listed)
    assert {hit["metadata"]["brand"] for hit in found} == {"Acme"}
    assert len(listed) == 4
    table = shop("search", "--filter", acme).stdout
    assert listed[0] in table
    assert "similarity" not in table


def test_one_hit_a_value(shop: Shell) -> None:
    """The best of each brand; what has no value is no group and stays."""
    assert len(ids(shop, "mug", "--group-by", "brand")) == 3
    found = shop.json("search", "mug", "--group-by", "colour")
    colours = [hit["metadata"].get("colour") for hit in found]
    assert sorted(filter(None, colours)) == ["blue", "brown", "red"]
    assert colours.count(None) == 2


def test_a_least_similarity(shop: Shell) -> None:
    """The vector's hits end there; those of words stay."""
    found = shop.json("search", "mug")
    middle = (found[3]["similarity"] + found[4]["similarity"]) / 2
    assert [hit["item_id"] for hit in found[:4]] == ids(shop, "mug", "--min-similarity", middle)
    assert ids(shop, "bo-77", "--hybrid", "--min-similarity", 1) == ["p4"]


def test_chosen_columns_are_shown(shop: Shell) -> None:
    """In the table, and in CSV."""
    told = shop("search", "mug", "--columns", "sku,brand", "--output", "csv", "--csv-raw").stdout
    assert told.splitlines()[0] == "sku,brand"
    assert "AB-1234/X,Acme" in told
    assert "similarity" not in shop("search", "mug", "--columns", "sku").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["", "--hybrid"], "looks for words too"),
        (["--item", "p1", "--hybrid"], "looks for words too"),
        (["--not", "striped"], "only what is not wanted"),
        (["mug", "--not", " "], "--not"),
        (["  "], "nothing to search for"),
        (["mug", "--facet", "brnd"], "Did you mean 'brand'"),
        (["mug", "--group-by", "color"], "Did you mean 'colour'"),
        (["mug", "--columns", "skuu"], "Did you mean 'sku'"),
        (["mug", "--filter", 'metadata["brnd"] == "a"'], "Did you mean 'brand'"),
        (["mug", "--hybrid", "--filter", 'label == "a") or (label == "b"'], "not valid"),
        ([" ".join(map(str, range(70))), "--hybrid"], "fewer"),
    ],
)
def test_wrong_usage_is_told(shop: Shell, words: list[str], told: str) -> None:
    """With the cause, and exit code 2."""
    assert told in shop("search", *words, code=2).stderr


@pytest.mark.parametrize("words", ['"', "a' OR 1=1 --", "NEAR(", "*", "\U0001f389", "!!!", "\0a"])
def test_hostile_words_are_words(shop: Shell, words: str) -> None:
    """Whatever is typed, the search answers."""
    assert len(ids(shop, words, "--hybrid")) == 7


def test_what_is_removed_or_changed_is_not_found(tmp_path: Path) -> None:
    """The index of words follows removals and new titles, a lost file, and another model."""
    shell = Shell(tmp_path, in_process=True, model="pocket")
    write_rows(tmp_path / "items.jsonl", ROWS)
    shell("ingest", "items.jsonl", "--image-column", "none")

    def by_words(words: str) -> list[str]:
        found = shell.json("search", words, "--hybrid")
        return [hit["item_id"] for hit in found if hit["found_by"] != "vector"]

    assert by_words("AB-1234/X")[0] == "p1"
    shell("remove", "p1")
    assert "p1" not in by_words("AB-1234/X")
    write_rows(tmp_path / "items.jsonl", [{**ROWS[1], "sku": "NEW-1"}])
    shell("ingest", "items.jsonl", "--image-column", "none")
    assert by_words("new1") == ["p2"]
    assert "p2" not in by_words("ab1235x")
    for file in shell.catalog.glob("texts.sqlite*"):
        file.unlink()
    assert by_words("new1") == ["p2"]
    (shell.catalog / "texts.sqlite").write_bytes(b"no database" * 100)
    assert by_words("new1") == ["p2"]
    shell("rebuild")
    assert by_words("new1") == ["p2"]
    assert "p1" not in by_words("AB-1234/X")


def test_named_columns_alone_are_found(tmp_path: Path) -> None:
    """``--text-columns`` chooses; another choice is indexed anew, a wrong name is told."""
    shell = Shell(tmp_path, in_process=True)
    write_rows(tmp_path / "items.jsonl", ROWS)
    write_vectors(tmp_path / "v.npy", len(ROWS))
    table = ["ingest", "items.jsonl", "--vectors", "v.npy", "--text-columns"]
    shell(*table, "sku")
    assert ids(shell, "AB-1235/X", "--hybrid")[0] == "p2"
    assert ids(shell, "acme", "--hybrid") == []
    shell(*table, "brand")
    assert set(ids(shell, "acme", "--hybrid")) == {"p1", "p2", "p5", "p7"}
    assert ids(shell, "ab1235x", "--hybrid") == []
    assert "Did you mean 'brand'" in shell(*table, "brnd", code=2).stderr


def test_given_vectors_are_searched_by_words_alone(tmp_path: Path) -> None:
    """Without a model there is no vector of the words: told, and no similarity."""
    shell = Shell(tmp_path, in_process=True)
    write_rows(tmp_path / "items.jsonl", ROWS)
    write_vectors(tmp_path / "v.npy", len(ROWS))
    shell("ingest", "items.jsonl", "--vectors", "v.npy")
    done = shell("search", "zenith boot", "--hybrid", "--output", "json")
    assert "by words alone" in done.stderr
    found = json.loads(done.stdout)
    assert found[0]["item_id"] == "p4"
    assert {hit["similarity"] for hit in found} == {None}
    shell("search", "zenith boot", "--hybrid")


def test_columns_of_lists(tmp_path: Path) -> None:
    """An entry is asked for by ``json_contains``; items with an empty list are no group."""
    shell = Shell(tmp_path, in_process=True)
    tags: list[list[str]] = [[], ["a", "new"], ["a"], [], ["a"], []]
    rows = [{"id": f"p{row}", "title": "mug", "tags": value} for row, value in enumerate(tags)]
    write_rows(tmp_path / "items.jsonl", rows)
    write_vectors(tmp_path / "v.npy", len(rows))
    shell("ingest", "items.jsonl", "--vectors", "v.npy")
    like = ("--item", "p0", "--filter")
    assert ids(shell, *like, 'json_contains(metadata["tags"], "new")') == ["p1"]
    either = 'json_contains_any(metadata["tags"], ["new", "a"])'
    assert sorted(ids(shell, *like, either)) == ["p1", "p2", "p4"]
    grouped = ids(shell, "--item", "p0", "--group-by", "tags")
    assert {"p1", "p3", "p5"} < set(grouped)
    assert len(grouped) == 4  # p2 and p4 have the same list
