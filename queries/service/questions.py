"""What a request asks, as a value: equal questions share a classifier."""

from __future__ import annotations

from dataclasses import dataclass, field

from indexer.catalog.opened import Catalog
from indexer.labels.prompts import Pooling
from queries.classify import Classifier
from queries.deciding.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyQuestion:
    """How inputs are to be labelled.

    Attributes:
        limit: labels for each input.
        labels: ids or names of the labels in play; None is all leaves.
        adapt: decide by labels adapted to the catalog, where they are.
        settings: level, back-off and thresholds.
    """

    limit: int = 5
    labels: tuple[str, ...] | None = None
    adapt: bool = True
    pooling: Pooling = Pooling.MEAN
    settings: Settings = field(default_factory=Settings)

    def classifier(self, catalog: Catalog) -> Classifier:
        """What answers the question."""
        return Classifier(
            catalog,
            restrict_to=self.labels,
            adapt=self.adapt,
            pooling=self.pooling,
            settings=self.settings,
            by_search=False,
        )
