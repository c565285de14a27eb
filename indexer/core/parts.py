"""Parts of items, such as a product's further pictures; pure.

An item may have several parts, each with its own vector. A part is a row of its own, with the
item's id as its parent and a description of which part it is: ``{"view": 2}`` for a picture. The
item's first picture is the row of the item itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace

from indexer.core.records import Failure, Item, Part

VIEW = "view"
"""Key of a part that is a picture of the item: its place among the item's pictures, from 1."""

_MARK = "#"
_DESCRIBED = re.compile(r"[a-z]+=")
"""How a part is described in its id. ``mug#2`` may be a product's own id."""


def part_id(item_id: str, part: Part) -> str:
    """The id of an item's part: ``mug-1#view=2``."""
    described = "&".join(f"{name}={value}" for name, value in part.items())
    return f"{item_id}{_MARK}{described}"


def renamed(item: Item, item_id: str) -> Item:
    """An item under another id, with its parts."""
    parts = tuple(_under(part, item_id) for part in item.parts or ())
    return replace(item, item_id=item_id, parts=None if item.parts is None else parts)


def _under(part: Item | Failure, parent_id: str) -> Item | Failure:
    if isinstance(part, Failure):
        return replace(part, item=_part_under(part.item, parent_id))
    return _part_under(part, parent_id)


def _part_under(part: Item, parent_id: str) -> Item:
    return replace(part, item_id=part_id(parent_id, part.part), parent_id=parent_id)


def is_id_of_part(row_id: str, item_id: str) -> bool:
    """Whether a row's id is one that ``part_id`` makes for an item's parts."""
    beginning = f"{item_id}{_MARK}"
    return row_id.startswith(beginning) and bool(_DESCRIBED.match(row_id, len(beginning)))


def source_id_of(row_id: str) -> str:
    """The id of the source's row that a row is of: ``mug-1`` for ``mug-1#view=2``."""
    source_id, mark, described = row_id.rpartition(_MARK)
    return source_id if mark and described.startswith(f"{VIEW}=") else row_id


def order_of(part_json: str) -> float:
    """What an item's parts are ordered by: the first number of a part; 0 where it has none."""
    values = json.loads(part_json).values() if part_json else ()
    return next((float(value) for value in values if isinstance(value, int | float)), 0.0)
