"""Members of zip and tar files, by their addresses: ``zip://PATH::ARCHIVE``."""

from __future__ import annotations

import logging
import posixpath
import tarfile
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from indexer.core.errors import ItemError, SourceError
from indexer.core.reasons import Reason
from indexer.sources import addresses

OPEN_ARCHIVES = 4
"""Archives that a reader keeps open, since opening one reads its list of members."""

_LINKS_IN_A_ROW = 40
"""Links to links that are followed, as Linux does."""

_log = logging.getLogger(__name__)
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)


class Archives:
    """Reads members; keeps archives open between calls and is safe to share by threads."""

    def __init__(self) -> None:
        self._opened = lru_cache(maxsize=OPEN_ARCHIVES)(_Archive)
        self._lock = threading.Lock()

    def read(self, source: str, max_bytes: int) -> bytes:
        """A member's bytes, at most ``max_bytes + 1``.

        Raises:
            ItemError: MISSING: no such archive or member. UNREADABLE: damaged, or encrypted.
        """
        protocol, member, place = _split(source)
        try:
            with self._lock:  # else each thread would open an archive that is not open yet
                archive = self._opened(protocol, place)
            return archive.read(member, max_bytes)
        except KeyError as error:
            raise ItemError(Reason.MISSING, f"{source}: no such member in the archive") from error
        except (SourceError, NotImplementedError, *_DAMAGE) as error:
            missing = isinstance(error.__cause__, FileNotFoundError)
            reason = Reason.MISSING if missing else Reason.UNREADABLE
            message = f"{source}: the archive can't be read ({error}); check it"
            raise ItemError(reason, message) from error

    def close(self) -> None:
        """Let the archives go: each is closed when no thread reads it any more."""
        self._opened.cache_clear()


class _Archive:
    """One archive that is open; its members are read one at a time.

    Attributes:
        repeated: how many earlier members have the name of a later one. The last one counts, as
            when unpacking.
    """

    def __init__(self, protocol: str, place: str) -> None:
        self._file: IO[bytes] = addresses.open_binary(place)
        self._lock = threading.Lock()
        self._tar: tarfile.TarFile | None = None
        self._zip: zipfile.ZipFile | None = None
        self.repeated: Counter[str] = Counter()
        try:
            if protocol == "tar":
                self._tar = tarfile.open(fileobj=self._file)  # noqa: SIM115 - closed with the file
                self._places = _places_of(self._tar, self.repeated)
            else:
                self._zip = zipfile.ZipFile(self._file)
                self._members = _members_of(self._zip, self.repeated)
        except BaseException:
            self._file.close()
            raise
        if self.repeated:
            _warn_of_repeated(place, tuple(self.repeated))

    def read(self, member: str, max_bytes: int) -> bytes:
        """A member's bytes, at most ``max_bytes + 1``.

        Raises:
            KeyError: there is no such member, or it is not a file.
        """
        with self._lock:
            if self._zip is not None:
                with self._zip.open(self._members[_plain(member)]) as file:
                    return file.read(max_bytes + 1)
            assert self._tar is not None
            assert self._tar.fileobj is not None
            offset, size = self._places[_plain(member)]
            self._tar.fileobj.seek(offset)
            content = self._tar.fileobj.read(min(size, max_bytes + 1))
        if len(content) < min(size, max_bytes + 1):
            raise tarfile.ReadError(f"cut short at byte {offset + len(content):,}")
        return content

    def names(self) -> Iterator[str]:
        """Names of the files in it."""
        return iter(self._places if self._zip is None else self._members)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    def __del__(self) -> None:
        if "_file" in self.__dict__:
            self._file.close()


@lru_cache(maxsize=64)
def _warn_of_repeated(place: str, names: tuple[str, ...]) -> None:
    """Warn once, however often the archive is opened."""
    count = f"{len(names):,} name{' occurs' if len(names) == 1 else 's occur'}"
    _log.warning(
        "%s: %s more than once (%s); the last member of a name is read, as when unpacking.",
        place,
        count,
        addresses.listed(names),
    )


def _members_of(file: zipfile.ZipFile, repeated: Counter[str]) -> dict[str, zipfile.ZipInfo]:
    """The files by name.

    Args:
        repeated: gets the names that occur again, and how often.
    """
    members: dict[str, zipfile.ZipInfo] = {}
    for info in file.infolist():
        if info.is_dir():
            continue
        name = _plain(info.filename)
        if name in members:
            repeated[name] += 1
        members[name] = info
    return members


def _places_of(tar: tarfile.TarFile, repeated: Counter[str]) -> dict[str, tuple[int, int]]:
    """Where the content of each file begins, and its length; of a link, those of its target.

    ``TarFile`` itself would keep a description of each member, and search them all for each link.

    Args:
        repeated: gets the names that occur again, and how often.
    """
    places: dict[str, tuple[int, int]] = {}
    links: dict[str, str] = {}
    while (info := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]
        if not (info.isfile() or info.islnk() or info.issym()):
            continue
        name = _plain(info.name)
        if name in places or name in links:
            repeated[name] += 1
            places.pop(name, None)
            links.pop(name, None)
        if info.islnk():
            links[name] = _plain(info.linkname)
        elif info.issym():
            links[name] = posixpath.normpath(f"{posixpath.dirname(name)}/{info.linkname}")
        else:
            places[name] = (info.offset_data, info.size)
    for name, target in links.items():
        for _ in range(_LINKS_IN_A_ROW):
            if target not in links:
                break
            target = links[target]
        if target in places:
            places[name] = places[target]
    return places


def is_folder(address: str) -> bool:
    """Whether an address is a folder in an archive, its top included.

    Raises:
        SourceError: the archive can't be read.
    """
    protocol, member, place = _split(address)
    return member.strip("/") in _listing(protocol, place, _stamp(place)).folders


def children(address: str) -> Iterator[tuple[str, bool]]:
    """Names in a folder of an archive with whether each is a folder.

    Raises:
        OSError: there is no such folder.
        SourceError: the archive can't be read.
    """
    protocol, member, place = _split(address)
    try:
        yield from _listing(protocol, place, _stamp(place)).folders[member.strip("/")].items()
    except KeyError as error:
        raise FileNotFoundError(f"{address}: no such folder in the archive") from error


def repeated(address: str) -> int:
    """Members in and below a folder of an archive that a later one of the same name replaces.

    Raises:
        SourceError: the archive can't be read.
    """
    protocol, member, place = _split(address)
    folder = member.strip("/")
    names = _listing(protocol, place, _stamp(place)).repeated
    return sum(
        count for name, count in names.items() if not folder or name.startswith(f"{folder}/")
    )


@dataclass(frozen=True, slots=True)
class _Listing:
    """The names in each folder, with whether each is a folder; and the names that occur again."""

    folders: dict[str, dict[str, bool]]
    repeated: Counter[str]


@lru_cache(maxsize=2)
def _listing(protocol: str, place: str, _: object) -> _Listing:
    """The names in each folder, derived from files: many archives have no entries for folders."""
    folders: dict[str, dict[str, bool]] = {"": {}}
    try:
        archive = _Archive(protocol, place)
        for name in archive.names():
            folder, _, file = name.strip("/").rpartition("/")
            folders.setdefault(folder, {})[file] = False
            while folder:
                above, _, subfolder = folder.rpartition("/")
                folders.setdefault(above, {})[subfolder] = True
                folder = above
        archive.close()
    except (NotImplementedError, *_DAMAGE) as error:
        raise SourceError(f"{place}: not a readable {protocol} file ({error}); check it") from error
    return _Listing(folders, archive.repeated)


def _stamp(place: str) -> object:
    """A value that changes when a local archive is written again."""
    try:
        status = Path(place).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _split(address: str) -> tuple[str, str, str]:
    """Protocol, member and archive of an address."""
    protocol, _, path = address.partition("://")
    member, _, place = path.rpartition("::")
    return protocol, member, place


def _plain(member: str) -> str:
    """A member's name without the ``./`` or ``/`` that some archives begin their names with."""
    return member.removeprefix("./").lstrip("/")
