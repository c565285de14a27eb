"""Milvus filter expressions that this package builds itself; pure.

Only keys of ``records.key_of`` ever stand in them: 32 hex digits, whatever the id was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from indexer.core.chunks import in_chunks
from indexer.core.errors import UsageError
from indexer.core.records import key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A condition on rows.

    Attributes:
        expression: as Milvus gets it; empty for all rows.
        typed: the part that a user typed; empty where there is none.
        fields: what a user's condition may name.
    """

    expression: str = ""
    typed: str = ""
    fields: tuple[str, ...] = ()

    def limited_to(self, condition: str) -> Filter:
        """The rows that match a condition of this package too.

        Raises:
            UsageError: the filter closes what it did not open, and would end the condition.
        """
        if not self.expression:
            return replace(self, expression=condition)
        if not _is_closed(self.expression):
            raise UsageError(f"filter {self.typed!r}: its brackets or quotation marks don't match.")
        return replace(self, expression=f"{condition} and ({self.expression})")


EVERYTHING = Filter()

KEYS_PER_EXPRESSION = 1_000
"""Keys in one ``in`` list: 36 kB of expression, well below what every server parses."""

KEY_PATTERN = re.compile(r"[0-9a-f]{32}")
PREFIX_PATTERN = re.compile(r"[0-9a-f]{0,32}")


def key_in(keys: Iterable[str]) -> str:
    """``key in ["...", ...]``.

    Raises:
        ValueError: a key is not 32 hex digits, so it must not stand in an expression.
    """
    keys = list(keys)
    for key in keys:
        if not KEY_PATTERN.fullmatch(key):
            raise ValueError(f"{key!r} is not a key of records.key_of")
    return "key in [" + ", ".join(f'"{key}"' for key in keys) + "]"


def key_prefix(prefix: str) -> str:
    """The keys that start with these hex digits; all of them where there is none.

    Raises:
        ValueError: the prefix has other characters, so it must not stand in an expression.
    """
    if not PREFIX_PATTERN.fullmatch(prefix):
        raise ValueError(f"{prefix!r} does not start a key of records.key_of")
    return f'key like "{prefix}%"' if prefix else ""


_CLOSES = {")": "(", "]": "[", "}": "{"}


def in_partition(partition: str) -> str:
    """The rows of one partition, whose value may be any text."""
    return f'partition == "{key_of(partition)}"'


def _is_closed(expression: str) -> bool:
    """Whether each bracket and quotation mark that it opens is closed, and none before."""
    opened: list[str] = []
    quote, escaped = "", False
    for character in expression:
        if quote:
            if escaped or character == "\\":
                escaped = not escaped
            elif character == quote:
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in _CLOSES.values():
            opened.append(character)
        elif character in _CLOSES and (not opened or opened.pop() != _CLOSES[character]):
            return False
    return not opened and not quote


def key_expressions(identifiers: Iterable[str]) -> Iterator[str]:
    """Expressions that together match exactly the rows of the given ids; ids may repeat."""
    keys = dict.fromkeys(map(key_of, identifiers))
    return map(key_in, in_chunks(keys, KEYS_PER_EXPRESSION))
