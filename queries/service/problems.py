"""Every error as a problem document (RFC 9457), and none with what it should not tell."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from indexer.catalog.options import CatalogOptions
from indexer.commands.remedies import completed
from indexer.core.errors import (
    CatalogError,
    ItemError,
    ModelError,
    StoreError,
    StoreUnavailableError,
    UsageError,
    ZeroshelfError,
)
from queries.service.schemas.wire import message_of

MEDIA_TYPE = "application/problem+json"

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
"""What a browser may make of an answer; also of those that are made outside the limits."""

_log = logging.getLogger(__name__)

# The first that fits counts: narrower errors stand before their bases.
_STATUS_OF: Sequence[tuple[type[ZeroshelfError], int, str, str]] = (
    (ItemError, 422, "unusable-input", "An input can't be used"),
    (UsageError, 400, "bad-request", "The request can't be carried out"),
    (StoreUnavailableError, 503, "store-unavailable", "The database can't be reached"),
    (CatalogError, 409, "catalog", "The catalog does not allow it"),
    (ModelError, 503, "model", "The model can't be used"),
    (StoreError, 502, "store", "The database failed"),
)


class Problem(Exception):  # noqa: N818 (the RFC's word)
    """An answer other than success.

    Args:
        status: HTTP status.
        kind: last part of the document's type, stable, for programs.
        title: what kind of problem it is, for people.
        detail: what happened and what to do.
        headers: further headers, such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})

    def response(self, **members: Any) -> JSONResponse:
        """The problem document; ``members`` extend it."""
        content = {
            "type": f"urn:zeroshelf:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        return JSONResponse(
            content | members, self.status, headers=self.headers, media_type=MEDIA_TYPE
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Where a service keeps things: written out of what strangers are told.

    Attributes:
        names: what is said instead, by the path or address; longer ones first.
    """

    names: Mapping[str, str]

    @staticmethod
    def of(options: CatalogOptions) -> Places:
        """Of a catalog's options; paths as they were given, and whole."""
        folder, database = options.data_dir, options.db_uri
        names = {str(folder): "the data folder", str(folder.absolute()): "the data folder"}
        names |= {database: "the database", str(Path(database).absolute()): "the database"}
        names.pop(".", None)  # paths in it are told as they lie there
        ordered = sorted(names.items(), key=lambda entry: -len(entry[0]))
        return Places(dict(ordered))

    def hidden_in(self, text: str) -> str:
        """The text without places."""
        for place, name in self.names.items():
            text = re.sub(_standing(place), name, text)
        return text


def _standing(place: str) -> str:
    """Where a place stands for itself: "data" is a folder in 'data/labels', not in metadata."""
    pattern = rf"{re.escape(place)}(?![\w-])"
    if not place.startswith("/"):
        pattern = rf"(?<![\w./-]){pattern}"
    return pattern if "/" in place or "." in place else rf"{pattern}(?=[/'\"])"


def problem_of(error: ZeroshelfError) -> Problem:
    """The problem that an error of the library is."""
    for kind, status, slug, title in _STATUS_OF:
        if isinstance(error, kind):
            headers = {"Retry-After": "5"} if status == 503 else None
            return Problem(status, slug, title, str(error), headers=headers)
    return Problem(500, "internal", "The service failed", "The log of the service says why.")


def install(app: FastAPI, places: Places) -> None:
    """Answer every error of an application with a problem document, without the places."""

    @app.exception_handler(Problem)
    async def told(_: Request, error: Problem) -> JSONResponse:
        return error.response()

    @app.exception_handler(ZeroshelfError)
    async def refused(request: Request, error: ZeroshelfError) -> JSONResponse:
        problem = problem_of(error)
        if problem.status == 500:
            return _internal(request, error)
        problem.detail = completed(places.hidden_in(problem.detail), ("--catalog",))
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"where": "/".join(map(str, entry["loc"])), "message": message_of(entry)}
            for entry in error.errors()
        ]
        detail = "; ".join(f"{entry['where']}: {entry['message']}" for entry in errors[:5])
        problem = Problem(422, "validation", "The request is not as described", detail)
        return problem.response(errors=errors)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        title = str(error.detail)
        problem = Problem(error.status_code, "http", title, title, headers=error.headers)
        return problem.response()

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return _internal(request, error, headers=SECURITY_HEADERS)


def _internal(
    request: Request, error: Exception, *, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer to what should not happen; the log has its traceback under the same id."""
    request_id = uuid.uuid4().hex
    _log.error(
        "request %s: %s %s failed", request_id, request.method, request.url.path, exc_info=error
    )
    return Problem(
        500,
        "internal",
        "The service failed",
        f"The log of the service says why, at request {request_id}.",
        headers={**(headers or {}), "X-Request-ID": request_id},
    ).response(request_id=request_id)


Model = TypeVar("Model", bound=BaseModel)


def parsed(model: type[Model], text: str | bytes) -> Model:
    """JSON of a body whose type the route chose itself.

    Raises:
        RequestValidationError: it is not as the model describes.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


_SCHEMA = {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": text, "content": {MEDIA_TYPE: _SCHEMA}}
    for status, text in {
        400: "The request can't be carried out.",
        401: "No key, or one that is not known or was revoked.",
        403: "The key may not do this.",
        404: "There is no such item, label or job.",
        409: "The catalog does not allow it.",
        413: "The request is too large.",
        422: "The request is not as described, or no input can be used.",
        500: "The service failed; its log says why.",
        502: "The database failed.",
        503: "Too busy, or a part is out of reach; Retry-After says when to try again.",
    }.items()
}
"""Problem documents of the routes, for OpenAPI."""
