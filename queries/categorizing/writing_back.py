"""Labels that a categorization stores on the items themselves."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import Catalog
from indexer.core.errors import CatalogError
from indexer.core.protocols import Decision
from indexer.core.records import IndexArray
from indexer.core.watch import Watch
from indexer.ingestion.storing import store_again
from queries.deciding.predictor import NOTHING, Predictions, Predictor
from queries.review.corrections import reviewed_decisions


class WriteBack:
    """Decisions of some label sets by shard, and then the items with them.

    Args:
        sets: the catalog at each of the sets, opened for writing.
        predictors: whose decisions they are; a person's decision is not changed.
        is_selection: whether only some of the items are decided on.
    """

    def __init__(
        self, sets: Sequence[Catalog], predictors: Sequence[Predictor], *, is_selection: bool
    ) -> None:
        self._catalog = sets[0]
        self._is_selection = is_selection
        self._sets = [
            _SetDecisions(at_set, predictor, is_selection=is_selection)
            for at_set, predictor in zip(sets, predictors, strict=True)
        ]
        self._rows: dict[int, list[int]] = {}
        self._count = 0

    def add(
        self,
        shard: int,
        rows: IndexArray,
        item_ids: Sequence[str],
        predictions: Sequence[Predictions],
    ) -> None:
        """Write a shard's decisions aside, beside those that a filter left alone.

        Args:
            rows: int64 (n,), of the shard.
            item_ids: of the rows.
            predictions: of the rows, by each set.
        """
        total = self._catalog.archive.table(shard, ["item_id"]).num_rows
        for decisions, predicted in zip(self._sets, predictions, strict=True):
            decisions.prepare(shard, total, rows, item_ids, predicted)
        self._rows[shard] = rows.tolist() if self._is_selection else []
        self._count += len(rows)

    def finish(self, watch: Watch) -> None:
        """Write items again with their decisions: servers of 2.3 can't change part of a row.

        Not before all are made: one that is interrupted leaves the files as the database is.
        """

        def publish() -> None:
            for decisions in self._sets:
                decisions.files.publish(self._rows)

        watch.begin("Storing", self._count)
        store_again(
            self._catalog.archive,
            self._catalog.ledger,
            self._catalog.items,
            decisions=self._catalog.decisions.read,
            watch=watch,
            changed=self._rows if self._is_selection else None,
            publish=publish,
        )


class _SetDecisions:
    """Decisions of one label set."""

    def __init__(self, catalog: Catalog, predictor: Predictor, *, is_selection: bool) -> None:
        self.files = DecisionFiles(catalog.folder.decisions)
        self._labels = (*predictor.labels.labels, NOTHING)
        self._corrections = reviewed_decisions(catalog)
        self._is_selection = is_selection

    def prepare(
        self,
        shard: int,
        total: int,
        rows: IndexArray,
        item_ids: Sequence[str],
        predictions: Predictions,
    ) -> None:
        """Write a shard's decisions aside; ``total``: its rows, those left alone included."""
        decisions = self._previous(shard) or [None] * total
        ranking = predictions.ranking
        for row, item_id, statuses, place, score in zip(
            rows.tolist(),
            item_ids,
            predictions.statuses,
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
                status=statuses[0].value,
            )
        self.files.prepare(shard, decisions)

    def _previous(self, shard: int) -> list[Decision | None] | None:
        """The stored decisions of a shard; None where they can't be read and all are replaced."""
        try:
            return self.files.read(shard)
        except CatalogError as error:
            if not self._is_selection:  # all of it is decided again
                return None
            raise CatalogError(
                f"{error} (without --filter and --partition: they keep what was decided before)"
            ) from error
