"""The two taxonomies of a mapping: each a label file, or the labels of a catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.catalog.folder import catalog_names
from indexer.catalog.opening import open_catalog
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import CatalogError, UsageError
from indexer.core.label_sets import CATEGORY, set_option
from indexer.core.records import Label
from indexer.jobs.label_files import read_label_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two taxonomies.

    Attributes:
        name: as it was given.
        catalog: the options that name its catalog and label set; None for a file.
    """

    name: str
    labels: Sequence[Label]
    catalog: CatalogOptions | None


def read_side(name: str, options: CatalogOptions, *, option: str, set_name: str = CATEGORY) -> Side:
    """A taxonomy by the name of a catalog, or by the path or address of a label file.

    A name without a dot and a slash that is no file is a catalog's.

    Args:
        options: name the data folder.
        option: what the user gave it by, for messages.
        set_name: label set of the catalog.

    Raises:
        UsageError: there is neither such a catalog nor such a file, or it has no such label set.
        CatalogError: the catalog has no labels.
        TaxonomyError: the file is no valid taxonomy.
    """
    if "://" in name or "." in name or "/" in name or Path(name).is_file():
        if set_name != CATEGORY:
            raise UsageError(
                f"{option}-set {set_name} chooses labels of a catalog, and {option} {name!r} is a "
                "file: leave it out."
            )
        return Side(name=name, labels=read_label_file(name).labels, catalog=None)
    names = catalog_names(options.data_dir)
    if name not in names:
        listed = f" There are: {', '.join(names)}." if names else ""
        raise UsageError(
            f"{option} {name!r}: there is no catalog of this name in {str(options.data_dir)!r}, "
            f"and no label file.{listed} Give the name of a catalog, or a file such as google.txt."
        )
    named = replace(options, catalog=name).of_set(set_name)
    with open_catalog(named) as catalog:
        labels = catalog.label_set.labels
    if not labels:
        raise CatalogError(
            f"{option}: catalog {name!r} has no labels. Add some with: zeroshelf labels add FILE "
            f"--catalog {name}{set_option(set_name)}"
        )
    return Side(name=name, labels=labels, catalog=named)
