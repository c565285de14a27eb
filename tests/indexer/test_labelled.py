"""What people tell a catalog is kept, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexer.core.errors import CatalogError
from indexer.labels.examples import Background, LabelledFolder, LabelledItems

ITEMS = LabelledItems(("a", 'b"\n'), ("mug", "bag"), np.eye(2, dtype=np.float32))
WORDS = Background(("tea pot", "größe"), np.eye(2, dtype=np.float32))


def test_nothing_is_there_at_first(tmp_path: Path) -> None:
    """A catalog that was told nothing."""
    folder = LabelledFolder(tmp_path / "labels")
    assert (folder.items("taught"), folder.items("calibrating"), folder.background()) == (
        None,
        None,
        None,
    )
    assert folder.fits() == {}


def test_examples_come_back(tmp_path: Path) -> None:
    """Hostile ids and all."""
    folder = LabelledFolder(tmp_path / "labels")
    folder.save_items("taught", ITEMS)
    found = folder.items("taught")
    assert found is not None
    assert found.version == ITEMS.version


def test_each_file_is_its_own(tmp_path: Path) -> None:
    """What is taught is not what is calibrated on."""
    folder = LabelledFolder(tmp_path)
    folder.save_items("calibrating", ITEMS)
    folder.save_background(WORDS)
    assert folder.items("taught") is None
    assert folder.items("calibrating") is not None
    background = folder.background()
    assert background is not None
    assert background.words == WORDS.words


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    """None takes the file away, also where there is none."""
    folder = LabelledFolder(tmp_path)
    folder.save_items("taught", ITEMS)
    folder.save_items("taught", None)
    folder.save_items("taught", None)
    assert folder.items("taught") is None


def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    """A flipped byte is found by the archive's checksums."""
    folder = LabelledFolder(tmp_path)
    folder.save_items("taught", ITEMS)
    path = tmp_path / "taught.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(CatalogError, match="labels teach"):
        folder.items("taught")


def test_fits_come_back_and_damage_is_forgotten(tmp_path: Path) -> None:
    """What was fitted can be fitted again."""
    folder = LabelledFolder(tmp_path)
    folder.save_fits({"temperature": 0.5})
    assert folder.fits() == {"temperature": 0.5}
    (tmp_path / "fits.json").write_text("{")
    assert folder.fits() == {}


def test_some_items_are_taken() -> None:
    """In the order that is asked for."""
    found = ITEMS.take([1])
    assert (found.item_ids, found.label_ids) == (('b"\n',), ("bag",))
