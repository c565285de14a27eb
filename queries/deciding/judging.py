"""From vectors to verdicts: labels at a level, their probabilities, and what to do with them.

Pure, given a scorer and thresholds; ``queries.deciding.verdicts`` makes a judge of a catalog.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray, Label
from indexer.labels.adaptation import Adaptation
from indexer.labels.sets import LabelSet
from queries.deciding.background import BackgroundScorer
from queries.deciding.calibration import MIN_SCORE, STATUSES, Status, status_codes
from queries.deciding.fusion import Fusion
from queries.deciding.multi_label import independent_scores, sigmoid_scores
from queries.deciding.prediction_sets import SetRule, set_sizes
from queries.deciding.rollup import NO_NODE, Tree, back_off, level, roll_up, sum_by
from queries.deciding.scorer import Scorer
from queries.deciding.settings import Settings
from queries.scoring.decide import Ranking, highest_columns, ranking_of
from queries.scoring.scan import Scanner

Exact = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

NOTHING = Label(label_id="", name="", path=())
"""Stands in results where not even a root of the taxonomy is sure enough."""

FEWEST_PACKED = 1_000
"""Labels below which torch's products are no quicker than numpy's."""

_NEAR = 1e-4
"""Scores in single precision are off by less: by 3e-6 at most over 10,000 labels."""

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was decided on n inputs.

    Attributes:
        ranking: its labels are rows of the judge's labels, or ``NO_NODE``.
        codes: int8 (n, k), a status for each label, as a place in ``STATUSES``.
        unknown_scores: float64 (n,), large where no label fits.
    """

    ranking: Ranking
    codes: npt.NDArray[np.int8]
    unknown_scores: Exact

    @property
    def statuses(self) -> list[list[Status]]:
        """A status for each of the k labels of each input."""
        return [[STATUSES[code] for code in row] for row in self.codes]


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Decides on vectors.

    Attributes:
        labels: all labels of the taxonomy; those in play are the scorer's.
        scorer: scores of the labels in play.
        settings: what was asked for.
        logit_scale: of the model; for labels that are scored on their own.
        background: the labels in play and background words, adapted together.
        logit_bias: of a model that says of each label by itself whether it holds.
        neutral: float32 (p, d), prompts that say nothing; for labels scored on their own by
            other models.
        fusion: what titles add; unknown scores go by pictures alone.
        min_score: accept from here on, without a title.
        unknown_above: unknown beyond this unknown score.
        set_rule: which labels belong to an item's set; None where no sets were asked for.
        packed: there is so much to score that it pays to load torch.
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
    packed: bool = False

    @property
    def scores_all(self) -> bool:
        """Whether all labels' scores are needed, so that no search can find the best."""
        asked = self.settings
        tree = asked.level is not None or asked.back_off is not None
        sets = asked.coverage is not None
        return tree or sets or asked.multi_label or self.scorer.few_shot is not None

    def judge(
        self, vectors: FloatArray, *, limit: int, titles: FloatArray | None = None
    ) -> Verdicts:
        """Decide on vectors, exactly.

        Args:
            vectors: float32 (n, d), rows of length 1.
            limit: labels for each.
            titles: float32 (n, d), for the fusion; zeros where there is no title.
        """
        if titles is not None and self.fusion is not None:
            both = zip(self._blocks(vectors), self._blocks(titles), strict=True)
            parts = [self._rank_all(block, limit, said) for block, said in both]
            ranking = _joined(parts) if parts else _none(min(limit, len(self._places)))
            titled = titles.any(axis=1)
            accept = np.where(titled, self.fusion.min_score, self.min_score)
            return self.verdicts(vectors, ranking, min_score=accept)
        if self.scores_all:
            parts = [self._rank_all(block, limit) for block in self._blocks(vectors)]
            ranking = _joined(parts) if parts else _none(min(limit, len(self._places)))
            return self.verdicts(vectors, ranking)
        scanner = self.scanner(limit)
        scanned = scanner.scan(vectors)
        ranking = ranking_of(vectors, scanner.head, scanned, limit=limit)
        ranking = self._settled(vectors, ranking)
        unknown = -scanner.expected_cosines(scanned) if self.background is None else None
        return self.verdicts(vectors, self._placed(ranking), unknown=unknown)

    def sets(self, vectors: FloatArray, titles: FloatArray | None = None) -> list[Rows]:
        """The labels that hold each vector's truth with the coverage that was asked for.

        Args:
            vectors: float32 (n, d), rows of length 1.
            titles: float32 (n, d), for the fusion; zeros where there is no title.

        Returns:
            Rows of ``labels`` for each vector, the likeliest first.
        """
        assert self.set_rule is not None
        said = [None] * len(vectors) if titles is None else self._blocks(titles)
        found: list[Rows] = []
        for block, own in zip(self._blocks(vectors), said, strict=False):
            shares = self.own_shares(block, own)
            sizes = set_sizes(shares, self.set_rule)
            best = highest_columns(shares, int(sizes.max(initial=1)))
            found += [
                self._places[row[:size]] for row, size in zip(best, sizes.tolist(), strict=True)
            ]
        return found

    def own_shares(self, vectors: FloatArray, titles: FloatArray | None) -> Exact:
        """float64 (n, k): probabilities at temperatures that no calibrating item has a part in."""
        scores = self.scorer.scores(vectors)
        if self.fusion is not None and titles is not None:
            scores = self.fusion.blend(scores, titles)
            scores[titles.any(axis=1)] /= self.fusion.unit
        return self.scorer.own_probabilities(scores)

    def scanner(self, limit: int) -> Scanner:
        """What finds the best labels of very many vectors; made once."""
        found = self._scanners.get(limit)
        if found is None:
            found = self._scanners[limit] = self._made_scanner(limit)
        return found

    def _made_scanner(self, limit: int) -> Scanner:
        head = self.scorer.sharpened
        packed = self.packed and len(head) >= FEWEST_PACKED and head.starts is None
        return Scanner(head, limit=limit, expects=self.background is None, packed=packed)

    def weigh(self, vectors: FloatArray, ranking: Ranking) -> Verdicts:
        """Verdicts on a ranking by the scorer's head, whose labels are rows of the head."""
        return self.verdicts(vectors, self._placed(self._settled(vectors, ranking)))

    def best_scores(self, vectors: FloatArray, titles: FloatArray | None = None) -> Ranking:
        """The best label of each vector, with its score in double precision.

        Thresholds come from these.

        Args:
            vectors: float32 (n, d), rows of length 1.
            titles: float32 (n, d), for the fusion; zeros where there is no title.
        """
        ranking = self.judge(vectors, limit=1, titles=titles).ranking
        if self.scores_all or (titles is not None and self.fusion is not None):
            return ranking
        rows = np.arange(len(vectors))
        return replace(ranking, scores=self._exact_scores(vectors, ranking.products, rows))

    def _settled(self, vectors: FloatArray, ranking: Ranking) -> Ranking:
        """Scores that lie near the threshold, in double precision.

        Sums in single precision depend on what stands beside a vector, so near the threshold
        a question and a bulk job would decide differently.
        """
        near = np.abs(ranking.scores - self.min_score) < _NEAR
        rows = np.flatnonzero(near.any(axis=1))
        if not rows.size:
            return ranking
        scores = ranking.scores.copy()
        scores[rows] = self._exact_scores(vectors, ranking.products, rows)
        return replace(ranking, scores=scores)

    def _exact_scores(self, vectors: FloatArray, products: Exact, rows: Rows) -> Exact:
        """float64 (r, k): scores of inner products with the head, of some of the vectors.

        Args:
            vectors: float32 (n, d).
            products: float64 (n, k).
            rows: int64 (r,), of both.
        """
        head = self.scorer.sharpened
        matrix, parts = head.matrix.astype(np.float64), [np.empty((0, products.shape[1]))]
        step = max(1, _BLOCK_BYTES // (8 * len(matrix)))
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            queries = head.queries(vectors[block]).astype(np.float64)
            logits = head.scale * head.pool(queries @ matrix.T)
            highest = logits.max(axis=1, keepdims=True)
            sums = np.exp(logits - highest).sum(axis=1, keepdims=True)
            parts.append(np.exp(head.scale * products[block] - highest) / sums)
        return np.minimum(np.concatenate(parts), 1.0)

    def verdicts(
        self,
        vectors: FloatArray,
        ranking: Ranking,
        *,
        min_score: Exact | None = None,
        unknown: Exact | None = None,
    ) -> Verdicts:
        """What to do with ranked labels, which are rows of ``labels``.

        Args:
            min_score: float64 (n,), to accept each input from; None is the judge's own.
            unknown: float64 (n,), unknown scores where they are known.
        """
        if unknown is None:
            unknown = self.unknown_scores(vectors)
        scores = np.where(ranking.labels == NO_NODE, -1.0, ranking.scores)
        codes = status_codes(
            scores.T,
            unknown,
            min_score=self.min_score if min_score is None else min_score,
            unknown_above=self.unknown_above,
        )
        return Verdicts(ranking, codes.T, unknown)

    def unknown_scores(self, vectors: FloatArray) -> Exact:
        """float64 (n,): by the background where there is one, else by concept matching."""
        if self.background is None:
            scanner = Scanner(self.scorer.sharpened, limit=1, expects=True)
            return -scanner.expected_cosines(scanner.scan(vectors))
        return self._background.scores(vectors)

    def _placed(self, ranking: Ranking) -> Ranking:
        return replace(ranking, labels=self._places[ranking.labels])

    @cached_property
    def _scanners(self) -> dict[int, Scanner]:
        return {}

    @cached_property
    def _background(self) -> BackgroundScorer:
        assert self.background is not None
        known = len(self.scorer.head)
        return BackgroundScorer(self.background, known, packed=self.packed)

    def scored(self, vectors: FloatArray, titles: FloatArray | None = None) -> tuple[Exact, Exact]:
        """What the labels in play are ordered by, and their probabilities.

        Args:
            vectors: float32 (n, d), a block of few.
            titles: float32 (n, d), for the fusion; zeros where there is no title.

        Returns:
            float64 (n, k) twice.
        """
        if self.settings.multi_label:
            head = self.scorer.head
            rows = head.labels.vectors if head.starts is None else head.matrix[:, :-1]
            products = head.pool((vectors @ rows.T).astype(np.float64))
            return products, self._independent(vectors, products)
        scores = self.scorer.scores(vectors)
        if self.fusion is not None and titles is not None:
            scores = self.fusion.blend(scores, titles)
        # Margins are in the unit of the head's inner products, whichever way leads there.
        products = scores * (self.scorer.unit / self.scorer.head.scale)
        return products, self.scorer.probabilities(scores)

    def _independent(self, vectors: FloatArray, products: Exact) -> Exact:
        """Probabilities of labels that are scored each on its own."""
        scale = self.logit_scale
        if self.logit_bias is not None:
            return sigmoid_scores(products, logit_scale=scale, logit_bias=self.logit_bias)
        assert self.neutral is not None
        return independent_scores(products, vectors @ self.neutral.T, logit_scale=scale)

    @cached_property
    def _tree(self) -> Tree:
        return Tree.of(self.labels.labels)

    @cached_property
    def _places(self) -> Rows:
        """int64 (k,): the rows of the labels in play among all."""
        chosen = self.scorer.head.labels.labels
        return np.array([self.labels.places[one.label_id] for one in chosen], dtype=np.int64)

    def _blocks(self, vectors: FloatArray) -> Iterator[FloatArray]:
        words = 0 if self.background is None else len(self.background.vectors)
        rows = max(1, _BLOCK_BYTES // (8 * (len(self.labels) + words)))
        for start in range(0, len(vectors), rows):
            yield vectors[start : start + rows]

    def _rank_all(
        self, vectors: FloatArray, limit: int, titles: FloatArray | None = None
    ) -> Ranking:
        asked, nodes = self.settings, self._places
        products, shares = self.scored(vectors, titles)
        if asked.level is not None:
            nodes, shares = sum_by(level(self._tree, nodes, asked.level - 1), shares)
            products = shares
        best = highest_columns(products, limit)
        ranking = Ranking(
            nodes[best],
            np.take_along_axis(products, best, axis=1),
            np.empty(best.shape),
            np.minimum(np.take_along_axis(shares, best, axis=1), 1.0),
        )
        if asked.back_off is not None:
            ranking = self._backed_off(ranking, nodes, shares, asked.back_off)
        return Ranking(
            ranking.labels,
            ranking.products,
            self._similarities(vectors, ranking.labels),
            ranking.scores,
        )

    def _backed_off(
        self, ranking: Ranking, nodes: Rows, shares: Exact, threshold: float
    ) -> Ranking:
        """The surest node first, then the best labels that are not that node."""
        totals = roll_up(self._tree, nodes, shares)
        chosen = back_off(self._tree, nodes, totals, threshold)
        items = np.arange(len(chosen))
        highest_root = totals[self._tree.parents < 0].max(axis=0, initial=0.0)
        score = np.where(chosen == NO_NODE, highest_root, totals[chosen, items])
        limit = ranking.labels.shape[1]
        rest = ranking.labels != chosen[:, np.newaxis]
        # The node itself goes to the end of the others, and its place is dropped.
        order = np.argsort(~rest, axis=1, kind="stable")[:, : limit - 1]
        taken = [
            np.take_along_axis(part, order, axis=1)
            for part in (ranking.labels, ranking.scores, ranking.scores)
        ]
        first = (chosen, score, score)
        labels, products, scores = (
            np.column_stack([np.asarray(one), other])
            for one, other in zip(first, taken, strict=True)
        )
        return Ranking(labels, products, products, np.minimum(scores, 1.0))

    def _similarities(self, vectors: FloatArray, nodes: Rows) -> Exact:
        """float64 (n, k): cosines with the nodes' own vectors; nan where there is no node."""
        own = self.labels.vectors[np.maximum(nodes, 0)].astype(np.float64)
        found = np.einsum("nd,nkd->nk", vectors.astype(np.float64), own)
        return np.asarray(np.where(nodes == NO_NODE, np.nan, found))


def _joined(parts: list[Ranking]) -> Ranking:
    fields = ((one.labels, one.products, one.similarities, one.scores) for one in parts)
    return Ranking(*map(np.concatenate, zip(*fields, strict=True)))


def _none(limit: int) -> Ranking:
    none = np.empty((0, limit))
    return Ranking(none.astype(np.int64), none, none, none)
