"""Items with the same pictures, by the hashes of their contents; arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.core.records import BoolArray, IndexArray

MOST_SHARING = 10
"""Items that may share a picture before it says nothing of those with others: a table of sizes, a
brand's sign, a place-holder."""


@dataclass(frozen=True, slots=True)
class SameContents:
    """What the contents of n items' m pictures tell.

    Attributes:
        first: int64 (n,), the first item with the same pictures; its own where it is.
        compared: bool (m,), without the pictures that many items share.
        shared: contents that many items share, and that are not compared.
    """

    first: IndexArray
    compared: BoolArray
    shared: int


def same_contents(contents: IndexArray, starts: IndexArray) -> SameContents:
    """Items whose pictures another item has, byte for byte.

    An item with other pictures beside is the same as one whose pictures it has all. Of two items
    that have only shared pictures, all must be the same.

    Args:
        contents: int64 (m,), equal numbers for equal contents, those of an item together.
        starts: int64 (n,), the first picture of each item.
    """
    owners = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(contents))))
    if len(starts) == len(contents):
        _, first, inverse = np.unique(contents, return_index=True, return_inverse=True)
        return SameContents(first[inverse], np.ones(len(contents), dtype=bool), 0)
    pairs = np.unique(contents * len(starts) + owners)
    items_by_content = np.bincount(pairs // len(starts))
    is_shared = items_by_content > MOST_SHARING
    others = np.bincount(owners, ~is_shared[contents], minlength=len(starts)) > 0
    compared = ~is_shared[contents] | ~others[owners]
    first = _first_items(contents, owners, starts, compared, items_by_content)
    return SameContents(first, compared, len(np.unique(contents[~compared])))


def _first_items(
    contents: IndexArray,
    owners: IndexArray,
    starts: IndexArray,
    compared: BoolArray,
    items_by_content: IndexArray,
) -> IndexArray:
    first, ends = np.arange(len(starts)), np.append(starts[1:], len(contents))
    pictures_of_first: dict[int, frozenset[int]] = {}
    by_pictures: dict[frozenset[int], int] = {}
    by_content: dict[int, int] = {}
    for item in np.unique(owners[compared & (items_by_content[contents] > 1)]).tolist():
        rows = slice(starts[item], ends[item])
        pictures = frozenset(contents[rows][compared[rows]].tolist())
        first_item = by_pictures.get(pictures)
        if first_item is None and items_by_content[list(pictures)].max() <= MOST_SHARING:
            beside = sorted({by_content[picture] for picture in pictures if picture in by_content})
            fits = (
                pictures <= pictures_of_first[candidate] or pictures >= pictures_of_first[candidate]
                for candidate in beside
            )
            first_item = next(
                (candidate for candidate, fit in zip(beside, fits, strict=True) if fit), None
            )
        if first_item is not None:
            first[item] = first_item
            continue
        pictures_of_first[item], by_pictures[pictures] = pictures, item
        for content in pictures:
            by_content.setdefault(content, item)
    return first
