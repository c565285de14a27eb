"""What addresses of requests hold: ids of any characters, and no parameters that are not read."""

from __future__ import annotations

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor


class _Id(Convertor[str]):
    """An id in a path, with slashes and line breaks: Starlette's ``path`` ends at the latter."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", _Id())

ITEM_ID = "/{item_id:id}"
LABEL_ID = "/{label_id:id}"


def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of all routes: a misspelt parameter would be ignored, and all be answered.

    Raises:
        RequestValidationError: the address has a parameter that the route does not describe.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.path.startswith("/v1/"):
        return
    known = sorted(field.alias for field in route.dependant.query_params)
    there_are = f"there are: {', '.join(known)}" if known else "there are none"
    unknown = sorted(request.query_params.keys() - set(known))
    if unknown:
        raise RequestValidationError(
            [
                {"loc": ("query", name), "msg": f"no such parameter; {there_are}", "type": "extra"}
                for name in unknown
            ]
        )
