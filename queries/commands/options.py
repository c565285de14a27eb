"""The options of every command that decides on labels, or chooses items."""

from __future__ import annotations

from typing import Annotated

from indexer.commands.options import option, with_options
from indexer.commands.tables import split_names
from indexer.core.errors import UsageError
from indexer.labels.prompts import Pooling
from queries.deciding.question import Question, ViewPooling
from queries.deciding.settings import Settings

Limit = Annotated[int, option("--limit", min=1, help="Results for each input.")]
Filter = Annotated[
    str,
    option(
        "--filter",
        help="Only items that match, in Milvus' syntax: "
        'metadata["price"] < 20 and label == "mug".',
        show_default=False,
    ),
]
OnlyLabels = Annotated[
    str | None,
    option(
        "--labels",
        help="Only these labels (default: all leaves): ids or names, separated by commas; one "
        'that holds a comma in "double quotes". A label that has others below it means its leaves.',
    ),
]
UnderLabels = Annotated[
    str | None,
    option(
        "--under",
        help="Only the leaves below these labels of the taxonomy, as --labels takes them.",
    ),
]
Adapt = Annotated[
    bool,
    option("--adapt/--no-adapt", help="Decide by labels that are adapted to the catalog's items."),
]
Partition = Annotated[
    str | None,
    option(
        "--partition",
        help="Only items of this partition, such as one shop, of a catalog that was made with "
        "--partition-key.",
    ),
]
Coverage = Annotated[
    float | None,
    option(
        "--coverage",
        min=0.5,
        max=0.999,
        help="Give each item the smallest set of labels that holds the truth with this "
        "probability, by the calibrating items.",
    ),
]
TextWeight = Annotated[
    float | None,
    option(
        "--text-weight",
        min=0.0,
        max=1.0,
        help="Share of the title in the scores of what has one; 0 leaves titles out. Default: 0.4.",
    ),
]


def _question(
    *,
    limit: Limit = 5,
    labels: OnlyLabels = None,
    under: UnderLabels = None,
    adapt: Adapt = True,
    prompt_pooling: Annotated[
        Pooling,
        option(
            "--prompt-pooling",
            help="A label's score: of the mean of its prompts, or of its best one (max: as the "
            "model has it, never adapted to the catalog).",
        ),
    ] = Pooling.MEAN,
    view_pooling: Annotated[
        ViewPooling,
        option(
            "--view-pooling",
            help="What decides on items of several parts: the mean of all, or the part with the "
            "highest score (best). auto: best for items with boxes, mean for all others.",
        ),
    ] = ViewPooling.AUTO,
    level: Annotated[
        int | None,
        option("--level", min=1, help="Answer at this level of the taxonomy; 1 is the top."),
    ] = None,
    back_off: Annotated[
        float | None,
        option(
            "--back-off",
            min=0.0,
            max=1.0,
            help="Go up the taxonomy until a label has this probability.",
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        option("--min-score", min=0.0, max=1.0, help="Accept labels from this score on."),
    ] = None,
    target_precision: Annotated[
        float | None,
        option(
            "--target-precision",
            min=0.5,
            max=0.999,
            help="Accept labels so that this share is right, by the labelled items.",
        ),
    ] = None,
    multi_label: Annotated[
        bool,
        option("--multi-label", help="Labels do not exclude each other: score each alone."),
    ] = False,
    coverage: Coverage = None,
    text_weight: TextWeight = None,
) -> Question:
    settings = Settings(
        level=level,
        back_off=back_off,
        min_score=min_score,
        target_precision=target_precision,
        multi_label=multi_label,
        coverage=coverage,
        text_weight=text_weight,
    )
    settings.check()
    return Question(
        labels=chosen_labels(labels, under),
        adapt=adapt,
        pooling=prompt_pooling,
        view_pooling=view_pooling,
        settings=settings,
        limit=limit,
    )


with_question = with_options("question", _question)
"""Puts them in the place of a command's parameter ``question``."""


def chosen_labels(labels: str | None, under: str | None) -> tuple[str, ...] | None:
    """Ids or names of ``--labels`` or ``--under``; None where neither is given.

    Raises:
        UsageError: both are given.
    """
    if labels and under:
        raise UsageError("--labels and --under both choose the active labels: give one of them.")
    names = labels or under
    return split_names(names) if names else None
