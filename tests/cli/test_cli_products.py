"""Products with several pictures, as a user brings them in, searches and categorizes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from products import COLUMNS, ingest, products, rows_of, save_picture, shop_of_three, write
from shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder with three products."""
    return shop_of_three(tmp_path)


def test_a_product_is_one_hit_and_one_row(shell: Shell) -> None:
    """Its pictures are embedded, its table has a row for each item, a search finds it once."""
    write(shell, products())
    report = ingest(shell)
    assert (report["items"], report["read"], report["stored"], report["embedded"]) == (3, 9, 9, 9)
    shell("labels", "add", "labels.csv")
    shell("categorize", "--to", "mean.parquet", "--write-back")
    table = pq.read_table(shell.folder / "mean.parquet").to_pylist()
    assert sorted(row["item_id"] for row in table) == ["p0", "p1", "p2"]
    assert [row["parts"] for row in table] == [3, 3, 3]
    hits = shell.json("search", "a picture")
    assert sorted(hit["item_id"] for hit in hits) == ["p0", "p1", "p2"]
    assert hits[0]["parts"] == [
        hits[0]["item_id"],
        *(f"{hits[0]['item_id']}#view={n}" for n in (2, 3)),
    ]
    (status,) = shell.json("status")
    assert (status["items"], status["parts"]) == (3, 9)


def test_the_nearest_picture_is_the_hit(shell: Shell) -> None:
    """A search by a product's third picture finds the product by that picture."""
    write(shell, products())
    ingest(shell)
    for product in range(3):
        hit = shell.json("search", "--image", f"{product}3.png", "--limit", "1")[0]
        assert (hit["item_id"], hit["part_id"]) == (f"p{product}", f"p{product}#view=3")
        assert hit["part"] == {"view": 3}
        assert hit["similarity"] == pytest.approx(1.0, abs=1e-4)


def test_decisions_are_on_every_picture(shell: Shell) -> None:
    """So a filter by label finds an item by whichever picture is nearest."""
    write(shell, products())
    ingest(shell)
    shell("labels", "add", "labels.csv")
    shell("categorize", "--to", "out.parquet", "--write-back")
    labels = {row["item_id"]: row["label_id"] for row in read(shell, "out.parquet")}
    for product in range(3):
        label = labels[f"p{product}"]
        found = shell.json(
            "search", "--image", f"{product}3.png", "--filter", f'label_id == "{label}"'
        )
        assert (found[0]["part_id"], found[0]["label_id"]) == (f"p{product}#view=3", label)
    assert "equals the archive" in shell("rebuild", "--verify").stderr


def read(shell: Shell, name: str) -> list[dict[str, Any]]:
    """The rows of a result."""
    rows: list[dict[str, Any]] = pq.read_table(shell.folder / name).to_pylist()
    return rows


def test_the_best_picture_decides_alone_where_it_shall(shell: Shell) -> None:
    """Its id is told, and the score is that of the picture by itself."""
    write(shell, products())
    ingest(shell)
    shell("labels", "add", "labels.csv")
    shell("categorize", "--to", "best.parquet", "--view-pooling", "best", "--no-adapt")
    ingest(shell, "--catalog", "single", "--image-column", "image_2")
    shell("labels", "add", "labels.csv", "--catalog", "single")
    shell("categorize", "--to", "second.parquet", "--catalog", "single", "--no-adapt")
    second = {row["item_id"]: row["score"] for row in read(shell, "second.parquet")}
    for row in read(shell, "best.parquet"):
        assert row["part_id"].split("#")[0] == row["item_id"]
        assert row["score"] >= second[row["item_id"]] - 1e-5


def test_the_best_picture_decides_for_classify_too(shell: Shell) -> None:
    """``classify`` and ``explain`` give a stored item, and its row, what ``categorize`` gives."""
    write(shell, products())
    ingest(shell)
    shell("labels", "add", "labels.csv")
    options = ("--view-pooling", "best", "--no-adapt", "--text-weight", "0")
    shell("categorize", "--to", "best.parquet", *options)
    by_item = shell.json("classify", *(f"--item=p{n}" for n in range(3)), *options)
    by_table = shell.json("classify", "products.csv", *COLUMNS, *options)
    by_mean = shell.json("classify", *(f"--item=p{n}" for n in range(3)), "--no-adapt")
    table = {row["item_id"]: row for row in read(shell, "best.parquet")}
    for product in range(3):
        row, answer = table[f"p{product}"], by_item[product][0]
        assert (answer["label_id"], answer["part_id"]) == (row["label_id"], row["part_id"])
        assert answer["score"] == pytest.approx(row["score"], abs=1e-5)
        assert by_mean[product][0]["part_id"] == ""
        assert by_mean[product][0]["score"] != pytest.approx(row["score"], abs=1e-5)
        view = int(row["part_id"].partition("=")[2] or 1)
        given = by_table[product][0]
        assert given["label_id"] == row["label_id"]
        assert Path(given["part_id"]).name == f"{product}{view}.png"
        explained = shell.json("explain", "--item", f"p{product}", *options)
        assert explained["predictions"][0]["score"] == pytest.approx(row["score"], abs=1e-5)
        assert f"The picture {row['part_id']} decides alone." in explained["notes"]


def test_adding_a_picture_embeds_that_one(shell: Shell) -> None:
    """The others are unchanged; a picture that the row no longer has is removed."""
    write(shell, products((1, 2)))
    assert ingest(shell)["embedded"] == 6
    write(shell, products())
    report = ingest(shell)
    assert (report["embedded"], report["unchanged"], report["stored"]) == (3, 6, 3)
    write(shell, products((1,)))
    report = ingest(shell)
    assert (report["embedded"], report["removed_pictures"]) == (0, 6)
    assert rows_of(shell, "p1") == ["p1"]
    assert ingest(shell)["removed_pictures"] == 0
    (status,) = shell.json("status")
    assert (status["items"], status["items_in_database"]) == (3, 3)


def test_remove_takes_all_pictures_of_a_product(shell: Shell) -> None:
    """By its id; a filter that one picture matches is enough."""
    write(shell, products())
    ingest(shell)
    report = shell.json("remove", "p0")[0]
    assert (report["removed"], report["parts"]) == (1, 2)
    assert rows_of(shell, "p0") == []
    shell("remove", "--filter", 'part["view"] == 2 and title == "product 1"', "--yes")
    assert rows_of(shell, "p1") == []
    assert len(rows_of(shell, "p2")) == 3
    assert shell("remove", "p9", code=2).stderr.count("no item")


def test_an_item_goes_with_its_last_picture(shell: Shell) -> None:
    """A further picture is no removed item, and is counted as what it is."""
    write(shell, products((1, 2)))
    ingest(shell)
    further = shell.json("remove", "p0#view=2")[0]
    assert (further["removed"], further["parts"]) == (0, 1)
    last = shell.json("remove", "p0")[0]
    assert (last["removed"], last["parts"]) == (1, 0)
    both = shell.json("remove", "p1", "p1#view=2")[0]
    assert (both["removed"], both["parts"]) == (1, 1)


def test_a_product_lives_by_its_good_pictures(shell: Shell) -> None:
    """Bad ones are dead letters by themselves; without any good one it is told."""
    (shell.folder / "01.png").write_bytes(b"broken")
    for view in range(1, 4):
        (shell.folder / f"2{view}.png").write_bytes(b"broken")
    write(shell, products())
    report = ingest(shell)
    assert (report["stored"], report["dead_letters"], report["items_without_picture"]) == (5, 4, 1)
    assert rows_of(shell, "p0") == ["p0#view=2", "p0#view=3"]
    shell("labels", "add", "labels.csv")
    shell("categorize", "--to", "out.parquet", "--write-back")
    assert [(row["item_id"], row["parts"]) for row in read(shell, "out.parquet")] == [
        ("p0", 2),
        ("p1", 3),
    ]
    assert shell.json("classify", "--item", "p0")[0]
    assert shell.json("explain", "--item", "p0")["views"][0]["part_id"] == "p0#view=2"
    for view in range(1, 4):
        save_picture(shell.folder / f"2{view}.png", 2, view)
    save_picture(shell.folder / "01.png", 0, 1)
    assert shell.json("retry")[0]["stored"] == 4
    assert rows_of(shell, "p2") == ["p2", "p2#view=2", "p2#view=3"]
    assert rows_of(shell, "p0")[0] == "p0"


def test_lists_may_have_gaps_and_repetitions(shell: Shell) -> None:
    """Nulls are left out, a picture that is named twice counts once, one text is one picture."""
    lines = [
        {"id": "a", "image": ["01.png", None, "02.png", "01.png", ""]},
        {"id": "b", "image": "11.png"},
        {"id": "c", "image": [None]},
    ]
    (shell.folder / "lists.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    report = ingest(shell, "--image-column", "image", table="lists.jsonl")
    assert (report["stored"], report["dead_letters"]) == (3, 1)
    assert report["merged"]["pictures that a product names twice"] == 1
    assert rows_of(shell, "a") == ["a", "a#view=2"]
    letters = (shell.folder / ".zeroshelf/catalogs/catalog/dead_letters.jsonl").read_text()
    assert json.loads(letters)["item_id"] == "c"


def test_ids_like_those_of_parts_collide_and_say_so(shell: Shell) -> None:
    """In one table the first one counts; a later table does not replace a part."""
    rows = [*products()[:1], {"id": "p0#view=2", "title": "", "price": 1, "image": "21.png"}]
    write(shell, [{"image_2": "", "image_3": ""} | row for row in rows])
    report = ingest(shell)
    assert (report["stored"], report["dead_by_reason"]) == (3, {"duplicate_id": 1})
    write(shell, [{"id": x, "image": "21.png"} for x in ("p0#view=3", "q")], "other.csv")
    report = ingest(shell, "--image-column", "image", table="other.csv")
    assert report["dead_by_reason"] == {"duplicate_id": 1}
    assert rows_of(shell, "p0") == ["p0", "p0#view=2", "p0#view=3"]


def test_only_the_first_picture_where_that_is_asked_for(shell: Shell) -> None:
    """The addresses of the others stay in the metadata, and are counted."""
    write(shell, products())
    report = ingest(shell, *COLUMNS, "--max-views", "1")
    assert (report["stored"], report["further_pictures"]) == (3, 6)
    hit = shell.json("search", "x", "--limit", "1")[0]
    assert len(hit["metadata"]["further_pictures"]) == 2
    assert ingest(shell)["stored"] == 9  # the first ones are stored again without the addresses


def test_classify_takes_rows_with_several_pictures(shell: Shell) -> None:
    """As the same item of the catalog gets it: by the mean of its pictures."""
    write(shell, products())
    ingest(shell)
    shell("labels", "add", "labels.csv")
    by_table = shell.json("classify", "products.csv", *COLUMNS, "--no-adapt", "--text-weight", "0")
    by_item = shell.json(
        "classify", "--no-adapt", "--text-weight", "0", *(f"--item=p{n}" for n in range(3))
    )
    for answer, stored in zip(by_table, by_item, strict=True):
        assert answer[0]["label_id"] == stored[0]["label_id"]
        assert answer[0]["score"] == pytest.approx(stored[0]["score"], abs=1e-3)


def test_labels_are_taught_and_measured_by_product(shell: Shell) -> None:
    """A product is one labelled item, however many pictures it has."""
    rows = products()
    for row, truth in zip(rows, ("red", "green", "blue"), strict=True):
        row["truth"] = truth
    write(shell, rows)
    ingest(shell)
    shell("labels", "add", "labels.csv")
    shell("categorize", "--to", "out.parquet", "--write-back")
    assert shell.json("evaluate", "out.parquet", "--truth", "truth")["items"] == 3
    assert shell.json("labels", "teach", "--truth", "truth")[0]["examples"] == 3


def test_a_killed_ingestion_goes_on(shell: Shell) -> None:
    """Killed while rows go to the database: the same command again makes all complete."""
    write(shell, products())
    own = Shell(shell.folder, model="pocket")
    own.kill_while_storing(1, "ingest", "products.csv", *COLUMNS)
    report = ingest(shell)
    assert report["stored"] + report["unchanged"] == 9
    assert [len(rows_of(shell, f"p{n}")) for n in range(3)] == [3, 3, 3]
    assert "equals the archive" in shell("rebuild", "--verify").stderr


def test_a_killed_write_back_goes_on(shell: Shell) -> None:
    """Decisions are on all pictures of a product, and the labels in the database, as fitted."""
    write(shell, products())
    ingest(shell)
    shell("labels", "add", "labels.csv")
    own = Shell(shell.folder, model="pocket")
    own.kill_while_storing(1, "categorize", "--to", "out.parquet", "--write-back")
    shell("categorize", "--to", "out.parquet", "--write-back")
    found = shell.json("search", "x", "--filter", 'label_id != "" and part["view"] == 3')
    assert len(found) == 3
    assert "equals the archive" in shell("rebuild", "--verify").stderr


def test_copies_and_exports_have_all_pictures(shell: Shell) -> None:
    """Each row with its parent; a copy to another database is the same."""
    write(shell, products())
    ingest(shell)
    shell("export", "--to", "out")
    exported = [row for file in (shell.folder / "out").glob("items-*") for row in read_rows(file)]
    assert sorted(row["parent_id"] for row in exported) == [
        "",
        "",
        "",
        *["p0"] * 2,
        *["p1"] * 2,
        *["p2"] * 2,
    ]
    assert {row["part"] for row in exported} == {"", '{"view":2}', '{"view":3}'}
    shell("copy", "--to-db", "second.db")
    hits = shell.json("search", "x", "--db", "second.db")
    assert sorted(len(hit["parts"]) for hit in hits) == [3, 3, 3]


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    rows: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    return rows


def test_another_model_embeds_every_picture(shell: Shell, shared_data: Path) -> None:
    """``reembed`` and ``rollback`` carry parents, parts and decisions over, and count products."""
    write(shell, products())
    ingest(shell)
    shell("labels", "add", "labels.csv")
    shell("categorize", "--to", "out.parquet", "--write-back")
    model = shared_data.parent / "models" / "clip-tiny-cifar10"
    (changed,) = shell.json("reembed", "--model", model, "--keep-old")
    assert changed["items"] == 3
    hits = Shell(shell.folder, in_process=True).json("search", "x", "--filter", 'label_id != ""')
    assert sorted(len(hit["parts"]) for hit in hits) == [3, 3, 3]
    (rolled_back,) = shell.json("rollback")
    assert rolled_back["items"] == 3


def test_reports_count_items_and_rows(shell: Shell) -> None:
    """Where both differ, both are told."""
    write(shell, products())
    told = shell("ingest", "products.csv", *COLUMNS)
    assert "9  (rows of 3 items)" in told.stderr + told.stdout
    assert "Embedded 9 rows" in told.stderr + told.stdout
    told = shell("export", "--to", "out")
    assert "Wrote 3 items in 9 rows to out." in told.stderr + told.stdout
    assert shell.json("export", "--to", "again")[0] | {"to": ""} == {
        "items": 3,
        "rows": 9,
        "to": "",
    }
    told = shell("rebuild")
    assert "holds 3 items in 9 rows again" in told.stderr + told.stdout
    (copied,) = shell.json("copy", "--to-db", "second.db")
    assert (copied["items"], copied["rows"]) == (3, 9)
    (status,) = shell.json("status")
    assert (status["items"], status["parts"], status["parts_in_database"]) == (3, 9, 9)


def test_a_picture_is_no_item_and_its_item_is_named(shell: Shell) -> None:
    """Where an item's id is asked for."""
    write(shell, products())
    ingest(shell)
    shell("labels", "add", "labels.csv")
    said = "it is a part of item 'p0', so name that"
    told = shell("explain", "--item", "p0#view=2", code=2).stderr
    assert said in " ".join(told.split())
    told = shell("classify", "--item", "p0#view=2", code=2)
    assert said in " ".join((told.stderr + told.stdout).split())


def test_pictures_that_came_in_other_runs_decide_too(shell: Shell) -> None:
    """They lie in other shards: the result is that of one run, with each pooling."""
    for views in ((1,), (1, 2), (1, 2, 3)):
        write(shell, products(views))
        ingest(shell)
    ingest(shell, *COLUMNS, "--catalog", "one")
    options = ("--no-adapt", "--text-weight", "0")
    for name in ("catalog", "one"):
        shell("labels", "add", "labels.csv", "--catalog", name)
        for pooling in ("mean", "best"):
            to = f"{name}-{pooling}.parquet"
            more = ("--view-pooling", pooling, "--catalog", name, "--write-back")
            shell("categorize", "--to", to, *options, *more)
    archive = shell.folder / ".zeroshelf" / "catalogs" / "catalog" / "archive"
    assert len(list(archive.glob("items-*.parquet"))) == 3
    for pooling in ("mean", "best"):
        several, one = (read(shell, f"{name}-{pooling}.parquet") for name in ("catalog", "one"))
        names = ("item_id", "label_id", "parts", *(["part_id"] if pooling == "best" else []))
        assert [[row[name] for name in names] for row in several] == [
            [row[name] for name in names] for row in one
        ]
        # Pictures of another batch have another last digit.
        expected = pytest.approx([row["score"] for row in one], abs=1e-4)
        assert [row["score"] for row in several] == expected
    assert "equals the archive" in shell("rebuild", "--verify").stderr
