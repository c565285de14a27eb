"""Problem documents tell what happened, and not where things lie."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest
from asking import when_ready
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from indexer.catalog.opening import CatalogOptions
from queries.service.app import create_app
from queries.service.engine import Engine
from queries.service.limits import Limits
from queries.service.metrics import Metrics
from queries.service.problems import Places
from queries.service.settings import ServiceSettings


@pytest.mark.parametrize(
    ("folder", "text", "told"),
    [
        ("data", "metadata of 'data/labels'", "metadata of 'the data folder/labels'"),
        ("data", "the data in 'data'", "the data in 'the data folder'"),
        ("data", "/srv/data/x", "/srv/data/x"),
        (".", "a. b. /c", "a. b. /c"),
        ("/srv/shop", "file:///srv/shop/a, /srv/shop-2", "file://the data folder/a, /srv/shop-2"),
        ("x/shop", "x/shop/milvus.db is away", "the database is away"),
    ],
)
def test_places_are_hidden_where_they_stand_for_themselves(
    folder: str, text: str, told: str
) -> None:
    """A folder's name within another word is no place."""
    assert Places.of(CatalogOptions(data_dir=Path(folder))).hidden_in(text) == told


def test_a_failure_is_counted_and_has_the_headers_of_all_answers(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered outside of what adds them elsewhere."""

    async def failing(*_: object) -> None:
        raise RuntimeError("secret")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "run", failing)
        answer = client.get("/v1/labels")
    assert (answer.status_code, "secret" in answer.text) == (500, False)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert 'route="/v1/labels",status="500"' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("path", "part", "body", "told"),
    [
        ("/v1/search", "query", {"item_id": "mug-red.png"}, "item_id 'mug-red.png'"),
        ("/v1/search", "query", {"url": "http://a/b.png"}, "url 'http://a/b.png'"),
        ("/v1/objects", "query", {"url": "http://a/b.png"}, "url 'http://a/b.png'"),
        ("/v1/items", "items", {"items": [{"item_id": "a", "url": "http://a"}]}, "url 'http://a'"),
    ],
)
def test_another_input_beside_an_upload_is_refused(
    client: TestClient, drawn: Path, path: str, part: str, body: dict[str, object], told: str
) -> None:
    """It was ignored, or left its item out of what a picture found."""
    field = "pictures" if part == "items" else "picture"
    files = {field: ("a.png", (drawn / "mug-red.png").read_bytes())}
    answer = client.post(path, files=files, data={part: json.dumps(body)})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"] == f"{told} and an uploaded picture: give one of them."


def test_methods_that_nobody_knows_share_a_line(client: TestClient) -> None:
    """Else every word that is sent as one would be kept for ever."""
    for method in ("AAAA", "BBBB"):
        assert client.request(method, "/healthz").status_code == 405
    text = client.get("/metrics").text
    assert 'method="other"' in text
    assert "AAAA" not in text


def test_a_label_file_that_no_one_has_is_not_named(client: TestClient) -> None:
    """The labels of a request pass through one; readiness names no other catalog either."""
    labels = [{"name": "a", "id": "1"}, {"name": "b", "id": "1"}]
    answer = client.put("/v1/labels", json={"labels": labels})
    assert answer.status_code in {400, 409}, answer.text
    assert "the labels of the request, line 2" in answer.text
    assert "jsonl" not in answer.text


def test_strangers_are_not_told_which_catalogs_there_are(
    options: CatalogOptions, settings: ServiceSettings
) -> None:
    """The log says why the service is not ready."""
    missing = CatalogOptions(catalog="away", data_dir=options.data_dir)
    with TestClient(create_app(missing, settings), base_url="http://localhost") as client:
        answer = when_ready(client)
        assert (answer.status_code, "shop" in answer.text) == (409, False)


def test_a_body_in_chunks_that_is_too_large_is_refused_as_such(client: TestClient) -> None:
    """Also where FastAPI reads it, which has a word of its own for what fails then."""
    headers = {"Content-Type": "application/json"}
    chunks = (b" " * 1_000_000 for _ in range(3))
    assert client.put("/v1/labels", content=chunks, headers=headers).status_code == 413


def test_bodies_are_bounded_together() -> None:
    """Each is small enough, and they come at the same time; afterwards there is room again."""
    settings = ServiceSettings(max_body=10)

    async def status(app: Limits, *, fill: int) -> int:
        found: list[int] = []
        bodies: list[Message] = [{"type": "http.request", "body": b"x" * 10}] * fill

        async def receive() -> Message:
            return bodies.pop()

        async def send(message: Message) -> None:
            found.append(message.get("status", 0))

        await app({"type": "http", "method": "POST", "headers": []}, receive, send)
        return found[0]

    async def ask() -> list[int]:
        gate = asyncio.Event()

        async def app(_: Scope, receive: Receive, send: Send) -> None:
            await receive()
            await gate.wait()
            await send({"type": "http.response.start", "status": 200})

        bounded = Limits(app, settings=settings, metrics=Metrics())
        first = [asyncio.create_task(status(bounded, fill=1)) for _ in range(8)]
        await asyncio.sleep(0)
        refused = await status(bounded, fill=1)
        gate.set()
        return [refused, *await asyncio.gather(*first), await status(bounded, fill=1)]

    assert asyncio.run(ask()) == [503, *[200] * 9]


def test_an_answer_that_has_begun_may_take_longer() -> None:
    """A large table is downloaded part by part, each within the time of a request."""
    sent: list[Message] = []
    loop = asyncio.SelectorEventLoop()
    passed_s = 0.0
    loop.time = lambda: passed_s  # type: ignore[method-assign]

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        nonlocal passed_s
        for _ in range(6):
            passed_s += 50.0
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # where time were up, this is where it would be told
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b"x"})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    bounded = Limits(app, settings=ServiceSettings(request_timeout_s=60.0), metrics=Metrics())
    scope = {"type": "http", "method": "GET", "headers": []}
    with contextlib.closing(loop):
        loop.run_until_complete(bounded(scope, receive, send))
    assert len(sent) == 8


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/review?categry=mug", "query/categry: no such parameter; there are: category, limit,"),
        ("/v1/map?column=label", "query/column: no such parameter; there are none"),
        ("/v1/pictures/mug-red.png?size=64", "there are: side"),
    ],
)
def test_a_parameter_that_no_route_reads_is_refused(
    client: TestClient, path: str, told: str
) -> None:
    """Ignored, a misspelt one would answer with all items."""
    answer = client.get(path)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "parts", "told"),
    [
        ("/v1/classify", [("pictures", "a"), ("option", None)], "There is no part 'option'"),
        ("/v1/classify", [("pictures", "a"), ("pictures", None)], "is a text: send pictures as"),
        (
            "/v1/search",
            [("picture", "a"), ("picture", "b")],
            "2 pictures, and this route takes one",
        ),
        ("/v1/explain", [("options", None)], "Send at least one picture"),
        ("/v1/objects", [("picture", "a"), *[("query", None)] * 2], "comes several times"),
    ],
)
def test_a_part_of_a_form_that_is_not_read_is_refused(
    client: TestClient, path: str, parts: list[tuple[str, str | None]], told: str
) -> None:
    """Misspelt, a text in the place of a file, one too many."""
    files = [(name, (file, b"{}")) for name, file in parts]
    answer = client.post(path, files=files)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]
