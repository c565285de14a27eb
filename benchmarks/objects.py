"""Regions of the grid a second against the model's own rate.

    python -m benchmarks.objects [--json FILE] [--rounds 3]

From JPEGs of 640 x 480 pixels to their things with embeddings, as ``ingest --objects`` finds them,
by CPU time, against the forward pass alone on as many crops, prepared; both in one process, in
turns, medians. The model is ``pocket``, whose forward pass is short: what is done beside it counts
the most.
"""

from __future__ import annotations

import io
import random
import time

from benchmarks.report import Row, command_line, compared, show
from benchmarks.turns import median_seconds

PICTURES = 4
WARM_UP = 2
"""Rounds that are not counted: the model is exported after its first inputs."""

GOAL = 0.9


def rate_row(rounds: int) -> Row:
    """Regions a second of CPU time, from the files to the things in them."""
    import numpy as np

    from indexer.core.boxes import cut
    from indexer.encoder import SentenceTransformerEncoder
    from indexer.labels.regions import GridFinder
    from indexer.sources.decoding import Decoder
    from pocket.drawing import product_types
    from pocket.scenes import draw_scene

    encoder = SentenceTransformerEncoder("pocket", device="cpu", precision="float32")
    names = [f"a photo of a {kind.name}." for kind in product_types()]
    finder = GridFinder(encoder, encoder.embed_texts(names))
    decoder, files = Decoder(), []
    for seed in range(PICTURES):
        buffer = io.BytesIO()
        draw_scene(random.Random(seed)).picture.save(buffer, "JPEG")  # noqa: S311 - a drawing
        files.append(buffer.getvalue())
    crops = [
        encoder.prepare(cut(picture, tuple(box)))
        for picture in (decoder.decode(file, "scene") for file in files)
        for box in finder.regions(picture).tolist()
    ]

    def model_alone() -> None:
        assert np.isfinite(encoder.embed_pictures(crops)).all()

    def files_to_things() -> None:
        assert all(finder.find(decoder.decode(file, "scene")) for file in files)

    works = {"alone": model_alone, "whole": files_to_things}
    seconds = median_seconds(works, rounds, warm_up=WARM_UP, clock=time.process_time)
    return compared(
        "regions of pictures of 640 x 480, JPEG to things (ingest --objects), CPU time",
        "the model alone on as many crops",
        len(crops) / seconds["whole"],
        len(crops) / seconds["alone"],
        "regions/s",
        f">= {GOAL:g}",
    )


def main() -> None:
    """Reads the command line, measures and shows."""
    options = command_line("objects", __doc__, rounds=3).parse_args()
    show([rate_row(options.rounds)], options.json)


if __name__ == "__main__":
    main()
