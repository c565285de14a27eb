"""Items keep the labels of the last categorization; readers are told where these have gone."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, set_labels
from test_label_sets import add_set

from indexer.catalog.corrections import Verdict
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.catalog.outdated_labels import count_outdated_labels
from indexer.core.errors import CatalogError
from indexer.jobs.label_plan import plan_labels
from indexer.jobs.labels import add_labels, remove_labels
from indexer.jobs.removal import remove_items
from indexer.jobs.removal_plan import plan_of_filter
from indexer.jobs.status import catalog_status
from indexer.labels.examples import LabelledFolder, LabelledItems
from queries.categorizing.categorize import Selection, categorize
from queries.review.corrections import store_verdict
from queries.search.finding import find
from queries.search.query import SearchQuery

EYE = np.eye(4, dtype=np.float32)


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """Items i0 to i3: l0 and l1 twice each, written back; and red or blue."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    add_items(options, EYE[[0, 0, 1, 1]] + 0.1 * EYE[[2, 3, 2, 3]])
    set_labels(options, EYE[:2])
    add_set(options.of_set("colour"), ["red", "blue"], EYE[2:])
    _decide(options)
    return options


def _decide(options: CatalogOptions) -> None:
    with open_catalog(options, write=True) as catalog:
        sets = ("category", "colour")
        categorize(catalog, options.data_dir.parent / "c.parquet", sets=sets, write_back=True)


def _notes(options: CatalogOptions, text: str) -> list[str]:
    """What a search by a filter tells of its hits."""
    with open_catalog(options) as catalog:
        return list(find(catalog, SearchQuery(vector=None, filter_expression=text, limit=2)).notes)


def _status(options: CatalogOptions) -> str | None:
    (row,) = catalog_status(options)
    told: str | None = row["outdated_labels"]
    return told


def test_items_with_a_removed_label_are_told(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """By the removal, the status and each search that shows one, until they are decided again."""
    assert _status(options) is None
    with caplog.at_level(logging.WARNING):
        remove_labels(options, ["l1"])
    remedy = "zeroshelf categorize --to categories.parquet --write-back"
    assert "2 items have a label that was removed or renamed since" in caplog.text
    assert remedy in caplog.text
    assert _status(options) == f"on 2 rows (category): {remedy} --catalog catalog"
    (told,) = _notes(options, 'label == "label 1"')
    assert told.startswith("2 of the 2 items shown have a label that was removed")
    assert _notes(options, 'label == "label 0"') == []
    _decide(options)
    assert _status(options) is None
    assert _notes(options, 'label_id != ""') == []


def test_removed_items_and_other_sets_are_told_apart(options: CatalogOptions) -> None:
    """A removed item's decision does not count, and the remedy names the set."""
    remove_labels(options.of_set("colour"), ["red"])
    colour = options.of_set("colour")
    with open_catalog(colour) as catalog:
        assert count_outdated_labels(catalog) == 2
    remove_items(options, ["i0"])
    with open_catalog(colour) as catalog:
        assert count_outdated_labels(catalog) == 1
    status = _status(options)
    assert status is not None
    assert "on 1 row (colour)" in status
    assert "--sets colour" in status
    (told,) = _notes(options, 'attributes["colour"] == "red"')
    assert told.startswith("1 of the 1 items shown has a label of the set 'colour'")
    assert told.endswith("--write-back --sets colour")


def test_a_renamed_label_is_told(options: CatalogOptions) -> None:
    """A filter by the new name finds nothing before the next categorization."""
    add_set(options, ["l0"], EYE[:1])
    assert _status(options) == (
        "on 2 rows (category): zeroshelf categorize --to categories.parquet --write-back "
        "--catalog catalog"
    )


def test_examples_and_verdicts_of_a_label_that_goes_are_told(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, by their kinds; a label that gets others below it teaches no more, either."""
    labelled = LabelledItems(("i0", "i2"), ("l0", "l1"), EYE[[0, 1]])
    with open_catalog(options, write=True) as catalog:
        LabelledFolder(catalog.folder.labels).save_items("taught", labelled)
        LabelledFolder(catalog.folder.labels).save_items("calibrating", labelled)
        store_verdict(catalog, "i2", Verdict.ACCEPTED)
        store_verdict(catalog, "i0", Verdict.REJECTED)
    remove_labels(options, ["l1"])
    told = [text for text in caplog.messages if "They are kept" in text]
    (text,) = told
    assert text.startswith("1 taught examples, 1 calibrating items, 1 verdicts of people are of")
    assert "such as 'l1'" in text
    caplog.clear()
    remove_labels(options.of_set("colour"), ["red"])
    assert not any("They are kept" in text for text in caplog.messages)
    set_labels(options, EYE[:2], ["", "l0"])
    (text,) = [text for text in caplog.messages if "They are kept" in text]
    assert text.startswith("1 taught examples, 1 calibrating items are of labels")


def test_a_removed_label_can_not_be_accepted(options: CatalogOptions) -> None:
    """The message says why, and what helps."""
    remove_labels(options, ["l1"])
    with (
        open_catalog(options) as catalog,
        pytest.raises(CatalogError, match=r"label 'l1' was removed: correct it, or decide again"),
    ):
        store_verdict(catalog, "i2", Verdict.ACCEPTED)


def test_a_label_that_loses_its_parent_and_texts_is_told(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """A file of ids and names alone renames labels, and takes all else off them."""
    file, block = options.data_dir / "rich.jsonl", options.data_dir / "rich.npy"
    rich = {"id": "r", "name": "r", "parent": "l0", "synonyms": ["s"], "description": "d"}
    file.write_text(json.dumps(rich))
    np.save(block, EYE[2:3])
    add_labels(options, str(file), vectors=block)
    assert "lose it" not in caplog.text
    file.write_text(json.dumps({"id": "r", "name": "renamed"}))
    plan_labels(options, str(file))
    add_labels(options, str(file), vectors=block)
    told = [text for text in caplog.messages if "lose it" in text]
    expected = "lose it: 1 their parent, 1 their description, 1 their synonyms, such as 'r'."
    assert len(told) == 2
    assert all(expected in text for text in told)


def test_a_filter_by_labels_tells_of_outdated_ones(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it finds nothing by a new name, and before items are removed or decided by an old one.

    Filters by other fields, and by labels that are as stored, tell nothing.
    """
    add_set(options, ["l0"], EYE[:1])  # another name
    stale = "2 of the catalog's rows have a label that was removed or renamed since"

    def notes(text: str) -> str:
        caplog.clear()
        plan_of_filter(options, text)
        with open_catalog(options) as catalog:
            query = SearchQuery(vector=None, filter_expression=text, limit=2)
            return "".join(find(catalog, query).notes) + caplog.text

    assert notes('label == "l0"').count(stale) == 2
    assert notes('label == "label 0"').count(stale) == 1  # the search tells of those it shows
    assert stale not in notes('attributes["colour"] == "green" or item_id == "label"')
    with caplog.at_level(logging.WARNING), open_catalog(options, write=True) as catalog:
        to, selection = (
            options.data_dir / "c.csv",
            Selection(filter_expression='label == "label 0"'),
        )
        assert categorize(catalog, to, selection=selection).items == 2
    assert stale in caplog.text
