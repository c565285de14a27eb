"""Vectors of inputs with all their views, and the labels that these give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.core.records import FloatArray, IndexArray
from queries.deciding.question import ViewPooling
from queries.deciding.views import best_views, decides_by_best
from queries.results import PartPrediction, Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class InputViews:
    """All pictures of n inputs, or windows of sounds.

    Attributes:
        vectors: float32 (m, d), rows of length 1, those of an input together.
        starts: int64 (n,), the first row of each input.
        ids: of the m pictures: the id of a stored row, or where a picture lies; of a window also
            its seconds.
        places: where each lies in the file that it is cut from; empty for whole files.
    """

    vectors: FloatArray
    starts: IndexArray
    ids: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedInputs:
    """Query vectors and the inputs that gave none.

    Attributes:
        names: the inputs that were embedded, in order.
        vectors: float32 (n, d), a row a name.
        errors: what went wrong, by the input's place among all; several may have one name.
        titles: float32 (n, d), vectors of the pictures' titles; zeros where one has none,
            None where none has.
        views: each picture of the inputs, whose means ``vectors`` are; None for texts.
    """

    names: tuple[str, ...]
    vectors: FloatArray
    errors: dict[int, str]
    titles: FloatArray | None = None
    views: InputViews | None = None

    def decide(
        self,
        classify: Callable[[FloatArray, FloatArray | None], list[list[Prediction]]],
        pooling: ViewPooling,
    ) -> list[list[Prediction]]:
        """The labels of each input, by all its pictures.

        Args:
            classify: gives the labels of vectors and their titles' vectors, which may be None.
        """
        views = self.views
        if not self.names:  # none could be read
            return []
        if views is None:
            return classify(self.vectors, self.titles)
        ids: list[str] = []
        blocks: list[FloatArray] = []
        ends = np.append(views.starts[1:], len(views.vectors)).tolist()
        for vector, start, end in zip(self.vectors, views.starts.tolist(), ends, strict=True):
            by_best = decides_by_best(pooling, views.ids[start:end])
            ids += views.ids[start:end] if by_best else [""]
            blocks.append(views.vectors[start:end] if by_best else vector[np.newaxis])
        counts = np.array([len(block) for block in blocks], dtype=np.int64)
        titles = None if self.titles is None else np.repeat(self.titles, counts, axis=0)
        vectors = np.concatenate([self.vectors[:0], *blocks])
        return best_views(classify(vectors, titles), np.cumsum(counts) - counts, ids)

    def decide_parts(
        self, classify: Callable[[FloatArray, FloatArray | None], list[list[Prediction]]]
    ) -> list[list[PartPrediction]]:
        """The best label of each window, shot or box of the inputs, without their titles.

        Args:
            classify: as of ``decide``.

        Returns:
            A list for each input; empty for one that is not cut.
        """
        views = self.views
        if views is None or not any(views.places):
            return [[] for _ in self.names]
        cut = [row for row, place in enumerate(views.places) if place]
        answers = classify(views.vectors[cut], None)
        owners = np.searchsorted(views.starts, cut, side="right") - 1
        parts: list[list[PartPrediction]] = [[] for _ in self.names]
        for row, owner, predicted in zip(cut, owners.tolist(), answers, strict=True):
            if predicted:
                best = PartPrediction(place=views.places[row], prediction=predicted[0])
                parts[owner].append(best)
        return parts
