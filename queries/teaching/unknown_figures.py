"""How well the unknown score tells known from unknown items, by the items that were given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from indexer.catalog.opening import OpenCatalog
from queries.deciding.predictor import Predictor
from queries.deciding.unknown_fit import UnknownScores, scores_of_labelled_items
from queries.evaluation.metrics import auroc


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownFigures:
    """What the threshold of the unknown score does to the items that it was fitted to.

    Attributes:
        above: the unknown score beyond which an input is unknown; None where no threshold
            lowers the number of errors.
        auroc: of the unknown score, of unknown items against known ones.
        known_called_unknown: share of the known items that lie beyond the threshold.
        unknown_called_known: share of the unknown items that do not.
    """

    above: float | None
    auroc: float
    known_called_unknown: float
    unknown_called_known: float

    @classmethod
    def of(cls, scores: UnknownScores) -> UnknownFigures:
        """The figures of such scores at their threshold."""
        above = scores.threshold()
        is_unknown = np.repeat([False, True], [len(scores.known), len(scores.unknown)])
        return cls(
            above=finite_or_none(above),
            auroc=auroc(np.concatenate([scores.known, scores.unknown]), is_unknown),
            known_called_unknown=float((scores.known > above).mean()),
            unknown_called_known=float((scores.unknown <= above).mean()),
        )


def unknown_figures(
    catalog: OpenCatalog, predictor: Predictor, *, titled: bool = False
) -> UnknownFigures | None:
    """The figures of the catalog's labelled items; ``titled``: of those with a title, by it too.

    None where too few items of either kind were given, and with titles where these have no
    threshold of their own.
    """
    if titled and predictor.fusion is None:
        return None
    scores = scores_of_labelled_items(catalog, predictor, titled=titled)
    return None if scores is None else UnknownFigures.of(scores)


def finite_or_none(threshold: float) -> float | None:
    """A threshold for reports; None for one that no score reaches."""
    return threshold if math.isfinite(threshold) else None
