"""All labels for many vectors: the best few, and the softmax's denominator over all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.labels.head import Head
from indexer.records import FloatArray
from queries.scoring.scratch import Scratch
from queries.scoring.shortlist import best, inner_products, shortlist
from queries.scoring.sums import add_up, level_of, log_sums
from queries.scoring.tiles import Tiles

Rows = npt.NDArray[np.int64]
Exact = npt.NDArray[np.float64]

FEWEST_TILED = 1_000
"""Labels below which a product with all of them at once is faster than tiles."""

_ROUNDING = 2.0**-24
_MARGIN = 4


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found on n vectors.

    Attributes:
        labels: int64 (n, k), rows of the head, best first, ties by row.
        products: float64 (n, k), their inner products, exactly.
        highest: float32 (n,), the highest logit.
        powers: float64 (n,), the sum over all labels of ``exp(logit - level)``.
        weighted: float64 (n,), the same sum of powers times cosines (of a plain head: times
            logits); 0 where it was not asked for.
    """

    labels: Rows
    products: Exact
    highest: FloatArray
    powers: Exact
    weighted: Exact

    @property
    def log_sums(self) -> Exact:
        """float64 (n,): logarithms of the softmax's denominators."""
        return log_sums(level_of(self.highest), self.powers)

    @classmethod
    def joined(cls, scans: Sequence[Scan]) -> Scan:
        """Scans of one width, at least one, one after the other."""
        return cls(*map(np.concatenate, zip(*(one.parts for one in scans), strict=True)))

    def take(self, rows: Rows | slice) -> Scan:
        """Some of the vectors."""
        return Scan(*(part[rows] for part in self.parts))

    @property
    def parts(self) -> tuple[Any, ...]:
        """All arrays, in the order of the attributes."""
        return self.labels, self.products, self.highest, self.powers, self.weighted


class Scanner:
    """A head, made ready for very many vectors. Threads may share it.

    Args:
        head: of m labels, at least 1.
        limit: k; at most m are found.
        expects: also take the sums that the expected cosine is made of.
        repeatable: products have the same bits whatever other labels there are.

    Attributes:
        rows: float32 (m, d + 1), what queries are multiplied with to get logits.
        repeatable: whether that was asked for and can be had.
    """

    def __init__(
        self, head: Head, *, limit: int, expects: bool = False, repeatable: bool = False
    ) -> None:
        self.head = head
        self.limit = min(limit, len(head))
        self._expects = expects
        self.rows = np.float32(head.scale) * head.matrix
        self.logits = Tiles(self.rows, repeatable=repeatable)
        self.cosines = (
            Tiles(head.labels.vectors, repeatable=repeatable)
            if expects and not head.is_plain
            else None
        )
        self.repeatable = self.logits.repeatable and (
            self.cosines is None or self.cosines.repeatable
        )
        both = [self.logits] if self.cosines is None else [self.logits, self.cosines]
        self._rows_at_once = min(tiles.rows_at_once for tiles in both)
        few = len(head.matrix) < FEWEST_TILED
        self._exact = head.matrix.astype(np.float64) if few else head.matrix
        self._longest = float(np.linalg.norm(self.rows, axis=1).max())
        self._scratch = Scratch()

    def scan(self, vectors: FloatArray) -> Scan:
        """Find the best labels.

        Args:
            vectors: float32 (n, d), rows of length 1.
        """
        parts = [self._scan(block) for block in in_blocks(vectors, self._rows_at_once)]
        if not parts:
            none, columns = np.empty(0), np.empty((0, self.limit))
            return Scan(columns.astype(np.int64), columns, none.astype(np.float32), none, none)
        return Scan.joined(parts)

    def expected_cosines(self, found: Scan) -> Exact:
        """float64 (n,): the mean of the labels' cosines by their probabilities."""
        unit = self.head.scale if self.cosines is None else 1.0
        return np.asarray(found.weighted / (found.powers * unit))

    @property
    def weighted_by(self) -> str:
        """What powers are weighted by: ``cosines``, ``logits`` or ``nothing``."""
        if not self._expects:
            return "nothing"
        return "logits" if self.cosines is None else "cosines"

    def slack(self, queries: FloatArray) -> float:
        """How far the logits of two labels may be apart from their exact difference."""
        terms = queries.shape[1] + _MARGIN
        length = float(np.sqrt(np.vecdot(queries, queries).max(initial=0.0)))
        return float(2 * terms * _ROUNDING * length * self._longest)

    def _scan(self, vectors: FloatArray) -> Scan:
        head, count = self.head, len(vectors)
        queries = head.queries(vectors)
        logits = self._scratch.array("logits", self.logits.block(count), np.float32)
        maxima = self.logits.products(queries, logits)
        if head.starts is not None:
            maxima = head.pool(maxima)
            logits = maxima[:, np.newaxis]
        rows, columns = shortlist(logits, maxima, self.limit, self.slack(queries))
        exact = exact_products(head, queries, rows, columns, self._exact)
        labels, products = best(rows, columns, exact, count, self.limit)
        highest = maxima.max(axis=1)
        scores = logits.reshape(count, -1)[:, : len(head)]
        values = scores if self._expects else None
        if self.cosines is not None:
            cosines = self._scratch.array("cosines", self.cosines.block(count), np.float32)
            self.cosines.products(vectors, cosines)
            values = cosines.reshape(count, -1)[:, : len(head)]
        powers, weighted = add_up(scores, level_of(highest), values)
        return Scan(labels, products, highest, powers, weighted)


def exact_products(
    head: Head,
    queries: FloatArray,
    rows: Rows,
    columns: Rows,
    matrix: FloatArray | Exact | None = None,
) -> Exact:
    """Inner products of pairs of queries and labels in double precision.

    Args:
        queries: float32 (n, d + 1), by the head.
        rows: int64 (p,), of ``queries``.
        columns: int64 (p,), labels; where a label has several prompts its best one counts.
        matrix: the head's, maybe in double precision already.

    Returns:
        float64 (p,).
    """
    matrix = head.matrix if matrix is None else matrix
    if head.starts is None:
        return inner_products(queries, matrix, rows, columns)
    counts = np.diff(np.append(head.starts, len(head.matrix)))[columns]
    begins = np.cumsum(counts) - counts
    prompts = np.repeat(head.starts[columns] - begins, counts) + np.arange(counts.sum())
    found = inner_products(queries, matrix, np.repeat(rows, counts), prompts)
    return np.asarray(np.maximum.reduceat(found, begins)) if len(found) else found


def part_log_sums(tiles: Tiles, queries: FloatArray, parts: Sequence[slice]) -> tuple[Exact, ...]:
    """float64 (n,) for each part of the rows: the logarithm of its sum of powers.

    Args:
        tiles: of the rows.
        queries: float32 (n, d).
        parts: of the rows, none of them empty.
    """
    found: list[list[Exact]] = [[np.empty(0)] for _ in parts]
    for block in in_blocks(queries, tiles.rows_at_once):
        products = np.empty(tiles.block(len(block)), dtype=np.float32)
        tiles.products(block, products)
        scores = products.reshape(len(block), -1)[:, : tiles.count]
        for sums, part in zip(found, parts, strict=True):
            level = level_of(scores[:, part].max(axis=1))
            powers, _ = add_up(scores[:, part], level)
            sums.append(log_sums(level, powers))
    return tuple(np.concatenate(sums) for sums in found)


def in_blocks(vectors: FloatArray, rows: int) -> Iterator[FloatArray]:
    """The vectors, so many rows at a time."""
    for start in range(0, len(vectors), rows):
        yield vectors[start : start + rows]
