"""Labels that a categorization stores on the items themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import Catalog
from indexer.core.errors import CatalogError
from indexer.core.protocols import Decision
from indexer.core.records import IndexArray
from indexer.core.watch import Watch
from indexer.ingestion.storing import store_again
from queries.deciding.predictor import NOTHING, Predictor
from queries.review.corrections import reviewed_decisions
from queries.scoring.ranking import Ranking

if TYPE_CHECKING:
    import pyarrow as pa


class WriteBack:
    """Decisions by shard, and then the items with them.

    Args:
        catalog: opened for writing.
        predictor: whose decisions they are; a person's decision is not changed.
        is_selection: whether only some of the items are decided on.
    """

    def __init__(self, catalog: Catalog, predictor: Predictor, *, is_selection: bool) -> None:
        self._catalog = catalog
        self._labels = (*predictor.labels.labels, NOTHING)
        self._is_selection = is_selection
        self._files = DecisionFiles(catalog.folder.decisions)
        self._corrections = reviewed_decisions(catalog)
        self._rows: dict[int, list[int]] = {}
        self._count = 0

    def add(self, shard: int, rows: IndexArray, table: pa.Table, ranking: Ranking) -> None:
        """Write a shard's decisions aside, beside those that a filter left alone.

        Args:
            rows: int64 (n,), of the shard.
            table: by ``CategoryTable``, a row for each.
            ranking: of n inputs.
        """
        total = self._catalog.archive.table(shard, ["item_id"]).num_rows
        decisions = self._previous_decisions(shard) or [None] * total
        self._rows[shard] = rows.tolist() if self._is_selection else []
        self._count += len(rows)
        for row, item_id, status, place, score in zip(
            rows.tolist(),
            table.column("item_id").to_pylist(),
            table.column("status").to_pylist(),
            ranking.labels[:, 0].tolist(),
            ranking.scores[:, 0].tolist(),
            strict=True,
        ):
            label = self._labels[place]
            decisions[row] = self._corrections.get(item_id) or Decision(
                item_id=item_id,
                label_id=label.label_id,
                label=label.name,
                score=score,
                status=status,
            )
        self._files.prepare(shard, decisions)

    def _previous_decisions(self, shard: int) -> list[Decision | None] | None:
        """The stored decisions of a shard; None where they can't be read and all are replaced."""
        try:
            return self._files.read(shard)
        except CatalogError as error:
            if not self._is_selection:  # all of it is decided again
                return None
            raise CatalogError(
                f"{error} (without --filter and --partition: they keep what was decided before)"
            ) from error

    def finish(self, watch: Watch) -> None:
        """Write items again with their decisions: servers of 2.3 can't change part of a row.

        Not before all are made: one that is interrupted leaves the files as the database is.
        """
        watch.begin("Storing", self._count)
        store_again(
            self._catalog.archive,
            self._catalog.ledger,
            self._catalog.items,
            decisions=self._files.read,
            watch=watch,
            changed=self._rows if self._is_selection else None,
            publish=lambda: self._files.publish(self._rows),
        )
