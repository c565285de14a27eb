"""Reading one picture: files, addresses, and a real server on loopback that misbehaves."""

from __future__ import annotations

import io
import os
import pickle
import socket
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from indexer.sources import Fetcher


class Server(ThreadingHTTPServer):
    """Counts the requests for each path."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: Counter[str] = Counter()
        self.connections: set[object] = set()

    def url(self, path: str) -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """What each path does."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer by the path's name."""
        self.server.seen[self.path] += 1
        self.server.connections.add(self.client_address)
        first = self.server.seen[self.path] == 1
        what, _, status = self.path.strip("/").partition("/")
        if what.isdecimal():
            self.answer(int(what), b"")
        elif what == "flaky":
            self.answer(int(status) if first else 200, b"picture")
        else:
            getattr(self, what)(first)

    def ok(self, _: bool) -> None:
        """A picture."""
        self.answer(200, b"picture")

    def agent(self, _: bool) -> None:
        """Who asks."""
        self.answer(200, self.headers["User-Agent"].encode())

    def moved(self, _: bool) -> None:
        """A redirect."""
        self.answer(302, b"", Location="/ok")

    def later(self, first: bool) -> None:
        """Busy, with a time to wait."""
        self.answer(429 if first else 200, b"picture", **{"Retry-After": "1"})

    def drop(self, first: bool) -> None:
        """The connection is closed before an answer."""
        self.close_connection = True
        if not first:
            self.answer(200, b"picture")

    def endless(self, _: bool) -> None:
        """No announced length, and no end."""
        self.start()
        while True:
            self.wfile.write(b"x" * 1000)

    def drip(self, _: bool) -> None:
        """A byte now and then."""
        self.start()
        while True:
            self.wfile.write(b"x")
            time.sleep(0.02)

    def cut(self, _: bool) -> None:
        """Less than was announced."""
        self.start(100)
        self.wfile.write(b"x")
        self.close_connection = True

    def huge(self, _: bool) -> None:
        """An announced length of a terabyte."""
        self.start(10**12)

    def slow(self, _: bool) -> None:
        """No answer in time."""
        time.sleep(1)

    def start(self, length: int | None = None) -> None:
        """The head of an answer."""
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on a free port of this machine."""
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    """Tries anew at once, and has all the time that an attempt may take on a busy machine."""
    with Fetcher(max_bytes=5000, timeout_s=60.0, retries=2, backoff_s=0.01) as one:
        yield one


@pytest.fixture
def impatient() -> Iterator[Fetcher]:
    """Gives an attempt up soon."""
    with Fetcher(max_bytes=5000, timeout_s=0.4, retries=2, backoff_s=0.01) as one:
        yield one


def refused(fetcher: Fetcher, source: str) -> ItemError:
    """The error for a source; its message names the source."""
    with pytest.raises(ItemError) as caught:
        fetcher.read(source)
    assert source in str(caught.value)
    return caught.value


def test_file(tmp_path: Path, fetcher: Fetcher) -> None:
    """A local file's bytes."""
    (tmp_path / "a b#c%20.jpg").write_bytes(b"picture")
    assert fetcher.read(f"{tmp_path}/a b#c%20.jpg") == b"picture"


@pytest.mark.parametrize("name", ["none.jpg", "file/below", "nothing#3"])
def test_missing_file(tmp_path: Path, fetcher: Fetcher, name: str) -> None:
    """A file that is not there is MISSING."""
    (tmp_path / "file").touch()
    assert refused(fetcher, f"{tmp_path}/{name}").reason == Reason.MISSING


@pytest.mark.parametrize("name", ["folder", "pipe", "nul\0", "x" * 300])
def test_unreadable_file(tmp_path: Path, fetcher: Fetcher, name: str) -> None:
    """Folders, pipes (which would block) and impossible names are UNREADABLE."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert refused(fetcher, f"{tmp_path}/{name}").reason == Reason.UNREADABLE


def test_row_of_a_table(tmp_path: Path, fetcher: Fetcher) -> None:
    """A dead letter of a bad row says that the table must be corrected."""
    (tmp_path / "t.csv").touch()
    assert "t.csv and ingest it again" in str(refused(fetcher, f"{tmp_path}/t.csv#5"))


@pytest.mark.parametrize(("size", "fits"), [(5000, True), (5001, False)])
def test_large_file(tmp_path: Path, fetcher: Fetcher, size: int, fits: bool) -> None:
    """The limit is inclusive, for files and for addresses."""
    (tmp_path / "a").write_bytes(b"x" * size)
    for source in (f"{tmp_path}/a", f"file://{tmp_path}/a"):
        if fits:
            assert len(fetcher.read(source)) == size
        else:
            assert refused(fetcher, source).reason == Reason.TOO_MANY_BYTES


@pytest.mark.parametrize(("size", "fits"), [(5000, True), (5001, False)])
def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, size: int, fits: bool
) -> None:
    """What has come since the size was asked for is read too, up to the limit."""
    growing, earlier = tmp_path / "growing", tmp_path / "earlier"
    growing.write_bytes(b"x" * size)
    earlier.write_bytes(b"x" * 10)
    before = earlier.stat()
    monkeypatch.setattr(Path, "stat", lambda _path: before)
    if fits:
        assert len(fetcher.read(str(growing))) == size
    else:
        assert refused(fetcher, str(growing)).reason == Reason.TOO_MANY_BYTES


def test_fsspec(fetcher: Fetcher) -> None:
    """Any fsspec address is read; a missing one is MISSING."""
    fsspec.filesystem("memory").pipe("/fetch/a.jpg", b"picture")
    assert fetcher.read("memory://fetch/a.jpg") == b"picture"
    assert refused(fetcher, "memory://fetch/b.jpg").reason == Reason.MISSING


def test_unknown_protocol(fetcher: Fetcher) -> None:
    """A protocol that nothing knows is UNREADABLE."""
    assert refused(fetcher, "nosuch://a/b.jpg").reason == Reason.UNREADABLE


@pytest.mark.parametrize(
    ("archive", "reason"), [("none.tar", Reason.MISSING), ("bad.tar", Reason.UNREADABLE)]
)
def test_bad_archive(tmp_path: Path, fetcher: Fetcher, archive: str, reason: Reason) -> None:
    """A member of an archive that is gone or damaged."""
    (tmp_path / "bad.tar").write_bytes(b"x" * 2000)
    assert refused(fetcher, f"tar://a.jpg::{tmp_path}/{archive}").reason == reason


def test_members_of_a_large_tar(
    tmp_path: Path, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its list is read once, whatever is asked of it: files, hard links, links to links."""
    count = 300
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as tar:
        for number in range(count):
            info = tarfile.TarInfo(f"./d/{number}.jpg")
            info.size = 3 + number
            tar.addfile(info, io.BytesIO(b"%03d" % number + bytes(number)))
            hard = tarfile.TarInfo(f"hard/{number}.jpg")
            hard.type, hard.linkname = tarfile.LNKTYPE, info.name
            tar.addfile(hard)
            soft = tarfile.TarInfo(f"soft/{number}.jpg")
            soft.type, soft.linkname = tarfile.SYMTYPE, f"../hard/{number}.jpg"
            tar.addfile(soft)
        gone = tarfile.TarInfo("soft/gone.jpg")
        gone.type, gone.linkname = tarfile.SYMTYPE, "gone.jpg"
        tar.addfile(gone)
    looks = 0
    following = tarfile.TarFile.next

    def counted(self: tarfile.TarFile) -> tarfile.TarInfo | None:
        nonlocal looks
        looks += 1
        return following(self)

    monkeypatch.setattr(tarfile.TarFile, "next", counted)
    place = f"{tmp_path}/t.tar.gz"
    for number in range(count):
        for folder in ("d", "hard", "./soft"):
            content = fetcher.read(f"tar://{folder}/{number}.jpg::{place}")
            assert content == b"%03d" % number + bytes(number)
    for name in ("soft/gone.jpg", "d", "other.jpg"):
        assert refused(fetcher, f"tar://{name}::{place}").reason == Reason.MISSING
    assert looks <= 3 * count + 3


def test_download(server: Server, fetcher: Fetcher) -> None:
    """Downloads follow redirects and say who asks."""
    assert fetcher.read(server.url("/ok")) == b"picture"
    assert fetcher.read(server.url("/moved")) == b"picture"
    assert fetcher.read(server.url("/agent")).startswith(b"zeroshelf")


def test_connection_is_kept(server: Server, fetcher: Fetcher) -> None:
    """Many pictures of one server share a connection."""
    for _ in range(5):
        fetcher.read(server.url("/ok"))
    assert len(server.connections) == 1


@pytest.mark.parametrize("path", ["/flaky/500", "/flaky/503", "/flaky/429", "/drop"])
def test_retried(server: Server, fetcher: Fetcher, path: str) -> None:
    """What may pass is tried again."""
    assert fetcher.read(server.url(path)) == b"picture"
    assert server.seen[path] == 2


def test_retry_after(server: Server, fetcher: Fetcher) -> None:
    """The server's own wish for a pause is respected."""
    start = time.monotonic()
    fetcher.read(server.url("/later"))
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_refusals_are_not_retried(server: Server, fetcher: Fetcher, status: int) -> None:
    """A definite answer is taken as one, and the status is in the message."""
    error = refused(fetcher, server.url(f"/{status}"))
    assert error.reason == Reason.DOWNLOAD_FAILED
    assert str(status) in str(error)
    assert server.seen[f"/{status}"] == 1


def test_gives_up(server: Server, fetcher: Fetcher) -> None:
    """After the last retry the status and the number of attempts are told."""
    error = refused(fetcher, server.url("/500"))
    assert error.reason == Reason.DOWNLOAD_FAILED
    assert "500 Internal Server Error (3 attempts)" in str(error)


@pytest.mark.parametrize("path", ["/endless", "/huge"])
def test_large_download(server: Server, fetcher: Fetcher, path: str) -> None:
    """The limit ends a download, whether or not the server announced its size."""
    assert refused(fetcher, server.url(path)).reason == Reason.TOO_MANY_BYTES
    assert server.seen[path] == 1


@pytest.mark.parametrize("path", ["/slow", "/drip", "/cut"])
def test_incomplete_download(server: Server, impatient: Fetcher, path: str) -> None:
    """Silent, dripping and broken connections end within the time limit."""
    start = time.monotonic()
    error = refused(impatient, server.url(path))
    assert time.monotonic() - start < 60
    assert (error.reason, "(3 attempts)" in str(error)) == (Reason.DOWNLOAD_FAILED, True)
    until = time.monotonic() + 60
    while server.seen[path] < 3 and time.monotonic() < until:  # it may hear of the last one late
        time.sleep(0.01)
    assert server.seen[path] == 3


def test_nobody_listens(fetcher: Fetcher) -> None:
    """A refused connection is told as one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = refused(fetcher, f"http://127.0.0.1:{free.getsockname()[1]}/a.jpg")
    assert "connection failed" in str(error)


@pytest.mark.parametrize("url", ["http://", "http://[bad", "https://x.org:port/", "http://\0"])
def test_bad_url(fetcher: Fetcher, url: str) -> None:
    """A URL that can't be one is a failed download."""
    assert refused(fetcher, url).reason == Reason.DOWNLOAD_FAILED


def test_pickles(server: Server, fetcher: Fetcher) -> None:
    """A fetcher in use travels to another process without its connections."""
    fetcher.read(server.url("/ok"))
    with pickle.loads(pickle.dumps(fetcher)) as other:
        assert other.retries == 2
        assert other.read(server.url("/ok")) == b"picture"
