"""Files at fsspec addresses such as ``s3://``: read, listed and written, with errors in words.

Clients of object stores raise errors of their own where credentials are missing or a connection
breaks. Here these become the ``OSError`` that a local disk would give, so that one item fails and
not the job.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from indexer.core.durable import written_aside
from indexer.core.errors import UsageError, first_line
from indexer.core.hashing import file_sha256

_NO_CREDENTIALS = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; FSSPEC_S3_ANON=true reads a "
    "public bucket without"
)


_EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Extras of zeroshelf, by the protocols that need them."""


@contextlib.contextmanager
def in_words(address: str) -> Iterator[None]:
    """Turn errors of an object store's client into ``OSError``.

    Raises:
        PermissionError: there are no credentials, or they do not allow it.
        ConnectionError: the store does not answer, or broke off; trying again may help.
        OSError, ValueError, ImportError: as fsspec raises them.
    """
    try:
        yield
    except PermissionError as error:
        raise PermissionError(f"the credentials do not allow it: {first_line(error)}") from error
    except (OSError, ValueError, ImportError):
        raise
    # botocore's errors, aiohttp's and those of other stores have no class in common.
    except Exception as error:
        name = type(error).__name__
        if "Credential" in name or "Token" in name or "Profile" in name:
            remedy = f": {_NO_CREDENTIALS}" if address.startswith("s3://") else ""
            raise PermissionError(f"{first_line(error)}{remedy}") from error
        raise ConnectionError(f"{name}: {first_line(error)}") from error


def is_connection_failure(error: BaseException | None) -> bool:
    """Whether an error is of the connection or the store, and not of one file."""
    return isinstance(error, OSError) and not isinstance(
        error, FileNotFoundError | PermissionError | IsADirectoryError
    )


def package_missing(address: str, error: ImportError) -> str:
    """The message for an address whose protocol needs a missing package."""
    from fsspec.registry import known_implementations

    for protocol in re.findall(r"([a-z][a-z0-9+.-]*)://", address):
        package = known_implementations.get(protocol, {}).get("class", "").partition(".")[0]
        if package not in ("", "fsspec"):
            needed = f"'zeroshelf[{_EXTRAS[protocol]}]'" if protocol in _EXTRAS else package
            remedy = f"run: pip install {needed}"
            return f"{address}: {protocol}:// needs a package that is not installed; {remedy}"
    return f"{address}: a package is not installed; {error}"


def open_remote(address: str) -> IO[bytes]:
    """Open an fsspec address for reading; seekable.

    Raises:
        OSError, ValueError, ImportError: as of ``in_words``, also by the file's methods.
    """
    import fsspec

    with in_words(address):
        opened = fsspec.open(address, "rb")
        return io.BufferedReader(_RemoteFile(opened.open(), opened.fs, address))


def read_remote(address: str, most: int) -> bytes:
    """At most so many bytes of an fsspec address; raises as ``open_remote``."""
    import fsspec

    with in_words(address), fsspec.open(address, "rb") as file:
        return bytes(file.read(most))


class _RemoteFile(io.RawIOBase):
    """A file of fsspec whose errors are in words.

    Args:
        file_system: kept as long as the file: an archive's closes the archive when it goes.
    """

    def __init__(self, file: Any, file_system: Any, address: str) -> None:
        self._file = file
        self._file_system = file_system
        self._address = address

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        with in_words(self._address):
            content = self._file.read(len(view))
        view[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        with in_words(self._address):
            return bytes(self._file.read())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


class StoredFolder:
    """A folder of files, here or at an fsspec address.

    Args:
        address: a path, or an address such as ``s3://bucket/folder``; made if it is missing.

    Raises:
        UsageError: the address can't be reached, read or written to; also by the methods.
        OSError: a local folder can't.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/") if "://" in address else address
        self._path = None if "://" in address else Path(address)
        if self._path is not None:
            self._path.mkdir(parents=True, exist_ok=True)
            return
        from fsspec.core import url_to_fs

        with self._reached():
            self._files, self._root = url_to_fs(self.address)

    def names(self) -> set[str]:
        """Names of the files in it."""
        return set(self.sizes())

    def sizes(self) -> dict[str, int]:
        """Bytes of each file in it, by name."""
        if self._path is not None:
            return {path.name: path.stat().st_size for path in self._path.iterdir()}
        with self._reached():
            self._files.invalidate_cache()
            try:
                entries = self._files.ls(self._root, detail=True)
            except FileNotFoundError:
                return {}
        return {
            entry["name"].rstrip("/").rpartition("/")[2]: entry["size"] or 0 for entry in entries
        }

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Write a file: the path that this gives becomes the file as a whole, or not at all."""
        if self._path is not None:
            with written_aside(self._path / name) as aside:
                yield aside
            return
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name
            yield path
            with self._reached():
                self._files.put_file(str(path), f"{self._root}/{name}")

    def fetch(self, name: str, to: Path) -> None:
        """Copy a file to a path."""
        if self._path is not None:
            shutil.copyfile(self._path / name, to)
            return
        with self._reached():
            self._files.get_file(f"{self._root}/{name}", str(to))

    def read(self, name: str) -> bytes:
        """A small file's content."""
        if self._path is not None:
            return (self._path / name).read_bytes()
        with self._reached():
            return bytes(self._files.cat_file(f"{self._root}/{name}"))

    def sha256(self, name: str) -> str:
        """Hex digest of a file's content, which is read piece by piece."""
        if self._path is not None:
            return file_sha256(self._path / name)
        with self._reached(), self._files.open(f"{self._root}/{name}", "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def remove(self, name: str) -> None:
        """Delete a file."""
        if self._path is not None:
            (self._path / name).unlink()
            return
        with self._reached():
            self._files.rm_file(f"{self._root}/{name}")

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            with in_words(self.address):
                yield
        except ImportError as error:
            raise UsageError(package_missing(self.address, error)) from error
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.address}: can't be used ({first_line(error)}); check the address, "
                "and what its credentials allow"
            ) from error
