"""Which vector index a collection gets, and how much of it a search looks at; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.core.errors import ConfigError
from indexer.store.capabilities import Capability, Offer

AUTO = "auto"
FLAT = "FLAT"
HNSW = "HNSW"
HNSW_SQ = "HNSW_SQ"
IVF_FLAT = "IVF_FLAT"
IVF_SQ8 = "IVF_SQ8"
SCANN = "SCANN"
IVF_RABITQ = "IVF_RABITQ"

METRIC = "IP"
"""Inner product: the cosine, since all vectors have length 1."""

LISTS = 1_024
"""Lists of an inverted file, in each segment."""

MAX_EF = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexType:
    """A kind of index.

    Attributes:
        build: parameters that it is built with.
        effort: the search parameter that trades time for recall; empty where it is exact.
        usual: its value for 10 results, until ``zeroshelf tune`` measures a better one.
        most: its largest value.
    """

    build: Mapping[str, Any]
    effort: str = ""
    usual: int = 0
    most: int = 0


_GRAPH = {"M": 16, "efConstruction": 200}
_LISTS = {"nlist": LISTS}

TYPES: dict[str, IndexType] = {
    FLAT: IndexType(build={}),
    HNSW: IndexType(build=_GRAPH, effort="ef", usual=512, most=MAX_EF),
    HNSW_SQ: IndexType(build=_GRAPH, effort="ef", usual=512, most=MAX_EF),
    IVF_FLAT: IndexType(build=_LISTS, effort="nprobe", usual=64, most=LISTS),
    IVF_SQ8: IndexType(build=_LISTS, effort="nprobe", usual=64, most=LISTS),
    SCANN: IndexType(build=_LISTS, effort="nprobe", usual=64, most=LISTS),
    # One bit a dimension finds the candidates, eight bits put them in order.
    IVF_RABITQ: IndexType(
        build=_LISTS | {"refine": True, "refine_type": "SQ8"},
        effort="nprobe",
        usual=64,
        most=LISTS,
    ),
}


RESCORED = (HNSW_SQ, IVF_SQ8)
"""Types whose order is by rounded vectors only. Seen on 100,000 vectors of a 2.3.5 server:
recall@10 of IVF_SQ8 ends at 0.966 to 0.981, however many lists are searched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From how many rows on ``auto`` takes an index, and why.

    Attributes:
        above: rows up to which an earlier step holds.
        kind: index type; where the database has none such, the step is left out.
    """

    above: int
    kind: str
    reason: str


LITE_STEPS = (
    Step(
        above=0,
        kind=FLAT,
        reason="exact. Milvus Lite's searches are Python loops over all rows, of which a graph "
        "saves half at most; it takes minutes to build at 100,000 rows, and filtered searches "
        "walk it as if there were no filter (see filtered_effort)",
    ),
)
SERVER_STEPS = (
    Step(above=0, kind=FLAT, reason="exact in some milliseconds, and nothing to build"),
    Step(above=20_000, kind=HNSW, reason="exact search takes four times as long at 100,000"),
    Step(
        above=4_000_000,
        kind=HNSW_SQ,
        reason="a graph holds every vector in memory, 2.2 GB a million of 512 floats; "
        "with eight bits a dimension it is a quarter",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What a database offers.

    Attributes:
        name: for messages.
        types: index types. An allow-list, since Milvus Lite takes any word for one,
            searches it, and fails only when the collection is loaded the next time.
        steps: of ``auto``, by ascending rows.
    """

    name: str
    types: tuple[str, ...]
    steps: tuple[Step, ...]


def backend(offer: Offer) -> Backend:
    """The indexes of a database.

    Known by what was run (Milvus Lite 3.2.2, server 2.3.5) and, for 2.6 and later, by
    Milvus' documentation.
    """
    if offer.is_lite:
        return Backend(
            name="Milvus Lite",
            types=(FLAT, HNSW, HNSW_SQ, IVF_FLAT, IVF_SQ8),
            steps=LITE_STEPS,
        )
    types: tuple[str, ...] = (FLAT, HNSW, IVF_FLAT, SCANN)
    if Capability.QUANTIZED_INDEXES in offer.capabilities:
        types += (HNSW_SQ, IVF_SQ8, IVF_RABITQ)
    return Backend(
        name=f"Milvus server {offer.version}",
        types=types,
        steps=SERVER_STEPS,
    )


def choose(kind: str, rows: int, where: Backend, *, current: str | None) -> str:
    """The index type for a number of rows.

    Args:
        kind: ``auto`` or a type that the backend has, in any case of letters.
        rows: rows that the collection has.
        current: the type that it has now, if any. ``auto`` keeps it until the rows are half
            of what calls for it, so that a count that swings does not rebuild it.

    Raises:
        ConfigError: a type that is not known for the backend.
    """
    wanted = kind.strip().upper()
    if wanted == AUTO.upper():
        steps = [step for step in where.steps if step.kind in where.types]
        fitting = next(step for step in reversed(steps) if rows > step.above or not step.above)
        now = next((step for step in steps if step.kind == current), fitting)
        stays = now.above > fitting.above and rows > now.above // 2
        return (now if stays else fitting).kind
    if wanted not in where.types:
        known = ", ".join((AUTO, *where.types))
        raise ConfigError(f"index {kind!r}: not known for {where.name}; choose one of {known}")
    return wanted


def search_params(kind: str | None, limit: int, effort: int | None = None) -> dict[str, Any]:
    """Parameters of a search.

    Args:
        kind: the index type; one that is not in ``TYPES`` searches by its own defaults.
        limit: results a query.
        effort: ``ef`` of a graph, ``nprobe`` of lists; by the limit if None.
    """
    known = TYPES.get(kind or FLAT, TYPES[FLAT])
    params: dict[str, int] = {}
    if known.effort == "ef":
        wanted = max(known.usual, 2 * limit) if effort is None else max(effort, limit)
        params["ef"] = min(wanted, known.most)
    elif known.effort:
        params["nprobe"] = min(known.usual if effort is None else effort, known.most)
    if kind == SCANN:
        params["reorder_k"] = max(SCANN_REORDERED, 4 * limit)
    return {"metric_type": METRIC, "params": params}


def filtered_effort(kind: str | None, effort: int | None, rows: int, matches: int) -> int | None:
    """The effort that finds under a filter about what ``effort`` finds without.

    Lists are visited, and in Milvus Lite graphs are walked, as if there were no filter, and
    then what passes is kept: with ef 64 on 20,000 rows recall@10 was 0.33 where a filter kept
    one row in a hundred, 0.04 where one in a thousand. So the fewer rows pass, the farther
    they are searched. A server does so by itself with a graph (1.0 in both cases).

    Args:
        rows: in the collection.
        matches: of them, those that pass the filter.
    """
    known = TYPES.get(kind or FLAT, TYPES[FLAT])
    usual = known.usual if effort is None else effort
    return min(usual * rows // max(1, matches), max(rows, usual), known.most)


SCANN_REORDERED = 200
"""Candidates of a SCANN index that are put in order by their whole vectors."""
