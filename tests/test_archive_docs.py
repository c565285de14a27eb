"""The query of docs/archive.md gives the items that the catalog has."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import numpy as np
import pytest
from catalogs import add_items, make_catalog

from indexer.catalog.opening import open_catalog
from indexer.core.vectors import normalise
from indexer.jobs.removal import remove_items

PAGE = (Path(__file__).parent.parent / "docs" / "archive.md").read_text(encoding="utf-8")


def test_duckdb_reads_the_items_of_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replaced items once, removed ones not, those that came again once more."""
    (query,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    rng = np.random.default_rng(3)
    vectors = normalise(rng.normal(size=(8, 4)).astype(np.float32))
    options = make_catalog(tmp_path / ".zeroshelf", vectors, vectors[:2])
    add_items(options, vectors[::-1][:4].copy())  # i0 to i3 are replaced
    remove_items(options, ["i1", "i7"])
    add_items(options, vectors[:2].copy())  # i1 comes again
    with open_catalog(options) as catalog:
        stored = set(catalog.ledger.parts.leads([f"i{row}" for row in range(8)]))
        assert len(catalog.archive.shards()) > 3
    assert stored == {"i0", "i1", "i2", "i3", "i4", "i5", "i6"}
    monkeypatch.chdir(tmp_path)
    rows = duckdb.sql(query).fetchall()
    assert [row[0] for row in rows] == sorted(stored)
