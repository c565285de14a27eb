"""Colours that are measured from pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexer.catalog.measured_colours import MeasuredColours
from indexer.core.errors import CatalogError, TaxonomyError
from indexer.core.records import Label
from indexer.labels.colours import ANCHORS, CELLS, lab_of, measure, memberships, scores

NAMES = ("red", "green", "blue", "white", "black", "grey")
RED, WHITE, GREEN = (200, 30, 40), (250, 250, 250), (40, 140, 60)


def label(name: str, description: str = "", *synonyms: str) -> Label:
    """A label of a flat set."""
    return Label(label_id=name, name=name, path=(name,), description=description, synonyms=synonyms)


def picture(background: tuple[int, int, int], *patches: tuple[int, int, int]) -> np.ndarray:
    """A picture with upright stripes in its middle, of equal width."""
    pixels = np.full((60, 60, 3), background, dtype=np.uint8)
    for number, colour in enumerate(patches):
        width = 30 // len(patches)
        pixels[15:45, 15 + number * width : 15 + (number + 1) * width] = colour
    return pixels


def best(pixels: np.ndarray, names: tuple[str, ...] = NAMES) -> str:
    """The label of the highest score."""
    belonging = memberships([label(name) for name in names])
    return names[int(scores(measure(pixels)[None], belonging)[0].argmax())]


def test_lab_of_known_colours() -> None:
    """White, mid grey and pure red, by the definition of CIELAB at D65."""
    lab = lab_of([[255, 255, 255], [119, 119, 119], [255, 0, 0]])
    assert lab[0] == pytest.approx([100, 0, 0], abs=0.02)
    assert lab[1] == pytest.approx([50.03, 0, 0], abs=0.05)
    assert lab[2] == pytest.approx([53.24, 80.09, 67.20], abs=0.05)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("background", [WHITE, (168, 128, 92), (206, 212, 218)])
def test_the_background_has_no_part(name: str, background: tuple[int, int, int]) -> None:
    """A patch has its colour on white, on wood and on grey paper."""
    if np.linalg.norm(lab_of(ANCHORS[name]) - lab_of(background)) > 32:
        assert best(picture(background, ANCHORS[name])) == name


def test_a_background_of_two_colours_has_no_part() -> None:
    """A room has a wall and a floor."""
    pixels = picture((222, 230, 236), RED)
    pixels[45:] = (168, 128, 92)
    assert best(pixels, ("red", "brown", "white")) == "red"


def test_the_larger_share_decides() -> None:
    """Two stripes of green and one of red."""
    assert best(picture(WHITE, GREEN, GREEN, RED)) == "green"
    assert best(picture(WHITE, RED, GREEN, RED)) == "red"


def test_what_is_like_its_background_is_measured_in_the_middle() -> None:
    """White on white, or a product that fills the picture."""
    assert best(picture(WHITE, WHITE)) == "white"
    assert best(np.full((20, 20, 3), RED, dtype=np.uint8)) == "red"


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (64, 2), (3, 3)])
def test_small_pictures_are_measured(shape: tuple[int, int]) -> None:
    """However few pixels there are."""
    measured = measure(np.full((*shape, 3), RED, dtype=np.uint8))
    assert measured.shape == (CELLS,)
    assert measured.sum() == pytest.approx(1, abs=1e-5)


def test_a_description_gives_a_colour_that_has_no_name() -> None:
    """One or several; a synonym that is known does too."""
    labels = [label("oxblood", "dark, #6b1f24"), label("ours", "", "Navy  Blue"), label("white")]
    belonging = memberships(labels)
    dark = scores(measure(picture(WHITE, (107, 31, 36)))[None], belonging)[0]
    navy = scores(measure(picture(WHITE, (25, 35, 85)))[None], belonging)[0]
    assert (dark.argmax(), navy.argmax()) == (0, 1)
    assert dark.sum() == pytest.approx(1)


def test_labels_that_are_no_colours_are_refused() -> None:
    """Named, with what helps."""
    with pytest.raises(TaxonomyError, match=r"no known colours: 'striped'\. .*#rrggbb"):
        memberships([label("red"), label("striped")])


def test_measured_colours_are_found_by_content(tmp_path: Path) -> None:
    """In half precision; what was not measured is left out."""
    measured = measure(picture(WHITE, RED, GREEN))
    with MeasuredColours(tmp_path / "colours.sqlite") as colours:
        colours.add([("a", measured)])
        found = colours.find(["a", "b", "a"])
    assert list(found) == ["a"]
    assert found["a"] == pytest.approx(measured, abs=1e-3)


def test_a_damaged_file_of_colours_is_told(tmp_path: Path) -> None:
    """With the command that measures again."""
    (tmp_path / "colours.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(CatalogError, match=r"Delete it, and measure again: .*labels pixels"):
        MeasuredColours(tmp_path / "colours.sqlite")
