"""`zeroshelf mcp`, asked by the SDK's own client: over a process's stdin and stdout, or here."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters

from indexer.catalog.opening import CatalogOptions, open_catalog
from queries.agents.server import server_of
from queries.categorizing.categorize import categorize
from queries.service.keys import Scope

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]


def program(options: CatalogOptions) -> StdioServerParameters:
    """The command that an agent's program starts."""
    return StdioServerParameters(
        command=str(Path(sys.executable).with_name("zeroshelf")),
        args=["mcp", "--data-dir", str(options.data_dir), "--catalog", options.catalog],
        env=dict(os.environ),
    )


def asked(
    options: CatalogOptions, ask: Callable[[Client], Awaitable[None]], scope: Scope = Scope.READ
) -> None:
    """Run questions against a server in this process."""

    async def session() -> None:
        async with server_of(options, scope) as server, Client(server) as client:
            await ask(client)

    asyncio.run(session())


def decide(options: CatalogOptions, folder: Path) -> None:
    """Label the items, so that there is something to review."""
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, folder / "out.parquet", write_back=True)


def test_tools_answer_as_the_routes_do(
    options: CatalogOptions, drawn: Path, tmp_path: Path
) -> None:
    """All that read, by the command in a process of its own, as an agent's program runs it."""
    decide(options, tmp_path)
    picture = str(drawn / "mug-red.png")

    async def ask(client: Client) -> None:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(listed) == ["search", "classify", "explain", "catalog", "labels", "review"]
        assert listed["search"].input_schema["properties"]["picture"]["description"]
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed.values())
        answers = {
            name: (await client.call_tool(name, arguments)).structured_content
            for name, arguments in {
                "catalog": {},
                "labels": {"contains": "mug"},
                "search": {"picture": picture, "limit": 2},
                "classify": {"pictures": [picture], "options": {"limit": 1}},
                "explain": {"item_id": "mug-red.png"},
                "review": {"limit": 3},
            }.items()
        }
        assert answers["catalog"]["items"] == 8
        assert [label["name"] for label in answers["labels"]["labels"]] == ["mug"]
        assert answers["search"]["hits"][0]["item_id"] == "mug-red.png"
        assert len(answers["search"]["hits"]) == 2
        (classified,) = answers["classify"]["results"]
        assert [one["label"] for one in classified["predictions"]] == ["mug"]
        assert answers["explain"]["winner"] == "mug"
        assert (answers["review"]["total"], len(answers["review"]["items"])) == (8, 3)

    async def session() -> None:
        async with Client(program(options)) as client:
            await ask(client)

    asyncio.run(session())


def test_mistakes_are_answers_that_an_agent_can_use(options: CatalogOptions) -> None:
    """What is wrong and what there is; the server lives on, and no place of the disk is told."""

    async def ask(client: Client) -> None:
        async def failure(name: str, arguments: dict[str, Any]) -> str:
            result = await client.call_tool(name, arguments)
            assert result.is_error
            return str(getattr(result.content[0], "text", ""))

        assert "no tool 'give_verdict'" in await failure("give_verdict", {})
        assert "limit" in await failure("search", {"text": "mug", "limit": 0})
        assert "can't be read" in await failure("classify", {"pictures": ["/nowhere.png"]})
        assert "at least 1 character" in await failure("classify", {"texts": [""]})
        titled = await failure("classify", {"texts": ["mug"], "titles": ["red"]})
        assert (
            titled == "arguments: titles are of pictures: a text has none, an item brings its own"
        )
        told = await failure("search", {"text": "mug", "filter": 'metadata["price"] <'})
        assert "is not valid" in told or "price" in told
        assert str(options.data_dir) not in told
        assert (await client.call_tool("catalog", {})).structured_content["items"] == 8

    asked(options, ask)


def test_a_verdict_needs_the_scope_to_write(options: CatalogOptions, tmp_path: Path) -> None:
    """With it the item has the label, and the agent is its reviewer."""
    decide(options, tmp_path)
    verdict = {"item_id": "mug-red.png", "verdict": "corrected", "label": "guitar"}

    async def ask(client: Client) -> None:
        given = (await client.call_tool("give_verdict", verdict)).structured_content
        assert (given["label_id"], given["who"]) == ("guitar", "mcp")
        # On a busy machine the route answers before the item has it.
        while await label_id(client) != "guitar":
            await asyncio.sleep(0.2)

    async def label_id(client: Client) -> str:
        words = {"text": "a mug", "limit": 8}
        answer = (await client.call_tool("search", words)).structured_content
        return {hit["item_id"]: str(hit["label_id"]) for hit in answer["hits"]}["mug-red.png"]

    asked(options, ask, Scope.WRITE)


def test_the_review_tool_takes_the_filters_of_its_route(
    options: CatalogOptions, tmp_path: Path
) -> None:
    """A label, no label, a status; what is none of these is refused with what there is."""
    decide(options, tmp_path)

    async def ask(client: Client) -> None:
        async def total(**arguments: Any) -> int:
            answer = await client.call_tool("review", arguments)
            assert not answer.is_error, answer.content
            return int(answer.structured_content["total"])  # type: ignore[index]

        everything = await total()
        mugs = await total(category=["mug"])
        assert 0 < mugs < everything
        assert await total(category=["mug", "guitar"]) > mugs
        statuses = ["accepted", "review", "unknown", "not_visible"]
        counts = [await total(status=[status]) for status in statuses]
        assert sum(counts) == await total(status=statuses) == everything
        refused = await client.call_tool("review", {"status": ["good"]})
        assert refused.is_error
        assert "'accepted'" in str(refused.content)
        unknown = await client.call_tool("review", {"category": ["mugg"]})
        assert unknown.is_error
        assert "mug" in str(unknown.content)

    asked(options, ask)


def test_a_verdict_is_taken_back(options: CatalogOptions, tmp_path: Path) -> None:
    """By its own time, with the scope to write alone; then the item waits for a review again."""
    decide(options, tmp_path)

    async def ask(client: Client) -> None:
        async def told(name: str, **arguments: Any) -> Any:
            return (await client.call_tool(name, arguments)).structured_content

        before = (await told("review"))["total"]
        given = await told("give_verdict", item_id="mug-red.png", verdict="rejected")
        assert (await told("review"))["total"] == before - 1
        other = await told("undo_verdict", verdicts=[{"item_id": "mug-red.png", "time": "never"}])
        assert other["results"][0]["error"]
        assert (await told("review"))["total"] == before - 1
        verdicts = [{"item_id": "mug-red.png", "time": given["time"]}]
        undone = await told("undo_verdict", verdicts=verdicts)
        assert [result["error"] for result in undone["results"]] == [None]
        assert (await told("review"))["total"] == before

    asked(options, ask, Scope.WRITE)

    async def read_only(client: Client) -> None:
        refused = await client.call_tool("undo_verdict", {"verdicts": [{"item_id": "mug-red.png"}]})
        assert refused.is_error

    asked(options, read_only)
