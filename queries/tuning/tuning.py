"""How widely an index has to be searched: its recall against exact search, measured.

Recall@k is the share of the k nearest items by exact search that the index finds too. A
hit counts where its exact similarity is that of the k-th nearest or more, so copies of
one picture stand for each other. Queries that are not like the stored items are much harder:
on a catalog of pictures words need many times the effort that pictures do. So each kind of
query is measured by itself, and the hardest decides.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.watch import Watch
from indexer.store import Tuning
from indexer.store.indexes import RESCORED, TYPES
from queries.evaluation.metrics import wilson_interval
from queries.tuning.tuning_queries import Queries

LADDERS: Mapping[str, tuple[int, ...]] = {
    "ef": (16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096),
    "nprobe": (4, 8, 16, 32, 64, 128, 256, 512, 1_024),
    "": (0,),
}
"""Efforts that are measured, by the index's parameter; an exact index has none."""

REFINE_LADDER = (1, 2, 4)
"""Candidates for each result of a quantized index that are put in order by exact vectors."""

TIMED = 50
"""Queries that are searched for one by one, for the latency."""

# The first searches load segments, and are no measure of later ones.
WARMING = 3
TOLERANCE = 1e-5
"""How far two computations of one similarity may lie apart in float32."""

Effort = tuple[int, int]
"""``ef`` or ``nprobe``, and the candidates for each result that are refined; 0 for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Recall@k of one kind of query, with its 95% interval."""

    recall: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """What one effort measured.

    Attributes:
        effort: ``ef`` or ``nprobe``; 0 for an exact index.
        refine_k: candidates for each result that are put in order again; 0 where none are.
        recalls: by kind of query.
        median_ms: of single searches.
        p95_ms: time that 95% of single searches stay below.
    """

    effort: int
    refine_k: int = 0
    recalls: dict[str, Recall]
    median_ms: float
    p95_ms: float

    @property
    def worst(self) -> float:
        """Recall of the hardest kind of query."""
        return min(recall.recall for recall in self.recalls.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningReport:
    """What was measured of an index.

    Attributes:
        index: its type.
        parameter: what trades its time for recall: ``ef``, ``nprobe``; empty where it is exact.
        items: rows that were searched.
        limit: the k of recall@k.
        target: recall that was asked for.
        queries: how many, by kind.
        rungs: by ascending refinement, then effort.
        chosen: effort of the first rung that reaches the target; None where none does.
    """

    index: str
    parameter: str
    items: int
    limit: int
    target: float
    queries: dict[str, int]
    rungs: tuple[Rung, ...]
    chosen: int | None

    @property
    def chosen_rung(self) -> Rung | None:
        """The first rung that reaches the target: the least refinement, and of it the least effort.

        A candidate that is refined costs more than one more step in the graph: its whole vector
        is read.
        """
        return next((rung for rung in self.rungs if rung.worst >= self.target), None)

    def tuning(self) -> Tuning | None:
        """What searches go by; None where no effort reached the target."""
        chosen_rung = self.chosen_rung
        if chosen_rung is None:
            return None
        return Tuning(
            index=self.index,
            effort=chosen_rung.effort,
            refine_k=chosen_rung.refine_k,
            limit=self.limit,
            recall=chosen_rung.worst,
            target=self.target,
            items=self.items,
            queries=sum(self.queries.values()),
        )


def tune(
    catalog: OpenCatalog,
    kinds: Sequence[Queries],
    *,
    limit: int = 10,
    target: float = 0.99,
    refine_k: int | None = None,
    watch: Watch = Watch(),
) -> TuningReport:
    """Measure the index of a catalog's items, and choose how widely it is searched.

    Nothing is stored; ``TuningReport.tuning`` is what ``MilvusItems.store_tuning`` takes.

    Args:
        refine_k: candidates of a quantized index for each result; ``REFINE_LADDER`` if None.

    Raises:
        UsageError: too few items, or no queries.
    """
    count = catalog.ledger.count()
    if count <= limit:
        raise UsageError(
            f"catalog {catalog.folder.name!r} has {count} items, and recall@{limit} takes more: "
            "ingest some, or give a smaller --limit."
        )
    if not any(len(kind.vectors) for kind in kinds):
        raise UsageError("there are no queries to measure by: give some with --queries.")
    index = catalog.items.index_type() or ""
    parameter = TYPES[index].effort if index in TYPES else ""
    efforts = _efforts(index, limit, refine_k)
    watch.begin("Measuring", len(kinds) * len(efforts) + 1 + len(catalog.ledger.shards()))
    searched = []
    for kind in kinds:
        for effort in efforts:
            searched.append(_searched(catalog, kind, limit, effort))
            watch.advance(1)
    latencies = _latencies(catalog, kinds, limit, efforts)
    watch.advance(1)
    recalls = iter(_recalls(catalog, kinds, searched, limit, watch))
    table = {kind.kind: [next(recalls) for _ in efforts] for kind in kinds}
    rungs = _rungs(efforts, table, latencies)
    report = TuningReport(
        index=index,
        parameter=parameter,
        items=count,
        limit=limit,
        target=target,
        queries={kind.kind: len(kind.vectors) for kind in kinds},
        rungs=rungs,
        chosen=None,
    )
    chosen_rung = report.chosen_rung
    return report if chosen_rung is None else replace(report, chosen=chosen_rung.effort)


def _rungs(
    efforts: Sequence[Effort], recalls: Mapping[str, Sequence[Recall]], latencies: DoubleArray
) -> tuple[Rung, ...]:
    """What each effort reached.

    Args:
        recalls: one an effort, by the kind of the queries.
        latencies: float64 (queries, efforts), milliseconds.
    """
    return tuple(
        Rung(
            effort=effort,
            refine_k=refined,
            recalls={name: column[place] for name, column in recalls.items()},
            median_ms=float(np.median(latencies[:, place])),
            p95_ms=float(np.percentile(latencies[:, place], 95)),
        )
        for place, (effort, refined) in enumerate(efforts)
    )


def _efforts(index: str, limit: int, refine_k: int | None) -> list[Effort]:
    """The efforts that are measured of an index, each with its refinement."""
    parameter = TYPES[index].effort if index in TYPES else ""
    refinements: tuple[int, ...] = (0,)
    if index in RESCORED:
        refinements = REFINE_LADDER if refine_k is None else (refine_k,)
    return [
        (effort, refined)
        for refined in refinements
        for effort in LADDERS[parameter]
        if parameter != "ef" or effort >= limit * max(1, refined)
    ]


def _searched(catalog: OpenCatalog, kind: Queries, limit: int, effort: Effort) -> list[list[str]]:
    """Ids of the hits of each query, without the query itself."""
    answers = catalog.items.search(
        kind.vectors,
        limit=limit + bool(kind.item_ids),
        effort=effort[0],
        refine_k=effort[1] or None,
    )
    own_ids = kind.item_ids or [None] * len(answers)
    return [
        [item_id for hit in hits if (item_id := hit.fields["item_id"]) != itself][:limit]
        for itself, hits in zip(own_ids, answers, strict=True)
    ]


def _latencies(
    catalog: OpenCatalog, kinds: Sequence[Queries], limit: int, efforts: Sequence[Effort]
) -> DoubleArray:
    """Milliseconds of single searches, (queries, efforts): the efforts take turns."""
    share = -(-TIMED // len(kinds))
    vectors = np.concatenate([kind.vectors[:share] for kind in kinds])
    for vector in vectors[:WARMING]:
        catalog.items.search(vector[np.newaxis], limit=limit, effort=efforts[-1][0])
    taken = np.empty((len(vectors), len(efforts)))
    for row, vector in enumerate(vectors):
        for column, (effort, refined) in enumerate(efforts):
            start = time.perf_counter()
            catalog.items.search(
                vector[np.newaxis], limit=limit, effort=effort, refine_k=refined or None
            )
            taken[row, column] = 1e3 * (time.perf_counter() - start)
    return taken


def _recalls(
    catalog: OpenCatalog,
    kinds: Sequence[Queries],
    retrieved: Sequence[list[list[str]]],
    limit: int,
    watch: Watch,
) -> list[Recall]:
    """Recalls of the searches, kind by kind; one pass over the archive is the exact search."""
    queries = np.concatenate([kind.vectors for kind in kinds])
    firsts = np.cumsum([0, *(len(kind.vectors) for kind in kinds)])
    rungs = len(retrieved) // len(kinds)
    hits = [
        (int(firsts[search // rungs]) + row, search, item_id)
        for search, answers in enumerate(retrieved)
        for row, ids in enumerate(answers)
        for item_id in ids
    ]
    own_ids = {
        int(firsts[place]) + row: item_id
        for place, kind in enumerate(kinds)
        for row, item_id in enumerate(kind.item_ids)
    }
    places = catalog.ledger.find(list({item_id for *_, item_id in hits} | set(own_ids.values())))
    # A row that the archive does not know counts as found in vain.
    placed_hits = [
        (query, search, places[target]) for query, search, target in hits if target in places
    ]
    positions = np.array(
        [(target.shard, target.row, query) for query, _, target in placed_hits], dtype=np.int64
    )
    positions = positions.reshape(-1, 3)
    selves = {
        (places[target].shard, places[target].row): query for query, target in own_ids.items()
    }
    exact, border = _exact(catalog, queries, positions, selves, limit, watch)
    counts = np.zeros((len(queries), rungs))
    for (query, search, _), similarity in zip(placed_hits, exact, strict=True):
        counts[query, search % rungs] += similarity >= border[query] - TOLERANCE
    shares = counts / limit
    return [
        _recall(shares[firsts[place] : firsts[place + 1], rung], limit)
        for place in range(len(kinds))
        for rung in range(rungs)
    ]


def _exact(
    catalog: OpenCatalog,
    queries: FloatArray,
    where: IndexArray,
    selves: Mapping[tuple[int, int], int],
    limit: int,
    watch: Watch,
) -> tuple[FloatArray, FloatArray]:
    """Similarities of rows of the archive, and of each query's k-th nearest item.

    Args:
        queries: float32 (n, d).
        where: int64 (h, 3): shard, row and query of what an index found.
        selves: the query that a row is itself, and that must not find it.

    Returns:
        float32 (h,) and float32 (n,).
    """
    similarities = np.empty(len(where), dtype=np.float32)
    best = np.full((len(queries), limit), -np.inf, dtype=np.float32)
    for shard in catalog.ledger.shards():
        block = queries @ catalog.archive.vectors(shard).T
        here = where[:, 0] == shard
        similarities[here] = block[where[here, 2], where[here, 1]]
        for (at, row), query in selves.items():
            if at == shard:
                block[query, row] = -np.inf
        candidates = np.hstack([best, block[:, catalog.ledger.live_rows(shard)]])
        best = np.partition(candidates, -limit, axis=1)[:, -limit:]
        watch.advance(1)
    return similarities, best.min(axis=1)


def _recall(shares: DoubleArray, limit: int) -> Recall:
    """Mean recall of queries with its interval.

    Misses of one query come together, so its k results count as fewer than k trials, by the
    design effect (Kish 1965, "Survey Sampling"); where nothing was missed, as one.
    """
    mean = float(shares.mean())
    chance = mean * (1 - mean) / limit
    effect = np.clip(shares.var() / chance, 1, limit) if chance else limit
    trials = len(shares) * limit / float(effect)
    low, high = wilson_interval(mean * trials, trials)
    return Recall(recall=mean, low=low, high=high)


def as_rows(report: TuningReport) -> list[dict[str, Any]]:
    """A row for each effort: recall of each kind with its interval, and latencies."""
    rows = []
    for rung in report.rungs:
        row: dict[str, Any] = {report.parameter or "index": rung.effort or report.index}
        if rung.refine_k:
            row["refine_k"] = rung.refine_k
        for name, recall in rung.recalls.items():
            row |= {
                f"recall@{report.limit} {name}": recall.recall,
                f"{name} low": recall.low,
                f"{name} high": recall.high,
            }
        rows.append(row | {"median_ms": rung.median_ms, "p95_ms": rung.p95_ms})
    return rows
