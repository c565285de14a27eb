"""Index types: which one a collection gets, and how widely a search explores it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.core.errors import ConfigError
from indexer.core.layout import QuantizedAs, RefinedBy
from indexer.store.capabilities import SINCE, Capability, ServerInfo

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

# Milvus refuses more.
MAX_EF = 32_768

SCANN_REORDERED = 200
"""Candidates of a SCANN index that are ranked by their whole vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexType:
    """A kind of index.

    Attributes:
        build: parameters that it is built with.
        effort: the search parameter that trades time for recall; empty where it is exact.
        default_effort: its value for 10 results, until ``zeroshelf tune`` measures a better one.
        max_effort: its largest value.
    """

    build: Mapping[str, Any]
    effort: str = ""
    default_effort: int = 0
    max_effort: int = 0


_HNSW_BUILD = {"M": 16, "efConstruction": 200}
_IVF_BUILD = {"nlist": LISTS}

TYPES: dict[str, IndexType] = {
    FLAT: IndexType(build={}),
    HNSW: IndexType(build=_HNSW_BUILD, effort="ef", default_effort=512, max_effort=MAX_EF),
    HNSW_SQ: IndexType(build=_HNSW_BUILD, effort="ef", default_effort=512, max_effort=MAX_EF),
    IVF_FLAT: IndexType(build=_IVF_BUILD, effort="nprobe", default_effort=64, max_effort=LISTS),
    IVF_SQ8: IndexType(build=_IVF_BUILD, effort="nprobe", default_effort=64, max_effort=LISTS),
    SCANN: IndexType(build=_IVF_BUILD, effort="nprobe", default_effort=64, max_effort=LISTS),
    # One bit a dimension finds the candidates, eight bits put them in order.
    IVF_RABITQ: IndexType(
        build=_IVF_BUILD | {"refine": True, "refine_type": "SQ8"},
        effort="nprobe",
        default_effort=64,
        max_effort=LISTS,
    ),
}


RESCORED = (HNSW_SQ, IVF_SQ8)
"""Types that rank by rounded vectors only. Measured on 100,000 vectors of a 2.3.5 server:
recall@10 of IVF_SQ8 ends at 0.966 to 0.981, however many lists are searched."""


RESCORED_HITS = 4
"""Candidates of a quantized index for each hit, to be put in order by more exact vectors."""


_BITS = {"SQ4U": 4, "SQ6": 6, "SQ8": 8, "BF16": 16, "FP16": 16, "FP32": 32}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How ``HNSW_SQ`` holds vectors ("HNSW_SQ", https://milvus.io/docs/hnsw-sq.md).

    Attributes:
        stored_as: vectors of the graph.
        refined_by: more exact vectors beside it, in the server's memory; None ranks candidates by
            their whole vectors on our side.
    """

    stored_as: QuantizedAs = QuantizedAs.SQ8
    refined_by: RefinedBy | None = None

    def build_params(self) -> dict[str, Any]:
        """Parameters of the index; none that say what is the default anyway."""
        params: dict[str, Any] = {}
        if self.stored_as is not QuantizedAs.SQ8:
            params["sq_type"] = str(self.stored_as)
        if self.refined_by is not None:
            params |= {"refine": True, "refine_type": str(self.refined_by)}
        return params

    @staticmethod
    def of_index(description: Mapping[str, Any]) -> Quantization:
        """What an index is, by its description: values come back as texts."""
        is_refined = str(description.get("refine", "")).lower() == "true"
        return Quantization(
            stored_as=QuantizedAs(str(description.get("sq_type", QuantizedAs.SQ8)).upper()),
            refined_by=RefinedBy(str(description.get("refine_type", RefinedBy.FP32)).upper())
            if is_refined
            else None,
        )

    def check(self, server: ServerInfo) -> None:
        """Refuse what a database lacks: Milvus Lite would ignore it in silence.

        Raises:
            ConfigError: as said, or the refinement is no more exact than the graph.
        """
        if self.refined_by is not None and _BITS[self.refined_by] <= _BITS[self.stored_as]:
            raise ConfigError(
                f"--refine-type {self.refined_by}: not more exact than the {self.stored_as} of the "
                "graph; choose one with more bits, or leave it out"
            )
        needed = {
            Capability.REFINED_INDEXES: self.refined_by is not None
            or self.stored_as is not QuantizedAs.SQ8,
            Capability.FOUR_BIT_INDEXES: self.stored_as is QuantizedAs.SQ4U,
        }
        lacking = [
            capability
            for capability, is_needed in needed.items()
            if is_needed and capability not in server.capabilities
        ]
        if lacking:
            since = ".".join(map(str, SINCE[lacking[-1]]))
            raise ConfigError(
                f"{server.version} has no {lacking[-1]}; servers have them from Milvus {since} on. "
                "Leave --sq-type and --refine-type out: candidates are then ranked by their whole "
                "vectors here"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The number of rows from which ``auto`` takes an index.

    Attributes:
        above: rows up to which an earlier step holds.
        kind: index type; a database without it skips the step.
    """

    above: int
    kind: str


# Exact. Milvus Lite's searches are Python loops over all rows, of which a graph saves half at most;
# it takes minutes to build at 100,000 rows, and filtered searches walk it as if there were no
# filter (see filtered_effort).
LITE_STEPS = (Step(above=0, kind=FLAT),)

SERVER_STEPS = (
    # Exact in some milliseconds, and nothing to build.
    Step(above=0, kind=FLAT),
    # Exact search takes four times as long at 100,000.
    Step(above=20_000, kind=HNSW),
    # A graph holds every vector in memory, 2.2 GB a million of 512 floats; with eight bits a
    # dimension it is a quarter. Candidates are ordered by whole vectors on our side: a server's
    # refinement by float16 takes two bytes more a dimension, and found less (docs/search.md).
    Step(above=4_000_000, kind=HNSW_SQ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Index types of a database.

    Attributes:
        name: for messages.
        types: index types. An allow-list, since Milvus Lite accepts any word as a type, and
            fails only when the collection is loaded the next time.
        steps: of ``auto``, by ascending rows.
    """

    name: str
    types: tuple[str, ...]
    steps: tuple[Step, ...]


def backend(server: ServerInfo) -> Backend:
    """The indexes of a database.

    Tested on Milvus Lite 3.2.2 and server 2.3.5; for 2.6 and later by Milvus' documentation.
    """
    if server.is_lite:
        return Backend(
            name="Milvus Lite",
            types=(FLAT, HNSW, HNSW_SQ, IVF_FLAT, IVF_SQ8),
            steps=LITE_STEPS,
        )
    types: tuple[str, ...] = (FLAT, HNSW, IVF_FLAT, SCANN)
    if Capability.QUANTIZED_INDEXES in server.capabilities:
        types += (HNSW_SQ, IVF_SQ8, IVF_RABITQ)
    return Backend(
        name=f"Milvus server {server.version}",
        types=types,
        steps=SERVER_STEPS,
    )


def choose(kind: str, rows: int, database: Backend, *, current: str | None) -> str:
    """The index type for a number of rows.

    Args:
        kind: ``auto`` or a type that the backend has, in any case of letters.
        rows: rows that the collection has.
        current: the type that it has now, if any. ``auto`` keeps it until the rows are half of
            its step's, so a count that goes up and down does not rebuild it.

    Raises:
        ConfigError: a type that the database does not have.
    """
    requested = kind.strip().upper()
    if requested == AUTO.upper():
        steps = [step for step in database.steps if step.kind in database.types]
        fitting = next(step for step in reversed(steps) if rows > step.above or not step.above)
        current_step = next((step for step in steps if step.kind == current), fitting)
        stays = current_step.above > fitting.above and rows > current_step.above // 2
        return (current_step if stays else fitting).kind
    if requested not in database.types:
        choices = ", ".join((AUTO, *database.types))
        raise ConfigError(f"index {kind!r}: not known for {database.name}; choose one of {choices}")
    return requested


def search_params(
    kind: str | None, limit: int, effort: int | None = None, refine_k: int | None = None
) -> dict[str, Any]:
    """Parameters of a search.

    Args:
        kind: the index type; one that is not in ``TYPES`` searches by its own defaults.
        limit: results a query.
        effort: ``ef`` of a graph, ``nprobe`` of lists; by the limit if None.
        refine_k: candidates for each result that a server refines; None where it refines none.
    """
    index_type = TYPES.get(kind or FLAT, TYPES[FLAT])
    params: dict[str, int] = {}
    if index_type.effort == "ef":
        ef = max(index_type.default_effort, 2 * limit) if effort is None else max(effort, limit)
        params["ef"] = min(ef, index_type.max_effort)
    elif index_type.effort:
        nprobe = index_type.default_effort if effort is None else effort
        params["nprobe"] = min(nprobe, index_type.max_effort)
    if refine_k is not None:
        params["refine_k"] = refine_k
    if kind == SCANN:
        params["reorder_k"] = max(SCANN_REORDERED, 4 * limit)
    return {"metric_type": METRIC, "params": params}


def filtered_effort(kind: str | None, effort: int | None, rows: int, matches: int) -> int | None:
    """The effort that gives a filtered search about the recall of an unfiltered one.

    Inverted lists, and in Milvus Lite graphs, are searched without the filter, which is applied
    to the candidates afterwards. With ef 64 on 20,000 rows recall@10 was 0.33 where a filter
    passed one row in a hundred, 0.04 where one in a thousand. So the fewer rows pass, the more
    candidates are needed. A server's graph does this by itself (1.0 in both cases).

    Args:
        rows: in the collection.
        matches: of them, those that pass the filter.
    """
    index_type = TYPES.get(kind or FLAT, TYPES[FLAT])
    usual = index_type.default_effort if effort is None else effort
    return min(usual * rows // max(1, matches), max(rows, usual), index_type.max_effort)
