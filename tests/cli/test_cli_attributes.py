"""Attributes on the command line: the packaged model, pictures of plain colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from shell import Shell

from indexer.labels.colours import ANCHORS

COLOURS = ("red", "green", "blue", "yellow")
SHAPES = ("circle", "square")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A catalog of eight drawn shapes, with a label set of four colours."""
    folder = tmp_path_factory.mktemp("attributes")
    shell = Shell(folder, in_process=True)
    shell.environment |= {"ZEROSHELF_MODEL": "pocket", "HF_HUB_OFFLINE": "1"}
    rows = ["id,image,title,colour,shape"]
    for colour in COLOURS:
        for shape in SHAPES:
            name = f"{colour}-{shape}"
            draw(folder / f"{name}.png", colour, shape)
            rows.append(f"{name},{name}.png,a thing,{colour},{shape}")
    (folder / "items.csv").write_text("\n".join(rows))
    (folder / "colours.txt").write_text("\n".join(COLOURS))
    (folder / "shapes.txt").write_text("\n".join(SHAPES))
    for words in (
        "ingest items.csv",
        "labels add shapes.txt",
        "labels add colours.txt --set colour",
        "labels pixels --set colour",
        "categorize --sets category,colour --to out.parquet --write-back",
    ):
        shell(*words.split())
    return shell


def sets(shell: Shell) -> dict[str, dict[str, Any]]:
    """The label sets as ``labels sets`` lists them, by name."""
    rows = json.loads(shell("labels", "sets", "--output", "json").stdout)
    return {row["label_set"]: row for row in rows}


def draw(path: Path, colour: str, shape: str) -> None:
    """A shape in the middle of a white picture."""
    pixels = np.full((96, 96, 3), 255, dtype=np.uint8)
    across, down = np.meshgrid(np.arange(96) - 48, np.arange(96) - 48)
    inside = (
        across**2 + down**2 < 900 if shape == "circle" else np.maximum(abs(across), abs(down)) < 28
    )
    pixels[inside] = ANCHORS[colour]
    Image.fromarray(pixels).save(path)


def test_pixels_decide_a_set_of_colours(shell: Shell) -> None:
    """All are right; the second time nothing is read again, and a lost picture does not matter."""
    lost = shell.folder / "red-circle.png"
    content = lost.read_bytes()
    lost.unlink()
    again = json.loads(shell("labels", "pixels", "--set", "colour", "--output", "json").stdout)[0]
    lost.write_bytes(content)
    assert (again["measured"], again["unchanged"], again["failed"]) == (0, 8, {})
    rows = pq.read_table(shell.folder / "out.parquet").to_pylist()
    assert all(row["item_id"].startswith(row["colour_label"]) for row in rows)
    assert {row["colour_status"] for row in rows} == {"accepted"}
    assert {row["colour_similarity"] for row in rows} == {None}
    assert {row["label"] for row in rows} <= set(SHAPES)


def test_a_picture_that_is_not_measured_is_counted(shell: Shell) -> None:
    """Embeddings decide it, and the output says what helps."""
    draw(shell.folder / "new.png", "red", "circle")
    (shell.folder / "new.csv").write_text("id,image,title,colour,shape\nnew,new.png,a thing,,")
    content = np.asarray(Image.open(shell.folder / "new.png")).copy()
    content[0, 0] = 0  # another content than that of the picture that was measured
    Image.fromarray(content).save(shell.folder / "new.png")
    shell("ingest", "new.csv")
    done = shell("categorize", "--sets", "colour", "--to", "new.parquet")
    shell("remove", "new")
    said = " ".join(done.stdout.split())
    assert "1 that are not measured: zeroshelf labels pixels --set colour measures pictures" in said


def test_a_filter_finds_an_attribute(shell: Shell) -> None:
    """By words and an attribute at once."""
    expression = 'attributes["colour"] == "blue"'
    done = shell("search", "a shape", "--filter", expression, "--output", "json")
    assert {row["item_id"] for row in json.loads(done.stdout)} == {"blue-circle", "blue-square"}


def test_evaluate_measures_a_set(shell: Shell) -> None:
    """With pixels all colours are right."""
    done = shell("evaluate", "--set", "colour", "--truth", "colour", "--output", "json")
    found = json.loads(done.stdout)
    assert found["label_set"] == "colour"
    assert found["measures"]["macro_f1"] == 1.0


def test_a_table_is_measured_by_its_set(shell: Shell) -> None:
    """The columns of the set are read, not those of the category."""
    shell("categorize", "--sets", "category,colour", "--to", "both.csv")
    done = shell(
        "evaluate", "both.csv", "--set", "colour", "--truth", "colour", "--slice", "shape",
        "--output", "json",
    )  # fmt: skip
    assert json.loads(done.stdout)["measures"]["acc1"] == 1.0
    shell("categorize", "--to", "one.csv")
    done = shell("evaluate", "one.csv", "--set", "colour", "--truth", "colour", code=2)
    assert "no column 'colour_label_id'" in done.stderr
    assert "categorize --sets colour" in done.stderr


def test_what_pixels_can_not_promise_is_refused(shell: Shell) -> None:
    """No labelled item calibrates their scores; embeddings decide again with --off."""
    for command in ("calibrate", "teach"):
        done = shell("labels", command, "--truth", "colour", "--set", "colour", code=2)
        assert "zeroshelf labels pixels --off --set colour" in " ".join(done.stderr.split())
    asked = ("--sets", "colour", "--to", "x.csv", "--coverage", "0.9")
    done = shell("categorize", *asked, code=2)
    assert "--coverage" in done.stderr
    shell("labels", "pixels", "--off", "--set", "colour")
    assert not sets(shell)["colour"]["by_pixels"]
    shell("labels", "pixels", "--set", "colour")
    assert sets(shell)["colour"]["by_pixels"]


def test_shopifys_files_make_gated_sets(shell: Shell) -> None:
    """Of the catalog's categories; attributes that none of them has make no set."""
    attributes = {
        "version": "1",
        "attributes": [
            attribute(1, "Color", "color", ["Red", "Green"]),
            attribute(2, "Corner style", "corner-style", ["Round", "Sharp"]),
            attribute(3, "Sleeve length", "sleeve-length", ["Short", "Long"]),
        ],
    }
    has = {"circle": [1], "square": [1, 2]}
    categories = {
        "version": "1",
        "verticals": [
            {
                "name": "Shapes",
                "categories": [
                    {
                        "id": f"gid://shopify/TaxonomyCategory/{name}",
                        "level": 0,
                        "name": name,
                        "full_name": name,
                        "parent_id": None,
                        "attributes": [
                            {"id": f"gid://shopify/TaxonomyAttribute/{number}", "handle": "other"}
                            for number in numbers
                        ],
                    }
                    for name, numbers in has.items()
                ],
            }
        ],
    }
    (shell.folder / "attributes.json").write_text(json.dumps(attributes))
    (shell.folder / "categories.json").write_text(json.dumps(categories))
    done = shell(
        "labels", "attributes", "attributes.json", "--categories", "categories.json",
        "--output", "json",
    )  # fmt: skip
    report = json.loads(done.stdout)[0]
    assert report == {"sets": ["color", "corner_style"], "labels": 4, "inapplicable": 1}
    assert sets(shell)["color"]["applies_to"] == ["circle", "square"]
    assert sets(shell)["corner_style"]["applies_to"] == ["square"]
    done = shell("labels", "attributes", "attributes.json", "--only", "sleve length", code=2)
    assert "Did you mean 'sleeve length'" in done.stderr
    for broken in ("{}", '{"attributes": [{"id": 1}]}', "no json"):
        (shell.folder / "broken.json").write_text(broken)
        done = shell("labels", "attributes", "broken.json", code=2)
        assert "broken.json" in done.stderr


def attribute(number: int, name: str, handle: str, values: list[str]) -> dict[str, object]:
    """An attribute as Shopify's file has it."""
    return {
        "id": f"gid://shopify/TaxonomyAttribute/{number}",
        "name": name,
        "handle": handle,
        "description": "",
        "extended_attributes": [],
        "values": [
            {
                "id": f"gid://shopify/TaxonomyValue/{number}{place}",
                "name": value,
                "handle": f"{handle}__{value.lower()}",
            }
            for place, value in enumerate(values)
        ],
    }


def test_a_gate_without_its_category_is_no_gate_to_all(tmp_path: Path) -> None:
    """The list of label sets does not say that such a set applies to every item."""
    shell = Shell(tmp_path, in_process=True)
    np.save(tmp_path / "v.npy", np.eye(2, 8, dtype=np.float32))
    for name, labels in (("items", "mug boot"), ("tones", "light dark")):
        rows = "".join(f"{label},{label}\n" for label in labels.split())
        (tmp_path / f"{name}.csv").write_text(f"id,name\n{rows}")
    shell("ingest", "items.csv", "--vectors", "v.npy")
    shell("labels", "add", "items.csv", "--vectors", "v.npy")
    tone = ("--set", "tone")
    shell("labels", "add", "tones.csv", "--vectors", "v.npy", *tone, "--applies-to", "mug")
    assert "nothing" not in shell("labels", "sets").stdout
    shell("labels", "remove", "mug")
    assert "nothing" in shell("labels", "sets").stdout
    assert sets(shell)["tone"]["missing"] == ["mug"]
    shell("categorize", *tone, "--to", "out.csv", code=2)
