"""Finds the look-alikes of a catalog, and writes their groups as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from indexer.catalog.catalog import OpenCatalog
from indexer.core.records import FloatArray, IndexArray, Kind
from indexer.core.threads import side_by_side
from indexer.core.watch import Watch
from queries.categorizing.tables import TableWriter
from queries.duplicates.checking import (
    CENTRE,
    KINDS,
    SAME_CONTENT,
    VARIANT,
    Checked,
    Members,
    Words,
    check_group,
)
from queries.duplicates.leaders import ItemViews, Led
from queries.duplicates.lists import Probing
from queries.duplicates.rows import InMemory, OnDisk, Rows, described
from queries.duplicates.signatures import ReadPicture
from queries.duplicates.thresholds import Thresholds

if TYPE_CHECKING:
    import pyarrow as pa

MOST_COMPARED_ALL = 50_000
"""Pictures up to which each is compared with each: in 768 dimensions about ten seconds a core.
Above, each is compared with those of the lists that are nearest to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesReport:
    """What was found.

    Attributes:
        items: of the catalog.
        pictures: of the items, as far as they were compared.
        shared: pictures that so many items have that they were not compared.
        groups: of two items or more.
        grouped: items in them.
        same_content: items whose content is that of another one that is kept.
        near_duplicates: items whose picture is nearly that of another one that is kept.
        variants: items that show another version of a product; all of them are kept.
        kept: items of the groups that are kept.
        largest: items of the largest group.
        untitled: items that are no variants because they have no title to tell it by.
        near: lowest cosine of near-duplicates.
        product: lowest cosine of variants.
        signature: lowest agreement of two pictures; None: pictures were not read.
        unread: pictures of grouped items that could not be read: their embeddings decided.
        calibrated_on: pictures that the thresholds were calibrated on; 0: the usual ones or given.
        probes: lists that each item was compared with; None: each was compared with each.
        recall: measured share of the neighbours that these lists hold; None where each was compared
            with each, or no sampled item has a neighbour.
    """

    items: int
    pictures: int
    shared: int
    groups: int
    grouped: int
    same_content: int
    near_duplicates: int
    variants: int
    kept: int
    largest: int
    untitled: int
    near: float
    product: float
    signature: float | None
    unread: int
    calibrated_on: int
    probes: int | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class _Grouping:
    """Where each of n items belongs; rows count in the order in which items are kept.

    Attributes:
        like: int64 (n,), the item that it is compared with; its own where it is the centre.
        similarities: float32 (n,), to that item, by the nearest two of their pictures.
        centres: int64 (n,), the centre of its group.
        kinds: int8 (n,), places in ``KINDS``.
        unread: pictures that could not be read.
    """

    like: IndexArray
    similarities: FloatArray
    centres: IndexArray
    kinds: npt.NDArray[np.int8]
    unread: int


def find_duplicates(
    catalog: OpenCatalog,
    to: Path,
    limits: Thresholds,
    *,
    keep_by: str | None = None,
    variants: bool = True,
    read: ReadPicture | None = None,
    csv_raw: bool = False,
    compare_all: bool | None = None,
    watch: Watch = Watch(),
) -> tuple[DuplicatesReport, pa.Table]:
    """Write the groups of look-alikes, the largest first.

    Args:
        to: ``.parquet``, ``.csv`` or ``.jsonl``; replaced when all is done.
        limits: lowest cosines.
        keep_by: metadata column whose highest number is kept; None, and ties: the item that was
            ingested first.
        variants: also group variants of a product.
        read: gives pictures to compare; None, or without a limit of signatures: embeddings decide.
        compare_all: compare each item with each; None: where the catalog is small enough.
        watch: follows the items through each stage; a stop ends it, and nothing is written.

    Returns:
        What was found, and the table that was written.

    Raises:
        UsageError: another ending of ``to``, or no item has a number in ``keep_by``.
    """
    writer = TableWriter(to, csv_raw=csv_raw)
    if limits.signature is None:
        read = None
    # Copies whose embedding is far from the original's are found by their pictures.
    coarse = limits.product if variants or read is not None else limits.near
    rows = Rows.of(catalog, keep_by)
    count = len(rows.views)
    compare_all = count <= MOST_COMPARED_ALL if compare_all is None else compare_all
    vectors = InMemory(catalog, rows) if compare_all else OnDisk(watch, catalog, rows, coarse)
    grouping = _group(
        catalog, rows, vectors, limits, coarse, variants=variants, read=read, watch=watch
    )
    table = _table(catalog, rows, grouping)
    with writer:
        writer.write(table)
    untitled = _untitled(catalog, rows) if variants and not limits.untitled else 0
    return _report(rows, grouping, limits, vectors.probing, untitled), table


def _untitled(catalog: OpenCatalog, rows: Rows) -> int:
    """Items without a title."""
    return sum(
        described(catalog, rows.leads.take(places), ["title"]).column(0).to_pylist().count("")
        for _, places in rows.leads.by_shard()
    )


def _group(
    catalog: OpenCatalog,
    rows: Rows,
    vectors: InMemory | OnDisk,
    limits: Thresholds,
    coarse: float,
    *,
    variants: bool,
    read: ReadPicture | None,
    watch: Watch,
) -> _Grouping:
    """Coarse groups by embeddings, then what is alike inside each; same content goes along."""
    count = len(rows.first)
    is_first = rows.first == np.arange(count)
    watch.begin("Comparing", vectors.steps(is_first))
    led = vectors.lead(coarse, is_first, watch)
    sizes = np.bincount(led.leaders[is_first], minlength=count)
    members = np.flatnonzero(is_first & (sizes[led.leaders] > 1))
    members = members[np.lexsort((members, led.leaders[members]))]
    like, centres = rows.first.copy(), np.arange(count)
    similarities = np.ones(count, dtype=np.float32)
    kinds = np.where(is_first, CENTRE, SAME_CONTENT).astype(np.int8)
    unread = 0
    watch.begin("Checking", len(members))
    for group, checked in _checked(
        catalog, rows, vectors, members, led, limits, variants=variants, read=read
    ):
        like[group], centres[group] = group[checked.like], group[checked.centres]
        similarities[group], kinds[group] = checked.similarities, checked.kinds
        unread += checked.unread
        watch.advance(len(group))
        watch.check_stop()
    return _Grouping(like, similarities, centres[rows.first], kinds, unread)


def _checked(
    catalog: OpenCatalog,
    rows: Rows,
    vectors: InMemory | OnDisk,
    members: IndexArray,
    led: Led,
    limits: Thresholds,
    *,
    variants: bool,
    read: ReadPicture | None,
) -> Iterator[tuple[IndexArray, Checked]]:
    """Each coarse group with what is alike in it.

    Args:
        members: int64 (m,), those of a group together, each in the order in which it is kept.
    """
    titles = described(catalog, rows.leads.take(members), ["title"]).column("title")
    words = Words(titles)
    views, view_starts = rows.views_of(members)
    sources = described(catalog, rows.views.take(views), ["kind", "source"])
    view_ends = np.append(view_starts[1:], len(views))
    starts = np.flatnonzero(np.diff(led.leaders[members], prepend=-1))
    ends = np.append(starts[1:], len(members))

    def check(bounds: tuple[int, int]) -> tuple[IndexArray, Checked]:
        start, end = bounds
        first, last = int(view_starts[start]), int(view_ends[end - 1])
        pictures = sources.slice(first, last - first).to_pylist()
        group = Members(
            views=ItemViews(vectors.take(views[first:last]), view_starts[start:end] - first),
            titles=titles.slice(start, end - start).to_pylist(),
            sources=[row["source"] if row["kind"] == Kind.PICTURE else "" for row in pictures],
        )
        checked = check_group(group, limits, words, variants=variants, read=read)
        return members[start:end], checked

    if len(members):
        bounds = zip(starts.tolist(), ends.tolist(), strict=True)
        yield from side_by_side(check, bounds)


def _table(catalog: OpenCatalog, rows: Rows, grouping: _Grouping) -> pa.Table:
    """A row each item of a group of two or more: the largest group first, its centre first."""
    import pyarrow as pa

    sizes = np.bincount(grouping.centres, minlength=len(grouping.centres))
    members = np.flatnonzero(sizes[grouping.centres] > 1)
    centres = grouping.centres[members]
    order = np.lexsort((members, members != centres, centres, -sizes[centres]))
    members, centres = members[order], centres[order]
    numbers = np.cumsum(np.diff(centres, prepend=-1) != 0)
    named = described(catalog, rows.leads.take(members), ["item_id", "title"])
    ids = named.column("item_id")
    places = np.empty(len(sizes), dtype=np.int64)
    places[members] = np.arange(len(members))
    kinds = grouping.kinds[members]
    return pa.table(
        {
            "group": pa.array(numbers, pa.int64()),
            "item_id": ids,
            "title": named.column("title"),
            "kept": pa.array((kinds == CENTRE) | (kinds == VARIANT)),
            "kind": pa.array([KINDS[kind] for kind in kinds.tolist()], pa.string()),
            "like_id": ids.take(pa.array(places[grouping.like[members]])),
            "similarity": pa.array(grouping.similarities[members], pa.float32()),
        }
    )


def _report(
    rows: Rows, grouping: _Grouping, limits: Thresholds, probing: Probing | None, untitled: int
) -> DuplicatesReport:
    sizes = np.bincount(grouping.centres)
    counts: dict[str, Any] = {
        name: int((grouping.kinds == place).sum()) for place, name in enumerate(KINDS)
    }
    grouped = int(sizes[sizes > 1].sum())
    dropped = counts["same content"] + counts["near-duplicate"]
    return DuplicatesReport(
        items=len(rows.leads),
        pictures=len(rows.views),
        shared=rows.shared,
        groups=int((sizes > 1).sum()),
        grouped=grouped,
        same_content=counts["same content"],
        near_duplicates=counts["near-duplicate"],
        variants=counts["variant"],
        kept=grouped - dropped,
        largest=int(sizes.max(initial=0)) if grouped else 0,
        untitled=untitled,
        near=limits.near,
        product=limits.product,
        signature=limits.signature,
        unread=grouping.unread,
        calibrated_on=limits.sampled,
        probes=None if probing is None else probing.probes,
        recall=None if probing is None else probing.recall,
    )
