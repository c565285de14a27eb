"""What scores were calibrated by: over which labels, and how far they were off when held out."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import Literal

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.label_sets import set_option
from indexer.labels.examples import LabelledFolder
from indexer.labels.sets import LabelSet
from queries.deciding.scorer import Scorer

MOST_CHANGED = 0.2
"""Share of the labels that may come, go or be reworded before thresholds say too little."""

_KEY_BYTES = 4

Kind = Literal["taught", "calibrating"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the scores of active labels were calibrated by.

    Attributes:
        calibrated: whether by anything: calibrating items, or examples that help.
        items: calibrating items, 0 where it is the cross-validation of examples.
        changed_labels: labels that came, went or were reworded since these items were given.
        labels: active then.
        error: expected calibration error of these items by cross-validation, measured when they
            were given; None where it was not, or where more than a fifth of the labels are others.
        is_exact: whether no error beyond chance was found.
    """

    calibrated: bool
    items: int
    changed_labels: int
    labels: int
    error: float | None = None
    is_exact: bool = False


def store_labels(folder: LabelledFolder, kind: Kind, labels: LabelSet) -> None:
    """Keep which labels are active, beside the labelled items that are given now."""
    folder.save_fits(folder.fits() | {f"{kind}_labels": sorted(_keys(labels))})


def store_held_out(folder: LabelledFolder, error: float, *, is_exact: bool) -> None:
    """Keep how far the scores of the calibrating items are off when these are held out.

    Args:
        error: expected calibration error by cross-validation.
        is_exact: whether it is no more than chance.
    """
    items = folder.items("calibrating")
    if items is not None:
        figures = {"version": items.version, "error": error, "is_exact": is_exact}
        folder.save_fits(folder.fits() | {"held_out": figures})


def calibration_of(catalog: OpenCatalog, scorer: Scorer, *, items: int) -> Calibration:
    """By what a catalog's scores are probabilities.

    Args:
        items: calibrating items whose label is active, and that were not learnt from.
    """
    kind: Kind = "calibrating" if items else "taught"
    labels = scorer.head.labels
    changed, total = (0, 0)
    if scorer.calibrated:
        changed, total = changed_labels(catalog, kind, labels) or (0, len(labels))
    is_measured = items and changed <= MOST_CHANGED * total
    error, is_exact = _held_out(catalog) if is_measured else (None, False)
    return Calibration(
        calibrated=scorer.calibrated,
        items=items,
        changed_labels=changed,
        labels=total,
        error=error,
        is_exact=is_exact,
    )


def changed_labels(catalog: OpenCatalog, kind: Kind, labels: LabelSet) -> tuple[int, int] | None:
    """How many labels came, went or were reworded since, and how many there were.

    A label that was reworded counts once. None where the labels are not recorded: in catalogs
    of earlier versions, and where ``fits.json`` was damaged.
    """
    stored = LabelledFolder(catalog.folder.labels).fits().get(f"{kind}_labels")
    if not isinstance(stored, list):
        return None
    stored_keys, active_keys = set(stored), _keys(labels)
    return max(len(stored_keys - active_keys), len(active_keys - stored_keys)), len(stored_keys)


def check_labels(catalog: OpenCatalog, kind: Kind, labels: LabelSet, option: str) -> None:
    """Refuse a promise over labels that no labelled item was given for.

    Where the labels are not recorded, a warning says so.

    Raises:
        UsageError: more than a fifth of the labels are others.
    """
    counts = changed_labels(catalog, kind, labels)
    command = (
        f"zeroshelf labels {'calibrate' if kind == 'calibrating' else 'teach'} --truth COLUMN "
        f"--catalog {catalog.folder.name}{set_option(catalog.folder.set_name)}"
    )
    if counts is None:
        _log.warning(
            "%s: the labels that scores were fitted over are not recorded, because an earlier "
            "version fitted them or the record was damaged. If labels changed since, the promise "
            "may not hold. To record them, run again: %s",
            option,
            command,
        )
        return
    changed, total = counts
    if changed <= MOST_CHANGED * total:
        return
    of_all = changed_labels(catalog, kind, catalog.label_set.leaves)
    by_score = " Or accept by --min-score." if option == "--target-precision" else ""
    raise UsageError(
        f"{option}: scores were fitted to labelled items over {total:,} labels, and {changed:,} "
        "came, went or were reworded since, or are left out by --labels or --under: it would "
        "promise what was not measured. "
        + (
            "Leave out --labels and --under."
            if of_all is not None and of_all[0] <= MOST_CHANGED * total
            else f"Give labelled items of the labels there are now: {command}"
        )
        + by_score
    )


def _held_out(catalog: OpenCatalog) -> tuple[float | None, bool]:
    """What ``store_held_out`` kept of the items that calibrate now."""
    folder = LabelledFolder(catalog.folder.labels)
    stored, items = folder.fits().get("held_out", {}), folder.items("calibrating")
    if items is None or stored.get("version") != items.version:
        return None, False
    return stored["error"], stored["is_exact"]


def _keys(labels: LabelSet) -> set[str]:
    pairs = zip(labels.labels, labels.vectors, strict=True)
    return {_key(label.label_id, vector.tobytes()) for label, vector in pairs}


def _key(label_id: str, vector: bytes) -> str:
    return hashlib.blake2b(label_id.encode() + vector, digest_size=_KEY_BYTES).hexdigest()
