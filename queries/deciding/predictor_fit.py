"""Fit a predictor to a catalog: its head, few-shot examples, and thresholds from labelled items."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY, set_option
from indexer.core.protocols import Encoder
from indexer.core.records import BoolArray, FloatArray
from indexer.core.softmax import fit_confidence_temperature
from indexer.labels.examples import LabelledFolder, LabelledItems
from indexer.labels.head import Head
from queries.deciding.calibrated_labels import Calibration, calibration_of, check_labels
from queries.deciding.calibration import MIN_SCORE, TRUST, Threshold, threshold_for_precision
from queries.deciding.fusion import Fusion, blocks, fit_fusion
from queries.deciding.multi_label import NEUTRAL_PROMPTS, neutral_fallback
from queries.deciding.prediction_sets import SetRule, fewest_items, set_rule
from queries.deciding.predictor import Predictor
from queries.deciding.rollup import Tree
from queries.deciding.scorer import Scorer
from queries.deciding.scorer_fit import (
    FEWEST_ITEMS,
    fit_background,
    fit_scorer,
    stored_calibration_items,
    truth_rows,
    without_labels,
)
from queries.deciding.settings import Settings
from queries.deciding.unknown_fit import titled_unknown_above, unknown_above

_log = logging.getLogger(__name__)


def fit_predictor(
    catalog: OpenCatalog, head: Head, settings: Settings, *, save: bool = False
) -> Predictor:
    """A predictor of a catalog's vectors, and of titles beside them where its items have some.

    Labels are accepted from ``min_score`` on; else from the score that labelled items
    say gives ``target_precision``; else from the probability that ``back_off`` asks for;
    else from ``MIN_SCORE``. Inputs with a title have a temperature and a threshold of
    their own, by those labelled items that have one (``with_titles``). Inputs are unknown
    beyond the unknown score that parts known from unknown items best, where some of both are
    given and it lowers the number of errors; with a background vocabulary alone, beyond the one
    that 95% of the labelled items stay below, or else where the background is 19 times as likely
    as the labels; with neither none is: how far an input is from its labels tells too little by
    itself.

    Args:
        head: of the active labels.
        settings: checked.
        save: keep what had to be fitted; the catalog is opened for writing.

    Raises:
        UsageError: a target precision without labelled items, or a level that the taxonomy
            does not have.
    """
    return with_titles(
        catalog, fit_picture_predictor(catalog, head, settings, save=save), save=save
    )


def fit_picture_predictor(
    catalog: OpenCatalog, head: Head, settings: Settings, *, save: bool = False
) -> Predictor:
    """As ``fit_predictor``, of inputs that have no title."""
    settings.check()
    _refuse_missing_level(catalog, settings)
    scorer = fit_scorer(catalog, head, save=save)
    background = fit_background(catalog, head, save=save)
    bias = catalog.fingerprint.logit_bias
    predictor = Predictor(
        labels=catalog.label_set,
        scorer=scorer,
        settings=settings,
        logit_scale=catalog.fingerprint.logit_scale,
        background=None if background is None else background[0],
        logit_bias=bias,
        neutral=_neutral(catalog, head) if settings.multi_label and bias is None else None,
        is_attribute=catalog.folder.set_name != CATEGORY,
    )
    return replace(
        predictor,
        min_score=_min_score(catalog, predictor),
        unknown_above=unknown_above(catalog, predictor),
        set_rule=_set_rule(catalog, predictor, titled=False),
    )


def with_titles(catalog: OpenCatalog, predictor: Predictor, *, save: bool = False) -> Predictor:
    """A predictor that takes titles too, at the temperature and threshold of titled items.

    Fewer than ``FEWEST_ITEMS`` labelled items with a title: both stay as they are. It stays
    the same predictor where titles have no share, or no item has one.
    """
    scorer, target = predictor.scorer, predictor.settings.target_precision
    fusion = fit_fusion(catalog, scorer, predictor.settings.title_share, save=save)
    if fusion is None:
        return predictor
    calibrating = stored_calibration_items(catalog, scorer)
    titled = None if calibrating is None else _titled(calibrating)
    if titled is not None:
        fusion = _at_titled_temperature(scorer, fusion, titled)
    fusion = replace(fusion, min_score=predictor.min_score)
    predictor = replace(predictor, fusion=fusion)
    fusion = replace(fusion, unknown_above=titled_unknown_above(catalog, predictor))
    predictor = replace(
        predictor, fusion=fusion, set_rule=_set_rule(catalog, predictor, titled=True)
    )
    if titled is None or target is None:
        return predictor
    threshold = threshold_for_precision(*scores_and_hits(predictor, titled), target)
    min_score = _warn_unreached(target, "with a title ") if threshold is None else threshold.score
    return replace(predictor, fusion=replace(fusion, min_score=min_score))


def with_temperatures(predictor: Predictor, items: LabelledItems) -> Predictor:
    """The same predictor at temperatures that are fitted to other calibrating items.

    Thresholds stay as they are.

    Args:
        items: whose labels are all active, and that were not learnt from.
    """
    predictor = uncalibrated(predictor)
    truth = truth_rows(items, predictor.scorer.head.labels)
    temperature = fit_confidence_temperature(predictor.scorer.scores(items.vectors), truth)
    scorer = replace(predictor.scorer, temperature=temperature)
    fusion, titled = predictor.fusion, _titled(items)
    if fusion is not None and titled is not None:
        fusion = _at_titled_temperature(scorer, fusion, titled)
    return replace(predictor, scorer=scorer, fusion=fusion)


def uncalibrated(predictor: Predictor) -> Predictor:
    """The same predictor at temperatures that no calibrating item helped to fit."""
    before, fusion = predictor.scorer, predictor.fusion
    temperature = before.uncalibrated_temperature or before.temperature
    scorer = replace(before, temperature=temperature, uncalibrated_temperature=None)
    if fusion is not None:
        fusion = fusion.scaled(1 / fusion.unit)
    return replace(predictor, scorer=scorer, fusion=fusion)


def _titled(items: LabelledItems) -> LabelledItems | None:
    """The items with a title; None where they are too few to fit a temperature to."""
    titled = items.titled
    return titled if len(titled) >= FEWEST_ITEMS else None


def _at_titled_temperature(scorer: Scorer, fusion: Fusion, titled: LabelledItems) -> Fusion:
    """The blend in the unit in which the pictures' temperature is that of items with a title."""
    assert titled.titles is not None
    blended = fusion.blend(scorer.scores(titled.vectors), titled.titles)
    temperature = fit_confidence_temperature(blended, truth_rows(titled, scorer.head.labels))
    return fusion.scaled(scorer.temperature / temperature)


def zero_shot_predictor(head: Head, encoder: Encoder, settings: Settings) -> Predictor:
    """A predictor by labels of no catalog, as the model has them.

    Args:
        head: of these labels.
        settings: checked; without what a taxonomy or labelled items are needed for.
    """
    scale, bias = encoder.fingerprint.logit_scale, encoder.fingerprint.logit_bias
    by_neutral = settings.multi_label and bias is None
    return Predictor(
        labels=head.labels,
        scorer=Scorer(head=head, unit=1.0, temperature=1.0),
        settings=settings,
        logit_scale=scale,
        logit_bias=bias,
        neutral=_neutral_prompts(encoder) if by_neutral else None,
        min_score=MIN_SCORE if settings.min_score is None else settings.min_score,
    )


def threshold_for(catalog: OpenCatalog, predictor: Predictor, target: float) -> Threshold | None:
    """The score from which labels are right often enough, by the catalog's labelled items.

    It is for inputs without a title: the items' own titles are left out.
    None where no score reaches the target.

    Raises:
        UsageError: there are no labelled items, or they were given over other labels.
    """
    labels = predictor.scorer.head.labels
    calibrating = stored_calibration_items(catalog, predictor.scorer)
    if calibrating is not None:
        check_labels(catalog, "calibrating", labels, "--target-precision")
        return threshold_for_precision(
            *scores_and_hits(predictor, replace(calibrating, titles=None)), target
        )
    few_shot, settings = predictor.scorer.few_shot, predictor.settings
    if few_shot is None or settings.level is not None or settings.back_off is not None:
        raise UsageError(
            "--target-precision needs labelled items that were not taught: give some with "
            f"zeroshelf labels calibrate --truth COLUMN{set_option(catalog.folder.set_name)}, or "
            "accept by --min-score."
        )
    check_labels(catalog, "taught", labels, "--target-precision")
    return threshold_for_precision(few_shot.choice.confidences, few_shot.choice.right, target)


def calibration(catalog: OpenCatalog, scorer: Scorer) -> Calibration:
    """What makes a catalog's scores probabilities, if anything does."""
    calibrating = stored_calibration_items(catalog, scorer)
    return calibration_of(catalog, scorer, items=0 if calibrating is None else len(calibrating))


def scores_and_hits(
    predictor: Predictor, items: LabelledItems
) -> tuple[npt.NDArray[np.float64], BoolArray]:
    """Scores of labelled items' best nodes, and whether each is the truth or above it.

    Returns:
        float64 (n,) and bool (n,).
    """
    ranking = predictor.rank_best(items.vectors, items.titles)
    tree = Tree.of(predictor.labels.labels)
    nodes = ranking.labels[:, 0]
    truth = np.array(
        [predictor.labels.places[label_id] for label_id in items.label_ids], dtype=np.int64
    )
    right = np.zeros(len(nodes), dtype=bool)
    for depth in np.unique(tree.depths[nodes[nodes >= 0]]):
        right |= (nodes >= 0) & (tree.ancestors_at(int(depth))[truth] == nodes)
    return ranking.scores[:, 0], right


def _min_score(catalog: OpenCatalog, predictor: Predictor) -> float:
    settings = predictor.settings
    if settings.min_score is not None:
        return settings.min_score
    if settings.target_precision is None:
        return MIN_SCORE if settings.back_off is None else settings.back_off
    threshold = threshold_for(catalog, predictor, settings.target_precision)
    if threshold is not None:
        return threshold.score
    return _warn_unreached(settings.target_precision)


def _warn_unreached(target: float, kind: str = "") -> float:
    _log.warning(
        "no score reaches a precision of %g with a confidence of %g by the labelled items: all "
        "labels of inputs %sare for review. Label more items, or ask for less.",
        target,
        TRUST,
        kind,
    )
    return math.inf


def _set_rule(catalog: OpenCatalog, predictor: Predictor, *, titled: bool) -> SetRule | None:
    """Of the sets with the coverage that was asked for; ``titled``: items bring their titles."""
    coverage = predictor.settings.coverage
    if coverage is None:
        return None
    calibrating = stored_calibration_items(catalog, predictor.scorer)
    fewest = fewest_items(coverage)
    count = 0 if calibrating is None else len(calibrating)
    if calibrating is None or count < fewest:
        raise UsageError(
            f"--coverage {coverage:g} takes {fewest} calibrating items at least that were not "
            f"taught: catalog {catalog.folder.name!r} has {count}. "
            "Give more with zeroshelf labels calibrate --truth COLUMN"
            f"{set_option(catalog.folder.set_name)}, or ask for less."
        )
    check_labels(catalog, "calibrating", predictor.scorer.head.labels, "--coverage")
    pairs = blocks(calibrating.vectors, calibrating.titles if titled else None)
    shares = np.concatenate([predictor.uncalibrated_probabilities(*pair) for pair in pairs])
    return set_rule(shares, truth_rows(calibrating, predictor.scorer.head.labels), coverage)


def _neutral(catalog: OpenCatalog, head: Head) -> FloatArray:
    background = LabelledFolder(catalog.folder.labels).background()
    words = None if background is None else without_labels(background, head.labels)
    if words is not None and len(words):
        return words.vectors
    if not catalog.has_model:
        _log.warning(
            "no model is at hand to embed neutral prompts: labels are compared with their mean. "
            "Name the model that made the vectors with --model."
        )
        return neutral_fallback(head.labels.vectors)
    return _neutral_prompts(catalog.encoder)


def _neutral_prompts(encoder: Encoder) -> FloatArray:
    return encoder.embed_texts(NEUTRAL_PROMPTS[encoder.fingerprint.content_kind])


def _refuse_missing_level(catalog: OpenCatalog, settings: Settings) -> None:
    deepest = 1 + max((label.depth for label in catalog.label_set.labels), default=0)
    if settings.level is not None and settings.level > deepest:
        raise UsageError(
            f"--level {settings.level}: the taxonomy of catalog {catalog.folder.name!r} has "
            f"{deepest} level{'s' if deepest > 1 else ''}, counted from 1 at the top."
        )
