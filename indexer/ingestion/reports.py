"""The sizes of an ingestion, its report, and its stopwatches."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

In = TypeVar("In")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSizes:
    """Threads, batch sizes and shard sizes of an ingestion.

    Attributes:
        workers: threads that decode, one a core.
        downloads: threads that read files and fetch URLs.
        batch_size: items embedded in one go.
        shard_rows: rows at which a shard is finished; three are in memory at once: one that
            grows, one that is written, one that goes to the database.
        checkpoint_s: seconds of work after which a shard is finished anyway; a kill can cost
            so much work.
    """

    workers: int = os.cpu_count() or 1
    downloads: int = 16
    batch_size: int = 64
    shard_rows: int = 4096
    checkpoint_s: float = 5.0


@dataclass(slots=True)
class Utilisation:
    """How busy the model and the decoders were in a run.

    A model on a GPU computes while pictures are decoded, and the one whose share is near 1 is
    the bottleneck. Where both use the same cores they take turns, and their shares add up to 1.

    Attributes:
        elapsed_s: seconds from the first item to the last shard.
        embedding_s: of these, seconds in which the model computed.
        waiting_s: of these, seconds of waiting for the next item, which includes decoding where
            they take turns.
        decoding_s: seconds of decoding, summed over the threads.
        decoders: number of decoding threads.
    """

    elapsed_s: float = 0.0
    embedding_s: float = 0.0
    waiting_s: float = 0.0
    decoding_s: float = 0.0
    decoders: int = 1

    @property
    def of_model(self) -> float:
        """Share of the time in which the model computed."""
        return self.embedding_s / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def of_decoders(self) -> float:
        """Share of the decoding threads' time in which they decoded."""
        available_s = self.elapsed_s * self.decoders
        return self.decoding_s / available_s if available_s else 0.0


@dataclass(slots=True)
class IngestReport:
    """Counts of an ingestion's rows: ``read == stored + unchanged + dead``.

    A row is an item, or a part of one: an item of three pictures is three rows.

    Attributes:
        items: what the source yielded, each with all its parts; rows of one group are one.
        shared: stored items that share the vector of an item with the same content.
        replaced: stored items whose id was in the catalog before.
        embedded: forward passes through the model, in rows.
        frames: of videos, forward passes through the model.
        boxes: things that pictures have, with ``--objects``.
        object_words: what a detector looked for.
        without_box: pictures in which none was found.
        outdated_boxes: of pictures that are other ones now, and were ingested without
            ``--objects``: they were removed.
        embedded_titles: forward passes for titles of pictures.
        titles_not_embedded: of the stored items, titles of sounds and videos: words find them.
        further_pictures: pictures of items whose addresses are in the metadata and that are not
            embedded.
        removed_parts: pictures that an item's row no longer has, and that were removed.
        differing_rows: rows of a grouped item whose title or metadata differ from its first row's.
        joined_items: ids of groups that a row which is in no group is called by, too.
        without_part: items of several parts of which none could be stored.
        left_out: files and archive members that are no items, by extension.
        ignored_profiles: pictures whose colour profile was invalid and therefore ignored.
        lost_workers: workers of a cluster that died, or whose machine did.
        repeated_batches: batches that others read or embedded again for it.
        dead_by_origin: dead letters by the place of their source in the command.
        moved: items that came from other sources before, by the names of these.
        absent: items in the catalog that this source no longer has; None where it was not read
            to its end, or where the job has no such source.
        removed: of them, those that were removed.
        sync_problem: why they were not removed, though that was requested.
        dead_sources: sources of which no item could be stored.
        merged: rows that became part of another row's item, by kind.
        settled: items with an outcome, including those that wait in memory for their shard.
        interrupted: the job was stopped before the source ended.
        utilisation: how busy the stages were; set at the end of the run.
    """

    read: int = 0
    stored: int = 0
    unchanged: int = 0
    dead: int = 0
    shared: int = 0
    replaced: int = 0
    embedded: int = 0
    frames: int = 0
    boxes: int = 0
    object_words: tuple[str, ...] = ()
    without_box: int = 0
    outdated_boxes: int = 0
    embedded_titles: int = 0
    titles_not_embedded: int = 0
    items: int = 0
    further_pictures: int = 0
    removed_parts: int = 0
    differing_rows: int = 0
    joined_items: tuple[str, ...] = ()
    without_part: int = 0
    ignored_profiles: int = 0
    lost_workers: int = 0
    repeated_batches: int = 0
    settled: int = 0
    interrupted: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    merged: Counter[str] = field(default_factory=Counter)
    dead_by_reason: Counter[str] = field(default_factory=Counter)
    dead_by_origin: Counter[int] = field(default_factory=Counter)
    moved: Counter[str] = field(default_factory=Counter)
    absent: int | None = None
    removed: int = 0
    sync_problem: str = ""
    dead_sources: tuple[str, ...] = ()
    utilisation: Utilisation = field(default_factory=Utilisation)

    def facts(self) -> dict[str, Any]:
        """The report as JSON values; ``asdict`` can't copy a ``Counter``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        counters = {
            name: {str(key): count for key, count in value.items()}
            for name, value in values.items()
            if isinstance(value, Counter)
        }
        return values | counters | {"utilisation": asdict(self.utilisation)}


class Stopwatch:
    """Sums the seconds that a kind of work takes, over all threads that do it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._adding = threading.Lock()
        self._started = threading.local()

    def __enter__(self) -> None:
        self._started.at = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        took_s = time.perf_counter() - self._started.at
        with self._adding:
            self.seconds += took_s


def timed(values: Iterable[In], stopwatch: Stopwatch) -> Iterator[In]:
    """The values; the stopwatch runs while waiting for the next one."""
    values = iter(values)
    while True:
        with stopwatch:
            try:
                value = next(values)
            except StopIteration:
                return
        yield value
