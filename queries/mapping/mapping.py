"""Maps the labels of one taxonomy to those of another, and makes a table of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from indexer.core.errors import TaxonomyError
from indexer.core.records import Label
from indexer.labels.mapping_files import ResolvedMapping
from queries.mapping.mapper import (
    ACCEPTED_FROM,
    LabelMapping,
    MappingStatus,
    mappings,
    rank_counterparts,
)
from queries.mapping.trees import LabelTree

if TYPE_CHECKING:
    import pyarrow as pa

    from queries.mapping.votes import ItemVotes

FEW_ACCEPTED = 0.2
"""Share of accepted labels below which the two taxonomies are of other words. Google's taxonomy in
German or Dutch has 5% accepted against the English one, of which a fifth is wrong; a shop's own has
half or more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyMapping:
    """The counterparts of all labels of a taxonomy.

    Attributes:
        rows: one for each label of the source, in its order.
        published: the rules that were applied; None where none were given.
        shared_ids: ids that both taxonomies have.
    """

    source: LabelTree
    target: LabelTree
    rows: tuple[LabelMapping, ...]
    published: ResolvedMapping | None
    shared_ids: int

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.count(status):,} {status}" for status in MappingStatus)
        return f"<TaxonomyMapping of {len(self.rows):,} labels: {counts}>"

    def count(self, status: MappingStatus) -> int:
        """The number of labels of a status."""
        return sum(row.status is status for row in self.rows)

    def table(self) -> pa.Table:
        """A row for each label, in the order of the source."""
        import pyarrow as pa

        source, target = self.source, self.target
        texts = {
            "label_id": [source.label_id(row.place) for row in self.rows],
            "path": [source.path(row.place) for row in self.rows],
            "target_id": [target.label_id(row.target) for row in self.rows],
            "target_path": [target.path(row.target) for row in self.rows],
            "status": [row.status.value for row in self.rows],
            "why": [row.why for row in self.rows],
            "second_id": [target.label_id(row.second) for row in self.rows],
            "second_path": [target.path(row.second) for row in self.rows],
        }
        columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
        columns["score"] = pa.array([row.score for row in self.rows], pa.float32())
        columns["second_score"] = pa.array([row.second_score for row in self.rows], pa.float32())
        return pa.table({name: columns[name] for name in COLUMNS})


COLUMNS = (
    "label_id",
    "path",
    "target_id",
    "target_path",
    "score",
    "status",
    "why",
    "second_id",
    "second_path",
    "second_score",
)
"""Columns of the table."""


def map_taxonomy(
    source: Sequence[Label],
    target: Sequence[Label],
    *,
    votes: ItemVotes | None = None,
    published: ResolvedMapping | None = None,
    same_ids: bool = False,
    min_score: float = ACCEPTED_FROM,
) -> TaxonomyMapping:
    """Map each label of the source to one of the target, or to none.

    Args:
        source: checked labels.
        target: likewise; only these can come out.
        votes: of items; None where texts decide alone.
        published: rules that decide where they have one; of several targets the first.
        same_ids: an id means the same in both, as in versions of one taxonomy. Rules come first.
        min_score: from which on a mapping is accepted; others are for review.

    Raises:
        TaxonomyError: one side has no labels.
    """
    for name, labels in (("--from", source), ("--to", target)):
        if not labels:
            raise TaxonomyError(f"{name} has no labels: there is nothing to map.")
    ours, theirs = LabelTree.of(source), LabelTree.of(target)
    target_places = {label.label_id: place for place, label in enumerate(target)}
    shared = [place for place, label in enumerate(source) if label.label_id in target_places]
    decided: dict[int, int] = {}
    why: dict[int, str] = {}
    if same_ids:
        decided |= {place: target_places[source[place].label_id] for place in shared}
        why |= dict.fromkeys(shared, "same id")
    if published is not None:
        for place, label in enumerate(source):
            if label.label_id in published.targets:
                targets = published.targets[label.label_id]
                decided[place] = target_places[targets[0]] if targets else -1
                why[place] = "published mapping"
    ranked = rank_counterparts(ours, theirs, votes, decided=decided)
    rows = tuple(mappings(ranked, min_score=min_score, decided=why))
    if _are_of_other_words(rows, why):
        rows = tuple(_for_review(row) if row.place not in why else row for row in rows)
        _warn_of_other_words(rows, has_items=votes is not None)
    return TaxonomyMapping(
        source=ours,
        target=theirs,
        rows=rows,
        published=published,
        shared_ids=len(shared),
    )


def _are_of_other_words(rows: Sequence[LabelMapping], decided: Mapping[int, str]) -> bool:
    """Whether hardly any label has a sure counterpart, such as between languages."""
    undecided = [row for row in rows if row.place not in decided]
    accepted = sum(row.status is MappingStatus.ACCEPTED for row in undecided)
    return bool(undecided) and accepted < FEW_ACCEPTED * len(undecided)


def _for_review(row: LabelMapping) -> LabelMapping:
    is_accepted = row.status is MappingStatus.ACCEPTED
    return replace(row, status=MappingStatus.REVIEW) if is_accepted else row


def _warn_of_other_words(rows: Sequence[LabelMapping], *, has_items: bool) -> None:
    none = sum(row.status is MappingStatus.NONE for row in rows)
    remedy = (
        "Look at them before they are used"
        if has_items
        else "Items tell more than words then: give a catalog with labelled items by --items"
    )
    _log.warning(
        "the two taxonomies share few words: they may be of different languages, or of different "
        "things. %d of %d labels have no counterpart, and all others are for review. %s.",
        none,
        len(rows),
        remedy,
    )
