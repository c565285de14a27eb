"""``/v1/objects``."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from indexer.core.object_options import MOST_OBJECTS
from queries.service.schemas.classifying import ClassifyOptions, PredictionOut
from queries.service.schemas.searching import HitOut
from queries.service.schemas.wire import Wire


class ObjectsRequest(Wire):
    """What to look for in one picture, and what to say of each thing in it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://example.com/room.jpg", "items": 3}]}
    )

    url: str | None = Field(default=None, min_length=1, max_length=4_096)
    max_objects: int = Field(default=MOST_OBJECTS, ge=1, le=100, description="The surest things.")
    min_score: float | None = Field(
        default=None, ge=-1, le=1, description="Score from which there is a thing in a box."
    )
    items: int = Field(default=5, ge=0, le=100, description="Items like each thing.")
    filter: str = Field(
        default="", max_length=4_096, description="Milvus' syntax over the items' fields."
    )
    partition: str | None = Field(default=None, min_length=1, max_length=4_096)
    min_similarity: float | None = Field(default=None, ge=-1, le=1)
    group_by: str = Field(default="", max_length=512)
    options: ClassifyOptions = Field(
        default=ClassifyOptions(), description="How each thing is labelled."
    )


class ObjectOut(Wire):
    """A thing in the picture: where it is, its labels, and the items like it."""

    box: tuple[int, int, int, int] = Field(
        description="Left edge, upper edge, width and height, in pixels of the upright picture."
    )
    score: float
    word: str = Field(description="That a detector found it by; empty from the grid.")
    predictions: list[PredictionOut]
    unknown_score: float | None
    hits: list[HitOut]


class ObjectsResponse(Wire):
    """The things in a picture, the surest first; the whole picture where none was found."""

    width: int
    height: int
    is_whole: bool
    words: list[str] = Field(description="What a detector looked for; empty for the grid.")
    objects: list[ObjectOut]
