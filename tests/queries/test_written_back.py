"""Labels that were stored on items, when the items are ingested again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalogs import add_titles, set_labels

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.watch import Watch
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.items import export
from indexer.jobs.rebuild import compare
from indexer.sources import TableOptions
from queries.categorizing.categorize import categorize


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """Four items, labelled by ``categorize --write-back``."""
    options = CatalogOptions(data_dir=tmp_path / "data")
    bring(options)
    set_labels(options, np.eye(2, 8, dtype=np.float32))
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, tmp_path / "out.parquet", write_back=True)
    return options


def bring(options: CatalogOptions, **changed: dict[str, object]) -> None:
    """Ingest the items, some of them changed."""
    folder = options.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"id": one, "title": "mug", "price": 1} | changed.get(one, {}) for one in "abcd"]
    vectors = np.eye(2, 8, dtype=np.float32)[[0, 0, 1, 1]]
    vectors[:, 2:6] += 0.1 * np.eye(4, dtype=np.float32)
    if "other" in changed:
        vectors[0, 7] = 1.0
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    np.save(folder / "items.npy", vectors)
    table = TableOptions(vectors=str(folder / "items.npy"))
    how = IngestOptions(table=table, sizes=PipelineSizes(workers=1, batch_size=4))
    ingest(options, [str(folder / "items.jsonl")], how)


def labels_of(options: CatalogOptions) -> dict[str, str]:
    """The labels on the items in the database, by item."""
    with open_catalog(options) as catalog:
        return {key: one["label_id"] for key, one in catalog.items.fetch([*"abcd"]).items()}


LABELLED = {"a": "l0", "b": "l0", "c": "l1", "d": "l1"}


def test_an_interrupted_categorization_changes_nothing(
    options: CatalogOptions, tmp_path: Path
) -> None:
    """Neither the items in the database nor the record of their labels."""

    def interrupt(_: int) -> None:
        raise RuntimeError("cancelled")

    set_labels(options, np.eye(2, 8, dtype=np.float32)[::-1])
    with open_catalog(options, write=True) as catalog, pytest.raises(RuntimeError, match="canc"):
        categorize(
            catalog, tmp_path / "out.parquet", write_back=True, watch=Watch(advance=interrupt)
        )
    assert labels_of(options) == LABELLED
    assert compare(options).equal
    with open_catalog(options, write=True) as catalog:
        (shard,) = catalog.archive.shards()
        kept = DecisionFiles(catalog.folder.decisions).read(shard)
        assert kept is not None
        assert [one.label_id for one in kept if one is not None] == list(LABELLED.values())
        categorize(catalog, tmp_path / "out.parquet", write_back=True)
    assert labels_of(options) == {"a": "l1", "b": "l1", "c": "l0", "d": "l0"}


def test_another_price_keeps_the_label(options: CatalogOptions) -> None:
    """A label was of the picture; a rebuilt database has it too."""
    assert labels_of(options) == LABELLED
    bring(options, b={"price": 2}, d={"price": 3})
    assert labels_of(options) == LABELLED
    assert compare(options).equal


def test_killed_after_its_shard_a_new_price_keeps_the_label_too(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run carries the decisions that the killed one had no time for."""

    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("indexer.jobs.source_ingestion.carry_decisions", killed)
        with pytest.raises(SystemExit):
            bring(options, b={"price": 2}, d={"title": "boot"})
    bring(options, b={"price": 2}, d={"title": "boot"})
    assert labels_of(options) == LABELLED | {"d": ""}
    assert compare(options).equal


def test_damaged_decisions_beside_a_lost_ledger_can_be_made_again(
    options: CatalogOptions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The catalog opens, says what is missing, and the command of the message mends it."""
    bring(options, b={"price": 2})
    folder = options.folder
    (folder.decisions / "decisions-00000001.parquet").write_bytes(b"damaged")
    (folder.decisions / "decisions-00000002.parquet").unlink()
    folder.ledger.unlink()
    with open_catalog(options, write=True) as catalog:
        assert catalog.ledger.count() == 4
        assert "items of shard 2 come without their decisions" in caplog.text
        categorize(catalog, tmp_path / "out.parquet", write_back=True)
    assert labels_of(options) == LABELLED


def test_another_title_or_content_waits_for_a_new_label(options: CatalogOptions) -> None:
    """What the label came from is gone; the others keep theirs."""
    bring(options, b={"title": "boot"}, c={"price": 7}, other={})
    assert labels_of(options) == LABELLED | {"a": "", "b": ""}


def test_an_export_has_titles_and_labels(options: CatalogOptions, tmp_path: Path) -> None:
    """A title's vector beside its item, null where there is none."""
    titles = np.zeros((4, 8), dtype=np.float32)
    titles[1, 3] = 1
    add_titles(options, titles)
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, tmp_path / "out.parquet", write_back=True)
    assert export(options, tmp_path / "out").rows == 4
    tables = [pq.read_table(file) for file in sorted((tmp_path / "out").glob("items-*.parquet"))]
    rows = {row["item_id"]: row for table in tables for row in table.to_pylist()}
    assert rows["b"]["title_vector"] == titles[1].tolist()
    assert rows["a"]["title_vector"] is None
    assert rows["c"]["label_id"] == "l1"
    assert tables[0].schema.field("vector").type == pa.list_(pa.float32(), 8)
    assert (tmp_path / "out" / "labels.parquet").exists()
    assert not (tmp_path / "out" / "prompts.parquet").exists()
