"""A label as a file writes it, before the tree is assembled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from indexer.core.errors import TaxonomyError

PATH_SEPARATOR = " > "
"""Separator of a path's names, as in Shopify's and Google's files."""

SHOWN = 5
"""Problems that one message lists; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One label as written.

    Attributes:
        name: its name.
        label_id: as written, or what the format makes of the name.
        parent: the parent's id or name; empty for a root.
        description: a sentence or more.
        synonyms: other names.
        handles: other names that a parent may be given by: a slug, a key.
        place: where it is written, for messages: ``labels.csv, line 3``.
        made: it has no line, and is made since others name it as their parent.
        creates_parent: its parent is made a label if it is missing.
    """

    name: str
    label_id: str
    parent: str = ""
    description: str = ""
    synonyms: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    place: str = ""
    made: bool = False
    creates_parent: bool = False


def refuse(problems: Sequence[str]) -> NoReturn:
    """Raise a TaxonomyError with the first problems and the number of the others."""
    more = len(problems) - SHOWN
    lines = [*problems[:SHOWN], *([f"... and {more} more like these."] if more > 0 else [])]
    raise TaxonomyError("\n".join(lines))
