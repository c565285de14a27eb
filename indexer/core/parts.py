"""Parts of items: further pictures, windows of a sound, shots of a video, boxes; pure.

An item may have several parts, each with its own vector. A part is a row of its own, with the
item's id as its parent and a description of which part it is:

==================================  ============================================================
``{"view": 2}``                     a further picture; the first is the row of the item itself
``{"start": 10.0, "end": 20.0}``    seconds of a sound (a window) or of a video (a shot); the first
                                    is the row of the item itself
``{"box": [x, y, width, height]}``  pixels of the upright picture; the whole picture is the row of
                                    the item itself
==================================  ============================================================

The last two are **cut** from one file: their content hash is of the file's hash and the part
(``hashing.part_hash``). They may say how they were cut, and how many there are (``RECIPE``,
``OF``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from indexer.core.records import Failure, Item, Kind, Part, item_of

VIEW = "view"
"""Key of a part that is a picture of the item: its place among the pictures of its row, from 1."""

ROW = "row"
"""Key of a part that a row of a table is, where several are one item: its place among these, from
1."""

START, END = "start", "end"
"""Keys of a part that is cut from a sound or a video: seconds from its beginning."""

BOX = "box"
"""Key of a part that is cut from a picture: x and y of its upper left corner, width, height."""

OF, RECIPE = "of", "recipe"
"""Keys that may tell, of what is cut from a file, how many parts it has, and how it was cut."""

_CUT = frozenset({START, END, BOX, OF, RECIPE})
_CUT_NOUNS = {Kind.SOUND: "window", Kind.VIDEO: "shot"}
_MARK = "#"
_AND = "&"
_MOST_VIEWS = 2**20
"""Pictures of a row, windows of a picture: a double has 53 bits for all."""
_DESCRIBED = re.compile(r"[a-z]+=")
"""How a part is described in its id. ``mug#2`` may be a product's own id."""

_BOX_ID = re.compile(rf"[{_MARK}{_AND}]{BOX}=\d+(,\d+){{3}}$")
"""How the id of a box ends, by ``cut_id``."""

_FURTHER = tuple(f"{name}=" for name in (VIEW, START, BOX))
"""How the description begins of a part that is no row of the source."""


def part_id(item_id: str, part: Part) -> str:
    """The id of an item's part: ``mug-1#view=2``."""
    described = _AND.join(f"{name}={value}" for name, value in part.items())
    return f"{item_id}{_MARK}{described}"


def cut_id(item: Item, part: Part) -> str:
    """The id of a part that is cut from an item's file: ``rain.wav#start=10``.

    The beginning names a window or a shot, so that its id stays where only its end moves.

    Args:
        item: the item, or the part of one, whose content is the file.
    """
    values = part[BOX] if BOX in part else [part[START]]
    described = f"{BOX if BOX in part else START}={','.join(f'{value:.10g}' for value in values)}"
    return f"{item.item_id}{_AND if VIEW in item.part else _MARK}{described}"


def is_cut(part: Part) -> bool:
    """Whether a part is cut from a file, which other parts may be cut from too."""
    return START in part or BOX in part


def is_box_id(row_id: str) -> bool:
    """Whether an id is that of a box."""
    return bool(_BOX_ID.search(row_id))


def is_further(part: Part) -> bool:
    """Whether a part is a further one of its source's row: not the row's own, nor its first."""
    return VIEW in part or BOX in part or bool(part.get(START))


def place_text(part: Part) -> str:
    """Where a part lies in its file, for people: ``0:10-0:20``, or a box ``40,30 120x80``.

    Returns:
        Empty for a part that is a whole file, such as a further picture.
    """
    if BOX in part:
        x, y, width, height = part[BOX]
        return f"{x:g},{y:g} {width:g}x{height:g}"
    if START not in part:
        return ""
    end = part.get(END)
    return f"{clock(part[START])}-{'' if end is None else clock(end)}"


def place_of(part_json: str) -> str:
    """As ``place_text``, of a stored part; empty for a row of its own."""
    return place_text(json.loads(part_json)) if part_json else ""


def clock(seconds: float) -> str:
    """Seconds as ``1:02:03``, ``2:03`` or ``2:03.5``."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    whole, tenth = divmod(rest, 10)
    shown = f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
    return f"{shown}.{tenth}" if tenth else shown


def cut_of(part: Part) -> dict[str, Any]:
    """How a part is cut from its file, without its place in the source; numbers are floats."""
    return {name: _as_float(value) for name, value in part.items() if name in _CUT}


def _as_float(value: Any) -> Any:
    """Databases may give 10 for the 10.0 that was stored."""
    if isinstance(value, list | tuple):
        return [_as_float(entry) for entry in value]
    return float(value) if isinstance(value, int) else value


def cut_rows(item: Item, parts: Sequence[Part]) -> list[Item]:
    """The rows of what is cut from an item's file, in order.

    Windows and shots: the first is the item's own row. Boxes: the whole picture is.

    Args:
        item: the item, or a further picture of one, with the file's content and hash.
    """
    if not parts or BOX in parts[0]:
        own, further = replace(item, parts=None), parts
    else:
        own, further = replace(item, part={**item.part, **parts[0]}, parts=None), parts[1:]
    return [own, *(further_cut(item, part) for part in further)]


def further_cut(item: Item, part: Part) -> Item:
    """The row of what is cut from an item's file, beside the item's own row."""
    return replace(
        item,
        item_id=cut_id(item, part),
        parent_id=item.parent_id or item.item_id,
        part={**item.part, **part},
        parts=None,
    )


def uncut(item: Item) -> Item:
    """The item, or the further picture of one, whose file a row is cut from."""
    if not is_cut(item.part):
        return item
    ending = cut_id(replace(item, item_id=""), item.part)
    item_id = item.item_id.removesuffix(ending)
    return replace(
        item,
        item_id=item_id,
        parent_id="" if item_id == item.parent_id else item.parent_id,
        part={name: value for name, value in item.part.items() if name not in _CUT},
    )


def view_of(item: Item, view: int) -> Item:
    """A further picture of a row, with the row's title and metadata.

    Args:
        view: its place among the row's pictures, from 2.
    """
    return replace(
        item,
        item_id=part_id(item.item_id, {VIEW: view}),
        parent_id=item.parent_id or item.item_id,
        part={**item.part, VIEW: view},
        parts=None,
    )


def renamed(item: Item, item_id: str) -> Item:
    """A row under another id, with its further pictures."""
    row = replace(item, item_id=item_id)
    parts = tuple(_under(part, row) for part in item.parts or ())
    return replace(row, parts=None if item.parts is None else parts)


def _under(entry: Item | Failure, row: Item) -> Item | Failure:
    part = item_of(entry)
    named = view_of(row, part.part[VIEW])
    part = replace(part, item_id=named.item_id, parent_id=named.parent_id, part=named.part)
    return part if isinstance(entry, Item) else replace(entry, item=part)


def is_id_of_part(row_id: str, item_id: str) -> bool:
    """Whether a row's id is one that ``part_id`` or ``cut_id`` makes for an item's parts."""
    beginning = f"{item_id}{_MARK}"
    return row_id.startswith(beginning) and bool(_DESCRIBED.match(row_id, len(beginning)))


def source_id_of(row_id: str) -> str:
    """The id of the source's row that a row is of: ``mug-1`` for ``mug-1#view=2``."""
    source_id, mark, described = row_id.rpartition(_MARK)
    return source_id if mark and described.startswith(_FURTHER) else row_id


def noun_of(part_id: str, kind: Kind) -> str:
    """What a part of an item is called: box, shot, window or picture.

    Args:
        part_id: the id of its row.
        kind: of its item's content.
    """
    if is_box_id(part_id):
        return "box"
    return _CUT_NOUNS.get(kind, "picture")


def order_of(part_json: str) -> float:
    """What an item's parts are ordered by: its start, or the first number; 0 where it has none.

    What is of one row of a table comes after it and before the next row.
    """
    part = json.loads(part_json) if part_json else {}
    if ROW in part:
        inside = part.get(VIEW, 0) + part.get(START, 0) / _MOST_VIEWS
        return float(part[ROW] + inside / _MOST_VIEWS)
    values = [part[START]] if START in part else part.values()
    return next((float(value) for value in values if isinstance(value, int | float)), 0.0)
