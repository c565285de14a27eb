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
from indexer.labels.set_settings import is_by_pixels
from indexer.labels.sets import LabelSet
from queries.classify import Classifier
from queries.deciding.predictor import Predictor
from queries.deciding.predictor_fit import with_titles
from queries.deciding.question import ViewPooling
from queries.deciding.scorer_fit import FEWEST_ITEMS, with_active_labels
from queries.deciding.views import Views, predict_items
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
    return LabelledItems(tuple(ids), label_ids, *_vectors(catalog, catalog_items.only(labelled)))


def with_leaves(labelled: LabelledItems, labels: LabelSet) -> LabelledItems | None:
    """The items whose label is active; warns of those whose label has others below it.

    None where there is none.
    """
    inner = sum(label_id not in labels.places for label_id in labelled.label_ids if label_id)
    if inner:
        _log.warning(
            "labelled items whose label has others below it, and that are left out: %d. Only "
            "leaves are learnt: give them a finer label.",
            inner,
        )
    return with_active_labels(labelled, labels)


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
    """float32 (n, d): the vectors of items, and those of their titles; None without any.

    As in ``categorize``, an item with boxes has the vector of its best part, by the labels as they
    decide now, and any other the mean of its parts.
    """
    archive = catalog.archive
    has_boxes = catalog.ledger.parts.have_boxes
    predictor = _current_predictor(catalog) if has_boxes else None
    none = np.empty((0, archive.width), dtype=np.float32)
    vectors, titles = [none], [none]
    for items in catalog_items.with_vectors(catalog.folder.root, with_ids=has_boxes):
        views, starts = items.views(archive.vectors(items.shard))
        of_shard = archive.title_vectors(items.shard)
        own_titles = None if of_shard is None else of_shard[items.rows]
        if predictor is None:
            vectors.append(mean_vectors(views, starts))
        else:
            row_ids = archive.table(items.shard, ["item_id"]).column("item_id").take(items.rows)
            are_boxes = np.array(list(map(is_box_id, items.view_ids(row_ids))))
            parts = Views(vectors=views, starts=starts, titles=own_titles, are_boxes=are_boxes)
            decided = predict_items(predictor, parts, pooling=ViewPooling.AUTO, limit=1)
            vectors.append(decided.vectors)
        titles.append(np.zeros_like(vectors[-1]) if own_titles is None else own_titles)
    title_vectors = np.concatenate(titles)
    return np.concatenate(vectors), title_vectors if title_vectors.any() else None


def _current_predictor(catalog: OpenCatalog) -> Predictor:
    """What decides on the catalog's items by default."""
    return with_titles(catalog, Classifier(catalog, by_search=False).predictor)


def _label_ids(
    catalog: OpenCatalog, values: Sequence[Any], truth: str | None, none_of: set[str]
) -> tuple[str, ...]:
    """Ids of labels; the empty text for the values that mean none of them."""
    resolver = TruthLabels(catalog.label_set.labels)
    for name in sorted(none_of.difference(map(text_of, values))):
        _log.warning("--unknown %r: no item has this value.", name)
    column, otherwise = truth or "label_id", "or leave such items without a value"
    label_ids = resolver.resolve(values, none_of, column, otherwise=otherwise)
    return tuple(label_id or "" for label_id in label_ids)


def _read_file(file: Path) -> dict[str, str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            first_line = stream.readline()
            stream.seek(0)
            # Spreadsheets write semicolons where the comma is the decimal mark.
            delimiter = next((mark for mark in ",;\t" if mark in first_line), ",")
            reader = csv.DictReader(stream, delimiter=delimiter)
            names = reader.fieldnames or []
            if not {"item_id", "label_id"} <= set(names):
                raise UsageError(
                    f"{str(file)!r} must have the columns item_id and label_id in its first line; "
                    f"it has: {', '.join(names) or 'none'}."
                )
            rows = [
                (restored(row["item_id"] or ""), restored(row["label_id"] or "")) for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{str(file)!r} can't be read: {error}.") from error
    label_ids = dict(rows)
    _report_repeated(rows, label_ids, file)
    if not any(label.strip() for label in label_ids.values()):
        raise UsageError(
            f"{str(file)!r} has no labelled items, so there is nothing to learn from: give each a "
            "row with its item_id and its label_id."
        )
    return label_ids


def _report_repeated(
    rows: Sequence[tuple[str, str]], label_ids: Mapping[str, str], file: Path
) -> None:
    """Warn of items with several rows, of which the last one counts."""
    if len(rows) == len(label_ids):
        return
    overruled = sorted({item_id for item_id, label in rows if label_ids[item_id] != label})
    such_as = f", such as {overruled[0]!r}" if overruled else ""
    _log.warning(
        "%s: the last row of an item counts. Rows that a later one replaces: %d. Items whose rows "
        "have different labels: %d%s.",
        file,
        len(rows) - len(label_ids),
        len(overruled),
        such_as,
    )


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
            "%d item%s of %s %s not in the catalog, such as %r.",
            len(missing),
            "" if len(missing) == 1 else "s",
            file,
            "is" if len(missing) == 1 else "are",
            min(missing),
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
    folder.save_items("unknown", labelled.take(sorted(rows[place] for place in sample.tolist())))
