"""Downloads pictures: conditional requests, pauses, redirects, each URL once."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from indexer.core.errors import ItemError, UsageError
from indexer.core.hashing import sha256
from indexer.core.reasons import Reason
from indexer.core.records import Download
from indexer.sources.hosts import Hosts

if TYPE_CHECKING:
    import httpx

_AGENT = "zeroshelf/0.1 (picture indexing)"
# Request timeout, too early, too many requests, and faults of a server that may pass.
_RETRIED_STATUSES = {408, 425, 429, 500, 502, 503, 504}
_NOT_MODIFIED = 304
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 10
_MAX_OUTCOMES = 10_000
"""Outcomes of the run that are kept in memory, more than there are pending downloads."""

_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """The result of a download.

    Attributes:
        content: None where its hash is known already.
        download: the hash of the content, and the server's validators.
    """

    content: bytes | None
    download: Download


class Web:
    """Downloads pictures; thread-safe; keeps connections.

    Args:
        limit_of: most bytes that a URL may give.
        timeout_s: seconds for one attempt, and for each wait within it.
        retries: further attempts after timeouts, broken connections, 429 and 5xx.
        backoff_s: pause of a host after a failed attempt; doubles with each further one.
        per_host: requests to one host at once.
        headers: sent with each request, except to other hosts of a redirect.
    """

    def __init__(
        self,
        *,
        limit_of: Callable[[str], int],
        timeout_s: float,
        retries: int,
        backoff_s: float,
        per_host: int,
        headers: Mapping[str, str],
    ) -> None:
        self._limit_of = limit_of
        self._timeout_s = timeout_s
        self._retries = retries
        self._backoff_s = backoff_s
        self._headers = dict(headers)
        self._hosts = Hosts(per_host)
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()
        self._turn = threading.Condition()
        self._pending: set[str] = set()
        self._outcomes: OrderedDict[str, Download | ItemError] = OrderedDict()

    def close(self) -> None:
        """Close the connections; a later download opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def once(self, url: str, earlier: Download | None = None) -> Downloaded:
        """A URL's content, or only its hash if this run has downloaded it lately.

        Raises:
            ItemError: DOWNLOAD_FAILED, HOST_GIVEN_UP, TOO_MANY_BYTES; the same one again for a
                URL that has failed lately.
        """
        with self._turn:
            while url in self._pending:
                self._turn.wait()
            if (outcome := self._outcomes.get(url)) is not None:
                if isinstance(outcome, ItemError):
                    raise ItemError(outcome.reason, str(outcome))
                return Downloaded(content=None, download=outcome)
            self._pending.add(url)
        outcome = None
        try:
            downloaded = self.get(url, earlier)
            outcome = downloaded.download
            return downloaded
        except ItemError as error:
            outcome = error
            raise
        finally:
            with self._turn:
                self._pending.discard(url)
                if outcome is not None:
                    self._outcomes[url] = outcome
                    if len(self._outcomes) > _MAX_OUTCOMES:
                        self._outcomes.popitem(last=False)
                self._turn.notify_all()

    def get(self, url: str, earlier: Download | None = None) -> Downloaded:
        """A URL's content; none where the server says that it is what is known.

        Raises:
            ItemError: DOWNLOAD_FAILED, HOST_GIVEN_UP, TOO_MANY_BYTES.
        """
        for attempt in range(1, self._retries + 2):
            try:
                with self._hosts.request(url) as began:
                    downloaded = self._attempt(url, earlier)
            except _TryAgainError as error:
                self._hosts.failed(
                    url,
                    str(error),
                    began=began,
                    pause_s=error.wait_s,
                    backoff_s=self._backoff_s,
                )
                if attempt > self._retries:
                    self._hosts.refuse(url)
                    raise ItemError(
                        Reason.DOWNLOAD_FAILED,
                        f"{url}: {error} ({attempt} attempts); try again later",
                    ) from error
            except ItemError as error:
                if error.reason is not Reason.HOST_GIVEN_UP:
                    self._hosts.answered(url)
                raise
            else:
                self._hosts.answered(url)
                return downloaded
        raise AssertionError("the loop returns or raises")

    def _attempt(self, url: str, earlier: Download | None) -> Downloaded:
        import httpx

        deadline = time.monotonic() + self._timeout_s
        try:
            return self._answer(url, earlier, deadline)
        except httpx.TimeoutException as error:
            raise _TryAgainError(f"no answer within {self._timeout_s:g} s") from error
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            raise _TryAgainError(f"the connection failed ({error})") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ItemError(
                Reason.DOWNLOAD_FAILED,
                f"{url}: can't be downloaded ({error}); check the URL",
            ) from error

    def _answer(self, url: str, earlier: Download | None, deadline: float) -> Downloaded:
        target = url
        for _ in range(_MAX_REDIRECTS + 1):
            headers = _conditions(earlier) | (self._headers if _same_place(url, target) else {})
            with self._http().stream("GET", target, headers=headers) as response:
                if response.status_code in _REDIRECTS and "Location" in response.headers:
                    target = urljoin(target, response.headers["Location"])
                    if not target.startswith(("http://", "https://")):
                        raise ItemError(
                            Reason.DOWNLOAD_FAILED,
                            f"{url}: redirects to an address that is none of the web",
                        )
                    continue
                if response.status_code == _NOT_MODIFIED and earlier is not None:
                    return Downloaded(content=None, download=earlier)
                _check_status(url, response)
                return self._whole(url, response, deadline)
        raise ItemError(Reason.DOWNLOAD_FAILED, f"{url}: more than {_MAX_REDIRECTS} redirects")

    def _whole(self, url: str, response: httpx.Response, deadline: float) -> Downloaded:
        content = bytearray()
        self._check_size(url, _announced(response))
        for chunk in response.iter_bytes():
            content += chunk
            self._check_size(url, len(content))
            # The client's own timeout restarts with every byte.
            if time.monotonic() > deadline:
                raise _TryAgainError(f"not complete after {self._timeout_s:g} s")
        return Downloaded(
            content=bytes(content),
            download=Download(
                content_hash=sha256(content),
                etag=response.headers.get("ETag", ""),
                last_modified=response.headers.get("Last-Modified", ""),
            ),
        )

    def _check_size(self, url: str, size: int) -> None:
        limit = self._limit_of(url)
        if size > limit:
            raise ItemError(
                Reason.TOO_MANY_BYTES,
                f"{url}: more than {limit:,} bytes; shrink it or raise its limit",
            )

    def _http(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                # Redirects are followed here, since our headers must not go to other hosts.
                self._client = httpx.Client(
                    follow_redirects=False,
                    timeout=self._timeout_s,
                    headers={"User-Agent": _AGENT, "Accept": "image/*,*/*;q=0.5"},
                )
            return self._client


class _TryAgainError(Exception):
    """A transient failure of one attempt."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def parse_headers(lines: list[str]) -> dict[str, str]:
    """Headers of lines ``Name: value``.

    Raises:
        UsageError: a line is none; the value, which may be a secret, is not repeated.
    """
    parsed: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _HEADER.fullmatch(line.strip())
        if match is None or not match[2].isascii():
            raise UsageError(
                f"--header number {number} is not of the form 'Name: value' in plain letters."
            )
        parsed[match[1]] = match[2].strip()
    return parsed


def _conditions(earlier: Download | None) -> dict[str, str]:
    if earlier is None:
        return {}
    conditions = {"If-None-Match": earlier.etag, "If-Modified-Since": earlier.last_modified}
    return {name: value for name, value in conditions.items() if value}


def _same_place(url: str, target: str) -> bool:
    """Whether a redirect stays with its host, and does not go from https to http."""
    source, destination = urlsplit(url), urlsplit(target)
    same_host = source.hostname == destination.hostname
    if source.scheme == destination.scheme:
        return same_host and source.port == destination.port
    return same_host and (source.scheme, destination.scheme) == ("http", "https")


def _check_status(url: str, response: httpx.Response) -> None:
    if response.is_success:
        return
    status = f"{response.status_code} {response.reason_phrase}"
    if response.status_code in _RETRIED_STATUSES:
        raise _TryAgainError(
            f"the server answered {status}", _retry_after(response.headers.get("Retry-After", ""))
        )
    raise ItemError(Reason.DOWNLOAD_FAILED, f"{url}: the server answered {status}; check the URL")


def _retry_after(value: str) -> float:
    """Seconds of a ``Retry-After``: a number, or a date (RFC 9110, section 10.2.3)."""
    value = value.strip()
    if value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _announced(response: httpx.Response) -> int:
    """The announced size; 0 if there is none."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0
