"""How the things in a picture are found; light, since the help of commands loads it."""

from __future__ import annotations

from dataclasses import dataclass

MOST_OBJECTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectOptions:
    """How the things in a picture are found.

    Attributes:
        detector: a zero-shot detector of transformers, folder or hub name; empty for the grid.
        words: what a detector looks for; empty for the upper level of the catalog's taxonomy.
        threshold: score from which a thing is one; None is the finder's own.
        most: things of a picture, the surest.
    """

    detector: str = ""
    words: tuple[str, ...] = ()
    threshold: float | None = None
    most: int = MOST_OBJECTS
