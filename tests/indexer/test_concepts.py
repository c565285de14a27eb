"""The background vocabulary that ships."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from catalogs import make_catalog

from indexer.catalog.opening import open_catalog
from indexer.jobs.background import save_background
from indexer.labels.examples import LabelledFolder, packaged_concepts, parse_concepts


def test_a_list_is_parsed() -> None:
    """Remarks and blanks are no names; repeats stay, as each has its row of given vectors."""
    assert parse_concepts("# head\nmug\n\n tea pot \nmug\n") == ("mug", "tea pot", "mug")


def test_repeated_names_keep_their_own_vectors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each name has the row of its first line, whatever stands twice before it."""
    options = make_catalog(tmp_path / "data", np.eye(8, dtype=np.float32), np.eye(8)[:2])
    (tmp_path / "words.txt").write_text("# things\nmug\ntea\nmug\n\nsofa\ntea\nlamp\n")
    rows = np.eye(8, dtype=np.float32)[:6]
    np.save(tmp_path / "words.npy", rows)
    count = save_background(options, tmp_path / "words.txt", vectors=tmp_path / "words.npy")
    with open_catalog(options) as catalog:
        found = LabelledFolder(catalog.folder.labels).background()
    assert found is not None
    assert (count, found.words) == (4, ("mug", "tea", "sofa", "lamp"))
    np.testing.assert_array_equal(found.vectors, rows[[0, 1, 3, 5]])
    assert "2 lines" in caplog.text


def test_the_packaged_names_are_names_of_things() -> None:
    """More than a thousand short names in lower case, each once."""
    names = packaged_concepts()
    assert 1500 < len(names) < 6000
    assert all(name == name.lower() and 1 <= len(name.split()) <= 6 for name in names)


def test_the_packaged_list_is_small() -> None:
    """Below 100 kB, as it travels in every wheel."""
    file = resources.files("indexer") / "data" / "concepts.txt"
    assert len(file.read_bytes()) < 100_000
