"""Label tables with a column for each level of the tree.

Ranks are those of Darwin Core (https://dwc.tdwg.org/terms/), as GBIF and iNaturalist write
them; code and title columns are those of UNSPSC (unspsc.org) and of GS1's GPC.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from indexer.labels.taxonomy.fields import Roles, plain_key, synonyms_of, text_of, without_fraction
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, Row

logger = logging.getLogger(__name__)

_RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
_LADDERS = (
    ("segment", "family", "class", "commodity"),
    ("segment", "family", "class", "brick"),
    ("department", "category", "subcategory", "subsubcategory"),
    ("maincategory", "category", "subcategory", "subsubcategory"),
    ("maincategory", "subcategory", "subsubcategory"),
    ("mastercategory", "subcategory", "articletype"),
    ("category", "subcategory", "subsubcategory"),
)
_NUMBERED = re.compile(r"(level|lvl|l|category|cat|categorylevel|levelcategory|tier|depth)?(\d)")
_CODES = ("code", "id", "key", "number")
_TITLES = ("title", "name", "desc", "description", "text", "")
_EPITHETS = ("specificepithet", "infraspecificepithet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The columns of one level; ``code`` is empty where there are only names."""

    title: str
    code: str = ""


def levels_of(columns: Sequence[str], sample: Mapping[str, Any]) -> tuple[Level, ...]:
    """The levels of a table with a column a level, from the root down; empty for other tables.

    Args:
        sample: one of its rows: columns with nested values are no levels.
    """
    by_key = {
        plain_key(column): column
        for column in columns
        if not isinstance(sample.get(column), list | dict)
    }
    ranks = _ladder(_RANKS, by_key)
    # Fewer may be no ranks: tables of a shop have columns "class" and "order", too.
    if len(ranks) >= 3 or {"family", "genus"} <= by_key.keys():
        return ranks
    ladders = [_ladder(names, by_key) for names in _LADDERS if _has_top_level(names, by_key)]
    longest = max(ladders, key=len, default=())
    return longest if len(longest) >= 2 else _numbered(by_key)


def _has_top_level(names: Sequence[str], by_key: Mapping[str, str]) -> bool:
    """Whether the topmost level exists: ``class`` and ``family`` alone may mean anything."""
    return any(key.startswith(names[0]) for key in by_key)


def _ladder(names: Sequence[str], by_key: Mapping[str, str]) -> tuple[Level, ...]:
    levels = []
    for name in names:
        titles = [by_key[name + end] for end in _TITLES if name + end in by_key]
        codes = [by_key[name + end] for end in _CODES if name + end in by_key]
        if titles and titles[0] != by_key.get(name) and name in by_key and not codes:
            codes = [by_key[name]]  # UNSPSC: "Segment" is the code of "Segment Title"
        if titles:
            levels.append(Level(title=titles[0], code=codes[0] if codes else ""))
    return tuple(levels)


def _numbered(by_key: Mapping[str, str]) -> tuple[Level, ...]:
    """``Level 1`` to ``Level 7``, ``L1`` to ``L5``, ``category_1`` ..., with codes or without."""
    by_stem: dict[str, dict[int, str]] = {}
    for key, column in by_key.items():
        stem = re.sub(r"(name|title|desc)$", "", key)
        if match := _NUMBERED.fullmatch(stem):
            by_stem.setdefault(match[1] or "", {})[int(match[2])] = column
    for stem, columns in by_stem.items():
        numbers = sorted(columns)
        if stem and len(numbers) >= 2 and all(b == a + 1 for a, b in pairwise(numbers)):
            return tuple(
                Level(
                    title=columns[number],
                    code=next(
                        (
                            by_key[f"{stem}{number}{end}"]
                            for end in _CODES
                            if f"{stem}{number}{end}" in by_key
                        ),
                        "",
                    ),
                )
                for number in numbers
            )
    return ()


def rows_by_level(
    records: Sequence[tuple[Mapping[str, Any], str]],
    levels: Sequence[Level],
    roles: Roles,
    place: str,
) -> list[Row]:
    """A row for each node of the records' levels, parents first.

    The last level that a record fills is its own label, with its id, synonyms and description.
    Levels above get their code as id, or else their path.
    """
    epithets = {plain_key(column): column for column in roles.ignored}
    roles.warn_of_columns(
        place, also_read={epithets[key] for key in (*_EPITHETS, "taxonrank") if key in epithets}
    )
    nodes: dict[tuple[str, ...], Row] = {}
    of_records: set[tuple[str, ...]] = set()
    repeated = inherited = 0
    above_cells: list[tuple[str, str]] = []
    fills_down = plain_key(levels[0].title) not in _RANKS
    for fields, where in records:
        cells = _cells(fields, levels, where)
        if fills_down and not cells[0][0] and above_cells and any(name for name, _ in cells):
            first_filled = next(place for place, (name, _) in enumerate(cells) if name)
            cells[:first_filled] = above_cells[:first_filled]
            inherited += 1
        above_cells = cells
        names = tuple(name for name, _ in cells if name)
        codes = tuple(code for name, code in cells if name)
        names, codes, row = _record_label(fields, levels, roles, names, codes, epithets, where)
        for length in range(1, len(names)):
            if (above := names[:length]) not in nodes:
                nodes[above] = replace(_node(above, codes, where), made=True)
        if names in of_records:
            repeated += 1
        elif names:
            nodes[names] = _merged(_node(names, codes, where), row, names)
            of_records.add(names)
    if inherited:
        logger.warning(
            "%s: %d rows leave upper levels empty: they are taken from the row above.",
            place,
            inherited,
        )
    if repeated:
        logger.warning("%s: %d rows repeat the levels of another: merged.", place, repeated)
    return _linked(nodes)


def _cells(fields: Mapping[str, Any], levels: Sequence[Level], place: str) -> list[tuple[str, str]]:
    """Name and code of each level of a record; empty where it has none."""
    return [
        (
            text_of(fields.get(level.title), level.title, place),
            without_fraction(text_of(fields.get(level.code), level.code, place))
            if level.code
            else "",
        )
        for level in levels
    ]


def _record_label(
    fields: Mapping[str, Any],
    levels: Sequence[Level],
    roles: Roles,
    names: tuple[str, ...],
    codes: tuple[str, ...],
    epithets: Mapping[str, str],
    place: str,
) -> tuple[tuple[str, ...], tuple[str, ...], Row]:
    """The record's own label: its name below the levels, or the last level."""
    name = text_of(roles.value(fields, "name"), "name", place)
    label_id = without_fraction(text_of(roles.value(fields, "id"), "id", place))
    epithet = text_of(fields.get(epithets.get(_EPITHETS[0], "")), "specificEpithet", place)
    if not name and epithet and names:
        name = f"{names[-1]} {epithet}"
    rank = text_of(fields.get(epithets.get("taxonrank", "")), "taxonRank", place).lower()
    if name and not (names and _is_last(name, names, rank, levels)):
        names, codes = (*names, name), (*codes, "")
    row = Row(
        name=names[-1] if names else "",
        label_id=label_id,
        description=text_of(roles.value(fields, "description"), "description", place),
        synonyms=synonyms_of(roles.value(fields, "synonyms"), place),
        place=place,
    )
    return names, codes, row


def _is_last(name: str, names: Sequence[str], rank: str, levels: Sequence[Level]) -> bool:
    """Whether a name is that of the last level, maybe followed by its author."""
    last = names[-1]
    if name == last or name.startswith(last + " ("):
        return True
    ranks = [plain_key(level.title) for level in levels]
    return rank in ranks and name.startswith(last + " ") and ranks.index(rank) == len(names) - 1


def _node(names: tuple[str, ...], codes: tuple[str, ...], place: str) -> Row:
    label_id = codes[len(names) - 1] or PATH_SEPARATOR.join(names)
    return Row(name=names[-1], label_id=label_id, place=place)


def _merged(node: Row, record_row: Row, names: tuple[str, ...]) -> Row:
    has_code = node.label_id != PATH_SEPARATOR.join(names)
    return replace(
        node,
        label_id=node.label_id if has_code else record_row.label_id or node.label_id,
        description=record_row.description,
        synonyms=tuple(synonym for synonym in record_row.synonyms if synonym != node.name),
        place=record_row.place,
    )


def _linked(nodes: Mapping[tuple[str, ...], Row]) -> list[Row]:
    """The rows with their parents' ids; a shorter path comes before a longer one."""
    ids = {names: row.label_id for names, row in nodes.items()}
    return [
        replace(row, parent=ids[names[:-1]] if len(names) > 1 else "")
        for names, row in nodes.items()
    ]
