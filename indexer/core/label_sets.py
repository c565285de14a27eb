"""Names of label sets: a catalog decides several things of an item, each among labels of its own.

The set ``category`` is always there. Others are attributes, such as colour and pattern.
"""

from __future__ import annotations

import re
from pathlib import Path

from indexer.core.errors import UsageError

CATEGORY = "category"
"""The set that every catalog has; what it decides can limit which other sets apply to an item."""

ATTRIBUTE_PREFIX = "attributes."
"""Before a set's name where a search counts, groups or shows what the set decided."""

NAME_BYTES = 40

_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{NAME_BYTES - 1}}}")

RESULT_COLUMNS = (
    "label_id",
    "label",
    "path",
    "score",
    "similarity",
    "margin",
    "status",
    "unknown_score",
    "label_set",
    "set_size",
    "label_version",
)
"""Columns that a decision has in tables. Those of an attribute stand behind its name."""

_FIELDS = (
    *("item_id", "kind", "source", "title", "metadata", "content_hash", "attributes", "items"),
    *("key", "vector", "partition", "sets", "labels"),
)
"""Other names of tables and of the database, which a set must not have."""


def check_set_name(name: str) -> str:
    """The name of a label set, if it is one.

    Raises:
        UsageError: it has other characters, or a column of the results would have the same name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"label set {name!r}: not a name; use small letters, digits and _, at most "
            f"{NAME_BYTES}, and start with a letter."
        )
    column = re.sub(r"_\d+$", "", name)
    if column in (*RESULT_COLUMNS, *_FIELDS):
        raise UsageError(
            f"label set {name!r}: a column of the results has this name. Choose another, such as "
            f"{f'{name}_kind'!r}."
        )
    for column_name in RESULT_COLUMNS:
        if column.endswith(f"_{column_name}"):
            raise UsageError(
                f"label set {name!r}: a set {column.removesuffix(f'_{column_name}')!r} would have "
                f"a column of this name. Choose a name that does not end in {column_name!r}."
            )
    return name


def column_prefix(set_name: str) -> str:
    """What the columns of a set begin with in tables; nothing for the category."""
    return "" if set_name == CATEGORY else f"{set_name}_"


def set_name_of(folder: Path) -> str:
    """The label set whose files a folder holds: ``sets/NAME/labels``, or ``labels``."""
    return folder.parent.name if folder.parent.parent.name == "sets" else CATEGORY


def set_option(set_name: str) -> str:
    """What a command of a remedy ends in, so that it works on the same set."""
    return "" if set_name == CATEGORY else f" --set {set_name}"


def sets_option(set_name: str) -> str:
    """The same for commands that work on several sets at once, such as categorize."""
    return "" if set_name == CATEGORY else f" --sets {set_name}"
