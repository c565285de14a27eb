"""What an explanation holds: the two best labels, their prompts, titles, pictures, neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field

from indexer.core.boxes import Box
from indexer.core.records import Part
from queries.explanation.evidence import Separation
from queries.explanation.heat_maps import HeatMap, Word
from queries.explanation.neighbours import Neighbour
from queries.results import Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One text that stands for a label, and its cosine with the input."""

    text: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One of the two best labels.

    Attributes:
        prompts: the nearest first; empty where the label's vector was given.
        leaf: the active label below it that is likeliest, whose prompts these are; empty
            where it is active itself.
    """

    label: str
    label_id: str
    path: tuple[str, ...]
    score: float
    similarity: float
    prompts: tuple[Prompt, ...]
    leaf: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleSays:
    """What the title of a picture added.

    Attributes:
        title: the text.
        weight: its share, 0 to 1.
        label: the best label by the title alone.
        picture_label: the best label by the picture alone.
        picture_score: of that.
    """

    title: str
    weight: float
    label: str
    picture_label: str
    picture_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSays:
    """What one of several parts of an item says by itself: a picture, a window of a sound.

    Attributes:
        part_id: id of the part's row.
        source: where it lies.
        label: the best label by this part alone.
        score: of that.
        winner_score: of the label that all parts together give.
        place: where it lies in its file, such as ``0:10-0:20``; empty for a whole file.
        box: of a thing in a picture; None for others.
        part: which part it is, as its row tells.
    """

    part_id: str
    source: str
    label: str
    score: float
    winner_score: float
    place: str = ""
    box: Box | None = None
    part: Part = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that is known of one decision.

    Attributes:
        input: what was given.
        kind: picture, sound, video, text or vector.
        adapted: whether the labels are adapted to the catalog.
        predictions: best first.
        margin: as ``categorize`` writes it; None with one label.
        title: what the title added; None where there is none that counts.
        winner: the best label.
        runner_up: the next that is no part of it and that it is no part of; None where there
            is none.
        separation: None without a runner-up.
        neighbours: the nearest labelled items of the catalog; the nearest at all where none
            is labelled.
        heat_map: of what speaks for the winner and for the runner-up; None without picture.
        words: of a text or a title, in order.
        notes: what could not be shown, and why, and what an uncalibrated score is worth.
        views: each part of an item that has several, in their order.
        deciding: place among ``views`` of the part that decides alone; None where all do.
    """

    input: str
    kind: str
    adapted: bool
    predictions: tuple[Prediction, ...]
    margin: float | None
    title: TitleSays | None
    winner: Contender
    runner_up: Contender | None
    separation: Separation | None
    neighbours: tuple[Neighbour, ...]
    heat_map: HeatMap | None
    words: tuple[Word, ...]
    notes: tuple[str, ...]
    views: tuple[ViewSays, ...] = ()
    deciding: int | None = None
