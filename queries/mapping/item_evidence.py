"""The votes of a catalog's items for a mapping; labels are embedded where they have to be."""

from __future__ import annotations

from collections.abc import Sequence

from indexer.catalog.fingerprints import require_same
from indexer.catalog.opening import OpenCatalog, open_catalog
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import ModelMismatchError
from indexer.core.records import Label
from indexer.core.watch import Watch
from indexer.labels import prompts
from indexer.labels.sets import LabelSet, embed, empty
from queries.mapping.sides import Side
from queries.mapping.trees import LabelTree
from queries.mapping.votes import ItemVotes, count_votes, labelled_rows


def item_votes(
    items: CatalogOptions,
    source: Side,
    target: Side,
    *,
    truth: str | None = None,
    watch: Watch = Watch(),
) -> ItemVotes:
    """What a catalog's items say of a mapping.

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
        return count_votes(catalog, *trees, target_set, truth=truth)


def has_labelled_items(options: CatalogOptions, labels: Sequence[Label]) -> bool:
    """Whether items of a catalog have decisions on some of these labels."""
    with open_catalog(options) as catalog:
        return any(len(rows) for _, rows, _ in labelled_rows(catalog, labels, None))


def _embedded(catalog: OpenCatalog, target: Side, watch: Watch) -> LabelSet:
    """The labels of the target with vectors by the catalog's model."""
    if target.catalog is not None:
        with open_catalog(target.catalog) as target_catalog:
            try:
                require_same(
                    catalog.fingerprint, target_catalog.fingerprint, catalog=catalog.folder.name
                )
            except ModelMismatchError:
                pass  # another model made its vectors: they are made again below
            else:
                return target_catalog.label_set
    encoder = catalog.encoder
    default = prompts.default_templates(encoder.fingerprint.content_kind)
    label_set, _, _ = embed(
        empty(catalog.fingerprint.width),
        target.labels,
        templates=catalog.label_set.templates or default,
        embed_texts=encoder.embed_texts,
        watch=watch,
    )
    return label_set
