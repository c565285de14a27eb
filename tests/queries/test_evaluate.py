"""Evaluations of small tables, worked by hand, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from catalogs import make_catalog

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import CatalogError, UsageError
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.labels.examples import LabelledFolder, LabelledItems
from indexer.sources import TableOptions
from queries.evaluation.evaluate import Evaluation, as_json, evaluate
from queries.evaluation.mistakes import OF_A_KIND, surest_mistakes

# label ids, names, parents: clothes > (shirt, shoe), and mug alone
LABELS = [
    {"id": "c", "name": "clothes"},
    {"id": "c1", "name": "shirt", "parent": "c"},
    {"id": "c2", "name": "shoe", "parent": "c"},
    {"id": "1.10", "name": "mug"},
]
ITEMS = [
    {"id": "a", "title": "A", "truth": "c1", "shop": "north"},
    {"id": "b", "title": "B", "truth": "shirt", "shop": "north"},
    {"id": "c", "title": "C", "truth": "c2", "shop": "south"},
    {"id": "d", "title": "D", "truth": 1.1, "shop": 7},
    {"id": "e", "title": "E", "truth": "sofa"},
    {"id": "f", "title": "F"},
]
GIVEN: dict[str, list[Any]] = {
    "item_id": [*"abcdef"],
    "label_id": ["c1", "c2", "c2", "c1", "c1", "c1"],
    "label": ["shirt", "shoe", "shoe", "shirt", "shirt", "shirt"],
    "score": [0.9, 0.8, 0.7, 0.6, 0.1, 0.2],
    "label_id_2": ["c2", "c1", "c1", "c2", "c2", "c2"],
}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> CatalogOptions:
    """A catalog of six items with metadata and four labels, three of them leaves."""
    folder = tmp_path_factory.mktemp("evaluate")
    found = CatalogOptions(data_dir=folder / "data")
    vectors = np.eye(8, dtype=np.float32)
    for name, rows in (("items", ITEMS), ("labels", LABELS)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        np.save(folder / f"{name}.npy", vectors[: len(rows)])
    table = TableOptions(vectors=str(folder / "items.npy"))
    sizes = PipelineSizes(workers=1, batch_size=8)
    ingest(found, [str(folder / "items.jsonl")], IngestOptions(table=table, sizes=sizes))
    add_labels(found, str(folder / "labels.jsonl"), vectors=folder / "labels.npy")
    return found


@pytest.fixture
def catalog(options: CatalogOptions) -> Iterator[OpenCatalog]:
    """The catalog, opened."""
    with open_catalog(options) as opened:
        yield opened


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """What categorize might have written."""
    path = tmp_path / "out.parquet"
    pq.write_table(pa.table(GIVEN), path)
    return path


def write(path: Path, **changes: Any) -> Path:
    """The table with other columns; None takes one away."""
    columns = {name: values for name, values in (GIVEN | changes).items() if values is not None}
    pq.write_table(pa.table(columns), path)
    return path


def measured(catalog: OpenCatalog, table: Path, **options: Any) -> Evaluation:
    """An evaluation against the metadata's truth, in which a sofa is none of the labels."""
    return evaluate(catalog, table, **({"truth": "truth", "unknown": ["sofa"]} | options))


def test_items_are_counted(catalog: OpenCatalog, table: Path) -> None:
    """Four have a label as truth, one none of them, one no truth."""
    found = measured(catalog, table)
    assert (found.items, found.unknowns, found.unlabelled) == (4, 1, 1)


def test_accuracy(catalog: OpenCatalog, table: Path) -> None:
    """Of shirt, shirt, shoe, mug the first and third are right; classes: 1/2, 1, 0."""
    found = measured(catalog, table)
    assert found.measures["acc1"] == 0.5
    assert found.measures["mean_per_class_recall"] == 0.5


def test_acc5_needs_five_labels_or_all(catalog: OpenCatalog, tmp_path: Path) -> None:
    """Two labels for each item of three say nothing of it; all three do."""
    two = write(tmp_path / "two.parquet")
    assert np.isnan(measured(catalog, two).measures["acc5"])
    three = write(tmp_path / "three.parquet", label_id_3=["1.10"] * 6)
    assert measured(catalog, three).measures["acc5"] == 1.0


def test_hierarchy(catalog: OpenCatalog, table: Path) -> None:
    """A shirt called a shoe shares clothes: 2 + 1 + 2 + 0 of 8 given, and of 7 true."""
    found = measured(catalog, table)
    assert found.measures["hierarchical_precision"] == 5 / 8
    assert found.measures["hierarchical_recall"] == 5 / 7


def test_levels(catalog: OpenCatalog, table: Path) -> None:
    """At the top three of four are right, below two of the three that are so deep."""
    levels = [(one.name, one.items, one.acc1) for one in measured(catalog, table).levels]
    assert levels == [("1", 4, 0.75), ("2", 3, 2 / 3)]


AT_THE_TOP: dict[str, list[Any]] = {
    "label_id": ["c", "c", "c", "c", "c", "1.10"],
    "label_id_2": ["1.10", "1.10", "1.10", "1.10", "1.10", "c"],
}


def test_figures_are_of_the_level_that_the_table_is_of(
    catalog: OpenCatalog, tmp_path: Path
) -> None:
    """With --level 1 a shirt is right as clothes: three of four, and the mug is wrong."""
    found = measured(catalog, write(tmp_path / "top.parquet", **AT_THE_TOP))
    assert (found.level, found.labels) == (1, 2)
    assert found.measures["acc1"] == 0.75
    assert [(group.name, group.acc1) for group in found.levels] == []
    assert {confusion.truth_id for confusion in found.confusions} == {"1.10"}
    assert (found.measures["acc5"], as_json(found)["level"]) == (1.0, 1)


def test_labels_that_were_backed_off_have_no_level(catalog: OpenCatalog, tmp_path: Path) -> None:
    """A shirt that backed off to clothes stands beside a shoe: truths stay leaves."""
    path = write(tmp_path / "back.parquet", label_id=["c", "c2", "c2", "c1", "c1", "c1"])
    found = measured(catalog, path)
    assert (found.level, found.measures["acc1"]) == (None, 0.25)


def test_unknown_score_is_one_minus_the_score(catalog: OpenCatalog, table: Path) -> None:
    """The sofa has the lowest score of all that count."""
    assert measured(catalog, table).measures["auroc_unknown"] == 1.0


def test_unknown_score_of_the_table_counts_first(catalog: OpenCatalog, tmp_path: Path) -> None:
    """Where the column is there, the score is not asked."""
    doubts = [0.1, 0.9, 0.9, 0.9, 0.5, 0.5]
    path = write(tmp_path / "out.parquet", unknown_score=doubts)
    assert measured(catalog, path).measures["auroc_unknown"] == 0.25


def test_an_empty_truth_may_be_unknown(catalog: OpenCatalog, table: Path) -> None:
    """Some catalogs leave the truth empty where no label fits."""
    found = measured(catalog, table, unknown=["sofa", ""])
    assert (found.unknowns, found.unlabelled) == (2, 0)


def test_items_that_were_learnt_from_are_left_out(
    options: CatalogOptions, table: Path, request: pytest.FixtureRequest
) -> None:
    """Of the four with a label the shoe was taught and the mug calibrates; both are counted."""
    with open_catalog(options, write=True) as catalog:
        folder = LabelledFolder(catalog.folder.labels)
        vectors = np.eye(8, dtype=np.float32)
        folder.save_items("taught", LabelledItems(("c",), ("c2",), vectors[:1]))
        folder.save_items(
            "calibrating", LabelledItems(("c", "d", "x"), ("c2", "1.10", "c1"), vectors[:3])
        )
        request.addfinalizer(
            lambda: (folder.save_items("taught", None), folder.save_items("calibrating", None))
        )
        found = measured(catalog, table)
        both = measured(catalog, table, include_taught=True)
        (groups,) = measured(catalog, table, slices=["shop"]).slices.values()
        folder.save_items(
            "calibrating", LabelledItems(("a", "b", "d"), ("c1", "c1", "1.10"), vectors[:3])
        )
        with pytest.raises(UsageError, match=r"taught \(1\) or calibrated on \(3\).*--include"):
            measured(catalog, table)
        on_these = measured(catalog, table, include_taught=True)
        assert (on_these.items, on_these.measures["acc1"]) == (4, 0.5)
        assert (both.of_training, on_these.of_training) == (False, True)
    assert (found.items, found.unknowns, found.taught, found.calibrating) == (2, 1, 1, 1)
    assert (found.measures["acc1"], found.with_taught) == (0.5, None)
    assert sum(group.items for group in groups) == 2
    assert both.measures == pytest.approx(dict(found.measures), nan_ok=True)
    assert both.with_taught is not None
    assert (both.with_taught["items"], both.with_taught["acc1"]) == (4, 0.5)
    ece = "expected_calibration_error"
    assert both.with_taught[ece] != both.measures[ece]
    assert as_json(both)["with_taught"][ece] == both.with_taught[ece]
    assert as_json(found)["taught"] == as_json(found)["calibrating"] == 1
    assert "c" not in found.outcomes.item_ids


def test_labels_out_of_play_are_unknowns(catalog: OpenCatalog, table: Path) -> None:
    """Without the mug among the labels, mugs are none of them."""
    found = measured(catalog, table, restrict_to=["shirt", "shoe"])
    assert (found.items, found.unknowns, found.labels) == (3, 2, 2)


def test_slices(catalog: OpenCatalog, table: Path) -> None:
    """Accuracy by a column of the metadata; numbers are texts."""
    (groups,) = measured(catalog, table, slices=["shop"]).slices.values()
    assert [(one.name, one.items, one.acc1) for one in groups] == [
        ("north", 2, 0.5),
        ("south", 1, 1.0),
        ("7", 1, 0.0),
    ]
    assert all(one.low <= one.acc1 <= one.high for one in groups)


def test_slice_by_a_column_of_the_table(catalog: OpenCatalog, tmp_path: Path) -> None:
    """What categorize wrote may be sliced by; no value is a group too."""
    path = write(tmp_path / "out.parquet", status=["accepted", "review", None, None, "x", "x"])
    (groups,) = measured(catalog, path, slices=["status"]).slices.values()
    assert {one.name: one.items for one in groups} == {"(none)": 2, "accepted": 1, "review": 1}


def test_truth_of_the_table_comes_first(catalog: OpenCatalog, tmp_path: Path) -> None:
    """A column of that name in the table is taken, not the metadata's."""
    path = write(tmp_path / "out.parquet", truth=["c1", "c2", "c2", "c1", None, ""])
    found = measured(catalog, path)
    assert (found.items, found.measures["acc1"]) == (4, 1.0)


def test_confusions_and_classes(catalog: OpenCatalog, table: Path) -> None:
    """A shirt was called a shoe, a mug a shirt."""
    found = measured(catalog, table)
    pairs = [(one.truth_id, one.predicted_id, one.items) for one in found.confusions]
    assert pairs == [("1.10", "c1", 1), ("c1", "c2", 1)]
    shirt = found.classes[0]
    assert (shirt.label, shirt.items, shirt.predicted) == ("shirt", 2, 2)
    assert (shirt.recall, shirt.precision) == (0.5, 0.5)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_other_formats_say_the_same(
    catalog: OpenCatalog, table: Path, tmp_path: Path, suffix: str
) -> None:
    """CSV and JSON lines, as categorize writes them."""
    path = tmp_path / f"out{suffix}"
    rows = pq.read_table(table)
    if suffix == ".csv":
        pc.write_csv(rows, path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows.to_pylist()))
    expected = measured(catalog, table).measures
    assert measured(catalog, path).measures == pytest.approx(expected, nan_ok=True)


def test_json_has_no_nan(catalog: OpenCatalog, table: Path) -> None:
    """JSON knows no nan: what can't be measured is null."""
    text = json.dumps(as_json(measured(catalog, table)), allow_nan=False)
    assert json.loads(text)["measures"]["acc5"] is None


def test_surest_mistakes(catalog: OpenCatalog, table: Path) -> None:
    """The wrong labels by score, with title; a sofa has no right label to miss."""
    found = surest_mistakes(catalog, measured(catalog, table).outcomes, limit=5)
    assert [(one.item_id, one.title, one.score) for one in found] == [
        ("b", "B", 0.8),
        ("d", "D", 0.6),
    ]


def test_mistakes_of_one_kind_do_not_fill_the_list(tmp_path: Path) -> None:
    """Eight items of one pair, and a less sure one of another: it is shown."""
    vectors = np.eye(16, dtype=np.float32)
    options = make_catalog(tmp_path / "data", vectors[:12], vectors[:3])
    path = tmp_path / "out.parquet"
    columns = {
        "item_id": [f"i{row}" for row in range(12)],
        "label_id": ["l0"] * 12,
        "score": [0.9] * 8 + [0.3] * 4,
        "truth": ["l1"] * 8 + ["l2"] + ["l0"] * 3,
    }
    pq.write_table(pa.table(columns), path)
    with open_catalog(options) as catalog:
        outcomes = evaluate(catalog, path, truth="truth").outcomes
        found = surest_mistakes(catalog, outcomes, limit=OF_A_KIND + 1)
    assert [one.truth_id for one in found] == ["l1"] * OF_A_KIND + ["l2"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"truth": "truht"}, r"no column 'truht' for --truth\. Did you mean 'truth'\?.*shop"),
        ({"truth": "label"}, r"no column 'label' for --truth \(what categorize wrote there is no"),
        ({"slices": ["shpo"]}, r"no column 'shpo' for --slice\. Did you mean 'shop'"),
        ({"unknown": []}, r"'sofa' \(1 item\) is no label"),
        ({"restrict_to": ["nix"]}, "There is no label 'nix'"),
    ],
)
def test_refused_options(catalog: OpenCatalog, table: Path, asked: Any, told: str) -> None:
    """Each message names the column or value, and a remedy."""
    with pytest.raises(UsageError, match=told):
        measured(catalog, table, **asked)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"score": None}, "has no column 'score': it must be one that zeroshelf categorize wrote"),
        (
            {"label_id": ["zz"] * 6},
            r"has labels that the catalog does not have \(1, such as 'zz'\).*another label",
        ),
        ({"item_id": ["a"] * 6}, "has item 'a' more than once"),
        ({"item_id": [*"uvwxyz"]}, "catalog 'catalog' has none of the 6 items"),
        ({"score": ["x"] * 6}, "item 'a' has the score 'x', which is no number"),
        ({"truth": [None] * 6}, "none of the 6 items has a truth that is a label"),
        ({"truth": ["c1"] * 6}, "all 6 items with a truth in column 'truth' are 'c1': one class"),
    ],
)
def test_refused_tables(catalog: OpenCatalog, tmp_path: Path, changes: Any, told: str) -> None:
    """A table that can't be measured says why."""
    with pytest.raises(UsageError, match=told):
        measured(catalog, write(tmp_path / "out.parquet", **changes))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("out.parquet", b"PAR1", "can't be read"),
        ("out.csv", b"a,a\n1,2\n", "a column occurs twice"),
        ("out.csv", b"\xff\xfe", "can't be read"),
        ("out.csv", b"", "can't be read"),
        ("out.jsonl", b"{", "can't be read"),
        ("out.txt", b"", "must end in .parquet, .csv, .jsonl"),
        (None, b"", "does not exist. Make it with: zeroshelf categorize"),
    ],
)
def test_refused_files(
    catalog: OpenCatalog, tmp_path: Path, name: str | None, content: bytes, told: str
) -> None:
    """A file that is not a table says so, by its name."""
    if name:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=told):
        measured(catalog, tmp_path / (name or "none.csv"))


def test_an_empty_label_set(table: Path, tmp_path: Path) -> None:
    """A catalog without labels has nothing to be right with."""
    (tmp_path / "i.jsonl").write_text('{"id": "a", "title": ""}\n')
    np.save(tmp_path / "i.npy", np.eye(1, 8, dtype=np.float32))
    options = CatalogOptions(data_dir=tmp_path / "data")
    given = TableOptions(vectors=str(tmp_path / "i.npy"))
    sizes = PipelineSizes(workers=1, batch_size=8)
    ingest(options, [str(tmp_path / "i.jsonl")], IngestOptions(table=given, sizes=sizes))
    with open_catalog(options) as catalog, pytest.raises(CatalogError, match="has no labels"):
        measured(catalog, table)


def version_of(catalog: OpenCatalog, *label_ids: str) -> str:
    """What categorize writes of these active labels: their version, then that of the head."""
    return f"{catalog.label_set.subset(label_ids).version}+adapted"


def test_a_table_of_the_present_labels_says_so(
    catalog: OpenCatalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The version is that of all leaves: three are active, and nothing to warn of."""
    version = [version_of(catalog, "c1", "c2", "1.10")] * 6
    found = measured(catalog, write(tmp_path / "t.parquet", label_version=version))
    assert (found.labels, found.labels_certain) == (3, True)
    assert not caplog.records


def test_a_table_of_some_labels_counts_those_only(
    catalog: OpenCatalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its labels are found by their version; the mug of item d is none of them."""
    version = [version_of(catalog, "c1", "c2")] * 6
    found = measured(catalog, write(tmp_path / "t.parquet", label_version=version))
    assert (found.labels, found.labels_certain) == (2, True)
    assert (found.items, found.unknowns) == (3, 2)
    assert not caplog.records


def test_other_labels_than_those_of_the_table_are_told(
    catalog: OpenCatalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The table's own are measured: naming one label made a table of all a restricted one."""
    all_leaves = write(
        tmp_path / "t.parquet",
        label_version=[version_of(catalog, "c1", "c2", "1.10")] * 6,
        label_id_3=["1.10"] * 6,
    )
    found = measured(catalog, all_leaves, restrict_to=["shirt"])
    assert (found.items, found.unknowns, found.labels) == (4, 1, 3)
    assert "was made with all labels, not with the --labels given" in caplog.text


def test_a_truth_above_an_active_label_is_not_one_of_no_label(
    catalog: OpenCatalog, tmp_path: Path
) -> None:
    """Some clothes, where shirts and shoes are active; where only mugs are, they are unknown."""
    truths = ["c", "c1", "c2", "1.10", "sofa", None]
    clothes = write(
        tmp_path / "t.parquet", label_version=[version_of(catalog, "c1", "c2")] * 6, typed=truths
    )
    found = measured(catalog, clothes, truth="typed")
    assert (found.items, found.unknowns) == (3, 2)
    no_version = write(tmp_path / "u.parquet", typed=truths)
    found = measured(catalog, no_version, truth="typed", restrict_to=["mug"])
    assert (found.items, found.unknowns) == (1, 4)


def test_scores_of_upper_labels_are_of_what_lies_below(
    catalog: OpenCatalog, tmp_path: Path
) -> None:
    """As --back-off answers: clothes hold the shirt, and an item without a label has no score."""
    backed_off = write(
        tmp_path / "t.parquet",
        label_id=["c", "c", "c", "", "c1", "c1"],
        label=["clothes", "clothes", "clothes", "", "shirt", "shirt"],
        score=[1.0, 1.0, 1.0, 0.4, 0.1, 0.2],
    )
    found = measured(catalog, backed_off)
    assert found.measures["acc1"] == 0
    assert found.measures["expected_calibration_error"] == 0
    assert found.reliability.counts.sum() == 3


def test_a_table_of_labels_that_are_gone_is_warned_of(
    catalog: OpenCatalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that occur are the least that were active; how many is not known."""
    found = measured(catalog, write(tmp_path / "t.parquet", label_version=["0123456789+x"] * 6))
    assert (found.labels, found.labels_certain) == (2, False)
    assert "was made with other labels than the present ones" in caplog.text
    assert "label version 01234567, now" in caplog.text
