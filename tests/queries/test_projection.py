"""The map: places of items beside the catalog, and what is on it as the catalog changes."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, set_labels

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import CatalogError, StoppedError, UsageError
from indexer.core.records import EmbeddedItem, FloatArray
from indexer.core.vectors import normalise
from indexer.core.watch import Watch
from indexer.jobs.removal import remove_items
from queries.categorizing.categorize import categorize
from queries.deciding.question import Question
from queries.projection import methods
from queries.projection.item_map import NONE, OTHER, ColumnValues, current_map, values_of
from queries.projection.laying_out import in_unit_square, lay_out
from queries.projection.methods import Method
from queries.projection.principal_axes import Moments
from queries.projection.projecting import ProjectionOptions, ProjectionReport, project_items
from queries.projection.quality import trustworthiness

GROUPS, ITEMS, WIDTH = 3, 60, 12
BY_AXES = ProjectionOptions(method=Method.PCA)


def grouped_vectors(seed: int = 0) -> FloatArray:
    """Items near one of three centres, in turn."""
    generator = np.random.default_rng(seed)
    centres = np.eye(GROUPS, WIDTH)
    noise = 0.05 * generator.normal(size=(ITEMS, WIDTH))
    vectors: FloatArray = normalise(centres[np.arange(ITEMS) % GROUPS] + noise)
    return vectors


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the catalog that each test gets a copy of."""
    folder = tmp_path_factory.mktemp("made")
    options = CatalogOptions(data_dir=folder / "data")
    add_items(options, grouped_vectors())
    set_labels(options, np.eye(GROUPS, WIDTH, dtype=np.float32))
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, folder / "out.parquet", Question(), write_back=True)
    return options.data_dir


@pytest.fixture
def options(made: Path, tmp_path: Path) -> CatalogOptions:
    """A catalog of three groups, with labels written back."""
    shutil.copytree(made, tmp_path / "data")
    return CatalogOptions(data_dir=tmp_path / "data")


@pytest.fixture
def catalog(options: CatalogOptions) -> Iterator[OpenCatalog]:
    """The same, laid out by its main axes."""
    with open_catalog(options) as opened:
        project_items(opened, BY_AXES)
        yield opened


def ids_on_map(options: CatalogOptions) -> tuple[list[str], int]:
    """Ids of the items on the map, and how many are missing."""
    with open_catalog(options) as catalog:
        item_map = current_map(catalog)
        assert item_map is not None
        return item_map.item_ids.to_pylist(), item_map.missing


def shares_of_group(places: FloatArray) -> float:
    """Share of items whose nearest other place is of their group."""
    distances = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distances, np.inf)
    groups = np.arange(len(places)) % GROUPS
    return float((groups[distances.argmin(axis=1)] == groups).mean())


def test_main_axes_of_blocks_are_those_of_all_at_once() -> None:
    """The same as of the whole matrix's covariance, whatever the blocks."""
    vectors = grouped_vectors()
    moments = Moments(WIDTH)
    for block in np.array_split(vectors, 7):
        moments.add(block)
    axes = moments.principal_axes(2)
    expected = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)[2][:2].T
    assert np.abs((axes.axes * expected).sum(axis=0)) == pytest.approx([1, 1], abs=1e-4)
    assert axes.project(vectors).std(axis=0)[0] > axes.project(vectors).std(axis=0)[1]


def test_places_lie_in_the_unit_square_at_one_scale() -> None:
    """The longer side fills it; the shorter one stands in its middle."""
    places = np.array([[0, 0], [4, 1], [2, 2]], dtype=np.float32)
    assert in_unit_square(places).tolist() == [[0, 0.25], [1, 0.5], [0.5, 0.75]]
    alone = np.full((3, 2), 7, dtype=np.float32)
    assert in_unit_square(alone).tolist() == [[0.5, 0.5]] * 3


def test_trust_is_1_for_the_same_places_and_less_for_others() -> None:
    """It tells an order by chance; of two items nothing can be told."""
    vectors = grouped_vectors()[:, :2]
    assert trustworthiness(vectors, vectors) == pytest.approx(1)
    others = np.random.default_rng(1).permutation(vectors)
    told = trustworthiness(vectors, others)
    assert told is not None
    assert told < 0.8
    assert trustworthiness(vectors[:2], vectors[:2]) is None


@pytest.mark.slow
@pytest.mark.skipif(not methods.has_umap(), reason="needs zeroshelf[map]")
def test_umap_keeps_groups_together_the_same_each_time() -> None:
    """In a process of its own; stopped, it ends."""
    vectors = grouped_vectors()
    first = lay_out(vectors, Method.UMAP, seed=4)
    assert shares_of_group(first) == 1
    assert np.array_equal(first, lay_out(vectors, Method.UMAP, seed=4))
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        lay_out(vectors, Method.UMAP, seed=4, stop=stop)


@pytest.mark.parametrize("method", list(Method))
def test_items_that_are_all_the_same_lie_in_the_middle(method: Method) -> None:
    """But for the rounding of their vectors, which is not blown up."""
    noise = np.random.default_rng(0).normal(scale=1e-8, size=(40, 4))
    assert (lay_out(noise.astype(np.float32), method, seed=0) == 0.5).all()
    assert (lay_out(np.zeros((40, 4), np.float32), method, seed=0) == 0.5).all()


def test_all_items_are_on_the_map(catalog: OpenCatalog) -> None:
    """With places that keep the groups, and a second run that finds nothing to do."""
    item_map = current_map(catalog)
    assert item_map is not None
    assert sorted(item_map.item_ids.to_pylist()) == sorted(f"i{row}" for row in range(ITEMS))
    assert (item_map.missing, item_map.gone, item_map.drawn_from) == (0, 0, None)
    order = np.argsort([int(item_id[1:]) for item_id in item_map.item_ids.to_pylist()])
    assert shares_of_group(item_map.places[order]) > 0.9
    assert project_items(catalog, BY_AXES).unchanged
    assert not project_items(catalog, replace(BY_AXES, again=True)).unchanged


def test_the_same_seed_gives_the_same_map(catalog: OpenCatalog) -> None:
    """Laid out again, each item is where it was."""
    first = current_map(catalog)
    project_items(catalog, replace(BY_AXES, again=True))
    second = current_map(catalog)
    assert first is not None
    assert second is not None
    assert np.array_equal(first.places, second.places)


def test_a_removed_item_leaves_and_a_new_one_is_counted(
    options: CatalogOptions, catalog: OpenCatalog
) -> None:
    """Until the items are laid out again."""
    assert catalog
    remove_items(options, ["i3"])
    add_items(options, grouped_vectors(seed=5)[:4], prefix="new")
    ids, missing = ids_on_map(options)
    assert "i3" not in ids
    assert (len(ids), missing) == (ITEMS - 1, 4)
    with open_catalog(options) as opened:
        report = project_items(opened, BY_AXES)
    assert (report.items, report.points, report.unchanged) == (ITEMS + 3, ITEMS + 3, False)
    assert ids_on_map(options)[1] == 0


def test_an_item_with_a_new_title_stays_and_one_with_new_content_leaves(
    options: CatalogOptions, catalog: OpenCatalog
) -> None:
    """Its place is that of its vector; its values are those that it has now."""
    assert catalog
    with open_catalog(options, write=True) as opened:
        rows = [row for row in opened.archive.rows(1) if isinstance(row, EmbeddedItem)]
        titled = replace(rows[0], title="another", metadata_json=json.dumps({"brand": "Acme"}))
        replaced = replace(rows[1], content_hash="0" * 64)
        opened.ledger.add(opened.archive.write([titled, replaced]))
        opened.folder.store_column_types({"brand": "text"})  # type: ignore[dict-item]
    ids, missing = ids_on_map(options)
    assert titled.item_id in ids
    assert replaced.item_id not in ids
    assert missing == 1
    with open_catalog(options) as opened:
        item_map = current_map(opened)
        assert item_map is not None
        brands = values_of(opened, item_map, "brand")
        assert brands.names == ["Acme"]
        place = item_map.item_ids.to_pylist().index(titled.item_id)
        assert brands.codes[place] == 0
        assert brands.without == ITEMS - 2


def test_values_are_labels_and_statuses_with_counts(catalog: OpenCatalog) -> None:
    """Each code stands for the label that the item has."""
    item_map = current_map(catalog)
    assert item_map is not None
    labels = values_of(catalog, item_map, "label")
    assert sorted(labels.values) == ["l0", "l1", "l2"]
    assert labels.counts.tolist() == [20, 20, 20]
    rows = [int(item_id[1:]) for item_id in item_map.item_ids.to_pylist()]
    assert [labels.values[code] for code in labels.codes] == [f"l{row % GROUPS}" for row in rows]
    assert values_of(catalog, item_map, "status").counts.sum() == ITEMS
    with pytest.raises(UsageError, match="no item has such a column"):
        values_of(catalog, item_map, "brnd")


def test_rare_values_share_a_code(catalog: OpenCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as are told apart, the most frequent; what has none has a code too."""
    monkeypatch.setattr("queries.projection.item_map.MOST_VALUES", 2)
    item_map = current_map(catalog)
    assert item_map is not None
    found: ColumnValues = values_of(catalog, item_map, "label")
    assert len(found.values) == 2
    assert found.others == 20
    assert OTHER in found.codes
    assert NONE not in found.codes


def test_of_many_items_some_are_drawn(options: CatalogOptions) -> None:
    """The map says of how many."""
    with open_catalog(options) as catalog:
        report = project_items(catalog, replace(BY_AXES, most=20))
        item_map = current_map(catalog)
    assert (report.items, report.points) == (ITEMS, 20)
    assert item_map is not None
    assert (len(item_map), item_map.drawn_from) == (20, ITEMS)


def test_a_stopped_job_leaves_the_old_map(catalog: OpenCatalog) -> None:
    """The new one takes its place in one step, at the end."""
    before = catalog.folder.projection.read_bytes()
    watch = Watch()
    watch.stop.set()
    with pytest.raises(StoppedError):
        project_items(catalog, replace(BY_AXES, again=True), watch)
    assert catalog.folder.projection.read_bytes() == before
    assert list(catalog.folder.home.glob("map.parquet.*")) == []


def test_a_damaged_map_is_told_and_made_again(catalog: OpenCatalog) -> None:
    """The message names the command that does it."""
    catalog.folder.projection.write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(CatalogError, match="Lay the items out again: zeroshelf map"):
        current_map(catalog)
    assert not project_items(catalog, BY_AXES).unchanged
    assert current_map(catalog) is not None


def test_without_umap_the_main_axes_stand_in_and_it_is_said(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it; asked for by name, it is refused."""
    monkeypatch.setattr(methods, "has_umap", lambda: False)
    with open_catalog(options) as catalog:
        report: ProjectionReport = project_items(catalog)
        assert report.method == "pca"
        assert "pip install 'zeroshelf[map]'" in report.reason
        with pytest.raises(UsageError, match="needs umap-learn"):
            project_items(catalog, ProjectionOptions(method=Method.UMAP, again=True))
