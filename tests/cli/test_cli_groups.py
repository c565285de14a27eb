"""Rows of a table that are one item (``--group-column``)."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from products import ingest, rows_of, shop_of_three, write
from shell import Shell, write_vectors

GROUPED = ("--group-column", "sku")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder with three products."""
    return shop_of_three(tmp_path)


def test_rows_of_one_sku_are_one_item(shell: Shell) -> None:
    """Each picture keeps its own title; a row without a sku is an item of its own."""
    rows = [
        {"id": f"r{product}{view}", "image": f"{product}{view}.png", "sku": f"s{product}"}
        | {"title": f"view {view}"}
        for product in range(2)
        for view in range(1, 4)
    ]
    rows.append({"id": "alone", "image": "21.png", "sku": "", "title": ""})
    write(shell, rows)
    report = ingest(shell, "--group-column", "sku")
    assert (report["stored"], report["differing_rows"]) == (7, 4)
    assert report["merged"] == {"rows without a group, each an item of its own": 1}
    assert rows_of(shell, "s0") == ["r01", "r02", "r03"]
    (status,) = shell.json("status")
    assert (status["items"], status["parts"]) == (3, 7)
    write(shell, rows[1:])
    report = ingest(shell, "--group-column", "sku", "--sync")
    # The two rows behind it move up in their item, and are stored again under their new places.
    assert (report["removed"], report["unchanged"], report["embedded"]) == (1, 4, 0)
    assert rows_of(shell, "s0") == ["r02", "r03"]
    shell("remove", "s0")
    assert shell.json("status")[0]["items"] == 2


def test_a_table_may_repeat_the_products_id(shell: Shell) -> None:
    """Where the group's column is that of ids, rows are told apart by their pictures."""
    rows = [{"id": "p", "image": f"0{view}.png"} for view in range(1, 4)]
    write(shell, rows)
    assert ingest(shell, "--group-column", "id")["stored"] == 3
    assert ingest(shell, "--group-column", "id")["unchanged"] == 3
    assert len(rows_of(shell, "p")) == 3
    assert shell.json("search", "x", "--item", "p", "--limit", "1") == []


def grouped(*rows: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Rows of id, sku and picture."""
    return [{"id": row_id, "sku": sku, "image": f"{picture}.png"} for row_id, sku, picture in rows]


def test_ids_that_look_like_parts_stay_in_their_group(shell: Shell) -> None:
    """The row mug#2 is no further picture of the row mug: a second run takes nothing away."""
    write(shell, grouped(("mug", "mug", "01"), ("mug#2", "mug", "02"), ("cup", "cup", "11")))
    assert ingest(shell, "--group-column", "sku")["stored"] == 3
    assert ingest(shell, "--group-column", "sku")["unchanged"] == 3
    assert rows_of(shell, "mug") == ["mug", "mug#2"]


def test_sync_takes_out_a_row_and_not_the_item_of_its_name(shell: Shell) -> None:
    """Rows that are gone are called as items are whose other rows are still there."""
    rows = grouped(
        ("mug", "mug", "01"),
        ("mug-b", "mug", "02"),
        ("cup", "jar", "11"),
        ("cup-b", "cup", "12"),
        ("jar-b", "jar", "13"),
    )
    write(shell, rows)
    ingest(shell, "--group-column", "sku")
    write(shell, [row for row in rows if row["id"] not in {"mug", "cup"}])
    report = ingest(shell, "--group-column", "sku", "--sync", "--max-removed", "1")
    assert (report["absent"], report["removed"]) == (2, 2)
    stored = {item: rows_of(shell, item) for item in ("mug", "cup", "jar")}
    assert stored == {"mug": ["mug-b"], "cup": ["cup-b"], "jar": ["jar-b"]}
    report = ingest(shell, "--group-column", "sku", "--sync")
    assert (report["absent"], report["unchanged"]) == (0, 3)


def test_sync_takes_out_a_row_of_a_group_with_its_further_pictures(shell: Shell) -> None:
    """A row of a group may have several pictures itself; all go with it."""
    rows = [
        {"id": f"r{place}", "sku": "mug", "image": f"{place}1.png", "image_2": f"{place}2.png"}
        for place in range(3)
    ]
    write(shell, rows)
    columns = ("--group-column", "sku", "--image-column", "image,image_2")
    assert ingest(shell, *columns)["stored"] == 6
    write(shell, rows[1:])
    ingest(shell, *columns, "--sync", "--max-removed", "1")
    assert sorted(rows_of(shell, "mug")) == ["r1", "r1#view=2", "r2", "r2#view=2"]


def test_blanks_are_no_group(shell: Shell) -> None:
    """Rows whose group is spaces are items of their own, not one item together."""
    write(shell, grouped(("a", "  ", "01"), ("b", "  ", "11")))
    ingest(shell, "--group-column", "sku")
    hits = shell.json("search", "x")
    assert {hit["item_id"] for hit in hits} == {"a", "b"}


def test_rows_keep_the_order_of_the_table(shell: Shell) -> None:
    """Each before its further pictures; only a row that moves in its group is stored again."""
    columns = ("--image-column", "image,image_2", *GROUPED)
    rows = [
        {"id": f"r{n}", "sku": "s", "image": f"0{n}.png", "image_2": f"1{n}.png"} for n in (1, 2, 3)
    ]
    write(shell, rows)
    assert ingest(shell, *columns)["items"] == 1
    order = ["r1", "r1#view=2", "r2", "r2#view=2", "r3", "r3#view=2"]
    assert rows_of(shell, "s") == order
    other = {"id": "t1", "sku": "t", "image": "21.png", "image_2": ""}
    write(shell, [other, *rows])
    report = ingest(shell, *columns)
    assert (report["stored"], report["unchanged"]) == (1, 6)
    write(shell, [other, rows[2], *rows[:2]])
    report = ingest(shell, *columns)
    assert (report["embedded"], report["replaced"]) == (0, 6)
    assert rows_of(shell, "s") == [*order[4:], *order[:4]]


def test_a_row_that_joins_a_group_by_its_own_id_is_told(shell: Shell) -> None:
    """In one table, by a later table, and by a group that comes later; a group's own row is not."""
    write(
        shell,
        grouped(("mug", "mug", "01"), ("b", "mug", "02"), ("cup", "", "11"), ("d", "cup", "12")),
    )
    told = shell("ingest", "products.csv", *GROUPED)
    assert "1 group has a picture" in " ".join((told.stderr + told.stdout).split())
    assert ingest(shell, *GROUPED)["joined_items"] == ["cup"]
    write(shell, [{"id": "e", "sku": "jar", "image": "21.png"}], "jars.csv")
    assert ingest(shell, *GROUPED, table="jars.csv")["joined_items"] == []
    write(shell, [{"id": "jar", "image": "22.png"}], "single.csv")
    assert ingest(shell, "--image-column", "image", table="single.csv")["joined_items"] == ["jar"]
    write(shell, [{"id": "pot", "image": "23.png"}], "pot.csv")
    assert ingest(shell, "--image-column", "image", table="pot.csv")["joined_items"] == []
    write(shell, grouped(("f", "pot", "13")), "pots.csv")
    assert ingest(shell, *GROUPED, table="pots.csv")["joined_items"] == ["pot"]
    assert rows_of(shell, "pot") == ["pot", "f"]


def test_an_item_is_in_the_partitions_of_all_its_rows(tmp_path: Path) -> None:
    """Commands agree on that, whichever row leads the item."""
    shell = Shell(tmp_path, in_process=True)
    write(
        shell,
        [
            {"id": "a", "sku": "mug", "shop": "north"},
            {"id": "b", "sku": "mug", "shop": "south"},
            {"id": "c", "sku": "boot", "shop": "north"},
            {"id": "d", "sku": "boot", "shop": "north"},
        ],
    )
    write_vectors(tmp_path / "v.npy", 4)
    vectors = ("--vectors", "v.npy")
    shell("ingest", "products.csv", *vectors, *GROUPED, "--partition-key", "shop")
    (tmp_path / "labels.csv").write_text("id,name\nw,w\nx,x\ny,y\nz,z\n")
    shell("labels", "add", "labels.csv", *vectors)
    for shop, items in (("north", {"mug", "boot"}), ("south", {"mug"})):
        of_shop = ("--partition", shop)
        hits = shell.json("search", "--item", "boot", *of_shop)
        assert [hit["item_id"] for hit in hits] == ["mug"]
        hits = shell.json("search", "--hybrid", "mug boot", *of_shop)
        assert {hit["item_id"] for hit in hits} == items
        assert {hit["metadata"]["shop"] for hit in hits} == {shop}
        shell("categorize", *of_shop, "--to", "out.csv")
        with (tmp_path / "out.csv").open(newline="") as file:
            assert {row["item_id"] for row in csv.DictReader(file)} == items
        shell("classify", "--item", "mug", *of_shop)
        shell("explain", "--item", "mug", *of_shop)
    shell("classify", "--item", "boot", "--partition", "south", code=2)
