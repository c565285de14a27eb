"""Which labels a table was made with: by their version in each row, and by their level."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.catalog.opening import OpenCatalog
from indexer.labels.sets import LabelSet
from queries.classify import active_labels
from queries.evaluation.result_table import Table, text_of

COLUMN = "label_version"
"""Its values begin with the version of the active labels; ``+`` and the adaptation follow."""

_SHOWN = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLabels:
    """The active labels of a table.

    Attributes:
        labels: the active labels, or at least those that occur in the table.
        version: of the active labels when the table was made.
        certain: whether ``labels`` are all active labels.
        restricted: whether they were chosen; else they are all leaves of the catalog.
    """

    labels: LabelSet
    version: str
    certain: bool
    restricted: bool


def find_table_labels(
    catalog: OpenCatalog, table: Table, restrict_to: Sequence[str] | None
) -> TableLabels:
    """The active labels of a table, as far as its label version tells them.

    - The table has no version, or that of the labels named here (all leaves where none are
      named): these labels.
    - It has the version of all leaves, or of the labels that occur in it: these. It was made
      without ``--labels``, or with them. Where others are named here, a warning says so.
    - It has another version: the catalog's labels have changed since. The labels that occur are
      taken, and a warning says so.
    """
    current_labels = active_labels(catalog, restrict_to)
    named = restrict_to is not None
    versions = sorted(_versions(table))
    if versions in ([], [current_labels.version]):
        return TableLabels(
            labels=current_labels, version=current_labels.version, certain=True, restricted=named
        )
    occurring = catalog.label_set.subset(_occurring(catalog, table))
    leaves = catalog.label_set.leaves
    for labels in (leaves, occurring):
        if versions == [labels.version]:
            if named:
                _log.warning(
                    "table %s was made with %s, not with the --labels given: it is measured with "
                    "its own. To measure others, run zeroshelf categorize with the same --labels.",
                    table.path,
                    "all labels" if labels is leaves else f"{len(labels):,} labels",
                )
            return TableLabels(
                labels=labels,
                version=labels.version,
                certain=True,
                restricted=labels is not leaves,
            )
    table_versions = ", ".join(version[:_SHOWN] for version in versions)
    _log.warning(
        "table %s was made with other labels than %s of catalog %r (label version %s, now %s): "
        "what it says of labels that came or went since is not measured. Run zeroshelf categorize "
        "again%s.",
        table.path,
        "the --labels given" if named else "the present ones",
        catalog.folder.name,
        table_versions,
        current_labels.version[:_SHOWN],
        "" if named else ", or name the labels that it was made with by --labels",
    )
    return TableLabels(labels=occurring, version=versions[0], certain=False, restricted=named)


def level_of(catalog: OpenCatalog, table: Table) -> int | None:
    """The level of the taxonomy that ``categorize --level`` decided at, 1 the top.

    The table does not say it. But its labels do: at a level there are nodes of that depth, and
    leaves where a branch ends above it. Labels of ``--back-off`` have no depth in common.

    Returns:
        None where the labels are leaves, or of no common level.
    """
    label_set = catalog.label_set
    labels = [label_set.labels[label_set.places[name]] for name in _occurring(catalog, table)]
    inner = [len(label.path) for label in labels if label.label_id not in label_set.leaves.places]
    if not inner:
        return None
    deepest = max(len(label.path) for label in labels)
    # Only a level gives each further label a path: back-off may have led above it in the first.
    return deepest if "path_2" in table.columns or min(inner) == deepest else None


def _versions(table: Table) -> set[str]:
    if COLUMN not in table.columns:
        return set()
    return {text_of(value).partition("+")[0] for value in set(table.values(COLUMN))} - {""}


def _occurring(catalog: OpenCatalog, table: Table) -> list[str]:
    places = catalog.label_set.places
    label_ids = {
        text_of(value) for name in table.label_columns for value in set(table.values(name))
    }
    return [label_id for label_id in label_ids if label_id in places]
