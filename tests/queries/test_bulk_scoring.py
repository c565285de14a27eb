"""How a bulk job scores: torch's products for very many pairs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from catalogs import make_catalog
from label_sets import drawn

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.encoder import packed as packed_module
from indexer.encoder.packed import PackedRows
from queries.categorizing import label_fit
from queries.categorizing.categorize import CategorizeReport, categorize
from queries.deciding.predictor import FEWEST_PACKED

pytestmark = pytest.mark.usefixtures("two_threads")


def run(options: CatalogOptions) -> tuple[CategorizeReport, list[dict[str, object]]]:
    """Categorize; the report, and the rows."""
    to = options.data_dir / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to)
    return report, pq.read_table(to).to_pylist()


def test_very_many_pairs_are_scored_by_torch_in_a_thread_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same labels, and torch has its own threads again after the run."""
    options = make_catalog(tmp_path / "data", drawn(300, 32, 0), drawn(FEWEST_PACKED, 32, 1))
    _, wanted = run(options)
    threads: list[int] = []
    of = PackedRows.of

    def counted(rows: PackedRows, queries: np.ndarray) -> np.ndarray:
        threads.append(torch.get_num_threads())
        return of(rows, queries)

    monkeypatch.setattr(PackedRows, "of", counted)
    monkeypatch.setattr(label_fit, "FEWEST_PACKED_PAIRS", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        _, found = run(options)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert threads
    assert 1 in threads
    for row, other in zip(found, wanted, strict=True):
        for name, value in other.items():
            if "score" in name:
                assert row[name] == pytest.approx(value, abs=1e-5)
            else:
                assert row[name] == value, name


def test_few_pairs_leave_torch_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading it takes seconds."""

    @contextmanager
    def entered() -> Iterator[None]:
        raise AssertionError("torch's threads were set")
        yield

    monkeypatch.setattr(packed_module, "one_thread", entered)
    run(make_catalog(tmp_path / "data", drawn(30, 32, 0), drawn(5, 32, 1)))
