"""Labels that a categorization stores on the items themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import Catalog
from indexer.catalog.parts import ItemRows, PartRow
from indexer.core.errors import CatalogError
from indexer.core.protocols import Decision
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
        self, items: ItemRows, item_ids: Sequence[str], predictions: Sequence[Predictions]
    ) -> None:
        """Write a shard's decisions aside, beside those that a filter left alone.

        Args:
            items: n items of a shard.
            item_ids: theirs.
            predictions: of the items, by each set.
        """
        stored = self._catalog.archive.table(items.shard, ["item_id"])
        row_ids = stored.column("item_id").to_pylist()
        for decisions, predicted in zip(self._sets, predictions, strict=True):
            decisions.prepare(items, row_ids, item_ids, predicted)
        self._rows[items.shard] = items.rows.tolist() if self._is_selection else []
        self._count += int(items.counts.sum())

    def _decide_parts(self) -> None:
        """Write the decisions of items to their other rows too, which filters of a search ask."""
        ledger, archive = self._catalog.ledger, self._catalog.archive
        rows_of = ledger.selected_rows if self._is_selection else ledger.live_rows
        decided = [lru_cache(maxsize=4)(one.files.read_prepared) for one in self._sets]
        for shard in ledger.shards():
            followers = ledger.parts.followers(archive, shard, rows_of(shard))
            if not followers:
                continue
            total = archive.table(shard, ["item_id"]).num_rows
            for decisions, lead_decisions in zip(self._sets, decided, strict=True):
                decisions.prepare_parts(
                    followers, total, lead_decisions, shard=shard, is_prepared=shard in self._rows
                )
            changed = [row.row for row, _ in followers] if self._is_selection else []
            self._rows.setdefault(shard, []).extend(changed)

    def finish(self, watch: Watch) -> None:
        """Write items again with their decisions: servers of 2.3 can't change part of a row.

        Not before all are made: one that is interrupted leaves the files as the database is.
        """

        def publish() -> None:
            for decisions in self._sets:
                decisions.files.publish(self._rows)

        if self._catalog.ledger.parts.exist:
            self._decide_parts()
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
        items: ItemRows,
        row_ids: Sequence[str],
        item_ids: Sequence[str],
        predictions: Predictions,
    ) -> None:
        """Write a shard's decisions aside.

        Args:
            row_ids: of all its rows, those left alone included.
        """
        shard = items.shard
        decisions = self._previous(shard) or [None] * len(row_ids)
        ranking = predictions.ranking
        for row, item_id, statuses, place, score in zip(
            items.rows.tolist(),
            item_ids,
            predictions.statuses,
            ranking.labels[:, 0].tolist(),
            ranking.scores[:, 0].tolist(),
            strict=True,
        ):
            label = self._labels[place]
            decision = self._corrections.get(item_id) or Decision(
                item_id=item_id,
                label_id=label.label_id,
                label=label.name,
                score=score,
                status=statuses[0].value,
            )
            decisions[row] = replace(decision, item_id=row_ids[row])
        self.files.prepare(shard, decisions)

    def prepare_parts(
        self,
        followers: Sequence[tuple[PartRow, PartRow]],
        total: int,
        lead_decisions: Callable[[int], Sequence[Decision | None]],
        *,
        shard: int,
        is_prepared: bool,
    ) -> None:
        """Write the decisions on the rows of a shard that do not stand for their item.

        Args:
            followers: these rows, each with the one that does.
            total: rows of the shard.
            lead_decisions: the decisions on a shard's rows that were written aside.
            is_prepared: those of this shard are among them.
        """
        decisions = (
            self.files.read_prepared(shard)
            if is_prepared
            else self._previous(shard) or [None] * total
        )
        for row, lead in followers:
            decision = lead_decisions(lead.shard)[lead.row]
            assert decision is not None
            decisions[row.row] = replace(decision, item_id=row.row_id)
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
