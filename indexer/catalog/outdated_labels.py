"""Labels that were removed or renamed since items got them, or people gave them to items.

Items keep the label of the last ``categorize --write-back``: filters find them by it until the next
one, so whoever reads it is told. Examples, calibrating items and verdicts of a label that is gone
are kept, and count no more: whoever removes it is told.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.corrections import CorrectionFile
from indexer.catalog.decisions import DecisionFiles
from indexer.core.errors import CatalogError
from indexer.core.label_sets import CATEGORY, set_option, sets_option
from indexer.labels.examples import LabelledFolder
from indexer.labels.sets import LabelSet
from indexer.store.filters import stored_labels

_log = logging.getLogger(__name__)


def is_outdated(label_set: LabelSet, label_id: str | None, name: str | None) -> bool:
    """Whether a stored label is no longer in the set, or has another name there."""
    if not label_id:  # nothing was decided, or no label fits
        return False
    place = label_set.places.get(label_id)
    return place is None or label_set.labels[place].name != name


def count_outdated_labels(catalog: OpenCatalog) -> int:
    """The rows whose stored label, of the catalog's label set, is outdated.

    Raises:
        CatalogError: labels or decisions are damaged.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    files = DecisionFiles(catalog.folder.decisions)
    count = 0
    for shard in catalog.ledger.shards():
        decisions = files.table(shard)
        if decisions is None:
            continue
        stored = decisions.select(["label_id", "label"])
        # The pairs are few; which rows are the newest of their items is asked only where needed.
        pairs = stored.group_by(stored.column_names).aggregate([]).to_pylist()
        outdated = [pair for pair in pairs if is_outdated(catalog.label_set, *pair.values())]
        if not outdated:
            continue
        rows = stored.take(pa.array(catalog.ledger.live_rows(shard)))
        for pair in outdated:
            is_pair = pc.and_(*(pc.equal(rows[name], value) for name, value in pair.items()))
            count += int(np.count_nonzero(is_pair.to_numpy()))
    return count


def notes_of_change(catalog: OpenCatalog, previous: LabelSet) -> Iterator[str]:
    """What is to be told after a change of the labels: of what still names labels that are gone.

    Args:
        catalog: with the labels after the change.
        previous: the labels before it.
    """
    for notes in (_notes_of_stored(catalog), _notes_of_given(catalog, previous)):
        try:
            yield from notes
        except CatalogError as error:  # the labels are changed already
            yield str(error)


def _notes_of_stored(catalog: OpenCatalog) -> Iterator[str]:
    """Of items that keep labels which were removed or renamed."""
    if count := count_outdated_labels(catalog):
        rows = "row" if catalog.ledger.parts.exist else "item"
        yield _note(catalog, f"{count:,} {rows}{'' if count == 1 else 's'}", count)


def _notes_of_given(catalog: OpenCatalog, previous: LabelSet) -> Iterator[str]:
    """Of labelled items and verdicts that count no more, by this change."""
    folder, file = LabelledFolder(catalog.folder.labels), CorrectionFile(catalog.folder.corrections)
    taught, calibrating = folder.items("taught"), folder.items("calibrating")
    removed = previous.places.keys() - catalog.label_set.places.keys()
    # Only leaves are learnt. A person may give an item any label.
    no_leaves = previous.leaves.places.keys() - catalog.label_set.leaves.places.keys()
    labelled = (
        ("taught examples", () if taught is None else taught.label_ids, no_leaves),
        ("calibrating items", () if calibrating is None else calibrating.label_ids, no_leaves),
        ("verdicts of people", [row.label_id for row in file.all().values()], removed),
    )
    lost = {
        noun: [label_id for label_id in label_ids if label_id in gone]
        for noun, label_ids, gone in labelled
    }
    counts = [f"{len(label_ids):,} {noun}" for noun, label_ids in lost.items() if label_ids]
    if counts:
        example = next(label_id for label_ids in lost.values() for label_id in label_ids)
        yield (
            f"{', '.join(counts)} are of labels that were removed, or that have others below them "
            f"now, such as {example!r}. They are kept, and count again when the label is back. To "
            "move them to other labels, put it back with zeroshelf labels add, and then change "
            "labels with: zeroshelf labels migrate FILE --mapping "
            f"TABLE{set_option(catalog.folder.set_name)}"
        )


def notes_of_found(
    catalog: OpenCatalog, hits: Sequence[tuple[str, str, Mapping[str, Any]]]
) -> Iterator[str]:
    """What is to be told where items that a search found have outdated labels.

    Args:
        hits: the label's id, its name, and the attributes of each item.
    """
    for at_set in catalog.sets:
        name = at_set.folder.set_name
        stored: list[tuple[str | None, str | None]]
        if name == CATEGORY:
            stored = [(label_id, label) for label_id, label, _ in hits]
        else:
            stored = [(held.get(f"{name}_label_id"), held.get(name)) for _, _, held in hits]
        if not any(label_id for label_id, _ in stored):
            continue
        if count := sum(is_outdated(at_set.label_set, *pair) for pair in stored):
            yield _note(at_set, f"{count:,} of the {len(hits):,} items shown", count)


def notes_of_filter(catalog: OpenCatalog, expression: str) -> Iterator[str]:
    """What is to be told of a filter by labels, where some of the stored ones are outdated.

    It finds items by a label that is gone, and none by the new name of one that was renamed.
    """
    named = stored_labels(expression)
    for at_set in catalog.sets if named else ():
        name = at_set.folder.set_name
        fields = {"label"} if name == CATEGORY else {name, f"{name}_label_id"}
        if not named.isdisjoint(fields) and (count := count_outdated_labels(at_set)):
            yield _note(at_set, f"{count:,} of the catalog's rows", count)


def _note(catalog: OpenCatalog, items: str, count: int) -> str:
    set_name = catalog.folder.set_name
    of_set = "" if set_name == CATEGORY else f" of the set {set_name!r}"
    has, them = ("has", "it") if count == 1 else ("have", "them")
    return (
        f"{items} {has} a label{of_set} that was removed or renamed since, and filters find {them} "
        "by it. Decide again with: zeroshelf categorize --to categories.parquet --write-back"
        f"{sets_option(set_name)}"
    )
