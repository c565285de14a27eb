"""Decides a label set of colours by the pixels of the pictures, where these were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.catalog.measured_colours import MeasuredColours
from indexer.core.records import FloatArray, IndexArray
from indexer.labels.colours import memberships, scores
from queries.deciding.calibration import MIN_SCORE, status_codes
from queries.deciding.predictor import Predictions, Predictor
from queries.scoring.ranking import Ranking, highest_columns


@dataclass(frozen=True, kw_only=True)
class PixelColours:
    """The pixels' say in a label set.

    Attributes:
        path: of the measured colours.
        belonging: float32 (k, c), of the active labels, as ``memberships`` gives it.
        places: int64 (k,), rows of the active labels among all of the set.
        min_score: accept from here on.
    """

    path: Path
    belonging: FloatArray
    places: IndexArray
    min_score: float

    @classmethod
    def of(cls, path: Path, predictor: Predictor) -> PixelColours:
        """For the active labels of a predictor.

        Raises:
            TaxonomyError: a label is no known colour.
        """
        labels = predictor.scorer.head.labels.labels
        places = [predictor.labels.places[label.label_id] for label in labels]
        min_score = predictor.settings.min_score
        return cls(
            path=path.absolute(),
            belonging=memberships(labels),
            places=np.array(places, dtype=np.int64),
            min_score=MIN_SCORE if min_score is None else min_score,
        )

    def decide(self, predictions: Predictions, content_hashes: Sequence[str]) -> Predictions:
        """Predictions in which pixels decide for the items that were measured.

        A score is of colours, so there is no similarity of embeddings. The unknown score stays.

        Args:
            predictions: of n items by embeddings.
            content_hashes: n, of the items' pictures.
        """
        with MeasuredColours(self.path) as colours:
            colours_by_hash = colours.find(content_hashes)
        rows = [row for row, name in enumerate(content_hashes) if name in colours_by_hash]
        if not rows:
            return predictions
        measured = np.stack([colours_by_hash[content_hashes[row]] for row in rows])
        shares = scores(measured, self.belonging)
        limit = predictions.ranking.labels.shape[1]
        best = highest_columns(shares, limit)
        best_shares = np.take_along_axis(shares, best, axis=1)
        labels, products, similarities, all_scores = (
            part.copy() for part in predictions.ranking.parts
        )
        labels[rows] = self.places[best]
        products[rows] = all_scores[rows] = best_shares
        similarities[rows] = np.nan
        codes = predictions.codes.copy()
        nothing_unknown = np.full(len(rows), -np.inf)
        codes[rows] = status_codes(best_shares.T, nothing_unknown, min_score=self.min_score).T
        ranking = Ranking(labels, products, similarities, all_scores)
        return Predictions(ranking, codes, predictions.unknown_scores)
