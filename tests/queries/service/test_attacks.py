"""What a hostile client tries: each attempt is refused clearly, and the service goes on."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from held_decoder import HeldDecoder
from hostile import float_tiff, slow_jpeg
from PIL import Image

from indexer.catalog.opening import CatalogOptions
from indexer.core.errors import ItemError, UsageError
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray
from indexer.encoder import SentenceTransformerEncoder
from indexer.sources.decoding import Decoder
from queries.service import running
from queries.service.app import create_app
from queries.service.decoding import DecodingPool
from queries.service.settings import ServiceSettings


def small_picture() -> bytes:
    """A picture that decodes at once."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def pool() -> Iterator[DecodingPool]:
    """One decoder process, as the service has several."""
    settings = ServiceSettings(decoders=1, decode_timeout_s=120.0)
    with DecodingPool(settings) as pool:
        yield pool


@pytest.mark.slow
@pytest.mark.parametrize("busy", [True, False])
def test_a_decoder_that_is_killed_takes_nothing_with_it(
    pool: DecodingPool, tmp_path: Path, busy: bool
) -> None:
    """Decoding or idle; the next picture is decoded by a new process."""
    pool._decoder = held = HeldDecoder(held="hit", begun=tmp_path / "begun")

    async def attack() -> object:
        await pool.decode(small_picture(), "first")  # the process is there
        (child,) = multiprocessing.active_children()
        assert child.pid is not None
        if busy:
            hit = asyncio.create_task(pool.decode(small_picture(), "hit"))
            while not held.begun.exists():
                await asyncio.sleep(0.01)
            os.kill(child.pid, signal.SIGKILL)
            with pytest.raises(ItemError, match="hit: the decoder failed"):
                await hit
        else:
            os.kill(child.pid, signal.SIGKILL)
            while pool._pool.active:
                await asyncio.sleep(0.01)
        return (await pool.decode(small_picture(), "next")).shape

    assert asyncio.run(attack()) == (8, 8, 3)


@pytest.mark.parametrize("in_thread", [True, False])
def test_a_picture_that_a_breaking_pool_forgets_is_decoded_by_the_next(
    pool: DecodingPool, monkeypatch: pytest.MonkeyPatch, in_thread: bool
) -> None:
    """The pool breaks after it was asked and before it takes the picture."""
    first, _ = pool.decode_now(Decoder(), small_picture(), "first")  # the process is there
    (child,) = multiprocessing.active_children()

    def forget(_task: object) -> None:
        monkeypatch.undo()
        child.kill()

    monkeypatch.setattr(pool._pool._context.task_queue, "put", forget)
    if in_thread:
        found, _ = pool.decode_now(Decoder(), small_picture(), "forgotten")
    else:
        found = asyncio.run(pool.decode(small_picture(), "forgotten"))
    assert (found == first).all()
    assert not pool._open
    assert pool._under_way == 0


def test_a_picture_that_takes_long_is_refused(
    pool: DecodingPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is ended; the next is decoded by another."""
    monkeypatch.setattr(pool, "_timeout_s", 1.0)
    with pytest.raises(ItemError, match="slow: not decoded within 1 s") as caught:
        asyncio.run(pool.decode(slow_jpeg(20_000), "slow"))
    assert caught.value.reason is Reason.TOO_SLOW
    monkeypatch.undo()
    assert asyncio.run(pool.decode(small_picture(), "next")).shape == (8, 8, 3)


def test_a_picture_that_takes_much_is_refused_or_decoded_alone() -> None:
    """By the memory that the processes share; the others wait for it, and are decoded."""
    settings = ServiceSettings(decoders=2, decode_timeout_s=120.0, decode_memory=64 * 2**20)
    contents = [float_tiff(3000, 3000), *[float_tiff(1000, 1200)] * 3, *[small_picture()] * 3]
    with DecodingPool(settings) as pool:

        async def attack() -> list[object]:
            tasks = (pool.decode(one, str(place)) for place, one in enumerate(contents))
            return await asyncio.gather(*tasks, return_exceptions=True)

        too_large, *others = asyncio.run(attack())
    assert isinstance(too_large, ItemError)
    assert too_large.reason is Reason.TOO_MANY_PIXELS
    shapes = [getattr(one, "shape", one) for one in others]
    assert shapes == [(1200, 1000, 3)] * 3 + [(8, 8, 3)] * 3


def test_an_ignored_profile_is_counted_for_jobs() -> None:
    """Though another process decodes."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(stream, "PNG", icc_profile=b"rubbish")
    with DecodingPool(ServiceSettings(decoders=1, decode_timeout_s=120.0)) as pool:
        decoder = pool.for_threads()
        decoder.decode(stream.getvalue(), "profiled")
        decoder.decode(small_picture(), "plain")
    assert decoder.ignored_profiles.count == 1


def test_a_client_that_hangs_up_ends_no_decoder(pool: DecodingPool, tmp_path: Path) -> None:
    """Its picture is decoded to the end, and counts until then."""
    pool._decoder = held = HeldDecoder(held="gone", begun=tmp_path / "begun")

    async def attack() -> None:
        await pool.decode(small_picture(), "first")  # the process is there
        before = multiprocessing.active_children()
        gone = asyncio.create_task(pool.decode(small_picture(), "gone"))
        while not held.begun.exists():
            await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        assert pool._under_way == 1
        held.begun.unlink()
        await pool.decode(small_picture(), "next")
        assert pool._under_way == 0
        assert multiprocessing.active_children() == before

    asyncio.run(attack())


def test_pictures_that_nobody_waits_for_are_not_begun(
    pool: DecodingPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many whose request timed out: the one under way ends, those behind it are let go."""
    pool._decoder = held = HeldDecoder(held="first", begun=tmp_path / "begun")
    schedule, futures = pool._schedule, list[Any]()

    def noted(*given: Any) -> Any:
        futures.append(schedule(*given))
        return futures[-1]

    monkeypatch.setattr(pool, "_schedule", noted)

    async def attack() -> int:
        names = ["first", *map(str, range(8))]
        waiting = [asyncio.create_task(pool.decode(small_picture(), one)) for one in names]
        while not held.begun.exists():
            await asyncio.sleep(0.01)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        held.begun.unlink()
        while pool._under_way:
            await asyncio.sleep(0.01)
        return sum(future.cancelled() for future in futures)

    # Pebble hands a process its next picture before it has ended the one before.
    assert asyncio.run(attack()) >= 6


@pytest.mark.slow
def test_a_decoder_that_hangs_is_ended(
    pool: DecodingPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its time; the next picture is decoded by a new process."""
    pool._decoder = HeldDecoder(held="hung", begun=tmp_path / "begun")

    async def attack() -> object:
        await pool.decode(small_picture(), "first")  # the process is there
        before = multiprocessing.active_children()
        with monkeypatch.context() as patch:
            patch.setattr(pool, "_timeout_s", 0.05)
            with pytest.raises(ItemError, match=r"not decoded within 0\.05 s"):
                await pool.decode(small_picture(), "hung")
        shape = (await pool.decode(small_picture(), "next")).shape
        assert not set(before) & set(multiprocessing.active_children())
        return shape

    assert asyncio.run(attack()) == (8, 8, 3)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("polyglot.jpg", b"GIF89a/*\x00" + b"<script>alert(1)</script>" * 9, "damaged"),
        ("page.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        ("program.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n" * 9, "not a picture"),
        ("cut.png", small_picture()[:40], "cut short"),
        ("empty.png", b"", "empty"),
    ],
)
def test_files_that_are_not_what_they_say(
    client: TestClient, name: str, content: bytes, told: str
) -> None:
    """Refused with the name and the cause."""
    answer = client.post("/v1/classify", files=[("pictures", (name, content))])
    assert answer.status_code == 422
    assert told in answer.json()["detail"]
    assert name in answer.json()["detail"]


def test_names_and_texts_without_end_are_refused(client: TestClient) -> None:
    """A label of 100,000 characters, an id of 1,000, a filter that goes on."""
    label = {"labels": [{"name": "x" * 100_000}]}
    assert client.put("/v1/labels", json=label).status_code == 422
    items = {"items": [{"item_id": "x" * 1_000, "title": "a"}]}
    assert client.post("/v1/items", json=items).status_code == 422
    search = {"text": "a", "filter": "x" * 5_000}
    assert client.post("/v1/search", json=search).status_code == 422


def test_what_the_database_refuses_does_not_lie_in_the_way_of_others(client: TestClient) -> None:
    """Metadata and synonyms beyond its limits are refused before they are archived."""
    large = {"item_id": "large", "title": "a mug", "metadata": {"a": "x" * 70_000}}
    long = {"item_id": "\N{GRINNING FACE}" * 512, "title": "\N{GRINNING FACE}" * 8_000}
    answer = client.post("/v1/items", json={"items": [large, long]})
    assert answer.status_code == 200, answer.text
    first, second = answer.json()["results"]
    assert "70,008 bytes" in first["error"]
    assert second["error"] is None
    words = [str(number) + "\N{GRINNING FACE}" * 900 for number in range(100)]
    synonyms = {"labels": [{"name": "sofa", "synonyms": words}]}
    answer = client.put("/v1/labels", json=synonyms)
    assert (answer.status_code, "shorten them" in answer.text) == (400, True), answer.text
    fine = {"items": [{"item_id": "fine", "title": "a mug"}]}
    assert client.post("/v1/items", json=fine).json()["results"][0]["error"] is None
    assert client.put("/v1/labels", json={"labels": [{"name": "sofa"}]}).status_code == 200
    assert client.post("/v1/classify", json={"inputs": [{"text": "a"}]}).status_code == 200


def test_a_full_service_sheds_load_and_goes_on(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a flood some are answered and the others told when to come again; none fails."""
    settings = ServiceSettings(
        max_queue=2, max_inputs=2, max_batch=1, decoders=1, request_timeout_s=600.0
    )
    asked = {"inputs": [{"text": "a mug"}]}
    embed_texts, shed = SentenceTransformerEncoder.embed_texts, threading.Event()

    def held(self: SentenceTransformerEncoder, texts: Sequence[str]) -> FloatArray:
        if list(texts) == ["a mug"]:
            shed.wait(60)
        return embed_texts(self, texts)

    def ask(_: int) -> httpx.Response:
        answer = client.post("/v1/classify", json=asked)
        if answer.status_code != 200:
            shed.set()
        return answer

    monkeypatch.setattr(SentenceTransformerEncoder, "embed_texts", held)
    with (
        TestClient(create_app(options, settings), base_url="http://localhost") as client,
        ThreadPoolExecutor(32) as threads,
    ):
        answers = list(threads.map(ask, range(200)))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert 0 < len(refused) < 200
        for answer in refused:
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "1"
            assert answer.json()["type"] == "urn:zeroshelf:problem:queue-full"
        assert client.post("/v1/classify", json=asked).status_code == 200


def test_a_queue_without_room_for_one_request_is_refused() -> None:
    """It would answer 503 for ever."""
    with pytest.raises(UsageError, match="--max-queue"):
        ServiceSettings(max_queue=8, max_inputs=64)


@pytest.mark.parametrize(
    "injected",
    [
        'label == "a" or 1 == 1) or (1 == 1',
        'item_id in ["a"]; drop',
        "vector == 1",
        '"',
    ],
)
def test_filters_that_are_none_are_refused(client: TestClient, injected: str) -> None:
    """With the cause, and without what the database said of itself."""
    answer = client.post("/v1/search", json={"text": "a", "filter": injected})
    assert answer.status_code == 400, answer.text
    assert "milvus.db" not in answer.text


@pytest.mark.parametrize("path", ["/page/../settings.py", "/page/%2e%2e/settings.py", "/../keys"])
def test_files_beside_the_page_are_not_served(client: TestClient, path: str) -> None:
    """However the way out is written."""
    assert client.get(path).status_code == 404


def test_paths_of_the_machine_stay_inside(client: TestClient, options: CatalogOptions) -> None:
    """Neither an id nor a URL reads a file, and no answer names a folder."""
    asked = {"inputs": [{"item_id": "/etc/passwd"}, {"url": "file:///etc/passwd"}]}
    for answer in (
        client.post("/v1/classify", json=asked),
        client.get("/v1/pictures/%2Fetc%2Fpasswd"),
        client.get("/v1/items/mug-red.png"),
    ):
        assert "root:" not in answer.text
        assert str(options.data_dir) not in answer.text


@pytest.mark.slow
def test_clients_that_dawdle_are_let_go(address: str) -> None:
    """Half a header holds a connection for ten seconds, and others are served meanwhile."""
    place = urlsplit(address)
    with socket.create_connection((str(place.hostname), place.port or 80)) as dawdling:
        dawdling.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
        assert httpx.get(f"{address}/healthz", timeout=60).status_code == 200
        # An earlier request that was answered buys no time for the next.
        dawdling.sendall(b"host\r\n\r\n")
        dawdling.settimeout(60)
        answer = b""
        while not answer.endswith(b"}"):
            answer += dawdling.recv(100_000)
        assert b"200 OK" in answer
        dawdling.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
        assert dawdling.recv(1_000) == b""


def test_a_service_for_others_needs_keys(options: CatalogOptions) -> None:
    """It does not start on an address that others reach while there are none."""
    with pytest.raises(UsageError, match="keys add"):
        running.run(options, ServiceSettings(host="0.0.0.0", port=0))


def test_a_port_that_is_taken_is_told(options: CatalogOptions) -> None:
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServiceSettings(port=taken.getsockname()[1])
        with pytest.raises(UsageError, match="--port"):
            running.run(options, settings)


def test_errors_do_not_tell_where_things_lie(tmp_path: Path) -> None:
    """Neither the data folder nor the database, however the library names them."""
    options = CatalogOptions(catalog="nobody", data_dir=tmp_path / "data")
    app = create_app(options, ServiceSettings())
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        answer = client.get("/v1/labels")
    assert answer.status_code == 409
    assert "the data folder" in answer.json()["detail"]
    assert str(tmp_path) not in answer.text
