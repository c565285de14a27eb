"""Labelled items and a background, from files to predictions, on catalogs in Milvus Lite."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import add_items, add_titles, set_labels

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import TaxonomyError, UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.jobs.adapt import adapt
from indexer.jobs.background import remove_background, save_background
from indexer.labels.examples import LabelledFolder
from indexer.labels.few_shot import StrengthChoice
from indexer.labels.strengths import choose_strengths
from queries.categorizing.categorize import categorize
from queries.classify import Classifier
from queries.commands.sentences import of_calibration, of_teaching
from queries.deciding import scorer_fit
from queries.deciding.question import Question
from queries.deciding.settings import Settings
from queries.teaching.calibrate import CalibrateReport, calibrate
from queries.teaching.held_out import HeldOut, Slice, cross_validated
from queries.teaching.teach import TeachReport, teach

LABELS = 4
ITEMS = 160
TRUTH = np.arange(ITEMS) % LABELS


def items_and_labels() -> tuple[FloatArray, FloatArray]:
    """Items in clear clusters of four labels, whose own vectors are half wrong."""
    generator = np.random.default_rng(5)
    centres = generator.normal(size=(LABELS, 16))
    items = normalise(centres[TRUTH] + 0.8 * generator.normal(size=(ITEMS, 16)))
    return items, normalise(centres + 1.6 * generator.normal(size=(LABELS, 16)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> CatalogOptions:
    """A catalog of 160 items; the labels l1 to l4 below the root l0."""
    options = CatalogOptions(data_dir=tmp_path_factory.mktemp("taught") / "data")
    items, labels = items_and_labels()
    add_items(options, items)
    root = normalise(labels.sum(axis=0))
    set_labels(options, np.vstack([root, labels]), ["", "l0", "l0", "l0", "l0"])
    return options


@pytest.fixture
def options(made: CatalogOptions, tmp_path: Path) -> CatalogOptions:
    """A copy that a test may change."""
    shutil.copytree(made.data_dir, tmp_path / "data")
    return CatalogOptions(data_dir=tmp_path / "data")


def write_truth(folder: Path, rows: Sequence[int], name: str = "truth.csv") -> Path:
    """The true labels of some items as a file."""
    lines = [f"i{row},l{1 + TRUTH[row]}" for row in rows]
    (folder / name).write_text("\n".join(["item_id,label_id", *lines]) + "\n")
    return folder / name


def taught(options: CatalogOptions, file: Path) -> TeachReport:
    """Teach a catalog by a file."""
    with open_catalog(options, write=True) as catalog:
        return teach(catalog, file=file)


def calibrated(options: CatalogOptions, file: Path, **more: Any) -> CalibrateReport:
    """Calibrate a catalog on a file."""
    with open_catalog(options, write=True) as catalog:
        return calibrate(catalog, file=file, **more)


def table_of(options: CatalogOptions, **asked: Any) -> dict[str, list[Any]]:
    """The columns that categorize writes."""
    to = options.data_dir / "result.parquet"
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, to, Question(settings=Settings(**asked), limit=LABELS))
    columns: dict[str, list[Any]] = pq.read_table(to).to_pydict()
    return columns


def accuracy(table: dict[str, list[Any]], rows: Sequence[int]) -> float:
    """Share of some items with their true label."""
    given = dict(zip(table["item_id"], table["label_id"], strict=True))
    return float(np.mean([given[f"i{row}"] == f"l{1 + TRUTH[row]}" for row in rows]))


def test_examples_raise_accuracy_on_other_items(options: CatalogOptions) -> None:
    """Ten of each label are taught; the rest gets better."""
    rest = range(40, ITEMS)
    before = accuracy(table_of(options), rest)
    report = taught(options, write_truth(options.data_dir, range(40)))
    assert (report.examples, report.labels, report.used) == (40, LABELS, True)
    assert report.log_loss < report.zero_shot_log_loss
    assert accuracy(table_of(options), rest) > before


def test_labels_without_examples_are_said(options: CatalogOptions) -> None:
    """How many, and that teaching has a price for them; nothing where each has some."""
    some = [row for row in range(40) if TRUTH[row]]
    report = taught(options, write_truth(options.data_dir, some))
    assert report.untaught_labels == 1
    told = " ".join(of_teaching(replace(report, used=True)))
    assert "without an example: 1." in told
    assert "without an example" not in " ".join(of_teaching(replace(report, untaught_labels=0)))


def test_what_is_left_out_and_replaced_is_said(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items whose label has others below it, a label with very many, and the examples before."""
    taught(options, write_truth(options.data_dir, range(30)))
    monkeypatch.setattr("queries.teaching.teach.EXAMPLES_PER_LABEL", 5)
    file = write_truth(options.data_dir, range(40))
    with file.open("a") as stream:
        stream.write("i50,l0\ni51,l0\n")  # the root
    report = taught(options, file)
    assert (report.examples, report.sampled_from, report.replaced) == (5 * LABELS, 40, 30)
    told = " ".join(of_teaching(report))
    assert f"{5 * LABELS} examples of {LABELS} labels are kept, of 40" in told
    assert "They take the place of the 30 that were there." in told
    assert "others below it, and that are left out: 2." in caplog.text
    caplog.clear()
    calibrated(options, file)
    assert "others below it, and that are left out: 2." in caplog.text


def test_a_single_query_is_decided_by_the_examples_too(options: CatalogOptions) -> None:
    """Classify and categorize say the same of a taught catalog."""
    taught(options, write_truth(options.data_dir, range(40)))
    table = table_of(options)
    items, _ = items_and_labels()
    with open_catalog(options) as catalog:
        found = Classifier(catalog).classify(items[:20], limit=1)
    given = dict(zip(table["item_id"], table["label_id"], strict=True))
    assert [one[0].label_id for one in found] == [given[f"i{row}"] for row in range(20)]


def test_one_example_each_changes_nothing(options: CatalogOptions) -> None:
    """Nothing can be validated, so the labels decide as they did, to the last bit."""
    before = table_of(options)
    report = taught(options, write_truth(options.data_dir, range(LABELS)))
    assert not report.used
    assert table_of(options)["score"] == before["score"]


def test_examples_that_do_not_help_change_no_decision(options: CatalogOptions) -> None:
    """Forty of one label: no score, no status and no threshold is another than before."""
    before = table_of(options)
    report = taught(options, write_truth(options.data_dir, range(0, ITEMS, LABELS)))
    assert (report.examples, report.used) == (40, False)
    after = table_of(options)
    assert {name: after[name] for name in ("score", "status", "unknown_score")} == {
        name: before[name] for name in ("score", "status", "unknown_score")
    }


def test_examples_are_validated_with_the_titles_that_classification_blends(
    options: CatalogOptions,
) -> None:
    """Titles that name the label lower the loss before teaching, and leave less to learn."""
    file = write_truth(options.data_dir, range(80))
    by_pictures = taught(options, file)
    _, labels = items_and_labels()
    add_titles(options, labels[TRUTH])
    blended = taught(options, file)
    assert blended.zero_shot_log_loss < 0.9 * by_pictures.zero_shot_log_loss
    assert by_pictures.used


def test_examples_outlive_a_change_of_the_labels(options: CatalogOptions) -> None:
    """They are fitted to the labels there are now; those of a label that is gone rest."""
    taught(options, write_truth(options.data_dir, range(40)))
    _, labels = items_and_labels()
    set_labels(options, labels[:3], ["", "", ""])
    table = table_of(options)
    assert set(table["label_id"]) <= {"l0", "l1", "l2"}


def test_the_choice_follows_the_items(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Items of the other labels come: it is made anew, and a reader says so until it is kept."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    items, labels = items_and_labels()
    add_items(options, items[TRUTH < 2])
    set_labels(options, labels)
    adapt(options, off=True)
    lines = [f"i{row},l{row % 2}" for row in range(40)]
    (tmp_path / "truth.csv").write_text("\n".join(["item_id,label_id", *lines]))
    before = taught(options, tmp_path / "truth.csv")
    assert before.used
    add_items(options, items[TRUTH >= 2], prefix="more")
    assert "labels teach" in warnings_of_a_reader(options, caplog)
    table_of(options)
    assert warnings_of_a_reader(options, caplog) == ""
    assert LabelledFolder(options.folder.labels).fits()["few_shot"]["items"] == ITEMS


def warnings_of_a_reader(options: CatalogOptions, caplog: pytest.LogCaptureFixture) -> str:
    """What a classifier says when it is made."""
    caplog.clear()
    with open_catalog(options) as catalog:
        Classifier(catalog)
    return caplog.text


def test_other_strengths_have_another_temperature(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they are chosen in another way than before, calibrated items are asked again."""
    folder = LabelledFolder(options.folder.labels)
    with monkeypatch.context() as earlier:
        earlier.setattr(scorer_fit, "_METHOD", "an earlier one")
        earlier.setattr(
            scorer_fit,
            "choose_strengths",
            lambda *given, **more: cautious(choose_strengths(*given, **more)),
        )
        taught(options, write_truth(options.data_dir, range(40)))
        calibrated(options, write_truth(options.data_dir, range(40, ITEMS)))
        before = folder.fits()["temperature"]["value"]
    table_of(options)
    after = folder.fits()["temperature"]["value"]
    assert after != before
    (folder.folder / "fits.json").unlink()
    table_of(options)
    assert folder.fits()["temperature"]["value"] == after


def cautious(choice: StrengthChoice) -> StrengthChoice:
    """Half as strong."""
    return replace(
        choice,
        discriminant_strength=choice.discriminant_strength / 2,
        cache_strength=choice.cache_strength / 2,
        kernel_strength=choice.kernel_strength / 2,
    )


def test_calibration_makes_scores_probabilities(options: CatalogOptions) -> None:
    """The mean score of the calibrated items is near the share of right ones."""
    report = calibrated(options, write_truth(options.data_dir, range(ITEMS)))
    scores = table_of(options)["score"]
    assert report.items == ITEMS
    assert abs(float(np.mean(scores)) - report.accuracy) < 0.1


def test_calibration_tells_how_scores_were_before(options: CatalogOptions) -> None:
    """The figures before are those of the uncalibrated table, also in a second calibration."""
    scores = np.array(table_of(options)["score"])
    report = calibrated(options, write_truth(options.data_dir, range(ITEMS)))
    assert report.mean_score_before == pytest.approx(scores.mean(), abs=1e-4)
    assert report.held_out.error < report.calibration_error_before
    assert calibrated(options, write_truth(options.data_dir, range(ITEMS))) == report


def test_held_out_scores_are_by_the_other_items(options: CatalogOptions) -> None:
    """Each tenth is scored by a temperature that its own items have no part in."""
    calibrated(options, write_truth(options.data_dir, range(ITEMS)))
    with open_catalog(options) as catalog:
        predictor = Classifier(catalog).predictor
        items = LabelledFolder(catalog.folder.labels).items("calibrating")
    assert items is not None
    scores, _ = cross_validated(predictor, items)
    others = np.flatnonzero(np.arange(len(items)) != 3)
    # What one item is called changes its own score as little as that of its fold's others.
    fooled = replace(
        items,
        label_ids=tuple(
            "l1" if row == 3 and name != "l1" else "l2" if row == 3 else name
            for row, name in enumerate(items.label_ids)
        ),
    )
    moved = cross_validated(predictor, fooled)[0]
    assert moved[3] == scores[3]
    assert (moved[others] != scores[others]).sum() >= ITEMS * 0.8


def test_scores_are_blamed_by_what_they_were(options: CatalogOptions) -> None:
    """By the mean score beside the share that is right, whatever the pictures' temperature is."""
    report = calibrated(options, write_truth(options.data_dir, range(100)))
    told = [
        " ".join(
            of_calibration(
                replace(report, mean_score_before=report.accuracy + gap, temperature=2.4), None
            )
        )
        for gap in (-0.01, 0.2, -0.2)
    ]
    assert "neither too cautious nor too sure" in told[0]
    assert "are too sure" in told[1]
    assert "are too cautious" in told[2]


def test_scores_are_called_probabilities_only_where_nothing_is_off(
    options: CatalogOptions,
) -> None:
    """By the error of all held-out items, and by that of the slice that is furthest off."""
    report = calibrated(options, write_truth(options.data_dir, range(ITEMS)))
    fine = replace(report.held_out, error=0.05, exact_error_high=0.06, off=None)
    off = Slice(name="without a title", items=31, mean_score=0.9, accuracy=0.4)

    def told(measured: HeldOut) -> str:
        return " ".join(of_calibration(replace(report, held_out=measured), None))

    assert "probabilities as far as 160 items can tell" in told(fine)
    for measured in (replace(fine, error=0.07), replace(fine, off=off)):
        assert "not probabilities yet" in told(measured)
        assert "as far as" not in told(measured)
    worse = replace(fine, log_loss=0.6, log_loss_before=0.5, log_loss_deviation=0.04)
    assert "labels calibrate --forget" in told(worse)
    assert "probabilities as far as" not in told(worse)
    assert "--forget" not in told(replace(worse, log_loss_deviation=0.06))
    assert "31 items without a title: a score of 90% on the mean, and 40% right" in told(
        replace(fine, off=off)
    )


def test_a_target_precision_is_kept_on_the_items_it_came_from(options: CatalogOptions) -> None:
    """Of those accepted, more than the target are right."""
    taught(options, write_truth(options.data_dir, range(40)))
    calibrated(options, write_truth(options.data_dir, range(40, ITEMS)))
    table = table_of(options, target_precision=0.9)
    accepted = [
        int(item[1:])
        for item, status in zip(table["item_id"], table["status"], strict=True)
        if status == "accepted" and int(item[1:]) >= 40
    ]
    assert len(accepted) > 20
    assert accuracy(table, accepted) >= 0.9


def test_a_target_out_of_reach_accepts_nothing(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so."""
    calibrated(options, write_truth(options.data_dir, range(20)))
    table = table_of(options, target_precision=0.999)
    assert "accepted" not in table["status"]
    assert "no score reaches a precision" in caplog.text


def test_a_target_needs_labelled_items(options: CatalogOptions) -> None:
    """The remedy is named."""
    with pytest.raises(UsageError, match="labels calibrate"):
        table_of(options, target_precision=0.9)


def test_what_was_taught_does_not_calibrate(options: CatalogOptions) -> None:
    """Labels look surer on items that they were taught by; the items before stay."""
    file = write_truth(options.data_dir, range(40))
    taught(options, file)
    with pytest.raises(UsageError, match="other items"):
        calibrated(options, file)
    assert LabelledFolder(options.folder.labels).items("calibrating") is None


def test_a_level_rolls_up_what_was_taught(options: CatalogOptions) -> None:
    """All labels hang below one root, which has all the probability."""
    taught(options, write_truth(options.data_dir, range(40)))
    table = table_of(options, level=1)
    assert set(table["label_id"]) == {"l0"}
    assert table["score"] == pytest.approx([1.0] * ITEMS)


def test_a_level_that_is_not_there_is_refused(options: CatalogOptions) -> None:
    """The taxonomy has two."""
    with pytest.raises(UsageError, match="2 levels"):
        table_of(options, level=3)


def test_back_off_reaches_the_root(options: CatalogOptions) -> None:
    """What no leaf is sure of, their parent is."""
    table = table_of(options, back_off=0.999)
    assert "l0" in table["label_id"]
    assert set(table["status"]) == {"accepted"}


def test_labels_on_their_own_without_a_model(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has a status, and the mean label stands for neutral prompts."""
    table = table_of(options, multi_label=True)
    assert {"status", "status_2", "score_2"} <= set(table)
    assert "no model is at hand" in caplog.text


def add_background(options: CatalogOptions) -> int:
    """Words around the labels, and foreign items that are such words; returns how many."""
    _, labels = items_and_labels()
    generator = np.random.default_rng(9)
    near = normalise(np.repeat(labels, 5, axis=0) + 0.25 * generator.normal(size=(20, 16)))
    words = options.data_dir / "words.txt"
    words.write_text("\n".join(f"word {row}" for row in range(20)))
    np.save(options.data_dir / "words.npy", near)
    return save_background(options, words, vectors=options.data_dir / "words.npy")


def test_a_background_tells_unknowns(options: CatalogOptions) -> None:
    """Unknown scores change with it, and without it are as they were."""
    before = table_of(options)["unknown_score"]
    assert add_background(options) == 20
    assert table_of(options)["unknown_score"] != before
    remove_background(options)
    assert table_of(options)["unknown_score"] == before


def test_a_background_is_fitted_once(options: CatalogOptions) -> None:
    """Classify takes what categorize fitted."""
    add_background(options)
    table = table_of(options)
    items, _ = items_and_labels()
    with open_catalog(options) as catalog:
        found = Classifier(catalog).classify(items[:1], limit=1)
    place = table["item_id"].index("i0")
    assert found[0][0].unknown_score == pytest.approx(table["unknown_score"][place], abs=1e-4)
    assert len(list((options.folder.labels / "background").glob("*.npz"))) == 1


def test_labels_on_their_own_compete_with_the_background(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Words around the labels are stiffer rivals than the mean label; no model is missed."""
    before = table_of(options, multi_label=True)["score"]
    caplog.clear()
    add_background(options)
    after = table_of(options, multi_label=True)["score"]
    assert np.mean(after) < np.mean(before)
    assert "no model is at hand" not in caplog.text


def test_a_background_must_fit(options: CatalogOptions, tmp_path: Path) -> None:
    """No name, no row, another width: each is named."""
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    with pytest.raises(TaxonomyError, match="has no name"):
        save_background(options, empty)
    words = tmp_path / "words.txt"
    words.write_text("mug\ncup\n")
    np.save(tmp_path / "one.npy", np.ones((1, 16)))
    with pytest.raises(TaxonomyError, match="there are 2 background names"):
        save_background(options, words, vectors=tmp_path / "one.npy")
    np.save(tmp_path / "wide.npy", np.ones((2, 17)))
    with pytest.raises(TaxonomyError, match="width 17"):
        save_background(options, words, vectors=tmp_path / "wide.npy")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n", "item_id and label_id"),
        ("item_id,label_id\ni1,nonsense\n", "is no label"),
        ("item_id,label_id\nelsewhere,l1\n", "none of the items"),
        ("item_id,label_id\ni1,\n", "nothing to learn from"),
        ("item_id,label_id\ni1,l0\n", "nothing to learn from"),
    ],
    ids=["columns", "label", "items", "empty", "inner"],
)
def test_bad_truth_is_named(options: CatalogOptions, content: str, told: str) -> None:
    """Columns, labels, items; empty values and inner labels teach nothing."""
    file = options.data_dir / "bad.csv"
    file.write_text(content)
    with pytest.raises(UsageError, match=told):
        taught(options, file)


def test_too_few_items_do_not_calibrate(options: CatalogOptions) -> None:
    """How many are needed is said."""
    with pytest.raises(UsageError, match="takes 10 labelled items"):
        calibrated(options, write_truth(options.data_dir, range(3)))


def test_where_the_truth_is_must_be_said(options: CatalogOptions) -> None:
    """A file or a column; a column that is there."""
    with open_catalog(options, write=True) as catalog:
        with pytest.raises(UsageError, match="either a FILE"):
            teach(catalog)
        with pytest.raises(UsageError, match="no such column"):
            teach(catalog, truth="nope")
