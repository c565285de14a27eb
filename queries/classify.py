"""Label new inputs by nearest-neighbour search over the label collection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer import prompts, taxonomy
from indexer.build import Catalog
from indexer.errors import CatalogError
from indexer.labels import LabelSet, embed, empty
from indexer.protocols import Encoder
from indexer.records import FloatArray, Label
from queries.decide import SPARE_CANDIDATES, Ranking, rank, rank_candidates
from queries.results import Prediction


class Classifier:
    """Labels vectors by the labels of a catalog.

    Milvus finds the nearest labels; their similarities are then taken exactly, and
    scored over all labels in play, so that a bulk job gives the same answer.

    Args:
        restrict_to: label ids or names; None is all leaves.

    Raises:
        CatalogError: the catalog has no labels.
        TaxonomyError: an unknown or ambiguous name in ``restrict_to``.
    """

    def __init__(self, catalog: Catalog, *, restrict_to: Sequence[str] | None = None) -> None:
        self._label_set = labels_in_play(catalog, restrict_to)
        self._restricted = restrict_to is not None
        self._collection = catalog.labels
        self._logit_scale = catalog.fingerprint.logit_scale

    def classify(self, vectors: FloatArray, *, limit: int = 5) -> list[list[Prediction]]:
        """The best labels for each vector.

        Args:
            vectors: float32 (n, d), rows of length 1, by the catalog's model.
            limit: labels for each.

        Returns:
            A list for each vector, best first.
        """
        if not len(vectors):
            return []
        labels = self._label_set
        limit = min(limit, len(labels))
        wanted = min(limit + SPARE_CANDIDATES, len(labels))
        only = list(labels.places) if self._restricted else None
        found = self._collection.search(vectors, limit=wanted, label_ids=only, leaves_only=True)
        candidates = np.array(
            [[labels.places[hit.fields["label_id"]] for hit in hits] for hits in found]
        )
        ranking = rank_candidates(
            vectors, labels.vectors, candidates, limit=limit, logit_scale=self._logit_scale
        )
        return predictions(ranking, labels)


def classify_among(
    encoder: Encoder,
    vectors: FloatArray,
    names: Sequence[str],
    *,
    templates: Sequence[str],
    limit: int = 5,
) -> list[list[Prediction]]:
    """Label vectors by names that are not stored.

    Args:
        vectors: float32 (n, d), rows of length 1, by the same encoder.
        names: the candidate labels.
        templates: prompt templates.
    """
    labels = [Label(label_id=name, name=name, path=(name,)) for name in dict.fromkeys(names)]
    taxonomy.check(labels)
    label_set, _ = embed(
        empty(vectors.shape[1]), labels, templates=templates, embed_texts=encoder.embed_texts
    )
    scale = encoder.fingerprint.logit_scale
    ranking = rank(vectors, label_set.vectors, limit=limit, logit_scale=scale)
    return predictions(ranking, label_set)


def labels_in_play(catalog: Catalog, restrict_to: Sequence[str] | None) -> LabelSet:
    """The leaves of the catalog's taxonomy, or the labels that ids or names choose.

    An inner label competes with its own children for every item, so it takes part only
    where it is asked for.

    Raises:
        CatalogError: the catalog has no labels.
        TaxonomyError: an unknown or ambiguous name.
    """
    labels = catalog.label_set
    if not len(labels):
        raise CatalogError(
            f"catalog {catalog.folder.name!r} has no labels. Add some with: zeroshelf labels add "
            "FILE, or give --candidate-labels."
        )
    if restrict_to is None:
        leaves = [one.label_id for one in labels.labels if one.label_id not in labels.parents]
        return labels if len(leaves) == len(labels) else labels.subset(leaves)
    return labels.subset(taxonomy.resolve(labels.labels, restrict_to))


def default_templates(*, pictures: bool) -> Sequence[str]:
    """Prompt templates that suit a model of pictures, or of texts only."""
    return prompts.DEFAULT_TEMPLATES if pictures else prompts.TEXT_TEMPLATES


def predictions(ranking: Ranking, labels: LabelSet) -> list[list[Prediction]]:
    """A ranking in words."""
    rows = zip(ranking.labels, ranking.scores, ranking.similarities, strict=True)
    return [
        [
            Prediction(
                label=(label := labels.labels[place]).name,
                label_id=label.label_id,
                score=float(score),
                similarity=float(similarity),
                path=label.path,
            )
            for place, score, similarity in zip(*row, strict=True)
        ]
        for row in rows
    ]
