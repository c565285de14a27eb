"""Relabelling: what was found by an earlier label set, brought to one that differs a little.

Only labels that came, went or changed are scored. Powers are whole numbers and products
are repeatable, so taking off what is gone and adding what came gives the very sum of a scan
by all labels; the best few are kept with some to spare. An item that they no longer settle
is scanned by all labels again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.records import FloatArray
from queries.scoring.scan import Exact, Products, Rows, Scan, Scanner
from queries.scoring.shortlist import inner_products
from queries.scoring.sums import add_up, level_of

SPARE = 3
"""Labels kept beyond those that are shown: so many of the best may go before an item is
scanned anew."""

MOST_CHANGED = 0.25
"""Share of the labels beyond which a scan by all of them costs little more."""

NO_LABEL = -1


@dataclass(frozen=True, slots=True)
class ScoredLabels:
    """The labels that items were scored by.

    Attributes:
        label_ids: of m labels.
        rows: float32 (m, d + 1), what makes their logits.
        vectors: float32 (m, d), what makes their cosines.
    """

    label_ids: tuple[str, ...]
    rows: FloatArray
    vectors: FloatArray

    @classmethod
    def of(cls, scanner: Scanner) -> ScoredLabels:
        """Those of a scanner."""
        head = scanner.head
        ids = tuple(label.label_id for label in head.labels.labels)
        return cls(ids, scanner.rows, head.labels.vectors)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a scan.

    Attributes:
        found: with more labels than are shown; ``NO_LABEL`` where there are fewer.
        floor: float64 (n,): a label that is not among them has no higher product.
    """

    found: Scan
    floor: Exact

    @classmethod
    def of(cls, found: Scan) -> Kept:
        """All of a scan by all labels."""
        return cls(found, found.products[:, -1].copy())


@dataclass(frozen=True, slots=True)
class Changes:
    """How two label sets differ.

    Attributes:
        places: int64 (m_before,), each earlier label's row now; ``NO_LABEL`` where it is gone.
        gone: int64 (g,), earlier rows of labels that went or changed.
        came: int64 (a,), rows of labels that came or changed.
    """

    places: Rows
    gone: Rows
    came: Rows

    def __len__(self) -> int:
        return max(len(self.gone), len(self.came))


def changes(before: ScoredLabels, after: ScoredLabels) -> Changes | None:
    """What to score anew; None where that is as much as all, or labels changed their order."""
    now = {label_id: row for row, label_id in enumerate(after.label_ids)}
    places = np.array([now.get(one, NO_LABEL) for one in before.label_ids], dtype=np.int64)
    known = np.flatnonzero(places != NO_LABEL)
    same = (before.rows[known] == after.rows[places[known]]).all(axis=1)
    same &= (before.vectors[known] == after.vectors[places[known]]).all(axis=1)
    places[known[~same]] = NO_LABEL
    kept = places[places != NO_LABEL]
    gone = np.flatnonzero(places == NO_LABEL)
    came = np.setdiff1d(np.arange(len(after.label_ids)), kept, assume_unique=True)
    in_order = bool((np.diff(kept) > 0).all())
    if not in_order or len(gone) + len(came) > MOST_CHANGED * len(after.label_ids):
        return None
    return Changes(places, gone, came)


class Relabeller:
    """Brings what was kept of earlier scans to the labels of a scanner.

    Args:
        scanner: by the labels as they are now; repeatable.
        before: the labels that items were scored by.
        changed: how they differ.
        limit: labels that are shown.
    """

    def __init__(
        self, scanner: Scanner, before: ScoredLabels, changed: Changes, *, limit: int
    ) -> None:
        after = ScoredLabels.of(scanner)
        self._scanner, self._changed = scanner, changed
        self._limit = min(limit, len(scanner.head))
        self._logits = scanner.logits.like(_both(before.rows, after.rows, changed))
        self._cosines: Products | None = None
        if scanner.cosines is not None:
            both = _both(before.vectors, after.vectors, changed)
            self._cosines = scanner.cosines.like(both)
        products = [one for one in (self._logits, self._cosines) if one is not None]
        self._rows_at_once = min(one.rows_at_once for one in products)

    def relabel(self, vectors: FloatArray, before: Kept) -> tuple[Kept, int]:
        """What a scan of the vectors by all labels would find.

        Args:
            vectors: float32 (n, d).
            before: what was kept of them.

        Returns:
            What to keep now, and how many vectors were scanned by all labels.
        """
        parts, open_rows = [], []
        for start in range(0, len(vectors), self._rows_at_once):
            block = slice(start, start + self._rows_at_once)
            found = Kept(before.found.take(block), before.floor[block])
            part, unsettled = self._relabel(vectors[block], found)
            parts.append(part)
            open_rows.append(unsettled)
        joined = Scan.joined([one.found for one in parts])
        kept = Kept(joined, np.concatenate([one.floor for one in parts]))
        unsettled = np.concatenate(open_rows)
        if unsettled.any():  # all at once: a tile takes as long for one row as for many
            _put(kept, unsettled, Kept.of(self._scanner.scan(vectors[unsettled])))
        return kept, int(unsettled.sum())

    def _relabel(self, vectors: FloatArray, before: Kept) -> tuple[Kept, npt.NDArray[np.bool_]]:
        """What to keep of a block, and which of its rows that does not settle."""
        old, gone = before.found, len(self._changed.gone)
        queries = self._scanner.head.queries(vectors)
        logits = self._logits.of(queries)
        left, came = logits[:, :gone], logits[:, gone:]
        highest = np.maximum(old.highest, came.max(axis=1, initial=-np.inf))
        unsettled = (left >= old.highest[:, np.newaxis]).any(axis=1)
        unsettled |= np.ceil(highest) != np.ceil(old.highest)
        values = logits if self._cosines is None else self._cosines.of(vectors)
        level = level_of(old.highest)
        minus = add_up(left, level, values[:, :gone])
        plus = add_up(came, level, values[:, gone:])
        kept = Kept(
            Scan(
                labels=_mapped(old.labels, self._changed.places),
                products=old.products.copy(),
                highest=highest,
                powers=old.powers - minus[0] + plus[0],
                weighted=old.weighted - minus[1] + plus[1],
            ),
            before.floor.copy(),
        )
        kept.found.products[kept.found.labels == NO_LABEL] = -np.inf
        unsettled |= self._insert(queries, came, kept)
        unsettled |= (kept.found.labels[:, : self._limit] == NO_LABEL).any(axis=1)
        return kept, unsettled

    def _insert(self, queries: FloatArray, logits: FloatArray, kept: Kept) -> npt.NDArray[np.bool_]:
        """Put labels that came among the best; which rows have a tie that can't be settled."""
        scanner, found = self._scanner, kept.found
        lowest = scanner.head.scale * kept.floor - scanner.slack(queries)
        rows, columns = np.nonzero(logits >= lowest[:, np.newaxis])
        exact = inner_products(queries, scanner.head.matrix, rows, self._changed.came[columns])
        tied = np.zeros(len(queries), dtype=bool)
        tied[rows[exact == kept.floor[rows]]] = True
        above = exact > kept.floor[rows]
        rows, columns, exact = rows[above], columns[above], exact[above]
        touched = (found.labels == NO_LABEL).any(axis=1)
        touched[rows] = True
        places = np.flatnonzero(touched)
        width = found.labels.shape[1]
        labels = np.full((len(places), width + len(self._changed.came)), NO_LABEL)
        products = np.full(labels.shape, -np.inf)
        labels[:, :width], products[:, :width] = found.labels[places], found.products[places]
        new = np.searchsorted(places, rows)
        labels[new, width + columns] = self._changed.came[columns]
        products[new, width + columns] = exact
        order = np.lexsort((labels, -products), axis=1)[:, :width]
        found.labels[places] = np.take_along_axis(labels, order, axis=1)
        found.products[places] = np.take_along_axis(products, order, axis=1)
        full = places[found.labels[places, -1] != NO_LABEL]
        kept.floor[full] = found.products[full, -1]
        return tied


def _both(before: FloatArray, after: FloatArray, changed: Changes) -> FloatArray:
    """The rows that are gone, as they were, and then those that came."""
    return np.concatenate([before[changed.gone], after[changed.came]])


def _mapped(labels: Rows, places: Rows) -> Rows:
    return np.where(labels == NO_LABEL, NO_LABEL, places[labels])


def _put(kept: Kept, chosen: npt.NDArray[np.bool_], anew: Kept) -> None:
    for part, values in zip(kept.found.parts, anew.found.parts, strict=True):
        part[chosen] = values
    kept.floor[chosen] = anew.floor
