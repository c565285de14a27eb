"""Several label sets in one catalog: each is decided on its own, and stored beside the category."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import add_items, set_labels

from indexer.catalog.corrections import Verdict
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import CatalogError, TaxonomyError, UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.core.watch import Watch
from indexer.jobs import label_sets
from indexer.jobs.copying import copy
from indexer.jobs.items import export
from indexer.jobs.label_sets import remove_set, set_gate, summaries
from indexer.jobs.labels import add_labels, remove_labels
from indexer.jobs.rebuild import compare, rebuild
from indexer.jobs.removal import remove_items
from indexer.labels.set_settings import set_by_pixels
from queries.categorizing.categorize import categorize
from queries.classify import Classifier
from queries.deciding.question import Question
from queries.explanation.neighbours import labelled_neighbours
from queries.review.corrections import apply_verdicts, pending_verdicts, store_verdict
from queries.review.queue import DecisionCache
from queries.search.finding import search

WIDTH = 8
CATEGORIES, COLOURS = (0, 1, 2), (4, 5)
"""Dimensions of the vectors that say what a thing is, and which colour it has."""


def item(category: int, colour: int) -> list[float]:
    """A vector that is of a category and of a colour."""
    vector = np.zeros(WIDTH)
    vector[[CATEGORIES[category], COLOURS[colour]]] = [1.0, 0.8]
    return [float(value) for value in vector / np.linalg.norm(vector)]


ITEMS = [(0, 0), (0, 1), (1, 0), (2, 1)]
"""Of each item its category and its colour."""


def add_set(options: CatalogOptions, names: Sequence[str], rows: FloatArray, **how: Any) -> None:
    """Make a label set of these labels and vectors."""
    file, block = options.data_dir / "set.jsonl", options.data_dir / "set.npy"
    file.write_text("\n".join(json.dumps({"id": name, "name": name}) for name in names))
    np.save(block, rows)
    add_labels(options, str(file), vectors=block, **how)


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """Four items, three categories (two of them in a branch), and a label set of two colours."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    add_items(options, np.array([item(*one) for one in ITEMS], dtype=np.float32))
    eye = np.eye(WIDTH, dtype=np.float32)
    # l3 is the branch that holds l0 and l1.
    set_labels(options, eye[[0, 1, 2, 3]], ["l3", "l3"])
    add_set(options.of_set("colour"), ["red", "blue"], eye[list(COLOURS)])
    return options


def decide(
    options: CatalogOptions, *sets: str, write_back: bool = True, **how: Any
) -> list[dict[str, Any]]:
    """Rows of the table that ``categorize --sets`` writes."""
    to = options.data_dir.parent / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, to, sets=sets, write_back=write_back, **how)
    rows: list[dict[str, Any]] = pq.read_table(to).to_pylist()
    return rows


def stored(options: CatalogOptions) -> dict[str, dict[str, Any]]:
    """Fields of the items in the database."""
    with open_catalog(options) as catalog:
        return catalog.items.fetch([f"i{row}" for row in range(len(ITEMS))])


def test_each_set_is_decided_among_its_own_labels(options: CatalogOptions) -> None:
    """A column group a set, those of another set behind its name."""
    rows = decide(options, "category", "colour")
    assert [row["label_id"] for row in rows] == ["l0", "l0", "l1", "l2"]
    assert [row["colour_label_id"] for row in rows] == ["red", "blue", "red", "blue"]
    assert {"colour_score", "colour_status", "colour_label_version", "score"} <= rows[0].keys()


def test_one_set_alone_has_no_columns_of_the_category(options: CatalogOptions) -> None:
    """What is not asked for is not in the table."""
    rows = decide(options, "colour")
    assert "label_id" not in rows[0]
    assert rows[0]["colour_label"] == "red"


def test_a_set_has_labels_of_its_own(options: CatalogOptions) -> None:
    """The same id may stand in two sets, for two labels."""
    add_set(options.of_set("colour"), ["l0"], np.eye(WIDTH, dtype=np.float32)[[6]])
    with open_catalog(options) as catalog:
        colours = catalog.of_set("colour")
        assert [row.label.label_id for row in colours.labels.labels()] == ["red", "blue", "l0"]
        assert [row.label.label_id for row in catalog.labels.labels()] == ["l0", "l1", "l2", "l3"]
        assert colours.label_set.vectors[2, 6] == 1
    remove_labels(options.of_set("colour"), ["l0"])
    with open_catalog(options) as catalog:
        assert catalog.labels.count() == 4


def test_a_search_of_a_set_finds_its_labels_only(options: CatalogOptions) -> None:
    """A single query and a bulk job agree."""
    rows = decide(options, "colour")
    with open_catalog(options.of_set("colour")) as catalog:
        vectors = np.array([item(*one) for one in ITEMS], dtype=np.float32)
        answers = Classifier(catalog, Question(limit=2)).classify(vectors)
    assert [one[0].label_id for one in answers] == [row["colour_label_id"] for row in rows]
    assert [one[0].score for one in answers] == pytest.approx(
        [row["colour_score"] for row in rows], abs=1e-6
    )
    assert {prediction.label_id for one in answers for prediction in one} == {"red", "blue"}


def test_an_explanation_shows_neighbours_with_labels_of_the_set(options: CatalogOptions) -> None:
    """Not with their categories; those that the set does not apply to, or that wait, have none."""
    gate(options, "l3")
    decide(options, "category", "colour")
    add_items(options, np.array([item(0, 0)], dtype=np.float32), prefix="waiting")
    with open_catalog(options.of_set("colour")) as catalog:
        vector = np.array(item(0, 0), dtype=np.float32)
        near = labelled_neighbours(catalog, vector, limit=3, but="i0")
    assert {one.item_id: one.label for one in near} == {"i1": "blue", "i2": "red"}


def test_filters_find_what_was_decided(options: CatalogOptions) -> None:
    """Both sets in one filter; the status and the score stand behind the set's name."""
    decide(options, "category", "colour")
    with open_catalog(options) as catalog:
        vector = np.array(item(0, 0), dtype=np.float32)
        red = search(catalog, vector, filter_expression='attributes["colour"] == "red"')
        both = 'label_id == "l0" and attributes["colour"] == "blue"'
        blue = search(catalog, vector, filter_expression=both)
        sure = 'attributes["colour_score"] > 0.1 and attributes["colour_label_id"] == "red"'
        assert {hit.item_id for hit in search(catalog, vector, filter_expression=sure)} == {
            "i0",
            "i2",
        }
    assert {hit.item_id for hit in red} == {"i0", "i2"}
    assert [hit.item_id for hit in blue] == ["i1"]
    assert blue[0].attributes["colour"] == "blue"


def test_deciding_one_set_leaves_the_others_alone(options: CatalogOptions) -> None:
    """In the database and in the record."""
    decide(options, "category", "colour")
    decide(options, "category")
    assert stored(options)["i3"]["attributes"]["colour"] == "blue"
    decide(options, "colour")
    assert stored(options)["i3"]["label_id"] == "l2"
    assert compare(options).equal


def gate(options: CatalogOptions, *categories: str) -> None:
    """Limit the colours to categories."""
    set_gate(options.of_set("colour"), categories)


def test_an_item_outside_of_the_gate_is_not_applicable(options: CatalogOptions) -> None:
    """A branch holds all that is below it."""
    gate(options, "label 3")
    rows = decide(options, "category", "colour")
    assert [row["colour_status"] for row in rows][3] == "not_applicable"
    assert [row["colour_label_id"] for row in rows] == ["red", "blue", "red", ""]
    attributes = stored(options)["i3"]["attributes"]
    assert attributes == {
        "colour": "",
        "colour_label_id": "",
        "colour_score": 0.0,
        "colour_status": "not_applicable",
    }


def test_the_gate_needs_no_category_in_the_table(options: CatalogOptions) -> None:
    """The category is decided for the gate, and is not written."""
    gate(options, "l0")
    rows = decide(options, "colour")
    assert [row["colour_status"] == "not_applicable" for row in rows] == [False, False, True, True]
    assert "label" not in rows[0]


def test_an_unsure_category_goes_by_its_probability(options: CatalogOptions) -> None:
    """Two categories of one branch share an item: it is in the branch, whichever it is."""
    vector = np.zeros((1, WIDTH), dtype=np.float32)
    vector[0, [0, 1, COLOURS[0]]] = 1 / np.sqrt(3)
    add_items(options, vector, prefix="between")
    gate(options, "l3")
    rows = decide(options, "category", "colour", question=Question(adapt=False))
    between = next(row for row in rows if row["item_id"] == "between0")
    assert between["score"] == pytest.approx(0.5, abs=0.01)
    assert between["colour_label_id"] == "red"
    gate(options, "l0")
    (between,) = (
        row
        for row in decide(options, "category", "colour", question=_strict())
        if row["item_id"] == "between0"
    )
    assert between["status"] == "review"


def _strict() -> Question:
    from queries.deciding.settings import Settings

    return Question(adapt=False, settings=Settings(min_score=0.9))


def test_labels_are_adapted_to_the_items_that_they_apply_to(options: CatalogOptions) -> None:
    """Another gate fits them anew; to a gate with few items they are not adapted."""
    rng = np.random.default_rng(0)
    kinds = [(number % 3, number % 2) for number in range(90)]
    vectors = np.array([item(*kind) for kind in kinds]) + rng.normal(size=(90, WIDTH)) * 0.05
    add_items(options, normalise(vectors.astype(np.float32)), prefix="more")
    colours = options.of_set("colour")

    def adapted_to() -> tuple[int, bool]:
        """Items that the labels are adapted to, and whether that was out of date before."""
        with open_catalog(colours) as catalog:
            was_outdated = catalog.adaptation_is_outdated
        decide(options, "colour")
        with open_catalog(colours) as catalog:
            assert catalog.adaptation is not None
            return catalog.adaptation.items, was_outdated

    assert adapted_to() == (94, False)
    gate(options, "l2")
    assert adapted_to() == (31, True)
    assert adapted_to() == (31, False)
    gate(options, "l3")
    assert adapted_to() == (63, True)
    remove_items(options, [f"more{number}" for number in range(0, 90, 3)][5:])
    gate(options, "l0")
    items, _ = adapted_to()
    assert items == 94 - 25


def test_a_person_says_the_category_that_a_gate_goes_by(options: CatalogOptions) -> None:
    """Whatever the labels would decide."""
    gate(options, "l2")
    decide(options, "category", "colour")
    with open_catalog(options, write=True) as catalog:
        store_verdict(catalog, "i0", Verdict.CORRECTED, label="l2")
        store_verdict(catalog, "i3", Verdict.REJECTED)
    rows = {row["item_id"]: row["colour_label_id"] for row in decide(options, "colour")}
    assert rows == {"i0": "red", "i1": "", "i2": "", "i3": ""}


def test_a_level_above_the_gate_does_not_close_it(options: CatalogOptions) -> None:
    """An accepted category above a branch tells nothing: its probability does."""
    from queries.deciding.settings import Settings

    gate(options, "l0")
    question = Question(adapt=False, settings=Settings(level=1))
    rows = decide(options, "category", "colour", question=question)
    assert rows[0]["label_id"] == "l3"
    assert [row["colour_label_id"] for row in rows] == ["red", "blue", "", ""]


def test_sets_are_listed_with_what_they_apply_to(options: CatalogOptions) -> None:
    """Paths for people."""
    gate(options, "l1", "label 2")
    category, colour = summaries(options)
    assert (category.label_set, category.labels) == ("category", 4)
    assert (colour.label_set, colour.labels) == ("colour", 2)
    assert colour.applies_to == ("label 3 > label 1", "label 2")


def test_a_gate_to_a_category_that_is_not_there_is_refused(options: CatalogOptions) -> None:
    """With the nearest one; the gate stays as it was."""
    gate(options, "l0")
    with pytest.raises(TaxonomyError, match=r"There is no label 'lable 1'.*'label 1'"):
        gate(options, "lable 1")
    assert summaries(options)[1].applies_to == ("label 3 > label 0",)


def test_a_removed_category_is_told_and_keeps_the_gate(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Deciding the set is refused, and the remedy keeps the other category; other sets go on."""
    gate(options, "l2", "l0")
    remove_labels(options, ["l2"])
    assert "label set 'colour' applies to categories that are removed, 1 of them" in caplog.text
    assert "such as 'l2'" in caplog.text
    assert "zeroshelf labels gate l0 CATEGORY --set colour" in caplog.text
    with pytest.raises(UsageError, match=r"applies to 'label 2' \(id 'l2'\).*labels gate"):
        decide(options, "category", "colour")
    assert len(decide(options, "category")) == len(ITEMS)
    assert summaries(options)[1].missing == ("l2",)


def test_a_renamed_category_keeps_its_gate(options: CatalogOptions) -> None:
    """Gates name categories by id."""
    gate(options, "l0")
    file, block = options.data_dir / "labels.jsonl", options.data_dir / "labels.npy"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[0]["name"] = "another name"
    file.write_text("\n".join(map(json.dumps, rows)))
    add_labels(options, str(file), vectors=block, replace=True)
    assert summaries(options)[1].applies_to == ("label 3 > another name",)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Colour", "not a name"),
        ("label", "a column of the results has this name"),
        ("score_2", "a column of the results has this name"),
        ("colour_status", "a set 'colour' would have a column of this name"),
        ("../x", "not a name"),
    ],
)
def test_names_that_would_clash_are_refused(
    options: CatalogOptions, name: str, message: str
) -> None:
    """Before anything is written."""
    with pytest.raises(UsageError, match=message):
        add_labels(options.of_set(name), str(options.data_dir / "set.jsonl"))


def test_an_unknown_set_is_refused_with_the_nearest(options: CatalogOptions) -> None:
    """And with the command that makes it."""
    with pytest.raises(
        UsageError, match=r"no label set 'color'. Did you mean 'colour'\?.*--set color"
    ):
        decide(options, "category", "color")


def test_a_set_without_labels_is_told(options: CatalogOptions) -> None:
    """With the set's own remedy."""
    remove_labels(options.of_set("colour"), ["red", "blue"])
    with pytest.raises(Exception, match=r"no labels in its label set 'colour'.*--set colour"):
        decide(options, "category", "colour")


def test_labels_can_be_chosen_of_one_set_only(options: CatalogOptions) -> None:
    """It would not be clear of which."""
    with pytest.raises(UsageError, match="choose labels of one set"):
        decide(options, "category", "colour", question=Question(labels=("red",)))
    assert {
        row["colour_label_id"]
        for row in decide(options, "colour", question=Question(labels=("red", "blue")))
    } == {"red", "blue"}


def test_a_removed_set_is_gone_from_the_items(options: CatalogOptions) -> None:
    """The category stays; corrections by people count again for a set of the same name."""
    decide(options, "category", "colour")
    with open_catalog(options.of_set("colour"), write=True) as catalog:
        store_verdict(catalog, "i0", Verdict.CORRECTED, label="blue")
    assert remove_set(options.of_set("colour")) == 2
    fields = stored(options)["i1"]
    assert (fields["label_id"], fields["attributes"]) == ("l0", {})
    assert [one.label_set for one in summaries(options)] == ["category"]
    assert compare(options).equal
    eye = np.eye(WIDTH, dtype=np.float32)
    add_set(options.of_set("colour"), ["red", "blue"], eye[list(COLOURS)])
    decide(options, "colour")
    assert stored(options)["i0"]["attributes"]["colour"] == "blue"


@pytest.mark.parametrize("step", ["store_unstored", "_remove_labels"])
def test_a_killed_removal_is_finished_by_the_same_command(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Wherever it was killed: the set is there until all is done."""
    decide(options, "category", "colour")

    def killed(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(label_sets, step, killed)
        with pytest.raises(SystemExit):
            remove_set(options.of_set("colour"))
    assert remove_set(options.of_set("colour")) == 2
    assert stored(options)["i1"]["attributes"] == {}
    assert compare(options).equal


def test_an_interrupted_categorization_of_two_sets_changes_nothing(
    options: CatalogOptions,
) -> None:
    """Neither the items nor the record of either set."""
    decide(options, "category", "colour")
    before = stored(options)
    set_labels(options, np.eye(WIDTH, dtype=np.float32)[[1, 0, 2, 3]], ["l3", "l3"])

    def interrupt(_: int) -> None:
        raise RuntimeError("cancelled")

    with pytest.raises(RuntimeError, match="cancelled"):
        decide(options, "category", "colour", watch=Watch(advance=interrupt))
    assert stored(options) == before
    assert compare(options).equal


def test_labels_of_a_set_that_did_not_reach_the_database_do_so_later(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the files and the database, the next command writes them."""

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("indexer.catalog.catalog.write_labels", killed)
        with pytest.raises(SystemExit):
            add_set(options.of_set("colour"), ["green"], np.eye(WIDTH, dtype=np.float32)[[6]])
    with open_catalog(options.of_set("colour")) as catalog:
        assert catalog.labels.count() == 3
    assert compare(options).equal


def test_the_category_can_not_be_removed_or_limited(options: CatalogOptions) -> None:
    """Gates name it."""
    with pytest.raises(UsageError, match="every catalog has it"):
        remove_set(options)
    with pytest.raises(UsageError, match="a gate names categories"):
        set_gate(options, ["l0"])


def test_rebuild_copy_and_export_carry_all_sets(options: CatalogOptions, tmp_path: Path) -> None:
    """Items with attributes, and the labels of each set."""
    gate(options, "l3")
    decide(options, "category", "colour")
    before = stored(options)
    rebuild(options)
    assert stored(options) == before
    assert compare(options).equal
    report = copy(options, to_db=str(tmp_path / "other.db"))
    assert report.items == len(ITEMS)
    other = CatalogOptions(data_dir=options.data_dir, db=str(tmp_path / "other.db"))
    assert stored(other) == before
    with open_catalog(other) as catalog:
        assert catalog.of_set("colour").labels.count() == 2
    export(options, tmp_path / "exported")
    rows = pq.read_table(next((tmp_path / "exported").glob("items-*.parquet"))).to_pylist()
    assert [row["colour_label_id"] for row in rows] == ["red", "blue", "red", ""]
    assert pq.read_table(tmp_path / "exported" / "labels-colour.parquet").num_rows == 2


def test_a_catalog_is_read_back_from_its_database_alone(
    options: CatalogOptions, tmp_path: Path
) -> None:
    """Decisions of all sets, labels that are not adapted, and what the sets are limited to."""
    gate(options, "l3")
    set_by_pixels(options.of_set("colour").folder.labels, True)
    decide(options, "category", "colour", question=Question(adapt=False))
    alone = CatalogOptions(data_dir=tmp_path / "alone", db=options.db_uri)
    copy(alone, to_db=str(tmp_path / "again.db"))
    again = CatalogOptions(data_dir=tmp_path / "alone", db=str(tmp_path / "again.db"))
    assert stored(again) == stored(options)
    with open_catalog(again) as catalog:
        assert catalog.folder.set_names() == ("category", "colour")
        assert [label.name for label in catalog.of_set("colour").label_set.labels] == [
            "red",
            "blue",
        ]
    _, colour = summaries(again)
    assert (colour.applies_to, colour.missing, colour.by_pixels) == (("label 3",), (), True)
    gate(again)
    set_by_pixels(again.of_set("colour").folder.labels, False)
    decide(again, "category", "colour", question=Question(adapt=False))
    third = CatalogOptions(data_dir=tmp_path / "third", db=again.db_uri)
    copy(third, to_db=str(tmp_path / "third.db"))
    assert not summaries(third)[1].applies_to


def test_a_verdict_is_of_one_set(options: CatalogOptions) -> None:
    """The item keeps what else was decided."""
    decide(options, "category", "colour")
    colours = options.of_set("colour")
    with open_catalog(colours, write=True) as catalog:
        store_verdict(catalog, "i0", Verdict.CORRECTED, label="blue")
        apply_verdicts(catalog, pending_verdicts(catalog))
        assert not pending_verdicts(catalog)
        assert not pending_verdicts(catalog.of_set("category"))
    fields = stored(options)["i0"]
    assert (fields["label_id"], fields["attributes"]["colour"]) == ("l0", "blue")
    assert fields["attributes"]["colour_status"] == "confirmed"
    assert compare(options).equal


def test_nobody_is_asked_for_what_does_not_apply(options: CatalogOptions) -> None:
    """The review queue of a set holds the items that it applies to."""
    gate(options, "l3")
    decide(options, "category", "colour")
    cache = DecisionCache()

    def waiting(catalog: OpenCatalog) -> set[str]:
        return {doubt.item_id for doubt in cache.queue(catalog, limit=10).page}

    with open_catalog(options) as catalog:
        assert waiting(catalog.of_set("colour")) == {"i0", "i1", "i2"}
        assert waiting(catalog) == {"i0", "i1", "i2", "i3"}


def test_new_items_keep_the_attributes_of_what_is_unchanged(options: CatalogOptions) -> None:
    """A row that is ingested again carries the decisions of all sets."""
    decide(options, "category", "colour")
    file = options.data_dir / "i.jsonl"
    rows = [json.loads(line) | {"price": 3} for line in file.read_text().splitlines()]
    file.write_text("\n".join(map(json.dumps, rows)))
    from indexer.jobs.ingest import ingest
    from indexer.jobs.ingest_options import IngestOptions
    from indexer.sources import TableOptions

    table = TableOptions(vectors=str(options.data_dir / "i.npy"))
    ingest(options, [str(file)], IngestOptions(table=table))
    fields = stored(options)["i1"]
    assert fields["metadata"]["price"] == 3
    assert (fields["label_id"], fields["attributes"]["colour"]) == ("l0", "blue")
    assert compare(options).equal


def test_damaged_files_of_a_set_are_told_with_its_own_remedy(options: CatalogOptions) -> None:
    """Commands that name the set; the category goes on."""
    gate(options, "l3")
    decide(options, "category", "colour")
    folder = options.folder.at(1).of_set("colour")
    (decisions,) = folder.decisions.glob("*.parquet")
    decisions.write_bytes(b"damaged")
    with pytest.raises(CatalogError, match=r"Decide again: .* --write-back --sets colour"):
        rebuild(options)
    decide(options, "colour")
    (folder.labels / "gate.json").write_text("[{}]")
    with pytest.raises(CatalogError, match=r"labels gate CATEGORY --set colour"):
        decide(options, "category", "colour")
    assert len(decide(options, "category")) == len(ITEMS)
    gate(options, "l3")
    for file in folder.labels.glob("labels-*.parquet"):
        file.write_bytes(b"damaged")
    with pytest.raises(CatalogError, match=r"labels add FILE --replace --set colour"):
        decide(options, "colour", write_back=False)
    eye = np.eye(WIDTH, dtype=np.float32)
    add_set(options.of_set("colour"), ["red", "blue"], eye[list(COLOURS)], replace=True)
    assert [row["colour_label"] for row in decide(options, "colour")][:3] == ["red", "blue", "red"]
    assert compare(options).equal
