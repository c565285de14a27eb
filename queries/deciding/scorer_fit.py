"""Fit a scorer to the active labels: few-shot examples, temperature, background words.

Each fit is stored with a version of its inputs. It is fitted again when an input changes.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.catalog.sampling import sampled_vectors
from indexer.core.label_sets import set_option, sets_option
from indexer.core.records import FloatArray, IndexArray, Label
from indexer.core.softmax import fit_confidence_temperature
from indexer.jobs.adapt import fit_to, fitted_now, still_serves
from indexer.labels.adaptation import TEMPERATURE, Adaptation
from indexer.labels.corrections import ScoredItems
from indexer.labels.examples import Background, LabelledFolder, LabelledItems
from indexer.labels.few_shot import FewShot, StrengthChoice, frequencies_of
from indexer.labels.files import AdaptationFolder
from indexer.labels.gates import GateFile
from indexer.labels.head import Head
from indexer.labels.sets import LabelSet
from indexer.labels.strengths import ScoreBlend, choose_strengths
from queries.deciding.fusion import fit_fusion, title_blend
from queries.deciding.scorer import Scorer
from queries.deciding.settings import TEXT_WEIGHT
from queries.deciding.unknown import foreign_words, other_concepts, shares_world, word_weights

_METHOD = "kernel ridge; untaught labels keep their share of the catalog"
"""The method of choosing strengths. Strengths stored by another method are chosen again."""

_WEIGHED = "words weighed by the catalog"
"""The method of weighting background words. Words weighted by another method are fitted again."""

FEWEST_ITEMS = 10
"""Labelled items below which no temperature is fitted."""

_SCORES_AT_ONCE = 8_000_000

SAMPLE = 2_000
"""Size of the sample of catalog items that means are taken over."""

_log = logging.getLogger(__name__)


def fit_scorer(catalog: OpenCatalog, head: Head, *, save: bool = False) -> Scorer:
    """Fit a scorer: the head, the catalog's few-shot examples and a calibrated temperature.

    Args:
        head: of the active labels.
        save: store what was fitted; the catalog is opened for writing. Without, a warning tells
            that it is fitted each time.
    """
    folder = LabelledFolder(catalog.folder.labels)
    taught, items = (
        with_active_labels(folder.items("taught"), head.labels),
        with_active_labels(folder.items("calibrating"), head.labels),
    )
    if taught is None and items is None:
        return Scorer(head=head, unit=1.0, temperature=1.0)
    stored_fits = folder.fits()
    fits = dict(stored_fits)
    zero_shot = zero_shot_scorer(head, lambda: sampled_vectors(catalog, SAMPLE))
    scorer = zero_shot if taught is None else _fit_examples(catalog, zero_shot, taught, fits)
    scorer = _calibrate(scorer, zero_shot, taught, items, fits)
    if save and fits != stored_fits:
        folder.save_fits(fits)
    if not save and fits.get("few_shot") != stored_fits.get("few_shot"):
        _log.warning(
            "what was taught to catalog %r was weighed anew, and will be each time: labels, items "
            "or this version are others than it was kept for. To keep it, run zeroshelf "
            "categorize%s with the same options, or zeroshelf labels teach%s.",
            catalog.folder.name,
            sets_option(catalog.folder.set_name),
            set_option(catalog.folder.set_name),
        )
    return scorer


def with_active_labels(labelled: LabelledItems | None, labels: LabelSet) -> LabelledItems | None:
    """The items whose label is active; None where there is none."""
    if labelled is None:
        return None
    rows = [row for row, label_id in enumerate(labelled.label_ids) if label_id in labels.places]
    return labelled.take(rows) if rows else None


def truth_rows(labelled: LabelledItems, labels: LabelSet) -> IndexArray:
    """int64 (n,): the rows of the items' labels among the active ones."""
    return np.array([labels.places[label_id] for label_id in labelled.label_ids], dtype=np.int64)


def calibration_items(
    scorer: Scorer, taught: LabelledItems | None, items: LabelledItems | None
) -> LabelledItems | None:
    """The calibrating items that are no few-shot examples; None where they are too few.

    Where examples do not help, the scorer does not use them, and all calibrating items count.
    """
    unseen = items
    if scorer.few_shot is not None and items is not None:
        taught_ids = set(taught.item_ids) if taught is not None else set()
        unseen = items.take(
            row for row, item_id in enumerate(items.item_ids) if item_id not in taught_ids
        )
    return unseen if unseen is not None and len(unseen) >= FEWEST_ITEMS else None


def stored_calibration_items(catalog: OpenCatalog, scorer: Scorer) -> LabelledItems | None:
    """The catalog's calibrating items with an active label, as ``calibration_items`` has them."""
    folder, labels = LabelledFolder(catalog.folder.labels), scorer.head.labels
    return calibration_items(
        scorer,
        with_active_labels(folder.items("taught"), labels),
        with_active_labels(folder.items("calibrating"), labels),
    )


def fit_background(
    catalog: OpenCatalog, head: Head, *, save: bool = False
) -> tuple[Adaptation, Background] | None:
    """Adapt labels and background words to the catalog together.

    None without a vocabulary, where its words do not resemble the labels (``shares_world``),
    where the labels are not adapted, or where the catalog has too few items.
    """
    background = LabelledFolder(catalog.folder.labels).background()
    if background is None or not head.is_adapted:
        return None
    labels = head.labels
    words = without_labels(background, labels)
    if not shares_world(labels.vectors, words.vectors):
        return None
    joint = LabelSet(
        labels=labels.labels
        + tuple(Label(label_id=word, name=word, path=(word,)) for word in words.words),
        definitions=labels.definitions + words.words,
        vectors=np.concatenate([labels.vectors, words.vectors]),
    )
    folder = AdaptationFolder(catalog.folder.labels / "background")
    version = _hash(labels.version, words.version, _WEIGHED)
    fitted = folder.load()
    if (
        fitted is not None
        and fitted.label_version == version
        and fitted.gate_version == GateFile(catalog.folder.labels).version
        and still_serves(catalog, fitted.catalog_items)
    ):
        return fitted.adaptation, words
    adaptation = fit_to(catalog, joint)
    if adaptation is None:
        return None
    adaptation = weight_words(adaptation, len(labels), sampled_vectors(catalog, SAMPLE))
    if save:
        folder.save(fitted_now(catalog, adaptation, version))
    return adaptation, words


def weight_words(joint: Adaptation, label_count: int, sample: FloatArray) -> Adaptation:
    """Add the weight of each word to its bias; see ``word_weights``.

    Args:
        joint: the labels and then the words, adapted together.
        label_count: how many of them are labels.
        sample: float32 (n, d), of the catalog.
    """
    sample = sample[:: -(-sample.shape[0] * len(joint.vectors) // _SCORES_AT_ONCE) or 1]
    scores = (joint.queries(sample) @ joint.vectors.T + joint.biases) / joint.spread
    weights = word_weights(scores[:, :label_count], scores[:, label_count:], TEMPERATURE)
    biases = joint.biases.copy()
    biases[label_count:] += (TEMPERATURE * joint.spread * weights).astype(np.float32)
    return replace(joint, biases=biases)


def without_labels(background: Background, labels: LabelSet) -> Background:
    """The background words that are no label, neither by name nor by vector."""
    rows = foreign_words(background.words, labels.labels)
    rows = rows[other_concepts(labels.vectors, background.vectors[rows])]
    return Background(tuple(background.words[row] for row in rows), background.vectors[rows])


def zero_shot_scorer(head: Head, sample: Any) -> Scorer:
    """The head with its scores in units of the spread, at its own temperature."""
    if head.is_adapted:
        return Scorer(head=head, unit=1 / TEMPERATURE, temperature=TEMPERATURE)
    logits = Scorer(head=head, unit=1.0, temperature=1.0).scores(sample())
    spread = float(logits.std(axis=1).mean()) if logits.size else 1.0
    # Scores of a single label have no spread, and those of equal ones differ by rounding.
    unit = spread if spread > 1e-9 else 1.0
    return Scorer(head=head, unit=unit, temperature=1 / unit)


def _fit_examples(
    catalog: OpenCatalog, zero_shot: Scorer, taught: LabelledItems, fits: dict[str, Any]
) -> Scorer:
    head = zero_shot.head
    truth = truth_rows(taught, head.labels)
    queries = head.queries(taught.vectors)[:, :-1]
    titled = taught.titles is not None
    weight = [repr(TEXT_WEIGHT)] if titled else []
    version = _hash(_METHOD, head.version, taught.version, *weight)
    scores = zero_shot.scores(taught.vectors)
    stored = fits.get("few_shot", {})
    if stored.get("version") == version and still_serves(catalog, stored["items"]):
        choice = StrengthChoice(**stored["choice"])
    else:
        temperature = zero_shot.temperature
        vectors = sampled_vectors(catalog, SAMPLE)
        sample = ScoredItems(head.queries(vectors)[:, :-1], zero_shot.scores(vectors))
        choice = choose_strengths(
            queries,
            scores,
            truth,
            frequencies_of(sample.scores, temperature),
            temperature,
            catalog=sample,
            decided=_title_blend(catalog, zero_shot, taught),
        )
        fits["few_shot"] = {
            "version": version,
            "items": catalog.ledger.count(),
            "choice": asdict(choice),
        }
    few_shot = None
    if choice.helps:
        few_shot = FewShot.of(queries, scores, truth, choice, zero_shot.temperature)
    return Scorer(
        head=head,
        unit=zero_shot.unit,
        temperature=choice.temperature if choice.helps else zero_shot.temperature,
        few_shot=few_shot,
        calibrated=choice.helps,
    )


def _title_blend(
    catalog: OpenCatalog, zero_shot: Scorer, taught: LabelledItems
) -> ScoreBlend | None:
    """The blend of the examples' scores with their titles' at the default share."""
    if taught.titles is None:
        return None
    fusion = fit_fusion(catalog, zero_shot, TEXT_WEIGHT)
    return None if fusion is None else title_blend(fusion, taught.titles, TEXT_WEIGHT)


def _calibrate(
    scorer: Scorer,
    zero_shot: Scorer,
    taught: LabelledItems | None,
    items: LabelledItems | None,
    fits: dict[str, Any],
) -> Scorer:
    """Fit the temperature to calibrating items; without them the examples' own stays."""
    calibrating = calibration_items(scorer, taught, items)
    if calibrating is None:
        return scorer
    learnt = taught.version if taught is not None else ""
    strengths: list[str] = []
    if scorer.few_shot is not None:
        strengths = [repr(scorer.few_shot.choice.strengths)]
    version = _hash(zero_shot.head.version, learnt, calibrating.version, *strengths)
    stored = fits.get("temperature", {})
    if stored.get("version") == version:
        temperature = float(stored["value"])
    else:
        truth = truth_rows(calibrating, scorer.head.labels)
        temperature = fit_confidence_temperature(scorer.scores(calibrating.vectors), truth)
        fits["temperature"] = {"version": version, "value": temperature, "items": len(calibrating)}
    return Scorer(
        head=scorer.head,
        unit=scorer.unit,
        temperature=temperature,
        few_shot=scorer.few_shot,
        calibrated=True,
        uncalibrated_temperature=scorer.temperature,
    )


def _hash(*versions: str) -> str:
    return hashlib.blake2b("+".join(versions).encode(), digest_size=16).hexdigest()
