"""The MCP server: a table of tools over stdin and stdout."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as DescribedTool

from indexer.catalog.options import CatalogOptions
from indexer.core.errors import ZeroshelfError
from queries.agents.routes import Routes, routes_here, routes_of
from queries.agents.tools import Tool, tools_for
from queries.service.keys import Scope
from queries.service.problems import Places

_INSTRUCTIONS = (
    "Tools over one catalog of products that zeroshelf has embedded and labelled. Begin with "
    "catalog. Scores of labels are from 0 to 1; a status of review or unknown is no accepted "
    "label. Ids of items come from search and review, labels with their paths from labels."
)


def serve(options: CatalogOptions, scope: Scope, *, address: str | None, key: str) -> None:
    """Answer an agent on stdin and stdout until it closes them.

    Args:
        scope: what the agent may do.
        address: of a running service that is asked; None asks its routes in this process.
        key: for that service.
    """
    anyio.run(_serve, options, scope, address, key)


async def _serve(options: CatalogOptions, scope: Scope, address: str | None, key: str) -> None:
    async with (
        server_of(options, scope, address=address, key=key) as server,
        stdio_server() as (reading, writing),
    ):
        await server.run(reading, writing, server.create_initialization_options())


@contextlib.asynccontextmanager
async def server_of(
    options: CatalogOptions, scope: Scope, *, address: str | None = None, key: str = ""
) -> AsyncIterator[Server[Any]]:
    """The server behind ``serve``, with its arguments; it reads and writes nothing by itself."""
    routes = routes_here(options, scope) if address is None else routes_of(address, key)
    async with routes as client:
        yield _server(client, scope, Places.of(options))


def _server(routes: Routes, scope: Scope, places: Places) -> Server[Any]:
    tools = {tool.name: tool for tool in tools_for(scope)}

    async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(tools=list(map(_described, tools.values())))

    async def call_tool(_context: Any, params: CallToolRequestParams) -> CallToolResult:
        tool = tools.get(params.name)
        if tool is None:
            return _failure(f"there is no tool {params.name!r}; there are: {', '.join(tools)}")
        try:
            answer = await routes.ask(tool.requested(params.arguments or {}))
        except ZeroshelfError as error:  # an agent reads it and asks otherwise
            return _failure(places.hidden_in(str(error)))
        text = json.dumps(answer, ensure_ascii=False)
        return CallToolResult(
            content=[TextContent(type="text", text=text)], structured_content=answer
        )

    return Server(
        "zeroshelf",
        version=version("zeroshelf"),
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _described(tool: Tool) -> DescribedTool:
    return DescribedTool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.arguments.model_json_schema(),
        annotations=ToolAnnotations(read_only_hint=tool.scope is Scope.READ),
    )


def _failure(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True)
