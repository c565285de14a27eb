"""Pictures by URL, from the public web only.

A service that fetches what it is told can be made to read what only its own machine can
reach. So the name is resolved here, every address it has must be public, and the
connection goes to the very address that was checked: a name that resolves otherwise the
next time gains nothing. The same at each redirect.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from urllib.parse import urljoin

import httpx

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from queries.service.problems import Problem
from queries.service.settings import ServiceSettings

MAX_REDIRECTS = 4
_PORTS = {"http": 80, "https": 443}


async def fetch(url: str, settings: ServiceSettings) -> bytes:
    """The bytes behind a URL.

    Args:
        url: http or https.
        settings: whether URLs may be fetched, and limits of size and time.

    Raises:
        Problem: 403, this service fetches none.
        ItemError: not public, not found, too large, too slow.
    """
    if not settings.fetch_urls:
        raise Problem(
            403,
            "urls-disabled",
            "URLs are not fetched",
            "This service was started without --fetch-urls: upload the picture.",
        )
    try:
        async with asyncio.timeout(settings.decode_timeout_s):
            return await _follow(url, settings)
    except TimeoutError as error:
        raise _failed(url, f"not complete within {settings.decode_timeout_s:g} s") from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise _failed(url, "can't be downloaded; check the URL") from error


async def _follow(url: str, settings: ServiceSettings) -> bytes:
    # No proxy of the environment: it would resolve the name anew.
    async with httpx.AsyncClient(verify=_tls(), trust_env=False, follow_redirects=False) as client:
        target = url
        for _ in range(MAX_REDIRECTS + 1):
            address = await _public_address(url, target, settings)
            async with client.stream(
                "GET",
                address.pinned,
                headers={
                    "Host": address.host,
                    "Accept": "image/*,*/*;q=0.5",
                    "Accept-Encoding": "identity",
                },
                extensions={"sni_hostname": address.name},
            ) as response:
                if response.has_redirect_location:
                    target = urljoin(target, response.headers["Location"])
                    continue
                if not response.is_success:
                    raise _failed(url, f"the server answered {response.status_code}")
                return await _read(url, response, settings.max_bytes)
    raise _failed(url, f"more than {MAX_REDIRECTS} redirects")


async def _read(url: str, response: httpx.Response, limit: int) -> bytes:
    # Compressed once more, a few bytes could become gigabytes before they are counted.
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise _failed(url, "the server sends it compressed, unasked")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > limit:
            raise ItemError(
                Reason.TOO_MANY_BYTES, f"{url}: more than {limit:,} bytes; shrink the picture"
            )
    return bytes(content)


class _Address:
    """Where to connect, and under which name."""

    def __init__(self, url: httpx.URL, address: str) -> None:
        self.pinned = url.copy_with(host=address)
        self.name = url.host
        self.host = url.netloc.decode("ascii")


def _is_listed(host: str, hosts: Sequence[str]) -> bool:
    """Whether a host is one of those, or of the domain of one that begins with a point."""
    name = host.lower().rstrip(".")
    return any(
        name == listed or (listed.startswith(".") and name.endswith(listed)) for listed in hosts
    )


async def _public_address(url: str, target: str, settings: ServiceSettings) -> _Address:
    parsed = httpx.URL(target)
    if parsed.scheme not in _PORTS or not parsed.host:
        raise _failed(url, "only http and https are fetched")
    if parsed.userinfo:
        raise _failed(url, "addresses with a user or a password are not fetched")
    if settings.fetch_hosts and not _is_listed(parsed.host, settings.fetch_hosts):
        raise _failed(url, "its host is not among those that this service fetches from")
    loop = asyncio.get_running_loop()
    port = parsed.port or _PORTS[parsed.scheme]
    try:
        resolved = await loop.getaddrinfo(parsed.host, port, type=socket.SOCK_STREAM)
    except OSError:
        resolved = []
    addresses = [str(entry[4][0]) for entry in resolved]
    # One word for all that is refused: which names there are inside is nobody's business.
    if not addresses or not all(is_public(address) for address in addresses):
        raise _failed(url, "its host is not on the public web; check the URL")
    return _Address(parsed, addresses[0])


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet, in any of its disguises."""
    try:
        ip = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and ip not in _OF_THE_PROVIDER


_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given to anyone (RFC 4291); elsewhere are forms that hold IPv4 addresses."""

_OF_THE_PROVIDER = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
"""Global by their numbers, and yet inside: what clouds tell their own machines (Azure's
WireServer, Oracle's older metadata service)."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once: it reads all certificates."""
    return httpx.create_ssl_context(trust_env=False)


def _failed(url: str, cause: str) -> ItemError:
    return ItemError(Reason.DOWNLOAD_FAILED, f"{url}: {cause}")
