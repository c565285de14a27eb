"""Several things in one picture: ``search --objects`` and ``classify --objects``."""

from __future__ import annotations

import csv
import json
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shell import Shell

from indexer.catalog.item_vectors import vectors_of_items
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.boxes import overlaps
from pocket.drawing import draw, product_type
from pocket.drawing.scene import background_picture
from pocket.scenes import Scene, draw_scene
from queries.duplicates.rows import Rows
from queries.teaching.labelled import read_labelled

NAMES = ("mug", "guitar", "clock", "sneaker", "teapot", "chair")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Two drawn products of each of six types, with their labels."""
    shell = Shell(tmp_path_factory.mktemp("objects"), in_process=True, model="pocket")
    (shell.folder / "pictures").mkdir()
    rng = random.Random(3)
    for name in NAMES:
        for colour in ("red", "blue"):
            picture = draw(product_type(name), colour=colour, size=128, rng=rng)
            picture.save(shell.folder / "pictures" / f"{name}-{colour}.png")
    (shell.folder / "labels.txt").write_text("\n".join(NAMES))
    shell("ingest", "pictures")
    shell("labels", "add", "labels.txt")
    return shell


@pytest.fixture(scope="module")
def scene(shop: Shell) -> list[tuple[str, tuple[int, ...]]]:
    """``scene.png`` with a mug and a clock: their names and boxes."""
    rng = random.Random(4)
    ground = background_picture("studio", 400, rng).crop((0, 0, 400, 240))
    things = []
    for name, x in (("mug", 20), ("clock", 220)):
        ground.paste(
            draw(product_type(name), colour="red", size=160, rng=rng, background="studio"), (x, 40)
        )
        things.append((name, (x, 40, 160, 160)))
    ground.save(shop.folder / "scene.png")
    return things


def test_items_like_each_thing_are_found(
    shop: Shell, scene: list[tuple[str, tuple[int, ...]]]
) -> None:
    """Shop the look: each thing's box, its label, and products of its type."""
    found = shop.json("search", "--image", "scene.png", "--objects", "--limit", 2)
    assert (found["width"], found["height"], found["is_whole"]) == (400, 240, False)
    boxes = np.array([thing["box"] for thing in found["objects"]])
    for name, box in scene:
        iou = overlaps(np.array([box]), boxes)[0][0]
        thing = found["objects"][iou.argmax()]
        assert iou.max() >= 0.3
        assert thing["predictions"][0]["label"] == name
        assert len(thing["hits"]) == 2
        assert thing["hits"][0]["item_id"].startswith(name)


def test_a_table_for_people_and_rows_for_machines(
    shop: Shell, scene: list[tuple[str, tuple[int, ...]]]
) -> None:
    """A thing's number and box stand beside its first item."""
    assert scene
    table = shop("search", "--image", "scene.png", "--objects", "--limit", 2).stdout
    assert "mug-red.png" in table
    rows = shop("search", "--image", "scene.png", "--objects", "--output", "jsonl").stdout
    first = json.loads(rows.splitlines()[0])
    assert first["object"] == 1
    assert len(first["box"]) == 4
    filtered = shop.json(
        "search", "--image", "scene.png", "--objects", "--filter", 'item_id like "guitar%"'
    )
    hits = [hit["item_id"] for thing in filtered["objects"] for hit in thing["hits"]]
    assert hits
    assert all(hit.startswith("guitar") for hit in hits)


def test_each_thing_is_labelled(shop: Shell, scene: list[tuple[str, tuple[int, ...]]]) -> None:
    """The labels of each box; a picture that can't be read costs no other."""
    done = shop("classify", "gone.png", "scene.png", "--objects", "--limit", 1, "--output", "json")
    gone, found = json.loads(done.stdout)
    assert gone is None
    assert "gone.png" in done.stderr
    labels = {thing["predictions"][0]["label"] for thing in found["objects"]}
    assert labels >= {name for name, _ in scene}
    shop("classify", "gone.png", "--objects", code=2)


@pytest.mark.usefixtures("coarse_grid")
def test_where_nothing_is_found_the_whole_picture_stays(shop: Shell) -> None:
    """A blank picture, and one that is smaller than a region; that is said."""
    for name, size in (("blank.png", (300, 200)), ("tiny.png", (12, 12))):
        Image.new("RGB", size, (120, 120, 120)).save(shop.folder / name)
        done = shop("search", "--image", name, "--objects", "--output", "json")
        found = json.loads(done.stdout)
        assert found["is_whole"]
        assert [thing["box"] for thing in found["objects"]] == [[0, 0, *size]]
        assert found["objects"][0]["hits"]
        assert "nothing was found in the picture" in done.stderr


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["search", "mug", "--objects"], "give one with --image"),
        (["search", "mug", "--image", "scene.png", "--objects"], "leave the words out"),
        (["search", "--image", "scene.png", "--max-objects", "3"], "add --objects"),
        (["search", "--image", "scene.png", "--objects", "--facet", "label"], "--facet"),
        (["search", "--image", "scene.png", "--objects", "--output", "html"], "serve"),
        (["classify", "--text", "a mug", "--objects"], "leave --text"),
        (["classify", "scene.png", "--objects", "--detector", "./none"], "does not exist"),
        (["classify", "scene.png", "--objects", "--detector", "pocket"], "family 'clip'"),
    ],
)
def test_what_can_not_be_done_is_refused(shop: Shell, words: list[str], told: str) -> None:
    """With the option, and what works."""
    assert told in " ".join(shop(*words, code=2).stderr.split())


def test_a_wrong_detector_is_told_before_anything_is_made(shop: Shell) -> None:
    """By ingest no catalog is made; the service does not start. The message names the option."""
    wrong = ["--detector", "./none"]
    told = shop("ingest", "pictures", "--catalog", "new", "--objects", *wrong, code=2).stderr
    assert "--detector: model folder" in " ".join(told.split())
    catalogs = shop.folder / ".zeroshelf" / "catalogs"
    assert [folder.name for folder in catalogs.iterdir()] == ["catalog"]
    told = shop("serve", "--port", "0", *wrong, code=2).stderr
    assert "--detector: model folder" in " ".join(told.split())
    told = shop("serve", "--port", "0", "--detector", "pocket", code=2).stderr
    assert "family 'clip'" in " ".join(told.split())


def test_a_catalog_without_labels_says_what_to_do(tmp_path: Path) -> None:
    """The grid is chosen by labels, and a detector looks for words."""
    shell = Shell(tmp_path, in_process=True, model="pocket")
    (tmp_path / "pictures").mkdir()
    for shade in (10, 200):
        Image.new("RGB", (64, 64), (shade, 0, 0)).save(tmp_path / "pictures" / f"{shade}.png")
    shell("ingest", "pictures")
    told = shell("search", "--image", "pictures/10.png", "--objects", code=2).stderr
    assert "zeroshelf labels add FILE" in " ".join(told.split())
    detector = ["--detector", "pocket"]
    told = shell("search", "--image", "pictures/10.png", "--objects", *detector, code=2).stderr
    assert "--object-words" in " ".join(told.split())


def test_scenes_are_repeatable_and_their_boxes_hold_the_products() -> None:
    """The same seed gives the same scene; boxes lie in the picture and do not touch."""
    one, other = (draw_scene(random.Random(7), size=(320, 240)) for _ in range(2))
    assert one.picture.tobytes() == other.picture.tobytes()
    assert one.objects == other.objects
    _check(one)


def _check(scene: Scene) -> None:
    boxes = np.array([thing.box for thing in scene.objects])
    iou, _ = overlaps(boxes, boxes)
    assert len(boxes) >= 2
    assert (iou == np.eye(len(boxes))).all()
    assert (boxes >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= (320, 240)).all()


@pytest.fixture
def scenes(shop: Shell, scene: list[tuple[str, tuple[int, ...]]], tmp_path: Path) -> Shell:
    """A copy of the shop with a folder of a scene, a blank, a tiny and a broken picture."""
    assert scene
    copied = Shell(tmp_path / "copy", in_process=True, model="pocket")
    shutil.copytree(shop.folder, copied.folder)
    folder = copied.folder / "scenes"
    folder.mkdir()
    shutil.copy(shop.folder / "scene.png", folder)
    Image.new("RGB", (300, 200), (120, 120, 120)).save(folder / "blank.png")
    Image.new("RGB", (12, 12), (250, 0, 0)).save(folder / "tiny.png")
    (folder / "broken.png").write_bytes((folder / "scene.png").read_bytes()[:500])
    return copied


def test_each_thing_is_a_part_with_its_box(
    scenes: Shell, scene: list[tuple[str, tuple[int, ...]]]
) -> None:
    """Counts add up, a search says the box, the item is found once."""
    report = scenes.json("ingest", "scenes", "--objects")[0]
    boxes = report["boxes"]
    assert boxes >= 2
    assert report["read"] == report["stored"] + report["dead_letters"] == 4 + boxes
    assert (report["items"], report["dead_letters"], report["pictures_without_box"]) == (4, 1, 2)
    for name, box in scene:
        hits = scenes.json("search", f"a {name}", "--limit", 20)
        found = [hit for hit in hits if hit["item_id"] == "scene.png"]
        assert len(found) == 1
        assert found[0]["part_id"].startswith("scene.png#box=")
        iou = overlaps(np.array([box]), np.array([found[0]["part"]["box"]], dtype=np.int64))[0]
        assert iou >= 0.3
        assert len(found[0]["parts"]) == boxes + 1


def test_the_best_box_decides_on_a_scene(
    scenes: Shell, scene: list[tuple[str, tuple[int, ...]]]
) -> None:
    """By default; items without boxes are decided as ever. Each command says which box it was."""
    scenes("ingest", "scenes", "--objects")
    names = {name for name, _ in scene}
    items = ["--item", "scene.png", "--item", "mug-red.png", "--limit", 1]
    best, single = scenes.json("classify", *items)
    assert best[0]["part_id"].startswith("scene.png#box=")
    assert best[0]["label"] in names
    assert single[0]["part_id"] == ""
    mean, _ = scenes.json("classify", *items, "--view-pooling", "mean")
    assert mean[0]["part_id"] == ""
    told = scenes("categorize", "--to", "out.csv").stdout
    assert "1 item with boxes; --view-pooling mean" in " ".join(told.split())
    with (scenes.folder / "out.csv").open(encoding="utf-8") as table:
        rows = {row["item_id"]: row for row in csv.DictReader(table)}
    assert rows["scene.png"]["part_id"] == best[0]["part_id"]
    assert {row["part_id"] for name, row in rows.items() if name != "scene.png"} == {""}
    parts = scenes.json("categorize", "--to", "parts.csv", "--parts")[0]
    with (scenes.folder / "parts.csv").open(encoding="utf-8") as table:
        places = {row["part_id"]: row["place"] for row in csv.DictReader(table)}
    assert len(places) == parts["items"] == len(rows) + sum(map(bool, places.values()))
    x, y, width, height = re.findall(r"\d+", best[0]["part_id"].partition("box=")[2])
    assert places[best[0]["part_id"]] == f"{x},{y} {width}x{height}"
    report = scenes.json("categorize", "--to", "mean.csv", "--view-pooling", "mean")[0]
    assert report["by_best_part"] == 0
    assert "part_id" not in (scenes.folder / "mean.csv").read_text().splitlines()[0]


@pytest.mark.usefixtures("coarse_grid")
def test_labelled_items_with_boxes_have_the_vector_of_the_part_that_decides(scenes: Shell) -> None:
    """Teaching and calibrating see what categorize sees; items without boxes have their mean."""
    scenes("ingest", "scenes", "--objects")
    file = scenes.folder / "truth.csv"
    file.write_text("item_id,label_id\nmug-red.png,mug\nscene.png,mug\n")
    (answer,) = scenes.json("classify", "--item", "scene.png")
    with open_catalog(CatalogOptions(data_dir=scenes.folder / ".zeroshelf")) as catalog:
        labelled = read_labelled(catalog, file=file)
        stored = vectors_of_items(catalog.archive, catalog.ledger.parts, labelled.item_ids)
    by_id = dict(zip(labelled.item_ids, labelled.vectors, strict=True))
    scene = stored["scene.png"]
    place = [row.row_id for row in scene.rows].index(answer[0]["part_id"])
    assert place > 0
    np.testing.assert_array_equal(by_id["scene.png"], scene.views[place])
    np.testing.assert_allclose(by_id["mug-red.png"], stored["mug-red.png"].mean, atol=1e-6)


@pytest.mark.usefixtures("coarse_grid")
def test_boxes_make_no_look_alikes(scenes: Shell) -> None:
    """Photos with the same thing, or the same bare ground, are two: whole pictures are compared."""
    scenes("ingest", "scenes", "--objects")
    options = CatalogOptions(data_dir=scenes.folder / ".zeroshelf")
    with open_catalog(options) as catalog:
        assert catalog.ledger.parts.count() >= 2
        rows = Rows.of(catalog, None)
        assert len(rows.views) == len(rows.starts) == catalog.ledger.item_count()


@pytest.mark.usefixtures("coarse_grid")
def test_an_explanation_says_which_box_decides(scenes: Shell) -> None:
    """The heat map covers that box, and nothing beside it."""
    scenes("ingest", "scenes", "--objects")
    told = scenes.json("explain", "--item", "scene.png", "--heat-map", "occlusion")
    x, y, width, height = told["views"][told["deciding"]]["box"]
    region = told["heat_map"]["region"]
    edges = [region["left"], region["top"], region["right"], region["bottom"]]
    expected = [x / 400, y / 240, (x + width) / 400, (y + height) / 240]
    assert edges == pytest.approx(expected, abs=0.01)
    assert told["winner"]["label"] == told["views"][told["deciding"]]["label"]
    shown = scenes("explain", "--item", "scene.png").stdout
    assert "whole picture" in shown
    assert shown.count("alone") > 1
    page = scenes("explain", "--item", "scene.png", "--output", "html").stdout
    assert "decides alone" in page
    mean = scenes.json("explain", "--item", "scene.png", "--view-pooling", "mean")
    assert mean["deciding"] is None


@pytest.mark.usefixtures("coarse_grid")
def test_what_is_stored_is_not_looked_at_again(scenes: Shell) -> None:
    """Neither embedded nor searched; with other labels or limits it is."""
    first = scenes.json("ingest", "scenes", "--objects")[0]
    again = scenes.json("ingest", "scenes", "--objects")[0]
    assert (again["stored"], again["embedded"], again["boxes"]) == (0, 0, first["boxes"])
    assert again["unchanged"] == first["stored"]
    fewer = scenes.json("ingest", "scenes", "--objects", "--max-objects", 1)[0]
    assert fewer["boxes"] == 1
    assert fewer["removed_pictures"] >= first["boxes"] - 1
    status = scenes.json("search", "a mug", "--limit", 20)
    parts = next(hit["parts"] for hit in status if hit["item_id"] == "scene.png")
    assert len(parts) == 2


@pytest.mark.usefixtures("coarse_grid")
def test_a_changed_picture_has_other_boxes(scenes: Shell) -> None:
    """Its earlier ones are removed."""
    scenes("ingest", "scenes", "--objects")
    Image.new("RGB", (300, 200), (10, 120, 120)).save(scenes.folder / "scenes" / "scene.png")
    report = scenes.json("ingest", "scenes", "--objects")[0]
    assert report["boxes"] == 0
    assert report["removed_pictures"] >= 2
    hits = scenes.json("search", "a mug", "--limit", 20)
    assert not any(hit["parts"] for hit in hits)


@pytest.mark.usefixtures("coarse_grid")
def test_boxes_stay_without_the_option_until_their_picture_changes(scenes: Shell) -> None:
    """Those of the same file are kept; those of another are removed, and that is told."""
    first = scenes.json("ingest", "scenes", "--objects")[0]
    again = scenes.json("ingest", "scenes")[0]
    assert (again["stored"], again["removed_pictures"]) == (0, 0)
    assert (again["boxes"], again["unchanged"]) == (first["boxes"], first["stored"])
    Image.new("RGB", (300, 200), (10, 120, 120)).save(scenes.folder / "scenes" / "scene.png")
    done = scenes("ingest", "scenes", "--output", "json")
    changed = json.loads(done.stdout)[0]
    assert changed["outdated_boxes"] == changed["removed_pictures"] == first["boxes"]
    assert "--objects" in done.stderr


@pytest.mark.usefixtures("coarse_grid")
def test_another_model_embeds_the_same_boxes(scenes: Shell) -> None:
    """Boxes stay where they are when the model changes."""
    scenes("ingest", "scenes", "--objects")
    before = scenes.json("search", "a mug", "--limit", 20)
    scenes("reembed", "--model", "pocket", "--truncate-dim", 64)
    after = scenes.json("search", "a mug", "--limit", 20)
    parts = [
        next(hit["parts"] for hit in hits if hit["item_id"] == "scene.png")
        for hits in (before, after)
    ]
    assert parts[0] == parts[1]
