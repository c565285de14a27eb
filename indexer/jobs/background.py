"""Gives a catalog a background vocabulary, with which unknown items are recognised."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import TaxonomyError
from indexer.core.records import FloatArray, Label
from indexer.core.vectors import normalise
from indexer.core.watch import Watch
from indexer.labels import prompts
from indexer.labels.examples import Background, LabelledFolder, packaged_concepts, parse_concepts
from indexer.labels.sets import embed, empty, read_rows

_log = logging.getLogger(__name__)


def save_background(
    options: CatalogOptions,
    file: Path | None = None,
    *,
    vectors: Path | None = None,
    watch: Watch = Watch(),
) -> int:
    """Embed names of things, and store them with the labels.

    Args:
        file: one name a line; None is the packaged list. The first of repeated names counts.
        vectors: a ``.npy`` file, float (n, d), a row for each line of the file; None embeds the
            names.

    Returns:
        The number of names.

    Raises:
        TaxonomyError: the file can't be read or has no name, or the vectors do not fit.
    """
    lines = packaged_concepts() if file is None else _read(file)
    rows = {word: row for row, word in reversed(list(enumerate(lines)))}
    words = tuple(dict.fromkeys(lines))
    if len(words) < len(lines):
        _log.warning(
            "%d lines of %s repeat earlier names, and are left out.",
            len(lines) - len(words),
            file,
        )
    with open_catalog(options, write=True) as catalog:
        if vectors is None:
            background_vectors = embed_words(catalog, words, watch)
        else:
            width = catalog.fingerprint.width
            file_vectors = read_rows(vectors, "background name", lines, width)
            background_vectors = normalise(file_vectors)[[rows[word] for word in words]]
        LabelledFolder(catalog.folder.labels).save_background(Background(words, background_vectors))
    return len(words)


def remove_background(options: CatalogOptions) -> None:
    """Remove the vocabulary: unknowns are recognised by concept matching again."""
    with open_catalog(options, write=True) as catalog:
        LabelledFolder(catalog.folder.labels).save_background(None)


def _read(file: Path) -> tuple[str, ...]:
    try:
        words = parse_concepts(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"background {str(file)!r} can't be read: {error}.") from error
    if not words:
        raise TaxonomyError(f"background {str(file)!r} has no name: write one a line.")
    return words


def embed_words(catalog: OpenCatalog, words: Sequence[str], watch: Watch) -> FloatArray:
    """Vectors of names by the catalog's model: float32 (n, d), rows of length 1."""
    default_templates = prompts.default_templates(catalog.encoder.fingerprint.content_kind)
    label_set, _, _ = embed(
        empty(catalog.fingerprint.width),
        [Label(label_id=word, name=word, path=(word,)) for word in words],
        templates=_without_hierarchy(catalog.label_set.templates) or default_templates,
        embed_texts=catalog.encoder.embed_texts,
        watch=watch,
    )
    return label_set.vectors


def _without_hierarchy(templates: Sequence[str]) -> tuple[str, ...]:
    """The labels' templates that need only a name."""
    label_fields = ("{parent}", "{path}", "{description}")
    return tuple(
        template for template in templates if not any(field in template for field in label_fields)
    )
