"""Models at the command line: models check, and catalogs of models that want prompts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from family_peers import encoded
from shell import Shell

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
CheckpointOf = Callable[[str], Path]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder to work in."""
    return Shell(tmp_path, in_process=True, device="cpu", precision="float32")


def checked(shell: Shell, folder: Path) -> dict[str, Any]:
    """What the command tells programs."""
    (told,) = json.loads(shell("models", "check", folder, "--output", "json").stdout)
    return dict(told)


def test_the_page_shows_what_is_printed(shell: Shell) -> None:
    """Line by line, in 80 columns."""
    shell.environment["COLUMNS"] = "80"
    ((command, shown),) = re.findall(r"```console\n\$ zeroshelf (.*?)\n(.*?)```", PAGE, re.DOTALL)
    printed = shell(*command.split()).stdout
    assert max(len(line.rstrip()) for line in printed.splitlines()) <= 80
    lines = {" ".join(line.split()) for line in printed.splitlines()}
    for line in shown.splitlines():
        assert line == "..." or " ".join(line.split()) in lines, printed


def test_it_tells_what_a_siglip_is(shell: Shell, checkpoint: CheckpointOf) -> None:
    """Its limits, its scale and bias, how its texts are padded."""
    told = checked(shell, checkpoint("siglip2"))
    assert told["family"] == "SiglipModel"
    assert (told["width"], told["longest_text"], told["input_size"]) == (32, 64, [32, 32])
    assert told["logit_scale"] == pytest.approx(np.exp(2.7))
    assert told["logit_bias"] == -3
    assert told["padding"] == "each to 64 tokens, as the model was trained"
    assert told["usable"]
    assert told["pictures_per_second"] > 0
    states = {one["check"]: one["state"] for one in told["checks"]}
    assert states.pop("towers") in {"good", "warning"}  # its weights are random
    assert set(states.values()) == {"good"}


def test_it_tells_the_prompts_of_a_text_model(shell: Shell, checkpoint: CheckpointOf) -> None:
    """Which are put where, and which others there are."""
    told = checked(shell, checkpoint("text-gemma"))
    assert told["prompt"] == "title: none | text: "
    assert told["query_prompt"] == "task: search result | query: "
    assert set(told["own_prompts"]) == {"query", "document", "Classification"}
    assert told["input_size"] is None
    assert not told["learned_scale"]


def test_it_tells_where_padding_would_change_vectors(
    shell: Shell, checkpoint: CheckpointOf
) -> None:
    """And embeds such texts apart."""
    told = checked(shell, checkpoint("dual-encoder-left-padded"))
    assert told["padding"].startswith("none: padding would change vectors")
    assert told["usable"]


def test_what_can_not_be_used_is_an_error(shell: Shell, checkpoint: CheckpointOf) -> None:
    """By name, cause and remedy, without a table."""
    done = shell("models", "check", checkpoint("blip-itm"), code=1)
    assert done.stdout == ""
    assert "lacks 60 weights" in done.stderr
    assert "name one model" in shell("models", "check", code=2).stderr


def test_a_catalog_is_asked_as_its_model_was_trained(
    shell: Shell, checkpoint: CheckpointOf, peer_of: Callable[[str], Any]
) -> None:
    """Items by the prompt for documents, searches by that for queries; the catalog keeps both."""
    names = ["red mug", "blue chair", "running shoes", "wax candles"]
    rows = [json.dumps({"id": name, "text": name}) for name in names]
    (shell.folder / "items.jsonl").write_text("\n".join(rows))
    columns = ("--image-column", "none", "--text-column", "text")
    shell("ingest", "items.jsonl", *columns, "--model", checkpoint("text-e5"))
    peer = peer_of("text-e5")
    documents = encoded(peer, [{"text": name} for name in names], prompt_name="passage")

    def similarities(*options: str) -> dict[str, float]:
        hits = json.loads(shell("search", "a mug", *options, "--output", "json").stdout)
        return {hit["item_id"]: hit["similarity"] for hit in hits}

    for options, asked in [
        ((), {"prompt_name": "query"}),
        (("--query-prompt", "passage"), {"prompt_name": "passage"}),
        (("--query-prompt", "look for: "), {"prompt": "look for: "}),
        (("--query-prompt", ""), {"prompt": ""}),
    ]:
        query = encoded(peer, [{"text": "a mug"}], **asked)[0]
        expected = dict(zip(names, map(float, documents @ query), strict=True))
        assert similarities(*options) == pytest.approx(expected, abs=1e-4)

    done = shell("search", "a mug", "--prompt", "other: ", code=2)
    assert "'other: ' instead of 'passage: '" in done.stderr


def test_a_catalog_keeps_to_its_width(shell: Shell, checkpoint: CheckpointOf) -> None:
    """Dimensions that were cut once are cut again by the next command."""
    (shell.folder / "items.jsonl").write_text('{"id": "mug", "text": "red mug"}')
    columns = ("--image-column", "none", "--text-column", "text")
    shell("ingest", "items.jsonl", *columns, "--model", checkpoint("text"), "--truncate-dim", 8)
    (hit,) = json.loads(shell("search", "a mug", "--output", "json").stdout)
    assert hit["item_id"] == "mug"
    done = shell("search", "a mug", "--truncate-dim", 16, code=2)
    assert "8 dimensions" in done.stderr


def test_a_siglips_own_scores_are_those_of_multi_label(
    shell: Shell, checkpoint: CheckpointOf
) -> None:
    """Also of labels that a catalog keeps: each by itself, so that a label more changes none."""
    from PIL import Image

    Image.new("RGB", (32, 32), (200, 30, 60)).save(shell.folder / "red.png")
    (shell.folder / "labels.csv").write_text("id,name\nmug,mug\nshoe,shoe\n")
    folder = checkpoint("siglip2")
    shell("ingest", "red.png", "--model", folder)
    shell("labels", "add", "labels.csv", "--template", "a {}")
    stored = scores(shell("classify", "red.png", "--multi-label", "--output", "json").stdout)
    named = ("--candidate-labels", "mug,shoe,chair", "--template", "a {}", "--model", folder)
    given = scores(shell("classify", "red.png", "--multi-label", *named, "--output", "json").stdout)
    assert {name: given[name] for name in stored} == pytest.approx(stored, abs=1e-5)
    assert set(stored) == {"mug", "shoe"}


def scores(printed: str) -> dict[str, float]:
    """Labels with their scores, of one input."""
    (answer,) = json.loads(printed)
    return {prediction["label"]: prediction["score"] for prediction in answer}
