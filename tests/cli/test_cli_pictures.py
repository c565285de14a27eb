"""Pictures through the packaged model: dead letters mended, inputs and outputs of every kind."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from shell import Shell

from indexer.encoder import PACKAGED_MODELS

COLOURS = ["red", "green", "blue", "white", "black", "orange"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Six plain pictures, two of them the same, one broken, and labels."""
    if not PACKAGED_MODELS["pocket"].is_dir():
        pytest.skip("the pocket model is not in the package")
    folder = tmp_path_factory.mktemp("drawn")
    (folder / "shop" / "it's").mkdir(parents=True)
    for colour in COLOURS:
        Image.new("RGB", (40, 30), colour).save(folder / "shop" / "it's" / f'{colour}".png')
    copy = (folder / "shop" / "it's" / 'red".png').read_bytes()
    (folder / "shop" / "copy.png").write_bytes(copy)
    (folder / "shop" / "broken.png").write_bytes(copy[:60])
    (folder / "labels.txt").write_text("a shoe\na mug\na lamp\n")
    shell = Shell(folder, in_process=True, model="pocket", device="cpu")
    (report,) = shell.json("ingest", "shop", "--fail-on-errors", code=3)
    assert (report["read"], report["stored"], report["dead_letters"]) == (8, 7, 1)
    assert (report["embedded"], report["shared"]) == (6, 1)
    shell("labels", "add", "labels.txt")
    return shell


def test_classify_in_every_format(drawn: Shell) -> None:
    """A list an input, best first; the formats say the same."""
    inputs = ["shop/copy.png", "shop/it's/blue\".png"]
    found = drawn.json("classify", *inputs, "--limit", "2", "--no-adapt")
    assert [len(best) for best in found] == [2, 2]
    assert {"label", "label_id", "score", "similarity"} <= set(found[0][0])
    assert found[0][0]["similarity"] >= found[0][1]["similarity"]
    options = ("--limit", "2", "--no-adapt", "--output")
    lines = drawn("classify", *inputs, *options, "jsonl").stdout.splitlines()
    assert [json.loads(line)["input"] for line in lines] == inputs
    table = drawn("classify", *inputs, *options, "csv").stdout
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["label"] for row in rows] == [one["label"] for best in found for one in best]
    told = drawn("classify", *inputs, *options, "table")
    assert found[0][0]["label"] in told.stdout
    assert (
        told.stderr.count("not calibrated") == told.stderr.count("zeroshelf labels calibrate") == 1
    )
    assert "calibrat" not in drawn("classify", *inputs, *options, "json").stderr


def test_classify_reads_paths_from_stdin_and_skips_bad_ones(drawn: Shell) -> None:
    """A bad input is told on stderr and is an empty list; exit 3 on request, 1 if all fail."""
    stdin = "shop/copy.png\nshop/broken.png\n"
    found = drawn.json("classify", "-", stdin=stdin)
    assert [len(best) for best in found] == [3, 0]
    done = drawn("classify", "-", "--fail-on-errors", stdin=stdin, code=3)
    assert "shop/broken.png" in done.stderr
    assert "shop/broken.png" in drawn("classify", "shop/broken.png", code=1).stderr


def test_classify_among_labels_that_are_not_stored(drawn: Shell) -> None:
    """Scores are a softmax over the candidates."""
    (best,) = drawn.json("classify", "shop/copy.png", "--candidate-labels", "fox, bear")
    assert {one["label"] for one in best} == {"fox", "bear"}
    assert sum(one["score"] for one in best) == pytest.approx(1, abs=1e-6)


def test_classify_texts_that_look_like_addresses(drawn: Shell) -> None:
    """They are words: nothing is fetched, nothing is opened."""
    texts = ["http://127.0.0.1:9/a.png", "shop/copy.png"]
    found = drawn.json("classify", "--text", *texts, "--limit", "1")
    assert [len(best) for best in found] == [1, 1]


def test_search_in_every_format(drawn: Shell) -> None:
    """By words and picture; the page holds the pictures."""
    query = ("search", "something red", "--image", "shop/copy.png", "--limit", "3")
    hits = drawn.json(*query)
    assert len(hits) == 3
    similarities = [hit["similarity"] for hit in hits]
    assert similarities == sorted(similarities, reverse=True)
    by_picture = drawn.json("search", "--image", "shop/copy.png", "--limit", "2")
    assert {hit["item_id"] for hit in by_picture} == {"copy.png", "it's/red\".png"}
    lines = drawn(*query, "--output", "jsonl").stdout.splitlines()
    assert [json.loads(line)["item_id"] for line in lines] == [hit["item_id"] for hit in hits]
    assert len(drawn(*query, "--output", "csv").stdout.splitlines()) == 4
    assert hits[0]["item_id"] in drawn(*query, "--output", "table").stdout
    assert drawn(*query, "--output", "html").stdout.count("<img") == 3


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("search",), 2, "nothing to search for"),
        (("search", "x", "--filter", "nothing =="), 2, "nothing =="),
        (("search", "--image", "shop/broken.png"), 1, "broken.png"),
        (("search", "--image", "absent.png"), 2, "absent.png"),
        (("search", "x", "--text-weight", "2"), 2, "text-weight"),
        (("classify", "absent.png"), 2, "absent.png"),
        (("classify", "--text", "x", "--labels", "nothing"), 2, "nothing"),
        (("classify", "--text", "x", "--model", "./absent"), 2, "absent"),
        (("labels", "add", "labels.txt", "--template", "no place"), 2, "no place"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_can_not_be_done_is_told(
    drawn: Shell, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Exit code, and what is wrong."""
    assert told in " ".join(drawn(*arguments, code=code).stderr.split())


def test_changed_templates_and_labels_embed_what_changed(drawn: Shell) -> None:
    """The same file again embeds nothing; one more label embeds its own prompts."""
    (changes,) = drawn.json("labels", "add", "labels.txt")
    assert (changes["unchanged"], changes["embedded_texts"]) == (3, 0)
    (drawn.folder / "more.txt").write_text("a vase\n")
    (changes,) = drawn.json("labels", "add", "more.txt")
    assert (changes["added"], changes["changed"], changes["unchanged"]) == (1, 0, 3)
    own = changes["embedded_texts"]
    assert own > 0
    drawn("labels", "remove", "a vase")
    (changes,) = drawn.json("labels", "add", "more.txt", "--template", "a photo of a {}")
    assert changes["changed"] == 3
    (changes,) = drawn.json("labels", "add", "labels.txt", "--replace")
    assert (changes["unchanged"], changes["removed"]) == (3, 1)


def test_a_mended_picture_leaves_the_dead_letters(drawn: Shell, tmp_path: Path) -> None:
    """Tried again it is stored under its id; what is still broken counts its attempts."""
    import shutil

    shutil.copytree(drawn.folder / "shop", tmp_path / "shop")
    (tmp_path / "shop" / "second.png").write_bytes(b"not a picture")
    shell = Shell(tmp_path, in_process=True, model="pocket", device="cpu")
    shell("ingest", "shop")
    Image.new("RGB", (40, 30), "purple").save(tmp_path / "shop" / "broken.png")
    (report,) = shell.json("retry", "--fail-on-errors", code=3)
    assert (report["read"], report["stored"], report["dead_letters"]) == (2, 1, 1)
    (line,) = (shell.catalog / "dead_letters.jsonl").read_text().splitlines()
    letter = json.loads(line)
    assert (letter["item_id"], letter["attempts"]) == ("second.png", 2)
    assert letter["reason"] == "not_a_picture"
    Image.new("RGB", (40, 30), "pink").save(tmp_path / "shop" / "second.png")
    (report,) = shell.json("ingest", "shop")
    assert (report["stored"], report["unchanged"], report["dead_letters"]) == (1, 8, 0)
    assert not (shell.catalog / "dead_letters.jsonl").exists()
    shell("rebuild", "--verify")


def test_another_model_is_refused_with_both_named(drawn: Shell, shared_models: Path) -> None:
    """Ingest, classify and search alike."""
    other = shared_models / "clip-tiny-cifar10"
    for command in (("ingest", "shop"), ("classify", "shop/copy.png"), ("search", "x")):
        told = drawn(*command, "--model", other, code=2).stderr
        assert "'pocket'" in told
        assert "clip-tiny-cifar10" in told
