"""The Python client against a service process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from indexer.core.errors import StoreUnavailableError, UsageError
from queries import Client
from queries.service.client import ServiceError


def test_inputs_of_all_kinds_are_labelled(address: str, drawn: Path) -> None:
    """The results are the library's, in the order pictures, texts, items."""
    with Client(address) as client:
        found = client.classify(
            pictures=[drawn / "mug-red.png", (drawn / "laptop-red.png").read_bytes()],
            texts=["a guitar"],
            item_ids=["sneaker-blue"],
            limit=1,
        )
    assert [one[0].label for one in found] == ["mug", "laptop", "guitar", "sneaker"]
    assert found[0][0].path == ("mug",)


def test_many_inputs_are_sent_in_several_requests(address: str, drawn: Path) -> None:
    """More than the service takes at a time; the answers are in the inputs' order."""
    texts = [f"a {name}" for name in ("mug", "guitar", "laptop")] * 30
    with Client(address) as client:
        found = client.classify(texts=texts, limit=1)
        assert len(found) == 90
        assert [one[0].label for one in found[60:63]] == [one[0].label for one in found[:3]]
    pictures = [drawn / "mug-red.png", drawn / "laptop-red.png", drawn / "guitar-red.png"]
    with Client(address, batch_size=2) as client:
        found = client.classify(pictures=pictures, limit=1)
    assert [one[0].label for one in found] == ["mug", "laptop", "guitar"]


def test_what_could_not_be_used_is_told(address: str, drawn: Path) -> None:
    """By its place, also where a request has no usable input; and that scores are uncalibrated."""
    pictures = [b"no picture", (drawn / "mug-red.png").read_bytes(), drawn / "guitar-red.png"]
    with Client(address, batch_size=1) as client:
        answer = client.classify(pictures=pictures, item_ids=pd.Series(["nobody"]), limit=1)
    assert [row[0].label if row else "" for row in answer] == ["", "mug", "guitar", ""]
    assert list(answer.errors) == [0, 3]
    assert "not a picture" in answer.errors[0]
    assert "no item" in answer.errors[3]
    assert not answer.calibrated


def test_items_are_found(address: str, drawn: Path) -> None:
    """By words, by a picture, by likeness, under a filter."""
    with Client(address) as client:
        assert client.search("guitar", limit=1)[0].item_id.startswith("guitar")
        assert client.search(picture=drawn / "mug-red.png", limit=1)[0].item_id == "mug-red"
        like = client.search(item_id="mug-red", limit=8, filter_expression='label == "mug"')
    assert [hit.item_id for hit in like] == ["mug-blue"]


def test_a_refusal_is_an_error_with_what_the_service_says(address: str) -> None:
    """Status, kind and detail; and a file of this machine that is not there."""
    with Client(address) as client:
        with pytest.raises(ServiceError, match="no item") as caught:
            client.classify(item_ids=["nobody"])
        assert (caught.value.status, caught.value.kind) == (422, "unusable-input")
        with pytest.raises(UsageError, match="nowhere"):
            client.search(picture=Path("nowhere.jpg"))


def test_a_service_that_is_away_is_told() -> None:
    """With what to do."""
    with (
        Client("http://127.0.0.1:9") as client,
        pytest.raises(StoreUnavailableError, match="serve"),
    ):
        client.search("a")


class Dropping:
    """Answers the first of each two requests of a connection, and breaks off at the other.

    So does a service that takes a connection for idle just as it is used again.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.dropped = 0

    def serve(self) -> None:
        """Until the listener is closed."""
        content = b'{"hits": []}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._receive(connection)
                connection.sendall(head + content)
                self.dropped += bool(self._receive(connection))

    @staticmethod
    def _receive(connection: socket.socket) -> bytes:
        got = b""
        while not got.endswith(b"}"):
            part = connection.recv(10_000)
            if not part:
                break
            got += part
        return got


@pytest.fixture
def dropping() -> Iterator[tuple[str, Dropping]]:
    """Its address, and what it did."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Dropping(listener)
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_a_dropped_connection_is_made_anew(dropping: tuple[str, Dropping]) -> None:
    """What a client asks only reads, so it may be asked twice; unless that is not wanted."""
    address, server = dropping
    with Client(address) as client:
        assert [client.search("a") for _ in range(3)] == [[]] * 3
        assert server.dropped == 2
    with Client(address, retries=0) as client:
        client.search("a")
        with pytest.raises(StoreUnavailableError, match="breaks off"):
            client.search("a")


@pytest.fixture
def closing() -> Iterator[tuple[str, list[bytes]]]:
    """A service that reads a little, says what stands in the list, and closes; its address."""
    said: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1_000)
                connection.sendall(b"".join(said))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", said
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_a_service_in_trouble_is_given_time(
    closing: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pause is longer than the one before; the error does not say that nothing runs."""
    pauses: list[float] = []
    monkeypatch.setattr("queries.service.client.connection.time.sleep", pauses.append)
    with (
        Client(closing[0]) as client,
        pytest.raises(StoreUnavailableError, match=r"breaks off .*asked 4 times.*fewer or smaller"),
    ):
        client.search("a")
    assert len(pauses) == 3
    assert 0 < pauses[0] < pauses[1] < pauses[2] < 1


def test_a_refusal_in_the_middle_of_an_upload_is_told(closing: tuple[str, list[bytes]]) -> None:
    """A service need not read all of what is too large before it says so and closes."""
    address, said = closing
    content = b'{"type": "urn:zeroshelf:too-large", "detail": "send fewer"}'
    said += [b"HTTP/1.1 413 Too large\r\nConnection: close\r\n"]
    said += [b"Content-Length: %d\r\n\r\n" % len(content), content]
    with Client(address) as client, pytest.raises(ServiceError, match="send fewer") as caught:
        client.search(picture=b"x" * 5_000_000)
    assert caught.value.status == 413
