"""The label sets of a catalog: listed, limited to branches of the category's taxonomy, removed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY, set_option
from indexer.core.watch import Watch
from indexer.ingestion.storing import store_unstored
from indexer.labels import taxonomy
from indexer.labels.gates import Branch, Gate, GateFile
from indexer.labels.set_settings import is_by_pixels
from indexer.labels.sets import empty
from indexer.labels.taxonomy.rows import PATH_SEPARATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSummary:
    """A label set of a catalog.

    Attributes:
        labels: in the set.
        by_pixels: whether pixels decide, where they were measured.
        applies_to: paths of the categories that the set is limited to; empty for all items.
        missing: ids of such categories that the catalog does not have any more.
    """

    label_set: str
    labels: int
    by_pixels: bool
    applies_to: tuple[str, ...]
    missing: tuple[str, ...]


def summaries(options: CatalogOptions) -> list[SetSummary]:
    """The label sets of a catalog, the category first."""
    with open_catalog(options) as catalog:
        return [_summary(at_set) for at_set in catalog.sets]


def _summary(catalog: OpenCatalog) -> SetSummary:
    present, missing = _gate_branches(catalog)
    categories = catalog.of_set(CATEGORY).label_set
    labels = [categories.labels[categories.places[branch.label_id]] for branch in present]
    return SetSummary(
        label_set=catalog.folder.set_name,
        labels=len(catalog.label_set),
        by_pixels=is_by_pixels(catalog.folder.labels),
        applies_to=tuple(PATH_SEPARATOR.join(label.path) for label in labels),
        missing=tuple(branch.label_id for branch in missing),
    )


def _gate_branches(catalog: OpenCatalog) -> tuple[Gate, Gate]:
    """The branches of a set's gate that the catalog has, and those that it has no more."""
    gate = GateFile(catalog.folder.labels).load()
    places = catalog.of_set(CATEGORY).label_set.places
    return (
        tuple(branch for branch in gate if branch.label_id in places),
        tuple(branch for branch in gate if branch.label_id not in places),
    )


def set_gate(options: CatalogOptions, categories: Sequence[str]) -> SetSummary:
    """Limit a label set to branches of the category's taxonomy.

    Decisions that are stored already stay until the next categorization.

    Args:
        options: at the label set.
        categories: ids, names or paths of categories, each with all below it; none lets the set
            apply to every item.

    Raises:
        TaxonomyError: a category that is not there.
        UsageError: the set is the category, or there is no such set.
    """
    refuse_category(options, "a gate names categories, and limits other sets to them")
    with open_catalog(options, write=True) as catalog:
        GateFile(catalog.folder.labels).save(branches_of(catalog, categories))
        return _summary(catalog)


def branches_of(catalog: OpenCatalog, categories: Sequence[str]) -> Gate:
    """Branches of the category's taxonomy by ids, names or paths.

    Raises:
        TaxonomyError: a category that is not there.
    """
    labels = catalog.of_set(CATEGORY).label_set
    branches = [
        labels.labels[labels.places[label_id]]
        for label_id in taxonomy.resolve(labels.labels, categories)
    ]
    return tuple(Branch(label_id=branch.label_id, path=branch.path) for branch in branches)


def gate_of(catalog: OpenCatalog) -> Gate:
    """The branches that a label set applies to; empty for all items.

    Raises:
        UsageError: the gate names a category that the catalog does not have any more.
    """
    gate, missing = _gate_branches(catalog)
    if missing:
        named = ", ".join(
            f"{PATH_SEPARATOR.join(branch.path)!r} (id {branch.label_id!r})" for branch in missing
        )
        raise UsageError(
            f"label set {catalog.folder.set_name!r} applies to {named}, and the catalog has no "
            f"such category any more. Say which categories it applies to: {_gate_command(catalog)}"
        )
    return gate


def _gate_command(catalog: OpenCatalog) -> str:
    """The command that names a category in the place of removed ones, and those that remain."""
    remaining = [branch.label_id for branch in _gate_branches(catalog)[0]]
    return f"zeroshelf labels gate {shlex.join([*remaining, 'CATEGORY'])}" + set_option(
        catalog.folder.set_name
    )


def notes_of_gates(catalog: OpenCatalog) -> Iterator[str]:
    """What is to be told of gates that name a category which has just been removed."""
    if catalog.folder.set_name != CATEGORY:
        return
    for at_set in catalog.sets[1:]:
        if missing := _summary(at_set).missing:
            yield (
                f"label set {at_set.folder.set_name!r} applies to categories that are removed, "
                f"{len(missing)} of them, such as {missing[0]!r}: it can't be decided until others "
                f"are named, with: {_gate_command(at_set)}"
            )


def remove_set(options: CatalogOptions, watch: Watch = Watch()) -> int:
    """Remove a label set: its labels, what was fitted to them, and its decisions on items.

    People's corrections stay in the catalog's folder, and count again for a set of this name.

    Args:
        options: at the label set.

    Returns:
        The number of labels that it had.

    Raises:
        UsageError: the set is the category, or there is no such set.
    """
    refuse_category(options, "every catalog has it; labels remove takes labels out of it")
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        count = len(catalog.label_set)
        _forget_decisions(catalog)
        store_unstored(
            catalog.archive,
            catalog.ledger,
            catalog.items,
            decisions=catalog.decisions.read,
            watch=watch,
        )
        _remove_labels(catalog)
        return count


def drop_set(catalog: OpenCatalog) -> None:
    """Delete a label set's files and rows; rows of items that it decided are to be stored again."""
    _forget_decisions(catalog)
    _remove_labels(catalog)


def _forget_decisions(catalog: OpenCatalog) -> None:
    """Delete a set's decisions; the rows of their items wait to be stored again."""
    files = DecisionFiles(catalog.folder.decisions)
    decided = [shard for shard in catalog.archive.shards() if files.stamp(shard) is not None]
    catalog.ledger.stored.unmark(decided)
    shutil.rmtree(files.folder, ignore_errors=True)


def _remove_labels(catalog: OpenCatalog) -> None:
    """Delete a set's labels; with the folder of their files, the set is gone in one step."""
    folder, database = catalog.folder, catalog.database
    if database.has_catalog(folder.name, folder.number):
        catalog.label_set, catalog.adaptation = empty(catalog.fingerprint.width), None
        catalog.write_labels(None)
    aside = folder.labels.with_name("removed")
    shutil.rmtree(aside, ignore_errors=True)  # of a command that was killed here
    folder.labels.rename(aside)
    shutil.rmtree(aside)


def refuse_category(options: CatalogOptions, why: str) -> None:
    """Refuse what only other label sets can have.

    Raises:
        UsageError: the options are at the category.
    """
    if options.set_name == CATEGORY:
        raise UsageError(f"name a label set with --set; {CATEGORY!r} is not meant: {why}.")
