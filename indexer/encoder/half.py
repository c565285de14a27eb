"""Products of all labels' rows with very many queries on a device, in half precision.

Half precision finds candidates, and single precision scores them anew. How far a product in
half precision may be off is bounded by what rounding took off each vector (Cauchy and
Schwarz), so it is known how high a logit can be that is no candidate's.

Sums of powers are of logits in half precision but for the candidates', which are replaced.
What rounding took off a query moves all logits by about its product with the mean row; that
is put right. What is left has either sign, and cancels in a sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.encoder.device import Device
from indexer.records import FloatArray

if TYPE_CHECKING:
    import torch

Rows = npt.NDArray[np.int64]
Exact = npt.NDArray[np.float64]

_MOST_QUERIES = 4096
_STEP = 8
"""Tensor cores take, and give, rows that are multiples of 16 bytes."""

_ROWS_AT_ONCE = 2**14
"""When rows are made ready: copies in double precision of all of them would not fit."""

_BYTES_A_PRODUCT = 24
"""Of intermediate results: logits in half and in single precision, powers, and cosines in
both; and some to spare."""

_BYTES_ANEW = 8
"""Of a candidate's row in single precision, and as much again to be on the safe side."""

_HALF_ROUNDING = 2.0**-11
_LEAST_HALF = 2.0**-25
_ADDING = 2.0**-23
"""Tensor cores add in single precision, and cut off where others round; that sums of parts are
not rounded to half precision either is ``chosen_device``'s affair."""


@dataclass(frozen=True, slots=True)
class Found:
    """What all rows gave for n queries.

    Attributes:
        columns: int64 (n, c), the candidates: rows with the highest logits in half precision.
        logits: float32 (n, c), theirs in single precision.
        floor: float64 (n,): no other row has a higher logit.
        level: float64 (n,), taken off logits.
        powers: float64 (n,), the sum over all rows of ``exp(logit - level)``.
        weighted: float64 (n,), the same sum of powers times values; 0 without values.
    """

    columns: Rows
    logits: FloatArray
    floor: Exact
    level: Exact
    powers: Exact
    weighted: Exact


class HalfRows:
    """Rows that queries are multiplied with on a device. Threads may share them.

    Args:
        rows: float32 (m, d), at least 1; products with queries are logits.
        device: where.
        candidates: c; at most m.
        weigh: powers by logits as well; where ``others`` are given, by products with these.
        others: float32 (m, e), what powers are weighted by is products of these.

    Attributes:
        queries_at_once: more do not fit into the device's memory.
    """

    def __init__(
        self,
        rows: FloatArray,
        device: Device,
        *,
        candidates: int,
        weigh: bool = False,
        others: FloatArray | None = None,
    ) -> None:
        self._device, self._weigh = device, weigh
        self._candidates = min(candidates, len(rows))
        self._count, self._width = rows.shape
        with device.turn():
            self._rows = device.sent(rows)
            self._others = None if others is None else device.sent(others)
            longest = max(float(_lengths(part).max()) for part in self._rows.split(_ROWS_AT_ONCE))
            # A power of two, so that nothing is rounded: the longest row is about 1 long.
            self._unit = 2.0 ** -math.ceil(math.log2(longest)) if longest else 1.0
            self._longest = longest * self._unit
            self._half, self._lost = _halved_rows(self._rows, self._unit)
            self._mean = self._rows.mean(0)
            self._half_others = None if self._others is None else _halved_rows(self._others)[0]
            share = device.block_bytes // 2
        widest = max(self._width, 0 if others is None else others.shape[1])
        per_query = _BYTES_ANEW * self._candidates * widest
        self.queries_at_once = min(max(share // per_query, 1), _MOST_QUERIES)
        labels_at_once = share // (_BYTES_A_PRODUCT * self.queries_at_once)
        self._labels_at_once = max(labels_at_once // _STEP, 1) * _STEP

    def find(self, queries: FloatArray, vectors: FloatArray) -> Found:
        """Multiply.

        Args:
            queries: float32 (n, d), at least 1, at most ``queries_at_once``.
            vectors: float32 (n, e), what ``others`` are multiplied with.
        """
        with self._device.turn():
            sent = self._device.sent(queries)
            others = self._device.sent(vectors) if self._half_others is not None else None
            half = _halved(sent)
            running = _Running(half, self._candidates)
            for first, logits, values in self._products(half, others):
                running.add(logits, values, first)
            floor = self._floor(running.logits[:, -1], sent, half)
            off = ((sent - half[:, : self._width].float()) * self._mean).sum(1)
            running.replace(*self._anew(running.columns, sent, others), off)
            return Found(
                columns=running.columns.cpu().numpy(),
                logits=running.logits.cpu().numpy(),
                floor=floor.cpu().numpy(),
                level=running.level.double().cpu().numpy(),
                powers=running.powers.cpu().numpy(),
                weighted=running.weighted.cpu().numpy(),
            )

    def log_sums(self, queries: FloatArray) -> Exact:
        """float64 (n,): logarithms of the sums of powers of float32 (n, d), any number."""
        found = [np.empty(0)]
        for start in range(0, len(queries), self.queries_at_once):
            block = queries[start : start + self.queries_at_once]
            part = self.find(block, block)
            found.append(part.level + np.log(part.powers))
        return np.concatenate(found)

    def _products(
        self, half: torch.Tensor, others: torch.Tensor | None
    ) -> Iterator[tuple[int, torch.Tensor, torch.Tensor | None]]:
        """Float32 (n, some) logits and values of some rows at a time, and the first row."""
        halved = None if others is None else _halved(others)
        for first in range(0, self._count, self._labels_at_once):
            part = slice(first, first + self._labels_at_once)
            count = self._count - first  # what is beyond fills up the last part
            logits = (half @ self._half[part].T)[:, :count].float().div_(self._unit)
            values = logits if self._weigh else None
            if halved is not None and self._half_others is not None:
                values = (halved @ self._half_others[part].T)[:, :count].float()
            yield first, logits, values

    def _floor(self, last: torch.Tensor, queries: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
        """Float64 (n,): what no row can reach that is no candidate.

        Args:
            last: float32 (n,), the candidates' lowest logits in half precision.
        """
        last = last.double()
        if self._candidates == self._count:
            return last - math.inf
        length = _lengths(half)
        off = _lost(queries, half) * self._longest + length * self._lost
        off += self._width * _ADDING * length * (self._longest + self._lost) + _LEAST_HALF
        return last + last.abs() * _HALF_ROUNDING + off / self._unit

    def _anew(
        self, columns: torch.Tensor, queries: torch.Tensor, others: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Float32 (n, c) logits and values of candidates, in single precision."""
        logits = _inner_products(queries, self._rows, columns)
        if others is None or self._others is None:
            return logits, logits if self._weigh else None
        return logits, _inner_products(others, self._others, columns)


class _Running:
    """The best candidates and the sums of the rows that were multiplied so far.

    Powers are taken of what lies below the highest logit so far; where that rises, the sums
    are scaled (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018,
    arXiv:1805.02867).

    Args:
        queries: (n, d), of the device.
        candidates: c.

    Attributes:
        columns: int64 (n, c), highest first.
        logits: float32 (n, c), theirs in half precision; then those that ``replace`` was given.
        level: float32 (n,), the highest logit in half precision.
        powers: float64 (n,).
        weighted: float64 (n,).
    """

    def __init__(self, queries: torch.Tensor, candidates: int) -> None:
        import torch

        self._candidates = candidates
        count, none = len(queries), (len(queries), 0)
        self.columns = queries.new_empty(none, dtype=torch.int64)
        self.logits = queries.new_empty(none, dtype=torch.float32)
        self._values = queries.new_empty(none, dtype=torch.float32)
        self.level = queries.new_full((count,), -math.inf, dtype=torch.float32)
        self.powers = queries.new_zeros(count, dtype=torch.float64)
        self.weighted = queries.new_zeros(count, dtype=torch.float64)

    def add(self, logits: torch.Tensor, values: torch.Tensor | None, first: int) -> None:
        """Take some more rows.

        Args:
            logits: float32 (n, r).
            values: float32 (n, r), what powers are weighted by; given always or never.
            first: number of the first of these rows.
        """
        import torch

        top, places = logits.topk(min(self._candidates, logits.shape[1]), dim=1)
        self.logits, order = torch.cat([self.logits, top], dim=1).topk(
            min(self._candidates, self.logits.shape[1] + top.shape[1]), dim=1
        )
        self.columns = torch.cat([self.columns, places + first], dim=1).gather(1, order)
        level = torch.maximum(self.level, self.logits[:, 0])
        scale = torch.exp(self.level - level).double()
        powers = (logits - level[:, None]).exp_()
        self.powers = self.powers * scale + powers.sum(1).double()
        if values is not None:
            self._values = torch.cat([self._values, values.gather(1, places)], dim=1)
            self._values = self._values.gather(1, order)
            sums = powers.mul_(values).sum(1).double()
            self.weighted = self.weighted * scale + sums
        self.level = level

    def replace(self, logits: torch.Tensor, values: torch.Tensor | None, off: torch.Tensor) -> None:
        """Put others in the place of the candidates' logits and values, in the sums too.

        Args:
            logits: float32 (n, c).
            values: float32 (n, c).
            off: float32 (n,), added to all other logits.
        """
        before = (self.logits - self.level[:, None]).exp().double()
        after = (logits - self.level[:, None]).exp().double()
        raised = off.double().exp()
        self.powers = (self.powers - before.sum(1)) * raised + after.sum(1)
        if values is not None:
            rest = self.weighted - (before * self._values).sum(1)
            self.weighted = rest * raised + (after * values).sum(1)
        self.logits = logits


def _halved(rows: torch.Tensor) -> torch.Tensor:
    """Float16 (n, d or a few more): the rows, filled up with zeros."""
    import torch

    return torch.nn.functional.pad(rows, (0, -rows.shape[1] % _STEP)).half()


def _halved_rows(rows: torch.Tensor, unit: float = 1.0) -> tuple[torch.Tensor, float]:
    """Rows times a unit in half precision.

    Returns:
        Float16 (m or a few more, d or a few more), filled up with zeros, and the greatest
        length of what rounding took off a row.
    """
    import torch

    count, width = rows.shape
    shape = (count + -count % _STEP, width + -width % _STEP)
    halved, lost = rows.new_zeros(shape, dtype=torch.float16), 0.0
    for first in range(0, count, _ROWS_AT_ONCE):
        part = rows[first : first + _ROWS_AT_ONCE] * unit
        half = halved[first : first + len(part)]
        half[:, :width] = part
        lost = max(lost, float(_lost(part, half).max()))
    return halved, lost


def _lengths(rows: torch.Tensor) -> torch.Tensor:
    """Float64 (n,)."""
    import torch

    lengths: torch.Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    return lengths


def _lost(rows: torch.Tensor, halved: torch.Tensor) -> torch.Tensor:
    """Float64 (n,): lengths of what rounding took off."""
    return _lengths(rows - halved[:, : rows.shape[1]].float())


def _inner_products(
    queries: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """Float32 (n, c): of queries (n, d) and the rows (m, d) that ``columns`` (n, c) names.

    Not by a matrix product, which may be taken in a lower precision (TF32).
    """
    return rows[columns].mul_(queries[:, None]).sum(2)
