"""Calibration knows the labels that it was made over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from catalogs import make_catalog, set_labels

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.labels.examples import LabelledFolder
from queries.categorizing.categorize import CategorizeReport, categorize
from queries.deciding.calibrated_labels import Calibration
from queries.deciding.question import Question
from queries.deciding.settings import Settings
from queries.teaching.calibrate import calibrate

LABELS, ITEMS, WIDTH = 10, 200, 24


def drawn(count: int, seed: int) -> FloatArray:
    """float32 (count, width), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(count, WIDTH)))


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A catalog whose items lie near their labels, calibrated on all of them."""
    labels, random = drawn(LABELS, 1), np.random.default_rng(2)
    truth = random.integers(0, LABELS, ITEMS)
    items = normalise(labels[truth] + 0.15 * random.normal(size=(ITEMS, WIDTH)))
    found = make_catalog(tmp_path / "data", items, labels)
    assert run(found).calibration == Calibration(
        calibrated=False, items=0, changed_labels=0, labels=0
    )
    file = tmp_path / "truth.csv"
    rows = [f"i{row},l{one}" for row, one in enumerate(truth)]
    file.write_text("\n".join(["item_id,label_id", *rows]))
    with open_catalog(found, write=True) as catalog:
        calibrate(catalog, file=file)
    return found


def run(
    options: CatalogOptions, restrict_to: list[str] | None = None, **asked: float
) -> CategorizeReport:
    """Categorize."""
    settings = Settings(**asked)  # type: ignore[arg-type]
    labels = None if restrict_to is None else tuple(restrict_to)
    with open_catalog(options, write=True) as catalog:
        to = options.data_dir / "out.parquet"
        return categorize(catalog, to, Question(settings=settings, labels=labels))


def test_few_changed_labels_are_told(options: CatalogOptions) -> None:
    """Two of ten were reworded: the temperature is fitted to the stored items again."""
    assert run(options, target_precision=0.8).calibration.changed_labels == 0
    labels = drawn(LABELS, 1)
    labels[:2] = normalise(labels[:2] + 0.02 * drawn(2, 9))
    set_labels(options, labels)
    found = run(options, target_precision=0.8).calibration
    measured = {"error": found.error, "is_exact": found.is_exact}
    assert measured["error"] is not None
    assert found == Calibration(
        calibrated=True, items=ITEMS, changed_labels=2, labels=LABELS, **measured
    )


@pytest.mark.parametrize("option", ["target_precision", "coverage"])
@pytest.mark.parametrize("change", ["added", "reworded", "removed", "chosen"])
def test_a_promise_over_other_labels_is_refused(
    options: CatalogOptions, change: str, option: str
) -> None:
    """Whatever way three of ten labels are others; without the promise it is told only."""
    labels, chosen = drawn(LABELS + 3, 1), None
    if change == "added":
        labels[LABELS:] = drawn(3, 7)
        set_labels(options, labels)
    elif change == "reworded":
        labels[:3] = drawn(3, 7)
        set_labels(options, labels[:LABELS])
    elif change == "removed":
        set_labels(options, labels[: LABELS - 3])
    else:
        chosen = [f"l{row}" for row in range(LABELS - 3)]
    remedy = "labels calibrate --truth" if chosen is None else "Leave out --labels and --under"
    with pytest.raises(UsageError, match=rf"3 came, went or were reworded.*{remedy}") as refused:
        run(options, chosen, **{option: 0.8})
    assert ("--min-score" in str(refused.value)) == (option == "target_precision")
    assert run(options, chosen).calibration.changed_labels == 3


def test_calibrating_again_lifts_the_refusal(options: CatalogOptions) -> None:
    """The command that the refusal names works."""
    labels = drawn(LABELS + 4, 1)
    labels[LABELS:] = drawn(4, 7)
    set_labels(options, labels)
    with open_catalog(options, write=True) as catalog:
        calibrate(catalog, file=options.data_dir.parent / "truth.csv")
    assert run(options, target_precision=0.8).calibration.changed_labels == 0


@pytest.mark.parametrize("option", ["target_precision", "coverage"])
def test_labels_that_were_not_recorded_are_warned_of(
    options: CatalogOptions, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a catalog that an earlier version calibrated; the command that is named mends it."""
    with open_catalog(options, write=True) as catalog:
        folder = LabelledFolder(catalog.folder.labels)
        fits = folder.fits()
        del fits["calibrating_labels"]
        folder.save_fits(fits)
    assert run(options, **{option: 0.8}).calibration.changed_labels == 0
    name = "--" + option.replace("_", "-")
    (told,) = {one.getMessage() for one in caplog.records}
    assert told.startswith(f"{name}: the labels that scores were fitted over are not recorded")
    assert "zeroshelf labels calibrate --truth COLUMN --catalog" in told
    caplog.clear()
    with open_catalog(options, write=True) as catalog:
        calibrate(catalog, file=options.data_dir.parent / "truth.csv")
    run(options, **{option: 0.8})
    assert not caplog.records


def test_an_error_that_was_measured_over_other_labels_is_not_told(options: CatalogOptions) -> None:
    """Of three labels of ten the scores are other ones."""
    assert run(options).calibration.error is not None
    found = run(options, ["l0", "l1", "l2"]).calibration
    assert (found.calibrated, found.error, found.is_exact) == (True, None, False)


@pytest.mark.filterwarnings("error")
def test_a_single_label_has_a_score_of_one_on_calibrated_scores_too(
    options: CatalogOptions,
) -> None:
    """Its scores have no spread: dividing by that gave some items a score of 0."""
    assert run(options, ["l3"]).accepted == ITEMS
