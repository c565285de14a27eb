"""Tar shards in WebDataset's layout: the members of one key are one item."""

from __future__ import annotations

import errno
import gzip
import json
import logging
import shutil
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any

from indexer.core.errors import ItemError, SourceError
from indexer.core.parts import view_of
from indexer.core.reasons import Reason
from indexer.core.records import FURTHER_PICTURES, Failure, Item, Kind
from indexer.sources import addresses, media
from indexer.sources.options import TableOptions
from indexer.sources.rows import (
    bad_row,
    checked_id,
    checked_metadata,
    checked_title,
    failure,
    is_blank,
)
from indexer.sources.shard_index import Group, Member, ShardIndex

SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")
_log = logging.getLogger(__name__)
_DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error)


@dataclass(frozen=True)
class ShardSource:
    """One shard; an item's id is ``SHARD/KEY``, as keys may repeat between shards.

    ``KEY.jpg`` (or another picture) is the content, ``KEY.json`` the metadata,
    ``KEY.txt`` the title (else the text column of the JSON), ``KEY.cls`` a value of the
    metadata, wherever in the shard they lie. Which part of a name is the key, and which of
    several pictures is taken: see ``shard_names``. A shard that is damaged or cut short
    yields what comes before the damage and a ``Failure`` for the rest.

    Attributes:
        left_out: members that no rule took in the last reading, by extension.
    """

    address: str
    options: TableOptions
    left_out: Counter[str] = field(default_factory=Counter, compare=False)

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the order of their pictures in the shard, with the pictures' bytes."""
        self.left_out.clear()
        index = ShardIndex(
            extensions=() if self.options.texts else self.options.picture_extensions,
            max_bytes=self.options.max_bytes,
        )
        with closing(index), ExitStack() as stack:
            damage: Exception | None = None
            behind: tuple[int, str] | None = None
            try:
                tar = stack.enter_context(_opened_locally(self.address))
                for member in _members(tar):
                    index.add(tar, member)
                behind = _behind_the_end(tar)
            except (SourceError, *_DAMAGE) as error:
                damage = error
            index.finish(damaged=damage is not None)
            self.left_out.update(index.left_out)
            for group in index:
                yield self._item(group, tar)
            if damage is not None:
                # The last key may be incomplete, so it is part of the rest.
                yield self._rest(index.last, damage)
            if behind is not None:
                place, problem = behind
                yield bad_row(
                    self._kind,
                    f"{self.address}#{place}",
                    f"{problem} at byte {place:,}, and what follows is not read; unpack this file "
                    "with: tar --ignore-zeros -xf, or ingest each file by itself",
                )

    def count(self) -> None:
        """Unknown: a tar file has no table of contents."""
        return

    def check(self) -> None:
        """Check that it is a tar file.

        Raises:
            SourceError: it can't be opened as one.
        """
        try:
            with _opened(self.address):
                pass
        except _DAMAGE as error:
            raise SourceError(f"{self.address}: not a readable tar file ({error})") from error

    def has_members(self) -> bool:
        """Whether it has a member; reads only the first member's header."""
        try:
            with _opened(self.address) as tar:
                return tar.next() is not None
        except (SourceError, *_DAMAGE):
            return True  # reading it reports the damage

    @property
    def _kind(self) -> Kind:
        return Kind.TEXT if self.options.texts else Kind.PICTURE

    def _rest(self, key: str, error: Exception) -> Failure:
        after = f"from {key!r} on" if key else "from its start"
        place = f"{self.address}#{key}"
        return bad_row(
            self._kind, place, f"the shard can't be read {after} ({error}); fetch it again"
        )

    def _item(self, group: Group, tar: tarfile.TarFile) -> Item | Failure:
        shard = addresses.name(self.address)
        for suffix in SHARD_SUFFIXES:
            shard = shard.removesuffix(suffix)
        # A dead letter has this source: only a corrected shard helps, so trying again
        # must not store half of the item.
        item = Item(
            item_id=f"{shard}/{group.key}", kind=self._kind, source=f"{self.address}#{group.key}"
        )
        try:
            checked_id(item.item_id, "__key__")
            metadata = _metadata(group)
            title = metadata.pop(self.options.text_column, None)
            metadata = self.options.select(metadata)
            text = checked_title(_text(group) or title, self.options.text_column)
            if self.options.texts and not text.strip():
                raise ItemError(Reason.EMPTY_TEXT, "has no text; add a .txt member")
            if not self.options.texts and not group.pictures:
                raise ItemError(Reason.MISSING, f"no picture among {', '.join(group.names)}")
            sources = [f"tar://{name}::{self.address}" for name in group.names]
            if further := sources[1 : len(group.pictures)]:
                metadata[FURTHER_PICTURES] = further
            item = replace(
                item,
                source=sources[0],
                title=text,
                metadata=checked_metadata(metadata),
            )
            item = self._in_group(item)
            content = self._content(group.pictures[0], tar) if group.pictures else None
        except ItemError as error:
            return failure(item, error.reason, f"{item.source}: {error}")
        if self.options.texts:
            return item
        item = replace(item, kind=media.kind_of(item.source.partition("::")[0], content))
        views = range(2, len(group.pictures) + 1)
        parts = tuple(self._part(item, group, view, tar) for view in views)
        return replace(item, content=content, parts=parts)

    def _in_group(self, item: Item) -> Item:
        """The item as a part of the one that its metadata name as its group."""
        value = item.metadata.get(self.options.group_column) if self.options.group_column else None
        if is_blank(value):
            return item
        parent_id = checked_id(value, self.options.group_column)
        return replace(item, parent_id=parent_id, part={"key": item.item_id.rpartition("/")[2]})

    def _part(self, item: Item, group: Group, view: int, tar: tarfile.TarFile) -> Item | Failure:
        """A further picture of a key."""
        source = f"tar://{group.names[view - 1]}::{self.address}"
        part = replace(view_of(item, view), source=source)
        try:
            checked_id(part.item_id, "__key__")
            return replace(part, content=self._content(group.pictures[view - 1], tar))
        except ItemError as error:
            return failure(part, error.reason, f"{part.source}: {error}")

    def _content(self, member: Member, tar: tarfile.TarFile) -> bytes:
        is_sound = media.kind_of_name(f".{member.suffix}") is Kind.SOUND
        limit = "max_sound_bytes" if is_sound else "max_bytes"
        if member.size > getattr(self.options, limit):
            raise ItemError(Reason.TOO_MANY_BYTES, f"too large; shrink it or raise {limit}")
        if member.content is not None:
            return member.content
        assert tar.fileobj is not None
        try:
            tar.fileobj.seek(member.place)
            content = tar.fileobj.read(member.size)
        except _DAMAGE as error:
            raise ItemError(
                Reason.UNREADABLE, f"can't be read a second time ({error}); fetch the shard again"
            ) from error
        if len(content) < member.size:
            raise ItemError(Reason.UNREADABLE, "is cut short; fetch the shard again")
        return content


def _metadata(group: Group) -> dict[str, Any]:
    """The metadata of the ``.json`` and ``.cls`` members."""
    metadata: dict[str, Any] = {}
    text = _side_file(group, "json")
    if text:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ItemError(
                Reason.BAD_METADATA, f"the .json member is not valid ({error}); correct it"
            ) from error
        if not isinstance(value, dict):
            raise ItemError(Reason.BAD_METADATA, "the .json member is not an object")
        metadata = value
    label = _side_file(group, "cls").strip()
    if label:
        metadata["cls"] = int(label) if label.isdecimal() else label
    return metadata


def _text(group: Group) -> str:
    """The text of the ``.txt`` member."""
    return _side_file(group, "txt").strip()


def _side_file(group: Group, extension: str) -> str:
    member = group.side_files.get(extension)
    if member is None:
        return ""
    if member.content is None:
        raise ItemError(Reason.TOO_MANY_BYTES, f"{member.name} is too large")
    try:
        return member.content.decode()
    except UnicodeDecodeError as error:
        raise ItemError(
            Reason.BAD_METADATA, f"{member.name} is not UTF-8 ({error}); save it as UTF-8"
        ) from error


@contextmanager
def _opened(address: str) -> Iterator[tarfile.TarFile]:
    with addresses.open_binary(address) as raw:
        # By its bytes: many that are packed are called .tar.
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
        with tarfile.open(fileobj=file, mode="r:") as tar:
            yield tar


@contextmanager
def _opened_locally(address: str) -> Iterator[tarfile.TarFile]:
    """As ``_opened``, for a shard that is read twice: a remote one is copied to a file first."""
    if not addresses.is_remote(address):
        with _opened(address) as tar:
            yield tar
        return
    with tempfile.NamedTemporaryFile(prefix="zeroshelf-shard-") as copy:
        try:
            with addresses.open_binary(address) as raw:
                shutil.copyfileobj(raw, copy, 2**20)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise SourceError(
                    f"{address}: there is no room for a copy in {tempfile.gettempdir()}; set "
                    "TMPDIR to a folder that has some"
                ) from error
            _log.warning("%s: can't be read to its end (%s)", address, error)
        copy.flush()
        with _opened(copy.name) as tar:
            yield tar


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Members one by one; unlike iterating over ``tar``, damage is an error, not an end."""
    while (member := tar.next()) is not None:
        # Otherwise it keeps every member's description in memory.
        tar.members.clear()  # type: ignore[attr-defined]
        yield member
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    end = tar.fileobj.read(tarfile.BLOCKSIZE)
    if end != bytes(tarfile.BLOCKSIZE):
        damage = "damaged" if len(end) == tarfile.BLOCKSIZE else "cut short"
        raise tarfile.ReadError(f"{damage} at byte {tar.offset:,}")


def _behind_the_end(tar: tarfile.TarFile) -> tuple[int, str] | None:
    """What lies behind the end of an archive: its byte and what is wrong; None for padding.

    Tar files that were joined by ``cat`` lie there. Other bytes, with which a writer filled a
    block up, are no archive.
    """
    assert tar.fileobj is not None
    place = tar.fileobj.tell()
    try:
        while block := tar.fileobj.read(tarfile.BLOCKSIZE):
            if any(block):
                return (place, "another tar file begins") if _is_header(block) else None
            place += len(block)
    except _DAMAGE as error:
        return place, f"damage ({error}) begins behind the end of the archive"
    return None


def _is_header(block: bytes) -> bool:
    """Whether a block begins a member; one with the mark of the format does, if damaged."""
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return block[257:262] == b"ustar"
    return True
