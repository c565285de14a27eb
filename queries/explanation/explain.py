"""Why an input gets its label: prompts, what separates the two best, neighbours, heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.build import Catalog
from indexer.fingerprints import PRECOMPUTED
from indexer.labels.prompt_sets import PromptSet
from indexer.prompts import Pooling
from indexer.records import FloatArray, Kind
from indexer.softmax import log_sum_exp
from queries.classify import Classifier, predictions
from queries.explanation.heat_maps import (
    Evidence,
    Exact,
    HeatMap,
    Word,
    leave_words_out,
    occlude,
    seen_region,
    trace_attention,
)
from queries.explanation.neighbours import Neighbour, labelled_neighbours
from queries.explanation.subjects import Subject
from queries.judgement.scorer import Scorer
from queries.results import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One text that stands for a label, and its cosine with the input."""

    text: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of the two best labels.

    Attributes:
        prompts: the nearest first; empty where the label's vector was given.
    """

    label: str
    label_id: str
    path: tuple[str, ...]
    score: float
    similarity: float
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """What separates the two best: natural logarithms that add up to ``log_odds``.

    Attributes:
        log_odds: of the best label against the runner-up.
        match: by the input's products with the two labels' vectors.
        bias: by what the catalog taught of the labels themselves: how frequent, how greedy.
        examples: by taught examples.
        similarity: difference of the plain cosines; below 0 the plain model would have
            chosen the runner-up.
    """

    log_odds: float
    match: float
    bias: float
    examples: float
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known of one decision.

    Attributes:
        input: what was given.
        kind: picture, text or vector.
        adapted: whether the labels are adapted to the catalog.
        predictions: best first.
        margin: as ``categorize`` writes it; None with one label.
        winner: the best label.
        runner_up: None with one label.
        separation: None with one label.
        neighbours: the nearest labelled items of the catalog; the nearest at all where none
            is labelled.
        heat_map: of what speaks for the winner and for the runner-up; None without picture.
        words: of a text, in order.
        notes: what could not be shown, and why.
    """

    input: str
    kind: str
    adapted: bool
    predictions: tuple[Prediction, ...]
    margin: float | None
    winner: Contender
    runner_up: Contender | None
    separation: Separation | None
    neighbours: tuple[Neighbour, ...]
    heat_map: HeatMap | None
    words: tuple[Word, ...]
    notes: tuple[str, ...]


def explain(
    catalog: Catalog,
    subject: Subject,
    *,
    restrict_to: Sequence[str] | None = None,
    adapt: bool = True,
    pooling: Pooling = Pooling.MEAN,
    limit: int = 5,
    neighbours: int = 8,
    heat_map: str = "occlusion",
) -> Explanation:
    """Why a subject gets its label, among the labels in play.

    Args:
        restrict_to: label ids or names; None is all leaves.
        adapt: decide by labels that are adapted to the catalog, if they are.
        pooling: by the mean prompt, or by the best.
        limit: predictions.
        neighbours: items of the catalog; 0 leaves the search out.
        heat_map: occlusion, attention or none.

    Raises:
        ModelError: another model than the catalog's, or attention that can't be traced.
    """
    judge = Classifier(catalog, restrict_to=restrict_to, adapt=adapt, pooling=pooling).judge
    found = judge.judge(subject.vector[np.newaxis], limit=max(limit, 2))
    ranked = predictions(found, judge)[0]
    scorer = judge.scorer
    places = [scorer.head.labels.places[one.label_id] for one in ranked[:2]]
    notes: list[str] = []
    contenders = _contenders(catalog, subject, ranked[:2], notes)
    evidence = evidence_of(scorer, places)
    return Explanation(
        input=subject.name,
        kind=subject.kind.value,
        adapted=scorer.head.is_adapted,
        predictions=tuple(ranked[:limit]),
        margin=float(found.ranking.margins[0]) if len(ranked) > 1 else None,
        winner=contenders[0],
        runner_up=contenders[1] if len(contenders) > 1 else None,
        separation=separate(scorer, subject.vector, places) if len(places) > 1 else None,
        neighbours=tuple(
            labelled_neighbours(catalog, subject.vector, limit=neighbours, but=subject.item_id)
        ),
        heat_map=_heat_map(catalog, subject, evidence, heat_map, notes),
        words=_words(catalog, subject, evidence),
        notes=tuple(notes),
    )


def evidence_of(scorer: Scorer, places: Sequence[int]) -> Evidence:
    """Logarithms of odds: of each label against all others, then of the first against the second.

    Args:
        places: one or two rows of the scorer's labels; with one label in play its score is
            the only claim.
    """

    def evidence(vectors: FloatArray) -> Exact:
        scores = scorer.scores(vectors) / scorer.temperature
        if scores.shape[1] < 2:
            return scores
        rest = [log_sum_exp(np.delete(scores, place, axis=1), 1.0) for place in places]
        claims = [scores[:, place] - other for place, other in zip(places, rest, strict=True)]
        return np.column_stack([*claims, scores[:, places[0]] - scores[:, places[1]]])

    return evidence


def separate(scorer: Scorer, vector: FloatArray, places: Sequence[int]) -> Separation:
    """What separates two labels for a vector (d,).

    Args:
        places: two rows of the scorer's labels.
    """
    head = scorer.head
    scale = head.scale / (scorer.unit * scorer.temperature)
    query = head.queries(vector[np.newaxis]).astype(np.float64)
    parts = query * head.matrix.astype(np.float64)
    products = head.pool(parts.sum(axis=1)[np.newaxis])[0, list(places)]
    biases = head.matrix[list(places), -1] if head.starts is None else np.zeros(2)
    bias = scale * float(biases[0] - biases[1])
    match = scale * float(products[0] - products[1]) - bias
    total = float(evidence_of(scorer, places)(vector[np.newaxis])[0, -1])
    cosines = head.labels.vectors[list(places)].astype(np.float64) @ vector
    return Separation(
        log_odds=total,
        match=match,
        bias=bias,
        examples=total - match - bias if scorer.few_shot is not None else 0.0,
        similarity=float(cosines[0] - cosines[1]),
    )


def _contenders(
    catalog: Catalog, subject: Subject, best: Sequence[Prediction], notes: list[str]
) -> list[Contender]:
    found = [
        Contender(
            label=one.label,
            label_id=one.label_id,
            path=one.path,
            score=one.score,
            similarity=one.similarity,
            prompts=_prompts(catalog.prompts, subject.vector, one.label_id),
        )
        for one in best
    ]
    if given := [one.label for one in found if not one.prompts]:
        notes.append(f"The vector of {' and '.join(given)} was given, not made of prompts.")
    return found


def _prompts(known: PromptSet, vector: FloatArray, label_id: str) -> tuple[Prompt, ...]:
    cosines = known.vectors_of(label_id) @ vector
    texts = known.texts_of(label_id)
    found = [
        Prompt(text=text, similarity=float(one)) for text, one in zip(texts, cosines, strict=True)
    ]
    return tuple(sorted(found, key=lambda one: -one.similarity))


def _heat_map(
    catalog: Catalog, subject: Subject, evidence: Evidence, method: str, notes: list[str]
) -> HeatMap | None:
    if method == "none" or subject.kind is not Kind.PICTURE:
        return None
    if _lacks_model(catalog):
        notes.append("No heat map: the catalog names no model. Give it with --model.")
        return None
    if subject.pixels is None:
        notes.append(f"No heat map: the picture {subject.source!r} can't be read any more.")
        return None
    encoder = catalog.encoder
    prepared = encoder.prepare(subject.pixels)
    trace = trace_attention if method == "attention" else occlude
    supports, opposes = trace(encoder, prepared, evidence)
    several = len(supports) > 1
    return HeatMap(
        method=method,
        region=seen_region(encoder, subject.pixels),
        winner=supports[0],
        runner_up=supports[1] if several else None,
        rather=supports[-1] if several else None,
        opposite=opposes[-1] if several else None,
    )


def _words(catalog: Catalog, subject: Subject, evidence: Evidence) -> tuple[Word, ...]:
    if subject.kind is not Kind.TEXT or _lacks_model(catalog):
        return ()
    return tuple(leave_words_out(catalog.encoder, subject.name, evidence))


def _lacks_model(catalog: Catalog) -> bool:
    return (catalog.options.model or catalog.fingerprint.model) == PRECOMPUTED
