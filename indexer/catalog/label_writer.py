"""Brings the ``labels`` collection to what a catalog's files say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.core.records import EmbeddedLabel
from indexer.labels.adaptation import Adaptation
from indexer.labels.head import stored_rows, stored_version
from indexer.labels.sets import LabelSet

if TYPE_CHECKING:
    from indexer.store import Database

StoredLabels = tuple[LabelSet, Adaptation | None]
"""What the ``labels`` collection is made of."""


def are_stored(database: Database, name: str, generation: int, expected: StoredLabels) -> bool:
    """Whether the collection holds these labels, by its version and its number of rows."""
    if database.label_version(name, generation) != stored_version(*expected):
        return False
    return database.labels(name, generation).count() == len(expected[0])


def write_labels(
    database: Database,
    name: str,
    generation: int,
    before: StoredLabels | None,
    after: StoredLabels,
) -> None:
    """Bring the ``labels`` collection from one state to another.

    Args:
        name: of the catalog.
        before: what it held, if the last command ended in order; None where that is not known.
    """
    stored = database.label_version(name, generation)
    if before is not None and stored != stored_version(*before):
        before = None
    collection = database.labels(name, generation)
    labels, rows = after[0], list(_rows(after))
    if before is None:
        held = [row.label.label_id for row in collection.labels()]
    else:
        held = list(before[0].places)
        old = {row.label.label_id: row for row in _rows(before)}
        rows = [row for row in rows if not _same(old.get(row.label.label_id), row)]
    collection.delete([label_id for label_id in held if label_id not in labels.places])
    collection.upsert(rows)
    collection.flush()
    database.set_label_version(name, stored_version(*after), generation)


def _rows(state: StoredLabels) -> Iterator[EmbeddedLabel]:
    labels, adaptation = state
    return labels.rows(stored_rows(labels, adaptation))


def _same(old: EmbeddedLabel | None, row: EmbeddedLabel) -> bool:
    facts = ("label", "position", "is_leaf", "definition_hash")
    return (
        old is not None
        and all(getattr(old, name) == getattr(row, name) for name in facts)
        and bool((old.vector == row.vector).all())
    )
