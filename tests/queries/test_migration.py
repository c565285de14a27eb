"""The move of a catalog to other labels: what is refused changes nothing, what is told helps."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, set_labels
from test_label_sets import add_set

from indexer.catalog.corrections import Verdict
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import CatalogError, UsageError
from indexer.jobs.backup import backup, restore
from indexer.jobs.label_sets import set_gate, summaries
from indexer.jobs.labels import remove_labels
from indexer.labels.gates import GateFile
from queries.categorizing.categorize import categorize
from queries.mapping import migration
from queries.mapping.migration import migrate
from queries.review.corrections import store_verdict
from queries.review.queue import DecisionCache

EYE = np.eye(6, dtype=np.float32)
NEW = ("n0", "n1", "n2")


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """Items i0 to i3 of the labels l0, l1, l2, l2, written back; given vectors, and no model."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    add_items(options, EYE[[0, 1, 2, 2]] + 0.1 * EYE[[3, 4, 5, 4]])
    set_labels(options, EYE[:3])
    decide(options)
    return options


def decide(options: CatalogOptions) -> None:
    """Categorize, and store the labels on the items."""
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, options.data_dir.parent / "c.parquet", write_back=True)


def new_labels(options: CatalogOptions, names: Sequence[str] = NEW) -> tuple[str, Path]:
    """A label file, and a file of its vectors."""
    file, vectors = options.data_dir.parent / "new.jsonl", options.data_dir.parent / "new.npy"
    file.write_text("\n".join(json.dumps({"id": name, "name": name}) for name in names))
    np.save(vectors, EYE[: len(names)])
    return str(file), vectors


def mapping(options: CatalogOptions, *pairs: str) -> Path:
    """A mapping of pairs such as ``l0,n0``."""
    path = options.data_dir.parent / "mapping.csv"
    path.write_text("\n".join(["label_id,target_id", *pairs]) + "\n")
    return path


def test_what_is_refused_leaves_the_catalog_as_it_was(options: CatalogOptions) -> None:
    """Labels without vectors can't be embedded here: no plan waits then, and --vectors helps."""
    file, vectors = new_labels(options)
    rules = mapping(options, "l0,n0", "l1,n1", "l2,n2")
    with pytest.raises(CatalogError, match="--vectors"):
        migrate(options, file, rules)
    decide(options)  # is not refused
    report = migrate(options, file, rules, vectors=vectors)
    assert report.moved["decisions"] == 4
    with open_catalog(options) as catalog:
        assert list(catalog.label_set.places) == list(NEW)


def test_an_interrupted_move_is_finished_though_its_files_are_gone(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that is told names copies, and needs no vectors; so it does of a backup."""
    file, vectors = new_labels(options)
    rules = mapping(options, "l0,n0", "l1,n1", "l2,n2")
    with monkeypatch.context() as patch:
        patch.setattr(migration, "store_again", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            migrate(options, file, rules, vectors=vectors)
    rules.write_text("label_id,target_id\nl0,n2\n")
    vectors.unlink()
    for attempt in (decide, lambda options: migrate(options, file, rules)):
        with pytest.raises(CatalogError, match="Finish the move with") as refused:
            attempt(options)
    other, address = replace(options, catalog="other"), str(options.data_dir.parent / "backup")
    backup(options, address)
    restore(other, address)
    shutil.rmtree(options.folder.root)
    with pytest.raises(CatalogError, match="Finish the move with") as refused:
        decide(other)
    command = shlex.split(str(refused.value).split("zeroshelf labels migrate ")[1])
    report = migrate(other, command[0], Path(command[2]))
    assert (report.moved["decisions"], report.left["decisions"]) == (4, 0)
    decide(other)


def _interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_gates_name_all_targets_of_a_rule(options: CatalogOptions) -> None:
    """A branch that is split would else apply to a part of its items."""
    colour = options.of_set("colour")
    add_set(colour, ["red", "blue"], EYE[4:])
    set_gate(colour, ["l1"])
    file, vectors = new_labels(options)
    rules = mapping(options, "l0,n0", "l1,n1", "l1,n2", "l2,n2")
    migrate(options, file, rules, vectors=vectors)
    assert summaries(options)[1].applies_to == ("n1", "n2")
    with open_catalog(colour) as catalog:
        assert len(GateFile(catalog.folder.labels).load()) == 2


def test_rules_and_ids_that_may_be_errors_are_told(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Names that neither side has, and an id that means something else in the file."""
    file, vectors = new_labels(options, ["n0", "l1", "n2"])
    rules = mapping(options, "l0,n0", "l22,n2", "l2,n22")
    migrate(options, file, rules, vectors=vectors, dry_run=True)
    assert "the mapping names 1 labels that the catalog lacks, such as 'l22'." in caplog.text
    assert "1 targets that are not in the label file, such as 'n22'." in caplog.text
    assert "1 labels without a rule keep their id and have another name" in caplog.text
    assert "such as 'l1': 'label 1' becomes 'l1'" in caplog.text


def test_a_generation_to_roll_back_to_is_dropped_first(options: CatalogOptions) -> None:
    """It has the old labels, and verdicts belong to all generations."""
    file, vectors = new_labels(options)
    generations = options.folder.generations()
    fingerprint = generations.fingerprints[generations.current]
    changing = generations.started(2, fingerprint).swapped(keep_old=True).rolled_back()
    options.folder.write_description(changing)
    rules = mapping(options, "l0,n0")
    with pytest.raises(UsageError, match="zeroshelf rollback --forget"):
        migrate(options, file, rules, vectors=vectors)
    options.folder.write_description(options.folder.generations().forgotten())
    assert migrate(options, file, rules, vectors=vectors).mapped == 1


def test_items_whose_verdict_has_no_counterpart_are_reviewed_again(options: CatalogOptions) -> None:
    """And those whose label is removed; a rejected one has no label, which remains so."""
    with open_catalog(options) as catalog:
        for item_id in ("i0", "i1"):
            store_verdict(catalog, item_id, Verdict.ACCEPTED)
        store_verdict(catalog, "i2", Verdict.REJECTED)
    decide(options)
    assert _waiting(options) == ({"i3"}, 3)
    remove_labels(options, ["l0"])
    assert _waiting(options) == ({"i0", "i3"}, 2)
    file, vectors = new_labels(options)
    migrate(options, file, mapping(options, "l2,n2"), vectors=vectors)
    decide(options)
    assert _waiting(options) == ({"i0", "i1", "i3"}, 1)


def _waiting(options: CatalogOptions) -> tuple[set[str], int]:
    """Ids of the items in the review queue, and how many were reviewed."""
    with open_catalog(options) as catalog:
        queue = DecisionCache().queue(catalog, limit=9)
        return {doubt.item_id for doubt in queue.page}, queue.reviewed
