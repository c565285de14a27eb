"""Every command on a catalog of given vectors: results, formats, exit codes, damage, repair."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from shell import Shell, write_rows, write_vectors

COUNT = 30


def make_shop(folder: Path) -> Shell:
    """A catalog of 30 vectors with three labels."""
    write_vectors(folder / "v.npy", COUNT)
    write_rows(
        folder / "items.jsonl",
        [{"id": f"i{row}", "title": f"item {row}", "price": row} for row in range(COUNT)],
    )
    (folder / "labels.csv").write_text("id,name\nm,mug\nc,cup\nb,bowl\n")
    write_vectors(folder / "l.npy", 3, seed=1)
    shell = Shell(folder, in_process=True)
    shell("ingest", "items.jsonl", "--vectors", "v.npy")
    shell("labels", "add", "labels.csv", "--vectors", "l.npy")
    return shell


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A catalog that tests only read."""
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def copy(shop: Shell, tmp_path: Path) -> Shell:
    """A copy of the catalog that a test may spoil; its sources lie where they lay."""
    shutil.copytree(shop.folder, tmp_path / "copy")
    return Shell(tmp_path / "copy", in_process=True)


@pytest.fixture
def again(shop: Shell) -> tuple[object, ...]:
    """The command that made the catalog."""
    items, vectors = shop.folder / "items.jsonl", shop.folder / "v.npy"
    return ("ingest", items, "--vectors", vectors)


def test_help_answers_at_once_and_loads_nothing_heavy() -> None:
    """Neither torch nor pymilvus nor pyarrow is imported for a help page."""
    import subprocess

    code = (
        "import sys; sys.argv = ['zeroshelf', '--help']\n"
        "from queries.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'sentence_transformers', 'transformers', 'pymilvus', 'pyarrow', "
        "'numba', 'pandas', 'PIL', 'httpx', 'fsspec', 'pydantic'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize(
    "command",
    [("status",), ("labels", "list"), ("categorize", "--to", "formats.csv")],
    ids=lambda words: words[0],
)
def test_machine_formats_are_clean(shop: Shell, command: tuple[str, ...]) -> None:
    """json, jsonl and csv say the same, and nothing else is on stdout."""
    shop(*command)  # the first categorization fits the labels, and says so
    as_json = json.loads(shop(*command, "--output", "json").stdout)
    lines = shop(*command, "--output", "jsonl").stdout.splitlines()
    assert list(map(json.loads, lines)) == as_json
    rows = list(csv.DictReader(io.StringIO(shop(*command, "--output", "csv").stdout)))
    assert [list(row) for row in rows] == [list(row) for row in as_json]
    table = shop(*command).stdout
    assert table
    assert "[" not in table.splitlines()[0]


def test_status_tells_what_there_is(shop: Shell) -> None:
    """Rows, labels, model, database, and that all is well."""
    (facts,) = shop.json("status")
    assert (facts["items"], facts["items_in_database"], facts["labels"]) == (COUNT, COUNT, 3)
    assert (facts["model"], facts["state"]) == ("precomputed", "complete")


def test_the_same_ingestion_again_changes_nothing(copy: Shell, again: tuple[object, ...]) -> None:
    """All is unchanged, and the sums are told in words too."""
    (report,) = copy.json(*again)
    assert (report["read"], report["unchanged"], report["stored"]) == (COUNT, COUNT, 0)
    assert "unchanged" in copy(*again).stdout


def test_categorize_in_every_format(shop: Shell) -> None:
    """Parquet, CSV and JSON lines hold the same decisions."""
    for name in ("a.parquet", "a.csv", "a.jsonl"):
        shop("categorize", "--to", name, "--limit", "2", "--no-adapt")
    parquet = pq.read_table(shop.folder / "a.parquet").to_pylist()
    with (shop.folder / "a.csv").open() as stream:
        table = list(csv.DictReader(stream))
    lines = [json.loads(line) for line in (shop.folder / "a.jsonl").read_text().splitlines()]
    decided = [(row["item_id"], row["label_id"], row["label_id_2"]) for row in parquet]
    assert decided == [(row["item_id"], row["label_id"], row["label_id_2"]) for row in table]
    assert decided == [(row["item_id"], row["label_id"], row["label_id_2"]) for row in lines]
    assert list(parquet[0])[:7] == [
        "item_id", "label_id", "label", "path", "score", "similarity", "margin"
    ]  # fmt: skip
    best = (np.load(shop.folder / "v.npy") @ np.load(shop.folder / "l.npy").T).argmax(axis=1)
    named = {item_id: label for item_id, label, _ in decided}
    assert [named[f"i{row}"] for row in range(COUNT)] == ["mcb"[place] for place in best]


def test_categorize_with_a_filter_and_some_labels(shop: Shell) -> None:
    """Only the items that match, only the labels that were asked for, by id or name."""
    shop("categorize", "--to", "f.jsonl", "--filter", 'metadata["price"] < 5', "--labels", "mug,c")
    rows = [json.loads(line) for line in (shop.folder / "f.jsonl").read_text().splitlines()]
    assert sorted(row["item_id"] for row in rows) == [f"i{row}" for row in range(5)]
    assert {row["label_id"] for row in rows} <= {"m", "c"}


def test_categorize_with_a_filter_that_matches_nothing(shop: Shell) -> None:
    """The table is there, with its columns and no rows."""
    shop("categorize", "--to", "none.parquet", "--filter", 'metadata["price"] < 0')
    table = pq.read_table(shop.folder / "none.parquet")
    assert (table.num_rows, "label_id" in table.column_names) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("categorize", "--to", "a.txt"), 2, ".parquet, .csv, .jsonl"),
        (("categorize", "--to", "nowhere/a.csv"), 2, "does not exist"),
        (("categorize", "--to", "a.csv", "--filter", "price <"), 2, "filter"),
        (("categorize", "--to", "a.csv", "--labels", "mgu"), 2, "mgu"),
        (("categorize",), 2, "--to"),
        (("status", "--config", "absent.yaml"), 2, "absent.yaml"),
        (("status", "--data-dir", "elsewhere"), 2, "there is no catalog"),
        (("labels", "list", "--catalog", "other"), 2, "there are: catalog"),
        (("status", "--catalog", "other"), 2, "there are: catalog"),
        (("labels", "list", "--catalog", "a b"), 2, "catalog name"),
        (("labels", "remove", "mgu"), 2, "mgu"),
        (("labels", "add", "absent.csv"), 2, "absent.csv"),
        (("labels", "add", "labels.csv"), 1, "--vectors"),
        (("remove", "i1", "nothing"), 2, "'nothing'"),
        (("ingest", "absent.csv"), 2, "absent.csv"),
        (("ingest", "items.jsonl", "--vectors", "l.npy"), 2, "30"),
        (("search", "a mug"), 2, "--model"),
        (("classify", "--text", "a mug"), 2, "--model"),
        (("classify", "a.jpg"), 2, "no such file"),
        (("nonsense",), 2, "nonsense"),
        (("categorize", "--to", "a.csv", "--db", "ftp://x"), 2, "ftp://x"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_can_not_be_done_is_told_in_a_line(
    shop: Shell, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Exit code, and a message that names what is wrong."""
    done = shop(*arguments, code=code)
    assert told in " ".join(done.stderr.split())
    assert done.stdout == ""


def test_changed_labels_only(copy: Shell) -> None:
    """Given vectors count as changed where they differ; --replace makes the file the whole."""
    (changes,) = copy.json("labels", "add", "labels.csv", "--vectors", "l.npy")
    assert (changes["added"], changes["changed"], changes["unchanged"]) == (0, 0, 3)
    (copy.folder / "two.csv").write_text("id,name\nm,mug\np,plate\n")
    np.save(copy.folder / "two.npy", np.load(copy.folder / "l.npy")[:2])
    (changes,) = copy.json("labels", "add", "two.csv", "--vectors", "two.npy", "--replace")
    assert (changes["added"], changes["unchanged"], changes["removed"]) == (1, 1, 2)
    assert [row["label_id"] for row in copy.json("labels", "list")] == ["m", "p"]


def test_labels_are_removed_by_id_or_name(copy: Shell) -> None:
    """What is left decides."""
    copy("labels", "remove", "m", "cup")
    copy("categorize", "--to", "one.jsonl")
    rows = (copy.folder / "one.jsonl").read_text().splitlines()
    assert {json.loads(row)["label_id"] for row in rows} == {"b"}
    copy("labels", "remove", "bowl")
    assert "no labels" in copy("categorize", "--to", "no.jsonl", code=1).stderr


def test_removed_items_are_gone_everywhere_and_may_come_back(
    copy: Shell, again: tuple[object, ...]
) -> None:
    """Database, table and export; the same ingestion brings them back."""
    copy("remove", "i3", "i4", "i3")
    assert copy.json("status")[0]["items_in_database"] == COUNT - 2
    copy("rebuild", "--verify")
    copy("export", "--to", "out")
    exported = pq.read_table(next(iter((copy.folder / "out").glob("items-*"))))
    assert not {"i3", "i4"} & set(exported.column("item_id").to_pylist())
    (report,) = copy.json(*again)
    assert (report["stored"], report["unchanged"]) == (2, COUNT - 2)


def test_a_database_that_was_deleted_is_told_and_rebuilt(copy: Shell) -> None:
    """Each reading command names the cure; after it all is as before."""
    shutil.rmtree(copy.database)
    for command in (("categorize", "--to", "x.csv"), ("labels", "remove", "m")):
        done = copy(*command, code=1 if command[0] == "categorize" else 0)
        if command[0] == "categorize":
            assert "zeroshelf rebuild --catalog catalog" in " ".join(done.stderr.split())
    shutil.rmtree(copy.database)
    assert "zeroshelf rebuild" in copy.json("status")[0]["state"]
    assert "30 items" in copy("rebuild").stderr
    assert copy.json("status")[0]["state"] == "complete"
    copy("rebuild", "--verify")


def test_an_ingestion_fills_a_database_that_was_deleted(
    copy: Shell, again: tuple[object, ...]
) -> None:
    """Nothing is embedded again: the rows come from the archive, the labels from their file."""
    shutil.rmtree(copy.database)
    (report,) = copy.json(*again)
    assert (report["stored"], report["unchanged"]) == (0, COUNT)
    assert copy.json("status")[0]["items_in_database"] == COUNT
    copy("rebuild", "--verify")


def test_rows_that_the_database_lost_are_reported(copy: Shell) -> None:
    """Lite drops rows in silence when a file is gone; the count says so, a rebuild cures it."""
    for file in copy.database.rglob("*items*/**/*.parquet"):
        file.unlink()
    for file in [one for one in copy.database.rglob("*") if one.suffix in {".arrow", ".wal"}]:
        if "items" in str(file):
            file.unlink()
    (facts,) = copy.json("status")
    assert facts["missing_items"] == COUNT
    assert "zeroshelf rebuild" in facts["state"]
    warned = copy("categorize", "--to", "x.csv").stderr
    assert "30 are missing" in " ".join(warned.split())
    differs = copy("rebuild", "--verify", code=1)
    assert "30" in differs.stdout
    assert "zeroshelf rebuild" in differs.stderr
    copy("rebuild")
    copy("rebuild", "--verify")


def test_a_foreign_row_is_found_by_verify(copy: Shell) -> None:
    """Rows that the archive does not know, and rows with other metadata, are differences."""
    from indexer.catalog.opening import CatalogOptions, open_catalog
    from indexer.core.records import EmbeddedItem, Kind

    with open_catalog(CatalogOptions(data_dir=copy.folder / ".zeroshelf")) as catalog:
        rows = [row for row in catalog.archive.rows(1) if isinstance(row, EmbeddedItem)]
        from dataclasses import replace

        changed = replace(rows[0], metadata_json='{"price":999}')
        foreign = replace(rows[1], item_id="foreign", kind=Kind.VECTOR)
        catalog.items.upsert([changed, foreign], [None, None])
        catalog.items.flush()
    out = copy("rebuild", "--verify", code=1).stdout
    assert f"'{rows[0].item_id}'" in out
    assert "not in the archive       1" in out


def test_dead_letters_of_vectors_are_tried_again(tmp_path: Path) -> None:
    """A bad vector is told; mended, it is stored and its letter leaves; exit code 3 on request."""
    vectors = write_vectors(tmp_path / "v.npy", 4)
    vectors[1] = np.nan
    vectors[2] = 0
    np.save(tmp_path / "v.npy", vectors)
    write_rows(tmp_path / "t.jsonl", [{"id": name} for name in "abcd"])
    shell = Shell(tmp_path, in_process=True)
    done = shell("ingest", "t.jsonl", "--vectors", "v.npy", "--fail-on-errors", code=3)
    assert "bad_vector" in done.stdout
    assert "zeroshelf retry" in done.stderr
    assert shell.json("status")[0]["dead_by_reason"] == {"bad_vector": 2}
    vectors[1] = 1
    np.save(tmp_path / "v.npy", vectors)
    (report,) = shell.json("retry")
    assert (report["read"], report["stored"], report["dead_letters"]) == (2, 1, 1)
    letters = shell.catalog.joinpath("dead_letters.jsonl").read_text().splitlines()
    (left,) = map(json.loads, letters)
    assert (left["item_id"], left["attempts"]) == ("c", 2)
    shell("rebuild", "--verify")


def test_duplicate_ids_are_dead_letters(tmp_path: Path) -> None:
    """The first row is kept; the summary adds up."""
    write_vectors(tmp_path / "v.npy", 3)
    write_rows(tmp_path / "t.jsonl", [{"id": "a", "n": 1}, {"id": "b"}, {"id": "a", "n": 2}])
    shell = Shell(tmp_path, in_process=True)
    (report,) = shell.json("ingest", "t.jsonl", "--vectors", "v.npy")
    assert (report["read"], report["stored"], report["dead_letters"]) == (3, 2, 1)
    assert report["dead_by_reason"] == {"duplicate_id": 1}


@pytest.mark.parametrize(
    ("name", "content", "arguments", "told"),
    [
        ("t.csv", b"id,image\n", ("ingest", "t.csv"), "t.csv"),
        ("t.csv", b"", ("ingest", "t.csv"), "t.csv"),
        ("t.csv", b"sku,picture\n1,a.jpg\n", ("ingest", "t.csv"), "'sku', 'picture'"),
        ("t.parquet", b"PAR1 no", ("ingest", "t.parquet"), "t.parquet"),
        ("t.xyz", b"?", ("ingest", "t.xyz"), "t.xyz"),
        ("l.csv", b"id,name,parent\na,A,b\nb,B,a\n", ("labels", "add", "l.csv"), "cycle"),
        ("l.csv", b"id,name,parent\na,A,zz\n", ("labels", "add", "l.csv"), "zz"),
        ("l.csv", b"id,name\na,A\na,B\n", ("labels", "add", "l.csv"), "'a'"),
        ("l.txt", b"", ("labels", "add", "l.txt"), "l.txt"),
        ("c.yaml", b"catalgo: x\n", ("status", "--config", "c.yaml"), "did you mean 'catalog'"),
    ],
)
def test_bad_files_are_refused_and_leave_nothing(
    tmp_path: Path, name: str, content: bytes, arguments: tuple[str, ...], told: str
) -> None:
    """Wrong usage, told with the file and the cause; no catalog appears."""
    (tmp_path / name).write_bytes(content)
    shell = Shell(tmp_path, in_process=True, model="pocket")
    assert told in " ".join(shell(*arguments, code=2).stderr.split())
    assert not (shell.catalog / "catalog.json").exists()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """It says that nothing was found, and where."""
    (tmp_path / "empty").mkdir()
    assert (
        "empty"
        in Shell(tmp_path, in_process=True, model="pocket")("ingest", "empty", code=2).stderr
    )


def test_a_folder_of_other_files_is_refused_with_their_kinds(tmp_path: Path) -> None:
    """Who named the wrong folder sees what it holds."""
    (tmp_path / "texts").mkdir()
    write_rows(tmp_path / "texts" / "a.ndjson", [])
    told = Shell(tmp_path, in_process=True, model="pocket")("ingest", "texts", code=2).stderr
    assert "left out: 1 .ndjson" in told


def test_what_shards_and_folders_leave_out_is_told(tmp_path: Path) -> None:
    """By extension, beside how many pictures there are of how many items."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    (tmp_path / "folder").mkdir()
    for name in ("a.jpg", "a.png", "a.depth.png"):
        (tmp_path / "folder" / name).write_bytes(picture.getvalue())
    (tmp_path / "folder" / "a.npy").write_bytes(b"?")
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        tar.add(tmp_path / "folder", "")
    (tmp_path / "folder" / "notes.txt").write_text("?")
    shell = Shell(tmp_path, in_process=True, model="pocket")
    done = shell("ingest", "s.tar", "folder")
    assert "read 5 (rows of 4 items)" in " ".join(done.stdout.split())
    assert "left out 4 (2 .npy, 1 .depth.png, 1 .txt)" in " ".join(done.stdout.split())
    (report,) = shell.json("ingest", "s.tar", "--image-ext", "depth.png")
    assert report["left_out"] == {".jpg": 1, ".png": 1, ".npy": 1}


def test_vectors_of_another_width_are_refused(copy: Shell) -> None:
    """Both widths are named, for items and for labels."""
    write_vectors(copy.folder / "wide.npy", COUNT, width=9)
    told = copy("ingest", "items.jsonl", "--vectors", "wide.npy", code=2).stderr
    assert "9" in told
    assert "8" in told
    write_vectors(copy.folder / "wide.npy", 3, width=9)
    done = copy("labels", "add", "labels.csv", "--vectors", "wide.npy", code=2)
    assert "9" in done.stderr
    assert "8" in done.stderr


def test_a_nan_in_the_labels_vectors_is_named(copy: Shell) -> None:
    """The label whose vector it is, and nothing is stored."""
    vectors = np.load(copy.folder / "l.npy")
    vectors[1, 3] = np.nan
    np.save(copy.folder / "l.npy", vectors)
    told = copy("labels", "add", "labels.csv", "--vectors", "l.npy", code=2).stderr
    assert "'c'" in told
    assert "finite" in told


def test_a_second_process_on_one_lite_file_is_refused_at_once(copy: Shell) -> None:
    """Commands that read and commands that write; status says it as a fact."""
    from indexer.store import Database

    copy.in_process = False
    with Database.connect(str(copy.database)):
        done = copy("categorize", "--to", "x.csv", code=1)
        assert "another process" in " ".join(done.stderr.split())
        (facts,) = copy.json("status")
        assert (facts["items"], "another process" in facts["state"]) == (COUNT, True)


def test_a_second_writer_of_a_catalog_is_refused_at_once(copy: Shell) -> None:
    """Whatever the database: the archive has one writer."""
    from indexer.catalog.folder import CatalogFolder

    copy.in_process = False
    with CatalogFolder(copy.folder / ".zeroshelf", "catalog").locked():
        done = copy("ingest", "items.jsonl", "--vectors", "v.npy", code=1)
        assert "another zeroshelf command" in " ".join(done.stderr.split())


def test_two_catalogs_live_side_by_side(copy: Shell) -> None:
    """Each with its own rows, in one database; status shows both."""
    copy("ingest", "items.jsonl", "--vectors", "v.npy", "--catalog", "second")
    rows = copy.json("status")
    assert [(row["catalog"], row["items"]) for row in rows] == [
        ("catalog", COUNT),
        ("second", COUNT),
    ]


def test_a_damaged_catalog_does_not_hide_the_others(copy: Shell) -> None:
    """Status names the damage and shows the rest."""
    copy("ingest", "items.jsonl", "--vectors", "v.npy", "--catalog", "second")
    for file in copy.catalog.glob("labels/*.parquet"):
        file.write_bytes(b"damaged")
    rows = {row["catalog"]: row for row in copy.json("status")}
    assert "damaged" in rows["catalog"]["state"]
    assert rows["second"]["state"] == "complete"
    assert [row["catalog"] for row in copy.json("status", "--catalog", "second")] == ["second"]


def test_the_model_of_given_vectors_may_be_a_relative_folder(
    tmp_path: Path, shared_models: Path
) -> None:
    """It is remembered where it lies, so the next command may name it otherwise, or not at all."""
    (tmp_path / "models").symlink_to(shared_models)
    write_vectors(tmp_path / "v.npy", 4, width=64)
    write_rows(tmp_path / "t.jsonl", [{"id": name} for name in "abcd"])
    shell = Shell(tmp_path, in_process=True)
    shell("ingest", "t.jsonl", "--vectors", "v.npy", "--model", "models/clip-tiny-cifar10")
    hits = shell.json("search", "a dog", "--model", shared_models / "clip-tiny-cifar10")
    assert len(hits) == len(shell.json("search", "a dog")) == 4
    told = shell("search", "a dog", "--model", "pocket", code=2).stderr
    assert "clip-tiny-cifar10" in told
    assert "pocket" in told


def test_items_like_an_item_are_found_without_a_model(shop: Shell) -> None:
    """By the stored vector; the item itself is none of them."""
    hits = shop.json("search", "--item", "i3", "--limit", 5)
    vectors = np.load(shop.folder / "v.npy").astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = np.argsort(-(vectors @ vectors[3]))
    assert [hit["item_id"] for hit in hits] == [f"i{row}" for row in order[order != 3][:5]]
    assert "'nope'" in shop("search", "--item", "nope", code=2).stderr
    assert "--image" in shop("search", "--item", "i3", "--image", "x.jpg", code=2).stderr


def test_advice_for_given_vectors_can_be_followed(shop: Shell) -> None:
    """No model is called precomputed; what is offered in its place works."""
    for words in [("search", "a mug"), ("search", "a mug", "--model", "pocket")]:
        told = shop(*words, code=2).stderr
        assert "--model precomputed" not in told
        assert "model" in told
    assert "search --item ID" in " ".join(shop("search", "a mug", code=2).stderr.split())
    assert shop.json("classify", "--item", "i3")
