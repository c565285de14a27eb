"""The options of every command that decides on labels."""

from __future__ import annotations

from typing import Annotated

from indexer.commands.options import option
from indexer.prompts import Pooling

Level = Annotated[
    int | None,
    option("--level", min=1, help="Answer at this level of the taxonomy; 1 is the top."),
]
BackOff = Annotated[
    float | None,
    option(
        "--back-off",
        min=0.0,
        max=1.0,
        help="Go up the taxonomy until a label has this probability.",
    ),
]
MinScore = Annotated[
    float | None,
    option("--min-score", min=0.0, max=1.0, help="Accept labels from this score on."),
]
TargetPrecision = Annotated[
    float | None,
    option(
        "--target-precision",
        min=0.5,
        max=0.999,
        help="Accept labels so that this share is right, by the labelled items.",
    ),
]
TextWeight = Annotated[
    float | None,
    option(
        "--text-weight",
        min=0.0,
        max=1.0,
        help="Share of the title in the scores of what has one; 0 leaves titles out. Default: "
        "0.4, chosen on the sample shop. Unknown scores go by pictures alone.",
    ),
]
PromptPooling = Annotated[
    Pooling,
    option(
        "--prompt-pooling",
        help="A label's score: of the mean of its prompts, or of its best one (max: as the "
        "model has it, never adapted to the catalog).",
    ),
]
Partition = Annotated[
    str | None,
    option(
        "--partition",
        help="Only items of this partition, such as one shop, of a catalog that was made with "
        "--partition-key.",
    ),
]
MultiLabel = Annotated[
    bool, option("--multi-label", help="Labels do not exclude each other: score each alone.")
]
