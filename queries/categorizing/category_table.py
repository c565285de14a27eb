"""The columns that a categorization writes for the predictions of a label set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.core.records import IndexArray
from indexer.labels.taxonomy.rows import PATH_SEPARATOR
from queries.deciding.calibration import STATUSES
from queries.deciding.predictor import NOTHING, Predictions, Predictor

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class CategoryTable:
    """The columns of a label set's predictions; those of the k-th label end in ``_k``.

    Attributes:
        predictor: that made the predictions.
        label_version: stands in every row.
        prefix: what the names of all columns begin with.
    """

    predictor: Predictor
    label_version: str
    prefix: str = ""

    def columns(
        self, predictions: Predictions, sets: list[IndexArray] | None = None
    ) -> dict[str, object]:
        """Arrow arrays by column, a value for each item.

        Args:
            sets: rows of the predictor's labels for each item, where a coverage was asked for:
                ids as a JSON list, which all formats can hold.
        """
        import pyarrow as pa

        ids, names, paths, statuses, version = self._dictionaries
        ranking, settings = predictions.ranking, self.predictor.settings
        columns: dict[str, object] = {}
        for place in range(ranking.labels.shape[1]):
            suffix = f"_{place + 1}" if place else ""
            best = ranking.labels[:, place]  # NO_NODE is the last: NOTHING
            columns[f"label_id{suffix}"] = ids.at(best)
            columns[f"label{suffix}"] = names.at(best)
            if not place or settings.level is not None:
                columns[f"path{suffix}"] = paths.at(best)
            columns[f"score{suffix}"] = pa.array(ranking.scores[:, place], pa.float32())
            columns[f"similarity{suffix}"] = _floats(ranking.similarities[:, place])
            if not place:
                columns["margin"] = _floats(ranking.margins)
            if not place or settings.multi_label:
                columns[f"status{suffix}"] = statuses.at(predictions.codes[:, place])
            if not place:
                columns["unknown_score"] = pa.array(predictions.unknown_scores, pa.float32())
        if sets is not None:
            ids_of = [label.label_id for label in self.predictor.labels.labels]
            texts = [
                json.dumps([ids_of[place] for place in label_set.tolist()]) for label_set in sets
            ]
            columns["label_set"] = pa.array(texts, pa.string())
            columns["set_size"] = pa.array([len(label_set) for label_set in sets], pa.int32())
        rows = len(predictions.unknown_scores)
        columns["label_version"] = version.at(np.zeros(rows, dtype=np.int64))
        return {f"{self.prefix}{name}": values for name, values in columns.items()}

    def deciding(self, part_ids: Sequence[str], rows: IndexArray) -> dict[str, object]:
        """The column of the part that decided on each item.

        Args:
            part_ids: m, of the parts.
            rows: int64 (n,), the part that decided on each item; -1 where all did.
        """
        import pyarrow as pa

        ids = [part_ids[row] if row >= 0 else None for row in rows.tolist()]
        return {f"{self.prefix}part_id": pa.array(ids, pa.string())}

    def empty(self, limit: int) -> dict[str, object]:
        """The same columns, without values."""
        vectors = np.empty((0, self.predictor.labels.vectors.shape[1]), dtype=np.float32)
        sets: list[IndexArray] | None = [] if self.predictor.settings.coverage is not None else None
        return self.columns(self.predictor.predict(vectors, limit=limit), sets)

    @cached_property
    def _dictionaries(self) -> tuple[Dictionary, ...]:
        """Label ids, names, paths, statuses by code, and the one version."""
        labels = (*self.predictor.labels.labels, NOTHING)
        return (
            Dictionary.of([label.label_id for label in labels]),
            Dictionary.of([label.name for label in labels]),
            Dictionary.of([PATH_SEPARATOR.join(label.path) for label in labels]),
            Dictionary.of([status.value for status in STATUSES]),
            Dictionary.of([self.label_version]),
        )


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Words that columns are made of, as numbers and a dictionary: Parquet writes them so too.

    Attributes:
        codes: int32 (m,), each word's place in ``distinct``.
        distinct: the words, each once.
    """

    codes: npt.NDArray[np.int32]
    distinct: pa.Array

    @classmethod
    def of(cls, words: Sequence[str]) -> Dictionary:
        """Of m words; some may be alike."""
        import pyarrow as pa

        encoded = pa.array(words, pa.string()).dictionary_encode()
        return cls(encoded.indices.to_numpy(), encoded.dictionary)

    def at(self, places: npt.NDArray[np.integer]) -> pa.DictionaryArray:
        """The words at some places, which may count from the end; with a dictionary of these only.

        Args:
            places: (n,).
        """
        import pyarrow as pa

        codes = self.codes[places]
        used = np.zeros(len(self.distinct), dtype=bool)
        used[codes] = True
        numbers = np.cumsum(used, dtype=np.int32) - np.int32(1)
        words = self.distinct.take(pa.array(np.flatnonzero(used)))
        return pa.DictionaryArray.from_arrays(numbers[codes], words)


def _floats(values: npt.NDArray[np.float64]) -> pa.Array:
    """Single precision; null where a value is nan."""
    import pyarrow as pa

    return pa.array(values, pa.float32(), mask=np.isnan(values))
