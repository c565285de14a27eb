"""Prompt pooling through a catalog: kept by ``labels add``, asked for when deciding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import make_catalog

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import UsageError
from indexer.core.vectors import normalise
from indexer.jobs.labels import add_labels, remove_labels
from indexer.labels.prompts import Pooling
from queries.categorizing.categorize import categorize
from queries.classify import Classifier
from queries.deciding.question import Question


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """Forty items and two labels as vectors of 256 dimensions."""
    random = np.random.default_rng(3)
    return make_catalog(
        tmp_path / "shop",
        normalise(random.normal(size=(40, 256))),
        normalise(random.normal(size=(2, 256))),
    )


def named(options: CatalogOptions, *names: str) -> CatalogOptions:
    """The catalog with labels that the packaged model embeds."""
    file = options.data_dir / "names.txt"
    file.write_text("\n".join(names))
    options = replace(options, model="pocket")
    add_labels(options, str(file), templates=("a {}", "a photo of a {}"), replace=True)
    return options


def test_bulk_and_single_agree_on_the_best_prompt(options: CatalogOptions, tmp_path: Path) -> None:
    """Both score in memory by the kept prompts, as the model has them."""
    options = named(options, "mug", "hat", "boot")
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, tmp_path / "out.parquet", Question(pooling=Pooling.MAX))
        vectors = catalog.archive.vectors(1)
        found = Classifier(catalog, Question(pooling=Pooling.MAX)).classify(vectors)
        best = [
            max(catalog.label_set.places, key=lambda one: (own(one) @ vector).max())
            for own in [catalog.prompts.vectors_of]
            for vector in vectors
        ]
    rows = pq.read_table(tmp_path / "out.parquet")
    assert not report.adapted
    assert rows.column("label_id").to_pylist() == best == [one[0].label_id for one in found]


def test_removed_labels_take_their_prompts_with_them(options: CatalogOptions) -> None:
    """The others keep theirs, unembedded."""
    options = named(options, "mug", "hat", "boot")
    remove_labels(options, ["hat"])
    with open_catalog(options) as catalog:
        assert set(catalog.prompts.label_ids) == {"mug", "boot"}
        assert len(catalog.prompts) == 4


def test_labels_that_came_as_vectors_have_no_best_prompt(options: CatalogOptions) -> None:
    """It is said, instead of scoring by something else."""
    with (
        open_catalog(options) as catalog,
        pytest.raises(UsageError, match="vectors that were given have none"),
    ):
        Classifier(catalog, Question(pooling=Pooling.MAX))
