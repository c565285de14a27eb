"""Indexes the members of one shard in a temporary database, and groups them to items.

A shard is read twice: once for names and side files, once for pictures. So metadata may lie
anywhere in the shard, and memory holds one picture at a time. SQLite keeps an index that is larger
than its cache in a temporary file.
"""

from __future__ import annotations

import itertools
import posixpath
import sqlite3
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter

from indexer.sources import media, shard_names, signatures
from indexer.sources.folder import NO_EXTENSION

_TABLES = """
CREATE TABLE members (
    number INTEGER PRIMARY KEY, path TEXT UNIQUE, name TEXT, stem TEXT, extension TEXT,
    key TEXT, suffix TEXT, two_part TEXT, before TEXT,
    place INTEGER, size INTEGER, looks INTEGER, content BLOB
);
CREATE INDEX by_stem ON members (stem);
CREATE TABLE ordered (number INTEGER PRIMARY KEY, key TEXT, first INTEGER);
"""
_MEMBERS = "SELECT key, name, suffix, place, size, looks, content FROM members"
_RECURRING = """
SELECT two_part FROM members WHERE before IS NOT NULL GROUP BY two_part
HAVING count(DISTINCT before) >= max(2, 0.5 * (SELECT count(DISTINCT before) FROM members))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file of a shard.

    Attributes:
        name: its name in the archive.
        suffix: what follows its key, in lower case and without the first point.
        place: byte of the (unpacked) archive where its content starts.
        looks: whether its first bytes are those of a picture, a sound or a video.
        content: of a side file; None for other members, or if it is over the limit.
    """

    name: str
    suffix: str
    place: int
    size: int
    looks: bool
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The members of one key.

    Attributes:
        pictures: the one to embed first, then further ones; sounds where it has no picture.
        side_files: by extension.
    """

    key: str
    pictures: tuple[Member, ...]
    side_files: dict[str, Member]

    @property
    def names(self) -> list[str]:
        """Names of all members."""
        return [member.name for member in (*self.pictures, *self.side_files.values())]


@dataclass
class ShardIndex:
    """What lies in a shard.

    Attributes:
        extensions: those of pictures, the preferred first; one may have two parts; none where
            texts are wanted. Only beside the default ones do first bytes tell pictures too.
        max_bytes: largest side file that is kept.
        left_out: members that no rule takes, by extension.
        last: the path that was read last.
    """

    extensions: tuple[str, ...]
    max_bytes: int
    left_out: Counter[str] = field(default_factory=Counter)
    last: str = ""

    def __post_init__(self) -> None:
        # The empty name is a database in a temporary file; items may be read in any thread.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")  # one for all: each by itself is slower
        self._links: list[tuple[str, str, str]] = []
        self._count = 0

    def close(self) -> None:
        """Remove the temporary file."""
        self._database.close()

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Index one member."""
        path = shard_names.clean(member.name)
        if member.isdir():
            return
        if shard_names.is_hidden(path):
            self.left_out["hidden"] += 1
        elif member.islnk() or member.issym():
            folder = posixpath.dirname(path) if member.issym() else ""
            target = shard_names.clean(posixpath.join(folder, member.linkname))
            self._links.append((path, member.name, target))
        elif member.isfile():
            self.last = path
            self._add_file(tar, member, path)
        else:
            self.left_out["no file"] += 1

    def _add_file(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        _, extension = shard_names.at_last_point(path)
        content, looks = None, False
        try:
            if extension in shard_names.SIDE_EXTENSIONS or member.issparse():
                if member.size <= self.max_bytes:
                    content = _read(tar, member)
            elif self.extensions == shard_names.DEFAULT_EXTENSIONS and (
                extension not in self.extensions
            ):
                looks = signatures.kind_of(_read(tar, member, signatures.LONGEST)) is not None
        finally:  # a member that is cut short tells which key is
            self._insert(path, member.name, member.offset_data, member.size, looks, content)

    def _insert(
        self, path: str, name: str, place: int, size: int, looks: bool, content: bytes | None
    ) -> None:
        stem, extension = shard_names.at_last_point(path)
        two = shard_names.two_part_extension(stem, extension)
        shorter_key, two_part = two or (None, None)
        self._count += 1
        names = (self._count, path, name, stem, extension, stem, extension, two_part, shorter_key)
        # As unpacking does, the last member of a name stays.
        self.left_out["the same name again"] += self._database.execute(
            "DELETE FROM members WHERE path = ?", (path,)
        ).rowcount
        self._database.execute(
            "INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*names, place, size, looks, content),
        )

    def finish(self, *, damaged: bool) -> None:
        """Group the members after the last one was added.

        Args:
            damaged: leave out the key that was read last, which may be incomplete.
        """
        self._resolve_links()
        self._split_names()
        if damaged:
            last = self._database.execute("SELECT key FROM members WHERE path = ?", (self.last,))
            self.last = (last.fetchone() or ("",))[0]
            self._database.execute("DELETE FROM members WHERE key = ?", (self.last,))
        self._database.execute("CREATE INDEX by_key ON members (key)")
        self._order()
        self.left_out += Counter()  # drops what is zero

    def __iter__(self) -> Iterator[Group]:
        """Groups in the order of their pictures in the archive."""
        for (key,) in self._database.execute("SELECT key FROM ordered ORDER BY first, number"):
            rows = self._database.execute(f"{_MEMBERS} WHERE key = ? ORDER BY number", (key,))
            yield self._group(key, map(_member, rows))[0]

    def _order(self) -> None:
        """Record the place of each key's picture, and count members that no rule takes."""
        rows = self._database.execute(f"{_MEMBERS} ORDER BY key, number")
        for key, of_key in itertools.groupby(rows, key=itemgetter(0)):
            members = list(map(_member, of_key))
            group, others = self._group(key, members)
            for member in others:
                self.left_out[f".{member.suffix}" if member.suffix else NO_EXTENSION] += 1
            if group.names:
                first_member = group.pictures[0] if group.pictures else members[0]
                self._database.execute(
                    "INSERT INTO ordered (key, first) VALUES (?, ?)", (key, first_member.place)
                )

    def _group(
        self, key: str, members: Iterator[Member] | list[Member]
    ) -> tuple[Group, list[Member]]:
        """The members of a key that make an item, and the others."""
        ranked: list[tuple[tuple[int, int, str], Member]] = []
        side_files: dict[str, Member] = {}
        others: list[Member] = []
        for member in members:
            rank = shard_names.picture_rank(member.suffix, self.extensions, is_picture=member.looks)
            if rank is not None:
                ranked.append((rank, member))
            elif member.suffix in shard_names.SIDE_EXTENSIONS:
                side_files[member.suffix] = member
            else:
                others.append(member)
        ranked.sort(key=lambda entry: entry[0])
        pictures = [
            member for place, (rank, member) in enumerate(ranked) if place == 0 or rank[0] < 3
        ]
        others += [member for place, (rank, member) in enumerate(ranked) if place and rank[0] == 3]
        # A sound beside a picture is no second picture of it.
        kinds = [media.kind_of_name(f".{member.suffix}") for member in pictures]
        others += [
            member
            for member, kind in zip(pictures, kinds, strict=True)
            if kind not in {None, kinds[0]}
        ]
        pictures = [
            member for member, kind in zip(pictures, kinds, strict=True) if kind in {None, kinds[0]}
        ]
        return Group(key=key, pictures=tuple(pictures), side_files=side_files), others

    def _resolve_links(self) -> None:
        """Give links to members the content of their targets."""
        for path, name, target in self._links:
            rows = self._database.execute(
                "SELECT place, size, looks, content FROM members WHERE path = ?", (target,)
            ).fetchone()
            if rows is None:
                self.left_out["link"] += 1
            else:
                self._insert(path, name, *rows)

    def _split_names(self) -> None:
        """Split names with several points; see ``shard_names``."""
        recurring = frozenset(row[0] for row in self._database.execute(_RECURRING))

        @cache
        def plain_extensions(stem: str) -> list[str]:
            rows = self._database.execute(
                "SELECT extension FROM members WHERE stem = ? AND extension != ''", (stem,)
            )
            return [row[0] for row in rows]

        last_name = 0
        while rows := self._database.execute(
            "SELECT number, stem, extension FROM members WHERE before IS NOT NULL AND number > ? "
            "ORDER BY number LIMIT 1000",
            (last_name,),
        ).fetchall():
            plain_extensions.cache_clear()
            last_name = rows[-1][0]
            keys = [
                shard_names.split(
                    stem,
                    extension,
                    extensions=self.extensions,
                    recurring=recurring,
                    plain_extensions=plain_extensions,
                )
                for _, stem, extension in rows
            ]
            self._database.executemany(
                "UPDATE members SET key = ?, suffix = ? WHERE number = ?",
                [(*key, row[0]) for key, row in zip(keys, rows, strict=True)],
            )


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo, size: int = -1) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read(size)


def _member(row: tuple[str, str, str, int, int, int, bytes | None]) -> Member:
    _, name, suffix, place, size, looks, content = row
    return Member(
        name=name, suffix=suffix, place=place, size=size, looks=bool(looks), content=content
    )
