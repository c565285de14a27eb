"""Reads attributes and the categories that have them, as Shopify's taxonomy publishes them; pure.

    attributes.json   {"attributes": [{"id", "name", "handle", "values": [{"id", "name"}, ...],
                       "extended_attributes": [{"handle"}, ...]}, ...]}
    categories.json   {"verticals": [{"categories": [{"id", "full_name",
                       "attributes": [{"id", "handle"}, ...]}, ...]}, ...]}

An extended attribute is another name of an attribute in some categories; it has its values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.core.errors import TaxonomyError
from indexer.core.label_sets import NAME_BYTES
from indexer.core.records import Label
from indexer.labels.taxonomy.rows import PATH_SEPARATOR
from indexer.labels.taxonomy.tree import children


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An attribute of products.

    Attributes:
        attribute_id: as the file has it.
        set_name: its handle as the name of a label set: ``age-group`` is ``age_group``.
        name: for people.
        names: its handle, and those of its extended attributes.
        values: what it can be, as labels.
    """

    attribute_id: str
    set_name: str
    name: str
    names: frozenset[str]
    values: tuple[Label, ...]


def read_attributes(path: Path) -> list[Attribute]:
    """The attributes of a file, in order; those without values are left out.

    Raises:
        TaxonomyError: the file can't be read, or is of another shape; names the attribute.
    """
    content = _read(path)
    listed = content.get("attributes") if isinstance(content, Mapping) else None
    if not isinstance(listed, list):
        raise TaxonomyError(
            f"{str(path)!r} has no list 'attributes': give Shopify's attributes.json, or a file of "
            "that shape."
        )
    attributes = []
    for place, entry in enumerate(listed, start=1):
        try:
            attribute = _attribute(entry)
        except (KeyError, TypeError, AttributeError) as error:
            raise TaxonomyError(
                f"{str(path)!r}, attribute {place}: it needs an id, a name, a handle and a list of "
                f"values with id and name ({type(error).__name__}: {error})."
            ) from error
        if attribute.values:
            attributes.append(attribute)
    return attributes


def read_category_attributes(path: Path) -> dict[str, frozenset[str]]:
    """The attributes of each category: ids and handles by the category's id, and by its path.

    Raises:
        TaxonomyError: the file can't be read, or is of another shape; names the category.
    """
    content = _read(path)
    verticals = content.get("verticals") if isinstance(content, Mapping) else None
    if not isinstance(verticals, list):
        raise TaxonomyError(
            f"{str(path)!r} has no list 'verticals': give Shopify's categories.json, or a file of "
            "that shape."
        )
    attributes_by_category: dict[str, frozenset[str]] = {}
    for vertical in verticals:
        for place, entry in enumerate(_categories(vertical, path), start=1):
            try:
                names = frozenset(
                    str(attribute[key])
                    for attribute in entry["attributes"]
                    for key in ("id", "handle")
                    if attribute.get(key)
                )
                attributes_by_category[str(entry["id"])] = names
                attributes_by_category[str(entry["full_name"])] = names
            except (KeyError, TypeError, AttributeError) as error:
                raise TaxonomyError(
                    f"{str(path)!r}, category {place} of a vertical: it needs an id, a full_name "
                    f"and a list of attributes ({type(error).__name__}: {error})."
                ) from error
    return attributes_by_category


def branches(
    attribute: Attribute, labels: Sequence[Label], attributes_of: Mapping[str, frozenset[str]]
) -> list[str]:
    """Ids of the categories that have an attribute, as few as say it exactly.

    A category stands for all below it where all of these have the attribute too.

    Args:
        labels: of the catalog's taxonomy.
        attributes_of: as ``read_category_attributes`` gives it; labels are found by id or path.
    """
    names = attribute.names | {attribute.attribute_id}
    has = {label.label_id: bool(names & _of(label, attributes_of)) for label in labels}
    below = children(labels)
    whole: dict[str, bool] = {}
    for label in sorted(labels, key=lambda label: -label.depth):
        children_whole = (whole[child] for child in below[label.label_id])
        whole[label.label_id] = has[label.label_id] and all(children_whole)
    return [
        label.label_id
        for label in labels
        if whole[label.label_id] and not whole.get(label.parent_id, False)
    ]


def _of(label: Label, attributes_of: Mapping[str, frozenset[str]]) -> frozenset[str]:
    path = PATH_SEPARATOR.join(label.path)
    return attributes_of.get(label.label_id) or attributes_of.get(path) or frozenset()


def _attribute(entry: Mapping[str, Any]) -> Attribute:
    handle = str(entry["handle"])
    extended = entry.get("extended_attributes") or ()
    return Attribute(
        attribute_id=str(entry["id"]),
        set_name=_set_name(handle),
        name=str(entry["name"]),
        names=frozenset({handle, *(str(extension["handle"]) for extension in extended)}),
        values=tuple(
            Label(label_id=str(value["id"]), name=str(value["name"]), path=(str(value["name"]),))
            for value in entry["values"]
        ),
    )


def _set_name(handle: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", handle.casefold()).strip("_")
    name = name if name[:1].isalpha() else f"a_{name}"
    return name[:NAME_BYTES].rstrip("_")


def _categories(vertical: Any, path: Path) -> Iterable[Mapping[str, Any]]:
    listed = vertical.get("categories") if isinstance(vertical, Mapping) else None
    if not isinstance(listed, list):
        raise TaxonomyError(f"{str(path)!r}: a vertical has no list 'categories'.")
    return listed


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TaxonomyError(f"{str(path)!r} can't be read: {error}.") from error
