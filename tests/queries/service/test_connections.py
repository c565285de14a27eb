"""Connections are closed when a client makes the service wait, and never on a request."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from indexer.core.errors import UsageError
from queries.service import connections
from queries.service.connections import listening, server_of

IDLE_S = 60.0
"""By the clock of the loop, which only tests set forward: how busy the machine is tells nothing."""
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Selector(selectors.DefaultSelector):
    """Can do something between looking what is readable and telling it."""

    held_up: Callable[[], None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is readable, or was before it was held up."""
        ready = super().select(timeout)
        if self.held_up is not None:
            held_up, self.held_up = self.held_up, None
            held_up()
        return ready


class Loop(asyncio.SelectorEventLoop):
    """Its clock can be set forward."""

    ahead_s = 0.0

    def time(self) -> float:
        """Seconds, as timers have them."""
        return super().time() + self.ahead_s


@dataclass
class Running:
    """A server in a thread, its loop, and the loop's selector."""

    address: tuple[str, int]
    loop: Loop
    selector: Selector
    server: uvicorn.Server

    def connect(self) -> socket.socket:
        """A connection that the server knows of."""
        known = len(self.server.server_state.connections)
        connection = socket.create_connection(self.address, timeout=60)
        self.wait_for_connections(known + 1)
        return connection

    def wait_for_connections(self, count: int) -> None:
        """Until the server has so many."""
        until = time.monotonic() + 60
        while len(self.server.server_state.connections) != count:
            assert time.monotonic() < until, self.server.server_state.connections
            time.sleep(0.01)

    def pass_time(self, seconds: float) -> None:
        """The loop reads what has come, and then finds that so much time has passed."""
        passed = threading.Event()

        def jump() -> None:
            self.loop.ahead_s += seconds
            self.loop.call_later(0, passed.set)

        self.loop.call_soon_threadsafe(self.loop.call_soon, jump)
        assert passed.wait(60)


async def answer(_: Request) -> PlainTextResponse:
    """Answers, and reads no body."""
    return PlainTextResponse("answer")


async def large(_: Request) -> PlainTextResponse:
    """Answers more than a connection holds, and is done with it."""
    return PlainTextResponse("x" * 20_000_000, headers={"Connection": "close"})


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server that lets nobody be idle for long."""
    monkeypatch.setattr(connections, "_HEADER_S", IDLE_S)
    monkeypatch.setattr(connections, "_KEEP_ALIVE_S", IDLE_S)
    monkeypatch.setattr(connections, "_FLUSH_S", IDLE_S)
    monkeypatch.setattr(connections, "_MOST", 4)
    routes = [Route("/", answer, methods=["GET", "POST"]), Route("/large", large)]
    server = server_of(Starlette(routes=routes))
    selector = Selector()
    loop = Loop(selector)
    with listening("127.0.0.1", 0) as listener:
        serving = threading.Thread(
            target=lambda: loop.run_until_complete(server.serve(sockets=[listener]))
        )
        serving.start()
        yield Running(listener.getsockname(), loop, selector, server)
        server.should_exit = True
        serving.join(60)
    loop.close()


def answered(connection: socket.socket) -> bool:
    """Whether a whole answer comes, rather than the end or a reset."""
    got = b""
    while not got.endswith(b"answer"):
        part = connection.recv(1_000)
        if not part:
            return False
        got += part
    return True


def send_slowly(running: Running, connection: socket.socket, content: bytes) -> None:
    """A byte now and then."""
    for place in range(len(content)):
        connection.sendall(content[place : place + 1])
        running.pass_time(IDLE_S / 5)


@pytest.mark.parametrize("earlier", [0, 1])
def test_a_request_that_came_while_the_loop_was_held_up_is_answered(
    running: Running, earlier: int
) -> None:
    """Its connection's time was over before the loop read it, the first time or between two.

    So it is where the loop's thread waits for the interpreter, which another thread holds.
    """
    with running.connect() as connection:
        for _ in range(earlier):
            connection.sendall(ASK)
            assert answered(connection)

        def hold_up() -> None:
            connection.sendall(ASK)
            running.loop.ahead_s += 2 * IDLE_S

        running.selector.held_up = hold_up
        assert answered(connection)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHo",
        ASK,
        ASK + b"GET / HT",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n12",
    ],
)
def test_a_client_that_does_not_go_on_is_let_go(running: Running, sent: bytes) -> None:
    """Before, within and after headers; and with a body that is owed after the answer."""
    with running.connect() as connection:
        connection.sendall(sent)
        connection.setblocking(False)
        for _ in range(10):
            running.pass_time(IDLE_S)
            with contextlib.suppress(BlockingIOError):
                while connection.recv(1_000):
                    pass
                return
    raise AssertionError("the connection is still there")


def test_a_body_in_drops_after_its_answer_holds_no_connection(running: Running) -> None:
    """It was answered without being read; what comes of it buys no time."""
    with running.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999\r\n\r\n1")
        assert answered(connection)
        with pytest.raises(ConnectionError):
            send_slowly(running, connection, b"1" * 100)


def test_a_client_that_takes_no_answer_is_let_go(running: Running) -> None:
    """The connection is closed with most of the answer unsent."""
    with running.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(100):
            running.pass_time(IDLE_S / 5)
            if not running.server.server_state.connections:
                return
    raise AssertionError("the connection is still there")


def test_more_connections_than_may_be_are_told_so(running: Running) -> None:
    """And closed; once others have gone there is room again."""
    first = [running.connect() for _ in range(3)]
    with running.connect() as one_more:
        one_more.sendall(ASK)
        assert b" 503 " in one_more.recv(1_000)
    for connection in first:
        connection.close()
    running.wait_for_connections(0)
    with running.connect() as connection:
        connection.sendall(ASK)
        assert answered(connection)


def test_answers_do_not_wait_for_acknowledgements(running: Running) -> None:
    """Nagle's algorithm is off on what is accepted: it costs each answer 40 ms."""
    with running.connect():
        (accepted,) = running.server.server_state.connections
        transport = accepted.transport  # type: ignore[union-attr]
        inner = transport.get_extra_info("socket")
        assert inner.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_clients_that_keep_connections_close_them_first() -> None:
    """httpx, 5 s, and load balancers, 60 s: else a request could meet a closing service."""
    assert server_of(Starlette()).config.timeout_keep_alive > 60


def test_an_address_of_another_machine_is_told() -> None:
    """With the way out."""
    with pytest.raises(UsageError, match="--port"):
        listening("192.0.2.1", 0)
