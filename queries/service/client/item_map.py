"""The map: items laid out in two dimensions, with what they are coloured by."""

from __future__ import annotations

import base64
from typing import Any

from queries.service.client.connection import Connection, ServiceError
from queries.service.client.results import MapPoint

_LARGEST = 65_535
_ASKED = 3
"""Times that the values are asked for where items come and go meanwhile."""


class ItemMap(Connection):
    """Routes of ``/v1/map``."""

    def map_points(self, column: str = "label") -> list[MapPoint]:
        """The items on the map, with their places and their values of a column.

        ``start_projection`` lays the items out.

        Args:
            column: ``label``, ``branch``, ``status``, ``kind``, ``attributes.SET``, or one of the
                items' own table.

        Raises:
            ServiceError: refused, there is no map yet, or the catalog changes all the time.
            StoreUnavailableError: the service does not answer.
        """
        for _ in range(_ASKED):
            points = self._ask("GET", "/v1/map")
            values = self._ask("GET", "/v1/map/values", params={"column": column})
            if points["version"] == values["version"]:
                return _map_points(points, values)
        raise ServiceError(409, "catalog", "the catalog changes while its map is read: ask again")


def _map_points(points: dict[str, Any], values: dict[str, Any]) -> list[MapPoint]:
    named = values["values"]
    rows = zip(
        points["item_ids"],
        _numbers(points["x"]),
        _numbers(points["y"]),
        _numbers(values["codes"]),
        strict=True,
    )
    return [
        MapPoint(
            item_id=item_id,
            x=x / _LARGEST,
            y=y / _LARGEST,
            value=named[code]["value"] if code < len(named) else "",
            name=named[code]["name"] if code < len(named) else "",
        )
        for item_id, x, y, code in rows
    ]


def _numbers(text: str) -> list[int]:
    import numpy as np

    numbers: list[int] = np.frombuffer(base64.b64decode(text), "<u2").tolist()
    return numbers
