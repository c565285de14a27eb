"""Ingestion and categorization by a real Ray: the same as here, whatever dies on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from ray_workers import wait_until_gone, worker_processes
from sounds import tone, write

import indexer
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import ModelMismatchError
from indexer.core.records import EmbeddedItem
from indexer.core.watch import Watch
from indexer.ingestion.ray import ClusterOptions
from indexer.ingestion.reports import IngestReport, PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.jobs.reembed import ReembedOptions, reembed
from indexer.jobs.retry import retry
from queries.categorizing.categorize import categorize
from queries.deciding.question import Question

pytestmark = pytest.mark.slow

PICTURES, COPIES, BROKEN = 240, 24, 6
SIZES = PipelineSizes(workers=1, batch_size=16, shard_rows=64)
COUNTS = ("read", "stored", "unchanged", "dead", "shared", "replaced", "embedded")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of pictures with titles; some are copies, some can't be read."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    rows = []
    for number in range(PICTURES + COPIES + BROKEN):
        path = folder / f"{number}.png"
        if number >= PICTURES + COPIES:
            path.write_bytes(b"\x89PNG and no more")
        elif number >= PICTURES:
            path.write_bytes((folder / f"{number - PICTURES}.png").read_bytes())
        else:
            pixels = random.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((96, 96)).save(path)
        rows.append({"id": f"p{number}", "image": path.name, "title": f"product {number % 40}"})
    rows.append({"id": "gone", "image": "gone.png", "title": "a picture that is not there"})
    file = folder / "items.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@dataclass
class Bench:
    """One catalog."""

    folder: Path
    options: CatalogOptions = field(init=False)

    def __post_init__(self) -> None:
        self.options = CatalogOptions(data_dir=self.folder, model="pocket", device="cpu")

    def run(
        self, table: Path, cluster: ClusterOptions | None, watch: Watch | None = None
    ) -> IngestReport:
        """Ingest the table."""
        how = IngestOptions(sizes=SIZES, cluster=cluster)
        return ingest(self.options, [str(table)], how, watch or Watch())

    def rows(self) -> list[EmbeddedItem]:
        """Every row of every shard."""
        with open_catalog(self.options) as catalog:
            archive = catalog.archive
            found = []
            for shard in archive.shards():
                titles = archive.title_vectors(shard)
                assert titles is not None
                for row, title in zip(archive.rows(shard), titles, strict=True):
                    assert isinstance(row, EmbeddedItem)
                    found.append(replace(row, title_vector=title))
            return found

    def stored(self) -> int:
        """Items that the database holds."""
        with open_catalog(self.options) as catalog:
            return catalog.items.count()

    def dead(self) -> dict[str, str]:
        """Reasons of the dead letters."""
        with open_catalog(self.options) as catalog:
            return {one.item.item_id: one.reason for one in catalog.dead_letters.all()}


@pytest.fixture(scope="module")
def local(table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, IngestReport]:
    """The same, ingested here."""
    bench = Bench(tmp_path_factory.mktemp("local"))
    return bench, bench.run(table, None)


@pytest.fixture
def ray(ray_address: str) -> ClusterOptions:
    """Two workers."""
    return ClusterOptions(address=ray_address, workers=2)


def require_same(bench: Bench, expected: Bench) -> None:
    """Every item is there once, and is what the other catalog has."""
    found, known = bench.rows(), {row.item_id: row for row in expected.rows()}
    assert sorted(row.item_id for row in found) == sorted(known)
    assert bench.stored() == len(known)
    assert bench.dead() == expected.dead()
    for row in found:
        other = known[row.item_id]
        np.testing.assert_allclose(row.vector, other.vector, atol=1e-6)
        assert row.title_vector is not None
        assert other.title_vector is not None
        np.testing.assert_allclose(row.title_vector, other.title_vector, atol=1e-6)
        assert (row.source, row.content_hash, row.row_hash) == (
            other.source,
            other.content_hash,
            other.row_hash,
        )


def counts(report: IngestReport) -> dict[str, int]:
    """What must be the same."""
    return {name: getattr(report, name) for name in COUNTS} | dict(report.dead_by_reason)


def test_a_killed_worker_loses_and_doubles_nothing(
    table: Path, local: tuple[Bench, IngestReport], ray: ClusterOptions, tmp_path: Path
) -> None:
    """SIGKILL in the middle; the next run finds all unchanged, and embeds nothing."""
    killed: list[int] = []

    settled: list[int] = []

    def kill(items: int) -> None:
        settled.append(items)
        if sum(settled) >= PICTURES // 4 and not killed:
            killed.append(worker_processes(str(ray.address))[0])
            os.kill(killed[0], signal.SIGKILL)
            wait_until_gone(killed[0])

    expected, report_here = local
    bench = Bench(tmp_path)
    report = bench.run(table, ray, Watch(advance=kill))
    assert killed
    assert report.read == report.stored + report.unchanged + report.dead
    assert counts(report) == counts(report_here)
    assert report.shared == COPIES
    assert report.lost_workers == 1
    require_same(bench, expected)

    again = bench.run(table, ray)
    assert (again.unchanged, again.embedded, again.stored) == (PICTURES + COPIES, 0, 0)
    require_same(bench, expected)


def test_a_killed_machine_loses_and_doubles_nothing(
    table: Path,
    local: tuple[Bench, IngestReport],
    ray_cluster: Any,
    ray: ClusterOptions,
    tmp_path: Path,
) -> None:
    """SIGKILL of one of three; no other has room for its worker, and those left do its work."""
    third = ray_cluster.add_node()
    settled: list[int] = []

    def kill(items: int) -> None:
        settled.append(items)
        if sum(settled) >= PICTURES // 4 and third in ray_cluster.worker_nodes:
            ray_cluster.remove_node(third, allow_graceful=False)

    expected, report_here = local
    bench = Bench(tmp_path)
    try:
        report = bench.run(table, replace(ray, workers=3), Watch(advance=kill))
        assert third not in ray_cluster.worker_nodes
    finally:
        if third in ray_cluster.worker_nodes:
            ray_cluster.remove_node(third)
    assert counts(report) == counts(report_here)
    assert report.lost_workers == 1
    assert report.repeated_batches > 0
    require_same(bench, expected)


def test_another_model_on_a_machine_ends_the_job(
    table: Path, ray: ClusterOptions, shared_models: Path, tmp_path: Path
) -> None:
    """A worker that is started later is compared with those before it."""
    model = tmp_path / "model"
    shutil.copytree(Path(indexer.__file__).parent / "models" / "pocket", model)
    bench = Bench(tmp_path / "data")
    bench.options = replace(bench.options, model=str(model))
    killed: list[int] = []

    def kill(_: int) -> None:
        if not killed:
            shutil.rmtree(model)
            shutil.copytree(shared_models / "clip-tiny-cifar10", model)
            killed.append(worker_processes(str(ray.address))[0])
            os.kill(killed[0], signal.SIGKILL)
            wait_until_gone(killed[0])

    with pytest.raises(ModelMismatchError, match="started later has another model"):
        bench.run(table, replace(ray, workers=1), Watch(advance=kill))
    assert killed


def test_a_job_that_was_stopped_goes_on(
    table: Path, local: tuple[Bench, IngestReport], ray: ClusterOptions, tmp_path: Path
) -> None:
    """What was read is kept, and a later run, here or there, takes the others."""
    stop = threading.Event()
    settled: list[int] = []
    bench = Bench(tmp_path)

    def stop_soon(items: int) -> None:
        settled.append(items)
        if sum(settled) >= PICTURES // 4:
            stop.set()

    first = bench.run(table, ray, Watch(advance=stop_soon, stop=stop))
    assert first.interrupted
    assert 0 < first.stored < PICTURES
    assert first.read == first.stored + first.unchanged + first.dead
    second = bench.run(table, None)
    assert second.unchanged == first.stored
    assert second.stored + first.stored == PICTURES + COPIES
    require_same(bench, local[0])


def test_dead_letters_are_tried_again_by_the_cluster(
    table: Path, local: tuple[Bench, IngestReport], ray: ClusterOptions, tmp_path: Path
) -> None:
    """One whose picture is there now leaves the file; the others stay."""
    picture = table.parent / "gone.png"
    bench = Bench(tmp_path)
    bench.run(table, None)
    Image.new("RGB", (90, 90), "teal").save(picture)
    try:
        report, left = retry(bench.options, IngestOptions(sizes=SIZES, cluster=ray))
    finally:
        picture.unlink()
    assert (report.stored, report.dead, left) == (1, BROKEN, 0)
    assert bench.dead() == {k: v for k, v in local[0].dead().items() if k != "gone"}
    assert bench.stored() == PICTURES + COPIES + 1


def test_the_model_is_changed_by_the_cluster(
    table: Path, ray: ClusterOptions, shared_models: Path, tmp_path: Path
) -> None:
    """The new generation is what the same command makes here."""
    model = str(shared_models / "clip-tiny-cifar10")
    made = []
    for name, cluster in (("here", None), ("there", ray)):
        bench = Bench(tmp_path / name)
        bench.run(table, None)
        bench.options = replace(bench.options, model=model)
        how = IngestOptions(sizes=SIZES, cluster=cluster)
        report = reembed(bench.options, ReembedOptions(ingest=how))
        assert (report.items, report.dead_letters) == (PICTURES + COPIES, {})
        made.append(bench)
    require_same(made[1], made[0])


def test_categories_are_the_same(
    local: tuple[Bench, IngestReport], ray: ClusterOptions, tmp_path: Path
) -> None:
    """The table is equal to the last bit, and so are the decisions on the items."""
    bench = local[0]
    file = tmp_path / "labels.txt"
    file.write_text("mug\nchair\nlamp\nshoe\nbag\n")
    add_labels(bench.options, str(file), replace=True)
    tables = {}
    for name, cluster in (("here", None), ("there", ray)):
        with open_catalog(bench.options, write=True) as catalog:
            to = tmp_path / f"{name}.parquet"
            report = categorize(catalog, to, Question(limit=3), cluster=cluster)
        assert report.items == PICTURES + COPIES
        tables[name] = pq.read_table(to)
    assert tables["here"].num_rows == PICTURES + COPIES
    assert tables["here"].equals(tables["there"])


def test_sounds_are_cut_as_long_as_the_model_takes(tmp_path: Path, ray: ClusterOptions) -> None:
    """As on this machine; only the workers have the model."""
    write(tmp_path / "sounds" / "tone.wav", tone(220, 12))
    options = CatalogOptions(data_dir=tmp_path / "data", model="pocket-sounds", device="cpu")
    how = IngestOptions(sizes=SIZES, cluster=replace(ray, workers=1))
    report = ingest(options, [str(tmp_path / "sounds")], how)
    assert (report.items, report.stored) == (1, 3)
    with open_catalog(options) as catalog:
        rows = catalog.ledger.parts.rows_of(["tone.wav"])["tone.wav"]
    assert [row.row_id for row in rows] == ["tone.wav", "tone.wav#start=5", "tone.wav#start=7"]
