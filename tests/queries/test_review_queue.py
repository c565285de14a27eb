"""The order of the review queue, and the errors that it says are left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, set_labels

from indexer.catalog.corrections import Verdict
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.vectors import normalise
from queries.categorizing.categorize import categorize
from queries.deciding.question import Question
from queries.review.corrections import apply_verdicts, pending_verdicts, store_verdict
from queries.review.order import look_alikes_last, nearest, trust
from queries.review.queue import LOOKS, DecisionCache, Queue

LABELS, ITEMS = 5, 240
TRUTH = np.arange(ITEMS) % LABELS


def test_trust_by_hand() -> None:
    """Two neighbours: one has the same label with .8, the other has another label."""
    neighbours = np.array([[1, 2]])
    found = trust(np.array([0.6, 0.8, 1.0]), np.array([0, 0, 1]), np.array([0]), neighbours)
    assert found.tolist() == pytest.approx([0.5 * 0.6 + 0.5 * 0.4])


def test_no_item_is_its_own_neighbour() -> None:
    """The others are, the nearest of them where there are many."""
    vectors = normalise(np.column_stack([np.ones(40), np.arange(40) / 40]))
    found = nearest(vectors, np.array([0, 39]))
    assert [sorted(row) for row in found.tolist()] == [list(range(1, 11)), list(range(29, 39))]


def test_one_item_alone_has_its_score() -> None:
    """It has no neighbour."""
    none = np.array([0])
    found = nearest(np.ones((1, 1), dtype=np.float32), none)
    assert trust(np.array([0.7]), none, none, found).tolist() == [0.7]


def test_one_of_a_group_of_look_alikes_comes_first() -> None:
    """Copies of one label wait; a copy that has another label does not."""
    vectors = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], dtype=np.float32)
    labels = np.array([0, 0, 0, 1])
    assert look_alikes_last(np.array([1, 0, 3, 2]), labels, vectors).tolist() == [1, 3, 2, 0]


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A categorized catalog, with write-back; about a fifth of its labels are wrong."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    generator = np.random.default_rng(3)
    centres = generator.normal(size=(LABELS, 12))
    add_items(options, normalise(centres[TRUTH] + 0.9 * generator.normal(size=(ITEMS, 12))))
    set_labels(options, normalise(centres + 0.6 * generator.normal(size=(LABELS, 12))))
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, tmp_path / "out.parquet", write_back=True)
    return options


def queue_of(options: CatalogOptions, decided: DecisionCache, **page: int) -> Queue:
    """A page of the queue."""
    with open_catalog(options) as catalog:
        return decided.queue(catalog, **({"limit": ITEMS} | page))


def test_all_items_wait_and_pages_are_parts_of_one_order(options: CatalogOptions) -> None:
    """The accepted ones too; no item twice, none left out."""
    decided = DecisionCache()
    whole = queue_of(options, decided)
    assert whole.total == len(whole.page) == ITEMS
    assert 0 < whole.doubtful < ITEMS
    assert {one.status for one in whole.page} >= {"accepted", "review"}
    parts = [queue_of(options, decided, limit=50, offset=start) for start in range(0, 300, 50)]
    assert [one.item_id for part in parts for one in part.page] == [
        one.item_id for one in whole.page
    ]


def test_fewer_looks_find_more_errors_than_by_chance(options: CatalogOptions) -> None:
    """The first quarter holds more than half of the wrong labels."""
    page = queue_of(options, DecisionCache()).page
    wrong = np.array([one.label_id != f"l{TRUTH[int(one.item_id[1:])]}" for one in page])
    assert wrong.sum() > 10
    assert wrong[: ITEMS // 4].sum() > wrong.sum() / 2


def test_looked_at_items_leave_and_errors_fall(options: CatalogOptions) -> None:
    """The order of the others stays, though what was said is in the files."""
    decided = DecisionCache()
    before = queue_of(options, decided)
    first, second = before.page[:2]
    with open_catalog(options, write=True) as catalog:
        store_verdict(catalog, first.item_id, Verdict.CORRECTED, label=f"l{TRUTH[0]}")
        store_verdict(catalog, second.item_id, Verdict.REJECTED)
        apply_verdicts(catalog, pending_verdicts(catalog))
    after = queue_of(options, decided)
    assert after.page == before.page[2:]
    gone = (1 - first.score) + (1 - second.score)
    assert after.expected_errors == pytest.approx(before.expected_errors - gone / ITEMS)


def test_what_people_said_counts_for_the_neighbours(options: CatalogOptions) -> None:
    """After so many looks: the order is that of a queue that was never asked before."""
    decided = DecisionCache()
    before = queue_of(options, decided).page
    with open_catalog(options, write=True) as catalog:
        for one in before[: LOOKS - 1]:
            label = f"l{TRUTH[int(one.item_id[1:])]}"
            store_verdict(catalog, one.item_id, Verdict.CORRECTED, label=label)
        apply_verdicts(catalog, pending_verdicts(catalog))
    assert queue_of(options, decided).page == before[LOOKS - 1 :]
    with open_catalog(options, write=True) as catalog:
        store_verdict(catalog, before[LOOKS - 1].item_id, Verdict.REJECTED)
        apply_verdicts(catalog, pending_verdicts(catalog))
    after = queue_of(options, decided).page
    assert after != before[LOOKS:]
    assert after == queue_of(options, DecisionCache()).page
    wrong = [
        [one.label_id != f"l{TRUTH[int(one.item_id[1:])]}" for one in page[:LOOKS]]
        for page in (before[LOOKS:], after)
    ]
    assert sum(wrong[1]) >= sum(wrong[0])


def test_labels_that_are_decided_anew_are_put_in_order_anew(
    options: CatalogOptions, tmp_path: Path
) -> None:
    """As a queue that was never asked before says it."""
    decided = DecisionCache()
    before = queue_of(options, decided)
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, tmp_path / "out.parquet", Question(adapt=False), write_back=True)
    after = queue_of(options, decided)
    assert after == queue_of(options, DecisionCache())
    assert after != before


def test_a_catalog_without_labels_waits_for_nobody(tmp_path: Path) -> None:
    """No decision, no item in the queue."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    add_items(options, normalise(np.random.default_rng(1).normal(size=(20, 8))))
    found = queue_of(options, DecisionCache())
    assert (found.page, found.total, found.expected_errors) == ([], 0, 0.0)
