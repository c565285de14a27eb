"""What is asked of a catalog's labels, as one value: equal questions share a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from indexer.core.given_values import one_of, refuse_below, texts_of
from indexer.labels.prompts import Pooling
from queries.deciding.settings import Settings


class ViewPooling(StrEnum):
    """What decides on an item of several parts.

    ``mean``: the normalised mean of the parts' vectors. ``best``: the part with the highest score,
    alone. ``auto``: the best part of items that have boxes, whose things have labels of their own;
    the mean of all others.
    """

    AUTO = "auto"
    MEAN = "mean"
    BEST = "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How inputs or items are to be labelled.

    Raises:
        UsageError: a limit below 1, a text in the place of labels, or no such pooling.

    Attributes:
        labels: ids or names of the active labels; None is all leaves.
        adapt: decide by labels that are adapted to the catalog's items.
        pooling: a label's score is that of the mean of its prompts, or of its best prompt. By
            the best one, labels are scored as the model has them, never adapted.
        view_pooling: what decides on items of several parts.
        settings: level, back-off, thresholds, the share of titles.
        limit: labels for each input; with a coverage each gets its whole set.
        set_name: the label set; None is the one that the catalog is opened at.
    """

    labels: tuple[str, ...] | None = None
    adapt: bool = True
    pooling: Pooling = Pooling.MEAN
    view_pooling: ViewPooling = ViewPooling.AUTO
    settings: Settings = Settings()
    limit: int = 5
    set_name: str | None = None

    def __post_init__(self) -> None:
        refuse_below(1, limit=self.limit)
        kinds: dict[str, type[StrEnum]] = {"pooling": Pooling, "view_pooling": ViewPooling}
        for name, kind in kinds.items():
            object.__setattr__(self, name, one_of(name, getattr(self, name), kind))
        if self.labels is not None:
            object.__setattr__(self, "labels", tuple(texts_of("labels", self.labels)))
