"""Only the public web is fetched, whatever an address is made to look like."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from indexer.core.errors import ItemError
from queries.service import fetching
from queries.service.fetching import fetch, is_public
from queries.service.problems import Problem
from queries.service.settings import ServiceSettings

OPEN = ServiceSettings(fetch_urls=True, max_bytes=1_000, decode_timeout_s=2.0)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "not an address", "fec0::1", "64:ff9b:1::7f00:1", "::7f00:1",
        "::ffff:0:127.0.0.1", "168.63.129.16", "192.0.0.192", "::ffff:168.63.129.16",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    """Private, loopback, link-local, multicast, and each of them in IPv6's disguises."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_addresses_that_are_public(address: str) -> None:
    """Those of the web."""
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/a.jpg", "http://127.0.0.1/a.jpg", "http://2130706433/a.jpg",
        "http://0x7f.1/a.jpg", "http://[::1]/a.jpg", "http://[::ffff:7f00:1]/a.jpg",
        "http://0/a.jpg", "file:///etc/passwd", "ftp://example.com/a", "http:///a", "gopher://x/",
        "http://user:secret@93.184.216.34/a.jpg", "http://nothing.invalid/a.jpg",
    ],
)  # fmt: skip
def test_urls_that_lead_inside_are_refused(url: str) -> None:
    """Decimal and short forms too; the message does not tell what is there."""
    with pytest.raises(ItemError) as caught:
        asyncio.run(fetch(url, OPEN))
    assert "refused" not in str(caught.value)
    assert "address;" not in str(caught.value)


def test_nothing_is_fetched_by_default() -> None:
    """The operator has to allow it."""
    with pytest.raises(Problem, match="--fetch-urls"):
        asyncio.run(fetch("http://93.184.216.34/a.jpg", ServiceSettings()))


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        ("cdn.example.com", True), ("a.shop.example", True), ("shop.example", False),
        ("cdn.example.com.", True), ("CDN.example.com", True), ("evilshop.example", False),
        ("cdn.example.com.evil.example", False), ("example.com", False),
    ],
)  # fmt: skip
def test_only_listed_hosts_are_fetched_from(host: str, listed: bool) -> None:
    """A host as it is, or, with a point before it, all below it; redirects too."""
    hosts = ("cdn.example.com", ".shop.example")
    assert fetching._is_listed(host, hosts) is listed
    if not listed:
        with pytest.raises(ItemError, match="not among those"):
            asyncio.run(fetch(f"http://{host}/a.jpg", replace(OPEN, fetch_hosts=hosts)))


PATIENT = replace(OPEN, decode_timeout_s=60.0)


class Answers(http.server.BaseHTTPRequestHandler):
    """Redirects inside, redirects for ever, a large body, a picture."""

    def do_GET(self) -> None:
        """Answer by the path."""
        if self.path in {"/inside", "/round"}:
            self.send_response(302)
            port = self.server.server_address[1]
            target = (
                "http://127.0.0.2/" if self.path == "/inside" else f"http://allowed:{port}/round"
            )
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b"x" * (5_000 if self.path == "/large" else 10)
        self.send_response(200)
        if self.path == "/bomb":
            self.send_header("Content-Encoding", "gzip, gzip")
            body = gzip.compress(gzip.compress(bytes(50_000_000)))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A web server that stands for the public one: its address alone counts as public."""
    monkeypatch.setattr(fetching, "is_public", lambda address: address == "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_public_picture_is_fetched(port: int) -> None:
    """Its bytes come back."""
    assert asyncio.run(fetch(f"http://127.0.0.1:{port}/a", PATIENT)) == b"x" * 10


def test_a_redirect_inside_is_refused(port: int) -> None:
    """The address of every step is checked."""
    with pytest.raises(ItemError, match="not on the public web"):
        asyncio.run(fetch(f"http://127.0.0.1:{port}/inside", PATIENT))


def test_what_is_too_large_is_broken_off(port: int) -> None:
    """Whatever length the server announces."""
    with pytest.raises(ItemError, match="more than 1,000 bytes"):
        asyncio.run(fetch(f"http://127.0.0.1:{port}/large", PATIENT))


def test_a_body_that_unpacks_to_gigabytes_is_not_unpacked(port: int) -> None:
    """A few hundred bytes, compressed twice."""
    with pytest.raises(ItemError, match="compressed"):
        asyncio.run(fetch(f"http://127.0.0.1:{port}/bomb", PATIENT))


def test_endless_redirects_end(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few."""

    async def address(_: str, target: str, __: ServiceSettings) -> object:
        return fetching._Address(fetching.httpx.URL(target), "127.0.0.1")

    monkeypatch.setattr(fetching, "_public_address", address)
    with pytest.raises(ItemError, match="redirects"):
        asyncio.run(fetch(f"http://127.0.0.1:{port}/round", PATIENT))
