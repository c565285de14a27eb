"""All labels for many vectors: the best few, and what their probabilities are made of.

The one way of scoring: items come in blocks, labels in tiles. The logits of a tile are taken as
a product, and loops over the tile keep what is wanted: candidates for the best labels, the
softmax's denominator, the sums of groups of labels.

A title costs no product where it is scored by the rows that its picture is scored by: the product
of a sum of queries is the sum of the products, so both become one query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.vectors import rows_of_groups
from indexer.labels.head import Head
from queries.scoring.loops import Candidates, Softmax, add_groups, best, inner_products
from queries.scoring.products import Products, Scratch

_ITEMS, _LABELS = 2048, 1024
"""Of a tile: it stays in the cache for the loops, and products of fewer are slower."""

_FEWEST_BEST = 5
"""Labels whose own cosines count in the expected one."""

# A label that all items are equally near has no slope.
_TINY = 1e-9

# Half a unit in the last place of float32.
_ROUNDING = 2.0**-24

# Roundings of a logit beside those of its sum, such as of the scaled matrix and of two sides.
_MARGIN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleBlend:
    """How a title changes inner products: ``picture_share * picture + title_share * title``.

    Attributes:
        head: what titles are multiplied with, of the same labels as the pictures' head.
        picture_share: of the products of pictures that have a title.
        title_share: of the products of titles.
    """

    head: Head
    picture_share: float
    title_share: float


@dataclass(frozen=True, slots=True)
class Scan:
    """The best labels of n vectors, and sums over all labels.

    Attributes:
        labels: int64 (n, k), rows of the head, best first, ties by row.
        products: float64 (n, k), their inner products, blended where there is a title.
        log_sums: float64 (n,), logarithms of the softmax's denominators.
        expected: float64 (n,), the mean of all labels' cosines with the vector by their
            probabilities.
        shares: float64 (n, g), the probability of each group of labels.
    """

    labels: IndexArray
    products: DoubleArray
    log_sums: DoubleArray
    expected: DoubleArray
    shares: DoubleArray

    @classmethod
    def joined(cls, scans: Sequence[Scan]) -> Scan:
        """Scans of one width, at least one, one after the other."""
        return cls(*map(np.concatenate, zip(*(scan.parts for scan in scans), strict=True)))

    def take(self, rows: IndexArray) -> Scan:
        """Some of the vectors."""
        return Scan(*(array[rows] for array in self.parts))

    @property
    def parts(self) -> tuple[Any, ...]:
        """All arrays, in the order of the attributes."""
        return self.labels, self.products, self.log_sums, self.expected, self.shares


class Tiles:
    """Rows of a head, some labels at a time. Threads may share it.

    Args:
        matrix: float32 (p, d).
        scale: what inner products are multiplied by.
        starts: int64 (m,), each label's first row; None where a label is a row.

    Attributes:
        mean_row: float32 (d,), of the matrix.
    """

    def __init__(
        self,
        matrix: FloatArray,
        scale: float,
        *,
        starts: IndexArray | None = None,
    ) -> None:
        self.mean_row: FloatArray = matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
        matrix, scratch = np.float32(scale) * matrix, Scratch()
        self._longest = float(np.sqrt(np.vecdot(matrix, matrix).max(initial=0.0)))
        self._pools = starts is not None
        bounds = np.append(np.arange(len(matrix)) if starts is None else starts, len(matrix))
        self._tiles: list[tuple[int, Products, IndexArray]] = []
        for first_label in range(0, len(bounds) - 1, _LABELS):
            tile_bounds = bounds[first_label : first_label + _LABELS + 1]
            products = Products(matrix[tile_bounds[0] : tile_bounds[-1]], scratch)
            self._tiles.append((first_label, products, tile_bounds[:-1] - tile_bounds[0]))

    def logits(self, queries: FloatArray) -> Iterator[tuple[int, FloatArray]]:
        """The first label of each tile, and its logits float32 (n, w), free to be written over.

        Args:
            queries: float32 (n, d).
        """
        for first_label, products, starts in self._tiles:
            logits = products.of(queries)
            if self._pools:
                logits = np.maximum.reduceat(logits, starts, axis=1)
            yield first_label, logits

    def log_sums(self, queries: FloatArray) -> DoubleArray:
        """float64 (n,): logarithms of the softmax's denominators of queries float32 (n, d)."""
        block_sums = []
        for block in in_blocks(queries):
            softmax = Softmax(len(block), 1)
            for _, logits in self.logits(block):
                softmax.add(logits)
            block_sums.append(softmax.log_sums)
        return np.concatenate(block_sums)

    def slack(self, queries: FloatArray) -> float:
        """How far the logits of two labels may be apart from their exact difference."""
        # An inner product of n terms is wrong by n roundings of the product of the lengths at most
        # (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 3.1).
        terms = queries.shape[1] + _MARGIN
        length = float(np.sqrt(np.vecdot(queries, queries).max(initial=0.0)))
        # Twice: both logits may be wrong, in opposite directions.
        return float(2 * terms * _ROUNDING * length * self._longest)


class Scanner:
    """A head, made ready for very many vectors. Threads may share it.

    Args:
        head: of m labels, at least 1.
        limit: k; at most m are found.
        titles: how titles change inner products; None where they have no part.
        groups: int64 (m,), each label's group, 0 to g - 1; None adds nothing up.
    """

    def __init__(
        self,
        head: Head,
        *,
        limit: int,
        titles: TitleBlend | None = None,
        groups: IndexArray | None = None,
    ) -> None:
        self.head = head
        self.limit = min(limit, len(head))
        self._best = min(max(limit, _FEWEST_BEST), len(head))
        self._groups, self._mix = groups, titles
        self._tiles = Tiles(head.matrix, head.scale, starts=head.starts)
        self._title_tiles: Tiles | None = None
        if titles is not None and not _share_rows(head, titles.head):
            rows, starts = titles.head.matrix, titles.head.starts
            self._title_tiles = Tiles(rows, head.scale, starts=starts)

    def scan(self, vectors: FloatArray, titles: FloatArray | None = None) -> Scan:
        """Find the best labels.

        Args:
            vectors: float32 (n, d), rows of length 1.
            titles: float32 (n, d); a row of zeros is no title. None where no vector has one.
        """
        if titles is None or self._mix is None:
            return Scan.joined([self._scan(block) for block in in_blocks(vectors)])
        titled = titles.any(axis=1)
        without_title, with_title = np.flatnonzero(~titled), np.flatnonzero(titled)
        scans = [self._scan(block) for block in in_blocks(vectors[without_title])]
        blocks = zip(in_blocks(vectors[with_title]), in_blocks(titles[with_title]), strict=True)
        scans += [self._scan(*block) for block in blocks]
        return Scan.joined(scans).take(np.argsort(np.concatenate([without_title, with_title])))

    def _scan(self, vectors: FloatArray, titles: FloatArray | None = None) -> Scan:
        count, groups, sides = len(vectors), self._groups, self._sides(vectors, titles)
        softmax = Softmax(count, self._best)
        candidates = Candidates(count, self._best, sum(side.slack for side in sides))
        sums = np.zeros((count, 0 if groups is None else int(groups.max()) + 1))
        for first_label, logits in _logits(sides):
            # The sums of groups are of the level before this tile, and ``add`` raises it.
            level = softmax.level.copy()
            candidates.add(logits, softmax.add(logits), softmax, first_label)
            if groups is not None:
                tile_groups = groups[first_label : first_label + logits.shape[1]]
                add_groups(logits, level, softmax.level, tile_groups, sums)
        rows, labels, logits = candidates.pairs(softmax)
        products = np.zeros(len(rows))
        for side in sides:
            products += exact_products(side.head, side.queries, rows, labels)
        best_labels = best(rows, labels, products, count, self._best)
        if titles is not None and self.head.starts is not None:
            expected = self._scan(vectors).expected
        elif titles is None and not self.head.is_adapted:
            expected = softmax.expected / self.head.scale
        else:
            expected = self._expected_cosines(vectors, sides, softmax, *best_labels)
        # The candidates' exact products are at hand, so the sums are made of these, too.
        change = softmax.correct(rows, logits, self.head.scale * products)
        if groups is not None:
            np.add.at(sums, (rows, groups[labels]), change)
        return Scan(
            best_labels[0][:, : self.limit],
            best_labels[1][:, : self.limit],
            softmax.log_sums,
            expected,
            sums / softmax.powers[:, np.newaxis],
        )

    def _sides(self, vectors: FloatArray, titles: FloatArray | None) -> list[_Side]:
        """What is added up to the logits of a block: one product, or one each of two matrices."""
        queries, mix = self.head.queries(vectors), self._mix
        if titles is None or mix is None:
            return [_Side(self.head, self._tiles, queries)]
        queries *= np.float32(mix.picture_share)
        title_queries = np.float32(mix.title_share) * mix.head.queries(titles)
        if self._title_tiles is None:
            queries += title_queries
            return [_Side(self.head, self._tiles, queries)]
        title_side = _Side(mix.head, self._title_tiles, title_queries)
        return [_Side(self.head, self._tiles, queries), title_side]

    def _expected_cosines(
        self,
        vectors: FloatArray,
        sides: Sequence[_Side],
        softmax: Softmax,
        labels: IndexArray,
        products: DoubleArray,
    ) -> DoubleArray:
        """float64 (n,): the mean of all labels' cosines by their probabilities.

        Products of plain labels are cosines, without a title. Else the best labels' cosines are
        taken, and those of the others follow their products on a line, through the means of the
        best and of all labels: a second product with every label would tell the same within
        1e-3, and take twice the time.

        Args:
            labels: int64 (n, k), the best.
            products: float64 (n, k), theirs.
        """
        head, expected = self.head, softmax.expected / self.head.scale
        shares = np.exp(head.scale * products - softmax.log_sums[:, np.newaxis])
        cosines = cosines_of(vectors, head.labels.vectors, labels)
        mean_product = np.sum([side.queries @ side.tiles.mean_row for side in sides], axis=0)
        mean_cosine = vectors @ self._mean_label
        rise = products.mean(axis=1) - mean_product
        run = np.where(rise > _TINY, rise, 1.0)
        slope = np.where(rise > _TINY, cosines.mean(axis=1) - mean_cosine, 0.0) / run
        other_share = 1 - shares.sum(axis=1)
        rest_products = expected - (shares * products).sum(axis=1)
        cosine = (shares * cosines).sum(axis=1) + other_share * mean_cosine
        return np.asarray(cosine + slope * (rest_products - other_share * mean_product))

    @cached_property
    def _mean_label(self) -> FloatArray:
        mean: FloatArray = self.head.labels.vectors.mean(axis=0, dtype=np.float64)
        return mean.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Side:
    """Queries of a block float32 (n, d), and the rows that they are multiplied with."""

    head: Head
    tiles: Tiles
    queries: FloatArray

    @property
    def slack(self) -> float:
        """How far the logits of two labels may be apart from their exact difference."""
        return self.tiles.slack(self.queries)


def _logits(sides: Sequence[_Side]) -> Iterator[tuple[int, FloatArray]]:
    """The first label of each tile, and the sum of the sides' logits float32 (n, w)."""
    streams = [side.tiles.logits(side.queries) for side in sides]
    for (first_label, logits), *others in zip(*streams, strict=True):
        for _, other_logits in others:
            logits += other_logits
        yield first_label, logits


def _share_rows(head: Head, title_head: Head) -> bool:
    """Whether both are scored by the same rows; a sum of best prompts is no product."""
    if head.starts is not None:
        return False
    same = title_head.matrix is head.matrix
    return same or np.array_equal(title_head.matrix, head.matrix)


def cosines_of(vectors: FloatArray, labels: FloatArray, rows: IndexArray) -> DoubleArray:
    """float64 (n, k): of vectors float32 (n, d) and chosen labels, int64 (n, k) of (m, d)."""
    items = np.repeat(np.arange(len(rows)), rows.shape[1])
    return inner_products(vectors, labels, items, rows.ravel()).reshape(rows.shape)


def exact_products(
    head: Head, queries: FloatArray, rows: IndexArray, columns: IndexArray
) -> DoubleArray:
    """Inner products of pairs of queries and labels in double precision.

    Args:
        queries: float32 (n, d + 1), by the head.
        rows: int64 (p,), of ``queries``.
        columns: int64 (p,), labels; where a label has several prompts its best one counts.

    Returns:
        float64 (p,).
    """
    if head.starts is None:
        return inner_products(queries, head.matrix, rows, columns)
    prompts, begins = rows_of_groups(head.starts, len(head.matrix), columns)
    query_rows = np.repeat(rows, np.diff(begins, append=len(prompts)))
    products = inner_products(queries, head.matrix, query_rows, prompts)
    return np.asarray(np.maximum.reduceat(products, begins)) if len(products) else products


def in_blocks(vectors: FloatArray) -> Iterator[FloatArray]:
    """The vectors, as many at a time as a tile has; one empty block where there are none."""
    for start in range(0, max(len(vectors), 1), _ITEMS):
        yield vectors[start : start + _ITEMS]
