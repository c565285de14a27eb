"""Label scoring: whole runs of categorize, file to file, against what they can't do without.

Run it with ``python -m benchmarks.scoring``. Vectors are drawn: pictures and texts lie in
two cones, and each picture near the label that it was drawn for. They are written by the
archive itself; the database holds the labels only.

Runs against numpy's product are told in processor seconds (CPU s): of all threads together, so
that other programs change them little. The first run and a later one are told by the clock too.
Loading libraries is in none of them: a small catalog is categorized before, since numpy's product
pays no loading either.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import kernels, processor
from benchmarks.memory import peak_of
from benchmarks.report import Row, command_line, compared, show
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.records import EmbeddedItem, Fingerprint, FloatArray, Kind, Label
from indexer.core.vectors import normalise
from indexer.labels.sets import LabelSet
from queries.categorizing.categorize import CategorizeReport, categorize
from queries.deciding.question import Question

WIDTH, LABELS, FEW_LABELS = 512, 10_000, 100
SHARD_ROWS = 8_192
RUNS, SHORT_RUNS = 5, 11
PRODUCT = "numpy's matrix product"
LONG_S = 120.0
"""Runs that take more processor time are done once."""

WARM_ITEMS, WARM_LABELS = 2_048, 1_000
LIMIT = 5
SEARCHES = ROWS_A_CALL = 1_000
LOGIT_SCALE = 100.0


def drawn(count: int, seed: int) -> FloatArray:
    """float32 (count, 512), rows of length 1."""
    return normalise(np.random.default_rng(seed).standard_normal((count, WIDTH), np.float32))


def label_vectors(count: int) -> FloatArray:
    """float32 (count, 512), in the cone of the texts."""
    return normalise(0.8 * drawn(1, 0) + 0.6 * drawn(count, 1))


def shards(items: int, labels: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Vectors of pictures and titles, float32 (up to 8,192, 512) each.

    Some labels are more frequent than others.
    """
    directions, random = drawn(labels, 1), np.random.default_rng(2)
    for start in range(0, items, SHARD_ROWS):
        count = min(SHARD_ROWS, items - start)
        chosen = (labels * random.random(count) ** 1.5).astype(int)
        noise = drawn(count, 3 + start)
        pictures = normalise(0.75 * drawn(1, 4) + 0.3 * directions[chosen] + 0.58 * noise)
        others = drawn(count, 5 + start)
        yield pictures, normalise(0.8 * drawn(1, 0) + 0.4 * directions[chosen] + 0.45 * others)


def make_catalog(folder: Path, items: int, labels: int, *, titles: bool = False) -> CatalogOptions:
    """A catalog of drawn vectors, and of titles near the labels that the pictures are near."""
    options = CatalogOptions(data_dir=folder)
    options.folder.create(
        Fingerprint(
            model="precomputed",
            revision="",
            preprocessing="",
            width=WIDTH,
            logit_scale=LOGIT_SCALE,
        )
    )
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        number = 0
        for block, titles_near in shards(items, labels):
            rows = [
                _item(number + row, vector, titles_near[row] if titles else None)
                for row, vector in enumerate(block)
            ]
            catalog.ledger.add(catalog.archive.write(rows))
            number += len(block)
        set_labels(catalog, label_vectors(labels))
    return options


def set_labels(catalog: OpenCatalog, vectors: FloatArray) -> None:
    """Make these the labels, in the folder and in the database."""
    before = catalog.label_set, catalog.adaptation
    names = [f"label {row}" for row in range(len(vectors))]
    after = LabelSet(
        labels=tuple(Label(label_id=name, name=name, path=(name,)) for name in names),
        definitions=tuple(names),
        vectors=vectors,
    )
    catalog.label_folder.save(after)
    catalog.label_set = after
    del catalog.adaptation
    catalog.write_labels(before)


def _item(number: int, vector: FloatArray, title: FloatArray | None) -> EmbeddedItem:
    return EmbeddedItem(
        item_id=f"i{number:08d}",
        kind=Kind.VECTOR if title is None else Kind.PICTURE,
        source=f"vectors.npy#{number}",
        title="" if title is None else f"title {number}",
        title_vector=title,
        metadata_json="{}",
        content_hash=f"{number:064x}",
        row_hash="",
        vector=vector,
    )


def run(options: CatalogOptions, *, adapt: bool = False) -> CategorizeReport:
    """One categorization, file to file."""
    with open_catalog(options, write=True) as catalog:
        return categorize(catalog, options.data_dir / "out.parquet", Question(adapt=adapt))


class Seconds(NamedTuple):
    """What some work took: by the clock, and of all processors together."""

    clock: float
    processor: float


def product(items: int, labels: int) -> Callable[[], None]:
    """The float32 product of all items with all labels by numpy, in blocks written over."""
    rows = min(items, 4 * 1024)
    vectors, texts = drawn(rows, 7), drawn(labels, 8)
    out = np.zeros((rows, labels), dtype=np.float32)

    def multiply() -> None:
        for start in range(0, items, rows):
            count = min(rows, items - start)
            np.matmul(vectors[:count], texts.T, out=out[:count])

    return multiply


def read(options: CatalogOptions) -> None:
    """All vectors of the archive, and nothing else."""
    with open_catalog(options) as catalog:
        for shard in catalog.archive.shards():
            catalog.archive.vectors(shard)


def timed(work: Callable[[], object]) -> Seconds:
    """What the work took."""
    clock, processor_time = time.perf_counter(), time.process_time()
    work()
    return Seconds(time.perf_counter() - clock, time.process_time() - processor_time)


def interleaved(*works: Callable[[], object], runs: int = RUNS) -> list[Seconds]:
    """Median seconds of each, in turns; once where that takes long."""
    times: list[list[Seconds]] = [[] for _ in works]
    for _ in range(runs):
        for work, taken in zip(works, times, strict=True):
            taken.append(timed(work))
        if sum(taken[0].processor for taken in times) > LONG_S:
            break
    return [Seconds(*map(statistics.median, zip(*taken, strict=True))) for taken in times]


def row(work: str, against: str, ours: float, theirs: float, unit: str, goal: str = "") -> Row:
    """A row of the table, with what it was measured on."""
    on = f"{processor()}, numpy's products by {kernels()}"
    return compared(work, against, ours, theirs, unit, goal) | {"on": on}


def load_libraries(folder: Path) -> None:
    """Categorize a small catalog once, so that no measured run is the first of its process."""
    run(make_catalog(folder, WARM_ITEMS, WARM_LABELS, titles=True), adapt=True)


def many_labels(folder: Path, items: int) -> list[dict[str, Any]]:
    """10,000 labels: with titles and without, plain and adapted, first run and later ones."""
    bare, titled = (
        make_catalog(folder / name, items, LABELS, titles=titles)
        for name, titles in (("bare", False), ("titled", True))
    )
    size = f"categorize {items:,} x {LABELS:,}"
    load_libraries(folder / "small")
    first_titled = timed(lambda: run(titled, adapt=True))
    first = timed(lambda: run(bare, adapt=True))
    run(titled)  # plain labels measure the titles for themselves
    numpys, plain, plain_titled, adapted, adapted_titled = interleaved(
        product(items, LABELS),
        lambda: run(bare),
        lambda: run(titled),
        lambda: run(bare, adapt=True),
        lambda: run(titled, adapt=True),
    )

    def against_product(what: str, ours: Seconds, goal: str = "") -> dict[str, Any]:
        work = f"{size}, {what}"
        return row(work, PRODUCT, ours.processor, numpys.processor, "CPU s", goal)

    def by_the_clock(what: str, ours: Seconds) -> dict[str, Any]:
        return row(f"{size}, {what}", PRODUCT, ours.clock, numpys.clock, "s")

    return [
        against_product("no titles, plain, later run", plain, "<= 1.2"),
        against_product("no titles, adapted, later run", adapted, "<= 1.5"),
        against_product("no titles, adapted, first run", first),
        against_product("titles, plain, later run", plain_titled),
        against_product("titles, adapted, later run", adapted_titled),
        against_product("titles, adapted, first run", first_titled, "<= 2.5"),
        row(
            f"{size}, titles, adapted",
            "without titles, adapted",
            adapted_titled.processor,
            adapted.processor,
            "CPU s",
            "<= 1.6",
        ),
        by_the_clock("no titles, plain, later run", plain),
        by_the_clock("titles, adapted, later run", adapted_titled),
        by_the_clock("titles, adapted, first run", first_titled),
        *searching(bare, items / plain.clock),
    ]


def searching(options: CatalogOptions, rate: float) -> list[dict[str, Any]]:
    """Items a second against batched searches in Milvus Lite: one's own, and the catalog's."""
    with open_catalog(options) as catalog:
        vectors = catalog.archive.vectors(1)[:SEARCHES]
        queries = np.column_stack([vectors, np.ones(len(vectors), dtype=np.float32)])
        with _bare_search(catalog.label_set) as bare:
            searches = (
                lambda: bare(vectors),
                lambda: catalog.labels.search(queries, limit=LIMIT),
            )
            for search in searches:  # the first is slower
                search()
            taken = interleaved(*searches)
    work = f"categorize, {LABELS:,} labels"
    against = "MilvusClient.search, Milvus Lite", "the catalog's search, Milvus Lite"
    goals = ">= 20", ""
    return [
        row(work, other, rate, len(vectors) / seconds.clock, "items/s", goal)
        for other, seconds, goal in zip(against, taken, goals, strict=True)
    ]


@contextmanager
def _bare_search(labels: LabelSet) -> Iterator[Callable[[FloatArray], object]]:
    """What one would write: the best labels with their names, all queries in one call."""
    from pymilvus import DataType, MilvusClient

    with _folder() as folder:
        client = MilvusClient(str(folder / "bare.db"))
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("name", DataType.VARCHAR, max_length=256)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=WIDTH)
        index = client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="COSINE")
        client.create_collection("labels", schema=schema, index_params=index)
        rows = [
            {"id": label.label_id, "name": label.name, "vector": vector}
            for label, vector in zip(labels.labels, labels.vectors, strict=True)
        ]
        for start in range(0, len(rows), ROWS_A_CALL):
            client.insert("labels", rows[start : start + ROWS_A_CALL])
        client.flush("labels")
        client.load_collection("labels")
        try:
            yield lambda vectors: client.search(
                "labels", data=list(vectors), limit=LIMIT, output_fields=["name"]
            )
        finally:
            client.close()


def few_labels(folder: Path, items: int) -> list[dict[str, Any]]:
    """100 labels against reading alone."""
    options = make_catalog(folder, items, FEW_LABELS)
    ours, theirs = interleaved(lambda: run(options), lambda: read(options), runs=SHORT_RUNS)
    size = f"categorize {items:,} x {FEW_LABELS}"
    return [row(size, "reading the vectors from Parquet", *(ours.clock, theirs.clock), "s", "<= 2")]


def memory(items: int) -> dict[str, Any]:
    """Peak memory of a run on all items and of one on a tenth of them, in processes of their own.

    Both have 1,000 labels, so that a run is short.
    """
    peaks = []
    for count in (items, items // 10):
        with _folder() as folder:
            peaks.append(peak_of(run, make_catalog(folder, count, 1_000)))
    return row(
        f"peak memory, categorize {items:,}",
        f"categorize {items // 10:,}",
        *peaks,
        "MiB",
        "<= 1.1",
    )


def rows(items: int = 1_000_000, labels: Sequence[str] = ("many", "few", "memory")) -> list[Any]:
    """All rows of the table.

    Args:
        items: how many are categorized.
        labels: which parts.
    """
    measured: list[dict[str, Any]] = []
    if "many" in labels:
        with _folder() as folder:
            measured += many_labels(folder, items)
    if "few" in labels:
        with _folder() as folder:
            measured += few_labels(folder, items)
    if "memory" in labels:
        measured.append(memory(items))
    return measured


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Measure and print."""
    parser = command_line("scoring", __doc__, items=1_000_000)
    parser.add_argument("--part", choices=("many", "few", "memory"), action="append")
    options = parser.parse_args()
    show(rows(options.items, options.part or ("many", "few", "memory")), options.json)


if __name__ == "__main__":
    main()
