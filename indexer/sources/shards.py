"""Tar shards in WebDataset's layout: neighbouring members of one key are one item."""

from __future__ import annotations

import gzip
import json
import logging
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any

from indexer.errors import ItemError, SourceError
from indexer.reasons import Reason
from indexer.records import Failure, Item, Kind
from indexer.sources import addresses
from indexer.sources.folder import is_picture
from indexer.sources.options import TableOptions
from indexer.sources.rows import bad_row, checked_id, checked_metadata, checked_title, failure

logger = logging.getLogger(__name__)

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_SIDE_FILES = (".json", ".txt", ".cls")
_DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error)


@dataclass(frozen=True)
class ShardSource:
    """One shard; an item's id is ``SHARD/KEY``, as keys may repeat between shards.

    ``KEY.jpg`` (or another picture) is the content, ``KEY.json`` the metadata,
    ``KEY.txt`` the title (else the text column of the JSON), ``KEY.cls`` a value of the
    metadata. A shard that is damaged or cut short yields what comes before the damage
    and a ``Failure`` for the rest.
    """

    address: str
    options: TableOptions

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the shard's order, with their pictures' bytes."""
        ignored = 0
        group = _Group("")
        try:
            with _opened(self.address) as tar:
                for member in _members(tar):
                    key, suffix = _key_of(member.name)
                    if not member.isfile() or not key:
                        continue
                    if key != group.key:
                        yield from self._items(group)
                        group = _Group(key)
                    ignored += not group.take(tar, member, suffix, self.options.max_bytes)
                yield from self._items(group)
        except (SourceError, *_DAMAGE) as error:
            # What was read of the last key may lack its end: it is part of the rest.
            yield self._rest(group, error)
        if ignored:
            logger.info("%s: %d members are of no known kind, left out", self.address, ignored)

    def count(self) -> None:
        """Unknown: a tar file has no table of contents."""
        return

    def check(self) -> None:
        """See whether it is a tar file at all.

        Raises:
            SourceError: it can't be opened as one.
        """
        try:
            with _opened(self.address):
                pass
        except _DAMAGE as error:
            raise SourceError(f"{self.address}: not a readable tar file ({error})") from error

    @property
    def _kind(self) -> Kind:
        return Kind.TEXT if self.options.texts else Kind.PICTURE

    def _rest(self, group: _Group, error: Exception) -> Failure:
        after = f"from {group.key!r} on" if group.key else "from its start"
        place = f"{self.address}#{group.key}"
        return bad_row(
            self._kind, place, f"the shard can't be read {after} ({error}); fetch it again"
        )

    def _items(self, group: _Group) -> Iterator[Item | Failure]:
        if not group.members:
            return
        shard = addresses.name(self.address)
        for suffix in SHARD_SUFFIXES:
            shard = shard.removesuffix(suffix)
        member = group.picture or next(iter(group.members))
        # A dead letter has this source: only a corrected shard helps, so trying again
        # must not store half of the item.
        item = Item(
            item_id=f"{shard}/{group.key}", kind=self._kind, source=f"{self.address}#{group.key}"
        )
        try:
            checked_id(item.item_id, "__key__")
            metadata = group.metadata()
            title = metadata.pop(self.options.text_column, None)
            text = checked_title(group.text() or title, self.options.text_column)
            if self.options.texts and not text.strip():
                raise ItemError(Reason.EMPTY_TEXT, "has no text; add a .txt member")
            if not self.options.texts and not group.picture:
                raise ItemError(Reason.MISSING, f"no picture among {', '.join(group.members)}")
            item = replace(
                item,
                source=f"tar://{member}::{self.address}",
                title=text,
                metadata=checked_metadata(metadata),
            )
            content = None if self.options.texts else group.content()
        except ItemError as error:
            yield failure(item, error.reason, f"{item.source}: {error}")
            return
        yield replace(item, content=content)


@dataclass
class _Group:
    """The members of one key, as far as they are read."""

    key: str
    members: dict[str, bytes | None] = field(default_factory=dict)
    picture: str = ""

    def take(self, tar: tarfile.TarFile, member: tarfile.TarInfo, suffix: str, limit: int) -> bool:
        """Read a member where its kind is known; None stands for one over the limit."""
        first_picture = is_picture(member.name) and not self.picture
        if not first_picture and suffix not in _SIDE_FILES:
            return False
        if first_picture:
            self.picture = member.name
        file = tar.extractfile(member)
        within = file is not None and member.size <= limit
        self.members[member.name] = file.read() if file is not None and within else None
        return True

    def content(self) -> bytes:
        """The picture's bytes; there is a picture."""
        content = self.members[self.picture]
        if content is None:
            raise ItemError(Reason.TOO_MANY_BYTES, "too large; shrink it or raise max_bytes")
        return content

    def metadata(self) -> dict[str, Any]:
        """What the ``.json`` and ``.cls`` members say."""
        found: dict[str, Any] = {}
        text = self._side_file(".json")
        if text:
            try:
                value = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise ItemError(
                    Reason.BAD_METADATA, f"the .json member is not valid ({error}); correct it"
                ) from error
            if not isinstance(value, dict):
                raise ItemError(Reason.BAD_METADATA, "the .json member is not an object")
            found = value
        label = self._side_file(".cls").strip()
        if label:
            found["cls"] = int(label) if label.isdecimal() else label
        return found

    def text(self) -> str:
        """What the ``.txt`` member says."""
        return self._side_file(".txt").strip()

    def _side_file(self, suffix: str) -> str:
        for name, content in self.members.items():
            if name.lower().endswith(suffix):
                if content is None:
                    raise ItemError(Reason.TOO_MANY_BYTES, f"{name} is too large")
                try:
                    return content.decode()
                except UnicodeDecodeError as error:
                    raise ItemError(
                        Reason.BAD_METADATA, f"{name} is not UTF-8 ({error}); save it as UTF-8"
                    ) from error
        return ""


@contextmanager
def _opened(address: str) -> Iterator[tarfile.TarFile]:
    with addresses.open_binary(address) as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
        with tarfile.open(fileobj=file, mode="r:") as tar:
            yield tar


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Members one by one; unlike iterating over ``tar``, damage is an error, not an end."""
    while (member := tar.next()) is not None:
        # It would keep every member's description.
        tar.members.clear()  # type: ignore[attr-defined]
        yield member
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    end = tar.fileobj.read(tarfile.BLOCKSIZE)
    if end != bytes(tarfile.BLOCKSIZE):
        what = "damaged" if len(end) == tarfile.BLOCKSIZE else "cut short"
        raise tarfile.ReadError(f"{what} at byte {tar.offset:,}")


def _key_of(member: str) -> tuple[str, str]:
    """Key and suffix as WebDataset splits them: at the first point of the last part."""
    folder, slash, name = member.rpartition("/")
    key, _, suffix = name.partition(".")
    return (f"{folder}{slash}{key}", f".{suffix.lower()}") if key else ("", "")
