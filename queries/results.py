"""What the read path gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One label for one input.

    Attributes:
        label: the label's name.
        score: softmax over all active labels, 0 to 1, at the head's own temperature, or at the
            one that labelled items gave: how near it is then to a probability, ``labels
            calibrate`` measures. With independent labels, against prompts that say nothing.
        similarity: cosine of the input's and the label's vectors, -1 to 1.
        path: names from the root to the label.
        status: accepted, review or unknown; of an attribute not_visible in place of unknown.
        unknown_score: of the input, the same for all its labels; large where none fits.
        part_id: of the part that decided alone, where the best one does: the id of its row, or
            where it lies, with the seconds of a window; else empty.
    """

    label: str
    label_id: str
    score: float
    similarity: float
    path: tuple[str, ...]
    status: str
    unknown_score: float
    part_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPrediction:
    """The best label of one part of an input by itself.

    Attributes:
        place: where the part lies in the input's file: ``0:10-0:20``, or a box.
    """

    place: str
    prediction: Prediction


class FoundBy(StrEnum):
    """What of a query found an item."""

    VECTOR = "vector"
    WORDS = "words"
    BOTH = "both"
    FILTER = "filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One item that a search found.

    Attributes:
        similarity: cosine of the query's and the item's vectors, -1 to 1; None where the query
            has no vector.
        label: what the last categorization with write-back decided; empty if none did.
        score: of that label.
        status: accepted, review, unknown, or confirmed by a person; empty if none did.
        kind: picture, sound, video, text or vector.
        found_by: the vector of the query, its words, or both.
        attributes: decisions of the other label sets: the label by the set's name, and behind
            that name its ``_label_id``, ``_score`` and ``_status``.
        part_id: id of the item's part that is nearest, such as its second picture, whose source,
            title and metadata these are; the item's own id where it has one part.
        part: which part that is, such as ``{"view": 2}``; empty for the item's first picture.
        parts: ids of all parts of an item that has several, in their order.
        place: where the part lies in its file, for people: ``0:10-0:20``, or a box; else empty.
    """

    item_id: str
    similarity: float | None
    title: str
    source: str
    metadata: dict[str, Any]
    label: str
    label_id: str
    score: float
    status: str = ""
    kind: str = "picture"
    found_by: FoundBy = FoundBy.VECTOR
    attributes: dict[str, Any] = field(default_factory=dict)
    part_id: str = ""
    part: dict[str, Any] = field(default_factory=dict)
    parts: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """How often each value of a column occurs.

    Attributes:
        column: a column of the items' table, or label, status or kind.
        values: the count of each value, the most frequent first.
        without: items that have no value there.
    """

    column: str
    values: dict[str, int]
    without: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found.

    Attributes:
        hits: the best first.
        facets: counts of the requested columns.
        counted: items that the facets count.
        all_counted: whether these are all that match: with a filter all of them, with a smallest
            similarity all above it; else the nearest ones.
        next_after: of a list, the id behind which its next page begins; None where this is the
            last, and where something was searched for.
        notes: what to know of the hits: that labels of some were removed or renamed since.
    """

    hits: list[SearchHit]
    facets: tuple[Facet, ...] = ()
    counted: int = 0
    all_counted: bool = True
    next_after: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureObject:
    """A thing in a picture.

    Attributes:
        box: left edge, upper edge, width and height, in pixels of the upright picture.
        score: how sure what found it is; comparable within one picture.
        word: that a detector found it by; empty from the grid.
        predictions: its labels, best first; empty where the catalog has none.
        hits: the items like it, best first; empty where none are asked for.
    """

    box: tuple[int, int, int, int]
    score: float
    word: str = ""
    predictions: tuple[Prediction, ...] = ()
    hits: tuple[SearchHit, ...] = ()

    @property
    def unknown_score(self) -> float | None:
        """How little it looks like any label: of all its predictions the same."""
        return self.predictions[0].unknown_score if self.predictions else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureObjects:
    """The things in a picture.

    Attributes:
        width: of the upright picture, in pixels.
        height: the same.
        objects: the surest first.
        is_whole: nothing was found, and the whole picture stands for the one thing in it.
        words: what a detector looked for; empty for the grid.
    """

    width: int
    height: int
    objects: tuple[PictureObject, ...]
    is_whole: bool = False
    words: tuple[str, ...] = ()

    def with_labels(self, answers: Sequence[Sequence[Prediction]]) -> PictureObjects:
        """The same things with their labels, best first.

        Args:
            answers: of each thing.
        """
        objects = tuple(
            replace(thing, predictions=tuple(answer))
            for thing, answer in zip(self.objects, answers, strict=True)
        )
        return replace(self, objects=objects)
