"""What users' filters say of metadata: the keys that they name, and lists for Milvus Lite; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

from indexer.core.errors import UsageError
from indexer.core.suggestions import did_you_mean

_STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
_ACCESS = rf"\b(?:metadata|attributes)(?:\s*\[\s*(?:{_STRING}|\d+)\s*\])+"
_LITERAL = rf"(?:{_STRING}|[-+]?[\d.][\w.+-]*|true|false)"
_LIST = rf"\[\s*{_LITERAL}(?:\s*,\s*{_LITERAL})*\s*,?\s*\]"
# A string comes first of what is not a list, so that nothing inside of one is read as a filter.
_LISTS = re.compile(
    rf"(?P<access>{_ACCESS})\s*(?P<negated>\bnot\s+)?\bin\s*(?P<list>{_LIST})|{_STRING}",
    re.IGNORECASE | re.DOTALL,
)
_KEYS = re.compile(rf"\bmetadata\s*\[\s*(?P<key>{_STRING})\s*\]|{_STRING}", re.DOTALL)
_LABELS = re.compile(
    rf"\battributes\s*\[\s*(?P<key>{_STRING})\s*\]|{_STRING}|(?P<field>\blabel(?:_id)?\b)",
    re.DOTALL,
)
_LITERALS = re.compile(_LITERAL, re.IGNORECASE | re.DOTALL)


def lists_as_comparisons(expression: str) -> str:
    """A filter whose lists of metadata values are comparisons, as Milvus Lite 3.2.2 takes them.

    It takes ``in`` for fields only ("left side of 'in' must be a field reference").

    >>> lists_as_comparisons('metadata["brand"] in ["a", "b"]')
    '(metadata["brand"] == "a" or metadata["brand"] == "b")'
    """
    return _LISTS.sub(_as_comparisons, expression)


def _as_comparisons(match: re.Match[str]) -> str:
    if match["access"] is None:
        return match[0]
    negated = match["negated"] is not None
    sign, junction = ("!=", " and ") if negated else ("==", " or ")
    comparisons = [
        f"{match['access']} {sign} {value}" for value in _LITERALS.findall(match["list"])
    ]
    return f"({junction.join(comparisons)})"


def metadata_keys(expression: str) -> list[str]:
    """The columns that a filter names as ``metadata["..."]``, each once."""
    keys = [_unquoted(match["key"]) for match in _KEYS.finditer(expression) if match["key"]]
    return list(dict.fromkeys(keys))


def stored_labels(expression: str) -> set[str]:
    """The fields with stored labels that a filter names: ``label``, and keys of ``attributes``.

    >>> sorted(stored_labels('label_id == "mug" and attributes["colour"] == "label"'))
    ['colour', 'label']
    """
    matches = list(_LABELS.finditer(expression))
    keys = {_unquoted(match["key"]) for match in matches if match["key"]}
    return keys | {"label" for match in matches if match["field"]}


def require_keys(expression: str, columns: Collection[str]) -> None:
    """Refuse a filter by a column that no item has: it would find nothing, or everything.

    Raises:
        UsageError: it names the nearest ones.
    """
    for key in metadata_keys(expression):
        if key not in columns:
            listed = f" There are: {', '.join(map(repr, sorted(columns)[:20]))}."
            raise UsageError(
                f"filter {expression!r}: no item has a column {key!r} in its metadata."
                f"{did_you_mean(key, columns) or listed}"
            )


def _unquoted(literal: str) -> str:
    """The text of a literal; in double quotes escapes are those of JSON."""
    inner = literal[1:-1]
    if literal[0] == "'":
        return inner
    try:
        return str(json.loads(literal))
    except ValueError:
        return inner
