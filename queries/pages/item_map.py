"""The map as a file that needs nothing else: points, their titles and values, and the scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from indexer.catalog.catalog import OpenCatalog
from indexer.core.label_sets import ATTRIBUTE_PREFIX
from queries.pages import parts
from queries.projection.encoding import in_base64, quantized
from queries.projection.item_map import BRANCH, ItemMap, column_names, titles_of, values_of

_SCRIPTS = Path(__file__).parent / "scripts"

# In the order in which they need each other.
_MODULES = ("elements", "scatter", "map_colours", "legend", "gestures", "map_view")


def map_page(catalog: OpenCatalog, item_map: ItemMap, columns: Sequence[str] = ()) -> str:
    """The map as one file; pictures are left out.

    Args:
        columns: of the items' own table that points can be coloured by, besides what was decided.

    Raises:
        UsageError: no item has such a column.
    """
    decided = [
        name
        for name in column_names(catalog)
        if name in (BRANCH, "label", "status") or name.startswith(ATTRIBUTE_PREFIX)
    ]
    x, y = quantized(item_map.places)
    data = {
        "ids": item_map.item_ids.to_pylist(),
        "titles": titles_of(catalog, item_map),
        "x": in_base64(x),
        "y": in_base64(y),
        "columns": {
            name: _values(catalog, item_map, name) for name in dict.fromkeys([*decided, *columns])
        },
    }
    return parts.render(
        "item_map.html",
        title=f"Map of {catalog.folder.name}",
        item_map=item_map,
        # "<" begins an end of the element, or a comment, wherever it stands.
        data=json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        scripts=_bundled(),
        map_css=(_SCRIPTS / "map.css").read_text(encoding="utf-8"),
    )


def _values(catalog: OpenCatalog, item_map: ItemMap, column: str) -> dict[str, Any]:
    column_values = values_of(catalog, item_map, column)
    entries = zip(
        column_values.values, column_values.names, column_values.counts.tolist(), strict=True
    )
    return {
        "values": [{"value": value, "name": name, "items": n} for value, name, n in entries],
        "others": column_values.others,
        "without": column_values.without,
        "codes": in_base64(column_values.codes),
    }


def _bundled() -> str:
    """The page's modules as one script: a file on disk may not import others."""
    modules = (_SCRIPTS / f"{name}.js" for name in _MODULES)
    return "\n".join(
        re.sub(r"^(import .*\n|export )", "", module.read_text(encoding="utf-8"), flags=re.M)
        for module in modules
    )
