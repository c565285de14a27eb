"""Changing the model of a catalog that has several label sets: all of them come along."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from two_models import HOW, NEW, OLD, Faked, draw

from indexer.catalog.corrections import Verdict
from indexer.catalog.opening import open_catalog
from indexer.core.errors import CatalogError
from indexer.jobs import reembed as job
from indexer.jobs.ingest import ingest
from indexer.jobs.label_sets import remove_set, set_gate, summaries
from indexer.jobs.labels import add_labels, remove_labels
from indexer.jobs.rebuild import compare
from indexer.jobs.reembed import reembed
from indexer.jobs.rollback import rollback
from indexer.labels.examples import LabelledFolder
from indexer.labels.migration_plan import MigrationPlan
from indexer.labels.set_settings import is_by_pixels, set_by_pixels
from queries.categorizing.categorize import categorize
from queries.review.corrections import store_verdict
from queries.teaching.teach import teach

ITEMS = 40


@pytest.fixture
def options(tmp_path: Path) -> Faked:
    """A catalog with a gated, taught and reviewed label set of colours, by the old model."""
    options = Faked(data_dir=tmp_path / "data", model=OLD)
    ingest(options, [str(draw(tmp_path / "shop", range(ITEMS)))], HOW.ingest)
    (tmp_path / "labels.txt").write_text("mug\nboot\njacket\nlamp")
    (tmp_path / "colours.txt").write_text("red\ngreen\nblue")
    add_labels(options, str(tmp_path / "labels.txt"))
    colours = options.of_set("colour")
    add_labels(colours, str(tmp_path / "colours.txt"), applies_to=["mug", "boot"])
    (tmp_path / "taught.csv").write_text("item_id,label_id\ni1,red\ni2,green\ni3,blue\n")
    with open_catalog(replace(colours, model=None), write=True) as catalog:
        teach(catalog, file=tmp_path / "taught.csv")
        set_by_pixels(catalog.folder.labels, False)
        categorize(catalog, tmp_path / "o.csv", sets=["category", "colour"], write_back=True)
        store_verdict(catalog, "i5", Verdict.CORRECTED, label="green")
    return replace(options, model=None)


def stored(options: Faked) -> dict[str, dict[str, Any]]:
    """Label and attributes of the items in the database."""
    with open_catalog(options) as catalog:
        fields = catalog.items.fetch([f"i{number}" for number in range(ITEMS)])
    return {
        item_id: {name: one[name] for name in ("label_id", "attributes")}
        for item_id, one in fields.items()
    }


def test_every_set_is_of_the_new_model(options: Faked) -> None:
    """Labels, gate, examples, corrections, decisions, the last migration; and back again."""
    before = stored(options)
    migration = {"digest": "of the labels and the mapping"}
    with open_catalog(options, write=True) as catalog:
        plan = MigrationPlan(catalog.folder.labels)
        plan.save(migration)
        plan.finish()
        set_by_pixels(catalog.of_set("colour").folder.labels, True)
    reembed(replace(options, model=NEW), replace(HOW, keep_old=True))
    assert stored(options) == before
    assert compare(options).equal
    assert [summary.applies_to for summary in summaries(options)] == [(), ("mug", "boot")]
    with open_catalog(options) as catalog:
        assert MigrationPlan(catalog.folder.labels).last() == migration
    with open_catalog(options.of_set("colour")) as catalog:
        assert catalog.fingerprint.model == NEW
        assert [label.name for label in catalog.label_set.labels] == ["red", "green", "blue"]
        assert catalog.labels.count() == 3
        assert is_by_pixels(catalog.folder.labels)
        taught = LabelledFolder(catalog.folder.labels).items("taught")
        assert taught is not None
        assert taught.item_ids == ("i1", "i2", "i3")
    rollback(options)
    assert stored(options) == before
    assert compare(options).equal


def test_a_rollback_tells_what_it_takes_back(
    options: Faked, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Labels, gates and examples are those of each model; nothing is told where they are equal."""
    reembed(replace(options, model=NEW), replace(HOW, keep_old=True))
    rollback(options)
    rollback(options)
    assert "than before this rollback" not in caplog.text
    remove_labels(options, ["lamp"])
    set_gate(options.of_set("colour"), ["mug"])
    (tmp_path / "taught.csv").write_text("item_id,label_id\ni1,red\ni2,green\n")
    with open_catalog(options.of_set("colour"), write=True) as catalog:
        assert teach(catalog, file=tmp_path / "taught.csv").replaced == 3
    rollback(options)
    assert "since each model has its own: 1 of category, the gate of colour." in caplog.text
    assert "items are others than before this rollback: of colour." in caplog.text


def test_what_changes_meanwhile_comes_along(
    options: Faked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A set that is made while items are embedded, and one that is removed."""
    measure = job._fill_and_measure

    def meanwhile(*values: Any) -> Any:
        report = measure(*values)
        remove_set(options.of_set("colour"))
        (tmp_path / "patterns.txt").write_text("striped\ndotted")
        add_labels(options.of_set("pattern"), str(tmp_path / "patterns.txt"))
        with open_catalog(options, write=True) as catalog:
            categorize(catalog, tmp_path / "p.csv", sets=["pattern"], write_back=True)
        return report

    monkeypatch.setattr(job, "_fill_and_measure", meanwhile)
    reembed(replace(options, model=NEW), HOW)
    assert [summary.label_set for summary in summaries(options)] == ["category", "pattern"]
    attributes = [fields["attributes"] for fields in stored(options).values()]
    assert all(one["pattern"] in {"striped", "dotted"} for one in attributes)
    assert all("colour" not in one for one in attributes)
    assert compare(options).equal


@pytest.mark.parametrize("begun", ["before", "meanwhile"])
def test_no_model_is_changed_while_labels_are_on_the_move(
    options: Faked, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    """The new generation would have a part of the old labels and a part of the new ones."""
    with open_catalog(options) as catalog:
        plan = MigrationPlan(catalog.folder.labels)
    measure = job._fill_and_measure

    def begin(*values: Any) -> Any:
        plan.save({"file": "new.txt", "mapping": "mapping.csv"})
        return measure(*values)

    if begun == "before":
        plan.save({"file": "new.txt", "mapping": "mapping.csv"})
    monkeypatch.setattr(job, "_fill_and_measure", begin)
    with pytest.raises(CatalogError, match=r"zeroshelf labels migrate new\.txt"):
        reembed(replace(options, model=NEW), HOW)
    generations = options.folder.generations()
    assert generations.current == 1
    assert (generations.filling is None) == (begun == "before")
    plan.path.unlink()
    monkeypatch.setattr(job, "_fill_and_measure", measure)
    assert reembed(replace(options, model=NEW), HOW).items == ITEMS


def test_a_killed_change_of_the_model_goes_on_with_all_sets(
    options: Faked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the labels are embedded: the same command again carries all."""
    before = stored(options)

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(job, "_carry_labels", killed)
        with pytest.raises(SystemExit):
            reembed(replace(options, model=NEW), HOW)
    set_gate(options.of_set("colour"), ["jacket"])
    reembed(replace(options, model=NEW), HOW)
    assert stored(options) == before
    assert summaries(options)[1].applies_to == ("jacket",)
    assert compare(options).equal
