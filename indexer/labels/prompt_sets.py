"""A catalog's prompts with their vectors: one row a prompt, and the file that keeps them.

The label set keeps one vector a label, the mean of its prompts. Explanations, and scoring
by the best prompt, need each prompt's own. Half precision is enough for both: it moves a
cosine by less than 0.001.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.core.durable import written_aside
from indexer.core.errors import CatalogError, first_line
from indexer.core.label_sets import set_name_of, set_option
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise

if TYPE_CHECKING:
    import pyarrow as pa

HalfArray = npt.NDArray[np.float16]


@dataclass(frozen=True)
class PromptSet:
    """Prompts of labels; those of one label stand together, in the order of its templates.

    Attributes:
        label_ids: p ids, the label of each prompt.
        texts: p prompts.
        vectors: float16 (p, d), rows of length 1 but for rounding.
    """

    label_ids: tuple[str, ...]
    texts: tuple[str, ...]
    vectors: HalfArray

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def places(self) -> dict[str, slice]:
        """The rows of each label that has prompts."""
        places: dict[str, slice] = {}
        for row, label_id in enumerate(self.label_ids):
            start = places[label_id].start if label_id in places else row
            places[label_id] = slice(start, row + 1)
        return places

    @cached_property
    def version(self) -> str:
        """Hash of everything in the set: equal sets have equal versions."""
        digest = hashlib.blake2b(digest_size=16)
        for rows in (self.label_ids, self.texts):
            digest.update("\0".join(rows).encode())
        digest.update(np.ascontiguousarray(self.vectors).tobytes())
        return digest.hexdigest()

    def texts_of(self, label_id: str) -> tuple[str, ...]:
        """The prompts of a label; none where its vector was given."""
        return self.texts[self.places.get(label_id, slice(0))]

    def vectors_of(self, label_id: str) -> FloatArray:
        """float32 (k, d), rows of length 1: the vectors of a label's prompts."""
        return normalise(self.vectors[self.places.get(label_id, slice(0))])

    def subset(self, label_ids: Sequence[str]) -> PromptSet:
        """The prompts of some labels, in the order of the ids."""
        return assemble(
            {
                label_id: (self.texts[rows], self.vectors[rows])
                for label_id, rows in self.places.items()
            },
            label_ids,
            self.vectors.shape[1],
        )


def no_prompts(width: int) -> PromptSet:
    """A set without prompts."""
    return PromptSet(label_ids=(), texts=(), vectors=np.empty((0, width), dtype=np.float16))


def assemble(
    by_label: Mapping[str, tuple[Sequence[str], HalfArray]], label_ids: Sequence[str], width: int
) -> PromptSet:
    """A set of texts and vectors by label, in the order of the ids; others are left out.

    Args:
        by_label: k texts and float16 (k, d) for each label.
        width: d.
    """
    present_ids = [label_id for label_id in label_ids if label_id in by_label]
    none = np.empty((0, width), dtype=np.float16)
    return PromptSet(
        label_ids=tuple(label_id for label_id in present_ids for _ in by_label[label_id][0]),
        texts=tuple(text for label_id in present_ids for text in by_label[label_id][0]),
        vectors=np.concatenate([none, *(by_label[label_id][1] for label_id in present_ids)]),
    )


def write_prompts(path: Path, prompts: PromptSet) -> None:
    """Keep prompts in a Parquet file (label id, prompt, vector), durably."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = pa.array(np.ascontiguousarray(prompts.vectors).ravel(), pa.float16())
    vectors = pa.FixedSizeListArray.from_arrays(flat, prompts.vectors.shape[1])
    table = pa.table(
        {
            "label_id": pa.array(prompts.label_ids, pa.string()),
            "prompt": pa.array(prompts.texts, pa.string()),
            "vector": vectors,
        }
    )
    with written_aside(path) as aside:
        pq.write_table(table, aside, write_page_checksum=True)


def read_prompts(path: Path, width: int) -> PromptSet:
    """The prompts of a file; none where there is no file.

    Raises:
        CatalogError: the file is damaged (its checksums say so).
    """
    if not path.exists():
        return no_prompts(width)
    table = checked_table(path, "prompt file")
    flat = table.column("vector").combine_chunks().flatten()
    return PromptSet(
        label_ids=tuple(table.column("label_id").to_pylist()),
        texts=tuple(table.column("prompt").to_pylist()),
        vectors=np.asarray(flat, dtype=np.float16).reshape(table.num_rows, width),
    )


def checked_table(path: Path, name: str) -> pa.Table:
    """The table of a Parquet file of labels, whose checksums are right.

    Args:
        name: what the file is, for the error.

    Raises:
        CatalogError: the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise CatalogError(
            f"{name} {str(path)!r} is damaged: {first_line(error)}. Add the labels again with: "
            f"zeroshelf labels add FILE --replace{set_option(set_name_of(path.parent))}"
        ) from error
