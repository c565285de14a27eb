"""By what a catalog is divided: a column of the items' metadata, such as a shop; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def partition_of(metadata: Mapping[str, Any] | str, column: str) -> str:
    """The partition that an item belongs to; empty where its metadata names none.

    Args:
        metadata: values by column, or the same as JSON.
        column: the catalog's partition key.
    """
    values = json.loads(metadata) if isinstance(metadata, str) else metadata
    value = values.get(column)
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return ""
