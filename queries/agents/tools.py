"""The tools: what each takes, which route it asks, and which scope that needs.

Pure: a call becomes a request, which ``routes`` sends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, model_validator

from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY
from queries.service.keys import Scope
from queries.service.schemas.classifying import ClassifyOptions, UploadOptions
from queries.service.schemas.explaining import ExplainOptions
from queries.service.schemas.reviewing import ReviewStatus, VerdictIn, WithdrawRequest
from queries.service.schemas.searching import SearchRequest
from queries.service.schemas.wire import Input, SetName, Wire, message_of

_PICTURE = "Path of a picture on the machine where this server runs."


class SearchTool(SearchRequest):
    """What to look for: words, a picture, an item like it, or words with one of these."""

    picture: str | None = Field(default=None, min_length=1, description=_PICTURE)


class ClassifyTool(Wire):
    """What to label: pictures, or texts and stored items; and how."""

    pictures: list[str] = Field(default=[], max_length=64, description=f"{_PICTURE} Several.")
    titles: list[str] | None = Field(
        default=None, description="What is said of each picture, in their order; '' is nothing."
    )
    texts: list[str] = Field(default=[], max_length=64, description="Texts to label.")
    item_ids: list[str] = Field(default=[], max_length=64, description="Stored items to label.")
    options: ClassifyOptions = ClassifyOptions()

    @model_validator(mode="after")
    def _one_kind(self) -> ClassifyTool:
        if bool(self.pictures) == bool(self.texts or self.item_ids):
            raise ValueError("give pictures, or else texts and item_ids")
        if self.titles and not self.pictures:
            raise ValueError("titles are of pictures: a text has none, an item brings its own")
        return self


class ExplainTool(ExplainOptions):
    """What to explain: a picture, a text, or a stored item."""

    picture: str | None = Field(default=None, min_length=1, description=_PICTURE)
    text: str | None = Field(default=None, min_length=1)
    item_id: str | None = Field(default=None, min_length=1, max_length=512)

    @model_validator(mode="after")
    def _one(self) -> ExplainTool:
        if sum(value is not None for value in (self.picture, self.text, self.item_id)) != 1:
            raise ValueError("give exactly one of picture, text and item_id")
        return self


class CatalogTool(Wire):
    """Which label set of the catalog to look at."""

    set: SetName = CATEGORY


class LabelsTool(CatalogTool):
    """Which labels to list, a page at a time."""

    contains: str = Field(default="", max_length=200, description="In a name of the path.")
    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=100, ge=1, le=1_000)


class ReviewTool(CatalogTool):
    """Which part of the review queue to see."""

    limit: int = Field(default=10, ge=1, le=100)
    offset: int = Field(default=0, ge=0)
    category: list[Annotated[str, Field(max_length=512)]] = Field(
        default=[],
        max_length=100,
        description="Only items of these labels, by id, name or path, a branch with all below it; "
        "'' is no label.",
    )
    status: list[ReviewStatus] = Field(default=[], description="Only items of these statuses.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """A request to the service.

    Attributes:
        files: name of the form's part and content, for each picture.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, Any] | None = None
    form: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[tuple[str, tuple[str, bytes]]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool.

    Attributes:
        description: for the agent.
        arguments: what it takes.
        scope: that its route needs.
        request: the route's request for checked arguments.
    """

    name: str
    description: str
    arguments: type[BaseModel]
    scope: Scope
    request: Callable[[Any], RouteRequest]

    def requested(self, arguments: Mapping[str, Any]) -> RouteRequest:
        """The request of a call.

        Raises:
            UsageError: the arguments are not as described, or a picture can't be read.
        """
        try:
            return self.request(self.arguments.model_validate(arguments))
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {message_of(problem)}"
                for problem in error.errors()
            )
            raise UsageError("; ".join(problems)) from error


def _search(call: SearchTool) -> RouteRequest:
    body = call.model_dump(exclude_unset=True, exclude={"picture"})
    if call.picture is None:
        return RouteRequest(method="POST", path="/v1/search", content=body)
    files = [("picture", _read(call.picture))]
    form = {"query": json.dumps(body)}
    return RouteRequest(method="POST", path="/v1/search", form=form, files=files)


def _classify(call: ClassifyTool) -> RouteRequest:
    options = call.options.model_dump(exclude_unset=True)
    if call.pictures:
        sent = UploadOptions(**options, titles=call.titles).model_dump(exclude_unset=True)
        files = [("pictures", _read(path)) for path in call.pictures]
        form = {"options": json.dumps(sent)}
        return RouteRequest(method="POST", path="/v1/classify", form=form, files=files)
    inputs = [Input(text=text) for text in call.texts]
    inputs += [Input(item_id=item_id) for item_id in call.item_ids]
    content = {
        "inputs": [entry.model_dump(exclude_unset=True) for entry in inputs],
        "options": options,
    }
    return RouteRequest(method="POST", path="/v1/classify", content=content)


def _explain(call: ExplainTool) -> RouteRequest:
    if call.picture is None:
        content = call.model_dump(exclude_unset=True)
        return RouteRequest(method="POST", path="/v1/explain", content=content)
    options = call.model_dump(exclude_unset=True, exclude={"picture"})
    files = [("picture", _read(call.picture))]
    form = {"options": json.dumps(options)}
    return RouteRequest(method="POST", path="/v1/explain", form=form, files=files)


def _get(path: str) -> Callable[[BaseModel], RouteRequest]:
    return lambda call: RouteRequest(method="GET", path=path, query=call.model_dump(mode="json"))


def _post(path: str) -> Callable[[BaseModel], RouteRequest]:
    return lambda call: RouteRequest(
        method="POST", path=path, content=call.model_dump(mode="json", exclude_unset=True)
    )


def _read(picture: str) -> tuple[str, bytes]:
    path = Path(picture)
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        raise UsageError(f"{picture!r} can't be read: {error.strerror}.") from error


TOOLS = (
    Tool(
        name="search",
        description="Find items of the catalog by words, by a picture, or like a stored item; "
        "with a filter over their columns, exact words (hybrid), and counts (facets).",
        arguments=SearchTool,
        scope=Scope.READ,
        request=_search,
    ),
    Tool(
        name="classify",
        description="Label pictures, texts or stored items by the catalog's own categories: the "
        "best labels with score and status (accepted, review, unknown).",
        arguments=ClassifyTool,
        scope=Scope.READ,
        request=_classify,
    ),
    Tool(
        name="explain",
        description="Say why an input has its label: prompts, nearest labelled items, words.",
        arguments=ExplainTool,
        scope=Scope.READ,
        request=_explain,
    ),
    Tool(
        name="catalog",
        description="The catalog at a glance: items, labels, model, items by category.",
        arguments=CatalogTool,
        scope=Scope.READ,
        request=_get("/v1/catalog"),
    ),
    Tool(
        name="labels",
        description="List the labels of the taxonomy with their paths, a page at a time.",
        arguments=LabelsTool,
        scope=Scope.READ,
        request=_get("/v1/labels"),
    ),
    Tool(
        name="review",
        description="Items whose label a person should look at, the most useful first, with the "
        "labels that they could have; of some categories or statuses only, where these are given.",
        arguments=ReviewTool,
        scope=Scope.READ,
        request=_get("/v1/review"),
    ),
    Tool(
        name="give_verdict",
        description="Accept an item's label, correct it, or reject it. It changes the catalog.",
        arguments=VerdictIn,
        scope=Scope.WRITE,
        request=_post("/v1/review"),
    ),
    Tool(
        name="undo_verdict",
        description="Take back the newest verdict on items: each has again the label that it had "
        "before. With the time that the verdict was answered with, only that one is taken back. It "
        "changes the catalog.",
        arguments=WithdrawRequest,
        scope=Scope.WRITE,
        request=_post("/v1/review/withdraw"),
    ),
)
"""All tools, in the order in which an agent sees them."""


def tools_for(scope: Scope) -> list[Tool]:
    """The tools that a scope may use."""
    return [tool for tool in TOOLS if scope.includes(tool.scope)]
