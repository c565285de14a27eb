"""How an item with several pictures is decided: by the mean of its vectors, or by its best view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from indexer.catalog.item_vectors import mean_vectors
from indexer.core.records import DoubleArray, FloatArray, IndexArray
from queries.deciding.predictor import Predictions, Predictor
from queries.deciding.question import ViewPooling
from queries.results import Prediction
from queries.scoring.ranking import Ranking


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The vectors of n items with m pictures together.

    Attributes:
        vectors: float32 (m, d), rows of length 1, those of an item together.
        starts: int64 (n,), the first row of each item.
        titles: float32 (n, d), of the items' titles, zeros where there is none; None where no
            item has one.
    """

    vectors: FloatArray
    starts: IndexArray
    titles: FloatArray | None = None

    @property
    def counts(self) -> IndexArray:
        """int64 (n,): pictures of each item."""
        return np.diff(np.append(self.starts, len(self.vectors)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPredictions:
    """Predictions of n items.

    Attributes:
        vectors: float32 (n, d), that decided.
        deciding: int64 (n,), the row of the picture that decided; None where all did.
    """

    predictions: Predictions
    vectors: FloatArray
    deciding: IndexArray | None = None


def predict_items(
    predictor: Predictor, views: Views, *, pooling: ViewPooling, limit: int
) -> ItemPredictions:
    """Predict the labels of items by all their pictures.

    Args:
        limit: labels for each.
    """
    if pooling is ViewPooling.MEAN or len(views.starts) == len(views.vectors):
        vectors = mean_vectors(views.vectors, views.starts)
        predictions = predictor.predict(vectors, limit=limit, titles=views.titles)
        deciding = None if pooling is ViewPooling.MEAN else views.starts
        return ItemPredictions(predictions=predictions, vectors=vectors, deciding=deciding)
    titles = None if views.titles is None else np.repeat(views.titles, views.counts, axis=0)
    predictions = predictor.predict(views.vectors, limit=limit, titles=titles)
    deciding = _highest(predictions.ranking.scores[:, 0], views)
    return ItemPredictions(
        predictions=_take(predictions, deciding),
        vectors=views.vectors[deciding],
        deciding=deciding,
    )


def best_views(
    answers: Sequence[Sequence[Prediction]], starts: IndexArray, view_ids: Sequence[str]
) -> list[list[Prediction]]:
    """The answer of each input's picture with the highest score, the first of equal ones.

    Args:
        answers: of m pictures, those of an input together; the best label first.
        starts: int64 (n,), the first picture of each input.
        view_ids: of the pictures; that of the one that decides is in the answer.
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


def _highest(scores: DoubleArray, views: Views) -> IndexArray:
    """int64 (n,): the row of each item's highest score, the first of equal ones.

    Args:
        scores: float64 (m,).
    """
    highest = np.maximum.reduceat(scores, views.starts)
    is_highest = scores == np.repeat(highest, views.counts)
    rows = np.where(is_highest, np.arange(len(scores)), len(scores))
    return np.minimum.reduceat(rows, views.starts)


def _take(predictions: Predictions, rows: IndexArray) -> Predictions:
    ranking = Ranking(*(column[rows] for column in predictions.ranking.parts))
    return Predictions(ranking, predictions.codes[rows], predictions.unknown_scores[rows])
