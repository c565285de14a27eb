"""Adapting a catalog: what is stored, when it fits, what a killed command leaves."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, make_catalog, set_labels
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog import catalog as catalog_module
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.catalog.sampling import sampled_rows
from indexer.core.errors import CatalogError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.jobs import adapt as job
from indexer.jobs.adapt import FitReason, adapt, current, fit_to, reason_to_fit
from indexer.jobs.labels import add_labels, remove_labels
from indexer.jobs.rebuild import compare
from indexer.jobs.removal import remove_items
from indexer.labels.adaptation import MIN_ITEMS
from indexer.labels.head import stored_rows

ITEMS = 60


def unit(count: int, seed: int) -> FloatArray:
    """float32 (count, 16), rows of length 1, on one side of the space."""
    return normalise(np.random.default_rng(seed).normal(size=(count, 16)) + 0.3)


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A catalog of 60 items and 6 labels."""
    return make_catalog(tmp_path / "data", unit(ITEMS, 0), unit(6, 1))


def interrupt(*_: object) -> None:
    """Ctrl-C, in place of a call."""
    raise KeyboardInterrupt


def stored(options: CatalogOptions) -> FloatArray:
    """What the ``labels`` collection holds."""
    with open_catalog(options) as catalog:
        return np.stack([row.vector for row in catalog.labels.labels()])


def test_adapting_stores_and_reaches_the_database(options: CatalogOptions) -> None:
    """The collection holds the adapted rows, and all fits together."""
    report = adapt(options)
    assert (report.items, report.labels) == (ITEMS, 6)
    with open_catalog(options) as catalog:
        assert catalog.adaptation is not None
        assert catalog.adaptation.version == report.version
        expected = stored_rows(catalog.label_set, catalog.adaptation)
    np.testing.assert_array_equal(stored(options), expected)
    assert (expected[:, -1] != 0).any()
    assert compare(options).equal


def test_putting_off_goes_back_to_plain(options: CatalogOptions) -> None:
    """The collection holds plain rows again, and ``current`` leaves it so."""
    before = stored(options)
    adapt(options)
    adapt(options, off=True)
    np.testing.assert_array_equal(stored(options), before)
    with open_catalog(options, write=True) as catalog:
        assert current(catalog) is None
    adapt(options)
    assert (stored(options) != before).any()


def test_current_fits_once(options: CatalogOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored is taken again while the catalog stays as it was."""
    with open_catalog(options, write=True) as catalog:
        first = current(catalog)
    monkeypatch.setattr(job, "fit", lambda *_: pytest.fail("fitted anew"))
    with open_catalog(options, write=True) as catalog:
        again = current(catalog)
    assert first is not None
    assert again is not None
    assert first.version == again.version


@pytest.mark.parametrize(("more", "anew"), [(12, False), (13, True)])
def test_current_fits_anew_when_a_fifth_has_changed(
    options: CatalogOptions, more: int, anew: bool
) -> None:
    """Items that came count; so do those that went, below."""
    with open_catalog(options, write=True) as catalog:
        first = current(catalog)
    add_items(options, unit(more, 5), prefix="more")
    with open_catalog(options, write=True) as catalog:
        second = current(catalog)
    assert first is not None
    assert second is not None
    assert (second.version != first.version) == anew


def test_items_that_went_count_as_changes(options: CatalogOptions) -> None:
    """Removals and replacements alike."""
    with open_catalog(options, write=True) as catalog:
        first = current(catalog)
    remove_items(options, [f"i{row}" for row in range(7)])
    add_items(options, unit(6, 9), prefix="new")
    with open_catalog(options, write=True) as catalog:
        second = current(catalog)
    assert first is not None
    assert second is not None
    assert second.items == ITEMS - 7 + 6
    assert second.version != first.version


@pytest.mark.parametrize("change", ["removed", "reworded", "added"])
def test_a_changed_label_leaves_all_plain_until_they_are_fitted_again(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    """One of six is enough: the others have moved onto its pictures, or away from them."""
    adapt(options)
    vectors = unit(7, 1)
    with caplog.at_level(logging.INFO):
        if change == "removed":
            remove_labels(options, ["l5"])
        elif change == "reworded":
            vectors[5] = normalise(vectors[5:6] + 0.1 * unit(1, 8))
            set_labels(options, vectors[:6])
        else:
            set_labels(options, vectors)
    assert "zeroshelf categorize" in caplog.text
    assert (stored(options)[:, -1] == 0).all()
    assert compare(options).equal
    with open_catalog(options, write=True) as catalog:
        assert catalog.adaptation is None
        assert reason_to_fit(catalog) == FitReason.LABELS
        found = current(catalog)
        assert found is not None
        again = fit_to(catalog, catalog.label_set.leaves)
        assert again is not None
        assert found.version == again.version
    assert (stored(options)[:, -1] != 0).any()


def test_a_label_of_another_name_or_place_is_the_same(options: CatalogOptions) -> None:
    """What was fitted goes by vectors; labels in another order take their rows along."""
    adapt(options)
    before = stored(options)
    add_labels(
        options,
        _file(options, [("l3", "another name"), *((f"l{row}", "") for row in (5, 0, 1, 2, 4))]),
        vectors=options.data_dir / "turned.npy",
        replace=True,
    )
    with open_catalog(options) as catalog:
        assert catalog.adaptation is not None
        found = {row.label.label_id: row.vector for row in catalog.labels.labels()}
    for row, vector in enumerate(before):
        np.testing.assert_array_equal(found[f"l{row}"], vector)


def _file(options: CatalogOptions, labels: list[tuple[str, str]]) -> str:
    """A label file, with the vectors that the labels have already beside it."""
    file = options.data_dir / "turned.jsonl"
    named = [json.dumps({"id": one, "name": name or f"label {one}"}) for one, name in labels]
    file.write_text("\n".join(named))
    rows = [int(one.removeprefix("l")) for one, _ in labels]
    np.save(options.data_dir / "turned.npy", unit(6, 1)[rows])
    return str(file)


def test_labels_as_they_were_fit_again(options: CatalogOptions) -> None:
    """A change that is taken back leaves what was fitted."""
    adapt(options)
    adapted_rows = stored(options)
    remove_labels(options, ["l4", "l5"])
    set_labels(options, unit(6, 1))
    np.testing.assert_array_equal(stored(options), adapted_rows)


def test_a_catalog_without_labels_is_in_step(tmp_path: Path) -> None:
    """Whether it never had any, or they were all removed."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    add_items(options, unit(3, 0))
    assert compare(options).equal
    set_labels(options, unit(2, 1))
    remove_labels(options, ["l0", "l1"])
    assert compare(options).equal
    with open_catalog(options) as catalog:
        assert catalog.labels.count() == 0


@pytest.mark.parametrize(("items", "labels"), [(MIN_ITEMS - 1, 6), (60, 1), (60, 0)])
def test_too_little_is_refused(tmp_path: Path, items: int, labels: int) -> None:
    """By the command with a message; ``current`` decides plainly."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    add_items(options, unit(items, 0))
    if labels:
        set_labels(options, unit(labels, 1))
    with pytest.raises(CatalogError, match=f"{labels} labels and {items} items"):
        adapt(options)
    with open_catalog(options, write=True) as catalog:
        assert current(catalog) is None


def test_a_killed_command_is_noticed_and_repaired(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File first, then database: a reader that finds the database behind writes it."""
    with monkeypatch.context() as patch:
        patch.setattr(catalog_module, "write_labels", interrupt)
        with pytest.raises(KeyboardInterrupt):
            adapt(options)
    assert not compare(options).labels_match
    with open_catalog(options) as catalog:
        _ = catalog.labels
    assert (stored(options)[:, -1] != 0).any()
    assert compare(options).equal


def test_adapting_again_repairs_too(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is not in step is written in whole."""
    with monkeypatch.context() as patch:
        patch.setattr(catalog_module, "write_labels", interrupt)
        with pytest.raises(KeyboardInterrupt):
            adapt(options)
    adapt(options)
    assert compare(options).equal


@given(st.integers(1, 70))
def test_samples_are_even(most: int) -> None:
    """Every n-th item, across shards of odd sizes with some rows that count no more."""

    class Shards:
        sizes = (5, 1, 17, 30, 2)

        def shards(self) -> list[int]:
            return list(range(5))

        def count(self) -> int:
            return sum(map(len, map(self.live_rows, range(5))))

        def live_rows(self, number: int) -> np.ndarray:
            return np.arange(self.sizes[number])[number % 2 :]

    fake = Shards()
    everything = [(one, row) for one in range(5) for row in fake.live_rows(one)]
    found = [
        (shard, row)
        for shard, rows in sampled_rows(fake, most)  # type: ignore[arg-type]
        for row in rows
    ]
    assert min(most, len(everything)) / 2 <= len(found) <= most
    assert found == everything[:: -(-len(everything) // most)]
