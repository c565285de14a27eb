"""Videos by the commands: from files to labels, searches, explanations and tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from shell import Shell

from pocket.clips import write_clip

PLACES = ["0:00-0:04", "0:04-0:08", "0:08-0:12"]
SCENES = ["mug", "backpack", "guitar"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A clip of three scenes in a catalog with four labels, and a file without an ending."""
    (tmp_path / "clips").mkdir()
    write_clip(tmp_path / "clips" / "three.mp4", rate=10, size=128)
    (tmp_path / "unnamed").write_bytes((tmp_path / "clips" / "three.mp4").read_bytes())
    (tmp_path / "labels.txt").write_text("mug\nbackpack\nguitar\nsofa\n")
    shell = Shell(tmp_path, in_process=True, model="pocket")
    told = json.loads(shell("ingest", "clips", "--output", "json").stdout)[0]
    assert (told["items"], told["read"], told["stored"], told["frames"]) == (1, 3, 3, 12)
    shell("labels", "add", "labels.txt")
    return shell


def test_videos_are_labelled_found_and_explained_by_their_shots(
    shell: Shell, tmp_path: Path
) -> None:
    """Each answer says when."""
    for source in ("clips/three.mp4", "unnamed"):
        (answer,) = map(
            json.loads, shell("classify", source, "--output", "jsonl").stdout.splitlines()
        )
        assert [part["place"] for part in answer["parts"]] == PLACES
        assert [part["label"] for part in answer["parts"]] == SCENES
    hits = json.loads(shell("search", "a red mug", "--output", "json").stdout)
    assert [(hit["item_id"], hit["place"]) for hit in hits] == [("three.mp4", PLACES[0])]
    for subject in (["--item", "three.mp4"], ["clips/three.mp4"]):
        told = json.loads(shell("explain", *subject, "--output", "json").stdout)
        assert [(view["place"], view["label"]) for view in told["views"]] == list(
            zip(PLACES, SCENES, strict=True)
        )
    shell("categorize", "--parts", "--to", "parts.csv")
    with (tmp_path / "parts.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["place"], row["label"]) for row in rows] == list(zip(PLACES, SCENES, strict=True))
    status = json.loads(shell("status", "--output", "json").stdout)[0]
    assert (status["items"], status["parts"]) == (1, 3)


def test_a_catalog_of_videos_is_copied(shell: Shell, tmp_path: Path) -> None:
    """All rows of its shots."""
    told = json.loads(
        shell("copy", "--to-db", str(tmp_path / "copy.db"), "--output", "json").stdout
    )
    assert (told[0]["items"], told[0]["written"]) == (1, 3)


def test_pages_show_a_frame_of_the_shot(shell: Shell) -> None:
    """Of each found shot, and of each one that an explanation tells of."""
    page = shell("search", "a red mug", "--output", "html").stdout
    assert page.count("<img") == 1
    assert PLACES[0] in page
    page = shell("explain", "--item", "three.mp4", "--output", "html").stdout
    frames = {line for line in page.splitlines() if "<img" in line and "data:image/jpeg" in line}
    assert len(frames) == len(PLACES)


def test_what_is_removed_is_called_by_its_name(shell: Shell) -> None:
    """Shots, where pictures would have further pictures."""
    assert "Removed 1 shot; its item stays." in shell("remove", "three.mp4#start=4").stderr
    assert "Removed 1 item, with 1 further shot." in shell("remove", "three.mp4").stderr
