"""Reads the bytes of one picture or sound from any source, also to retry a dead letter."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

from indexer.core import limits
from indexer.core.errors import ItemError
from indexer.core.object_stores import is_connection_failure, package_missing, read_remote
from indexer.core.reasons import Reason
from indexer.core.records import Item, Kind
from indexer.sources import addresses, media
from indexer.sources.archives import Archives
from indexer.sources.downloads import Spool
from indexer.sources.hosts import PER_HOST, Hosts
from indexer.sources.table_pictures import TablePictures, table_of
from indexer.sources.web import Downloaded, Web

_REQUESTS_TO_A_STORE = 64
"""At once: more than threads that read, since object stores take thousands a second."""


class Fetcher:
    """Reads pictures; thread-safe; keeps web connections between calls.

    Args:
        max_bytes: largest picture that is read.
        max_sound_bytes: largest sound that is read.
        timeout_s: seconds for one attempt of a download, and for each wait within it.
        retries: further attempts after timeouts, broken connections, 429 and 5xx.
        backoff_s: pause of a host after a failed attempt; doubles with each further one.
        per_host: requests to one host at once.
        headers: sent with each request, except to other hosts of a redirect.
        spool: holds downloads until they are stored; not for other processes.
    """

    def __init__(
        self,
        *,
        max_bytes: int = limits.MAX_PICTURE_BYTES,
        max_sound_bytes: int = limits.MAX_SOUND_BYTES,
        timeout_s: float = 30.0,
        retries: int = 3,
        backoff_s: float = 0.5,
        per_host: int = PER_HOST,
        headers: Mapping[str, str] | None = None,
        spool: Spool | None = None,
    ) -> None:
        self.max_bytes = max_bytes
        self.max_sound_bytes = max_sound_bytes
        self.retries = retries
        self._web_settings: dict[str, Any] = {
            "timeout_s": timeout_s,
            "retries": retries,
            "backoff_s": backoff_s,
            "per_host": per_host,
            "headers": dict(headers or {}),
        }
        self._spool = spool
        self._backoff_s = backoff_s
        self._stores = Hosts(_REQUESTS_TO_A_STORE)
        self._web = Web(limit_of=self._limit_of, **self._web_settings)
        self._tables = TablePictures()
        self._archives = Archives()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process without connections."""
        settings: dict[str, Any] = {
            "max_bytes": self.max_bytes,
            "max_sound_bytes": self.max_sound_bytes,
            **self._web_settings,
        }
        return partial(Fetcher, **settings), ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the web connections, tables and archives; a later read opens new ones."""
        self._tables.close()
        self._archives.close()
        self._web.close()

    def download(self, item: Item) -> Downloaded:
        """What a picture's URL gives, once in a run.

        Where the catalog has what the URL gave before, the server is asked whether it is still
        that, or not at all where it is trusted.

        Raises:
            ItemError: DOWNLOAD_FAILED, HOST_GIVEN_UP, TOO_MANY_BYTES.
        """
        earlier = item.download
        if earlier is not None and earlier.trusted:
            return Downloaded(content=None, download=earlier)
        if self._spool is not None and (spooled := self._spool.get(item.source)) is not None:
            return Downloaded(content=spooled[0], download=spooled[1])
        downloaded = self._web.once(item.address or item.source, earlier)
        if self._spool is not None and downloaded.content is not None:
            self._spool.put(item.source, downloaded.content, downloaded.download)
        return downloaded

    def read(self, source: str) -> bytes:
        """Bytes of one source.

        Args:
            source: a path, an http(s) or fsspec address, ``tar://MEMBER::ARCHIVE``,
                ``TABLE#ROW`` for a picture inside a table.

        Raises:
            ItemError: MISSING, UNREADABLE, TOO_MANY_BYTES, DOWNLOAD_FAILED.
        """
        place = table_of(source)
        # A file may itself be called like a row: list.csv#2.
        if place is not None and not (_is_local(source) and Path(source).is_file()):
            content = self._tables.read(place)
            self._check_size(source, len(content))
            return content
        if addresses.is_web(source):
            return self._web.get(source).content or b""
        if source.startswith(("tar://", "zip://")) and "::" in source:
            content = self._archives.read(source, self._limit_of(source))
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
                # A larger argument would make Python allocate that much memory first.
                content = file.read(status.st_size + 1)
                if len(content) > status.st_size:  # it has grown
                    content += file.read(self._limit_of(source))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ItemError(Reason.MISSING, _missing(source)) from error
        except (OSError, ValueError) as error:
            raise ItemError(
                Reason.UNREADABLE, f"{source}: can't be read ({error}); check the file"
            ) from error
        self._check_size(source, len(content))
        return content

    def _remote(self, source: str) -> bytes:
        """A file of an object store; one that fails again and again is given up for the run."""
        with self._stores.request(source) as began:
            try:
                content = read_remote(source, self._limit_of(source) + 1)
            except (OSError, ValueError, ImportError) as error:
                if is_connection_failure(error):
                    self._stores.failed(
                        source, str(error), began=began, pause_s=0.0, backoff_s=self._backoff_s
                    )
                else:
                    self._stores.answered(source)
                raise _remote_failure(source, error) from error
            self._stores.answered(source)
        self._check_size(source, len(content))
        return content

    def _limit_of(self, source: str) -> int:
        """Most bytes of a source; its name says whether it is a sound."""
        return self.max_sound_bytes if _is_sound(source) else self.max_bytes

    def _check_size(self, source: str, size: int) -> None:
        limit = self._limit_of(source)
        if size > limit:
            raise ItemError(
                Reason.TOO_MANY_BYTES,
                f"{source}: more than {limit:,} bytes; shrink it or raise "
                f"{'max_sound_bytes' if _is_sound(source) else 'max_bytes'}",
            )


def _remote_failure(source: str, error: Exception) -> ItemError:
    """The error of an item at an fsspec address."""
    if isinstance(error, FileNotFoundError):
        return ItemError(Reason.MISSING, f"{source}: no such file; check the path")
    if isinstance(error, ImportError):
        return ItemError(Reason.UNREADABLE, package_missing(source, error))
    if is_connection_failure(error):
        message = f"{source}: can't be read ({error}); try again later with: zeroshelf retry"
        return ItemError(Reason.DOWNLOAD_FAILED, message)
    return ItemError(Reason.UNREADABLE, f"{source}: can't be opened ({error})")


def _is_sound(source: str) -> bool:
    return media.kind_of(source.partition("::")[0]) is Kind.SOUND


def _is_local(source: str) -> bool:
    return not addresses.is_remote(source)


def _missing(source: str) -> str:
    file, mark, _ = source.rpartition("#")
    if mark and Path(file).is_file():
        return f"{source}: can't be read by itself; correct {file} and ingest it again"
    return f"{source}: no such file; check the path"
