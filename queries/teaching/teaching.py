"""Labelled items of a catalog, to learn from and to calibrate on."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.catalog.opening import Catalog
from indexer.catalog.parts import ItemRows, mean_vectors
from indexer.core.cells import restored
from indexer.core.errors import UsageError
from indexer.core.records import BoolArray, DoubleArray
from indexer.jobs.adapt import current
from indexer.labels.examples import LabelledFolder, LabelledItems
from indexer.labels.few_shot import StrengthChoice
from indexer.labels.measured import is_by_pixels
from queries.classify import active_labels, head_of
from queries.deciding.calibrated_labels import store_labels
from queries.deciding.calibration import items_for_precision
from queries.deciding.predictor import Predictor
from queries.deciding.predictor_fit import fit_predictor, scores_and_hits
from queries.deciding.scorer_fit import (
    FEWEST_ITEMS,
    calibration_items,
    fit_scorer,
    with_active_labels,
)
from queries.deciding.settings import Settings
from queries.evaluation.metrics import expected_calibration_error
from queries.evaluation.truth import TruthLabels, text_of
from queries.teaching.unknown_figures import UnknownFigures, unknown_figures

EXAMPLES_PER_LABEL = 64
MOST_EXAMPLES = 20_000
MOST_CALIBRATING = 5_000
_SEED = 0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachReport:
    """What ``labels teach`` did.

    Attributes:
        examples: items that are learnt from.
        labels: of how many labels.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateReport:
    """What ``labels calibrate`` did.

    Attributes:
        items: labelled items that scores are calibrated on.
        titled_items: those of them that are scored by their titles too.
        accuracy: share of them whose best label is right.
        temperature: in units of the labels' own: below 1 scores were too cautious.
        calibration_error: expected calibration error on these items, after fitting.
        unknown_above: the unknown score beyond which an input is unknown; None: none is.
        min_score: to accept from for the target precision, without a title; None where
            none was asked for or none reaches it.
        titled_min_score: the same with a title.
        coverage: share of the items that are accepted then.
        more_items: that the target precision takes beside these, if they are like them; None
            where it is reached, and where no number is known to.
        unknown_items: that are known to be none of the labels.
        unknown_figures: of the threshold, by the items given; None where too few were.
        titled_unknown_figures: the same of items with a title; None also where these have no
            threshold of their own.
    """

    items: int
    titled_items: int
    accuracy: float
    temperature: float
    calibration_error: float
    unknown_above: float | None
    min_score: float | None
    titled_min_score: float | None
    coverage: float | None
    more_items: int | None
    unknown_items: int
    unknown_figures: UnknownFigures | None
    titled_unknown_figures: UnknownFigures | None


def teach(
    catalog: Catalog,
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
    _refuse_pixels(catalog)
    labels = active_labels(catalog, None)
    labelled = read_labelled(catalog, truth=truth, file=file, unknown=unknown)
    active_items = with_active_labels(labelled, labels)
    if active_items is None:
        raise UsageError(
            "none of the labelled items has a label that is a leaf of the taxonomy: there is "
            "nothing to learn from."
        )
    examples = _sample_per_label(active_items)
    folder = LabelledFolder(catalog.folder.labels)
    folder.save_taught(examples)
    store_labels(folder, "taught", labels)
    _store_unknown(folder, labelled, unknown)
    predictor = fit_predictor(
        catalog, head_of(catalog, labels, current(catalog)), Settings(), save=True
    )
    choice = StrengthChoice(**folder.fits()["few_shot"]["choice"])
    return TeachReport(
        examples=len(examples),
        labels=len(set(examples.label_ids)),
        untaught_labels=len(labels) - len(set(examples.label_ids)),
        used=choice.helps,
        zero_shot_log_loss=choice.zero_shot_log_loss,
        log_loss=choice.log_loss,
        discriminant_strength=choice.discriminant_strength,
        cache_strength=choice.cache_strength,
        kernel_strength=choice.kernel_strength,
        unknown_items=_count_unknown(folder),
        unknown_above=_finite(predictor.unknown_above),
        unknown_figures=unknown_figures(catalog, predictor),
        titled_unknown_figures=unknown_figures(catalog, predictor, titled=True),
    )


def _refuse_pixels(catalog: Catalog) -> None:
    """Refuse a label set that embeddings do not decide.

    Raises:
        UsageError: pixels decide it.
    """
    if is_by_pixels(catalog.folder.labels):
        name = catalog.folder.set_name
        raise UsageError(
            f"label set {name!r} is decided by pixels, which labelled items neither teach nor "
            f"calibrate. Embeddings decide it after: zeroshelf labels pixels --off --set {name}"
        )


def calibrate(
    catalog: Catalog,
    *,
    truth: str | None = None,
    file: Path | None = None,
    unknown: Sequence[str] = (),
    settings: Settings | None = None,
) -> CalibrateReport:
    """Fit the temperature and the thresholds to labelled items.

    Args:
        catalog: opened for writing.
        truth: key of the items' metadata; or
        file: CSV with the columns ``item_id`` and ``label_id``.
        unknown: as ``teach`` takes it.
        settings: with a target precision, also say from which score on so many labels are
            right; the share of titles, level and back-off are those that the report is of.

    Raises:
        UsageError: no such column, unknown labels, too few items that the labels were not
            taught by, or pixels decide the label set.
        CatalogError: the catalog has no labels.
    """
    _refuse_pixels(catalog)
    labels = active_labels(catalog, None)
    labelled = read_labelled(catalog, truth=truth, file=file, unknown=unknown)
    active_items = with_active_labels(labelled, labels)
    count = 0 if active_items is None else len(active_items)
    if active_items is None or count < FEWEST_ITEMS:
        raise UsageError(
            f"calibrating takes {FEWEST_ITEMS} labelled items at least, whose label is a leaf of "
            f"the taxonomy, and is good from about 100 on: there {'is' if count == 1 else 'are'} "
            f"{count}. Label more items."
        )
    sample = np.sort(np.random.default_rng(_SEED).permutation(count)[:MOST_CALIBRATING])
    items = active_items.take(sample.tolist())
    folder = LabelledFolder(catalog.folder.labels)
    head = head_of(catalog, labels, current(catalog))
    untaught = calibration_items(
        fit_scorer(catalog, head, save=True), with_active_labels(folder.taught(), labels), items
    )
    if untaught is None:
        raise UsageError(
            "the labels were taught by these items, so they look surer on them than on others: "
            "calibrate on other items. Until then scores have the temperature that "
            "cross-validation gave when they were taught."
        )
    folder.save_calibrating(items)
    store_labels(folder, "calibrating", labels)
    _store_unknown(folder, labelled, unknown)
    predictor = fit_predictor(catalog, head, settings or Settings(), save=True)
    titled = untaught.titled if predictor.fusion is not None else untaught.take(())
    scores, right = scores_and_hits(predictor, untaught)
    return CalibrateReport(
        items=len(untaught),
        titled_items=len(titled),
        accuracy=float(right.mean()),
        temperature=predictor.scorer.temperature * predictor.scorer.unit,
        calibration_error=float(expected_calibration_error(scores, right)),
        unknown_above=_finite(predictor.unknown_above),
        more_items=_more_items(predictor, scores, right),
        unknown_items=_count_unknown(folder),
        unknown_figures=unknown_figures(catalog, predictor),
        titled_unknown_figures=unknown_figures(catalog, predictor, titled=True),
        **_thresholds(predictor, untaught, scores),
    )


def _more_items(predictor: Predictor, scores: DoubleArray, right: BoolArray) -> int | None:
    """How many more labelled items the target precision takes; None where it is reached."""
    target, starts = predictor.settings.target_precision, [predictor.min_score]
    if predictor.fusion is not None:
        starts.append(predictor.fusion.min_score)
    if target is None or all(map(math.isfinite, starts)):
        return None
    needed = items_for_precision(scores, right, target)
    return None if needed is None else max(1, needed - len(scores))


def _store_unknown(folder: LabelledFolder, labelled: LabelledItems, unknown: Sequence[str]) -> None:
    """Store the items of no label; without values for them the stored ones stay."""
    if not unknown:
        return
    rows = [row for row, label_id in enumerate(labelled.label_ids) if not label_id]
    if len(rows) < FEWEST_ITEMS:
        _log.warning(
            "%d items are none of the labels by --unknown: a threshold of the unknown score takes "
            "%d at least, so they are kept and not used.",
            len(rows),
            FEWEST_ITEMS,
        )
    sample = np.random.default_rng(_SEED).permutation(len(rows))[:MOST_CALIBRATING]
    folder.save_unknown(labelled.take(sorted(rows[place] for place in sample.tolist())))


def _count_unknown(folder: LabelledFolder) -> int:
    unknown = folder.unknown()
    return 0 if unknown is None else len(unknown)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _thresholds(
    predictor: Predictor, items: LabelledItems, scores: DoubleArray
) -> dict[str, float | None]:
    """The scores to accept from for the target precision, and the share of items accepted."""
    if predictor.settings.target_precision is None:
        return {"min_score": None, "titled_min_score": None, "coverage": None}
    starts = np.full(len(items), predictor.min_score)
    if predictor.fusion is not None and items.titles is not None:
        starts[items.titles.any(axis=1)] = predictor.fusion.min_score
    titled_min_score = math.inf if predictor.fusion is None else predictor.fusion.min_score
    return {
        "min_score": _finite(predictor.min_score),
        "titled_min_score": _finite(titled_min_score),
        "coverage": float((scores >= starts).mean()),
    }


def read_labelled(
    catalog: Catalog,
    *,
    truth: str | None = None,
    file: Path | None = None,
    unknown: Sequence[str] = (),
) -> LabelledItems:
    """The catalog's items whose label is known, in the archive's order.

    Args:
        truth: key of the items' metadata, whose values are label ids, names or paths; or
        file: CSV with the columns ``item_id`` and ``label_id``.
        unknown: values that mean "none of the labels"; the id of such an item's label is empty.

    Raises:
        UsageError: neither or both are given, no such column, or unknown labels.
    """
    if (truth is None) == (file is None):
        raise UsageError("say where the labels are: either a FILE, or --truth COLUMN.")
    file_labels = _read_file(file) if file is not None else None
    none_of = set(map(text_of, unknown))
    ids: list[str] = []
    values: list[Any] = []
    none = np.empty((0, catalog.archive.width), dtype=np.float32)
    vectors, titles = [none], [none]
    keys: set[str] = set()
    for items, names, metadata in _items(catalog):
        keys.update(*metadata)
        shard_values = [
            fields.get(truth or "") if file_labels is None else file_labels.get(name)
            for name, fields in zip(names, metadata, strict=True)
        ]
        listed = [truth is not None or name in (file_labels or {}) for name in names]
        rows = [
            row
            for row, value in enumerate(shard_values)
            if text_of(value) or ("" in none_of and listed[row])
        ]
        ids += [names[row] for row in rows]
        values += [shard_values[row] for row in rows]
        if rows:
            shard, places = items.shard, items.rows[rows]
            shard_titles = catalog.archive.title_vectors(shard)
            views = items.views(catalog.archive, catalog.archive.vectors(shard)[items.rows])
            vectors.append(mean_vectors(*views)[rows])
            titles.append(
                np.zeros_like(vectors[-1]) if shard_titles is None else shard_titles[places]
            )
    if file_labels is not None:
        _report_missing(catalog, file_labels, ids, file)
    elif truth not in keys:
        columns = ", ".join(sorted(keys)) or "none"
        raise UsageError(f"--truth {truth!r}: the items have no such column. They have: {columns}.")
    title_vectors = np.concatenate(titles)
    return LabelledItems(
        tuple(ids),
        _label_ids(catalog, values, truth, none_of),
        np.concatenate(vectors),
        title_vectors if title_vectors.any() else None,
    )


def _items(catalog: Catalog) -> Iterator[tuple[ItemRows, list[str], list[Mapping[str, Any]]]]:
    for shard in catalog.ledger.shards():
        items = catalog.ledger.items_in(shard)
        table = catalog.archive.table(shard, ["item_id", "metadata_json"]).take(items.rows)
        names = items.item_ids(table.column("item_id")).to_pylist()
        texts = table.column("metadata_json").to_pylist()
        yield items, names, [json.loads(text) for text in texts]


def _label_ids(
    catalog: Catalog, values: Sequence[Any], truth: str | None, none_of: set[str]
) -> tuple[str, ...]:
    """Ids of labels; the empty text for the values that mean none of them."""
    resolver = TruthLabels(catalog.label_set.labels)
    for name in sorted(none_of.difference(map(text_of, values))):
        _log.warning("--unknown %r: no item has this value.", name)
    fitting = [[""] if text_of(value) in none_of else resolver.find(value) for value in values]
    problems: dict[str, tuple[int, list[str]]] = {}
    for value, label_ids in zip(values, fitting, strict=True):
        if len(label_ids) != 1:
            count = problems.get(text_of(value), (0, label_ids))[0]
            problems[text_of(value)] = (count + 1, label_ids)
    resolver.refuse(problems, truth or "label_id", otherwise="or leave such items without a value")
    return tuple(label_ids[0] for label_ids in fitting)


def _read_file(file: Path) -> dict[str, str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names = reader.fieldnames or []
            if not {"item_id", "label_id"} <= set(names):
                raise UsageError(
                    f"{str(file)!r} must have the columns item_id and label_id in its first line; "
                    f"it has: {', '.join(names) or 'none'}."
                )
            label_ids = {
                restored(row["item_id"]): restored(row["label_id"] or "") for row in reader
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{str(file)!r} can't be read: {error}.") from error
    if not any(label.strip() for label in label_ids.values()):
        raise UsageError(
            f"{str(file)!r} has no labelled items, so there is nothing to learn from: give each a "
            "row with its item_id and its label_id."
        )
    return label_ids


def _report_missing(
    catalog: Catalog, file_labels: Mapping[str, str], ids: Sequence[str], file: Path | None
) -> None:
    missing = {name for name, label in file_labels.items() if label.strip()} - set(ids)
    if len(missing) and not ids:
        raise UsageError(
            f"catalog {catalog.folder.name!r} has none of the items that {str(file)!r} names, such "
            f"as {min(missing)!r}: name the catalog that they are in with --catalog, or correct "
            "the ids."
        )
    if missing:
        _log.warning(
            "%d items of %s are not in the catalog, such as %r.", len(missing), file, min(missing)
        )


def _sample_per_label(items: LabelledItems) -> LabelledItems:
    """A sample of each label: few enough to compare every query with all of them."""
    places: dict[str, list[int]] = {}
    for row in np.random.default_rng(_SEED).permutation(len(items)).tolist():
        places.setdefault(items.label_ids[row], []).append(row)
    most = max(1, min(EXAMPLES_PER_LABEL, MOST_EXAMPLES // len(places)))
    return items.take(sorted(row for rows in places.values() for row in rows[:most]))
