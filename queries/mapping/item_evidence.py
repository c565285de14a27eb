"""The evidence of a catalog for a mapping: its items' votes, and its model's label vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.catalog.fingerprints import require_same
from indexer.catalog.opening import Catalog, open_catalog
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import ModelMismatchError
from indexer.core.records import FloatArray, Label
from indexer.core.watch import Watch
from indexer.labels import prompts
from indexer.labels.sets import LabelSet, embed, empty
from queries.mapping.sides import Side
from queries.mapping.trees import LabelTree
from queries.mapping.votes import ItemVotes, LabelVectors, count_votes, labelled_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEvidence:
    """What a catalog says of a mapping.

    Attributes:
        votes: of its items.
        vectors: of the labels by its model; None where those of the source are not its own.
    """

    votes: ItemVotes
    vectors: LabelVectors | None

    @property
    def parts(self) -> tuple[ItemVotes | LabelVectors, ...]:
        """Each kind of evidence."""
        return (self.votes,) if self.vectors is None else (self.votes, self.vectors)

    @property
    def items(self) -> int:
        """Items that voted."""
        return int(self.votes.items.sum())

    @property
    def labels(self) -> int:
        """Labels of the source that have such items."""
        return int(np.count_nonzero(self.votes.items))


def catalog_evidence(
    items: CatalogOptions,
    source: Side,
    target: Side,
    *,
    truth: str | None = None,
    watch: Watch = Watch(),
) -> CatalogEvidence:
    """The evidence of a catalog's items and its model.

    Args:
        items: name the catalog.
        truth: key of the items' metadata that names labels of the source; None takes decisions.
        watch: follows the texts embedded.

    Raises:
        UsageError: no item has a label of the source.
        ModelError: labels of the target have to be embedded, and the model is not there.
    """
    with open_catalog(items) as catalog:
        target_set = _embedded(catalog, target, watch)
        trees = LabelTree.of(source.labels), LabelTree.of(target.labels)
        votes = count_votes(catalog, *trees, target_set, truth=truth)
        vectors = _own_vectors(catalog, source.labels)
    if vectors is None:
        return CatalogEvidence(votes=votes, vectors=None)
    return CatalogEvidence(votes=votes, vectors=LabelVectors(vectors, target_set.vectors))


def has_labelled_items(options: CatalogOptions, labels: Sequence[Label]) -> bool:
    """Whether items of a catalog have decisions on some of these labels."""
    with open_catalog(options) as catalog:
        return any(len(rows) for _, rows, _ in labelled_rows(catalog, labels, None))


def _embedded(catalog: Catalog, target: Side, watch: Watch) -> LabelSet:
    """The labels of the target with vectors by the catalog's model."""
    if target.catalog is not None:
        with open_catalog(target.catalog) as other:
            try:
                require_same(catalog.fingerprint, other.fingerprint, catalog=catalog.folder.name)
            except ModelMismatchError:
                pass  # another model made its vectors: they are made again below
            else:
                return other.label_set
    encoder = catalog.encoder
    default = prompts.DEFAULT_TEMPLATES if encoder.sees_pictures else prompts.TEXT_TEMPLATES
    label_set, _, _ = embed(
        empty(catalog.fingerprint.width),
        target.labels,
        templates=catalog.label_set.templates or default,
        embed_texts=encoder.embed_texts,
        watch=watch,
    )
    return label_set


def _own_vectors(catalog: Catalog, labels: Sequence[Label]) -> FloatArray | None:
    """Vectors of labels that are the catalog's own; None where they are not, or were given."""
    label_set = catalog.label_set
    if list(label_set.labels) != list(labels) or not label_set.templates:
        return None
    return label_set.vectors
