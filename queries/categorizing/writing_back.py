"""Labels that a categorization stores on the items themselves."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.item_rows import CatalogItems, ItemRows
from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import CatalogError
from indexer.core.protocols import Decision
from indexer.core.records import IndexArray
from indexer.core.watch import Watch
from indexer.ingestion.storing import store_again
from queries.deciding.calibration import STATUSES
from queries.deciding.predictor import NOTHING, Predictions, Predictor
from queries.review.corrections import reviewed_decisions


class WriteBack:
    """Decisions of some label sets by shard, and then the items with them.

    Args:
        sets: the catalog at each of the sets, opened for writing.
        predictors: whose decisions they are; a person's decision is not changed.
        catalog_items: the items that are decided on.
        is_selection: whether these are only some of the catalog's.
    """

    def __init__(
        self,
        sets: Sequence[OpenCatalog],
        predictors: Sequence[Predictor],
        catalog_items: CatalogItems,
        *,
        is_selection: bool,
    ) -> None:
        self._catalog = sets[0]
        self._items = catalog_items
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
            items: n items of a shard; shards come in the order of ``catalog_items``.
            item_ids: theirs.
            predictions: of the items, by each set.
        """
        row_ids = self._row_ids(items.shard)
        for decisions, predicted in zip(self._sets, predictions, strict=True):
            decisions.prepare(items, row_ids, item_ids, predicted)
        self._rows[items.shard] = items.rows.tolist() if self._is_selection else []
        self._count += int(items.counts.sum())

    def _decide_followers(self) -> None:
        """Write the decisions of items to their other rows too, which filters of a search ask."""
        followers = self._items.followers
        for shard in np.unique(followers.shards).tolist():
            following = self._items.following(shard)
            rows, row_ids = followers.rows[following].tolist(), self._row_ids(shard)
            for decisions in self._sets:
                decisions.prepare_followers(
                    shard, rows, following, row_ids, is_prepared=shard in self._rows
                )
            self._rows.setdefault(shard, []).extend(rows if self._is_selection else [])

    def _row_ids(self, shard: int) -> list[str]:
        """Of all rows of a shard, those left alone included."""
        ids: list[str] = self._catalog.archive.table(shard, ["item_id"])["item_id"].to_pylist()
        return ids

    def finish(self, watch: Watch) -> None:
        """Write items again with their decisions: servers of 2.3 can't change part of a row.

        Not before all are made: one that is interrupted leaves the files as the database is.
        """

        def publish() -> None:
            for decisions in self._sets:
                decisions.files.publish(self._rows)

        self._decide_followers()
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

    def __init__(self, catalog: OpenCatalog, predictor: Predictor, *, is_selection: bool) -> None:
        self.files = DecisionFiles(catalog.folder.decisions)
        self._labels = (*predictor.labels.labels, NOTHING)
        self._corrections = reviewed_decisions(catalog)
        self._is_selection = is_selection
        # Decisions on the items of the followers: a label, a status and a score each.
        self._followed_labels, self._followed_codes = array("i"), array("b")
        self._followed_scores = array("d")
        self._reviewed: dict[int, Decision] = {}

    def prepare(
        self,
        items: ItemRows,
        row_ids: Sequence[str],
        item_ids: Sequence[str],
        predictions: Predictions,
    ) -> None:
        """Write a shard's decisions aside, and keep those on items with other rows.

        Args:
            row_ids: of all its rows, those left alone included.
        """
        decisions = self._previous(items.shard) or [None] * len(row_ids)
        labels, scores, codes = (
            column[:, 0]
            for column in (
                predictions.ranking.labels,
                predictions.ranking.scores,
                predictions.codes,
            )
        )
        for row, item_id, label, code, score in zip(
            items.rows.tolist(),
            item_ids,
            labels.tolist(),
            codes.tolist(),
            scores.tolist(),
            strict=True,
        ):
            reviewed = self._corrections.get(item_id)
            decisions[row] = self._decision(row_ids[row], label, code, score, reviewed)
        self.files.prepare(items.shard, decisions)
        owners = items.owners
        for follower, owner in enumerate(owners.tolist(), start=len(self._followed_labels)):
            if reviewed := self._corrections.get(item_ids[owner]):
                self._reviewed[follower] = reviewed
        self._followed_labels.extend(labels[owners].tolist())
        self._followed_codes.extend(codes[owners].tolist())
        self._followed_scores.extend(scores[owners].tolist())

    def prepare_followers(
        self,
        shard: int,
        rows: Sequence[int],
        followers: IndexArray,
        row_ids: Sequence[str],
        *,
        is_prepared: bool,
    ) -> None:
        """Write the decisions on the rows of a shard that do not stand for their item.

        Args:
            rows: of the shard.
            followers: int64 (n,), which ones they are of all that there are.
            row_ids: of all rows of the shard.
            is_prepared: decisions on others of its rows were written aside.
        """
        decisions = (
            self.files.read_prepared(shard)
            if is_prepared
            else self._previous(shard) or [None] * len(row_ids)
        )
        for row, follower in zip(rows, followers.tolist(), strict=True):
            decisions[row] = self._decision(
                row_ids[row],
                self._followed_labels[follower],
                self._followed_codes[follower],
                self._followed_scores[follower],
                self._reviewed.get(follower),
            )
        self.files.prepare(shard, decisions)

    def _decision(
        self, row_id: str, label_place: int, code: int, score: float, reviewed: Decision | None
    ) -> Decision:
        """The decision on a row: a person's, where there is one."""
        if reviewed is not None:
            return replace(reviewed, item_id=row_id)
        label = self._labels[label_place]
        return Decision(
            item_id=row_id,
            label_id=label.label_id,
            label=label.name,
            score=score,
            status=STATUSES[code].value,
        )

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
