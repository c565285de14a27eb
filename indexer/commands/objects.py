"""The options of every command that looks for several things in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from indexer.commands import console
from indexer.commands.options import option, with_options
from indexer.commands.panels import OBJECTS
from indexer.commands.tables import split_names
from indexer.core.errors import UsageError
from indexer.core.object_options import MOST_OBJECTS, ObjectOptions


def _objects(
    *,
    objects: Annotated[
        bool,
        option(
            "--objects",
            rich_help_panel="Options",
            help="Look for several things in a picture, each in a box of its own.",
        ),
    ] = False,
    detector: Annotated[
        str,
        option(
            metavar="MODEL",
            help="A zero-shot detector that finds the boxes: OWL-ViT, OWLv2 or Grounding DINO, a "
            "folder or a name on the hub. Default: a grid of regions, chosen by the labels.",
            show_default=False,
        ),
    ] = "",
    object_words: Annotated[
        str,
        option(
            metavar="WORDS",
            help="What the detector looks for, 10 to 30 coarse words separated by commas. Default: "
            "the top of the taxonomy.",
            show_default=False,
        ),
    ] = "",
    object_score: Annotated[
        float | None,
        option(
            min=-1.0,
            max=1.0,
            help="Score from which there is a thing in a box. Default: the detector's, or the "
            "grid's.",
            show_default=False,
        ),
    ] = None,
    max_objects: Annotated[
        int, option(min=1, max=100, help="Things of a picture, the surest.")
    ] = MOST_OBJECTS,
) -> ObjectOptions | None:
    options = ObjectOptions(
        detector=detector,
        words=split_names(object_words),
        threshold=object_score,
        most=max_objects,
    )
    if objects:
        return options
    if options != ObjectOptions():
        raise UsageError(
            "--detector, --object-words, --object-score and --max-objects say how things are "
            "found: add --objects."
        )
    return None


def say_words(words: Sequence[str]) -> None:
    """Tell what a detector looks for; nothing of a grid, which has no words."""
    if words:
        console.say(f"The detector looks for {', '.join(words)} (--object-words).")


with_objects = with_options("objects", _objects, panel=OBJECTS)
"""Puts them in the place of a command's parameter ``objects``; None where they are not given."""
