"""How many things of a scene the grid of regions finds, how many of these by their name.

Also whether the item gets the label of a thing in it: by the mean of its parts, or by the best.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.sets import Sources, embedded_labels
from benchmarks.quality.table import Row
from indexer.catalog.item_vectors import mean_vectors
from indexer.catalog.objects import crop_vectors
from indexer.core.boxes import FoundObject, overlaps
from indexer.core.records import FloatArray
from indexer.core.softmax import softmax
from indexer.encoder import SentenceTransformerEncoder
from indexer.jobs.sample import TAXONOMY
from indexer.labels import taxonomy
from indexer.labels.regions import GridFinder
from pocket.scenes import Scene, SceneObject, draw_scene
from pocket.shop import write_labels
from queries.evaluation.metrics import wilson_interval

CHOSEN_ON, REPORTED_ON = (1,), (2, 3, 4)
"""Seeds of the scenes that the settings were chosen on, and of those that are reported."""

SCENES = 24
"""Of each seed."""

FOUND_IOU = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of some scenes.

    Attributes:
        objects: that were drawn.
        regions: that were kept.
        found: objects with a region of ``FOUND_IOU``, each region for one object.
        named: of these, by the region's best label.
        scenes: that were looked at.
        by_mean: of these, whose label is that of a thing in it, by the mean of all parts.
        by_best: the same by the part with the highest score.
    """

    objects: int
    regions: int
    found: int
    named: int
    scenes: int
    by_mean: int
    by_best: int


def count(scenes: Sequence[Scene], encoder: SentenceTransformerEncoder) -> Counts:
    """Look for the things of some scenes by the labels of all product types."""
    with tempfile.TemporaryDirectory() as made:
        write_labels(Path(made))
        labels = embedded_labels(encoder, taxonomy.read_label_file(f"{made}/{TAXONOMY}").labels)
    names = [label.name for label in labels.labels]
    finder = GridFinder(encoder, labels.vectors)
    objects = regions = found = named = by_mean = by_best = 0
    for scene in scenes:
        picture = np.asarray(scene.picture)
        kept = finder.find(picture)
        whole = encoder.embed_pictures([encoder.prepare(picture)])
        views = np.concatenate([whole, crop_vectors(encoder, kept, picture)]) if kept else whole
        shown = {thing.name for thing in scene.objects}
        mean = mean_vectors(views, np.zeros(1, dtype=np.int64))
        by_mean += names[int((mean @ labels.vectors.T).argmax())] in shown
        by_best += names[_surest(views, labels.vectors, encoder.logit_scale)] in shown
        objects += len(scene.objects)
        regions += len(kept)
        for thing, region in matched(scene.objects, kept):
            found += 1
            named += thing.name == _name(region, labels.vectors, names)
    return Counts(
        objects=objects,
        regions=regions,
        found=found,
        named=named,
        scenes=len(scenes),
        by_mean=by_mean,
        by_best=by_best,
    )


def matched(
    objects: Sequence[SceneObject], regions: Sequence[FoundObject]
) -> Iterator[tuple[SceneObject, FoundObject]]:
    """Objects with their regions, the nearest pairs first; each in one pair at most."""
    if not objects or not regions:
        return
    boxes, others = (np.array([each.box for each in boxed]) for boxed in (objects, regions))
    iou, _ = overlaps(boxes, others)
    while iou.max() >= FOUND_IOU:
        row, column = np.unravel_index(iou.argmax(), iou.shape)
        yield objects[int(row)], regions[int(column)]
        iou[row], iou[:, column] = -1.0, -1.0


def _name(region: FoundObject, labels: FloatArray, names: Sequence[str]) -> str:
    assert region.vector is not None
    return names[int((labels @ region.vector).argmax())]


def _surest(views: FloatArray, labels: FloatArray, scale: float) -> int:
    """The label of the part with the highest score."""
    scores = softmax(views @ labels.T, 1 / scale)
    return int(np.unravel_index(scores.argmax(), scores.shape)[1])


def _scenes(seeds: Sequence[int]) -> list[Scene]:
    drawn = []
    for seed in seeds:
        rng = random.Random(seed)  # noqa: S311 - drawings, not secrets
        drawn += [draw_scene(rng) for _ in range(SCENES)]
    return drawn


def rows(sources: Sources) -> Iterator[Row]:
    """Recall, the share of regions that hold a thing, top-1 of what is found, and of the items."""
    chosen, reported = (count(_scenes(seeds), sources.pocket) for seeds in (CHOSEN_ON, REPORTED_ON))
    how = (
        f"{reported.scenes} drawn scenes of 2 to 5 products, 640 x 480, by pocket and the grid of "
        f"regions; an object is found by a region of IoU {FOUND_IOU} or more. Settings were chosen "
        f"on the {chosen.scenes} scenes of seed {_named(CHOSEN_ON)} (in the column plain), and "
        f"these are of the seeds {_named(REPORTED_ON)}. Interval: Wilson, 95%."
    )
    for what, share in (
        ("objects found", lambda counts: (counts.found, counts.objects)),
        ("regions that hold an object", lambda counts: (counts.found, counts.regions)),
        ("top-1 of the objects found, 82 labels", lambda counts: (counts.named, counts.found)),
        (
            "items labelled as a thing in them, by the mean",
            lambda counts: (counts.by_mean, counts.scenes),
        ),
        (
            "items labelled as a thing in them, by the best",
            lambda counts: (counts.by_best, counts.scenes),
        ),
    ):
        hits, total = share(reported)
        low, high = wilson_interval(hits, total)
        before, before_total = share(chosen)
        yield Row(
            what=f"scenes: {what}",
            plain=before / before_total,
            reached=hits / total,
            goal=None,
            low=low,
            high=high,
            how=how,
        )


def _named(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))
