"""The ``items`` collection of a catalog: one row a picture or text, embedded once."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from indexer.core.errors import ConfigError, StoreError
from indexer.core.layout import VectorType
from indexer.core.partitions import partition_of
from indexer.core.protocols import Decision, Hit
from indexer.core.records import EmbeddedItem, FloatArray, key_of
from indexer.store import item_rows, schema
from indexer.store.bulk import Staging, import_rows
from indexer.store.checks import check_unique, stack
from indexer.store.collection import VECTOR, Collection
from indexer.store.expressions import Filter, in_partition, key_prefix
from indexer.store.filters import lists_as_comparisons, metadata_keys, require_keys
from indexer.store.indexes import AUTO, HNSW_SQ, Backend, Quantization, backend, choose
from indexer.store.tuning import TUNING_PROPERTY, Tuning

HIT_FIELDS = tuple(field for field in schema.ITEM_FIELDS if field != "content_hash")

_log = logging.getLogger(__name__)


class MilvusItems:
    """``protocols.ItemStore`` on Milvus; ``Database.items`` makes it.

    Args:
        tuning: the last measurement, maybe of an earlier index.
        partition_key: metadata column that the catalog is partitioned by; empty for none.
    """

    def __init__(
        self,
        collection: Collection,
        tuning: Tuning | None = None,
        *,
        partition_key: str = "",
    ) -> None:
        self._collection = collection
        self._tuning = tuning
        self._partition_key = partition_key
        self._partition: str | None = None
        self._staging: Staging | None = None
        self._known_columns: Callable[[], set[str]] | None = None

    def in_partition(self, partition: str) -> MilvusItems:
        """The same items, limited to one partition."""
        assert self._partition_key
        items = copy.copy(self)
        items._partition = partition
        return items

    def with_columns(self, columns: Callable[[], set[str]]) -> MilvusItems:
        """The same items, whose filters may name these columns of metadata only.

        Args:
            columns: called when a filter names one; none at all allow any.
        """
        items = copy.copy(self)
        items._known_columns = columns
        return items

    def imported_from(self, staging: str) -> MilvusItems:
        """The same items, written through files that the server imports.

        Args:
            staging: as ``bulk.Staging`` takes it.

        Raises:
            ConfigError: the address can't be opened.
        """
        items = copy.copy(self)
        items._staging = Staging(staging)
        return items

    def upsert(self, rows: Sequence[EmbeddedItem], decisions: Sequence[Decision | None]) -> None:
        """Write rows, replacing those of the same id.

        Decisions of a categorization are stored by writing the rows again from the
        archive, with their decisions: the 2.3 servers can't change a part of a row.

        Args:
            rows: at most one an id.
            decisions: one a row, of the last categorization; None where there is none.

        Raises:
            StoreError: a row that must not reach Milvus (none is written then), or Milvus failed.
        """
        check_unique([row.item_id for row in rows], "item")
        names = [f"item {row.item_id!r}" for row in rows]
        vectors = self._collection.to_stored(
            stack([row.vector for row in rows], names, self._collection.width)
        )
        written = [
            {
                **item_rows.item_fields(row, name),
                **self._partition_field(row, name),
                **item_rows.decision_fields(row, decision),
                VECTOR: vector,
            }
            for row, name, decision, vector in zip(rows, names, decisions, vectors, strict=True)
        ]
        if self._staging is None:
            self._collection.upsert(written)
        else:
            import_rows(self._collection, written, self._staging)

    def delete(self, item_ids: Sequence[str]) -> None:
        """Remove items; unknown ids are ignored."""
        self._collection.delete(item_ids)

    def flush(self) -> None:
        """Make what was written durable, quick to search, and visible to every process."""
        self._collection.flush()

    def count(self, filter_expression: str = "") -> int:
        """Rows that a search can find, exactly; those that match, given a filter."""
        return self._collection.count(self._row_filter(filter_expression))

    def item_ids(self, filter_expression: str = "") -> Iterator[str]:
        """Ids of the items that match, in no order; streams.

        Raises:
            UsageError: the filter is not valid.
        """
        rows = self._collection.rows(["item_id"], self._row_filter(filter_expression))
        return (row["item_id"] for row in rows)

    def count_part(self, prefix: str) -> int:
        """Rows whose key starts with these hex digits."""
        return self._collection.count(Filter(expression=key_prefix(prefix)))

    def read_part(self, prefix: str) -> Iterator[tuple[EmbeddedItem, Decision | None]]:
        """Rows with vectors and decisions whose key starts with these hex digits; streams.

        Long titles come back cut, and without vectors of titles.
        """
        fields = [*schema.ITEM_FIELDS, VECTOR]
        rows = self._collection.rows(fields, Filter(expression=key_prefix(prefix)))
        return (item_rows.read_row(row, self._collection.vector_of(row)) for row in rows)

    def vectors(self, item_ids: Sequence[str]) -> dict[str, FloatArray]:
        """Stored vectors, float32 (d,), by id; unknown ids are left out. Slow on Milvus Lite."""
        rows = self._collection.fetch(item_ids, ["item_id", VECTOR])
        return {row["item_id"]: self._collection.vector_of(row) for row in rows}

    def fetch(self, item_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Stored fields (``schema.ITEM_FIELDS``, no vector) by id; unknown ids are left out."""
        partition_field = [] if self._partition is None else [schema.PARTITION]
        rows = self._collection.fetch(item_ids, [*schema.ITEM_FIELDS, *partition_field])
        return {
            row["item_id"]: {field: row[field] for field in schema.ITEM_FIELDS}
            for row in rows
            if self._partition is None or row[schema.PARTITION] == key_of(self._partition)
        }

    def matching(self, item_ids: Sequence[str], filter_expression: str = "") -> set[str]:
        """Those of the ids that are stored here and match.

        Raises:
            UsageError: the filter is not valid.
        """
        row_filter = self._row_filter(filter_expression)
        return {row["item_id"] for row in self._collection.fetch(item_ids, ["item_id"], row_filter)}

    def hits(self, item_ids: Sequence[str], query: FloatArray) -> dict[str, Hit]:
        """Stored items as hits of a query, by id; unknown ids are left out.

        Args:
            query: float32 (d,), length 1.
        """
        rows = self._collection.fetch(item_ids, [*HIT_FIELDS, VECTOR], self._row_filter(""))
        return {
            row["item_id"]: Hit(
                similarity=float(self._collection.vector_of(row) @ query),
                fields={field: row[field] for field in HIT_FIELDS},
            )
            for row in rows
        }

    def search(
        self,
        vectors: FloatArray,
        *,
        limit: int,
        filter_expression: str = "",
        effort: int | None = None,
        refine_k: int | None = None,
    ) -> list[list[Hit]]:
        """Nearest items for each row of float32 (n, d), best first.

        Args:
            vectors: queries of length 1, made by the catalog's model.
            limit: results a query, at most ``collection.MAX_LIMIT``.
            filter_expression: Milvus syntax over ``schema.ITEM_FIELDS``, for example
                ``metadata["price"] < 20 and label_id == "shoe"``.
            effort: ``ef`` of a graph, ``nprobe`` of lists; if None what ``zeroshelf tune``
                measured, else ``indexes.search_params``'s choice.
            refine_k: candidates of a quantized index for each hit; likewise.

        Raises:
            UsageError: the limit or the filter is not valid.
        """
        if effort is None and self.tuning is not None:
            effort = self.tuning.effort_for(limit)
            refine_k = refine_k or self.tuning.refine_k or None
        return self._collection.search(
            vectors,
            limit=limit,
            output=HIT_FIELDS,
            row_filter=self._row_filter(filter_expression),
            effort=effort,
            refine_k=refine_k,
        )

    def index_type(self) -> str | None:
        """The type of the vector index, None where there is none."""
        return self._collection.index_type()

    def suggested_index(self) -> str:
        """The index type that ``auto`` would choose for the current number of rows."""
        return choose(
            AUTO, self._collection.count(), self.backend(), current=self._collection.index_type()
        )

    @property
    def vector_type(self) -> VectorType:
        """Number format of the stored vectors."""
        return self._collection.vector_type

    def backend(self) -> Backend:
        """The index types of the database, and the sizes from which ``auto`` takes each."""
        return backend(self._collection.connection.server_info())

    @property
    def tuning(self) -> Tuning | None:
        """The measurement of the collection's current index; None where there is none."""
        fits = self._tuning is not None and self._tuning.index == self._collection.index
        return self._tuning if fits else None

    def stored_version(self) -> int:
        """The version that was written last with the rows; 0 where there is none.

        A database that was restored from a backup, or lost its newest files, has an older one.
        """
        return int(self._collection.read_property(schema.STORED_VERSION_PROPERTY) or 0)

    def set_stored_version(self, version: int) -> None:
        """Write the version of the rows, after they are durable."""
        self._collection.set_property(schema.STORED_VERSION_PROPERTY, str(version))

    def store_tuning(self, tuning: Tuning) -> None:
        """Store a measurement with the collection; searches use it from now on."""
        self._collection.set_property(TUNING_PROPERTY, tuning.as_property())
        self._tuning = tuning

    def ensure_index(
        self, kind: str = AUTO, rows: int | None = None, quantization: Quantization | None = None
    ) -> str:
        """Give the collection the index that suits its size; builds only a changed type.

        Args:
            kind: ``auto``, or a type that ``backend`` has.
            rows: rows to choose by; counted if None.
            quantization: of ``HNSW_SQ``; None keeps what an index of this type has.

        Returns:
            The index type that the collection has now.

        Raises:
            ConfigError: a type or a quantization that this database does not have.
        """
        current = self._collection.index_type()
        chosen_type = choose(
            kind,
            self._collection.count() if rows is None else rows,
            self.backend(),
            current=current,
        )
        if quantization is not None:
            if chosen_type != HNSW_SQ:
                raise ConfigError(
                    f"--sq-type and --refine-type are of {HNSW_SQ}, and the index is "
                    f"{chosen_type}: name it with --index {HNSW_SQ}"
                )
            quantization.check(self._collection.connection.server_info())
        is_other = quantization not in {None, self._collection.quantization}
        if chosen_type != current or is_other:
            _log.info("building the %s index of %s", chosen_type, self._collection.name)
            self._collection.build_index(chosen_type, quantization)
        return chosen_type

    def _row_filter(self, user_filter: str) -> Filter:
        """A user's filter, limited to the partition that is read."""
        typed = user_filter.strip()
        if self._known_columns is not None and metadata_keys(typed):
            known_columns = self._known_columns()
            # A catalog without columns has nothing to compare the filter with.
            if known_columns:
                require_keys(typed, known_columns)
        condition = lists_as_comparisons(typed) if self._collection.is_lite else typed
        row_filter = Filter(expression=condition, typed=typed, fields=schema.ITEM_FIELDS)
        if self._partition is None:
            return row_filter
        return row_filter.limited_to(in_partition(self._partition))

    def _partition_field(self, row: EmbeddedItem, name: str) -> dict[str, str]:
        """The field that names the row's partition, where the catalog is divided."""
        if not self._partition_key:
            return {}
        partition = partition_of(row.metadata_json, self._partition_key)
        if not partition:
            raise StoreError(
                f"{name}: no value in the column {self._partition_key!r}, by which the catalog is "
                "divided; give it one in the source"
            )
        return {schema.PARTITION: key_of(partition)}
