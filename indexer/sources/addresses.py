"""Paths and fsspec addresses: opening, joining, naming, expanding."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from indexer.core.credentials import is_web as is_web
from indexer.core.errors import SourceError
from indexer.core.object_stores import in_words, open_remote, package_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_EXPANSIONS = 1_000_000
"""Most addresses that one brace pattern may stand for."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def is_remote(address: str) -> bool:
    """Whether an address goes through a protocol: ``s3://``, ``https://``, ``tar://``."""
    return "://" in address


def split_chain(address: str) -> tuple[str, str, str]:
    """An fsspec chain split into its prefix, the part that names a place, and its suffix.

    ``zip://products/a.jpg::s3://bucket/all.zip`` is ``""``, ``zip://products/a.jpg`` and
    ``::s3://bucket/all.zip``; ``simplecache::s3://bucket/a.jpg`` has a prefix. Without a chain
    the whole address is the place.
    """
    if "::" not in address or not is_remote(address):
        return "", address, ""
    links = address.split("::")
    place = next(number for number, link in enumerate(links) if "://" in link)
    prefix = "".join(f"{link}::" for link in links[:place])
    suffix = "".join(f"::{link}" for link in links[place + 1 :])
    return prefix, links[place], suffix


def is_archive(address: str) -> bool:
    """Whether an address is a place in an archive: ``zip://`` or ``tar://``, chained."""
    _, place, after = split_chain(address)
    return bool(after) and place.startswith(("zip://", "tar://"))


def absolute(address: str) -> str:
    """A local path made absolute, so that items stay loadable from any working folder.

    Of a chain, that is the archive at its end.
    """
    if not is_remote(address):
        return Path(address).absolute().as_posix()
    links, mark, last = address.rpartition("::")
    return links + mark + absolute(last) if mark and not is_remote(last) else address


def join(folder: str, relative: str) -> str:
    """The address of a path below a folder."""
    prefix, place, suffix = split_chain(folder)
    if not place.endswith("/"):
        place += "/"
    return f"{prefix}{place}{relative}{suffix}" if relative else folder


def parent(address: str) -> str:
    """The folder that an address lies in, without a closing slash."""
    prefix, place, suffix = split_chain(address)
    protocol, mark, path = place.rpartition("://")
    return f"{prefix}{protocol}{mark}{path.rpartition('/')[0]}{suffix}"


def resolve(folder: str, value: str) -> str:
    """The address of a table's value: a path relative to its folder, a path, an address.

    Blanks around it are stripped; ``//host/a.jpg`` becomes an https address.
    """
    value = value.strip()
    if value.startswith("//") and value.strip("/"):
        return f"https://{value.lstrip('/')}"
    return value if is_remote(value) or value.startswith("/") else join(folder, value)


def name(address: str) -> str:
    """Last part of a path or address, without a URL's query."""
    _, place, after = split_chain(address)
    path = urlsplit(place).path if is_web(place) else place.rpartition("://")[2]
    return path.rstrip("/").rpartition("/")[2] or (name(after[2:]) if after else "")


def open_binary(address: str) -> IO[bytes]:
    """Open a path or an fsspec address for reading; seekable.

    Raises:
        SourceError: it is missing, can't be read, or its protocol needs a package.
    """
    try:
        if not is_remote(address):
            return Path(address).open("rb")
        return open_remote(address)
    except FileNotFoundError as error:
        raise SourceError(f"{address}: no such file; check the path") from error
    except IsADirectoryError as error:
        raise SourceError(f"{address}: is a folder, a file is needed here") from error
    except ImportError as error:
        raise SourceError(package_missing(address, error)) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{address}: can't be opened ({error})") from error


def size(address: str) -> int | None:
    """Bytes of a local file; None for addresses, where it costs a request."""
    return None if is_remote(address) else Path(address).stat().st_size


def is_folder(address: str) -> bool:
    """Whether an address is a folder now, whatever was listed before.

    Raises:
        SourceError: the protocol is unknown, needs a package, or can't be reached.
    """
    if not is_remote(address):
        return Path(address).is_dir()
    if is_archive(address):
        from indexer.sources import archives  # imported here, since it imports this module

        return archives.is_folder(address)
    try:
        from fsspec.core import url_to_fs

        with in_words(address):
            files, path = url_to_fs(address)
            files.invalidate_cache()
            return bool(files.isdir(path))
    except ImportError as error:
        raise SourceError(package_missing(address, error)) from error
    except (OSError, ValueError) as error:
        raise SourceError(f"{address}: can't be reached ({error}); check the address") from error


def exists(address: str) -> bool:
    """Whether a file or a folder is at an address.

    Raises:
        SourceError: it can't be reached.
    """
    from fsspec.core import url_to_fs

    try:
        with in_words(address):
            files, path = url_to_fs(address)
            return bool(files.exists(path))
    except (OSError, ValueError) as error:
        raise SourceError(f"{address}: can't be reached ({error}); check the address") from error


def listed(names: Sequence[str], *, most: int = 3) -> str:
    """Names for a message: the first ones, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def real(address: str) -> str:
    """A local path without links; an address as it is."""
    return address if is_remote(address) else str(Path(address).resolve())


def is_file(address: str) -> bool:
    """Whether an address is a file.

    Raises:
        SourceError: the protocol is unknown, needs a package, or can't be reached.
    """
    if not is_remote(address):
        return Path(address).is_file()
    folder = parent(address)
    return is_folder(folder) and (name(address), False) in children(folder)


def expand(pattern: str) -> list[str]:
    """Expand braces as a shell does: ``{000..150}`` keeps its zeros, ``{a,b}`` is a choice.

    An existing file of exactly that name is not a pattern.

    Raises:
        SourceError: a range runs backwards, or there are more than ``MAX_EXPANSIONS``.
    """
    if not _BRACES.search(pattern) or (not is_remote(pattern) and Path(pattern).exists()):
        return [pattern]
    segments = _BRACES.split(pattern)
    choices = [
        _choices(segment, pattern) if number % 2 else [segment]
        for number, segment in enumerate(segments)
    ]
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > MAX_EXPANSIONS:
        raise SourceError(f"{pattern}: stands for {total:,} files, at most {MAX_EXPANSIONS:,}")
    return ["".join(combination) for combination in itertools.product(*choices)]


def _choices(body: str, pattern: str) -> list[str]:
    """The alternatives of one pair of braces."""
    bounds = _RANGE.fullmatch(body)
    if bounds is None:
        return body.split(",") if "," in body else ["{" + body + "}"]
    start, end = int(bounds[1]), int(bounds[2])
    if end < start:
        raise SourceError(f"{pattern}: the range {body} runs backwards")
    if end - start >= MAX_EXPANSIONS:
        raise SourceError(f"{pattern}: {body} is more than {MAX_EXPANSIONS:,} files")
    digits = len(bounds[1]) if bounds[1].startswith("0") else 0
    return [f"{number:0{digits}d}" for number in range(start, end + 1)]


def children(folder: str) -> Iterator[tuple[str, bool]]:
    """Names in a folder with whether each is a folder; one level, any order.

    Raises:
        OSError: the folder can't be listed.
    """
    if not is_remote(folder):
        for path in Path(folder).iterdir():
            yield path.name, path.is_dir()
        return
    if is_archive(folder):
        from indexer.sources import archives  # imported here, since it imports this module

        yield from archives.children(folder)
        return
    from fsspec.core import url_to_fs

    with in_words(folder):
        files, path = url_to_fs(folder)
        entries = files.ls(path, detail=True)
    for entry in entries:
        yield name(entry["name"]), entry["type"] == "directory"


def repeated(folder: str) -> int:
    """Members of an archive, in and below a folder, that a later one of the same name replaces.

    Raises:
        SourceError: the archive can't be read.
    """
    if not is_archive(folder):
        return 0
    from indexer.sources import archives  # imported here, since it imports this module

    return archives.repeated(folder)
