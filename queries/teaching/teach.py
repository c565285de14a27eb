"""Learns labels from labelled items, as far as held-out examples say that it helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import CatalogError, UsageError
from indexer.jobs.adapt import current
from indexer.labels.examples import LabelledFolder, LabelledItems
from indexer.labels.few_shot import StrengthChoice
from queries.classify import active_labels, head_of
from queries.deciding.calibrated_labels import store_labels
from queries.deciding.predictor_fit import fit_predictor
from queries.deciding.settings import Settings
from queries.teaching.labelled import SEED, read_labelled, refuse_pixels, store_unknown, with_leaves
from queries.teaching.unknown_figures import UnknownFigures, finite_or_none, unknown_figures

EXAMPLES_PER_LABEL = 64
MOST_EXAMPLES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachReport:
    """What ``labels teach`` did.

    Attributes:
        examples: items that are learnt from.
        labels: of how many labels.
        sampled_from: labelled items of these labels: of a label with very many a sample is taken.
        replaced: examples that were there before, which these take the place of.
        untaught_labels: active labels without an example.
        used: whether cross-validation found that they help; if not, nothing changes.
        zero_shot_log_loss: nats an example, held out, without examples.
        log_loss: the same, with the others.
        unknown_items: that are known to be none of the labels.
        unknown_above: the unknown score beyond which an input is unknown; None: none is.
        unknown_figures: of the threshold, by the items given; None where too few were.
        titled_unknown_figures: the same of items with a title; None also where these have no
            threshold of their own.
    """

    examples: int
    labels: int
    sampled_from: int
    replaced: int
    untaught_labels: int
    used: bool
    zero_shot_log_loss: float
    log_loss: float
    discriminant_strength: float
    cache_strength: float
    kernel_strength: float
    unknown_items: int
    unknown_above: float | None
    unknown_figures: UnknownFigures | None
    titled_unknown_figures: UnknownFigures | None


def teach(
    catalog: OpenCatalog,
    *,
    truth: str | None = None,
    file: Path | None = None,
    unknown: Sequence[str] = (),
) -> TeachReport:
    """Learn labels from labelled items, as far as they help.

    Args:
        catalog: opened for writing.
        truth: key of the items' metadata; or
        file: CSV with the columns ``item_id`` and ``label_id``.
        unknown: values that mean "none of the labels"; such items set the threshold of the
            unknown score, and take the place of those that were given before.

    Raises:
        UsageError: no such column, unknown labels, no item with an active label, or pixels
            decide the label set.
        CatalogError: the catalog has no labels.
    """
    refuse_pixels(catalog)
    labels = active_labels(catalog, None)
    labelled = read_labelled(catalog, truth=truth, file=file, unknown=unknown)
    active_items = with_leaves(labelled, labels)
    if active_items is None:
        raise UsageError(
            "none of the labelled items has a label that is a leaf of the taxonomy: there is "
            "nothing to learn from."
        )
    examples = _sample_per_label(active_items)
    folder = LabelledFolder(catalog.folder.labels)
    replaced = _count_before(folder)
    folder.save_items("taught", examples)
    store_labels(folder, "taught", labels)
    store_unknown(folder, labelled, unknown)
    predictor = fit_predictor(
        catalog, head_of(catalog, labels, current(catalog)), Settings(), save=True
    )
    # What cross-validation has chosen lies only in the file of the fits.
    choice = StrengthChoice(**folder.fits()["few_shot"]["choice"])
    return TeachReport(
        examples=len(examples),
        labels=len(set(examples.label_ids)),
        sampled_from=len(active_items),
        replaced=replaced,
        untaught_labels=len(labels) - len(set(examples.label_ids)),
        used=choice.helps,
        zero_shot_log_loss=choice.zero_shot_log_loss,
        log_loss=choice.log_loss,
        discriminant_strength=choice.discriminant_strength,
        cache_strength=choice.cache_strength,
        kernel_strength=choice.kernel_strength,
        unknown_items=len(folder.items("unknown") or ()),
        unknown_above=finite_or_none(predictor.unknown_above),
        unknown_figures=unknown_figures(catalog, predictor),
        titled_unknown_figures=unknown_figures(catalog, predictor, titled=True),
    )


def _count_before(folder: LabelledFolder) -> int:
    try:
        return len(folder.items("taught") or ())
    except CatalogError:  # damaged: teaching again is the remedy
        return 0


def _sample_per_label(items: LabelledItems) -> LabelledItems:
    """A sample of each label: few enough to compare every query with all of them."""
    places: dict[str, list[int]] = {}
    for row in np.random.default_rng(SEED).permutation(len(items)).tolist():
        places.setdefault(items.label_ids[row], []).append(row)
    most = max(1, min(EXAMPLES_PER_LABEL, MOST_EXAMPLES // len(places)))
    return items.take(sorted(row for rows in places.values() for row in rows[:most]))
