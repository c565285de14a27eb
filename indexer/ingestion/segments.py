"""Several rows of one file: what stands between a source and the rows of its items.

    source -> limit views -> [segmenters] -> flatten -> the stages, a row at a time

A segmenter takes the entries of a source and gives the same entries, those of its kind with what
is cut from their file as their ``parts`` (``core.parts.cut_rows``): windows of a sound, shots of a
video, boxes of a picture. Everything behind it goes the ordinary way: each part is embedded,
resumed and tried again by itself.

What is cut from a file carries the file's content, shared by all of its parts, and its hash. A
part that a segmenter has embedded itself comes with its vector and its ``content_hash``
(``hashing.part_hash``) instead.

Items that a segmenter meets are of three sorts: new files; rows that were cut before (dead letters
to retry, rows of an archive to embed anew), which keep their part; and what other segmenters are
for, which it passes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import TypeGuard

from indexer.core.errors import ItemError
from indexer.core.partitions import partition_of
from indexer.core.reasons import Reason, Stage
from indexer.core.records import MAX_ID_BYTES, Failure, Fingerprint, Item, Kind, failure
from indexer.core.towers import embedded_kinds, require_tower

Entry = Item | Failure
"""An item of a source, or why there is none."""

Segmenter = Callable[[Iterable[Entry]], Iterator[Entry]]
"""Gives the entries with their parts, in order."""

Fetch = Callable[[str], bytes]
"""Bytes of a source; raises ``ItemError``."""


def is_to_embed(entry: Entry, kind: Kind) -> TypeGuard[Item]:
    """Whether an entry is an item of a kind, and its vector is still to be made."""
    return isinstance(entry, Item) and entry.kind is kind and entry.vector is None


def content_of(item: Item, fetch: Fetch) -> bytes:
    """The bytes of an item's file: those that it came with, or fetched; raises ``ItemError``."""
    return fetch(item.address or item.source) if item.content is None else item.content


def with_short_id(row: Item, cuts: str) -> Entry:
    """A row of a part; a failure where its id is too long for a database.

    Args:
        cuts: what the parts of its file are, in words: boxes, shots, windows.
    """
    if len(row.item_id.encode()) <= MAX_ID_BYTES:
        return row
    message = (
        f"{row.source}: the ids of its {cuts} would have more than {MAX_ID_BYTES:,} bytes; "
        "shorten the item's id"
    )
    return failure(row, Stage.READ, Reason.BAD_ID, message)


def in_turn(segmenters: Iterable[Segmenter]) -> Segmenter:
    """One segmenter that runs several, the first one first."""
    chain = list(segmenters)
    return lambda entries: reduce(lambda done, segment: segment(done), chain, iter(entries))


def refuse_others(made_by: Fingerprint) -> Segmenter:
    """Makes a failure of each item that a model has no tower for."""
    kinds = embedded_kinds(made_by)

    def refuse(entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if isinstance(entry, Failure) or entry.vector is not None or entry.kind in kinds:
                yield entry
                continue
            try:
                require_tower(made_by, entry.kind, entry.source)
            except ItemError as error:
                yield failure(entry, Stage.READ, error.reason, str(error))

    return refuse


def refuse_unpartitioned(column: str) -> Segmenter:
    """Makes a failure of each item without a partition.

    Args:
        column: the catalog's partition key.
    """

    def refuse(entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            if isinstance(entry, Failure) or partition_of(entry.metadata, column):
                yield entry
                continue
            message = (
                f"{entry.item_id!r} has no value in the column {column!r}, by which the catalog "
                "is divided. Give it one in the table, and ingest it again."
            )
            yield failure(entry, Stage.READ, Reason.BAD_METADATA, message)

    return refuse


def refuse_videos(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Makes a failure of each video, where a cluster embeds: shots are found on this machine."""
    for entry in entries:
        if is_to_embed(entry, Kind.VIDEO):
            message = f"{entry.source}: --engine ray takes no videos; ingest it without"
            yield failure(entry, Stage.READ, Reason.UNSUPPORTED, message)
        else:
            yield entry
