"""The bytes of one picture, from wherever it lies: also to try a dead letter again."""

from __future__ import annotations

import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from indexer.credentials import without_credentials
from indexer.errors import ItemError, SourceError
from indexer.reasons import Reason
from indexer.sources import addresses
from indexer.sources.archives import Archives
from indexer.sources.table_pictures import TablePictures, table_of

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 32 * 2**20
_AGENT = "zeroshelf/0.1 (picture indexing)"
_WORTH_RETRYING = {408, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT_S = 30.0


class Fetcher:
    """Reads pictures; keeps web connections between calls and is safe to share by threads.

    Args:
        max_bytes: largest picture that is read.
        timeout_s: seconds for one attempt of a download, and for each wait within it.
        retries: further attempts after timeouts, broken connections, 429 and 5xx.
        backoff_s: wait before the first retry; doubles with each further one.
    """

    def __init__(
        self,
        *,
        max_bytes: int = MAX_BYTES,
        timeout_s: float = 30.0,
        retries: int = 3,
        backoff_s: float = 0.5,
    ) -> None:
        self.max_bytes = max_bytes
        self.timeout_s = timeout_s
        self.retries = retries
        self.backoff_s = backoff_s
        self._client: httpx.Client | None = None
        self._tables = TablePictures()
        self._archives = Archives()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process without connections."""
        settings = {
            "max_bytes": self.max_bytes,
            "timeout_s": self.timeout_s,
            "retries": self.retries,
            "backoff_s": self.backoff_s,
        }
        return _make_fetcher, (settings,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the web connections, tables and archives; a later read opens new ones."""
        self._tables.close()
        self._archives.close()
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def read(self, source: str) -> bytes:
        """Bytes of one source; no error tells its credentials.

        Args:
            source: a path, an http(s) or fsspec address, ``tar://MEMBER::ARCHIVE``,
                ``TABLE#ROW`` for a picture inside a table.

        Raises:
            ItemError: MISSING, UNREADABLE, TOO_MANY_BYTES, DOWNLOAD_FAILED.
        """
        try:
            return self._read(source)
        except ItemError as error:
            told = without_credentials(str(error))
            if told == str(error):
                raise
            raise ItemError(error.reason, told) from None

    def _read(self, source: str) -> bytes:
        place = table_of(source)
        if place is not None and not (_is_local(source) and Path(source).is_file()):
            content = self._tables.read(place)
            self._check_size(source, len(content))
            return content
        if addresses.is_web(source):
            return self._download(source)
        if source.startswith(("tar://", "zip://")) and "::" in source:
            content = self._archives.read(source, self.max_bytes)
            self._check_size(source, len(content))
            return content
        if addresses.is_remote(source):
            return self._remote(source)
        return self._local(source)

    def _local(self, source: str) -> bytes:
        path = Path(source)
        try:
            status = path.stat()
            # A pipe or a device would block for ever.
            if not stat.S_ISREG(status.st_mode):
                raise ItemError(Reason.UNREADABLE, f"{source}: not a file")
            self._check_size(source, status.st_size)
            with path.open("rb") as file:
                # Asked for as much as may come, Python would take that memory first.
                content = file.read(status.st_size + 1)
                if len(content) > status.st_size:  # it has grown
                    content += file.read(self.max_bytes)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ItemError(Reason.MISSING, _missing(source)) from error
        except (OSError, ValueError) as error:
            raise ItemError(
                Reason.UNREADABLE, f"{source}: can't be read ({error}); check the file"
            ) from error
        self._check_size(source, len(content))
        return content

    def _remote(self, source: str) -> bytes:
        try:
            with addresses.open_binary(source) as file:
                content = file.read(self.max_bytes + 1)
        except (SourceError, OSError, ValueError) as error:
            missing = isinstance(error.__cause__ or error, FileNotFoundError)
            reason = Reason.MISSING if missing else Reason.UNREADABLE
            raise ItemError(reason, str(error)) from error
        self._check_size(source, len(content))
        return content

    def _check_size(self, source: str, size: int) -> None:
        if size > self.max_bytes:
            raise ItemError(
                Reason.TOO_MANY_BYTES,
                f"{source}: more than {self.max_bytes:,} bytes; shrink it or raise max_bytes",
            )

    def _download(self, source: str) -> bytes:
        wait_s = self.backoff_s
        for attempt in range(1, self.retries + 2):
            try:
                return self._attempt(source)
            except _TryAgainError as error:
                if attempt > self.retries:
                    raise ItemError(
                        Reason.DOWNLOAD_FAILED,
                        f"{source}: {error} ({attempt} attempts); try again later",
                    ) from error
                time.sleep(min(max(wait_s, error.wait_s), _LONGEST_WAIT_S))
                wait_s *= 2
        raise AssertionError("the loop returns or raises")

    def _attempt(self, source: str) -> bytes:
        import httpx

        deadline = time.monotonic() + self.timeout_s
        content = bytearray()
        try:
            with self._http().stream("GET", source) as response:
                _check_status(source, response)
                self._check_size(source, _announced(response))
                for chunk in response.iter_bytes():
                    content += chunk
                    self._check_size(source, len(content))
                    # The client's own timeout starts anew with every byte.
                    if time.monotonic() > deadline:
                        raise _TryAgainError(f"not complete after {self.timeout_s:g} s")
        except httpx.TimeoutException as error:
            raise _TryAgainError(f"no answer within {self.timeout_s:g} s") from error
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            raise _TryAgainError(f"the connection failed ({error})") from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ItemError(
                Reason.DOWNLOAD_FAILED, f"{source}: can't be downloaded ({error}); check the URL"
            ) from error
        return bytes(content)

    def _http(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(
                    follow_redirects=True,
                    timeout=self.timeout_s,
                    headers={"User-Agent": _AGENT, "Accept": "image/*,*/*;q=0.5"},
                )
            return self._client


class _TryAgainError(Exception):
    """One attempt failed in a way that may pass."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def read_content(
    source: str, *, max_bytes: int = MAX_BYTES, timeout_s: float = 30.0, retries: int = 3
) -> bytes:
    """Bytes of one source; for many, share a ``Fetcher``.

    Raises:
        ItemError: MISSING, UNREADABLE, TOO_MANY_BYTES, DOWNLOAD_FAILED.
    """
    with Fetcher(max_bytes=max_bytes, timeout_s=timeout_s, retries=retries) as fetcher:
        return fetcher.read(source)


def _make_fetcher(settings: dict[str, Any]) -> Fetcher:
    return Fetcher(**settings)


def _check_status(source: str, response: httpx.Response) -> None:
    if response.is_success:
        return
    status = f"{response.status_code} {response.reason_phrase}"
    if response.status_code in _WORTH_RETRYING:
        after = response.headers.get("Retry-After", "")
        raise _TryAgainError(
            f"the server answered {status}", float(after if after.isdecimal() else 0)
        )
    raise ItemError(
        Reason.DOWNLOAD_FAILED, f"{source}: the server answered {status}; check the URL"
    )


def _announced(response: httpx.Response) -> int:
    """Size that the server announces; 0 where it does not."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def _is_local(source: str) -> bool:
    return not addresses.is_remote(source)


def _missing(source: str) -> str:
    file, mark, _ = source.rpartition("#")
    if mark and Path(file).is_file():
        return f"{source}: can't be read by itself; correct {file} and ingest it again"
    return f"{source}: no such file; check the path"
