"""Texts in CSV cells: spreadsheets compute those that begin like a formula; pure.

OWASP, "CSV Injection": a title such as ``=HYPERLINK(...)`` is run by who opens the file. An
apostrophe before it makes it a text, and is taken off when the file is read again.
"""

from __future__ import annotations

import re

FORMULA = r"'*[=+\-@\t\r]"
"""How texts begin that would be computed, or that have an apostrophe of their own before such a
beginning."""

_FORMULA = re.compile(FORMULA)


def inert(text: str) -> str:
    """The text as a cell that no spreadsheet computes."""
    return f"'{text}" if _FORMULA.match(text) else text


def restored(cell: str) -> str:
    """The text that ``inert`` made a cell of; other texts stay as they are."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell
