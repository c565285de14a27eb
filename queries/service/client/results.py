"""What the client gives beside the types of ``queries.results``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from queries.results import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """The labels of some inputs: a sequence with a list of predictions for each, best first.

    Attributes:
        results: predictions for each input, in order; empty for one that could not be used.
        errors: why not, by its place.
        calibrated: whether scores are calibrated on labelled items; where they are not, a score
            and the status accepted promise no share of right labels.
    """

    results: Sequence[list[Prediction]]
    errors: Mapping[int, str]
    calibrated: bool

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, place: int) -> list[Prediction]:
        return self.results[place]

    def __iter__(self) -> Iterator[list[Prediction]]:
        return iter(self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSimilarity:
    """A text that stands for a label, and its cosine with the input."""

    text: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A stored item near the input.

    Attributes:
        origin: where its label is from: taught, calibration, decided, or empty.
    """

    item_id: str
    similarity: float
    kind: str
    title: str
    label: str
    label_id: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPoint:
    """An item on the map.

    Attributes:
        x: 0 to 1, from left to right.
        y: 0 to 1, upwards.
        value: of the column that was asked for, a label's id; empty for none, and for one that is
            not among the 1,000 most frequent.
        name: what people call that value.
    """

    item_id: str
    x: float
    y: float
    value: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLabel:
    """One of several parts of an item: its label by itself.

    Attributes:
        place: where it lies in its file: ``0:10-0:20``, or a box; empty for a whole one.
        box: left edge, upper edge, width and height, in pixels of the upright picture; None where
            it is none.
        winner_score: that the part gives to the whole item's label.
    """

    part_id: str
    place: str
    label: str
    score: float
    winner_score: float
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Where in a picture the evidence for the best label lies.

    Attributes:
        values: rows of a grid over the part of the picture between the edges, 1 the strongest.
        top: edge, like the others as a share of the picture's height or width.
    """

    method: str
    values: Sequence[Sequence[float]]
    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an input has its label.

    Attributes:
        predictions: best first.
        winner: name of the best label.
        runner_up: name of the second; None where there is none.
        prompts: texts of the winner that are nearest to the input.
        neighbours: stored items near it, the nearest first.
        words: of the title or text, with how much each speaks for the winner.
        heat: None where no heat map was asked for, or none can be made: ``notes`` say why.
        views: of an item of several parts.
        deciding: part_id of the one that decides alone; None where all do.
    """

    predictions: tuple[Prediction, ...]
    winner: str
    runner_up: str | None
    prompts: tuple[PromptSimilarity, ...]
    neighbours: tuple[Neighbour, ...]
    words: tuple[tuple[str, float], ...]
    heat: Heat | None
    notes: tuple[str, ...]
    views: tuple[PartLabel, ...]
    deciding: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedLabel:
    """One label of the taxonomy.

    Attributes:
        path: names from the root to the label.
        parent_id: None for a root.
    """

    label_id: str
    name: str
    path: tuple[str, ...]
    parent_id: str | None
    description: str
    synonyms: tuple[str, ...]
    is_leaf: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """What a change of labels did.

    Attributes:
        embedded_texts: prompts that the model had to embed.
        cut_prompts: prompts that were longer than the model reads.
        notes: what labels lost, and examples, verdicts, items and gates that name removed labels.
    """

    added: int
    changed: int
    unchanged: int
    removed: int
    embedded_texts: int
    cut_prompts: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item to bring in.

    Attributes:
        picture: path on this machine, or an encoded picture or sound; it is uploaded. Without it
            and without ``url`` the item is a text, its title.
        url: where the service fetches the picture, if it may.
        metadata: values by column; what is None or NaN is left out.
    """

    item_id: str
    title: str = ""
    picture: str | Path | bytes | None = None
    url: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredItem:
    """What became of a new item; ``error`` is None where it is stored."""

    item_id: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a person said of an item's label in one label set.

    Attributes:
        verdict: accepted, corrected, rejected, or withdrawn.
        label: name of the right label; empty where none fits.
        before: name of the label that the item had then.
    """

    label_set: str
    verdict: str
    label: str
    before: str
    who: str
    time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedItem:
    """A stored item; an empty label where none was written back.

    Attributes:
        path: names of the label's path from the root.
        attributes: decisions of other label sets, as in ``SearchHit``.
        parts: ids of its parts, where it has several.
        reviews: what people said, the oldest first.
    """

    item_id: str
    kind: str
    title: str
    metadata: dict[str, Any]
    label_id: str
    label: str
    path: tuple[str, ...]
    score: float
    status: str
    attributes: dict[str, Any]
    parts: tuple[str, ...]
    reviews: tuple[Review, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedItem:
    """An item to look at, with the labels that it could have, best first."""

    item_id: str
    title: str
    kind: str
    metadata: dict[str, Any]
    parts: tuple[str, ...]
    label_id: str
    label: str
    score: float
    status: str
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQueue:
    """A page of the items that nobody has looked at, the most useful first.

    Attributes:
        total: items that nobody has looked at.
        doubtful: those of them whose label is not accepted.
        reviewed: items of the chosen categories that people have looked at.
        expected_wrong: labels among ``total`` that are probably wrong: the sum of 1 - score.
        expected_errors: the same as a share of all items of the chosen categories.
        calibrated: whether scores are calibrated on labelled items.
    """

    total: int
    doubtful: int
    reviewed: int
    expected_wrong: float
    expected_errors: float
    calibrated: bool
    items: tuple[QueuedItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCorrection:
    """What was said of an item.

    Attributes:
        verdict: accepted, corrected or rejected.
        label_id: of the right label; empty where none fits.
        before: ``label_id`` of the predicted one.
        stored: False while something else changes the catalog; the item has it afterwards.
    """

    item_id: str
    verdict: str
    label_id: str
    before: str
    who: str
    time: str
    stored: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenVerdict:
    """What became of one verdict of several.

    Attributes:
        time: of the verdict, by which ``withdraw`` names it; empty where there is an error.
        error: why it was refused; None where it is kept.
    """

    item_id: str
    time: str
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """How many items have a label.

    Attributes:
        path: names from the root; empty where the label is no more.
        path_ids: ids of these labels.
        statuses: items by status.
    """

    label_id: str
    label: str
    path: tuple[str, ...]
    path_ids: tuple[str, ...]
    items: int
    mean_score: float
    statuses: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """A catalog at a glance.

    Attributes:
        label_sets: all of the catalog.
        label_version: changes with the labels.
        adapted: whether the labels are adapted to the items.
        reviewed: items that a person has looked at.
        dead_letters: items that could not be used, by reason.
    """

    catalog: str
    label_set: str
    label_sets: tuple[str, ...]
    model: str
    items: int
    labels: int
    label_version: str
    adapted: bool
    reviewed: int
    categories: tuple[Category, ...]
    dead_letters: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceJob:
    """A job of the service and how far it was.

    Attributes:
        state: queued, running, done, failed or cancelled.
        stage: what it does at the moment.
        done: rows of that stage that are done.
        total: rows of that stage; None where that is not known.
        report: what it did, once it is done.
        error: why it failed.
        has_result: whether it wrote a table.
    """

    job_id: str
    kind: str
    state: str
    stage: str
    done: int
    total: int | None
    report: dict[str, Any]
    error: str
    has_result: bool
    created: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self.state not in {"queued", "running"}
