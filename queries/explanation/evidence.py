"""How much an input speaks for a label: the whole decision, asked again of changed inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.labels.taxonomy import ancestors
from queries.deciding.predictor import Predictor
from queries.explanation.heat_maps import Evidence

_LEAST = 1e-300
"""Stands for a probability of 0, whose logarithm has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """What separates the two best: natural logarithms that add up to ``log_odds``.

    Attributes:
        log_odds: of the best label against the runner-up.
        match: by the input's products with the two labels' vectors.
        bias: by what the catalog taught of the labels themselves: how frequent, how greedy.
        examples: by taught examples.
        title: by the title, where there is one.
        others: by the other labels below the two, where they are not active
            themselves but stand above such.
        similarity: difference of the plain cosines; below 0 the plain model would have
            chosen the runner-up.
    """

    log_odds: float
    match: float
    bias: float
    examples: float
    title: float
    others: float
    similarity: float


@dataclass(frozen=True, kw_only=True)
class PredictedInput:
    """One input, and the predictor that decides on it.

    Attributes:
        vector: float32 (d,), of the input.
        title: float32 (d,), of its title; None where it has none that counts.
    """

    predictor: Predictor
    vector: FloatArray
    title: FloatArray | None = None

    def rows(self, label_id: str) -> IndexArray:
        """int64: the active labels that a node stands for, rows of the scorer's labels."""
        labels, settings = self.predictor.scorer.head.labels, self.predictor.settings
        if settings.level is None and settings.back_off is None:
            return np.array([labels.places[label_id]])
        above = ancestors(self.predictor.labels.labels)
        return np.array(
            [
                row
                for row, label in enumerate(labels.labels)
                if label_id in (label.label_id, *above[label.label_id])
            ]
        )

    def nested(self, label_id: str, other_id: str) -> bool:
        """Whether one of two nodes lies below the other, or they are one."""
        above = ancestors(self.predictor.labels.labels)
        return other_id in (label_id, *above[label_id]) or label_id in above[other_id]

    def leading(self, rows: IndexArray) -> int:
        """The likeliest of some active labels."""
        return int(rows[self._shares(self.vector[np.newaxis])[0, rows].argmax()])

    def evidence(self, claims: Sequence[IndexArray]) -> Evidence:
        """Of changed inputs, their title as it is.

        Logarithms of odds: of each claim against all other labels, then of the first claim
        against the second; with one active label its score is the only claim.

        Args:
            claims: one or two groups of rows, as ``rows`` gives them.
        """
        return lambda vectors: self._odds(self._shares(vectors), claims)

    def title_evidence(self, claims: Sequence[IndexArray]) -> Evidence:
        """The same of changed titles, the picture as it is."""

        def evidence(titles: FloatArray) -> DoubleArray:
            pictures = np.repeat(self.vector[np.newaxis], len(titles), axis=0)
            return self._odds(self.predictor.score(pictures, titles)[1], claims)

        return evidence

    def separate(self, winner_id: str, runner_up_id: str) -> Separation:
        """What separates two nodes that do not hold each other, by their ids."""
        claims = [self.rows(winner_id), self.rows(runner_up_id)]
        total = float(self.evidence(claims)(self.vector[np.newaxis])[0, -1])
        labels = self.predictor.labels
        pair_vectors = labels.vectors[
            [labels.places[winner_id], labels.places[runner_up_id]]
        ].astype(np.float64)
        cosines = pair_vectors @ self.vector
        contributions = {"match": total, "bias": 0.0, "examples": 0.0, "title": 0.0}
        if not self.predictor.settings.multi_label:
            contributions = self._parts(self.leading(claims[0]), self.leading(claims[1]))
        return Separation(
            log_odds=total,
            **contributions,
            others=total - sum(contributions.values()) if max(map(len, claims)) > 1 else 0.0,
            similarity=float(cosines[0] - cosines[1]),
        )

    def _parts(self, winner: int, runner_up: int) -> dict[str, float]:
        """What separates two active labels."""
        scorer, fusion = self.predictor.scorer, self.predictor.fusion
        head, pair = scorer.head, [winner, runner_up]
        titled = fusion is not None and self.title is not None
        share = fusion.picture_share if fusion is not None and titled else 1.0
        scale = share * head.scale / (scorer.unit * scorer.temperature)
        query = head.queries(self.vector[np.newaxis]).astype(np.float64)
        products = head.pool(query @ head.matrix.astype(np.float64).T)[0, pair]
        biases = head.matrix[pair, -1] if head.starts is None else np.zeros(2)
        bias = scale * float(biases[0] - biases[1])
        match = scale * float(products[0] - products[1]) - bias
        scores = scorer.scores(self.vector[np.newaxis])[0, pair]
        pictured = share / scorer.temperature * float(scores[0] - scores[1])
        title_part = 0.0
        if fusion is not None and self.title is not None:
            title_scores = fusion.titles.scores(self.title[np.newaxis])[0, pair]
            title_part = (
                fusion.title_share / scorer.temperature * float(title_scores[0] - title_scores[1])
            )
        taught = pictured - match - bias if scorer.few_shot is not None else 0.0
        return {"match": match, "bias": bias, "examples": taught, "title": title_part}

    def _shares(self, vectors: FloatArray) -> DoubleArray:
        title = self.title
        titles = None if title is None else np.repeat(title[np.newaxis], len(vectors), axis=0)
        return self.predictor.score(vectors, titles)[1]

    def _odds(self, shares: DoubleArray, claims: Sequence[IndexArray]) -> DoubleArray:
        if shares.shape[1] < 2:
            return _log(shares)
        for_ = [shares[:, rows].sum(axis=1) for rows in claims]
        if self.predictor.settings.multi_label:
            odds = [_log(share) - _log(1 - share) for share in for_]
            rather = odds[:2]
        else:
            against = [np.delete(shares, rows, axis=1).sum(axis=1) for rows in claims]
            odds = [
                _log(share) - _log(rest_share)
                for share, rest_share in zip(for_, against, strict=True)
            ]
            rather = [_log(share) for share in for_]
        return np.column_stack([*odds, rather[0] - rather[1] if len(claims) > 1 else odds[0]])


def _log(shares: DoubleArray) -> DoubleArray:
    return np.asarray(np.log(np.maximum(shares, _LEAST)))


def odds_factor(log_odds: float) -> str:
    """A factor of odds in words, above 1 in either direction."""
    factor = math.exp(min(abs(log_odds), 20.0))
    more = "more than " if abs(log_odds) > 20 else ""
    return more + (f"{factor:,.0f}" if factor >= 10 else f"{factor:.2g}")
