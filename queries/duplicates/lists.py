"""Vectors of a large catalog in lists by their nearest centroid, in a file: memory stays flat.

An inverted file (Sivic and Zisserman 2003, "Video Google", doi:10.1109/ICCV.2003.1238663): an
item is compared with the items of the lists whose centroids are nearest to it. How many lists
that are is chosen by a sample of items whose neighbours are known exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from indexer.core.records import FloatArray, IndexArray
from indexer.core.scratch import ScratchVectors
from indexer.core.threads import side_by_side
from indexer.core.vectors import normalise

Blocks = Callable[[], Iterator[tuple[IndexArray, FloatArray]]]
"""All vectors, anew at each call: rows int64 (m,) and their vectors float32 (m, d)."""

PROBES = (1, 2, 4, 8, 16, 32, 64)
TARGET_RECALL = 0.99
"""Share of a sampled item's neighbours that its nearest lists hold."""

USUAL_PROBES = 8
"""Where no sampled item has a neighbour."""

# Their cosines with the centroids of most lists, float32, are 64 MiB for each thread.
_ROWS = 2048
_TAKEN_AT_ONCE = 20_000
_TRAINING_PER_LIST = 24
_ROUNDS = 6
_SAMPLE = 1000
_ITEMS_PER_LIST = 400
_MOST_LISTS = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """How many lists are searched, and what that finds.

    Attributes:
        probes: lists an item is compared with.
        recall: of the sampled items' neighbours, the share that these lists hold; None where
            no sampled item has a neighbour.
        sampled: items with a neighbour that it was measured on.
    """

    probes: int
    recall: float | None
    sampled: int


class Lists:
    """Vectors on disk, sorted by list.

    Args:
        scratch: holds them, one a vector.
        blocks: of all vectors.
        owners: int64 (n,), the item of each vector, from 0 on; None: each is one.
    """

    def __init__(
        self, scratch: ScratchVectors, blocks: Blocks, owners: IndexArray | None = None
    ) -> None:
        self.count = count = len(scratch.vectors)
        self.owners = np.arange(count) if owners is None else owners
        number = max(1, min(count // _ITEMS_PER_LIST, _MOST_LISTS))
        self.centroids = _centroids(blocks, count, number)
        lists = np.empty(count, dtype=np.int32)
        for rows, vectors in blocks():
            nearest = side_by_side(partial(_nearest, self.centroids), _parts(vectors))
            lists[rows] = np.concatenate(list(nearest))
        sizes = np.bincount(lists, minlength=number)
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        self.rows: IndexArray = np.argsort(lists, kind="stable")
        """int64 (n,): the row at each place of the file; within a list in order."""
        self.places = np.empty(count, dtype=np.int64)
        self.places[self.rows] = np.arange(count)
        self._taken = 0
        self._file, self.release = scratch.vectors, scratch.release
        for rows, vectors in blocks():
            order = np.argsort(self.places[rows])
            self._file[self.places[rows][order]] = vectors[order]
            self.release()

    def __len__(self) -> int:
        return len(self.centroids)

    def vectors(self, number: int) -> FloatArray:
        """float32 (m, d): of a list."""
        return self._file[self.starts[number] : self.starts[number + 1]]

    def take(self, rows: IndexArray) -> FloatArray:
        """float32 (m, d): of some rows."""
        taken = np.asarray(self._file[self.places[rows]])
        self._taken += len(rows)
        if self._taken > _TAKEN_AT_ONCE:
            self._taken = 0
            self.release()
        return taken

    def probed(self, vectors: FloatArray, probes: int) -> IndexArray:
        """int64 (m, p): the lists whose centroids are nearest, in no order."""
        cosines = vectors @ self.centroids.T
        probes = min(probes, len(self))
        order = np.argpartition(-cosines, probes - 1, axis=1)
        # A slice would keep all columns: some GiB, once a million items have theirs.
        return order[:, :probes].copy()

    def choose_probes(self, threshold: float) -> Probing:
        """The fewest lists that hold ``TARGET_RECALL`` of the neighbours of sampled items.

        Args:
            threshold: lowest cosine of neighbours, found exactly for the sample.
        """
        sample = np.arange(0, self.count, -(-self.count // _SAMPLE))
        vectors = self.take(sample)
        ranks = np.argsort(np.argsort(-(vectors @ self.centroids.T), axis=1), axis=1)
        shares = np.zeros((len(sample), len(PROBES)))
        neighbours = np.zeros(len(sample), dtype=np.int64)
        owners = self.owners[sample]

        def counted(number: int) -> IndexArray:
            rows = self.rows[self.starts[number] : self.starts[number + 1]]
            near = vectors @ self.vectors(number).T >= threshold
            near &= owners[:, np.newaxis] != self.owners[rows]
            return np.asarray(near.sum(axis=1))

        for number, counts in enumerate(side_by_side(counted, range(len(self)))):
            self.release()
            neighbours += counts
            shares += counts[:, np.newaxis] * (ranks[:, [number]] < np.array(PROBES))
        has_neighbour = neighbours > 0
        if not has_neighbour.any():
            return Probing(probes=USUAL_PROBES, recall=None, sampled=0)
        recalls = (shares[has_neighbour] / neighbours[has_neighbour, np.newaxis]).mean(axis=0)
        place = int(np.argmax(recalls >= TARGET_RECALL)) if recalls[-1] >= TARGET_RECALL else -1
        return Probing(
            probes=PROBES[place], recall=float(recalls[place]), sampled=int(has_neighbour.sum())
        )


def _centroids(blocks: Blocks, count: int, number: int) -> FloatArray:
    """float32 (number, d): spherical k-means of a sample (Dhillon and Modha 2001)."""
    stride = max(1, count // (number * _TRAINING_PER_LIST))
    sampled = [vectors[rows % stride == 0] for rows, vectors in blocks()]
    sample = np.concatenate(sampled)
    rng = np.random.default_rng(0)
    centroids = sample[rng.choice(len(sample), number, replace=False)]
    for _ in range(_ROUNDS):
        sums = np.zeros(centroids.shape, dtype=np.float32)
        nearest = np.concatenate(list(side_by_side(partial(_nearest, centroids), _parts(sample))))
        order = np.argsort(nearest, kind="stable")
        used, starts = np.unique(nearest[order], return_index=True)
        sums[used] = np.add.reduceat(sample[order], starts, axis=0)
        # A list without items starts again somewhere else.
        unused = np.setdiff1d(np.arange(number), used)
        sums[unused] = sample[rng.choice(len(sample), len(unused), replace=False)]
        centroids = normalise(sums)
    return centroids


def _parts(vectors: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, len(vectors), _ROWS):
        yield vectors[start : start + _ROWS]


def _nearest(centroids: FloatArray, vectors: FloatArray) -> IndexArray:
    """int64 (m,): the nearest centroid of each vector."""
    return np.asarray((vectors @ centroids.T).argmax(axis=1))
