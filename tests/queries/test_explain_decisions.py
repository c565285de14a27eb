"""What is explained is what ``categorize`` decided: titles, levels, backing off, labels alone."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import add_items, add_titles, set_labels

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder
from queries.categorizing.categorize import categorize
from queries.deciding.question import Question
from queries.deciding.settings import Settings
from queries.explanation.evidence import Separation
from queries.explanation.explain import explain
from queries.explanation.explanation import Explanation
from queries.explanation.subjects import item_subject

ITEMS = 60
PARENTS = ("", "", "l0", "l0", "l1", "l1", "l1")
"""Two roots; two leaves below the first, three below the second."""


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> CatalogOptions:
    """Items near five leaves, most of them with a title."""
    options = CatalogOptions(data_dir=tmp_path_factory.mktemp("decisions") / ".zeroshelf")
    random = np.random.default_rng(11)
    axes = np.eye(7, 24, dtype=np.float32)
    leaves = 2 + np.arange(ITEMS) % 5
    add_items(options, normalise(0.5 * axes[leaves] + 0.4 * random.normal(size=(ITEMS, 24))))
    add_titles(options, _titles(axes[leaves], random))
    set_labels(options, axes, PARENTS)
    return options


def _titles(leaves: FloatArray, random: np.random.Generator) -> FloatArray:
    titles = normalise(leaves + 0.2 * random.normal(size=leaves.shape))
    titles[::7] = 0
    return titles


SETTINGS = {
    "as it is": Settings(),
    "pictures only": Settings(text_weight=0.0),
    "titles above all": Settings(text_weight=0.8),
    "at a level": Settings(level=1),
    "backing off": Settings(back_off=0.9),
    "backing off to nothing": Settings(back_off=1.0),
    "each alone": Settings(multi_label=True, min_score=0.2),
}


@pytest.mark.parametrize("asked", SETTINGS)
def test_an_item_is_explained_as_it_was_categorized(options: CatalogOptions, asked: str) -> None:
    """Labels, scores, margin and status are those of the table, with a title and without."""
    settings, to = SETTINGS[asked], options.data_dir / f"{asked}.parquet"
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, to, Question(settings=settings))
    rows = {row["item_id"]: row for row in pq.read_table(to).to_pylist()}
    for item_id in ("i0", "i1", "i2", "i3", "i4", "i5"):
        row, found = rows[item_id], explained(options, item_id, settings)
        best = found.predictions[0]
        assert (best.label_id, best.status) == (row["label_id"], row["status"])
        assert best.score == pytest.approx(row["score"], abs=1e-6)
        assert found.margin == pytest.approx(row["margin"], abs=1e-5)
        assert [one.label_id for one in found.predictions[1:]] == [
            row[f"label_id_{place}"] for place in range(2, len(found.predictions) + 1)
        ]


@pytest.mark.parametrize("asked", SETTINGS)
def test_the_parts_add_up_to_what_separates(options: CatalogOptions, asked: str) -> None:
    """The odds of two shares of the table, whichever way each label came to its share.

    Picture and title are one query of float32: odds of 30 nats are known to some millionths.
    """
    found = explained(options, "i2", SETTINGS[asked])
    parts = found.separation
    assert parts is not None
    assert found.runner_up is not None
    assert total(parts) == pytest.approx(parts.log_odds)
    first, second = found.winner.score, found.runner_up.score
    if SETTINGS[asked].multi_label:
        odds = np.log(first / (1 - first)) - np.log(second / (1 - second))
    else:
        odds = np.log(first / second)
    assert parts.log_odds == pytest.approx(odds, rel=2e-7, abs=1e-6)


def test_a_label_that_was_backed_off_to_is_not_compared_with_its_own_parts(
    options: CatalogOptions,
) -> None:
    """The runner-up lies elsewhere in the taxonomy, and the prompts are a leaf's."""
    settings = Settings(back_off=0.9, text_weight=0.0)
    found = next(
        one
        for row in range(ITEMS)
        if (one := explained(options, f"i{row}", settings)).winner.label_id in ("l0", "l1")
    )
    assert found.runner_up is not None
    assert found.runner_up.path[0] != found.winner.path[0]
    assert found.winner.leaf.startswith("label ")
    assert found.separation is not None
    assert found.separation.others != 0


def test_where_nothing_is_sure_the_likeliest_is_explained(options: CatalogOptions) -> None:
    """And a note says that it is no label of the catalog's choice."""
    found = explained(options, "i1", Settings(back_off=1.0))
    assert found.predictions[0].label_id == ""
    assert found.winner.label_id == found.predictions[1].label_id
    assert "--back-off" in found.notes[0]


def test_the_title_is_told_apart_from_the_picture(options: CatalogOptions) -> None:
    """What each would have said alone; without a title there is nothing to tell."""
    found = explained(options, "i1", Settings(text_weight=0.8))
    alone = explained(options, "i1", Settings(text_weight=0.0))
    assert found.title is not None
    assert (found.title.title, found.title.weight) == ("a title", 0.8)
    assert found.title.label == "label 3"
    assert found.title.picture_label == alone.predictions[0].label
    assert found.title.picture_score == pytest.approx(alone.predictions[0].score)
    assert found.separation is not None
    assert found.separation.title > 0
    assert alone.title is None
    assert explained(options, "i0", Settings()).title is None


def explained(options: CatalogOptions, item_id: str, settings: Settings) -> Explanation:
    """The explanation of a stored item."""
    with open_catalog(options) as catalog, Fetcher() as fetcher:
        subject = item_subject(catalog, item_id, decoder=Decoder(), fetcher=fetcher)
        return explain(catalog, subject, Question(settings=settings), heat_map="none", neighbours=0)


def total(parts: Separation) -> float:
    """The sum of the parts."""
    return parts.match + parts.bias + parts.examples + parts.title + parts.others
