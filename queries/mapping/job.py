"""The whole way of a mapping: both sides read, rules and items heard, each label mapped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from indexer.catalog.options import CatalogOptions
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY
from indexer.core.watch import Watch
from indexer.labels.mapping_files import ResolvedMapping, read_mappings, resolve
from queries.mapping.mapper import ACCEPTED_FROM
from queries.mapping.mapping import TaxonomyMapping, map_taxonomy
from queries.mapping.measures import MappingMeasures, measure
from queries.mapping.sides import Side, read_side
from queries.mapping.votes import ItemVotes, has_labelled_items, item_votes


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingOptions:
    """How labels are mapped.

    Attributes:
        rules: a file of rules that decide where there is one; None for none.
        compare: a file of rules that the mapping is measured by; None for none.
        items: catalog whose items vote; None is that of the source, where it has labelled items.
        truth: key of these items' metadata with labels of the source; None takes decisions.
        by_items: let items vote at all.
        same_ids: an id means the same in both taxonomies.
        min_score: from which on a mapping is accepted.
        from_set: label set of the source, where that is a catalog.
        to_set: label set of the target, likewise.
    """

    rules: Path | None = None
    compare: Path | None = None
    items: str | None = None
    truth: str | None = None
    by_items: bool = True
    same_ids: bool = False
    min_score: float = ACCEPTED_FROM
    from_set: str = CATEGORY
    to_set: str = CATEGORY


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingResult:
    """A mapping, and what it came from.

    Attributes:
        votes: of items; None where texts decided alone.
        unlabelled: the catalog of the source has items, and none has a label yet.
        compared: the rules that it was measured by, with the measures; None for none.
    """

    mapping: TaxonomyMapping
    votes: ItemVotes | None
    unlabelled: bool
    compared: tuple[ResolvedMapping, MappingMeasures] | None


_HERE = CatalogOptions()


def map_labels(
    source: str | Path,
    target: str | Path,
    how: MappingOptions = MappingOptions(),
    *,
    catalogs: CatalogOptions = _HERE,
    watch: Watch = Watch(),
) -> MappingResult:
    """Map the labels of one taxonomy to those of another.

    Args:
        source: a catalog's name, or a label file.
        target: likewise.
        how: rules, items, thresholds.
        catalogs: name the data folder; and a model, where labels have to be embedded.
        watch: follows the prompts embedded.

    Raises:
        UsageError: no such catalog, label set or file, both sides are the same labels, or no item
            has a label of the source.
        TaxonomyError: a file is no valid taxonomy or mapping, or has no labels.
    """
    ours = read_side(str(source), catalogs, option="--from", set_name=how.from_set)
    theirs = read_side(str(target), catalogs, option="--to", set_name=how.to_set)
    _refuse_same(ours, theirs)
    rules, compare = (
        None if path is None else resolve(read_mappings(path), ours.labels, theirs.labels)
        for path in (how.rules, how.compare)
    )
    items = _items_of(ours, how, catalogs)
    unlabelled = False
    if items is not None and how.items is None and how.truth is None:
        unlabelled = not has_labelled_items(items, ours.labels)
    votes = None
    if items is not None and not unlabelled:
        votes = item_votes(items, ours, theirs, truth=how.truth, watch=watch)
    mapping = map_taxonomy(
        ours.labels,
        theirs.labels,
        votes=votes,
        published=rules,
        same_ids=how.same_ids,
        min_score=how.min_score,
    )
    return MappingResult(
        mapping=mapping,
        votes=votes,
        unlabelled=unlabelled,
        compared=None if compare is None else (compare, measure(mapping, compare)),
    )


def _refuse_same(ours: Side, theirs: Side) -> None:
    if ours.catalog is not None and ours.catalog == theirs.catalog:
        raise UsageError(
            f"--from and --to are both the labels of catalog {ours.name!r}: each would be mapped "
            "to itself. For two label sets of one catalog name them by --from-set and --to-set."
        )


def _items_of(ours: Side, how: MappingOptions, catalogs: CatalogOptions) -> CatalogOptions | None:
    """The catalog whose items vote; None where none do."""
    if not how.by_items:
        return None
    if how.items is not None:
        return replace(catalogs, catalog=how.items).of_set(how.from_set)
    if how.truth is not None and ours.catalog is None:
        raise UsageError("--truth names a column of items: say whose with --items CATALOG.")
    return ours.catalog
