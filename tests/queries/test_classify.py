"""Single queries against bulk jobs, plain and adapted, on one catalog in Milvus Lite."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import make_catalog, set_labels

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.jobs.adapt import adapt
from indexer.labels.adaptation import MIN_ITEMS
from queries.categorizing.categorize import CategorizeReport, categorize
from queries.classify import Classifier, active_labels
from queries.deciding.question import Question

SOME = ("l1", "l4", "l5", "l9")


def unit(count: int, seed: int) -> FloatArray:
    """float32 (count, 16), rows of length 1, on one side of the space."""
    return normalise(np.random.default_rng(seed).normal(size=(count, 16)) + 0.3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> CatalogOptions:
    """A catalog of 150 items and 30 labels, never adapted."""
    return make_catalog(tmp_path_factory.mktemp("catalog") / "data", unit(150, 0), unit(30, 1))


@pytest.fixture
def options(made: CatalogOptions, tmp_path: Path) -> CatalogOptions:
    """A copy that a test may change."""
    shutil.copytree(made.data_dir, tmp_path / "data")
    return CatalogOptions(data_dir=tmp_path / "data")


def bulk(options: CatalogOptions, **choices: Any) -> tuple[CategorizeReport, list[dict[str, Any]]]:
    """Report and rows of a categorization, in order of the items."""
    to = options.data_dir / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to, Question(limit=2, **choices))
    rows = pq.read_table(to).to_pylist()
    return report, sorted(rows, key=lambda row: int(row["item_id"][1:]))


def single(options: CatalogOptions, *, by_search: bool = True, **choices: Any) -> list[Any]:
    """Predictions for the same vectors, one by one."""
    with open_catalog(options) as catalog:
        classifier = Classifier(catalog, Question(**choices), by_search=by_search)
        return [classifier.classify(row[None], limit=2)[0] for row in unit(150, 0)]


@pytest.mark.parametrize("labels", [None, SOME], ids=["all", "some"])
@pytest.mark.parametrize("adapted", [True, False], ids=["adapted", "plain"])
def test_one_by_one_agrees_with_the_bulk_job(
    options: CatalogOptions, adapted: bool, labels: tuple[str, ...] | None
) -> None:
    """Labels, scores and cosines of every item, also plainly from an adapted catalog."""
    adapt(options)
    report, rows = bulk(options, adapt=adapted, labels=labels)
    assert report.adapted == adapted
    for row, found in zip(rows, single(options, adapt=adapted, labels=labels), strict=True):
        assert [one.label_id for one in found] == [row["label_id"], row["label_id_2"]]
        assert [one.score for one in found] == pytest.approx(
            [row["score"], row["score_2"]], abs=1e-4
        )
        assert found[0].similarity == pytest.approx(row["similarity"], abs=1e-6)


@pytest.mark.parametrize("adapted", [True, False], ids=["adapted", "plain"])
def test_scored_in_memory_is_as_searched(options: CatalogOptions, adapted: bool) -> None:
    """A search of the label index and a pass over all labels give the same answers."""
    adapt(options)
    searched = single(options, adapt=adapted, by_search=True)
    assert single(options, adapt=adapted, by_search=False) == searched


def test_similarity_stays_the_cosine(options: CatalogOptions) -> None:
    """Of the item and the label's own vector, however the label was chosen."""
    _, rows = bulk(options)
    items, labels = unit(150, 0), unit(30, 1)
    for row, item in zip(rows, items, strict=True):
        assert row["similarity"] == pytest.approx(item @ labels[int(row["label_id"][1:])], abs=1e-5)


def test_plain_is_the_largest_cosine(options: CatalogOptions) -> None:
    """Whatever is stored, --no-adapt is numpy's argmax."""
    adapt(options)
    _, rows = bulk(options, adapt=False)
    best = (unit(150, 0) @ unit(30, 1).T).argmax(axis=1)
    assert [row["label_id"] for row in rows] == [f"l{place}" for place in best]


def test_classify_takes_what_categorize_stored(options: CatalogOptions) -> None:
    """Before it decides plainly, after it as the bulk job does."""
    best = (unit(150, 0) @ unit(30, 1).T).argmax(axis=1)
    assert [found[0].label_id for found in single(options)] == [f"l{place}" for place in best]
    _, rows = bulk(options)
    assert [found[0].label_id for found in single(options)] == [row["label_id"] for row in rows]


def test_a_subset_is_adapted_in_memory_only(options: CatalogOptions) -> None:
    """What is stored stays as it was."""
    report, _ = bulk(options, labels=SOME)
    assert report.adapted
    with open_catalog(options) as catalog:
        assert catalog.adaptation is None
        assert len(catalog.labels.search(np.ones((1, 17), np.float32), limit=1)) == 1


def test_put_off_means_plain_everywhere(options: CatalogOptions) -> None:
    """Until adapted again."""
    adapt(options, off=True)
    report, rows = bulk(options)
    assert not report.adapted
    assert [found[0].label_id for found in single(options)] == [row["label_id"] for row in rows]
    adapt(options)
    assert bulk(options)[0].adapted


def test_labels_that_changed_are_fitted_for_each_question_until_they_are_kept(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is said; what categorize then keeps gives the same answers."""
    adapt(options)
    set_labels(options, unit(25, 3))
    caplog.clear()
    asked = [found[0].label_id for found in single(options)]
    assert "zeroshelf categorize" in caplog.text
    report, rows = bulk(options)
    assert report.fitted == "labels have changed, or what they apply to"
    assert asked == [row["label_id"] for row in rows]
    assert bulk(options)[0].fitted is None


def test_a_branch_means_its_leaves(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Never the branch itself, which would be the only label, of score 1, of everything."""
    options = make_catalog(tmp_path / "data", unit(40, 0), unit(1, 1))
    set_labels(options, unit(6, 1), ["", "l0", "l0", "l2", "l2"])
    with open_catalog(options) as catalog:
        for named, wanted in [
            (["l0"], ["l1", "l3", "l4"]),
            (["l2", "l1"], ["l1", "l3", "l4"]),
            (["label 2", "l5"], ["l3", "l4", "l5"]),
        ]:
            found = active_labels(catalog, named)
            assert [one.label_id for one in found.labels] == wanted
        assert "only active" not in caplog.text
        assert len(active_labels(catalog, ["l5"])) == 1
        assert "label 'l5' is the only active one" in caplog.text


def test_few_items_are_not_adapted_to(tmp_path: Path) -> None:
    """The bulk job then decides plainly, without a word from the user."""
    options = make_catalog(tmp_path / "data", unit(MIN_ITEMS - 1, 0), unit(4, 1))
    report, _ = bulk(options)
    assert not report.adapted


def test_no_vectors_give_no_predictions(options: CatalogOptions) -> None:
    """An empty batch is one, plain or adapted."""
    with open_catalog(options) as catalog:
        assert Classifier(catalog).classify(unit(0, 0)) == []


def test_vectors_that_can_not_be_are_refused(options: CatalogOptions) -> None:
    """One without its row, of another width or length, or with fewer titles."""
    vectors = unit(3, 5)
    with open_catalog(options) as catalog:
        classifier = Classifier(catalog)
        for given, titles, message in (
            (vectors[0], None, r"shape \(16,\): give \(n, 16\)"),
            (vectors[:, :7], None, r"shape \(3, 7\)"),
            (vectors * 7, None, "not of length 1"),
            (np.full((1, 16), np.nan), None, "not finite"),
            (vectors, vectors[:1], r"titles of shape \(1, 16\): give \(3, 16\)"),
        ):
            with pytest.raises(UsageError, match=message):
                classifier.classify(given, titles=titles)
        assert classifier.classify(vectors[:0]) == []
