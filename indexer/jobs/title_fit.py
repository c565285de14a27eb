"""Whether a catalog's titles fit its pictures, where another model embeds them."""

from __future__ import annotations

import logging

import numpy as np

from indexer.catalog.opened import Catalog
from indexer.core.alignment import Alignment, alignment_of

_MOST_TITLES = 500

_log = logging.getLogger(__name__)


def title_fit(catalog: Catalog) -> Alignment:
    """How the first titled pictures of a catalog agree with their titles."""
    width = catalog.fingerprint.width
    pictures = titles = np.empty((0, width), dtype=np.float32)
    for shard in catalog.archive.shards():
        said = catalog.archive.title_vectors(shard)
        if said is None:
            continue
        live = np.asarray(catalog.ledger.live_rows(shard), dtype=np.int64)
        rows = live[said[live].any(axis=1)]
        pictures = np.concatenate([pictures, catalog.archive.vectors(shard)[rows]])
        titles = np.concatenate([titles, said[rows]])
        if len(titles) >= _MOST_TITLES:
            break
    return alignment_of(pictures[:_MOST_TITLES], titles[:_MOST_TITLES])


def warn_of_titles(catalog: Catalog) -> None:
    """Warn where another model embeds texts, and the catalog's titles do not fit its pictures."""
    if not catalog.fingerprint.text_model:
        return
    found = title_fit(catalog)
    if found.is_enough and found.is_chance:
        _log.warning(
            "the titles of catalog %r do not agree with its pictures better than chance (%.0f%% "
            "where 50%% is chance, of %d): --text-model %s may not be of the space of %s, or not "
            "know the titles' language.",
            catalog.folder.name,
            100 * found.share,
            found.pairs,
            catalog.fingerprint.text_model,
            catalog.fingerprint.model,
        )
