"""The OpenAPI description: also of bodies that a route reads itself, JSON or a form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from queries.service.schemas.classifying import ClassifyOptions, ClassifyRequest, UploadOptions
from queries.service.schemas.explaining import ExplainOptions, ExplainRequest
from queries.service.schemas.items import ItemsRequest
from queries.service.schemas.objects import ObjectsRequest
from queries.service.schemas.searching import SearchRequest
from queries.service.schemas.wire import ProblemDocument

_READ_BY_ROUTES: tuple[type[BaseModel], ...] = (
    ClassifyOptions,
    ClassifyRequest,
    ExplainOptions,
    ExplainRequest,
    ItemsRequest,
    ObjectsRequest,
    ProblemDocument,
    SearchRequest,
    UploadOptions,
)
_REFERENCE = "#/components/schemas/{model}"


def body(model: str, *, files: str, many: bool, json_part: str, part_model: str) -> dict[str, Any]:
    """A request body that is JSON, or a form with pictures and a part of JSON.

    Args:
        model: of the JSON body.
        files: name of the form's part with pictures.
        many: whether there may be several.
        json_part: name of the form's other part.
        part_model: what that part is, as JSON.
    """
    picture = {"type": "string", "format": "binary"}
    pictures = {"type": "array", "minItems": 1, "items": picture} if many else picture
    form = {
        "type": "object",
        "required": [files],
        "properties": {
            files: pictures,
            json_part: {"type": "string", "description": f"{part_model} as JSON."},
        },
    }
    content = {
        "application/json": {"schema": {"$ref": _REFERENCE.format(model=model)}},
        "multipart/form-data": {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}


def describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """What makes an application's description, once."""

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            _, definitions = models_json_schema(
                [(model, "validation") for model in _READ_BY_ROUTES], ref_template=_REFERENCE
            )
            schemas = described["components"]["schemas"]
            described["components"]["schemas"] = definitions["$defs"] | schemas
            described["components"]["securitySchemes"] = {
                "key": {"type": "http", "scheme": "bearer", "description": "zeroshelf keys add"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
            described["security"] = [{"key": []}, {"header": []}, {}]
            app.openapi_schema = described
        return app.openapi_schema

    return description
