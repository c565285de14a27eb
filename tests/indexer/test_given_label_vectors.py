"""Labels whose vectors were given, when labels are added by a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from catalogs import set_labels

from indexer.catalog.opening import CatalogOptions
from indexer.jobs.labels import add_labels


def test_that_the_model_replaces_given_vectors_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once: after that they are the model's own."""
    options = CatalogOptions(data_dir=tmp_path / "data", model="pocket", device="cpu")
    options.data_dir.mkdir()
    (tmp_path / "more.txt").write_text("mug\n")
    set_labels(options, np.eye(2, 256, dtype=np.float32))
    for told in (1, 0):
        caplog.clear()
        add_labels(options, str(tmp_path / "more.txt"))
        warnings = [one for one in caplog.messages if "were given" in one]
        assert len(warnings) == told
        assert all("vectors of 2 labels, such as 'l0'" in one for one in warnings)
