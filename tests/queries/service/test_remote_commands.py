"""``classify --server`` and ``search --server``: a running service answers, no model is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shell import Shell


@pytest.fixture
def shell(tmp_path: Path, address: str) -> Shell:
    """A folder without any catalog; the service is named by the variable."""
    run = Shell(tmp_path, in_process=True)
    run.environment |= {"ZEROSHELF_SERVER": address}
    return run


def test_pictures_texts_and_items_are_labelled(shell: Shell, drawn: Path) -> None:
    """As by the service, in the order of the inputs; options are passed on."""
    pictures = [drawn / "mug-red.png", drawn / "laptop-red.png"]
    found = shell.json("classify", *pictures, "--limit", "1")
    assert [answer[0]["label"] for answer in found] == ["mug", "laptop"]
    texts = shell.json("classify", "--text", "a guitar", "--labels", "guitar,mug", "--limit", "2")
    assert [row["label"] for row in texts[0]] == ["guitar", "mug"]
    items = shell.json("classify", "--item", "sneaker-blue", "--limit", "1")
    assert items[0][0]["label"] == "sneaker"
    assert not (shell.folder / ".zeroshelf").exists()


def test_an_input_that_is_not_there_costs_no_other(shell: Shell, drawn: Path) -> None:
    """It is told by its name; with none left the command fails."""
    done = shell("classify", "nowhere.jpg", drawn / "mug-red.png", "--output", "json")
    assert [len(answer) > 0 for answer in json.loads(done.stdout)] == [False, True]
    assert "nowhere.jpg: there is no such file" in done.stderr
    shell("classify", "nowhere.jpg", code=2)
    (shell.folder / "broken.jpg").write_text("no picture")
    done = shell("classify", "broken.jpg", drawn / "mug-red.png")
    assert "broken.jpg: not a picture that can be read" in done.stderr
    assert "Scores are not calibrated" in done.stderr


def test_exit_codes_are_those_without_a_service(shell: Shell) -> None:
    """2 where what is named is not there, 1 where no input can be used."""
    for command in (
        "classify --item nobody",
        "classify --text mug --labels nothing",
        "search --item nobody",
        "search --category nothing",
        "search mug --filter price",
    ):
        assert shell(*command.split(), code=2).stderr, command
    (shell.folder / "broken.jpg").write_text("no picture")
    done = shell("classify", "broken.jpg", "--output", "json", code=1)
    assert json.loads(done.stdout) == [[]]
    assert "broken.jpg: not a picture" in done.stderr


def test_items_are_found(shell: Shell, drawn: Path) -> None:
    """By words, by a picture, under a filter."""
    assert shell.json("search", "guitar", "--limit", "1")[0]["item_id"].startswith("guitar")
    hit = shell.json("search", "--image", drawn / "mug-red.png", "--limit", "1")[0]
    assert hit["item_id"] == "mug-red"
    mugs = shell.json("search", "blue", "--filter", 'label == "mug"')
    assert {hit["label"] for hit in mugs} == {"mug"}


def test_a_least_similarity_of_nothing_is_passed_on(shell: Shell) -> None:
    """Zero is a value, too: it was left out, and all items came."""
    search = ("search", "not a mug", "--limit", "100")
    similarities = [hit["similarity"] for hit in shell.json(*search)]
    assert min(similarities) < 0 < max(similarities)
    near = shell.json(*search, "--min-similarity", "0")
    assert [hit["similarity"] for hit in near] == [one for one in similarities if one >= 0]


def test_what_is_not_sent_is_refused(shell: Shell) -> None:
    """With the way that works."""
    told = shell("classify", "https://example.com/a.jpg", code=2).stderr
    assert "--server takes files of this machine" in told
    named = ("--text", "a mug", "--candidate-labels", "mug,hat")
    assert "goes without --candidate-labels" in shell("classify", *named, code=2).stderr
    assert (
        "does not answer" in shell("search", "a", "--server", "http://127.0.0.1:9", code=1).stderr
    )
