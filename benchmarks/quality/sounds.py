"""How often the packaged model of sounds knows what it never heard."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.quality.sets import Sources
from benchmarks.quality.table import Row
from queries.evaluation.metrics import wilson_interval

EACH = 2
"""Sounds of each combination."""


def rows(_sources: Sources) -> Iterator[Row]:
    """Top-1 and top-5 of drawn sounds; its training needs ``espeak-ng``, and so does this."""
    from pocket.sounds.evaluate import evaluate
    from pocket.sounds.train import MODEL_FOLDER

    how = (
        "pocket-sounds on drawn sounds of five seconds; combinations, wordings and kinds that no "
        "training sound or text had. The figures with a goal were tuned on other ones. Interval: "
        "Wilson, 95%, as if sounds were independent."
    )
    for section in evaluate(MODEL_FOLDER, part="test", per_combination=EACH):
        for figure in section.figures:
            if figure.ranks is None:
                continue
            hits = int((figure.ranks < figure.top).sum())
            low, high = wilson_interval(hits, len(figure.ranks))
            yield Row(
                what=f"sounds, {section.title.lower()}: {figure.what}, top-{figure.top} "
                f"({len(figure.ranks)} sounds)",
                plain=None,
                reached=figure.share,
                goal=figure.wanted,
                low=low,
                high=high,
                how=how,
            )
