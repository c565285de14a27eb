"""Damaged files of a data folder: told with a remedy that works, and nothing dropped before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, make_catalog, set_labels

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import CatalogError, DamagedShardError
from indexer.core.protocols import Decision
from indexer.core.records import EmbeddedItem, FloatArray
from indexer.core.vectors import normalise
from indexer.jobs.damaged_shards import skip_damaged
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.rebuild import compare, rebuild
from indexer.jobs.removal import remove_items
from indexer.jobs.retry import retry
from queries.search.finding import search

COUNT = 12
VECTORS: FloatArray = normalise(np.random.default_rng(0).normal(size=(COUNT, 8)))
LITE = "milvus.db/collections/catalog_items_001"


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A catalog of twelve items."""
    return make_catalog(tmp_path / "data", VECTORS, VECTORS[:2])


def cut(path: Path) -> None:
    """Leave half of a file."""
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size // 2)


def flip(path: Path) -> None:
    """Change one bit of a vector."""
    content = bytearray(path.read_bytes())
    place = content.index(VECTORS[5].tobytes())
    content[place] ^= 1
    path.write_bytes(content)


def nearest(options: CatalogOptions) -> str:
    """The item that a search for the vector of item 3 finds first."""
    with open_catalog(options) as catalog:
        return search(catalog, VECTORS[3], limit=1)[0].item_id


def shard(options: CatalogOptions, number: int = 1) -> Path:
    """The file of a shard."""
    return options.folder.archive / f"items-{number:08d}.parquet"


def test_index_files_that_a_kill_cut_short_are_built_anew(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Milvus Lite writes them in place, and then could not load the collection any more."""
    files = list((options.data_dir / LITE).glob("partitions/*/indexes/*.idx"))
    assert files
    for file in files:
        cut(file)
    assert nearest(options) == "i3"
    assert "cut short" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: cut(next((data / LITE).glob("partitions/*/data/*.parquet"))),
        lambda data: cut(data / LITE / "schema.json"),
        lambda data: (data / LITE / "schema.json").unlink(),
        lambda data: cut(data / "milvus.db" / "aliases.json"),
        lambda data: cut(data / LITE / "manifest.json"),
        lambda data: (data / LITE / "manifest.json").unlink(),
    ],
)
def test_a_database_that_is_damaged_inside_is_made_anew(
    options: CatalogOptions, damage: Callable[[Path], None]
) -> None:
    """Whatever of it: one command, without moving anything by hand."""
    damage(options.data_dir)
    assert rebuild(options).rows == COUNT
    assert compare(options, all_vectors=True).equal
    assert nearest(options) == "i3"


def test_what_was_moved_aside_and_who_else_was_in_it_is_told(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Under the name that it has now; other catalogs have to be made anew, too."""
    shutil.copytree(options.folder.root, options.folder.root.with_name("second"))
    (options.data_dir / LITE / "schema.json").write_text("{")
    rebuild(options)
    assert "milvus.db.damaged-1" in caplog.text
    assert (options.data_dir / "milvus.db.damaged-1").is_dir()
    assert "zeroshelf rebuild --catalog second" in caplog.text


def test_a_flipped_bit_in_the_archive_is_found_before_anything_is_dropped(
    options: CatalogOptions,
) -> None:
    """Pages have checksums: no label is decided by a damaged vector."""
    flip(shard(options))
    with pytest.raises(DamagedShardError, match=r"item 'i0'.*--skip-damaged"):
        rebuild(options)
    assert nearest(options) == "i3"  # the database was not touched
    with open_catalog(options) as catalog, pytest.raises(DamagedShardError):
        catalog.archive.vectors(1)


def test_items_of_a_damaged_shard_are_embedded_again(options: CatalogOptions) -> None:
    """They become dead letters, retry brings them back, and what was removed stays so."""
    remove_items(options, ["i7"])
    add_items(options, normalise(np.ones((2, 8))), prefix="new")
    flip(shard(options))
    found = skip_damaged(options)
    assert (found.shards, found.dead_letters, found.unknown) == (1, COUNT - 1, ())
    assert rebuild(options).rows == 2
    report, _ = retry(options, IngestOptions())
    assert report.stored == COUNT - 1
    assert nearest(options) == "i3"
    assert compare(options, all_vectors=True).equal
    with open_catalog(options) as catalog:
        assert "i7" not in set(catalog.ledger.item_ids())
    assert skip_damaged(options).shards == 0


def test_an_older_row_does_not_count_again_where_the_newer_is_damaged(
    options: CatalogOptions,
) -> None:
    """Not even until its item is embedded again."""
    add_items(options, VECTORS[:1] * -1, prefix="i")
    flip_all(shard(options, 2))
    skip_damaged(options)
    with open_catalog(options) as catalog:
        assert "i0" not in set(catalog.ledger.item_ids())


def flip_all(path: Path) -> None:
    """Change a bit in each part of a file but its ends."""
    content = bytearray(path.read_bytes())
    for place in range(16, len(content) - 2048, 64):
        content[place] ^= 1
    path.write_bytes(content)


def test_another_vector_in_the_database_is_found(options: CatalogOptions) -> None:
    """By the comparison of a sample, which a small catalog is all of."""
    with open_catalog(options, write=True) as catalog:
        row = list(catalog.archive.rows(1))[4]
        assert isinstance(row, EmbeddedItem)
        catalog.items.upsert([replace(row, vector=VECTORS[9])], [None])
        catalog.items.flush()
    found = compare(options)
    assert (found.different, found.vectors, found.equal) == (("i4",), COUNT, False)


def test_files_of_other_names_in_the_archive_are_no_shards(options: CatalogOptions) -> None:
    """Somebody's copy, and what an editor left."""
    for name in ("items-00000001 (copy).parquet", "items-.parquet", "items-x.parquet"):
        shutil.copy(shard(options), shard(options).with_name(name))
    assert nearest(options) == "i3"
    assert rebuild(options).rows == COUNT


@pytest.mark.parametrize("damage", [cut, lambda path: path.write_bytes(b"")])
def test_damaged_decisions_are_told_before_anything_is_dropped(
    options: CatalogOptions, damage: Callable[[Path], None]
) -> None:
    """With the command that makes them anew."""
    files = DecisionFiles(options.folder.decisions)
    decision = Decision(item_id="i0", label_id="l0", label="label 0", score=1.0, status="accepted")
    files.write(1, [decision, *[None] * (COUNT - 1)])
    damage(options.folder.decisions / "decisions-00000001.parquet")
    with pytest.raises(CatalogError, match=r"categorize.*--write-back"):
        rebuild(options)
    assert nearest(options) == "i3"


@pytest.mark.parametrize("damage", [cut, Path.unlink, None])
def test_a_description_that_is_lost_has_a_copy(
    options: CatalogOptions, damage: Callable[[Path], None] | None
) -> None:
    """Deleted, cut short, or with another word in it: the copy counts, and is told."""
    path = options.folder.root / "catalog.json"
    if damage is None:
        path.write_text(path.read_text().replace("precomputed", "another"))
    else:
        damage(path)
    assert nearest(options) == "i3"
    cut(options.folder.root / "catalog.copy.json")
    with pytest.raises(CatalogError, match=r"damaged.*backup"):
        rebuild(options)


def test_the_newer_of_two_descriptions_counts(options: CatalogOptions) -> None:
    """One that was put back from a backup does not."""
    path = options.folder.root / "catalog.json"
    older = path.read_text()
    found = options.folder.generations()
    options.folder.write_description(found.started(2, found.fingerprints[1]))
    path.write_text(older)
    assert options.folder.generations().filling == 2


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_labels_that_are_lost_are_replaced(
    options: CatalogOptions, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """By the command that the message names; the database keeps what it has until then."""
    (file,) = options.folder.labels.glob("labels-*.parquet")
    damage(file)
    if file.exists():
        with pytest.raises(CatalogError, match=r"labels add FILE --replace"):
            remove_items(options, ["i7"])
    else:
        remove_items(options, ["i7"])
        assert "labels add FILE --replace" in caplog.text
        with open_catalog(options) as catalog:
            assert catalog.database.labels(options.catalog).count() == 2
    set_labels(options, VECTORS[:2])
    assert compare(options).equal


def test_a_ledger_that_is_damaged_inside_is_made_anew(
    options: CatalogOptions, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where it opens: pages are looked through."""
    ledger = options.folder.ledger
    content = bytearray(ledger.read_bytes())
    for place in range(4096 + 100, len(content), 64):
        content[place] ^= 0xFF
    ledger.write_bytes(content)
    assert nearest(options) == "i3"
    assert "damaged" in caplog.text
    assert rebuild(options).rows == COUNT
    assert compare(options).equal
