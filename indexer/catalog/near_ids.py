"""Ids of a catalog that are spelt nearly as one that it does not have.

A million ids are not compared one by one: ids beside the wrong one in their order begin as it does,
and ids that differ in one letter are looked up, all of them (Norvig 2007, "How to Write a Spelling
Corrector").
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable

from indexer.catalog.ledger import Ledger

_SHOWN = 3
_NEIGHBOURS = 50
"""Ids before and after in the order of ids that are compared."""

_LONGEST = 64
"""Letters of an id whose spellings are looked up: some 80 for each of them."""

_USUAL = frozenset(string.ascii_lowercase + string.digits + "-_./ ")


def hint(ledger: Ledger, item_id: str, *, partition: str | None = None) -> str:
    """What a message says behind an id that is not there; empty where nothing is near.

    Args:
        partition: only ids of this one.
    """
    if parent_id := ledger.parts.parents([item_id]).get(item_id):
        return f": it is a part of item {parent_id!r}, so name that"
    near = near_ids(ledger, item_id, partition=partition)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


def near_ids(ledger: Ledger, item_id: str, *, partition: str | None = None) -> list[str]:
    """At most three ids of items that are near to one, the nearest first.

    Args:
        partition: only ids of this one.
    """
    neighbours = ledger.neighbours(item_id, _NEIGHBOURS)
    letters = _USUAL.union(*neighbours, item_id)
    spelt_alike = sorted(ledger.find(sorted(_spellings(item_id, letters))))
    candidates = [*spelt_alike, *neighbours]
    parents = ledger.parts.parents(candidates)
    items = list(dict.fromkeys(parents.get(row_id, row_id) for row_id in candidates))
    if partition is not None:
        items = ledger.partitions.items_inside(items, partition)
    by_letters: dict[str, str] = {}  # without regard to case
    for candidate in items:
        by_letters.setdefault(candidate.casefold(), candidate)
    close = difflib.get_close_matches(item_id.casefold(), by_letters, n=_SHOWN)
    near = [by_letters[letters] for letters in close]
    # One letter of a short id, or half of an id that was cut, is more than difflib lets pass.
    near += [
        candidate
        for candidate in items
        if candidate in spelt_alike or candidate.startswith(item_id)
    ]
    return list(dict.fromkeys(near))[:_SHOWN]


def _spellings(item_id: str, letters: Iterable[str]) -> set[str]:
    """The id in other case, and with one letter less, more, exchanged, or another.

    Args:
        letters: that may have been meant.
    """
    spellings = {item_id.lower(), item_id.upper(), item_id.strip()}
    if len(item_id) <= _LONGEST:
        cuts = [(item_id[:at], item_id[at:]) for at in range(len(item_id) + 1)]
        spellings |= {start + rest[1:] for start, rest in cuts if rest}
        spellings |= {start + rest[1] + rest[0] + rest[2:] for start, rest in cuts if rest[1:]}
        for letter in letters:
            spellings |= {start + letter + rest for start, rest in cuts}
            spellings |= {start + letter + rest[1:] for start, rest in cuts if rest}
    return spellings - {item_id, ""}
