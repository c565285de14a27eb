"""The map on the command line: what it prints, and the file that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from catalogs import make_catalog
from shell import Shell

from indexer.core.vectors import normalise


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """In a folder with a catalog of 40 items."""
    vectors = normalise(np.random.default_rng(0).normal(size=(40, 8)))
    make_catalog(tmp_path / ".zeroshelf", vectors, np.eye(2, 8, dtype=np.float32))
    return Shell(tmp_path, in_process=True)


def test_a_map_is_made_kept_and_written_to_a_file(shell: Shell, tmp_path: Path) -> None:
    """The second time there is nothing to do; the file has the items and no stranger's markup."""
    done = shell("map", "--method", "pca", "--output", "json")
    (report,) = json.loads(done.stdout)
    assert (report["items"], report["points"], report["method"]) == (40, 40, "pca")
    again = shell("map", "--method", "pca", "--to", "map.html")
    assert "the map was up to date" in " ".join(again.stdout.split())
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert '"i39"' in page
    assert "http://www.w3.org/2000/svg" in page
    assert "import " not in page.split('<script type="module">')[1]


def test_what_can_not_be_made_is_told_before_the_work(shell: Shell, tmp_path: Path) -> None:
    """Another ending, a column that no item has; no map is left behind by the first."""
    refused = shell("map", "--to", "map.png", code=2)
    assert "must end in .html" in refused.stderr
    assert not list(tmp_path.glob("**/map.parquet"))
    unknown = shell("map", "--method", "pca", "--to", "map.html", "--columns", "brnd", code=2)
    assert "no item has such a column" in unknown.stderr
