"""The benchmarks run on any labelled set, and measure what they say."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import serving, tables
from benchmarks.quality import (
    batches,
    examples,
    labels,
    multi_label,
    objects,
    people,
    stress,
    unknowns,
    week,
)
from benchmarks.quality.multi_label import MultiLabelSet
from benchmarks.quality.sets import LabelledSet, label_set
from benchmarks.quality.settings import SETTINGS
from benchmarks.quality.table import Row, show
from indexer.core.boxes import FoundObject
from indexer.core.vectors import normalise
from pocket.scenes import SceneObject


def test_a_process_that_has_ended_has_no_memory() -> None:
    """Decoders end and are replaced while they are listed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert serving.memory_mib(process.pid) > 0
    assert serving.memory_mib(process.pid) == 0


@pytest.fixture(scope="module")
def drawn() -> LabelledSet:
    """300 items of 10 classes around their labels, some without a truth."""
    random = np.random.default_rng(0)
    labels = random.normal(size=(10, 16))
    truth = random.integers(10, size=300)
    items = normalise(labels[truth] + 0.8 * random.normal(size=(300, 16)))
    truth[:20] = -1
    return LabelledSet(
        name="drawn",
        items=items,
        labels=label_set([f"l{n}" for n in range(10)], normalise(labels)),
        truth=truth,
        logit_scale=20.0,
        model="none",
    )


def test_figures_are_those_of_the_items_with_a_truth(drawn: LabelledSet) -> None:
    """Plain top-1 is numpy's; the surest are not worse than all; the goal is plain's figure."""
    known = drawn.truth >= 0
    best = (drawn.items @ drawn.labels.vectors.T).argmax(axis=1)
    top1, surest = labels.measure(drawn)
    assert top1.plain == pytest.approx((best == drawn.truth)[known].mean())
    assert surest.reached >= top1.reached > 0.5
    assert top1.goal == top1.plain
    assert top1.low is not None
    assert top1.high is not None
    assert top1.low <= top1.reached <= top1.high


def test_a_set_with_goals_is_measured_by_halves_too(drawn: LabelledSet) -> None:
    """Fashion's name brings fashion's goals."""
    rows = list(labels.measure(replace(drawn, name="fashion, 32 labels")))
    assert [row.goal for row in rows] == [0.89, 0.96, 0.89, 0.96]
    assert rows[2].how != rows[0].how


def test_the_stress_draws_what_it_says(drawn: LabelledSet) -> None:
    """Numbers of items and of classes; the worst kind is the one that is told."""
    random = np.random.default_rng(1)
    sizes = {name: draw(drawn, random) for name, draw in stress.STRESS.items()}
    assert len(sizes["16 items"]) == 16
    assert len(np.unique(drawn.truth[sizes["3 classes"]])) == 3
    main = np.bincount(drawn.truth[sizes["90% one class"]]).max()
    assert main / len(sizes["90% one class"]) == pytest.approx(0.9, abs=0.02)
    assert len(np.unique(drawn.truth[sizes["power law"]])) == 10
    found = list(stress.stress(drawn, 2))
    assert [row["draw"] for row in found] == list(stress.STRESS)
    assert stress.worst(drawn, 2).reached == min(row["gain"] for row in found)


def test_examples_and_calibration_are_measured_on_other_items(drawn: LabelledSet) -> None:
    """Examples help on this set; probabilities are nearer the truth than before."""
    assert len(examples.examples_of(drawn, "half", np.random.default_rng(0))) <= 140
    taught = examples.few_shot(drawn, "half")
    assert taught.plain is not None
    assert taught.reached > 0.5
    scores = examples.scorer_of(drawn).scores(drawn.items)
    row = examples.calibration(drawn.name, scores, drawn)
    assert row.lower_is_better
    assert 0 < row.reached < 0.3


def test_batches_of_few_classes_are_told_with_their_worst_tenth(
    drawn: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst tenth, of two runs here, is no better than the mean; both ranges have classes."""
    monkeypatch.setattr(batches, "RUNS", 20)
    found = list(batches.rows(drawn))
    assert [row.what.split("top-1, ")[1] for row in found] == [
        f"{classes} classes a batch, {kind}"
        for classes in ("1 to 4", "5 to 25")
        for kind in ("mean", "worst tenth of runs")
    ]
    for mean, worst in (found[:2], found[2:]):
        assert worst.low is not None
        assert worst.low <= worst.reached <= mean.reached


def test_what_labelled_items_are_good_for_is_measured(drawn: LabelledSet) -> None:
    """Random examples help on this set, sets cover, and the queue is better than chance."""
    examples_row, covered, size, first, second = people.rows(drawn)
    assert examples_row.plain is not None
    assert examples_row.reached >= examples_row.plain - 0.01
    assert covered.reached > people.COVERAGE - 0.02
    assert size.reached >= 1
    for row in (first, second):
        assert row.more is not None
        assert row.reached <= row.more["by_chance"]


def test_removed_labels_are_unknown(drawn: LabelledSet) -> None:
    """A background that holds the removed names tells their items better than the cosine."""
    random = np.random.default_rng(3)
    names = [f"l{n}" for n in range(40)]
    vectors = normalise(random.normal(size=(40, 24)))
    truth = random.integers(32, size=400)
    items = normalise(vectors[truth] + 0.1 * random.normal(size=(400, 24)))
    full, subset = (
        replace(drawn, items=items, truth=truth, labels=label_set(names[:count], vectors[:count]))
        for count in (40, 32)
    )
    with_names, packaged, strict = unknowns.removed_labels(full, subset)
    assert with_names.reached > 0.95
    assert packaged.reached <= with_names.reached
    assert strict.reached <= with_names.reached


def test_mean_average_precision_by_hand() -> None:
    """Hits in the places 1 and 3: (1 + 2/3) / 2; a label that never holds does not count."""
    scores = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    truth = np.array([[True, False], [False, False], [True, False]])
    assert multi_label.mean_average_precision(scores, truth) == pytest.approx(5 / 6)


def test_labels_on_their_own_are_measured() -> None:
    """Two labels hold of each item, far from the neutral one: all are found."""
    axes = np.eye(4, dtype=np.float32)
    truth = np.array([[True, True, False], [False, True, True], [True, False, True]])
    row = multi_label.measure(
        MultiLabelSet(
            name="three",
            items=normalise(truth @ axes[:3]),
            labels=axes[:3],
            neutral=normalise(axes[3:] + 0.2),
            words=normalise(axes[3:] + 0.1),
            truth=truth,
            logit_scale=50.0,
            about="By hand.",
        )
    )
    assert row.reached == row.plain == 1.0
    assert row.more == {"precision": 1.0, "recall": 1.0, "by_prompts": 1.0}


def test_everything_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row, each note once with its number, each setting."""
    rows = [
        Row(what="one", plain=0.5, reached=0.7, goal=0.6, how="A split."),
        Row(what="two", plain=None, reached=0.7, goal=0.6, how="A split.", lower_is_better=True),
        Row(what="three", plain=None, reached=0.7, goal=None, low=0.6, high=0.8, how="Draws."),
    ]
    assert [row.met for row in rows] == [True, False, None]
    show(rows, SETTINGS)
    shown = capsys.readouterr().out
    assert shown.count("A split.") == 1
    assert all(setting.name in shown for setting in SETTINGS)
    assert rows[1].cells == ["two", "", "0.7000", "", "0.6", "short"]
    assert rows[2].cells == ["three", "", "0.7000", "0.600-0.800", "", ""]


def test_rows_of_a_table_are_all_read() -> None:
    """Both ways of reading see each row of the table that is written."""
    (row,) = tables.measure(300)
    assert row["unit"] == "rows/s"
    assert min(row["ours"], row["theirs"], row["ratio"]) > 0


def test_a_week_of_changes_is_measured(drawn: LabelledSet) -> None:
    """Labels that come late or are reworded, and days of random changes."""
    late, changed, weeks = week.rows(drawn)
    assert late.plain is not None
    assert 0 < late.plain <= 1
    assert 0 < changed.reached <= 1
    assert weeks.low is not None
    assert weeks.high is not None
    assert -0.5 < weeks.low <= weeks.reached <= weeks.high < 0.5


def test_a_reworded_label_is_near_what_it_was(drawn: LabelledSet) -> None:
    """A cosine of 0.995."""
    before = drawn.labels.vectors[3]
    after = week.reworded(before, np.random.default_rng(1))
    assert float(before @ after) == pytest.approx(week.COSINE, abs=1e-5)


def test_an_object_and_a_region_are_one_pair_at_most() -> None:
    """The nearest pairs first; what overlaps too little is none."""
    things = [
        SceneObject(name=name, colour="", pattern="", box=box)
        for name, box in (("mug", (0, 0, 10, 10)), ("hat", (6, 0, 10, 10)), ("bed", (50, 50, 9, 9)))
    ]
    regions = [
        FoundObject(box=box, score=1.0)
        for box in ((5, 0, 10, 10), (4, 0, 10, 10), (90, 90, 10, 10))
    ]
    pairs = [(thing.name, region.box) for thing, region in objects.matched(things, regions)]
    assert pairs == [("hat", (5, 0, 10, 10)), ("mug", (4, 0, 10, 10))]
    assert not list(objects.matched(things, []))
