"""Writes the labels of a catalog's files to its ``labels`` collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.catalog.folder import CatalogFolder
from indexer.core.errors import CatalogError
from indexer.core.records import EmbeddedLabel
from indexer.labels.adaptation import Adaptation
from indexer.labels.head import stored_rows, stored_version
from indexer.labels.set_settings import read_settings
from indexer.labels.sets import LabelSet

if TYPE_CHECKING:
    from indexer.store import Database

StoredLabels = tuple[LabelSet, Adaptation | None]
"""The label set and its adaptation, of which the ``labels`` collection is made."""


def labels_are_stored(database: Database, folder: CatalogFolder, expected: StoredLabels) -> bool:
    """Whether the collection holds these labels, by its version and its number of rows.

    Args:
        folder: of the catalog's generation, at the label set.
    """
    name, number, set_name = folder.name, folder.number, folder.set_name
    if database.label_version(name, number, set_name=set_name) != stored_version(*expected):
        return False
    labels = database.labels(name, number, set_name=set_name)
    # Milvus Lite reads every row to count some of them: 130 us a label of each command.
    if folder.set_names() == (set_name,) and labels.count_all_sets() == len(expected[0]):
        return True
    return labels.count() == len(expected[0])


def write_labels(
    database: Database,
    folder: CatalogFolder,
    previous: StoredLabels | None,
    target: StoredLabels,
) -> None:
    """Change a label set's rows of the ``labels`` collection from one state to another.

    Args:
        folder: of the catalog's generation, at the label set.
        previous: their state after the last completed command; None where unknown.
    """
    name, number, set_name = folder.name, folder.number, folder.set_name
    version = database.label_version(name, number, set_name=set_name)
    # Another version was written by a killed command, or from another folder: compare all rows.
    if previous is not None and version != stored_version(*previous):
        previous = None
    collection = database.labels(name, number, set_name=set_name)
    labels, rows = target[0], list(_rows(target))
    if previous is None:
        stored_ids = collection.label_ids()
    else:
        stored_ids = list(previous[0].places)
        previous_rows = {row.label.label_id: row for row in _rows(previous)}
        rows = [
            row for row in rows if not _is_unchanged(previous_rows.get(row.label.label_id), row)
        ]
    collection.delete([label_id for label_id in stored_ids if label_id not in labels.places])
    collection.upsert(rows)
    collection.flush()
    # Last: after a kill the old version says that the rows have to be written again.
    database.set_label_version(name, stored_version(*target), number, set_name=set_name)
    write_settings(database, folder)


def write_settings(database: Database, folder: CatalogFolder) -> None:
    """Keep a label set's gate and other settings with its labels, where they are others."""
    name, number, set_name = folder.name, folder.number, folder.set_name
    try:
        settings = read_settings(folder.labels)
    except CatalogError:
        return  # told where the set is decided; the database keeps the gate that it has
    if database.label_settings(name, number, set_name=set_name) != settings:
        database.set_label_settings(name, settings, number, set_name=set_name)


def _rows(state: StoredLabels) -> Iterator[EmbeddedLabel]:
    labels, adaptation = state
    return labels.rows(stored_rows(labels, adaptation))


def _is_unchanged(old: EmbeddedLabel | None, row: EmbeddedLabel) -> bool:
    names = ("label", "position", "is_leaf", "definition_hash")
    return (
        old is not None
        and all(getattr(old, name) == getattr(row, name) for name in names)
        and bool((old.vector == row.vector).all())
    )
