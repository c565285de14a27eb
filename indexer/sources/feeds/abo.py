"""Amazon Berkeley Objects: listings as JSON lines, values with languages, ids of pictures.

Where the picture of an id lies is in a table of its own, ``images.csv.gz``.
https://amazon-berkeley-objects.s3.amazonaws.com/index.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from indexer.sources.feeds.base import Feed, table_name
from indexer.sources.tables import Row

IMAGE_IDS = "image_id"
"""The column of all pictures, made from the main one and the others."""

LANGUAGE = "en"
"""The preferred language of values in several; else the first."""


def products(
    read: Callable[[], Iterator[Row]], columns: Mapping[str, str], merged: Counter[str]
) -> Iterator[Row]:
    """The rows with plain values, and the ids of their pictures in one column."""
    main, others = (table_name(columns, name) for name in ("main_image_id", "other_image_id"))
    for row in read():
        if row.values is None:
            yield row
            continue
        plain = partial(_plain, merged=merged)
        values = {key: plain(value) for key, value in row.values.items()}
        further = row.values.get(others) or []
        values[IMAGE_IDS] = list(filter(None, [row.values.get(main), *further]))
        yield Row(number=row.number, values=values)


def _plain(value: Any, merged: Counter[str]) -> Any:
    """A value without its language tags; of a list with one entry, that entry."""
    if not isinstance(value, list) or not all(
        isinstance(entry, Mapping) and "value" in entry for entry in value
    ):
        return value
    tagged = [entry for entry in value if "language_tag" in entry]
    entries = value
    if tagged:
        languages = [str(entry["language_tag"]) for entry in tagged]
        best = next(
            (language for language in languages if language.startswith(LANGUAGE)), languages[0]
        )
        entries = [entry for entry in tagged if entry["language_tag"] == best]
        merged["values in other languages"] += len(value) - len(entries)
    values = [entry["value"] for entry in entries]
    return values[0] if len(values) == 1 else values or None


FEED = Feed(
    name="abo",
    title="listings of Amazon Berkeley Objects",
    ids=("item_id",),
    images=(IMAGE_IDS,),
    texts=("item_name",),
    needs=(("item_id",), ("item_name",), ("main_image_id",)),
    products=products,
    consumed=("main_image_id", "other_image_id"),
)
