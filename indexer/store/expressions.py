"""Milvus filter expressions that this package builds itself; pure.

Only keys of ``records.key_of`` ever stand in them: 32 hex digits, whatever the id was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from indexer.records import key_of

T = TypeVar("T")

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


def key_starts(prefix: str) -> str:
    """The keys that start with these hex digits; all of them where there is none.

    Raises:
        ValueError: the prefix has other characters, so it must not stand in an expression.
    """
    if not PREFIX_PATTERN.fullmatch(prefix):
        raise ValueError(f"{prefix!r} does not start a key of records.key_of")
    return f'key like "{prefix}%"' if prefix else ""


def key_expressions(identifiers: Iterable[str]) -> Iterator[str]:
    """Expressions that together match exactly the rows of the given ids; ids may repeat."""
    keys = iter(dict.fromkeys(map(key_of, identifiers)))
    while chunk := list(islice(keys, KEYS_PER_EXPRESSION)):
        yield key_in(chunk)


def chunks(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Slices of at most ``size``, in order."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
