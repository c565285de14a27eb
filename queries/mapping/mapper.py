"""Decides which label of another taxonomy each label is: from the roots down; pure.

A label's candidates come from its texts, from the items that it holds, and from its parent: where
nothing is closer, a label maps to what its parent maps to. The parents' scores are evidence for
their children, so that a child stays below its parent's counterpart unless its texts say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from indexer.core.records import FloatArray, IndexArray
from queries.mapping.evidence import WEIGHTS, Comparison, Parents, column, logits, set_column
from queries.mapping.lexical import nearest, texts_of
from queries.mapping.trees import LabelTree

if TYPE_CHECKING:
    from queries.mapping.votes import ItemVotes

ACCEPTED_FROM = 0.8
"""Score from which a mapping is accepted without ``--min-score``."""

NO_DECISIONS: Mapping[int, int] = MappingProxyType({})

KEPT = 5
"""Counterparts of a label that its children see."""

_LABELS_AT_ONCE = 2_000


Observe = Callable[[IndexArray, IndexArray, FloatArray], None]


class MappingStatus(StrEnum):
    """What is to be done with a mapping."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMapping:
    """The counterpart of one label.

    Attributes:
        place: of the label.
        target: place of its counterpart; -1 where there is none.
        score: 0 to 1.
        second: place of the next likely one; -1 for none.
        why: the evidence, for people.
    """

    place: int
    target: int
    score: float
    status: MappingStatus
    why: str
    second: int = -1
    second_score: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """The likeliest counterparts of all labels.

    Attributes:
        places: int64 (n, KEPT), best first; -1 is "none of them", and where there are fewer.
        scores: float32 (n, KEPT).
        nothing: float32 (n,), how likely there is none.
        evidence: float32 (n, 2, e), of the two best.
    """

    places: IndexArray
    scores: FloatArray
    nothing: FloatArray
    evidence: FloatArray


def rank_counterparts(
    source: LabelTree,
    target: LabelTree,
    votes: ItemVotes | None = None,
    *,
    decided: Mapping[int, int] = NO_DECISIONS,
    weights: Mapping[str, float] = WEIGHTS,
    observe: Observe | None = None,
) -> Ranked:
    """The likeliest counterparts of each label of the source.

    Args:
        votes: of items; None where texts decide alone.
        decided: counterparts that are known, by place; -1 where a label has none. Labels below
            them go by them.
        weights: by name of evidence.
        observe: called with labels int64 (n,), their candidates int64 (n, c + 1), and the
            evidence float32 (n, c + 1, e), for those who fit weights.
    """
    source_texts, target_texts = texts_of(source, target)
    comparison = Comparison(source, target, source_texts, target_texts)
    candidates = nearest(source_texts, target_texts)
    if votes is not None:
        candidates = np.concatenate([candidates, votes.places], axis=1)
    count = len(source)
    ranked = Ranked(
        np.full((count, KEPT), -1, dtype=np.int64),
        np.zeros((count, KEPT), dtype=np.float32),
        np.zeros(count, dtype=np.float32),
        np.zeros((count, 2, len(weights)), dtype=np.float32),
    )
    for level in source.levels():
        for start in range(0, len(level), _LABELS_AT_ONCE):
            labels = level[start : start + _LABELS_AT_ONCE]
            _rank(comparison, labels, candidates[labels], ranked, votes, weights, observe)
            for place in labels.tolist():
                if place in decided:
                    _decide(ranked, place, decided[place])
    return ranked


def parents_of(source: LabelTree, labels: IndexArray, ranked: Ranked) -> Parents:
    """What is known of the parents of some labels, all of which are ranked."""
    parents = source.parents[labels]
    has_parent = parents >= 0
    places = np.where(has_parent[:, np.newaxis], ranked.places[parents], -1)
    scores = np.where(places >= 0, ranked.scores[parents], 0).astype(np.float32)
    nothing = np.where(has_parent, ranked.nothing[parents], 0).astype(np.float32)
    return Parents(places=places, scores=scores, nothing=nothing)


def with_parents(candidates: IndexArray, parents: Parents) -> IndexArray:
    """Candidates with the parents' counterparts; what comes twice is -1 the second time."""
    joined = np.concatenate([candidates, parents.places], axis=1)
    # Equal places lie side by side in their order, the first of them first.
    order = np.argsort(joined, axis=1, kind="stable")
    ordered = np.take_along_axis(joined, order, axis=1)
    ordered[:, 1:][ordered[:, 1:] == ordered[:, :-1]] = -1
    result = np.empty_like(joined)
    np.put_along_axis(result, order, ordered, axis=1)
    return result


def _rank(
    comparison: Comparison,
    labels: IndexArray,
    candidates: IndexArray,
    ranked: Ranked,
    votes: ItemVotes | None,
    weights: Mapping[str, float],
    observe: Observe | None,
) -> None:
    """Rank the counterparts of labels whose parents are ranked."""
    parents = parents_of(comparison.source, labels, ranked)
    candidates = with_parents(candidates, parents)
    evidence = comparison.evidence(labels, candidates, parents)
    valid = candidates >= 0
    if votes is not None:
        values = votes.values(labels, np.maximum(candidates, 0))
        set_column(evidence, "items", np.where(valid, values, 0))
    all_valid = np.concatenate([valid, np.ones((len(labels), 1), dtype=bool)], axis=1)
    places = np.concatenate([candidates, np.full((len(labels), 1), -1)], axis=1)
    if observe is not None:
        observe(labels, places, evidence)
    sums = logits(evidence, all_valid, weights)
    shares = np.exp(sums - sums.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :KEPT]
    width = order.shape[1]
    ranked.places[labels, :width] = np.take_along_axis(places, order, axis=1)
    ranked.scores[labels, :width] = np.take_along_axis(shares, order, axis=1)
    ranked.nothing[labels] = shares[:, -1]
    two_best = order[:, np.minimum([0, 1], width - 1)]
    ranked.evidence[labels] = evidence[np.arange(len(labels))[:, np.newaxis], two_best]


def _decide(ranked: Ranked, place: int, counterpart: int) -> None:
    """Give a label its known counterpart."""
    ranked.places[place], ranked.scores[place] = -1, 0
    ranked.places[place, 0], ranked.scores[place, 0] = counterpart, 1
    ranked.nothing[place] = counterpart < 0


def mappings(
    ranked: Ranked,
    *,
    min_score: float = ACCEPTED_FROM,
    decided: Mapping[int, str] = MappingProxyType({}),
) -> list[LabelMapping]:
    """The best counterpart of each label, with its status and its reasons.

    Args:
        min_score: from which on a mapping is accepted.
        decided: why labels have a known counterpart, by place.
    """
    rows = []
    for place, (targets, scores) in enumerate(
        zip(ranked.places.tolist(), ranked.scores.tolist(), strict=True)
    ):
        is_sure = scores[0] >= min_score or place in decided
        # "None of them" that is not sure is for review: with the best label, which helps more.
        first, second = (1, 0) if targets[0] < 0 <= targets[1] and not is_sure else (0, 1)
        best = targets[first]
        status = MappingStatus.ACCEPTED if is_sure else MappingStatus.REVIEW
        rows.append(
            LabelMapping(
                place=place,
                target=best,
                score=scores[first],
                status=MappingStatus.NONE if best < 0 else status,
                why=decided[place] if place in decided else _why(ranked, place, first),
                second=targets[second],
                second_score=scores[second],
            )
        )
    return rows


def _why(ranked: Ranked, place: int, rank: int) -> str:
    return reasons(ranked.evidence[place, rank]) if ranked.places[place, rank] >= 0 else ""


def reasons(evidence: FloatArray) -> str:
    """The evidence for a counterpart, in words, the strongest first.

    Args:
        evidence: float32 (e,).
    """
    letters, same = column(evidence, "letters"), column(evidence, "same_name")
    told = []
    if same:
        told.append("same name")
    elif letters >= _TELLING:
        told.append(f"name {letters:.2f}")
    if column(evidence, "as_parent") >= _TELLING:
        told.append("as its parent")
    elif column(evidence, "below_parents") >= _TELLING:
        told.append("below its parent's")
    elif column(evidence, "path_words") >= _TELLING:
        told.append(f"path {column(evidence, 'path_words'):.2f}")
    if column(evidence, "items") >= _TELLING:
        told.append(f"items {column(evidence, 'items'):.2f}")
    if not told:
        told.append(f"name {letters:.2f}, path {column(evidence, 'path_words'):.2f}")
    return ", ".join(told)


_TELLING = 0.4
"""Value from which evidence is named."""
