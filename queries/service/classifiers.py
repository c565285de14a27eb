"""Classifiers of the opened catalog, one for each question that requests ask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import CatalogError, ZeroshelfError
from indexer.core.records import FloatArray
from queries.classify import Classifier
from queries.deciding.question import Question
from queries.results import Prediction
from queries.service.current_catalog import OpenedCatalog

MOST_CLASSIFIERS = 16
"""Each has the embeddings of its active labels in memory."""

QuestionedVector = tuple[FloatArray, FloatArray | None, Question]
"""A vector, that of its title or None, and what is asked of them."""


class Classifiers:
    """Makes classifiers as they are asked for, and keeps them while the catalog stays the same.

    All of it is used from the thread of the catalog.
    """

    def __init__(self, opened: OpenedCatalog) -> None:
        self._opened = opened
        self._by_question: dict[Question, Classifier] = {}
        self._catalog: OpenCatalog | None = None

    def of_question(self, question: Question) -> Classifier:
        """The classifier of the catalog as it is on disk now.

        Raises:
            CatalogError: the catalog has no labels.
            TaxonomyError: an unknown label in the question.
        """
        catalog = self._opened.current()
        if catalog is not self._catalog:
            self._by_question.clear()
            self._catalog = catalog
        if question not in self._by_question:
            if len(self._by_question) >= MOST_CLASSIFIERS:
                self._by_question.pop(next(iter(self._by_question)))
            self._by_question[question] = Classifier(catalog, question, by_search=False)
        return self._by_question[question]

    def classify_batch(self, batch: list[QuestionedVector]) -> list[list[Prediction] | Exception]:
        """The best labels of each vector, or the error of its question."""
        groups: dict[tuple[Question, bool, int], list[int]] = {}
        for place, (vector, title, question) in enumerate(batch):
            groups.setdefault((question, title is not None, len(vector)), []).append(place)
        answers: list[list[Prediction] | Exception] = [[] for _ in batch]
        for (question, titled, _), places in groups.items():
            vectors = np.array([batch[place][0] for place in places])
            titles = np.array([batch[place][1] for place in places]) if titled else None
            predictions: Sequence[list[Prediction] | Exception]
            try:
                predictions = self._classify(question, vectors, titles)
            except ZeroshelfError as error:  # of this question: those beside it are answered
                predictions = [error] * len(places)
            for place, answer in zip(places, predictions, strict=True):
                answers[place] = answer
        return answers

    def _classify(
        self, question: Question, vectors: FloatArray, titles: FloatArray | None
    ) -> list[list[Prediction]]:
        width = self._opened.current().fingerprint.width
        if vectors.shape[1] != width:
            raise CatalogError(
                f"an input was embedded in {vectors.shape[1]} dimensions, and the catalog has "
                f"{width}: another model has taken over. Ask again."
            )
        classifier = self.of_question(question)
        return classifier.classify(vectors, titles=titles, limit=question.limit)
