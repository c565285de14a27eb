"""Why an input gets its label: prompts, what separates the two best, neighbours, heat maps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.boxes import cut
from indexer.core.parts import noun_of
from indexer.core.protocols import Pixels
from indexer.core.records import DoubleArray, FloatArray, IndexArray, Kind
from indexer.core.vectors import normalise
from indexer.labels.prompt_sets import PromptSet
from queries.classify import Classifier, predictions
from queries.deciding.calibration import UNCALIBRATED
from queries.deciding.predictor import Predictor
from queries.deciding.question import Question
from queries.deciding.views import decides_by_best
from queries.explanation.evidence import PredictedInput
from queries.explanation.explanation import Contender, Explanation, Prompt, TitleSays, ViewSays
from queries.explanation.heat_maps import (
    Evidence,
    HeatMap,
    Passes,
    Region,
    Word,
    occlusion,
    seen_region,
    trace_attention,
    words_left_out,
)
from queries.explanation.neighbours import labelled_neighbours
from queries.explanation.subjects import Subject, by_best_view
from queries.results import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An explanation, and what has to be embedded for the rest of it.

    Attributes:
        explanation: without words and heat map.
        words: None where there are none.
        heat_map: None where none is asked for, or none can be made.
    """

    explanation: Explanation
    words: Passes[str, tuple[Word, ...]] | None
    heat_map: Passes[Pixels, HeatMap] | None

    def finished(self, *, words: FloatArray | None, heat_map: FloatArray | None) -> Explanation:
        """The whole explanation.

        Args:
            words: vectors of the inputs of ``words``, float32 (n, d); None leaves them out.
            heat_map: the same for the heat map.
        """
        explanation = self.explanation
        if self.words is not None and words is not None:
            explanation = replace(explanation, words=self.words.finish(words))
        if self.heat_map is not None and heat_map is not None:
            explanation = replace(explanation, heat_map=self.heat_map.finish(heat_map))
        return explanation


def explain(
    catalog: OpenCatalog, subject: Subject, question: Question = Question(), **how: Any
) -> Explanation:
    """Why a subject gets its label, among the active labels.

    Args:
        how: as ``prepare`` takes it.

    Raises:
        ModelError: another model than the catalog's, or attention that can't be traced.
        UsageError: there is no such partition.
    """
    prepared = prepare(catalog, subject, question, **how)
    words, heat = prepared.words, prepared.heat_map
    return prepared.finished(
        words=None if words is None else catalog.encoder.embed_texts(words.inputs),
        heat_map=None
        if heat is None
        else catalog.encoder.embed_pictures(heat.inputs)
        if heat.inputs
        else np.empty((0, catalog.archive.width), np.float32),
    )


def prepare(
    catalog: OpenCatalog,
    subject: Subject,
    question: Question = Question(),
    *,
    neighbours: int = 8,
    partition: str | None = None,
    heat_map: str = "occlusion",
) -> Prepared:
    """Why a subject gets its label, but for what many further inputs have to be embedded for.

    Args:
        question: the active labels, and how they decide.
        neighbours: items of the catalog; 0 leaves the search out.
        partition: neighbours are of this one.
        heat_map: occlusion, attention or none.

    Raises:
        ModelError: another model than the catalog's, or attention that can't be traced.
        UsageError: there is no such partition.
    """
    if question.set_name is not None:
        catalog = catalog.of_set(question.set_name)
    subject, decision = _decision(catalog, subject, question)
    predictor = decision.predictor
    # The best label that is no part of a backed-off one may come late.
    limit, whole = question.limit, predictor.settings.back_off is not None
    ranked, margin = _ranked(predictor, subject, len(predictor.labels) if whole else max(limit, 2))
    notes: list[str] = []
    if not ranked[0].label_id:
        notes.append("No label is as sure as --back-off asks for: the likeliest is explained.")
    best = _two_best(decision, ranked)
    contenders = _contenders(catalog, decision, best, notes)
    claims = [decision.rows(prediction.label_id) for prediction in best]
    near = labelled_neighbours(
        catalog, subject.vector, limit=neighbours, but=subject.item_id, partition=partition
    )
    words = _words(subject, decision, claims) if catalog.has_model else None
    heat_map = _heat_map_method(subject, heat_map, notes)
    evidence = _with_other_views(subject, decision.evidence(claims))
    heat = _heat_map(catalog, subject, evidence, heat_map, notes)
    if not predictor.scorer.calibrated:
        notes.append(f"{UNCALIBRATED}.")
    explanation = Explanation(
        input=subject.name,
        kind=subject.kind.value,
        adapted=predictor.scorer.head.is_adapted,
        predictions=tuple(ranked[:limit]),
        margin=margin,
        title=_title(decision, subject),
        winner=contenders[0],
        runner_up=contenders[1] if len(contenders) > 1 else None,
        separation=decision.separate(*(prediction.label_id for prediction in best))
        if len(best) > 1
        else None,
        neighbours=tuple(near),
        heat_map=None,
        words=(),
        notes=tuple(notes),
        views=_views(decision, subject, best[0]),
        deciding=subject.deciding,
    )
    return Prepared(explanation=explanation, words=words, heat_map=heat)


def _decision(
    catalog: OpenCatalog, subject: Subject, question: Question
) -> tuple[Subject, PredictedInput]:
    """The subject by what decides on it, and the predictor that does."""
    classifier = Classifier(catalog, question)
    predictor = (
        classifier.predictor if subject.title_vector is None else classifier.titled_predictor
    )
    part_ids = [view.part_id for view in subject.views]
    if part_ids and decides_by_best(question.view_pooling, part_ids):
        subject = by_best_view(subject, predictor)
    title = None if predictor.fusion is None else subject.title_vector
    return subject, PredictedInput(predictor=predictor, vector=subject.vector, title=title)


def _heat_map_method(subject: Subject, method: str, notes: list[str]) -> str:
    """The method, or none where the picture of the heat map does not decide."""
    if subject.deciding is not None:
        view = subject.views[subject.deciding]
        place = view.place if view.box else view.part_id
        named = f"{noun_of(view.part_id, subject.kind)} {place}"
        notes.append(f"The {named} decides alone.")
    if subject.deciding_box is not None:
        return method
    if subject.deciding and method != "none":
        notes.append("No heat map: it is made of the first picture only, which does not decide.")
        return "none"
    if subject.views and method != "none":
        notes.append(f"The heat map is of the first of {len(subject.views)} pictures.")
    return method


def _ranked(
    predictor: Predictor, subject: Subject, limit: int
) -> tuple[list[Prediction], float | None]:
    """Predictions as the predictor gives them, and the margin; None with one label."""
    titles = None if subject.title_vector is None else subject.title_vector[np.newaxis]
    predicted = predictor.predict(subject.vector[np.newaxis], limit=limit, titles=titles)
    ranked = predictions(predicted, predictor)[0]
    return ranked, float(predicted.ranking.margins[0]) if len(ranked) > 1 else None


def _two_best(decision: PredictedInput, ranked: Sequence[Prediction]) -> list[Prediction]:
    """The best label, and the next that neither holds it nor is held by it."""
    named = [prediction for prediction in ranked if prediction.label_id]
    winner = named[0]
    others = (
        prediction
        for prediction in named[1:]
        if not decision.nested(winner.label_id, prediction.label_id)
    )
    return [winner, *itertools.islice(others, 1)]


def _title(decision: PredictedInput, subject: Subject) -> TitleSays | None:
    predictor, fusion = decision.predictor, decision.predictor.fusion
    if fusion is None or decision.title is None:
        return None
    names = [label.name for label in predictor.scorer.head.labels.labels]
    title_scores = fusion.titles.scores(decision.title[np.newaxis])[0]
    by_picture = predictions(predictor.predict(subject.vector[np.newaxis], limit=1), predictor)[0][
        0
    ]
    return TitleSays(
        title=subject.title,
        weight=predictor.settings.title_share,
        label=names[int(title_scores.argmax())],
        picture_label=by_picture.label,
        picture_score=by_picture.score,
    )


def _views(decision: PredictedInput, subject: Subject, winner: Prediction) -> tuple[ViewSays, ...]:
    """What each picture says alone, without the title."""
    if not subject.views:
        return ()
    predictor = decision.predictor
    vectors = np.stack([view.vector for view in subject.views])
    best = predictions(predictor.predict(vectors, limit=1), predictor)
    winner_scores = predictor.score(vectors)[1][:, decision.rows(winner.label_id)].sum(axis=1)
    return tuple(
        ViewSays(
            part_id=view.part_id,
            source=view.source,
            place=view.place,
            box=view.box,
            part=view.part,
            label=predicted[0].label,
            score=predicted[0].score,
            winner_score=float(score),
        )
        for view, predicted, score in zip(subject.views, best, winner_scores, strict=True)
    )


def _with_other_views(subject: Subject, evidence: Evidence) -> Evidence:
    """The evidence of an item whose first picture is changed and whose others stay."""
    if not subject.views or subject.deciding is not None:
        return evidence
    others = np.sum([view.vector for view in subject.views[1:]], axis=0, dtype=np.float64)
    return lambda vectors: evidence(normalise(vectors + others))


def _contenders(
    catalog: OpenCatalog, decision: PredictedInput, best: Sequence[Prediction], notes: list[str]
) -> list[Contender]:
    contenders = []
    active = decision.predictor.scorer.head.labels.labels
    for prediction in best:
        leaf = active[decision.leading(decision.rows(prediction.label_id))]
        contenders.append(
            Contender(
                label=prediction.label,
                label_id=prediction.label_id,
                path=prediction.path,
                score=prediction.score,
                similarity=prediction.similarity,
                prompts=_prompts(catalog.prompts, decision.vector, leaf.label_id),
                leaf="" if leaf.label_id == prediction.label_id else leaf.name,
            )
        )
    if given_vectors := [
        prediction.leaf or prediction.label for prediction in contenders if not prediction.prompts
    ]:
        notes.append(f"The vector of {' and '.join(given_vectors)} was given, not made of prompts.")
    return contenders


def _prompts(prompt_set: PromptSet, vector: FloatArray, label_id: str) -> tuple[Prompt, ...]:
    cosines = prompt_set.vectors_of(label_id) @ vector
    texts = prompt_set.texts_of(label_id)
    prompts = [
        Prompt(text=text, similarity=float(cosine))
        for text, cosine in zip(texts, cosines, strict=True)
    ]
    return tuple(sorted(prompts, key=lambda prompt: -prompt.similarity))


def _heat_map(
    catalog: OpenCatalog, subject: Subject, evidence: Evidence, method: str, notes: list[str]
) -> Passes[Pixels, HeatMap] | None:
    if method == "none" or subject.kind is not Kind.PICTURE:
        return None
    if not catalog.has_model:
        notes.append("No heat map: the catalog names no model. Give it with --model.")
        return None
    if subject.pixels is None:
        notes.append(f"No heat map: the picture of {subject.name!r} can't be read any more.")
        return None
    encoder, pixels = catalog.encoder, subject.pixels
    if subject.deciding_box is not None:
        pixels = cut(pixels, subject.deciding_box)
        if not pixels.size:
            notes.append(f"No heat map: the picture of {subject.name!r} is another one now.")
            return None
    prepared, region = encoder.prepare(pixels), seen_region(encoder, pixels)
    if subject.deciding_box is not None:
        region = region.within(subject.deciding_box, subject.pixels)
    if method == "attention":
        traced = trace_attention(encoder, prepared, evidence)
        return Passes(inputs=[], finish=lambda _: _mapped(method, region, *traced))
    passes = occlusion(prepared, evidence)
    return Passes(
        inputs=passes.inputs,
        finish=lambda vectors: _mapped(method, region, *passes.finish(vectors)),
    )


def _mapped(method: str, region: Region, supports: DoubleArray, opposes: DoubleArray) -> HeatMap:
    several = len(supports) > 1
    return HeatMap(
        method=method,
        region=region,
        winner=supports[0],
        runner_up=supports[1] if several else None,
        rather=supports[-1] if several else None,
        opposite=opposes[-1] if several else None,
    )


def _words(
    subject: Subject, decision: PredictedInput, claims: Sequence[IndexArray]
) -> Passes[str, tuple[Word, ...]] | None:
    text = subject.name if subject.kind is Kind.TEXT else subject.title
    if subject.kind is not Kind.TEXT and decision.title is None:
        return None
    evidence_of = decision.evidence if subject.kind is Kind.TEXT else decision.title_evidence
    passes = words_left_out(text, evidence_of(claims))
    return passes if passes.inputs else None
