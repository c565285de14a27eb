"""Reading and writing one Milvus collection; what ``items`` and ``labels`` share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.chunks import in_chunks, map_in_order
from indexer.core.errors import StoreError, StoreUnavailableError, UsageError
from indexer.core.layout import VectorType
from indexer.core.protocols import Hit
from indexer.core.records import FloatArray, key_of
from indexer.core.vectors import unit_rows
from indexer.store.checks import Row, batches
from indexer.store.connection import LONG_TIMEOUT_S, Connection
from indexer.store.expressions import (
    EVERYTHING,
    KEYS_PER_EXPRESSION,
    Filter,
    key_expressions,
    key_in,
)
from indexer.store.indexes import (
    FLAT,
    HNSW_SQ,
    RESCORED,
    RESCORED_HITS,
    TYPES,
    Quantization,
    filtered_effort,
    search_params,
)
from indexer.store.indexing import index_of, index_vectors
from indexer.store.vector_format import from_stored, to_stored

MAX_LIMIT = 16_384
"""The most results of one search that Milvus gives."""

# Rows a second, of 512 dimensions, in batches of 1,000 and of 5,000: 3,400 and 3,200 on Milvus
# Lite, 7,400 and 8,700 on a 2.3 server.
BATCH_ROWS_LITE = 1_000
BATCH_ROWS_SERVER = 5_000
WRITERS = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Batches sent to a server at a time: pymilvus packs a batch on one core, the server stores it."""

PAGE_ROWS = 4_096
MAX_QUERIES = 1_024
MAX_RESULTS = 200_000
"""Results of one search call (queries x limit), so that an answer stays below message limits."""

FLUSH_ROWS_SERVER = 1_000
"""Below it a server is not asked to seal a segment: many small ones slow down every search."""

READ = "Bounded"
"""Consistency of every read. ``Strong`` costs up to 0.4 s a call on a 2.3 server."""

VECTOR = "vector"

_log = logging.getLogger(__name__)


class Collection:
    """One physical collection, loaded.

    It is bound to the collection, not to its alias: after an alias swap, a reader must not
    search the new model's vectors with the old model's queries.

    Args:
        width: dimension of its vectors.
        unit: whether stored vectors and queries must be of length 1.
        vector_type: number format of its vectors.

    Attributes:
        index: type of the vector index when it was last loaded.
        quantization: of that index; None where it is not ``HNSW_SQ``.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        *,
        width: int,
        unit: bool = True,
        vector_type: VectorType = VectorType.FLOAT32,
    ) -> None:
        self.connection = connection
        self._client = connection.client
        self.name = name
        self.width = width
        self.unit = unit
        self.vector_type = vector_type
        self.is_lite = connection.is_lite
        self._unflushed = 0
        self.index: str | None = None
        self.quantization: Quantization | None = None

    def upsert(self, rows: Sequence[Row]) -> None:
        """Write checked rows of different keys, replacing those of the same key.

        Their vectors come from ``to_stored``. At most ``WRITERS`` batches are on their way to a
        server at a time, and the next waits until one of them is stored, so a server never gets
        more than it can store.
        """
        size, writers = (BATCH_ROWS_LITE, 1) if self.is_lite else (BATCH_ROWS_SERVER, WRITERS)
        with ThreadPoolExecutor(writers) as pool:
            for written in map_in_order(pool, self._write, batches(rows, size), window=writers):
                self._unflushed += written

    def _write(self, batch: list[Row]) -> int:
        # An upsert of Milvus Lite reads each old row, to fill in what a new one lacks: with 10,000
        # rows half a second. Ours lack nothing, and its insert replaces rows of the same key.
        write = self._client.insert if self.is_lite else self._client.upsert
        with self.connection.translate_errors(f"writing {len(batch)} rows to {self.name}"):
            write(self.name, batch, timeout=self.connection.timeout_s)
        return len(batch)

    def delete(self, identifiers: Sequence[str]) -> None:
        """Remove rows by id; unknown ids are ignored."""
        self.delete_keys([key_of(identifier) for identifier in dict.fromkeys(identifiers)])

    def delete_keys(self, keys: Sequence[str]) -> None:
        """Remove rows by key."""
        for batch in in_chunks(keys, KEYS_PER_EXPRESSION):
            with self.connection.translate_errors(f"deleting rows of {self.name}"):
                self._client.delete(
                    self.name, filter=key_in(batch), timeout=self.connection.timeout_s
                )

    def flush(self) -> None:
        """Make what this object wrote durable, quick to search, and visible to all readers.

        A 2.3.5 server shows fresh rows to none of 12 Bounded or Eventually reads, and
        Session misses this client's own deletes (12 of 12): pymilvus keeps no timestamp of
        them. One Strong read makes the server catch up (0.2 s); after it every Bounded
        read of any process saw all inserts, updates and deletes (36 of 36), as it did
        after a flush (2.8 s). So small writes end with the read alone.
        """
        if self.is_lite or self._unflushed >= FLUSH_ROWS_SERVER:
            with self.connection.translate_errors(f"flushing {self.name}"):
                self._client.flush(self.name, timeout=LONG_TIMEOUT_S)
            self._unflushed = 0
        if not self.is_lite:
            self.count_now()

    def count(self, row_filter: Filter = EVERYTHING) -> int:
        """Rows, exactly: ``count(*)``, since a server's ``row_count`` counts deleted ones."""
        return self._count(row_filter, READ)

    def count_now(self) -> int:
        """Rows, exactly and as of now; the server catches up first, which takes a while."""
        return self._count(EVERYTHING, "Strong")

    def _count(self, row_filter: Filter, consistency: str) -> int:
        with self.connection.translate_errors(f"counting the rows of {self.name}", row_filter):
            answer = self._client.query(
                self.name,
                filter=row_filter.expression,
                output_fields=["count(*)"],
                consistency_level=consistency,
                timeout=self.connection.timeout_s,
            )
        return int(answer[0]["count(*)"])

    def rows(
        self, output: Sequence[str], row_filter: Filter = EVERYTHING
    ) -> Iterator[dict[str, Any]]:
        """Rows that match, in no order; streams."""
        action = f"reading {self.name}"
        with self.connection.translate_errors(action, row_filter):
            # A plain query gives 16,384 rows at most.
            pages = self._client.query_iterator(
                self.name,
                batch_size=PAGE_ROWS,
                filter=row_filter.expression,
                output_fields=list(output),
                consistency_level=READ,
                timeout=self.connection.timeout_s,
            )
        try:
            while True:
                with self.connection.translate_errors(action, row_filter):
                    page = pages.next()
                if not page:
                    return
                yield from page
        finally:
            pages.close()

    def fetch(
        self,
        identifiers: Sequence[str],
        output: Sequence[str],
        row_filter: Filter = EVERYTHING,
    ) -> list[dict[str, Any]]:
        """Rows by id that match, in no order; unknown ids are left out."""
        rows: list[dict[str, Any]] = []
        for expression in key_expressions(identifiers):
            full_filter = row_filter.limited_to(expression)
            with self.connection.translate_errors(f"reading rows of {self.name}", full_filter):
                rows += self._client.query(
                    self.name,
                    filter=full_filter.expression,
                    output_fields=list(output),
                    consistency_level=READ,
                    timeout=self.connection.timeout_s,
                )
        return rows

    def search(
        self,
        vectors: FloatArray,
        *,
        limit: int,
        output: Sequence[str],
        row_filter: Filter = EVERYTHING,
        effort: int | None = None,
        refine_k: int | None = None,
    ) -> list[list[Hit]]:
        """Nearest rows for each of float32 (n, d), best first.

        Args:
            vectors: queries, of length 1 where the collection's vectors are.
            limit: results a query.
            output: fields of the hits.
            row_filter: only rows that match.
            effort: ``ef`` of a graph, ``nprobe`` of lists; chosen by the limit if None.
            refine_k: candidates of a quantized index for each hit; ``RESCORED_HITS`` if None.

        Raises:
            UsageError: ``limit`` is below 1 or above ``MAX_LIMIT``, or the filter is not valid.
            StoreError: a vector is not finite, not of length 1, or of another width.
        """
        if not 1 <= limit <= MAX_LIMIT:
            raise UsageError(f"limit {limit}: Milvus gives from 1 to {MAX_LIMIT} results")
        vectors = np.asarray(vectors, dtype=np.float32)
        self._check_queries(vectors)
        # A quantized index ranks by rounded vectors, so more candidates are ranked by whole ones.
        refine_k = RESCORED_HITS if refine_k is None else refine_k
        refined = self.quantization is not None and self.quantization.refined_by is not None
        rescored = self.index in RESCORED and not refined
        candidates = min(limit * refine_k, MAX_LIMIT) if rescored else limit
        effort = self._effort(effort, row_filter)
        params = search_params(self.index, candidates, effort, refine_k if refined else None)
        hits: list[list[Hit]] = []
        at_once = min(MAX_QUERIES, max(1, MAX_RESULTS // candidates))
        for start in range(0, len(vectors), at_once):
            queries = vectors[start : start + at_once]
            with self.connection.translate_errors(f"searching {self.name}", row_filter):
                answers = self._client.search(
                    self.name,
                    data=to_stored(queries, self.vector_type),
                    anns_field=VECTOR,
                    limit=candidates,
                    filter=row_filter.expression,
                    output_fields=[*output, VECTOR] if rescored else list(output),
                    search_params=params,
                    consistency_level=READ,
                    timeout=self.connection.timeout_s,
                )
            block_hits = [[_hit(result) for result in results] for results in answers]
            if rescored:
                block_hits = [
                    self._rescored(query, query_hits)[:limit]
                    for query, query_hits in zip(queries, block_hits, strict=True)
                ]
            hits += block_hits
        return hits

    def _rescored(self, query: FloatArray, hits: list[Hit]) -> list[Hit]:
        """Hits with the inner products of their whole vectors, best first."""
        exact = []
        for hit in hits:
            vector = self.vector_of(hit.fields)
            fields = {name: value for name, value in hit.fields.items() if name != VECTOR}
            exact.append(Hit(similarity=float(vector @ query), fields=fields))
        # Stable: of hits with the same product the order is Milvus'.
        return sorted(exact, key=lambda hit: -hit.similarity)

    def _effort(self, effort: int | None, row_filter: Filter) -> int | None:
        """The effort, raised where the index ignores a filter while it searches."""
        parameter = TYPES.get(self.index or FLAT, TYPES[FLAT]).effort
        if not row_filter.expression or not (parameter == "nprobe" or (parameter and self.is_lite)):
            return effort
        matches = self.count(row_filter)
        return filtered_effort(self.index, effort, self.count(), matches)

    def _check_queries(self, vectors: FloatArray) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise StoreError(
                f"query vectors of shape {vectors.shape}: the catalog's have width {self.width}; "
                "embed them with the catalog's model"
            )
        row_valid = unit_rows(vectors) if self.unit else np.isfinite(vectors).all(axis=1)
        if not row_valid.all():
            raise StoreError("a query vector is not finite or not of length 1; normalise it before")

    def to_stored(self, vectors: FloatArray) -> npt.NDArray[np.floating]:
        """float32 (n, d) in the collection's number format."""
        return to_stored(vectors, self.vector_type)

    def vector_of(self, row: Mapping[str, Any]) -> FloatArray:
        """The vector of a row that was read: float32 (d,)."""
        return from_stored(row[VECTOR], self.vector_type)

    def set_property(self, name: str, value: str) -> None:
        """Store a text with the collection."""
        self.connection.set_property(self.name, name, value)

    def read_property(self, name: str) -> str:
        """A text that is stored with the collection; empty where there is none."""
        with self.connection.translate_errors(f"reading a property of {self.name}"):
            described = self._client.describe_collection(
                self.name, timeout=self.connection.timeout_s
            )
        return str(described["properties"].get(name, ""))

    def index_type(self) -> str | None:
        """The type of the vector index, None where there is none."""
        description = index_of(self.connection, self.name, VECTOR)
        return None if description is None else str(description["index_type"])

    def build_index(self, kind: str, quantization: Quantization | None = None) -> None:
        """Replace the vector index; searches of this collection fail until it is built."""
        index_vectors(self.connection, self.name, VECTOR, kind, quantization)
        self.load()

    def load(self) -> None:
        """Make the collection searchable; an index that was lost midway is built again."""
        description = index_of(self.connection, self.name, VECTOR)
        self.index = None if description is None else str(description["index_type"])
        self.quantization = (
            Quantization.of_index(description) if description and self.index == HNSW_SQ else None
        )
        if self.index is None:
            self.build_index(FLAT)
            return
        try:
            self._load()
        except StoreError as error:
            if isinstance(error, StoreUnavailableError) or not self._drop_index_files():
                raise
            _log.warning(
                "index files of %s in %s were cut short, as by a kill: they are built again.",
                self.name,
                self.connection.address,
            )
            self._load()

    def _load(self) -> None:
        with self.connection.translate_errors(f"loading {self.name}"):
            self._client.load_collection(self.name, timeout=LONG_TIMEOUT_S)

    def _drop_index_files(self) -> bool:
        """Delete the files that Milvus Lite keeps its indexes in; whether there were any.

        It writes them in place, so a kill leaves half of one, and the collection can't be loaded
        any more. Where one is not there it is built from the rows.
        """
        path = self.connection.address.path
        if path is None:
            return False
        files = list((path / "collections" / self.name).glob("partitions/*/indexes/*.idx"))
        for file in files:
            file.unlink(missing_ok=True)
        return bool(files)


def _hit(result: Any) -> Hit:
    return Hit(similarity=float(result["distance"]), fields=dict(result["entity"]))
