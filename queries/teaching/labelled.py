"""Labelled items of a catalog: read from a column or a file, and those of no label stored."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from indexer.catalog.item_rows import CatalogItems, ItemRows
from indexer.catalog.item_vectors import mean_vectors
from indexer.catalog.opening import OpenCatalog
from indexer.core.cells import restored
from indexer.core.errors import UsageError
from indexer.core.parts import is_box_id
from indexer.core.records import FloatArray, IndexArray
from indexer.labels.examples import LabelledFolder, LabelledItems
from indexer.labels.measured import is_by_pixels
from queries.deciding.scorer_fit import FEWEST_ITEMS
from queries.evaluation.truth import TruthLabels, text_of

MOST_STORED = 5_000
"""Items to calibrate on, and items of no label, at most: a sample where there are more."""

SEED = 0

_log = logging.getLogger(__name__)


def read_labelled(
    catalog: OpenCatalog,
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
    keys: set[str] = set()
    catalog_items = catalog.ledger.items()
    labelled: dict[int, IndexArray] = {}
    for items, names, metadata in _described(catalog, catalog_items):
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
            labelled[items.shard] = items.rows[rows]
    if file_labels is not None:
        _report_missing(catalog, file_labels, ids, file)
    elif truth not in keys:
        columns = ", ".join(sorted(keys)) or "none"
        raise UsageError(f"--truth {truth!r}: the items have no such column. They have: {columns}.")
    label_ids = _label_ids(catalog, values, truth, none_of)
    _warn_of_boxes(catalog, ids)
    return LabelledItems(tuple(ids), label_ids, *_vectors(catalog, catalog_items.only(labelled)))


def _warn_of_boxes(catalog: OpenCatalog, ids: Sequence[str]) -> None:
    """Items with boxes are decided by their best part, and their mean vectors are used here."""
    if not catalog.ledger.parts.exist:
        return
    parts = catalog.ledger.parts.rows_of(ids)
    with_boxes = sum(any(is_box_id(row.row_id) for row in rows) for rows in parts.values())
    if with_boxes:
        _log.warning(
            "%s of the labelled items have boxes. The mean of an item's parts is used here, and "
            "categorize decides by its best part, so figures and probabilities hold "
            "for --view-pooling mean: give categorize that option where they matter.",
            f"{with_boxes:,}",
        )


def _described(
    catalog: OpenCatalog, catalog_items: CatalogItems
) -> Iterator[tuple[ItemRows, list[str], list[Mapping[str, Any]]]]:
    for items in catalog_items:
        table = catalog.archive.table(items.shard, ["item_id", "metadata_json"]).take(items.rows)
        names = items.item_ids(table.column("item_id")).to_pylist()
        texts = table.column("metadata_json").to_pylist()
        yield items, names, [json.loads(text) for text in texts]


def _vectors(
    catalog: OpenCatalog, catalog_items: CatalogItems
) -> tuple[FloatArray, FloatArray | None]:
    """float32 (n, d): the mean vectors of items, and those of their titles; None without any."""
    archive = catalog.archive
    none = np.empty((0, archive.width), dtype=np.float32)
    vectors, titles = [none], [none]
    for items in catalog_items.with_vectors(catalog.folder.root):
        vectors.append(mean_vectors(*items.views(archive.vectors(items.shard))))
        of_shard = archive.title_vectors(items.shard)
        titles.append(np.zeros_like(vectors[-1]) if of_shard is None else of_shard[items.rows])
    title_vectors = np.concatenate(titles)
    return np.concatenate(vectors), title_vectors if title_vectors.any() else None


def _label_ids(
    catalog: OpenCatalog, values: Sequence[Any], truth: str | None, none_of: set[str]
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
    catalog: OpenCatalog, file_labels: Mapping[str, str], ids: Sequence[str], file: Path | None
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


def refuse_pixels(catalog: OpenCatalog) -> None:
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


def store_unknown(folder: LabelledFolder, labelled: LabelledItems, unknown: Sequence[str]) -> None:
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
    sample = np.random.default_rng(SEED).permutation(len(rows))[:MOST_STORED]
    folder.save_unknown(labelled.take(sorted(rows[place] for place in sample.tolist())))


def count_unknown(folder: LabelledFolder) -> int:
    """Stored items of no label."""
    unknown = folder.unknown()
    return 0 if unknown is None else len(unknown)
