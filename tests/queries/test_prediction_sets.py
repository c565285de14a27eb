"""Sets of labels: their coverage, their size, and how they are asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogs import add_items, add_titles, set_labels
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.core.softmax import softmax
from indexer.core.vectors import normalise
from queries.categorizing.categorize import CategorizeReport, categorize
from queries.classify import Classifier, classify_among
from queries.deciding.prediction_sets import fewest_items, set_rule, set_scores, set_sizes
from queries.deciding.question import Question
from queries.deciding.settings import Settings
from queries.evaluation.evaluate import evaluate
from queries.evaluation.result_table import read_table
from queries.teaching.calibrate import calibrate

LABELS, ITEMS = 6, 300
TRUTH = np.arange(ITEMS) % LABELS


def test_scores_by_hand() -> None:
    """One less the probability, and a penalty a place; ties go to the first."""
    found = set_scores(np.array([[0.2, 0.6, 0.2]]))
    assert found[0].tolist() == pytest.approx([0.8005, 0.4, 0.801])


def test_the_rule_by_hand() -> None:
    """Of 19 items all but one have a score of .1: the 19th of ceil(20 * .95) counts."""
    shares = np.tile([0.9, 0.1], (19, 1))
    truth = np.zeros(19, dtype=np.int64)
    truth[7] = 1
    rule = set_rule(shares, truth, 0.95)
    assert rule.threshold == pytest.approx(0.9005)
    assert set_sizes(shares[:1], rule).tolist() == [2]
    assert set_sizes(shares[:1], set_rule(shares, truth, 0.9)).tolist() == [1]


def test_no_set_is_empty() -> None:
    """The likeliest label is in it, however unlikely it is."""
    rule = set_rule(np.tile([1.0, 0.0], (19, 1)), np.zeros(19, dtype=np.int64), 0.95)
    assert set_sizes(np.array([[0.5, 0.5]]), rule).tolist() == [1]


def test_how_many_items_a_coverage_takes() -> None:
    """The ceil((n + 1) * coverage)-th of n must exist."""
    assert [fewest_items(one) for one in (0.5, 0.9, 0.95, 0.99)] == [1, 9, 19, 99]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.0, 6.0), st.integers(2, 40), st.floats(0.5, 0.97))
def test_the_coverage_holds_whatever_the_model(
    seed: int, signal: float, labels: int, coverage: float
) -> None:
    """On the mean over 200 draws of calibrating items; good models, and models of chance."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(labels, size=300)
    scores = signal * np.eye(labels)[truth] + generator.normal(size=(300, labels))
    shares, hits = softmax(scores, 0.7), []
    for _ in range(200):
        order = generator.permutation(300)
        own, rest = order[:60], order[60:]
        rule = set_rule(shares[own], truth[own], coverage)
        mine = set_scores(shares[rest])
        place = (mine < mine[np.arange(240), truth[rest]][:, np.newaxis]).sum(axis=1)
        hits.append(float((place < set_sizes(shares[rest], rule)).mean()))
    assert np.mean(hits) >= coverage - 0.015


def items_and_labels() -> tuple[FloatArray, FloatArray]:
    """Items in clusters of six labels, whose own vectors are half wrong."""
    generator = np.random.default_rng(5)
    centres = generator.normal(size=(LABELS, 16))
    items = normalise(centres[TRUTH] + generator.normal(size=(ITEMS, 16)))
    return items, normalise(centres + generator.normal(size=(LABELS, 16)))


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A catalog whose first 100 items were calibrated on."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    items, labels = items_and_labels()
    add_items(options, items)
    set_labels(options, labels)
    calibrated(options, range(100))
    return options


def calibrated(options: CatalogOptions, rows: range) -> None:
    """Calibrate on some items."""
    lines = [f"i{row},l{TRUTH[row]}" for row in rows]
    file = options.data_dir / "truth.csv"
    file.write_text("\n".join(["item_id,label_id", *lines]))
    with open_catalog(options, write=True) as catalog:
        calibrate(catalog, file=file)


def categorized(
    options: CatalogOptions, name: str = "out.parquet", **asked: Any
) -> tuple[CategorizeReport, list[list[str]]]:
    """The report, and each item's set."""
    to = options.data_dir / name
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to, Question(settings=Settings(**asked), limit=2))
    return report, [json.loads(one) for one in read_table(to).values("label_set")]


@pytest.mark.parametrize("name", ["out.parquet", "out.csv", "out.jsonl"])
def test_items_get_sets_that_hold_their_label(options: CatalogOptions, name: str) -> None:
    """Those not calibrated on too; sets are longer than the labels that the table shows."""
    report, sets = categorized(options, name, coverage=0.9)
    right = [f"l{TRUTH[row]}" in sets[row] for row in range(100, ITEMS)]
    assert np.mean(right) > 0.85
    assert report.sets is not None
    assert report.sets.calibrating_items == 100
    assert report.sets.mean_size == pytest.approx(np.mean(list(map(len, sets))))
    assert report.sets.sure_coverage < 0.9
    assert max(map(len, sets)) == report.sets.largest
    assert all(len(set(one)) == len(one) for one in sets)


def test_a_higher_coverage_has_larger_sets(options: CatalogOptions) -> None:
    """Each holds the smaller one, in the same order."""
    _, small = categorized(options, coverage=0.8)
    _, large = categorized(options, coverage=0.98)
    assert all(b[: len(a)] == a for a, b in zip(small, large, strict=True))
    assert sum(map(len, large)) > sum(map(len, small))


@pytest.mark.parametrize("titled", [False, True])
def test_classify_gives_the_same_sets(options: CatalogOptions, *, titled: bool) -> None:
    """Whole, whatever the limit; with titles as without."""
    items, labels = items_and_labels()
    titles = labels[TRUTH] if titled else None
    if titles is not None:
        add_titles(options, titles)
        calibrated(options, range(100))
    _, sets = categorized(options, coverage=0.95)
    with open_catalog(options) as catalog:
        classifier = Classifier(catalog, Question(settings=Settings(coverage=0.95)))
        found = classifier.classify(items, titles=titles, limit=1)
    assert [[one.label_id for one in answer] for answer in found] == sets


def test_evaluate_measures_sets(options: CatalogOptions) -> None:
    """Coverage and mean size; a table without sets has neither."""
    _, sets = categorized(options, coverage=0.9)
    path = options.data_dir / "out.parquet"
    truths = np.array([f"l{one}" for one in TRUTH])
    with open_catalog(options, write=True) as catalog:
        table = read_table(path)
        rows = table.rows.append_column("truth", [truths.tolist()])
        plain = options.data_dir / "plain.parquet"
        import pyarrow.parquet as pq

        pq.write_table(rows, path)
        pq.write_table(rows.drop_columns(["label_set", "set_size"]), plain)
        measured = evaluate(catalog, path, truth="truth", include_taught=True).with_taught
        without = evaluate(catalog, plain, truth="truth").measures
    assert measured is not None
    held = [f"l{one}" in own for one, own in zip(TRUTH, sets, strict=True)]
    assert measured["set_coverage"] == pytest.approx(np.mean(held))
    assert measured["mean_set_size"] == pytest.approx(np.mean(list(map(len, sets))))
    assert np.isnan(without["set_coverage"])
    assert np.isnan(without["mean_set_size"])


def test_too_few_items_are_refused(options: CatalogOptions) -> None:
    """With how many it takes, and the command."""
    calibrated(options, range(50))
    with (
        open_catalog(options) as catalog,
        pytest.raises(UsageError, match=r"takes 99 .* has 50.*labels calibrate"),
    ):
        Classifier(catalog, Question(settings=Settings(coverage=0.99)))


@pytest.mark.parametrize("other", [{"level": 1}, {"back_off": 0.5}, {"multi_label": True}])
def test_what_sets_do_not_go_with(other: dict[str, Any]) -> None:
    """Sets are of the active labels, which exclude each other."""
    with pytest.raises(UsageError, match="--coverage"):
        Settings(coverage=0.9, **other).check()


def test_candidate_labels_have_no_calibrating_items() -> None:
    """So no set of them has a coverage."""
    with pytest.raises(UsageError, match="--coverage"):
        classify_among(
            None,  # type: ignore[arg-type]
            np.zeros((0, 4), dtype=np.float32),
            ["a"],
            templates=["{}"],
            question=Question(settings=Settings(coverage=0.9)),
        )
