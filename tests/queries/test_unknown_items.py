"""Items that are none of the labels: given by people, kept, used for the threshold, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import add_items, set_labels

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.vectors import normalise
from indexer.jobs.removal import remove_items
from indexer.labels.examples import LabelledFolder
from queries.categorizing.categorize import categorize
from queries.commands.sentences import of_calibration
from queries.deciding.question import Question
from queries.evaluation.evaluate import evaluate
from queries.teaching.calibrate import calibrate
from queries.teaching.teach import teach

LABELS, KNOWN, UNKNOWN = 4, 200, 60
TRUTH = np.arange(KNOWN) % LABELS


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """Items of four labels, then items that lie far from all of them."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    generator = np.random.default_rng(2)
    centres = generator.normal(size=(LABELS, 24))
    known = centres[TRUTH] + 0.8 * generator.normal(size=(KNOWN, 24))
    add_items(options, normalise(known))
    add_items(options, normalise(generator.normal(size=(UNKNOWN, 24))), prefix="u")
    set_labels(options, normalise(centres + 0.5 * generator.normal(size=(LABELS, 24))))
    return options


def truth_file(options: CatalogOptions, known: int, unknown: int) -> Path:
    """The first known items with their label, and the first unknown ones with the word none."""
    rows = [f"i{row},l{TRUTH[row]}" for row in range(known)]
    rows += [f"u{row},none" for row in range(unknown)]
    file = options.data_dir / "truth.csv"
    file.write_text("\n".join(["item_id,label_id", *rows]))
    return file


def statuses_of(options: CatalogOptions) -> dict[str, str]:
    """Of each item, by its id."""
    to = options.data_dir / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, to, Question(limit=1))
    table: dict[str, list[Any]] = pq.read_table(to).to_pydict()
    return dict(zip(table["item_id"], table["status"], strict=True))


def calibrated(options: CatalogOptions, known: int, unknown: int) -> Any:
    """Calibrate with so many items of each kind."""
    file = truth_file(options, known, unknown)
    with open_catalog(options, write=True) as catalog:
        return calibrate(catalog, file=file, unknown=["none"] if unknown else [])


def test_without_unknown_items_or_a_background_none_is_unknown(options: CatalogOptions) -> None:
    """The distance to the labels alone would call known items unknown."""
    report = calibrated(options, 100, 0)
    assert (report.unknown_above, report.unknown_items) == (None, 0)
    assert "unknown" not in statuses_of(options).values()


@pytest.mark.parametrize("taught", [False, True])
def test_unknown_items_set_the_threshold(options: CatalogOptions, *, taught: bool) -> None:
    """Of the items that nobody gave, most of both kinds are called what they are."""
    if taught:
        file = truth_file(options, 100, 30)
        with open_catalog(options, write=True) as catalog:
            report: Any = teach(catalog, file=file, unknown=["none"])
    else:
        report = calibrated(options, 100, 30)
    assert report.unknown_items == 30
    assert report.unknown_above is not None
    found = statuses_of(options)
    known = np.mean([found[f"i{row}"] == "unknown" for row in range(100, KNOWN)])
    unknown = np.mean([found[f"u{row}"] == "unknown" for row in range(30, UNKNOWN)])
    assert known < 0.3
    assert unknown > 0.7


def test_items_that_do_not_separate_set_no_threshold(options: CatalogOptions) -> None:
    """Known items given as unknown ones look like the others: none is unknown, and it is said."""
    rows = [f"i{row},{'none' if row % 16 > 11 else f'l{TRUTH[row]}'}" for row in range(KNOWN)]
    file = options.data_dir / "truth.csv"
    file.write_text("\n".join(["item_id,label_id", *rows]))
    with open_catalog(options, write=True) as catalog:
        report = calibrate(catalog, file=file, unknown=["none"])
    figures = report.unknown_figures
    assert figures is not None
    assert report.unknown_items > 40
    assert (report.unknown_above, figures.unknown_called_known) == (None, 1)
    assert "unknown" not in statuses_of(options).values()
    assert any("never unknown" in sentence for sentence in of_calibration(report, None))


def test_both_error_rates_of_the_threshold_are_said(options: CatalogOptions) -> None:
    """Of the items that were given, as scores and statuses have them."""
    report = calibrated(options, 100, 40)
    figures, found = report.unknown_figures, statuses_of(options)
    wrong_known = np.mean([found[f"i{row}"] == "unknown" for row in range(100)])
    wrong_unknown = np.mean([found[f"u{row}"] != "unknown" for row in range(40)])
    assert figures.known_called_unknown == pytest.approx(wrong_known)
    assert figures.unknown_called_known == pytest.approx(wrong_unknown)
    assert figures.auroc > 0.8
    sentence = next(line for line in of_calibration(report, None) if "unknown score" in line)
    assert f"{wrong_known:.0%} are called unknown" in sentence
    assert f"{wrong_unknown:.0%} are taken for known" in sentence


def test_unknown_items_stay_until_others_are_given(options: CatalogOptions) -> None:
    """A calibration without any keeps them; one that is forgotten by a removal is gone."""
    calibrated(options, 100, 30)
    assert calibrated(options, 120, 0).unknown_items == 30
    remove_items(options, ["u3"])
    with open_catalog(options) as catalog:
        kept = LabelledFolder(catalog.folder.labels).items("unknown")
    assert kept is not None
    assert len(kept) == 29
    assert "u3" not in kept.item_ids


def test_too_few_unknown_items_are_said(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """They are kept, and no threshold comes of them; so is a value that no item has."""
    report = calibrated(options, 100, 3)
    assert report.unknown_above is None
    assert "takes 10 at least" in caplog.text
    file = truth_file(options, 100, 0)
    with open_catalog(options, write=True) as catalog:
        calibrate(catalog, file=file, unknown=["nothing"])
    assert "'nothing': no item has this value" in caplog.text


def test_evaluate_shows_both_error_rates(options: CatalogOptions) -> None:
    """Known items called unknown, and unknown ones called known."""
    calibrated(options, 40, 15)
    found = statuses_of(options)
    to = options.data_dir / "out.parquet"
    table = pq.read_table(to)
    truths = [
        "none" if one.startswith("u") else f"l{TRUTH[int(one[1:])]}"
        for one in table.column("item_id").to_pylist()
    ]
    pq.write_table(table.append_column("truth", [truths]), to)
    with open_catalog(options, write=True) as catalog:
        measured = evaluate(catalog, to, truth="truth", unknown=["none"])
    ids = measured.outcomes.item_ids.tolist()
    wrong = {
        kind: np.mean([(found[one] == "unknown") == (kind == "i") for one in ids if one[0] == kind])
        for kind in "iu"
    }
    assert measured.measures["known_called_unknown"] == pytest.approx(wrong["i"])
    assert measured.measures["unknown_called_known"] == pytest.approx(wrong["u"])
