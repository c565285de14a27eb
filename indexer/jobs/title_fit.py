"""Checks that titles fit their pictures, where another model embeds texts."""

from __future__ import annotations

import logging

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.alignment import Alignment, alignment_of

# The check compares pairs: enough to tell a share from chance, in one block of memory.
_MAX_TITLES = 500

_log = logging.getLogger(__name__)


def title_fit(catalog: OpenCatalog) -> Alignment:
    """Alignment of a catalog's first titled pictures with their titles."""
    width = catalog.fingerprint.width
    pictures = titles = np.empty((0, width), dtype=np.float32)
    for shard in catalog.archive.shards():
        title_vectors = catalog.archive.title_vectors(shard)
        if title_vectors is None:
            continue
        live = np.asarray(catalog.ledger.live_rows(shard), dtype=np.int64)
        rows = live[title_vectors[live].any(axis=1)]
        pictures = np.concatenate([pictures, catalog.archive.vectors(shard)[rows]])
        titles = np.concatenate([titles, title_vectors[rows]])
        if len(titles) >= _MAX_TITLES:
            break
    return alignment_of(pictures[:_MAX_TITLES], titles[:_MAX_TITLES])


def warn_of_title_mismatch(catalog: OpenCatalog) -> None:
    """Warn where another model embeds texts, and the catalog's titles do not fit its pictures."""
    if not catalog.fingerprint.text_model:
        return
    alignment = title_fit(catalog)
    if alignment.is_enough and alignment.is_chance:
        _log.warning(
            "the titles of catalog %r do not agree with its pictures better than chance (%.0f%% "
            "where 50%% is chance, of %d): --text-model %s may not be of the space of %s, or not "
            "know the titles' language.",
            catalog.folder.name,
            100 * alignment.share,
            alignment.pairs,
            catalog.fingerprint.text_model,
            catalog.fingerprint.model,
        )
