"""What the pipeline needs of its parts; adapters match these by shape, not by base class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from indexer.core.records import EmbeddedItem, Failure, Fingerprint, FloatArray, Item

Pixels = npt.NDArray[np.uint8]
"""A decoded picture: uint8 (height, width, 3), RGB."""


SoundInput = npt.NDArray[np.float32]
"""A decoded sound as a model takes it: what its ``prepare_sound`` made of mono samples."""


class Source(Protocol):
    """Where items come from.

    One that can meet files of which it makes no item counts them in ``left_out``, and one that can
    make an item of several rows counts these in ``merged``; see the functions of these names.
    """

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in a stable order; a bad row is a ``Failure``, not an error."""
        ...

    def count(self) -> int | None:
        """Number of rows to expect, for progress; None where that would cost a full read."""
        ...


def left_out(source: Source) -> Counter[str]:
    """Files that a source made no item of when it was last read, by extension."""
    counts: Counter[str] = source.left_out if hasattr(source, "left_out") else Counter()
    return counts


def merged(source: Source) -> Counter[str]:
    """What a source made part of other rows' items when it was last read, by what it is."""
    counts: Counter[str] = source.merged if hasattr(source, "merged") else Counter()
    return counts


class PictureEncoder(Protocol):
    """A model that embeds pictures."""

    def prepare(self, picture: Pixels) -> Pixels:
        """A decoded picture at the model's input size; runs in the decoding workers."""
        ...

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """float32 (n, d), rows of length 1, in order."""
        ...


class Encoder(PictureEncoder, Protocol):
    """A model that puts pictures, or sounds, and texts into one space."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What identifies the model; probes are computed when first asked for."""
        ...

    @property
    def least_side(self) -> int | None:
        """Pixels of the shorter side that a JPEG may be decoded to; None asks for the whole."""
        ...

    @property
    def takes_all_cores(self) -> bool:
        """Whether the model leaves no cores to decoding while it computes."""
        ...

    @property
    def sound_rate(self) -> int | None:
        """Samples a second of the sounds that it takes; None where it hears none."""
        ...

    @property
    def longest_sound_s(self) -> float | None:
        """Seconds of the longest sound that it takes whole; None for no limit, or no sounds."""
        ...

    def prepare_sound(self, samples: FloatArray) -> SoundInput:
        """Mono samples float32 (n,) as the model's input; runs in the decoding workers."""
        ...

    def embed_sounds(self, sounds: Sequence[SoundInput]) -> FloatArray:
        """float32 (n, d), rows of length 1, in order."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d), rows of length 1, in order; long texts are cut at the limit."""
        ...

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        """As ``embed_texts``, of words that are searched for: some models have another way."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a categorization job stores on an item.

    Attributes:
        status: accepted, review or unknown; ``confirmed`` by a person; empty in catalogs
            that were categorized before statuses were kept, and where only attributes were decided.
        attributes: of a category's decision, those of the other label sets, by the set's name.
    """

    item_id: str
    label_id: str
    label: str
    score: float
    status: str = ""
    attributes: Mapping[str, Decision] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One result of a search: stored fields and the inner product with the query."""

    similarity: float
    fields: dict[str, Any]


class ItemStore(Protocol):
    """What storing needs of the ``items`` collection of a catalog."""

    def upsert(self, rows: Sequence[EmbeddedItem], decisions: Sequence[Decision | None]) -> None:
        """Write rows, replacing those of the same id; checks them before Milvus sees them."""
        ...

    def delete(self, item_ids: Sequence[str]) -> None:
        """Remove items; unknown ids are ignored."""
        ...

    def flush(self) -> None:
        """Make what was written durable and fast to search."""
        ...

    def stored_version(self) -> int:
        """The version that was written last with the rows; 0 where there is none."""
        ...

    def set_stored_version(self, version: int) -> None:
        """Write the version of the rows, after they are durable."""
        ...
