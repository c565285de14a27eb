"""Makes label sets of a file of attributes, each limited to the categories that have it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import TaxonomyError, UsageError
from indexer.core.label_sets import CATEGORY, check_set_name
from indexer.core.suggestions import did_you_mean
from indexer.core.watch import Watch
from indexer.jobs.label_sets import branches_of
from indexer.jobs.labels import embed_labels, replace_labels
from indexer.labels import taxonomy
from indexer.labels.gates import GateFile
from indexer.labels.taxonomy.attributes import (
    Attribute,
    branches,
    read_attributes,
    read_category_attributes,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributesReport:
    """The label sets that a file of attributes made.

    Attributes:
        sets: names of the sets that were made or changed.
        labels: their labels.
        inapplicable: attributes that no category of the catalog has; no set was made of them.
    """

    sets: tuple[str, ...]
    labels: int
    inapplicable: int


def add_attributes(
    options: CatalogOptions,
    file: Path,
    *,
    categories: Path | None = None,
    only: Sequence[str] = (),
    templates: Sequence[str] = (),
    watch: Watch = Watch(),
) -> AttributesReport:
    """Make a label set of each attribute of a file, as Shopify's taxonomy has them.

    A set that is there gets the file's values beside its own. After a kill the same call goes on.

    Args:
        file: ``attributes.json``.
        categories: ``categories.json``: a set is limited to the categories that have the
            attribute, and an attribute that no category of the catalog has makes no set. Without,
            sets apply to every item.
        only: names or handles of attributes; empty takes all.
        templates: prompt templates of all sets; empty as ``labels add`` has them.

    Raises:
        TaxonomyError: a file is of another shape, or two attributes have the same name.
        UsageError: an unknown name in ``only``, or a name that no label set can have.
        CatalogError: no such catalog, or it has no categories to limit sets to.
    """
    attributes = _chosen(read_attributes(file), only)
    _refuse_same_names(attributes, file)
    attributes_of = None if categories is None else read_category_attributes(categories)
    made: list[str] = []
    labels = inapplicable = 0
    with open_catalog(options.of_set(CATEGORY), write=True) as catalog:
        catalog.create_collections()
        if attributes_of is not None and not len(catalog.label_set):
            raise UsageError(
                f"catalog {catalog.folder.name!r} has no categories that attributes could be "
                "limited to. Add them first, with: zeroshelf labels add FILE"
            )
        watch.begin("Making label sets", len(attributes))
        for attribute in attributes:
            gate: list[str] = []
            if attributes_of is not None:
                gate = branches(attribute, catalog.label_set.labels, attributes_of)
            if attributes_of is not None and not gate:
                inapplicable += 1
            else:
                labels += _add_set(catalog, attribute, gate, templates)
                made.append(attribute.set_name)
            watch.advance(1)
            watch.check_stop()
    return AttributesReport(sets=tuple(made), labels=labels, inapplicable=inapplicable)


def _add_set(
    catalog: OpenCatalog, attribute: Attribute, gate: Sequence[str], templates: Sequence[str]
) -> int:
    """Make or change one label set; returns the number of its labels."""
    folder = catalog.folder.of_set(attribute.set_name)
    folder.labels.mkdir(parents=True, exist_ok=True)
    at_set = catalog.of_set(attribute.set_name)
    # The gate first: a set without one would be decided for every item.
    GateFile(folder.labels).save(branches_of(catalog, gate))
    merged = taxonomy.merge(at_set.label_set.labels, attribute.values)
    label_set, prompts, _ = embed_labels(at_set, merged, templates, None, Watch())
    replace_labels(at_set, label_set, prompts)
    return len(label_set)


def _chosen(attributes: Sequence[Attribute], only: Sequence[str]) -> list[Attribute]:
    if not only:
        return list(attributes)
    by_name: dict[str, Attribute] = {}
    for attribute in attributes:
        for name in (attribute.set_name, attribute.name.casefold(), *attribute.names):
            by_name.setdefault(name, attribute)
    unknown = [name for name in only if name.casefold() not in by_name]
    if unknown:
        raise UsageError(
            f"the file has no attribute {', '.join(map(repr, unknown))}."
            f"{did_you_mean(unknown[0], by_name)}"
        )
    requested_sets = {by_name[name.casefold()].set_name: by_name[name.casefold()] for name in only}
    return list(requested_sets.values())


def _refuse_same_names(attributes: Sequence[Attribute], file: Path) -> None:
    seen: dict[str, Attribute] = {}
    for attribute in attributes:
        check_set_name(attribute.set_name)
        if attribute.set_name == CATEGORY:
            raise TaxonomyError(
                f"{str(file)!r}: an attribute has the handle {CATEGORY!r}, and every catalog has a "
                "label set of this name. Leave it out with --only."
            )
        namesake = seen.setdefault(attribute.set_name, attribute)
        if namesake is not attribute:
            raise TaxonomyError(
                f"{str(file)!r}: attributes {namesake.name!r} and {attribute.name!r} would both be "
                f"the label set {attribute.set_name!r}. Take one of them with --only."
            )
