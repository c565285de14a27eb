"""Which labels a table was made with: by the version that ``categorize`` wrote in each row."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.catalog.opened import Catalog
from indexer.labels.sets import LabelSet
from queries.classify import labels_in_play
from queries.evaluation.result_table import Table, text_of

COLUMN = "label_version"
"""Its values begin with the version of the labels in play; ``+`` and the adaptation follow."""

_SHOWN = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InPlay:
    """The labels that competed in a table.

    Attributes:
        labels: as far as they are known: those that occur in the table, at least.
        version: of the labels in play then.
        certain: whether ``labels`` are all of them.
        restricted: whether they are not simply all leaves of the catalog.
    """

    labels: LabelSet
    version: str
    certain: bool
    restricted: bool


def in_play(catalog: Catalog, table: Table, restrict_to: Sequence[str] | None) -> InPlay:
    """The labels that competed in a table, as far as it can be told.

    They are those that are named, or all leaves, where the table's version is theirs or it
    has none. Else those that occur in it, where theirs is the version: then the table was
    made with ``--labels``. Else the catalog has other labels now, which is warned of.
    """
    given = labels_in_play(catalog, restrict_to)
    named = restrict_to is not None
    versions = sorted(_versions(table))
    if versions in ([], [given.version]):
        return InPlay(labels=given, version=given.version, certain=True, restricted=named)
    occurring = catalog.label_set.subset(_occurring(catalog, table))
    if versions == [occurring.version]:
        return InPlay(labels=occurring, version=occurring.version, certain=True, restricted=True)
    told = ", ".join(one[:_SHOWN] for one in versions)
    _log.warning(
        "table %s was made with other labels than %s of catalog %r (label version %s, now %s): "
        "what it says of labels that came or went since is not measured. Run zeroshelf categorize "
        "again%s.",
        table.path,
        "the --labels given" if named else "the present ones",
        catalog.folder.name,
        told,
        given.version[:_SHOWN],
        "" if named else ", or name the labels that it was made with by --labels",
    )
    return InPlay(labels=occurring, version=versions[0], certain=False, restricted=named)


def _versions(table: Table) -> set[str]:
    if COLUMN not in table.columns:
        return set()
    return {text_of(one).partition("+")[0] for one in set(table.values(COLUMN))} - {""}


def _occurring(catalog: Catalog, table: Table) -> list[str]:
    places = catalog.label_set.places
    found = {text_of(one) for name in table.label_columns for one in set(table.values(name))}
    return [one for one in found if one in places]
