"""``/v1/map``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from queries.service.schemas.wire import Wire


class ProjectJob(Wire):
    """How to lay the items out."""

    method: Literal["umap", "pca"] | None = Field(
        default=None, description="UMAP where it is installed, else PCA."
    )
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    points: int = Field(
        default=100_000, ge=1, le=100_000, description="Of more items so many are drawn."
    )


class MapOut(Wire):
    """The items that are on the map.

    ``x`` and ``y`` are uint16 numbers, little-endian, in base64: a point's place in a unit square
    times 65,535, y upwards.
    """

    version: str = Field(description="Changes with the points or their order.")
    items: int = Field(description="Of the catalog.")
    missing: int = Field(description="Items that are not on the map, as they are new.")
    drawn_from: int | None = Field(
        description="Items that the points were drawn from at random; null where all are on it."
    )
    method: Literal["umap", "pca"] | None = Field(
        description="null where the items are not laid out yet: no item is on the map."
    )
    seed: int | None
    trustworthiness: float | None = Field(
        description="How far neighbours on the map are neighbours by embedding, 0 to 1."
    )
    time: str | None
    columns: list[str] = Field(description="What points can be told apart by.")
    item_ids: list[str]
    x: str
    y: str


class ValueOut(Wire):
    """A value of a column; of a label set its label's id, and the label's name."""

    value: str
    name: str
    items: int


class MapValuesOut(Wire):
    """The values of a column over the points.

    ``codes`` are uint16 numbers, little-endian, in base64: places in ``values``, 65,534 for a
    rarer value and 65,535 for none.
    """

    version: str = Field(description="Of the map; another one's points are others.")
    column: str
    values: list[ValueOut] = Field(description="The 1,000 most frequent, these first.")
    others: int = Field(description="Points with a rarer value.")
    without: int = Field(description="Points without a value.")
    codes: str
