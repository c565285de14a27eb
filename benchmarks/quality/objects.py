"""How many things of a scene the grid of regions finds, and how many of these by their name."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from benchmarks.quality.sets import Sources, embedded_labels
from benchmarks.quality.table import Row
from indexer.core.boxes import FoundObject, overlaps
from indexer.core.records import FloatArray
from indexer.encoder import SentenceTransformerEncoder
from indexer.jobs.sample import TAXONOMY
from indexer.labels import taxonomy
from indexer.labels.regions import GridFinder
from pocket.scenes import Scene, SceneObject, draw_scene
from pocket.shop import write_labels

CHOSEN_ON, REPORTED_ON = 1, 2
"""Seeds of the scenes that the settings were chosen on, and of those that are reported."""

SCENES = 24
FOUND_IOU = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of some scenes.

    Attributes:
        objects: that were drawn.
        regions: that were kept.
        found: objects with a region of ``FOUND_IOU``, each region for one object.
        named: of these, by the region's best label.
    """

    objects: int
    regions: int
    found: int
    named: int


def count(scenes: Sequence[Scene], encoder: SentenceTransformerEncoder) -> Counts:
    """Look for the things of some scenes by the labels of all product types."""
    with tempfile.TemporaryDirectory() as made:
        write_labels(Path(made))
        labels = embedded_labels(encoder, taxonomy.read_labels(f"{made}/{TAXONOMY}"))
    names = [label.name for label in labels.labels]
    finder = GridFinder(encoder, labels.vectors)
    objects = regions = found = named = 0
    for scene in scenes:
        kept = finder.find(np.asarray(scene.picture))
        objects += len(scene.objects)
        regions += len(kept)
        for thing, region in matched(scene.objects, kept):
            found += 1
            named += thing.name == _name(region, labels.vectors, names)
    return Counts(objects=objects, regions=regions, found=found, named=named)


def matched(
    objects: Sequence[SceneObject], regions: Sequence[FoundObject]
) -> Iterator[tuple[SceneObject, FoundObject]]:
    """Objects with their regions, the nearest pairs first; each in one pair at most."""
    if not objects or not regions:
        return
    boxes, others = (np.array([one.box for one in some]) for some in (objects, regions))
    iou, _ = overlaps(boxes, others)
    while iou.max() >= FOUND_IOU:
        row, column = np.unravel_index(iou.argmax(), iou.shape)
        yield objects[int(row)], regions[int(column)]
        iou[row], iou[:, column] = -1.0, -1.0


def _name(region: FoundObject, labels: FloatArray, names: Sequence[str]) -> str:
    assert region.vector is not None
    return names[int((labels @ region.vector).argmax())]


def rows(sources: Sources) -> Iterator[Row]:
    """Recall, the share of regions that hold a thing, and top-1 of what is found."""
    counts = {}
    for seed in (CHOSEN_ON, REPORTED_ON):
        rng = random.Random(seed)  # noqa: S311 - drawings, not secrets
        counts[seed] = count([draw_scene(rng) for _ in range(SCENES)], sources.pocket)
    chosen, reported = counts[CHOSEN_ON], counts[REPORTED_ON]
    how = (
        f"{SCENES} drawn scenes of 2 to 5 products, 640 x 480, by pocket and the grid of regions; "
        f"an object is found by a region of IoU {FOUND_IOU} or more. Settings were chosen on the "
        f"scenes of seed {CHOSEN_ON} (in the column plain), and these are of seed {REPORTED_ON}. "
        "Interval: Wilson, 95%."
    )
    for what, share in (
        ("objects found", lambda one: (one.found, one.objects)),
        ("regions that hold an object", lambda one: (one.found, one.regions)),
        ("top-1 of the objects found, 82 labels", lambda one: (one.named, one.found)),
    ):
        hits, total = share(reported)
        interval = binomtest(hits, total).proportion_ci(method="wilson")
        before, before_total = share(chosen)
        yield Row(
            what=f"scenes: {what}",
            plain=before / before_total,
            reached=hits / total,
            goal=None,
            low=interval.low,
            high=interval.high,
            how=how,
        )
