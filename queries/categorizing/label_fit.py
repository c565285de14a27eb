"""Fits the predictor of a label set, and the gate that says which items it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY
from indexer.jobs.adapt import FitReason, Start, current, fit_to, reason_to_fit
from indexer.labels.adaptation import Adaptation
from indexer.labels.gates import Gate as Branches
from indexer.labels.prompts import Pooling
from indexer.labels.set_settings import is_by_pixels
from indexer.labels.sets import LabelSet
from queries.classify import active_labels, head_of
from queries.deciding.gates import Gate
from queries.deciding.pixel_colours import PixelColours
from queries.deciding.predictor import Predictor
from queries.deciding.predictor_fit import fit_predictor
from queries.deciding.question import Question
from queries.deciding.settings import Settings
from queries.review.corrections import reviewed_decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFit:
    """A label set's predictor, and what its labels were adapted by."""

    predictor: Predictor
    reason: FitReason | None
    adaptation: Adaptation | None


def fit_labels(
    catalog: OpenCatalog, question: Question, start: Start = lambda work: work()
) -> LabelFit:
    """Fit the predictor of one label set.

    Args:
        catalog: at the set.
        start: is given the work of writing fitted labels to the database.
    """
    labels = active_labels(catalog, question.labels)
    reason, adaptation = _adapt(catalog, labels, question, start)
    if catalog.is_writer and (reason is None or adaptation is None):
        # Nothing was fitted now; a killed command may have changed the files only.
        start(catalog.store_labels)
    head = head_of(catalog, labels, adaptation, pooling=question.pooling)
    predictor = fit_predictor(catalog, head, question.settings, save=True)
    return LabelFit(predictor=predictor, reason=reason, adaptation=adaptation)


def question_of(catalog: OpenCatalog, question: Question) -> Question:
    """The question for one label set: a level is the category's, others have none."""
    if catalog.folder.set_name == CATEGORY:
        return question
    return replace(question, settings=replace(question.settings, level=None))


def category_predictor(
    catalog: OpenCatalog,
    question: Question,
    fitted: Sequence[LabelFit],
    start: Start = lambda work: work(),
) -> Predictor:
    """The predictor of the category, which gates go by: of this run, or by the default question.

    Args:
        start: as ``fit_labels`` takes it.
    """
    category = catalog.of_set(CATEGORY)
    for fit in fitted:
        if fit.predictor.labels is category.label_set:
            return fit.predictor
    settings = Settings(text_weight=question.settings.text_weight)
    default = Question(adapt=question.adapt, settings=settings)
    return fit_labels(category, default, start).predictor


def gate_for(catalog: OpenCatalog, category: Predictor | None, branches: Branches) -> Gate | None:
    """The gate of one label set; None where it applies to every item."""
    if not branches or category is None:
        return None
    reviewed = reviewed_decisions(catalog.of_set(CATEGORY))
    return Gate(
        predictor=category,
        branches=tuple(branch.label_id for branch in branches),
        reviewed={item_id: decision.label_id for item_id, decision in reviewed.items()},
    )


def pixels_for(catalog: OpenCatalog, predictor: Predictor) -> PixelColours | None:
    """The pixels' say in a label set; None where embeddings alone decide it.

    Raises:
        UsageError: what was asked for needs probabilities, which pixels do not give.
    """
    if not is_by_pixels(catalog.folder.labels):
        return None
    settings = predictor.settings
    if settings.coverage is not None or settings.target_precision is not None:
        raise UsageError(
            f"label set {catalog.folder.set_name!r} is decided by pixels, whose scores no labelled "
            "item calibrates: leave out --coverage and --target-precision, accept by --min-score, "
            f"or go back with: zeroshelf labels pixels --off --set {catalog.folder.set_name}"
        )
    return PixelColours.of(catalog.folder.measured_colours, predictor)


def _adapt(
    catalog: OpenCatalog, labels: LabelSet, question: Question, start: Start
) -> tuple[FitReason | None, Adaptation | None]:
    """What the labels are adapted by, and why that is fitted now; None where they are not."""
    is_disabled = catalog.adaptation_folder.is_disabled
    if not question.adapt or question.pooling is not Pooling.MEAN or is_disabled:
        return None, None
    if labels.version != catalog.label_set.leaves.version:
        return None, fit_to(catalog, labels)
    return reason_to_fit(catalog), current(catalog, start)
