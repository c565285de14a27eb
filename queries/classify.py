"""Label new inputs by nearest-neighbour search over the label collection."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import CatalogError, UsageError
from indexer.core.label_sets import CATEGORY, set_option, sets_option
from indexer.core.protocols import Encoder
from indexer.core.records import FloatArray, Label
from indexer.core.vectors import unit_rows
from indexer.jobs.adapt import fit_to
from indexer.labels import taxonomy
from indexer.labels.adaptation import Adaptation
from indexer.labels.head import Head, adapted_or_plain, best_prompt, plain
from indexer.labels.prompts import Pooling
from indexer.labels.sets import LabelSet, embed, empty
from queries.deciding.predictor import NOTHING, Predictions, Predictor
from queries.deciding.predictor_fit import fit_picture_predictor, with_titles, zero_shot_predictor
from queries.deciding.question import Question
from queries.deciding.settings import Settings
from queries.results import Prediction
from queries.scoring.ranking import SPARE_CANDIDATES, rank_candidates

_log = logging.getLogger(__name__)


class Classifier:
    """Labels vectors by the labels of a catalog.

    Milvus finds the best labels; their inner products are then taken exactly, and scored
    over all active labels, so that a bulk job gives the same answer. A head that is not
    the one in Milvus (other active labels, or plain ones of an adapted catalog) is
    scored in memory, and any other without ``by_search``: with the same answer.

    Args:
        question: the active labels, and how they decide. Adapted labels are those that the
            catalog has, if it has some; for other labels than all leaves, or after a change of
            the labels, they are fitted again, to the items of the catalog, and not kept.
        by_search: let Milvus find the best labels. A classifier that is kept for many queries
            is faster in memory: scoring 32 vectors by 82 labels took 0.6 ms, and a search of
            Milvus Lite 38 ms.

    Raises:
        CatalogError: the catalog has no labels.
        TaxonomyError: an unknown or ambiguous name of a label.
        UsageError: the settings ask for what the catalog does not have.
    """

    def __init__(
        self,
        catalog: OpenCatalog,
        question: Question = Question(),
        *,
        by_search: bool = True,
    ) -> None:
        if question.set_name is not None:
            catalog = catalog.of_set(question.set_name)
        labels = active_labels(catalog, question.labels)
        # Only searches warn when the database lags behind the archive, as it does for a moment
        # while the labels change.
        collection = catalog.labels if by_search else None
        by_mean = question.pooling is Pooling.MEAN
        adaptation = _adaptation_of(catalog, labels) if question.adapt and by_mean else None
        self._head = head_of(catalog, labels, adaptation, pooling=question.pooling)
        self._catalog = catalog
        self._question = question
        self._predictor = fit_picture_predictor(catalog, self._head, question.settings)
        self._only = None if question.labels is None else list(labels.places)
        in_milvus = by_search and by_mean and adaptation is catalog.adaptation
        self._collection = collection if in_milvus else None

    @property
    def predictor(self) -> Predictor:
        """The predictor for inputs without a title."""
        return self._predictor

    @cached_property
    def titled_predictor(self) -> Predictor:
        """The predictor for inputs of which some have a title."""
        predictor = with_titles(self._catalog, self._predictor)
        if predictor.fusion is None and self._predictor.settings.title_share:
            _log.warning(
                "titles are left out: too few items of catalog %r have a title that was embedded, "
                "so there is nothing to weigh one against. Ingest items with their titles.",
                self._catalog.folder.name,
            )
        return predictor

    def _check(self, vectors: FloatArray, titles: FloatArray | None) -> None:
        width = self._catalog.fingerprint.width
        if vectors.ndim != 2 or (len(vectors) and vectors.shape[1] != width):
            raise UsageError(f"vectors of shape {vectors.shape}: give (n, {width}).")
        if not unit_rows(vectors).all():
            raise UsageError("a vector is not finite or not of length 1: normalise it before.")
        if titles is not None and titles.shape != vectors.shape:
            raise UsageError(f"titles of shape {titles.shape}: give {vectors.shape}, one for each.")

    def classify(
        self, vectors: FloatArray, *, titles: FloatArray | None = None, limit: int | None = None
    ) -> list[list[Prediction]]:
        """The best labels for each vector.

        Args:
            vectors: float32 (n, d), rows of length 1, by the catalog's model.
            titles: float32 (n, d), vectors of the inputs' titles by the same model; zeros
                where an input has none, None where none has.
            limit: labels for each; None is the question's.

        Returns:
            A list for each vector, best first.

        Raises:
            UsageError: vectors of another shape, or of a row that is not of length 1; or not as
                many titles.
        """
        vectors = np.asarray(vectors)
        self._check(vectors, titles)
        head = self._head
        limit = min(limit or self._question.limit, len(head))
        if self._predictor.settings.coverage is not None:
            predictor = (
                self.titled_predictor if titles is not None and titles.any() else self._predictor
            )
            return _sets(predictor, vectors, titles)
        if titles is not None and titles.any():
            predictor = self.titled_predictor
            return predictions(predictor.predict(vectors, limit=limit, titles=titles), predictor)
        if self._predictor.scores_all or self._collection is None or not len(vectors):
            return predictions(self._predictor.predict(vectors, limit=limit), self._predictor)
        hits_of = self._collection.search(
            head.queries(vectors),
            limit=min(limit + SPARE_CANDIDATES, len(head)),
            label_ids=self._only,
            leaves_only=True,
        )
        candidates = np.array(
            [[head.labels.places[hit.fields["label_id"]] for hit in hits] for hits in hits_of]
        )
        sharpened = self._predictor.scorer.sharpened
        ranking = rank_candidates(vectors, sharpened, candidates, limit=limit)
        return predictions(self._predictor.predict_ranked(vectors, ranking), self._predictor)


def _adaptation_of(catalog: OpenCatalog, labels: LabelSet) -> Adaptation | None:
    """What labels are adapted by for a question; None for a catalog that has no adaptation."""
    are_leaves = labels.version == catalog.label_set.leaves.version
    if catalog.adaptation_is_outdated:
        _log.warning(
            "the labels of catalog %r have changed since they were fitted to its items: they are "
            "fitted again for this question alone. Run zeroshelf categorize%s, or zeroshelf labels "
            "adapt%s, to fit them once for all.",
            catalog.folder.name,
            sets_option(catalog.folder.set_name),
            set_option(catalog.folder.set_name),
        )
        return fit_to(catalog, labels)
    if catalog.adaptation is None or are_leaves:
        return catalog.adaptation
    return fit_to(catalog, labels)


def head_of(
    catalog: OpenCatalog,
    labels: LabelSet,
    adaptation: Adaptation | None,
    *,
    pooling: Pooling = Pooling.MEAN,
) -> Head:
    """The head for active labels, plain without an adaptation.

    Raises:
        UsageError: the best prompt is asked for, and no label has prompts.
    """
    if pooling is Pooling.MAX:
        return best_prompt(labels, catalog.prompts, catalog.fingerprint.logit_scale)
    return adapted_or_plain(labels, adaptation, catalog.fingerprint.logit_scale)


def classify_among(
    encoder: Encoder,
    vectors: FloatArray,
    names: Sequence[str],
    question: Question = Question(),
    *,
    templates: Sequence[str],
) -> list[list[Prediction]]:
    """Label vectors by names that are not stored.

    Args:
        vectors: float32 (n, d), rows of length 1, by the same encoder.
        names: the candidate labels.
        question: limit, pooling and settings; such labels have no levels.
        templates: prompt templates.

    Raises:
        UsageError: the settings ask for levels, or for what labelled items give.
    """
    _refuse_candidates(question.settings)
    labels = [Label(label_id=name, name=name, path=(name,)) for name in dict.fromkeys(names)]
    # Names from the command line or a program: an empty or overlong one is refused here.
    taxonomy.check(labels)
    label_set, prompt_set, _ = embed(
        empty(vectors.shape[1]), labels, templates=templates, embed_texts=encoder.embed_texts
    )
    scale = encoder.fingerprint.logit_scale
    by_mean = question.pooling is Pooling.MEAN
    head = plain(label_set, scale) if by_mean else best_prompt(label_set, prompt_set, scale)
    predictor = zero_shot_predictor(head, encoder, question.settings)
    return predictions(predictor.predict(vectors, limit=question.limit), predictor)


def active_labels(catalog: OpenCatalog, restrict_to: Sequence[str] | None) -> LabelSet:
    """The leaves of the catalog's taxonomy, or the labels that ids or names choose.

    A label with others below it stands for its leaves: it would compete with its own children
    for every item. With a single active label every item gets it, and that is warned of.

    Raises:
        CatalogError: the catalog has no labels.
        TaxonomyError: an unknown or ambiguous name.
    """
    labels = catalog.label_set
    if not len(labels):
        raise CatalogError(
            f"catalog {catalog.folder.name!r} has no labels{_in_set(catalog)}. Add some with: "
            f"zeroshelf labels add FILE{set_option(catalog.folder.set_name)} (classify also takes "
            "--candidate-labels)."
        )
    active = labels.leaves
    if restrict_to is not None:
        above = taxonomy.ancestors(labels.labels)
        named = set(taxonomy.resolve(labels.labels, restrict_to))
        leaves = [label_id.label_id for label_id in active.labels]
        active = labels.subset(
            [label_id for label_id in leaves if label_id in named or named & set(above[label_id])]
        )
    if len(active) == 1:
        _log.warning(
            "label %r is the only active one: every input gets it, with a score of 1. Add others, "
            "or name more of them, to have something to decide.",
            active.labels[0].label_id,
        )
    return active


def _in_set(catalog: OpenCatalog) -> str:
    set_name = catalog.folder.set_name
    return "" if set_name == CATEGORY else f" in its label set {set_name!r}"


def predictions(predicted: Predictions, predictor: Predictor) -> list[list[Prediction]]:
    """Predictions with the labels' names and paths, a list for each input."""
    labels = (*predictor.labels.labels, NOTHING)
    ranking = predicted.ranking
    columns = (ranking.labels, ranking.scores, ranking.similarities, predicted.statuses)
    rows = zip(*columns, predicted.unknown_scores, strict=True)
    return [
        [
            Prediction(
                label=(label := labels[place]).name,
                label_id=label.label_id,
                score=float(score),
                similarity=0.0 if np.isnan(similarity) else float(similarity),
                path=label.path,
                status=status.value,
                unknown_score=float(unknown),
            )
            for place, score, similarity, status in zip(*row, strict=True)
        ]
        for *row, unknown in rows
    ]


def _sets(
    predictor: Predictor, vectors: FloatArray, titles: FloatArray | None
) -> list[list[Prediction]]:
    """The predictions of each vector's set of labels."""
    sizes = [len(label_set) for label_set in predictor.sets(vectors, titles)]
    predicted = predictor.predict(vectors, limit=max(sizes, default=1), titles=titles)
    return [
        label_set[:size]
        for label_set, size in zip(predictions(predicted, predictor), sizes, strict=True)
    ]


def _refuse_candidates(settings: Settings) -> None:
    settings.check()
    needs_catalog = (
        settings.level,
        settings.back_off,
        settings.target_precision,
        settings.coverage,
    )
    if any(value is not None for value in needs_catalog):
        raise UsageError(
            "--candidate-labels have no taxonomy and no labelled items: --level, --back-off, "
            "--target-precision and --coverage are for the labels of a catalog."
        )
