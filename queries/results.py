"""What the read path gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One label for one input.

    Attributes:
        label: the label's name.
        score: probability of the label, 0 to 1: a softmax over all active labels at the
            head's own temperature, or at the one that labelled items gave; with independent
            labels, against prompts that say nothing.
        similarity: cosine of the input's and the label's vectors, -1 to 1.
        path: names from the root to the label.
        status: accepted, review or unknown.
        unknown_score: of the input, the same for all its labels; large where none fits.
    """

    label: str
    label_id: str
    score: float
    similarity: float
    path: tuple[str, ...]
    status: str
    unknown_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One item that a search found.

    Attributes:
        similarity: cosine of the query's and the item's vectors, -1 to 1.
        label: what the last categorization with write-back decided; empty if none did.
        score: of that label.
        status: accepted, review, unknown, or confirmed by a person; empty if none did.
    """

    item_id: str
    similarity: float
    title: str
    source: str
    metadata: dict[str, Any]
    label: str
    label_id: str
    score: float
    status: str = ""
