"""Item search against exact search, and how fast the command starts.

The 100,000 vectors are made of real ones: a point between a CLIP vector of the fashion
photos and one of its ten nearest neighbours, plus noise of the photos' own covariance, at
half its spread, which gives the photos' own distances to the nearest neighbour (cosine 0.925
in the median of 1,000, the photos 0.931). Queries are as many other such pictures, and CLIP's
vectors of "a {name}" for half of LVIS' labels; the other half are the catalog's labels, which
tune takes as samples of what people type. Without the data, clusters of random vectors stand in,
and there are no words.

    python -m benchmarks.searching [--items 100000] [--server URI] [--json FILE]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Row, command_line, compared, show
from benchmarks.turns import median_seconds
from benchmarks.vit_b_32 import SHARED
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.sources import TableOptions
from queries.tuning.tuning import tune
from queries.tuning.tuning_queries import usual_queries

DATA = SHARED / "data"
SERVER_VARIABLE = "ZEROSHELF_TEST_MILVUS_URI"
LIMIT = 10
TARGET = 0.99
QUERIES = 200
TIMED = 50
IN_TURN = 10
PAUSE_S = 0.3
STARTS = 7
WIDTH = 512


def rows(items: int = 100_000, server: str | None = None) -> list[Row]:
    """Every figure of this part; a server is measured where its URI is given."""
    measured = start_up()
    vectors, pictures, words, labels = make_vectors(items)
    backends = {"Milvus Lite": None, **({"Milvus server": server} if server else {})}
    for name, uri in backends.items():
        with tempfile.TemporaryDirectory() as folder:
            measured += _searches(name, Path(folder), uri, vectors, pictures, words, labels)
    return measured


def make_vectors(items: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """float32 (items, 512), queries (200, 512), words (m, 512) and labels (k, 512), length 1."""
    if not DATA.is_dir():
        centres = normalise(np.random.default_rng(0).normal(size=(1_000, WIDTH)))
        none = np.empty((0, WIDTH), dtype=np.float32)
        return _between(centres, items, 1), _between(centres, QUERIES, 2), none, none
    photos = np.load(DATA / "fashion" / "clip_vit_b32.npy")
    texts = np.random.default_rng(3).permutation(np.load(DATA / "lvis" / "clip_vit_b32.npy"))
    middle = len(texts) // 2
    return (
        _between(photos, items, 1),
        _between(photos, QUERIES, 2),
        texts[:middle][:QUERIES],
        texts[middle:],
    )


def _between(photos: FloatArray, count: int, seed: int) -> FloatArray:
    """Points between neighbours among the photos, with noise of half the photos' covariance."""
    generator = np.random.default_rng(seed)
    near = np.argsort(-(photos @ photos.T), axis=1)[:, 1:11]
    values, axes = np.linalg.eigh(np.cov(photos.T))
    root = (axes * np.sqrt(np.clip(values, 0, None))).T.astype(np.float32)
    first = generator.integers(len(photos), size=count)
    second = near[first, generator.integers(near.shape[1], size=count)]
    share = generator.random((count, 1), dtype=np.float32)
    noise = generator.standard_normal((count, photos.shape[1]), dtype=np.float32) @ root
    return normalise(share * photos[first] + (1 - share) * photos[second] + 0.5 * noise)


def _searches(
    name: str,
    folder: Path,
    uri: str | None,
    vectors: FloatArray,
    pictures: FloatArray,
    words: FloatArray,
    labels: FloatArray,
) -> list[Row]:
    """Recall and latency of one database, at the effort that tune chose."""
    options = CatalogOptions(catalog="benchmark", data_dir=folder, db=uri)
    _fill(options, vectors, labels)
    measured = []
    with open_catalog(options) as catalog:
        report = tune(catalog, usual_queries(catalog, QUERIES), limit=LIMIT, target=TARGET)
        if tuning := report.tuning():
            catalog.items.store_tuning(tuning)
        effort = f", {report.parameter} {report.chosen}" if report.parameter else ""
        what = f"{name} ({report.index}{effort}), {len(vectors):,} items"
        for kind, queries in (("pictures", pictures), ("words", words)):
            if len(queries):
                share = _recall(catalog.items, queries, vectors)
                measured.append(
                    _row(
                        f"recall@{LIMIT} by {kind}, {what}",
                        "exact search, numpy",
                        (share, 1.0),
                        "",
                        f">= {TARGET}",
                        reached=share >= TARGET,
                    )
                )
        queries = np.concatenate([pictures, words])
        timed = queries[:: max(1, len(queries) // TIMED)]
        measured.append(
            _row(
                f"one search, {what}",
                "exact search, numpy",
                _latencies(catalog.items, timed, vectors),
                "ms",
            )
        )
        if uri is not None:
            catalog.database.drop_catalog(options.catalog)
    return measured


def _fill(options: CatalogOptions, vectors: FloatArray, labels: FloatArray) -> None:
    """A catalog of the vectors, made by the jobs that the commands run."""
    folder = options.data_dir
    for name, block in (("items", vectors), ("labels", labels)):
        np.save(folder / f"{name}.npy", block)
        lines = (json.dumps({"id": f"{name}{row}", "name": f"{row}"}) for row in range(len(block)))
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    table = TableOptions(vectors=str(folder / "items.npy"))
    ingest(
        options,
        [str(folder / "items.jsonl")],
        IngestOptions(table=table, sizes=PipelineSizes(workers=1)),
    )
    if len(labels):
        add_labels(options, str(folder / "labels.jsonl"), vectors=folder / "labels.npy")


def _recall(items: Any, queries: FloatArray, vectors: FloatArray) -> float:
    scores = queries @ vectors.T
    exact = np.argpartition(-scores, LIMIT, axis=1)[:, :LIMIT]
    hits = sum(
        len({hit.fields["item_id"] for hit in nearest} & {f"items{row}" for row in best})
        for nearest, best in zip(items.search(queries, limit=LIMIT), exact, strict=True)
    )
    return hits / exact.size


def _latencies(items: Any, queries: FloatArray, vectors: FloatArray) -> tuple[float, float]:
    """Median milliseconds of a search and of numpy's; they take turns, ten queries each."""
    items.search(queries[:1], limit=LIMIT)
    ours, theirs = [], []
    for first in range(0, len(queries), IN_TURN):
        for query in queries[first : first + IN_TURN]:
            start = time.perf_counter()
            items.search(query[np.newaxis], limit=LIMIT)
            ours.append(time.perf_counter() - start)
        for query in queries[first : first + IN_TURN]:
            start = time.perf_counter()
            scores = vectors @ query
            best = np.argpartition(-scores, LIMIT)[:LIMIT]
            best[np.argsort(-scores[best])]
            theirs.append(time.perf_counter() - start)
        time.sleep(PAUSE_S)  # numpy's threads keep a core busy for a while after a product
    return 1e3 * statistics.median(ours), 1e3 * statistics.median(theirs)


def start_up() -> list[Row]:
    """Seconds of the command's help and of an import, against Python's own start."""
    python = sys.executable
    zeroshelf = str(Path(python).with_name("zeroshelf"))
    goals = {"zeroshelf --help": 0.3, "import indexer, queries": 0.15}
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "zeroshelf --help": [zeroshelf, "--help"],
        "zeroshelf search --help": [zeroshelf, "search", "--help"],
        "import indexer, queries": [python, "-c", "import indexer, queries"],
    }
    runs = {name: partial(_silently, command) for name, command in commands.items()}
    seconds = median_seconds(runs, STARTS)  # the first round reads the files from disk
    bare = seconds.pop("python -c pass")
    return [
        _row(
            name,
            "python -c pass",
            (ours, bare),
            "s",
            f"< {goals[name]} s" if name in goals else None,
            reached=ours < goals[name] if name in goals else None,
        )
        for name, ours in seconds.items()
    ]


def _silently(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours


def _row(
    work: str,
    against: str,
    medians: tuple[float, float],
    unit: str,
    goal: str | None = None,
    *,
    reached: bool | None = None,
) -> Row:
    return compared(work, against, *medians, unit) | {"goal": goal, "reached": reached}


def main() -> None:
    """Read the command line, measure and show."""
    parser = command_line("searching", __doc__, items=100_000)
    parser.add_argument(
        "--server", default=os.environ.get(SERVER_VARIABLE), help=f"its URI; or {SERVER_VARIABLE}"
    )
    options = parser.parse_args()
    show(rows(options.items, options.server), options.json)


if __name__ == "__main__":
    main()
