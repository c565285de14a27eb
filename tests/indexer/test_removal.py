"""Removals: killed, with the database away, and everywhere an item could still be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, make_catalog

from indexer.catalog.archive import Archive
from indexer.catalog.ledger import Ledger
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.catalog.stored_shards import StoredShards
from indexer.core.errors import CatalogError, StoreUnavailableError
from indexer.core.reasons import Reason, Stage
from indexer.core.records import FloatArray, Item, Kind, failure
from indexer.core.vectors import normalise
from indexer.jobs import removal
from indexer.jobs.rebuild import compare
from indexer.jobs.removal import remove_items
from indexer.jobs.status import catalog_status
from indexer.labels.examples import LabelledFolder, LabelledItems
from indexer.store import MilvusItems
from queries.explanation.neighbours import labelled_neighbours
from queries.search.finding import search

COUNT = 12
VECTORS: FloatArray = normalise(np.random.default_rng(0).normal(size=(COUNT, 8)))


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A catalog of twelve items."""
    return make_catalog(tmp_path / "data", VECTORS, VECTORS[:2])


def answers(options: CatalogOptions) -> list[str]:
    """Ids that a search finds for the vector of item 3, best first."""
    with open_catalog(options) as catalog:
        return [hit.item_id for hit in search(catalog, VECTORS[3], limit=COUNT)]


def stop(*_: object, **__: object) -> None:
    """End as a kill does, as far as files are concerned."""
    raise KeyboardInterrupt


KILLS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "before the ledger": lambda patch: patch.setattr(Ledger, "add", stop),
    "before the database": lambda patch: patch.setattr(removal, "store_removals", stop),
    "before the rows go": lambda patch: patch.setattr(MilvusItems, "delete", stop),
    "before the flush": lambda patch: patch.setattr(MilvusItems, "flush", stop),
    "before the version": lambda patch: patch.setattr(MilvusItems, "set_stored_version", stop),
    "before it is marked": lambda patch: patch.setattr(StoredShards, "mark", stop),
}


@pytest.mark.parametrize("moment", KILLS)
def test_a_killed_removal_is_in_no_answer_and_is_finished(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whenever it was killed: searches leave the item out, status tells, the same call finishes."""
    with monkeypatch.context() as patch:
        KILLS[moment](patch)
        with pytest.raises(KeyboardInterrupt):
            remove_items(options, ["i3", "i5"])
    assert not {"i3", "i5"} & set(answers(options))
    (facts,) = catalog_status(options)
    assert facts["waiting_removals"] == 2
    report = remove_items(options, ["i3", "i5"])
    assert (report.removed, report.finished) == (2, 2)
    assert len(answers(options)) == COUNT - 2
    assert compare(options).equal
    (facts,) = catalog_status(options)
    assert (facts["waiting_removals"], facts["state"]) == (0, "complete")
    with pytest.raises(CatalogError, match="has no item 'i3'"):
        remove_items(options, ["i3"])


def test_a_removal_before_its_row_is_written_is_none(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the shard: the item is found, and can be removed again."""
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            remove_items(options, ["i3"])
    assert answers(options)[0] == "i3"
    assert remove_items(options, ["i3"]).finished == 0


def test_a_database_that_goes_away_is_told_with_what_finishes_the_removal(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive has the removal; any command that writes brings it to the database."""

    def away(*_: object) -> None:
        raise StoreUnavailableError("the server is away")

    with monkeypatch.context() as patch:
        patch.setattr(removal, "store_unstored", lambda *_, **__: away())
        with pytest.raises(StoreUnavailableError, match=r"removal is kept.*zeroshelf retry"):
            remove_items(options, ["i3"])
    assert "i3" not in answers(options)
    add_items(options, normalise(np.ones((1, 8))), prefix="new")
    assert compare(options).equal


def test_more_results_than_milvus_gives_are_refused_while_removals_wait(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search asks for more than it shows then, and never for more than it may."""
    with monkeypatch.context() as patch:
        patch.setattr(removal, "store_removals", stop)
        with pytest.raises(KeyboardInterrupt):
            remove_items(options, ["i3"])
    with open_catalog(options) as catalog:
        assert len(search(catalog, VECTORS[3], limit=16_384)) == COUNT - 1
        assert len(search(catalog, VECTORS[3], limit=2)) == 2


def test_examples_and_dead_letters_of_an_item_go_with_it(options: CatalogOptions) -> None:
    """Labels are taught without it, explanations do not show it, a retry does not bring it back."""
    with open_catalog(options) as catalog:
        folder = LabelledFolder(catalog.folder.labels)
        folder.save_items("taught", LabelledItems(("i3", "i4"), ("l0", "l1"), VECTORS[3:5]))
        folder.save_items("calibrating", LabelledItems(("i5",), ("l0",), VECTORS[5:6]))
        item = Item(item_id="i3", kind=Kind.PICTURE, source="gone.png")
        catalog.dead_letters.add(failure(item, Stage.READ, Reason.MISSING, "no such file"))
    report = remove_items(options, ["i3", "i5"])
    assert report.examples == 2
    with open_catalog(options) as catalog:
        folder = LabelledFolder(catalog.folder.labels)
        taught = folder.items("taught")
        assert taught is not None
        assert taught.item_ids == ("i4",)
        assert folder.items("calibrating") is None
        assert not catalog.dead_letters.all()
        near = labelled_neighbours(catalog, VECTORS[3], limit=COUNT)
        assert not {"i3", "i5"} & {one.item_id for one in near}


STEPS = ("_forget_examples", "_forget_dead_letters", "_remove_from_previous", "archive_removals")


@pytest.mark.parametrize("step", [*STEPS, "_store_everywhere"])
def test_a_killed_removal_leaves_nothing_behind_whatever_comes_next(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Another command stores the removal, or the item can be removed again: no example stays."""
    with open_catalog(options) as catalog:
        folder = LabelledFolder(catalog.folder.labels)
        folder.save_items("taught", LabelledItems(("i3", "i4"), ("l0", "l1"), VECTORS[3:5]))
        item = Item(item_id="i3", kind=Kind.PICTURE, source="gone.png")
        catalog.dead_letters.add(failure(item, Stage.READ, Reason.MISSING, "no such file"))
    with monkeypatch.context() as patch:
        patch.setattr(removal, step, stop)
        with pytest.raises(KeyboardInterrupt):
            remove_items(options, ["i3"])
    add_items(options, normalise(np.ones((1, 8))), prefix="new")
    if "i3" in answers(options):
        remove_items(options, ["i3"])
    with open_catalog(options) as catalog:
        taught = LabelledFolder(catalog.folder.labels).items("taught")
        assert taught is not None
        assert taught.item_ids == ("i4",)
        assert not catalog.dead_letters.all()
    assert "i3" not in answers(options)


def test_a_backup_of_the_database_is_noticed_and_brought_up_to_date(
    options: CatalogOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As many rows, but older ones: readers are warned, the next command that writes mends it."""
    import shutil

    backup, database = tmp_path / "backup", Path(options.db_uri)
    shutil.copytree(database, backup)
    remove_items(options, ["i3"])
    add_items(options, normalise(np.ones((1, 8))), prefix="new")
    shutil.rmtree(database)
    shutil.copytree(backup, database)
    assert "older than the archive" in catalog_status(options)[0]["state"]
    assert "i3" in answers(replace(options))
    assert "older than the archive" in caplog.text
    add_items(options, normalise(np.ones((1, 8))), prefix="another")
    assert "i3" not in answers(options)
    assert compare(options).equal
    assert catalog_status(options)[0]["state"] == "complete"
