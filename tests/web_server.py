"""A real HTTP server on loopback that serves pictures and remembers what it was asked."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Served:
    """What a path gives: content, status, headers; ``tagged`` adds an ETag of the content."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    tagged: bool = True


class PictureServer(ThreadingHTTPServer):
    """Serves ``paths``; counts requests by path, and whole answers apart from 304.

    Attributes:
        before: called with the path before each answer.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths: dict[str, Served] = {}
        self.asked: Counter[str] = Counter()
        self.whole: Counter[str] = Counter()
        self.seen_headers: list[dict[str, str]] = []
        self.before: Callable[[str], Any] = lambda _path: None
        self.lock = threading.Lock()
        self.under_way = self.most_at_once = 0

    def url(self, path: str) -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"

    def forget(self) -> None:
        """Count from here on."""
        self.asked.clear()
        self.whole.clear()

    def handle_error(self, *_: object) -> None:
        """Clients that are killed are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PictureServer

    def do_GET(self) -> None:
        """Answer as ``paths`` says."""
        server, path = self.server, self.path.strip("/")
        with server.lock:
            server.asked[path] += 1
            server.seen_headers.append({name.lower(): v for name, v in self.headers.items()})
            server.under_way += 1
            server.most_at_once = max(server.most_at_once, server.under_way)
        try:
            server.before(path)
            self._answer(path, server.paths.get(path, Served(status=404)))
        finally:
            with server.lock:
                server.under_way -= 1

    def _answer(self, path: str, served: Served) -> None:
        tag = f'"{hash(served.content)}"' if served.tagged else ""
        if tag and self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.send_header("ETag", tag)
            self.end_headers()
            return
        with self.server.lock:
            self.server.whole[path] += served.status == 200
        self.send_response(served.status)
        headers = {"Content-Length": str(len(served.content)), **served.headers}
        for name, value in {**headers, **({"ETag": tag} if tag else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(served.content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def running() -> Iterator[PictureServer]:
    """A server that runs for the length of a test."""
    server = PictureServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
