"""The rows that a categorization writes: an Arrow table for some items and their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from queries.judgement.calibration import STATUSES
from queries.judgement.judging import NOTHING, Judge, Verdicts

if TYPE_CHECKING:
    import pyarrow as pa

PATH_SEPARATOR = " > "


@dataclass(frozen=True, kw_only=True)
class CategoryTable:
    """The columns of a judge's verdicts; those of the k-th label end in ``_k``.

    Attributes:
        judge: whose verdicts they are.
        label_version: stands in every row.
    """

    judge: Judge
    label_version: str

    def rows(self, item_ids: pa.ChunkedArray, found: Verdicts) -> pa.Table:
        """A row for each item, in order."""
        import pyarrow as pa

        ids, names, paths, statuses = self._words
        ranking, settings = found.ranking, self.judge.settings
        columns: dict[str, object] = {"item_id": item_ids}
        for place in range(ranking.labels.shape[1]):
            suffix = f"_{place + 1}" if place else ""
            best = pa.array(ranking.labels[:, place] % len(ids))  # NO_NODE is the last: NOTHING
            columns[f"label_id{suffix}"] = ids.take(best)
            columns[f"label{suffix}"] = names.take(best)
            if not place or settings.level is not None:
                columns[f"path{suffix}"] = paths.take(best)
            columns[f"score{suffix}"] = pa.array(ranking.scores[:, place], pa.float32())
            columns[f"similarity{suffix}"] = _floats(ranking.similarities[:, place])
            if not place:
                columns["margin"] = _floats(ranking.margins)
            if not place or settings.multi_label:
                columns[f"status{suffix}"] = statuses.take(pa.array(found.codes[:, place]))
            if not place:
                columns["unknown_score"] = pa.array(found.unknown_scores, pa.float32())
        columns["label_version"] = pa.repeat(self.label_version, len(item_ids))
        return pa.table(columns)

    def none(self, limit: int) -> pa.Table:
        """No row, with the columns that there would be."""
        import pyarrow as pa

        vectors = np.empty((0, self.judge.labels.vectors.shape[1]), dtype=np.float32)
        return self.rows(pa.chunked_array([], pa.string()), self.judge.judge(vectors, limit=limit))

    @cached_property
    def _words(self) -> tuple[pa.Array, pa.Array, pa.Array, pa.Array]:
        """Label ids, names, paths, and statuses by code."""
        import pyarrow as pa

        labels = (*self.judge.labels.labels, NOTHING)
        return (
            pa.array([label.label_id for label in labels], pa.string()),
            pa.array([label.name for label in labels], pa.string()),
            pa.array([PATH_SEPARATOR.join(label.path) for label in labels], pa.string()),
            pa.array([status.value for status in STATUSES], pa.string()),
        )


def _floats(values: np.typing.NDArray[np.float64]) -> pa.Array:
    """Single precision; null where a value is nan."""
    import pyarrow as pa

    return pa.array(values, pa.float32(), mask=np.isnan(values))
