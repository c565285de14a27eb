"""Estimates against catalogs, and against indexes of the library that Milvus builds its own of."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogs import set_labels
from shell import Shell

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import ConfigError
from indexer.core.layout import VectorType
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs import sizing
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.sizing import Plan, estimate
from indexer.sources import TableOptions
from indexer.store.indexes import (
    FLAT,
    HNSW,
    HNSW_SQ,
    IVF_FLAT,
    IVF_RABITQ,
    IVF_SQ8,
    SERVER_STEPS,
    TYPES,
)
from queries.categorizing.categorize import categorize

ITEMS, LABELS, WIDTH, LISTS = 5_000, 1_000, 128, 16
WORDS = ["red", "blue", "cotton", "leather", "steel", "oak", "slim", "classic", "jacket", "mug"]


def drawn(count: int, seed: int) -> FloatArray:
    """Directions at random."""
    return normalise(np.random.default_rng(seed).standard_normal((count, WIDTH), np.float32))


def product(number: int, random: np.random.Generator) -> dict[str, Any]:
    """A row of a shop's table."""
    words = random.choice(WORDS, size=6)
    return {
        "id": f"sku-{number:08d}",
        "title": " ".join(words),
        "price": float(random.integers(100, 90_000)) / 100,
        "brand": str(words[0]),
        "url": f"https://shop.example/p/{number:08d}.html",
    }


def size_of(path: Path) -> int:
    """Bytes of a file or of all files in a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> CatalogOptions:
    """A categorized catalog of a shop's table in Milvus Lite."""
    folder = tmp_path_factory.mktemp("made")
    random = np.random.default_rng(0)
    rows = [json.dumps(product(number, random)) for number in range(ITEMS)]
    (folder / "shop.jsonl").write_text("\n".join(rows))
    np.save(folder / "shop.npy", drawn(ITEMS, 1))
    table = TableOptions(vectors=str(folder / "shop.npy"))
    options = CatalogOptions(data_dir=folder / "data")
    ingest(
        options,
        [str(folder / "shop.jsonl")],
        IngestOptions(table=table, sizes=PipelineSizes(workers=1)),
    )
    return options


@pytest.fixture(scope="module")
def lite_bytes(made: CatalogOptions) -> int:
    """Milvus Lite's folder before anything is written back."""
    return size_of(made.data_dir / "milvus.db")


@pytest.fixture(scope="module")
def text_bytes(made: CatalogOptions) -> float:
    """Bytes of an item's id, source, title and metadata."""
    with open_catalog(made) as catalog:
        table = catalog.archive.table(1, ["item_id", "source", "title", "metadata_json"])
    texts = [text for column in table.columns for text in column.to_pylist()]
    return sum(len(text.encode()) for text in texts) / table.num_rows


@pytest.fixture(scope="module")
def found(text_bytes: float) -> sizing.Estimate:
    """What is estimated of that catalog."""
    return estimate(
        Plan(items=ITEMS, labels=LABELS, width=WIDTH, text_bytes=round(text_bytes), index="HNSW")
    )


def test_the_archive_is_as_large_as_estimated(made: CatalogOptions, found: sizing.Estimate) -> None:
    """To 3%."""
    assert found.archive_bytes == pytest.approx(size_of(made.folder.archive), rel=0.03)


def test_the_ledger_is_as_large_as_estimated(made: CatalogOptions, found: sizing.Estimate) -> None:
    """To 5%."""
    ledger = size_of(made.folder.archive.with_name("ledger.sqlite"))
    assert found.ledger_bytes == pytest.approx(ledger, rel=0.05)


def test_the_index_of_words_is_as_large_as_estimated(
    made: CatalogOptions, found: sizing.Estimate
) -> None:
    """No larger, and two thirds of it here: ten words have short postings, sources have none."""
    with open_catalog(made) as catalog:
        assert catalog.texts.count() == ITEMS
        path = catalog.folder.texts
    assert 0.6 * found.words_bytes < size_of(path) < found.words_bytes


def test_milvus_lite_is_as_large_as_estimated(lite_bytes: int, found: sizing.Estimate) -> None:
    """To 10%: at this width the texts are a fifth of it."""
    assert found.lite_disk_bytes == pytest.approx(lite_bytes, rel=0.1)


@pytest.mark.usefixtures("lite_bytes")
def test_what_a_categorization_keeps_is_as_large_as_estimated(
    made: CatalogOptions, found: sizing.Estimate, tmp_path: Path
) -> None:
    """Decisions to 30%: how ids pack depends on the ids."""
    set_labels(made, drawn(LABELS, 2))
    with open_catalog(made, write=True) as catalog:
        categorize(catalog, tmp_path / "out.parquet", write_back=True)
    decisions = made.folder.decisions
    assert found.decisions_bytes == pytest.approx(size_of(decisions), rel=0.3)


@pytest.mark.parametrize("kind", [FLAT, HNSW, HNSW_SQ, IVF_FLAT, IVF_SQ8, IVF_RABITQ])
def test_an_index_is_as_large_as_estimated(kind: str) -> None:
    """Bytes of faiss' own index to 1%, without the centres of its lists."""
    faiss = pytest.importorskip("faiss")
    vectors, metric = drawn(ITEMS, 3), faiss.METRIC_INNER_PRODUCT
    links, eight = TYPES[HNSW].build["M"], faiss.ScalarQuantizer.QT_8bit
    centres = faiss.IndexFlatIP(WIDTH)
    index = {
        FLAT: lambda: faiss.IndexFlatIP(WIDTH),
        HNSW: lambda: faiss.IndexHNSWFlat(WIDTH, links, metric),
        HNSW_SQ: lambda: faiss.IndexHNSWSQ(WIDTH, eight, links, metric),
        IVF_FLAT: lambda: faiss.IndexIVFFlat(centres, WIDTH, LISTS, metric),
        IVF_SQ8: lambda: faiss.IndexIVFScalarQuantizer(centres, WIDTH, LISTS, eight, metric),
        IVF_RABITQ: lambda: faiss.IndexIVFRaBitQ(centres, WIDTH, LISTS, metric),
    }[kind]()
    if hasattr(index, "hnsw"):
        index.hnsw.efConstruction = links
    parts = [index]
    if kind == IVF_RABITQ:  # the eight bits that put candidates in order
        parts.append(faiss.IndexScalarQuantizer(WIDTH, eight, metric))
    for part in parts:
        part.train(vectors)
        part.add(vectors)
    measured = sum(len(faiss.serialize_index(part)) for part in parts)
    measured -= 4 * LISTS * WIDTH * hasattr(index, "nlist")
    assert ITEMS * sizing.index_bytes(kind, WIDTH) == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize("kind", [FLAT, HNSW])
def test_an_index_of_float16_is_as_large_as_estimated(kind: str) -> None:
    """The same, of vectors in two bytes a dimension."""
    faiss = pytest.importorskip("faiss")
    half, metric = faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    links = TYPES[HNSW].build["M"]
    index = {
        FLAT: lambda: faiss.IndexScalarQuantizer(WIDTH, half, metric),
        HNSW: lambda: faiss.IndexHNSWSQ(WIDTH, half, links, metric),
    }[kind]()
    vectors = drawn(ITEMS, 3)
    index.train(vectors)
    index.add(vectors)
    measured = len(faiss.serialize_index(index))
    expected = ITEMS * sizing.index_bytes(kind, WIDTH, VectorType.FLOAT16.value_bytes)
    assert expected == pytest.approx(measured, rel=0.01)


def test_float16_halves_what_vectors_take_on_the_server_alone() -> None:
    """The archive keeps float32; the graph and the texts stay."""
    plan = sizing.Plan(items=10**6, width=512)
    whole, half = (
        sizing.estimate(replace(plan, vector_type=one))
        for one in (VectorType.FLOAT32, VectorType.FLOAT16)
    )
    assert (half.archive_bytes, half.ledger_bytes) == (whole.archive_bytes, whole.ledger_bytes)
    # The index's vectors, and those that are on the move.
    assert whole.server_memory_bytes - half.server_memory_bytes == 2 * 10**6 * 2 * 512
    assert half.server_disk_bytes < whole.server_disk_bytes
    assert not half.was_measured


@pytest.mark.parametrize(
    ("kind", "items", "least", "most"),
    [(FLAT, 10_000, 340e6, 346e6), (HNSW, 25_000, 400e6, 420e6), (HNSW, 100_000, 0.7e9, 0.9e9)],
)
def test_a_server_takes_the_memory_that_was_measured(
    kind: str, items: int, least: float, most: float
) -> None:
    """Resident bytes of a server 2.3.5 after it was filled with vectors of 512 floats."""
    assert least < estimate(Plan(items=items, index=kind)).server_memory_bytes < most


def test_a_larger_catalog_takes_the_index_that_a_server_takes() -> None:
    """The steps are the store's own."""
    for step in SERVER_STEPS:
        assert estimate(Plan(items=step.above + 1)).index == step.kind


def test_milvus_lite_is_not_offered_where_it_is_slow() -> None:
    """Beyond 100,000 items there is no estimate of it."""
    assert estimate(Plan(items=100_000)).lite_memory_bytes is not None
    beyond = estimate(Plan(items=100_001))
    assert (beyond.lite_memory_bytes, beyond.lite_disk_bytes) == (None, None)


def test_cost_follows_from_rate_and_price() -> None:
    """3.6 million pictures at 1,000 a second are an hour."""
    found = estimate(Plan(items=3_600_000, rate=1_000, price=1.8))
    assert (found.embedding_hours, found.embedding_cost) == (1.0, 1.8)
    assert found.embedding_cost_per_million == pytest.approx(0.5)
    assert estimate(Plan(items=10, rate=1.0)).embedding_cost is None
    assert estimate(Plan(items=10, price=1.0)).embedding_hours is None


def test_labelling_grows_with_items_times_labels() -> None:
    """2 N M d operations; whole numbers, however large."""
    found = estimate(Plan(items=10**9, labels=20_000, width=768, gigaflops=1_000.0))
    assert found.operations == 2 * 10**9 * 20_000 * 768
    assert found.categorizing_hours == pytest.approx(found.operations / 1e12 / 3_600)


def test_query_nodes_hold_all_of_the_memory() -> None:
    """Filled to 70%, and one more as soon as that is not enough."""
    found = estimate(Plan(items=10**8))
    filled = 0.7 * 64e9
    assert (found.query_nodes - 1) * filled < found.server_memory_bytes
    assert found.server_memory_bytes <= found.query_nodes * filled


def test_an_unknown_index_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(ConfigError, match=r"index 'HNSV': not known .* HNSW, .*IVF_RABITQ"):
        estimate(Plan(items=10, index="HNSV"))


def test_the_command_prints_the_estimate(tmp_path: Path) -> None:
    """As a table with money, as JSON with bytes, and it makes no files."""
    shell = Shell(tmp_path, in_process=True)
    asked = ("estimate", "--items", 10_000_000, "--rate", 400, "--price", 1.2)
    table = shell(*asked)
    assert "8.33, or 0.83 a million" in " ".join(table.stdout.split())
    assert "not measured" in table.stderr
    assert shell.json(*asked) == [asdict(estimate(Plan(items=10_000_000, rate=400, price=1.2)))]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--items", 0), "--items"),
        (("--items", 10, "--rate", 0), "--rate"),
        (("--items", 10, "--width", 40_000), "--width"),
        ((), "--items"),
    ],
)
def test_senseless_numbers_are_wrong_usage(
    tmp_path: Path, options: tuple[object, ...], told: str
) -> None:
    """The option is named."""
    done = Shell(tmp_path, in_process=True)("estimate", *options, code=2)
    assert told in " ".join(done.stderr.split())
