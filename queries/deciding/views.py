"""How an item with several parts is decided: by the mean of its vectors, or by its best part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.catalog.item_vectors import mean_vectors
from indexer.core.parts import is_box_id
from indexer.core.records import BoolArray, DoubleArray, FloatArray, IndexArray
from queries.deciding.predictor import Predictions, Predictor
from queries.deciding.question import ViewPooling
from queries.results import Prediction
from queries.scoring.ranking import Ranking


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The vectors of n items with m parts together.

    Attributes:
        vectors: float32 (m, d), rows of length 1, those of an item together.
        starts: int64 (n,), the first row of each item.
        titles: float32 (n, d), of the items' titles, zeros where there is none; None where no
            item has one.
        are_boxes: bool (m,); None where no part is a box.
    """

    vectors: FloatArray
    starts: IndexArray
    titles: FloatArray | None = None
    are_boxes: BoolArray | None = None

    @property
    def counts(self) -> IndexArray:
        """int64 (n,): parts of each item."""
        return np.diff(np.append(self.starts, len(self.vectors)))

    def by_best(self, pooling: ViewPooling) -> BoolArray:
        """Whether the best part of each item decides on it, bool (n,)."""
        if pooling is ViewPooling.AUTO and self.are_boxes is not None and len(self.starts):
            has_box: BoolArray = np.logical_or.reduceat(self.are_boxes, self.starts)
            return has_box
        return np.full(len(self.starts), pooling is ViewPooling.BEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPredictions:
    """Predictions of n items.

    Attributes:
        vectors: float32 (n, d), that decided.
        deciding: int64 (n,), the row of the part that decided; -1 where all did.
    """

    predictions: Predictions
    vectors: FloatArray
    deciding: IndexArray


def predict_items(
    predictor: Predictor, views: Views, *, pooling: ViewPooling, limit: int
) -> ItemPredictions:
    """Predict the labels of items by all their parts.

    Args:
        limit: labels for each.
    """
    by_best = views.by_best(pooling)
    means = mean_vectors(views.vectors, views.starts)
    if not by_best.any() or len(views.starts) == len(views.vectors):
        predictions = predictor.predict(means, limit=limit, titles=views.titles)
        deciding = np.where(by_best, views.starts, -1)
        return ItemPredictions(predictions=predictions, vectors=means, deciding=deciding)
    # The other items compete with one vector each: their mean, in the place of their first part.
    competing = np.repeat(by_best, views.counts)
    competing[views.starts] = True
    rows = np.flatnonzero(competing)
    counts = np.where(by_best, views.counts, 1)
    starts = np.cumsum(counts) - counts
    vectors = views.vectors[rows]
    vectors[starts[~by_best]] = means[~by_best]
    titles = None if views.titles is None else np.repeat(views.titles, counts, axis=0)
    predictions = predictor.predict(vectors, limit=limit, titles=titles)
    best = _highest(predictions.ranking.scores[:, 0], starts, counts)
    return ItemPredictions(
        predictions=_take(predictions, best),
        vectors=vectors[best],
        deciding=np.where(by_best, rows[best], -1),
    )


def decides_by_best(pooling: ViewPooling, part_ids: Iterable[str]) -> bool:
    """Whether the best part of an item decides on it.

    Args:
        part_ids: of its rows.
    """
    return pooling is ViewPooling.BEST or (
        pooling is ViewPooling.AUTO and any(map(is_box_id, part_ids))
    )


def best_views(
    answers: Sequence[Sequence[Prediction]], starts: IndexArray, view_ids: Sequence[str]
) -> list[list[Prediction]]:
    """The answer of each input's part with the highest score, the first of equal ones.

    Args:
        answers: of m parts, those of an input together; the best label first.
        starts: int64 (n,), the first part of each input.
        view_ids: of the parts; that of the one that decides is in the answer. Empty for the mean
            of all parts of an input.
    """
    stops = np.append(starts[1:], len(answers))
    deciding = [
        max(range(start, stop), key=lambda view: answers[view][0].score if answers[view] else -1.0)
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]
    return [
        [replace(prediction, part_id=view_ids[view]) for prediction in answers[view]]
        for view in deciding
    ]


def _highest(scores: DoubleArray, starts: IndexArray, counts: IndexArray) -> IndexArray:
    """int64 (n,): the row of each item's highest score, the first of equal ones.

    Args:
        scores: float64 (m,).
        starts: int64 (n,), the first row of each item.
        counts: int64 (n,), its rows.
    """
    highest = np.maximum.reduceat(scores, starts)
    is_highest = scores == np.repeat(highest, counts)
    rows = np.where(is_highest, np.arange(len(scores)), len(scores))
    return np.minimum.reduceat(rows, starts)


def _take(predictions: Predictions, rows: IndexArray) -> Predictions:
    ranking = Ranking(*(column[rows] for column in predictions.ranking.parts))
    return Predictions(ranking, predictions.codes[rows], predictions.unknown_scores[rows])
