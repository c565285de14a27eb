"""What finds the things in a picture for a catalog: a detector, or a grid and the label index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.catalog.catalog import OpenCatalog
from indexer.core.boxes import FoundObject, ObjectFinder, cut
from indexer.core.errors import UsageError
from indexer.core.label_sets import set_option
from indexer.core.object_options import ObjectOptions
from indexer.core.protocols import Encoder, Pixels
from indexer.core.records import FloatArray
from indexer.labels.regions import GridFinder

MOST_WORDS = 30
"""Words that a detector is given without asking: more cost time, and split one thing's score."""


def object_finder(catalog: OpenCatalog, options: ObjectOptions) -> ObjectFinder:
    """What finds things by these options.

    Raises:
        ModelError: the detector is not at hand, or is none; the catalog's model sees no pictures.
        UsageError: there are neither labels nor words, or too many labels to be words.
    """
    if options.detector:
        from indexer.encoder.detection import Detector

        return Detector(
            options.detector,
            options.words or coarse_words(catalog),
            device=catalog.options.device,
            threshold=options.threshold,
            most=options.most,
        )
    labels = catalog.label_set.leaves
    if not len(labels):
        raise UsageError(
            f"the regions of a picture are chosen by labels, and catalog {catalog.folder.name!r} "
            "has none: add some with: zeroshelf labels add FILE"
            f"{set_option(catalog.folder.set_name)}, or name a --detector with --object-words."
        )
    return GridFinder(
        catalog.encoder,
        labels.vectors,
        threshold=options.threshold,
        most=options.most,
    )


def coarse_words(catalog: OpenCatalog) -> tuple[str, ...]:
    """The names of the taxonomy's upper level, which a detector looks for.

    Raises:
        UsageError: there are no labels, or more than ``MOST_WORDS`` at the top.
    """
    roots = [label.name for label in catalog.label_set.labels if not label.parent_id]
    names = tuple(dict.fromkeys(roots))
    if not names:
        raise UsageError(
            f"a detector looks for words, and catalog {catalog.folder.name!r} has no labels to "
            "take them from: give --object-words 'bag,shoe,lamp', or add labels."
        )
    if len(names) > MOST_WORDS:
        raise UsageError(
            f"a detector looks for 10 to {MOST_WORDS} coarse words, and the taxonomy has "
            f"{len(names):,} labels at its top: give --object-words 'bag,shoe,lamp'."
        )
    return names


def crop_vectors(encoder: Encoder, things: Sequence[FoundObject], picture: Pixels) -> FloatArray:
    """float32 (n, d), rows of length 1: of what each thing covers of its picture.

    Args:
        picture: uint8 (height, width, 3), that the things were found in.
    """
    missing = [place for place, thing in enumerate(things) if thing.vector is None]
    crops = [encoder.prepare(cut(picture, things[place].box)) for place in missing]
    vectors = dict(zip(missing, encoder.embed_pictures(crops), strict=True)) if crops else {}
    return np.array([vectors.get(place, thing.vector) for place, thing in enumerate(things)])
