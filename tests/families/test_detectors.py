"""Detectors find the boxes that transformers' own pipeline finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from family_detectors import DETECTORS, WORDS

from indexer.core.boxes import SMALLEST_SIDE, overlaps
from indexer.core.errors import ItemError, ModelError, UsageError
from indexer.core.protocols import Pixels
from indexer.encoder.detection import MAX_IOU, Detector
from indexer.encoder.loading import PACKAGED_MODELS


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small detector of each kind."""
    root = tmp_path_factory.mktemp("detectors")
    for name, save in DETECTORS.items():
        save(root / name)
    return {name: root / name for name in DETECTORS}


@pytest.fixture(scope="module")
def picture() -> Pixels:
    """Wider than high: the models fit it into their input in different ways."""
    return np.random.default_rng(5).integers(0, 256, (120, 200, 3), dtype=np.uint8)


def _by_pipeline(folder: Path, picture: Pixels, words: list[str], threshold: float) -> list[Any]:
    from PIL import Image
    from transformers import pipeline

    detect = pipeline("zero-shot-object-detection", model=str(folder), device="cpu")
    found: list[Any] = detect(Image.fromarray(picture), candidate_labels=words, threshold=threshold)
    return found


def test_owlv2_finds_the_boxes_of_the_pipeline(folders: dict[str, Path], picture: Pixels) -> None:
    """One pass for all words, where the pipeline makes one a word."""
    threshold = 0.45
    detected = Detector(str(folders["owlv2"]), WORDS, threshold=threshold).detect(picture)
    best: dict[tuple[int, ...], tuple[float, str]] = {}
    for one in _by_pipeline(folders["owlv2"], picture, list(WORDS), threshold):
        corners = tuple(one["box"][name] for name in ("xmin", "ymin", "xmax", "ymax"))
        best[corners] = max(best.get(corners, (0.0, "")), (one["score"], one["label"]))
    assert len(best) > 5
    assert len({word for _, word in best.values()}) > 1
    mine = {tuple(map(int, corners)): (score, word) for corners, score, word in detected}
    assert mine.keys() == best.keys()
    for corners, (score, word) in mine.items():
        assert score == pytest.approx(best[corners][0], abs=1e-5)
        assert word == best[corners][1]


def test_grounding_dino_finds_the_boxes_of_the_pipeline(
    folders: dict[str, Path], picture: Pixels
) -> None:
    """All words are one text to it: the pipeline is given the same text."""
    detector = Detector(str(folders["grounding-dino"]), WORDS, threshold=0.1)
    text = ". ".join(WORDS) + "."
    expected = _by_pipeline(folders["grounding-dino"], picture, [text], 0.1)
    detected = sorted(detector.detect(picture), key=lambda one: -one[1])
    assert len(detected) == len(expected) > 3
    for (corners, score, _), one in zip(detected, expected, strict=True):
        names = ("xmin", "ymin", "xmax", "ymax")
        assert [int(value) for value in corners] == [one["box"][name] for name in names]
        assert score == pytest.approx(one["score"], abs=1e-5)


def test_a_picture_that_a_detector_can_not_take(folders: dict[str, Path]) -> None:
    """It fails by itself, with its sides; in one that is smaller than a box there is nothing."""
    detector = Detector(str(folders["grounding-dino"]), WORDS)
    with pytest.raises(ItemError, match="can't take a picture of 64x64 pixels"):
        detector.find(np.zeros((64, 64, 3), dtype=np.uint8))
    for height, width in ((1, 3000), (3000, 15), (1, 1)):
        assert detector.find(np.zeros((height, width, 3), dtype=np.uint8)) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_what_is_found_lies_in_the_picture(
    folders: dict[str, Path], picture: Pixels, name: str
) -> None:
    """Boxes are cut off at its edges, none is tiny, and no two are the same thing."""
    detector = Detector(str(folders[name]), WORDS, threshold=0.1, most=5)
    found = detector.find(picture)
    assert 0 < len(found) <= 5
    assert [thing.score for thing in found] == sorted((one.score for one in found), reverse=True)
    for x, y, width, height in (thing.box for thing in found):
        assert min(width, height) >= SMALLEST_SIDE
        assert 0 <= x < x + width <= 200
        assert 0 <= y < y + height <= 120
    boxes = np.array([thing.box for thing in found])
    assert (overlaps(boxes, boxes)[0] - np.eye(len(found))).max() <= MAX_IOU


def test_a_recipe_changes_with_what_boxes_depend_on(folders: dict[str, Path]) -> None:
    """The words, the threshold, the model: stored boxes are of one recipe."""
    folder, other = str(folders["owlv2"]), str(folders["grounding-dino"])
    recipes = [
        Detector(folder, WORDS).recipe,
        Detector(folder, WORDS[:2]).recipe,
        Detector(folder, WORDS, threshold=0.3).recipe,
        Detector(other, WORDS).recipe,
    ]
    assert len(set(recipes)) == 4
    assert Detector(folder, WORDS).recipe == recipes[0]


def test_no_detector(tmp_path: Path) -> None:
    """The families that are, and what to do without one."""
    with pytest.raises(ModelError, match=r"family 'clip'.*owlv2, grounding-dino.*a grid"):
        Detector(str(PACKAGED_MODELS["pocket"]), WORDS)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="does not load"):
        Detector(str(tmp_path), WORDS)
    with pytest.raises(ModelError, match="does not exist"):
        Detector(str(tmp_path / "none"), WORDS)


def test_words_that_can_not_be_looked_for(folders: dict[str, Path]) -> None:
    """None, or more than the model reads: it would fail on them, or cut them off."""
    for folder in folders.values():
        with pytest.raises(UsageError, match="--object-words"):
            Detector(str(folder), [" "])
        with pytest.raises(UsageError, match=r"tokens.*reads \d+"):
            Detector(str(folder), ["bag " * 300])


def test_weights_that_are_missing(folders: dict[str, Path], tmp_path: Path) -> None:
    """Transformers would make random ones, and boxes anywhere."""
    import shutil

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(folders["owlv2"], tmp_path / "damaged")
    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: weight for name, weight in weights.items() if "box_head" not in name},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ModelError, match="box_head"):
        Detector(str(folder), WORDS)
