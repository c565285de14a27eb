"""The things in one picture: their labels, and the items like each ("shop the look")."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.catalog.objects import crop_vectors, object_finder
from indexer.catalog.opening import OpenCatalog
from indexer.core.boxes import FoundObject, ObjectFinder
from indexer.core.object_options import ObjectOptions
from indexer.core.protocols import Encoder, Pixels
from indexer.core.records import FloatArray
from queries.classify import Classifier
from queries.deciding.question import Question
from queries.results import PictureObject, PictureObjects
from queries.search.finding import find
from queries.search.query import SearchQuery

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedObjects:
    """The things in a picture, the surest first, at least one.

    Attributes:
        found: n things; the whole picture where nothing was found.
        vectors: float32 (n, d), of their crops, rows of length 1.
        size: width and height of the picture.
        is_whole: nothing was found.
        words: what a detector looked for.
    """

    found: tuple[FoundObject, ...]
    vectors: FloatArray
    size: tuple[int, int]
    is_whole: bool
    words: tuple[str, ...] = ()

    def results(self) -> PictureObjects:
        """The things without labels and items."""
        width, height = self.size
        objects = tuple(
            PictureObject(box=thing.box, score=thing.score, word=thing.word) for thing in self.found
        )
        return PictureObjects(
            width=width,
            height=height,
            objects=objects,
            is_whole=self.is_whole,
            words=self.words,
        )


def embed_objects(encoder: Encoder, finder: ObjectFinder, picture: Pixels) -> EmbeddedObjects:
    """Find the things in a picture, and embed what of it each one covers.

    Args:
        picture: uint8 (height, width, 3), upright and of full size.
    """
    return replace(embed_found(encoder, finder.find(picture), picture), words=finder.words)


def embed_found(encoder: Encoder, found: Sequence[FoundObject], picture: Pixels) -> EmbeddedObjects:
    """Embed the crops of things that have no vector yet; the whole picture where there are none."""
    height, width = picture.shape[:2]
    things = list(found) or [FoundObject(box=(0, 0, width, height), score=0.0)]
    return EmbeddedObjects(
        found=tuple(things),
        vectors=crop_vectors(encoder, things, picture),
        size=(width, height),
        is_whole=not found,
    )


def search_objects(
    catalog: OpenCatalog, picture: Pixels, options: ObjectOptions, query: SearchQuery
) -> PictureObjects:
    """The things in a picture with the items like each, and their labels where there are some.

    Args:
        picture: uint8 (height, width, 3), upright and of full size.
        query: limit, filter and the like; its vector is each thing's.

    Raises:
        ModelError, UsageError: as ``object_finder`` and ``find``.
    """
    embedded = embed_objects(catalog.encoder, object_finder(catalog, options), picture)
    results = embedded.results()
    if len(catalog.label_set):
        classifier = Classifier(catalog, Question(limit=1))
        results = results.with_labels(classifier.classify(embedded.vectors))
    return find_like(catalog, results, embedded.vectors, query)


def find_like(
    catalog: OpenCatalog, results: PictureObjects, vectors: FloatArray, query: SearchQuery
) -> PictureObjects:
    """The same things with the items like each.

    Args:
        vectors: float32 (n, d), of the n things' crops.
        query: its vector is each thing's.
    """
    found = [find(catalog, replace(query, vector=vector)) for vector in vectors]
    for note in dict.fromkeys(note for result in found for note in result.notes):
        _log.warning("%s", note)
    objects = [
        replace(thing, hits=tuple(result.hits))
        for thing, result in zip(results.objects, found, strict=True)
    ]
    return replace(results, objects=tuple(objects))
