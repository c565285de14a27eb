"""From vectors to predictions: labels at a level, their probabilities, and what to do with them.

Pure, given a scorer and thresholds; ``queries.deciding.decide`` makes a predictor of a catalog.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from indexer.core.records import BoolArray, DoubleArray, FloatArray, IndexArray, Label
from indexer.labels.adaptation import Adaptation
from indexer.labels.head import Head, plain
from indexer.labels.sets import LabelSet
from queries.deciding.background import BackgroundScorer
from queries.deciding.calibration import MIN_SCORE, STATUSES, Status, status_codes
from queries.deciding.fusion import Fusion
from queries.deciding.multi_label import independent_scores, sigmoid_scores
from queries.deciding.nodes import NEAR, NodeRanker, ranking_of
from queries.deciding.prediction_sets import SetRule, set_sizes
from queries.deciding.rollup import NO_NODE, sum_by
from queries.deciding.scorer import Scorer
from queries.deciding.settings import Settings
from queries.scoring.ranking import Ranking, highest_columns
from queries.scoring.scan import Scanner, TitleBlend

NOTHING = Label(label_id="", name="", path=())
"""The label of a result where not even a root of the taxonomy is probable enough."""

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predicted labels of n inputs, and what to do with each.

    Attributes:
        ranking: its labels are rows of the predictor's labels, or ``NO_NODE``.
        codes: int8 (n, k), a status for each label, as a place in ``STATUSES``.
        unknown_scores: float64 (n,), large where no label fits.
    """

    ranking: Ranking
    codes: npt.NDArray[np.int8]
    unknown_scores: DoubleArray

    @property
    def statuses(self) -> list[list[Status]]:
        """A status for each of the k labels of each input."""
        return [[STATUSES[code] for code in row] for row in self.codes]


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """Predicts the labels of vectors.

    Attributes:
        labels: all labels of the taxonomy; the active ones are the scorer's.
        scorer: scores of the active labels.
        settings: the user's settings of decisions.
        logit_scale: of the model; for labels that are scored on their own.
        background: the active labels and background words, adapted together.
        logit_bias: of a model that was trained with a sigmoid for each label (SigLIP).
        neutral: float32 (p, d), prompts that describe nothing; for labels scored on their own by
            other models.
        fusion: how titles change scores.
        min_score: accept from here on, without a title.
        unknown_above: unknown beyond this unknown score.
        set_rule: which labels belong to an item's set; None without a coverage.
        is_attribute: the labels are of another set than the category: what fits none of them is
            not visible, rather than unknown.
    """

    labels: LabelSet
    scorer: Scorer
    settings: Settings
    logit_scale: float
    background: Adaptation | None = None
    logit_bias: float | None = None
    neutral: FloatArray | None = None
    fusion: Fusion | None = None
    min_score: float = MIN_SCORE
    unknown_above: float = math.inf
    set_rule: SetRule | None = None
    is_attribute: bool = False

    @property
    def scores_all(self) -> bool:
        """Whether all labels' scores are needed, so that no search can find the best."""
        settings = self.settings
        tree = settings.level is not None or settings.back_off is not None
        sets = settings.coverage is not None
        return tree or sets or settings.multi_label or self.scorer.few_shot is not None

    def predict(
        self, vectors: FloatArray, *, limit: int, titles: FloatArray | None = None
    ) -> Predictions:
        """Predict the labels of vectors, exactly.

        Args:
            vectors: float32 (n, d), rows of length 1.
            limit: labels for each.
            titles: float32 (n, d), for the fusion; zeros where there is no title.
        """
        titles = None if self.fusion is None else titles
        unknown = None
        if self.settings.multi_label:
            ranking = self._rank_independent(vectors, limit)
        elif self.scorer.is_linear:
            # Without nodes a scan has no array over all labels, and needs no blocks.
            blocks = self._blocks(vectors, titles, whole=self._nodes is None)
            scans = [self._rank_by_scan(*block, limit) for block in blocks]
            ranking = Ranking.joined([scan[0] for scan in scans])
            if self.background is None and self.scorer.few_shot is None:
                unknown = -np.concatenate([scan[1] for scan in scans])
        else:
            ranking = self._rank_exactly(vectors, titles, limit)
        return self.decide(vectors, ranking, titles=titles, unknown=unknown)

    def sets(self, vectors: FloatArray, titles: FloatArray | None = None) -> list[IndexArray]:
        """The set of labels that holds each vector's true label with the coverage of the settings.

        Args:
            vectors: float32 (n, d), rows of length 1.
            titles: float32 (n, d), for the fusion; zeros where there is no title.

        Returns:
            Rows of ``labels`` for each vector, the likeliest first.
        """
        assert self.set_rule is not None
        sets: list[IndexArray] = []
        for block in self._blocks(vectors, titles):
            shares = self.uncalibrated_probabilities(*block)
            sizes = set_sizes(shares, self.set_rule)
            best = highest_columns(shares, int(sizes.max(initial=1)))
            sets += [
                self._places[row[:size]] for row, size in zip(best, sizes.tolist(), strict=True)
            ]
        return sets

    def uncalibrated_probabilities(
        self, vectors: FloatArray, titles: FloatArray | None
    ) -> DoubleArray:
        """float64 (n, k): probabilities at temperatures that no calibrating item helped to fit."""
        scores = self.scorer.scores(vectors)
        if self.fusion is not None and titles is not None:
            scores = self.fusion.blend(scores, titles)
            scores[titles.any(axis=1)] /= self.fusion.unit
        return self.scorer.uncalibrated_probabilities(scores)

    def predict_ranked(self, vectors: FloatArray, ranking: Ranking) -> Predictions:
        """Predictions from a ranking of a search, whose labels are rows of the scorer's head."""
        ranking = replace(ranking, labels=self._places[ranking.labels])
        near = np.zeros(len(vectors), dtype=bool)
        return self.decide(vectors, self._recheck_near(ranking, near, vectors, None))

    def rank_best(self, vectors: FloatArray, titles: FloatArray | None = None) -> Ranking:
        """The best label of each vector, with its score in double precision.

        Thresholds come from these.

        Args:
            vectors: float32 (n, d), rows of length 1.
            titles: float32 (n, d), for the fusion; zeros where there is no title.
        """
        return self._rank_exactly(vectors, titles, 1)

    def decide(
        self,
        vectors: FloatArray,
        ranking: Ranking,
        *,
        titles: FloatArray | None = None,
        unknown: DoubleArray | None = None,
    ) -> Predictions:
        """Decide the status of ranked labels, which are rows of ``labels``.

        Args:
            titles: float32 (n, d); what has a title has a threshold of its own.
            unknown: float64 (n,), unknown scores where they are at hand.
        """
        if unknown is None:
            unknown = self.unknown_scores(vectors, titles)
        # No threshold accepts what has no label.
        scores = np.where(ranking.labels == NO_NODE, -1.0, ranking.scores)
        codes = status_codes(
            scores.T,
            unknown,
            min_score=self._min_scores(len(vectors), titles),
            unknown_above=self._unknown_from(len(vectors), titles),
        )
        if self.is_attribute:
            codes[codes == STATUSES.index(Status.UNKNOWN)] = STATUSES.index(Status.NOT_VISIBLE)
        return Predictions(ranking, codes.T, unknown)

    def unknown_scores(self, vectors: FloatArray, titles: FloatArray | None = None) -> DoubleArray:
        """float64 (n,): by the background where there is one, else by the expected cosine.

        Titles tell which label is meant, and the cosines with it are the pictures'. The background
        sees pictures alone.
        """
        if self.background is None:
            blend = None if titles is None else self._title_blend
            scanner = Scanner(self.scorer.sharpened, limit=1, titles=blend)
            return -scanner.scan(vectors, titles).expected
        return self._background.scores(vectors)

    def score(
        self, vectors: FloatArray, titles: FloatArray | None = None
    ) -> tuple[DoubleArray, DoubleArray]:
        """Score the active labels: inner products, by which they are ordered, and probabilities.

        Args:
            vectors: float32 (n, d), a block of few.
            titles: float32 (n, d), for the fusion; zeros where there is no title.

        Returns:
            float64 (n, k) twice.
        """
        if self.settings.multi_label:
            head = self._cosine_head
            products = head.pool((head.queries(vectors) @ head.matrix.T).astype(np.float64))
            return products, self._independent(vectors, products)
        scores = self.scorer.scores(vectors)
        if self.fusion is not None and titles is not None:
            scores = self.fusion.blend(scores, titles)
        # Margins are in the unit of the head's inner products, whichever way leads there.
        products = scores * (self.scorer.unit / self.scorer.head.scale)
        return products, self.scorer.probabilities(scores)

    def mass(
        self, vectors: FloatArray, titles: FloatArray | None, labels: IndexArray
    ) -> DoubleArray:
        """float64 (n,): the probability that the label is one of some active labels.

        Where each label is scored on its own, it is that of the most probable one.

        Args:
            titles: float32 (n, d), for the fusion; zeros where there is no title.
            labels: int64 (m,), rows of the active labels.
        """
        titles = None if self.fusion is None else titles
        pool = np.max if self.settings.multi_label else np.sum
        blocks = self._blocks(vectors, titles)
        masses = [pool(self.score(*block)[1][:, labels], axis=1, initial=0.0) for block in blocks]
        return np.concatenate(masses)

    def _rank_by_scan(
        self, vectors: FloatArray, titles: FloatArray | None, limit: int
    ) -> tuple[Ranking, DoubleArray]:
        """The best nodes by a scan, and the expected cosines."""
        scanner = self._scanner(limit)
        scan = scanner.scan(vectors, titles)
        scores = np.exp(scanner.head.scale * scan.products - scan.log_sums[:, np.newaxis])
        places = self._places[scan.labels]
        ranking = ranking_of(self.labels, vectors, places, scan.products, scores)
        near = np.zeros(len(vectors), dtype=bool)
        if self._nodes is not None:
            ranking, near = self._nodes.rank(vectors, ranking, scan.shares, limit)
        return self._recheck_near(ranking, near, vectors, titles), scan.expected

    def _rank_exactly(self, vectors: FloatArray, titles: FloatArray | None, limit: int) -> Ranking:
        """The best nodes, with all scores in double precision.

        For examples whose scores are no inner products, and for scores near a threshold.
        """
        rankings = []
        for block in self._blocks(vectors, titles):
            products, shares = self.score(*block)
            best = highest_columns(products, limit)
            ranking = ranking_of(
                self.labels,
                block[0],
                self._places[best],
                np.take_along_axis(products, best, axis=1),
                np.take_along_axis(shares, best, axis=1),
            )
            if self._nodes is not None:
                summed = sum_by(self._nodes.groups, shares)[1]
                ranking, _ = self._nodes.rank(block[0], ranking, summed, limit)
            rankings.append(ranking)
        return Ranking.joined(rankings)

    def _rank_independent(self, vectors: FloatArray, limit: int) -> Ranking:
        """The best labels where each is scored on its own."""
        scan = Scanner(self._cosine_head, limit=limit).scan(vectors)
        scores = self._independent(vectors, scan.products)
        places = self._places[scan.labels]
        return ranking_of(self.labels, vectors, places, scan.products, scores)

    def _recheck_near(
        self, ranking: Ranking, near: BoolArray, vectors: FloatArray, titles: FloatArray | None
    ) -> Ranking:
        """Rank inputs whose score is near a threshold again, in double precision.

        Sums in single precision depend on the other vectors of a batch. Near a threshold a single
        query and a bulk job could decide differently.
        """
        accepted_from = self._min_scores(len(vectors), titles)[:, np.newaxis]
        near = near | (np.abs(ranking.scores - accepted_from) < NEAR).any(axis=1)
        rows = np.flatnonzero(near)
        if not rows.size:
            return ranking
        titles = None if titles is None else titles[rows]
        exact = self._rank_exactly(vectors[rows], titles, ranking.labels.shape[1])
        for single, double in zip(ranking.parts, exact.parts, strict=True):
            single[rows] = double
        return ranking

    def _min_scores(self, count: int, titles: FloatArray | None) -> DoubleArray:
        """float64 (n,): the score that each input is accepted from."""
        if titles is None or self.fusion is None:
            return np.full(count, self.min_score)
        return np.where(titles.any(axis=1), self.fusion.min_score, self.min_score)

    def _unknown_from(self, count: int, titles: FloatArray | None) -> DoubleArray:
        """float64 (n,): the unknown score beyond which each input is unknown."""
        if titles is None or self.fusion is None:
            return np.full(count, self.unknown_above)
        return np.where(titles.any(axis=1), self.fusion.unknown_above, self.unknown_above)

    def _independent(self, vectors: FloatArray, products: DoubleArray) -> DoubleArray:
        """Probabilities of labels that are scored each on its own."""
        scale = self.logit_scale
        if self.logit_bias is not None:
            return sigmoid_scores(products, logit_scale=scale, logit_bias=self.logit_bias)
        assert self.neutral is not None
        return independent_scores(products, vectors @ self.neutral.T, logit_scale=scale)

    def _blocks(
        self, vectors: FloatArray, titles: FloatArray | None, *, whole: bool = False
    ) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Blocks of vectors whose scores of all nodes fit into memory."""
        rows = max(1, len(vectors) if whole else _BLOCK_BYTES // (8 * len(self.labels)))
        for start in range(0, max(1, len(vectors)), rows):
            block = slice(start, start + rows)
            yield vectors[block], None if titles is None else titles[block]

    def _scanner(self, limit: int) -> Scanner:
        """The scanner for a limit; each is made once."""
        head, nodes = self.scorer.deciding, self._nodes
        if limit not in self._scanners:
            self._scanners[limit] = Scanner(
                head,
                limit=limit,
                titles=self._title_blend,
                groups=None if nodes is None else nodes.groups,
            )
        return self._scanners[limit]

    @property
    def _title_blend(self) -> TitleBlend | None:
        """The fusion in the unit of inner products."""
        if self.fusion is None:
            return None
        by_title = self.fusion.titles.head
        unit = by_title.scale * self.scorer.unit / self.scorer.head.scale
        return TitleBlend(
            head=by_title,
            picture_share=self.fusion.picture_share,
            title_share=self.fusion.title_share * unit,
        )

    @cached_property
    def _scanners(self) -> dict[int, Scanner]:
        return {}

    @cached_property
    def _background(self) -> BackgroundScorer:
        assert self.background is not None
        label_count = len(self.scorer.head)
        return BackgroundScorer(self.background, label_count)

    @cached_property
    def _cosine_head(self) -> Head:
        """The active labels as the model has them."""
        head = self.scorer.head
        return head if head.starts is not None else plain(head.labels, 1.0)

    @cached_property
    def _places(self) -> IndexArray:
        """int64 (k,): the rows of the active labels among all."""
        active = self.scorer.head.labels.labels
        return np.array([self.labels.places[label.label_id] for label in active], dtype=np.int64)

    @cached_property
    def _nodes(self) -> NodeRanker | None:
        return NodeRanker.of(self.labels, self._places, self.settings)
