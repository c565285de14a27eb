"""What is common to all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from indexer.core.credentials import without_credentials

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
SetName = Annotated[
    str,
    Field(max_length=40, description="Label set: category, or another one, such as colour."),
]


class Wire(BaseModel):
    """Base of all: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, from_attributes=True)

    @classmethod
    def of(cls, value: object) -> Self:
        """From the library's value whose attributes are called as the fields."""
        return cls.model_validate(value)


def message_of(problem: Mapping[str, Any]) -> str:
    """What pydantic says of one value, with the values of enumerations as they are sent."""
    message = problem["msg"].removeprefix("Value error, ")
    return re.sub(r"<\w+\.\w+: ('[^']*')>", r"\1", message)


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:zeroshelf:problem:queue-full"])
    title: str
    status: int
    detail: str


class Health(Wire):
    """Whether the service lives, or is ready."""

    status: Literal["ok"]


class Input(Wire):
    """One input: a text, a picture's URL, or a stored item."""

    text: str | None = Field(default=None, min_length=1)
    url: str | None = Field(default=None, min_length=1, max_length=4_096)
    item_id: str | None = Field(default=None, min_length=1, max_length=512)
    title: str = Field(default="", description="What is said of the picture, beside a url.")

    @model_validator(mode="after")
    def _one(self) -> Input:
        if sum(value is not None for value in (self.text, self.url, self.item_id)) != 1:
            raise ValueError("give exactly one of text, url and item_id")
        if self.title and self.url is None:
            raise ValueError("a title is of a picture: a text has none, an item brings its own")
        return self

    @property
    def name(self) -> str:
        """What results call it, without credentials of an address."""
        return without_credentials(self.text or self.url or self.item_id or "")
