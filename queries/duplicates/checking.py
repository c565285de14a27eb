"""What is alike inside a coarse group: near-duplicates and variants, each near what leads it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray, IndexArray
from indexer.core.vectors import rows_of_groups
from queries.duplicates.leaders import ItemViews
from queries.duplicates.signatures import ReadPicture, Signatures
from queries.duplicates.thresholds import Thresholds

if TYPE_CHECKING:
    import pyarrow as pa

SAME_WORDS = 0.8
"""Share of the words of two titles, weighted by how rare they are, that variants have in common,
words of colours and sizes aside."""

_COLOURS = (
    "beige black blue bronze brown burgundy cream cyan gold gray green grey indigo ivory khaki "
    "lavender magenta maroon mint multicolor multicolour mustard navy olive orange peach pink plum "
    "purple red rose rust salmon silver tan teal turquoise violet white yellow dark light"
)
_SIZES = "xxs xs s m l xl xxl xxxl 2xl 3xl small medium large size eu uk us"
VARYING = frozenset(f"{_COLOURS} {_SIZES}".split())
"""Words that titles of variants differ by, in English; those of other languages count as others."""

Kinds = npt.NDArray[np.int8]
KINDS = ("centre", "same content", "near-duplicate", "variant")
CENTRE, SAME_CONTENT, NEAR_DUPLICATE, VARIANT = range(len(KINDS))


@dataclass(frozen=True, slots=True)
class Members:
    """What is known of n items of a coarse group, in the order in which they are kept.

    Attributes:
        views: of their pictures.
        titles: empty where there is none.
        sources: where the pictures lie; empty for what is no picture.
    """

    views: ItemViews
    titles: Sequence[str]
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class Checked:
    """How the items of a coarse group belong together; places in the group.

    Attributes:
        like: int64 (n,), what an item is compared with; itself for a centre.
        similarities: float32 (n,), the cosine to it.
        centres: int64 (n,), the centre of its group.
        kinds: int8 (n,).
        unread: pictures that could not be read, so that their embeddings decided.
    """

    like: IndexArray
    similarities: FloatArray
    centres: IndexArray
    kinds: Kinds
    unread: int


class Words:
    """How much two titles say the same.

    Args:
        titles: texts of all items that are compared.
    """

    def __init__(self, titles: pa.ChunkedArray) -> None:
        counts = Counter(word for title in titles for word in _words(title.as_py()))
        self._rarity = {word: math.log((1 + len(titles)) / count) for word, count in counts.items()}

    def agree(self, title: str, other: str) -> bool:
        """Whether two titles, neither of them empty, may be of one product."""
        words, others = _words(title), _words(other)
        union = sum(map(self._rarity.__getitem__, words | others))
        shared = sum(map(self._rarity.__getitem__, words & others))
        return shared >= SAME_WORDS * union


def _words(title: str) -> set[str]:
    return set(re.findall(r"\w+", title.casefold())) - VARYING


def check_group(
    members: Members,
    limits: Thresholds,
    words: Words,
    *,
    variants: bool,
    read: ReadPicture | None,
) -> Checked:
    """Find near-duplicates, then variants among what is kept of them.

    Pictures are copies where their signatures agree, if both can be read; else their embeddings
    decide. Of near-duplicates each picture of the one with fewer is a copy of one of the other's.
    Variants have near embeddings, by their nearest pictures, and titles that say the same for the
    most part; where a title is missing, the limits say whether embeddings alone decide. No item is
    far from the centre of its group.

    Args:
        read: None leaves the pictures unread.
    """
    views = members.views
    count = len(views)
    cosines = views.cosines(views) if len(views.vectors) <= _MOST_AT_ONCE else None

    def to_others(place: int, others: IndexArray) -> FloatArray:
        if cosines is not None:
            return np.asarray(cosines[place, others])
        if not len(others):
            return np.empty(0, dtype=np.float32)
        nearest: FloatArray = views.take(np.array([place])).cosines(views.take(others))[0]
        return nearest

    like, centres = np.arange(count), np.arange(count)
    similarities, kinds = np.ones(count, dtype=np.float32), np.zeros(count, dtype=np.int8)
    signatures = Signatures(members.sources, read)
    originals = _lead_near(views, signatures, to_others, limits, like, similarities, kinds)
    centres = like.copy()
    if variants:
        _lead_variants(
            members, originals, to_others, limits, words, like, similarities, kinds, centres
        )
    return Checked(like, similarities, centres, kinds, signatures.unread)


_MOST_AT_ONCE = 2000
"""Pictures whose cosines with each other are all kept: 16 MB."""

_MOST_LEADERS_READ = 256
"""Leaders whose pictures are compared with an item's: those with the nearest embeddings."""


def _lead_near(
    views: ItemViews,
    signatures: Signatures,
    to_others: Callable[[int, IndexArray], FloatArray],
    limits: Thresholds,
    like: IndexArray,
    similarities: FloatArray,
    kinds: Kinds,
) -> list[int]:
    """Let items join the first one that they are a copy of; returns the places that lead."""
    originals: list[int] = []
    starts, ends = views.starts.tolist(), views.ends.tolist()
    for place in range(len(views)):
        leaders = np.array(originals, dtype=np.int64)
        cosines = to_others(place, leaders)
        if len(leaders) > _MOST_LEADERS_READ:
            nearest = np.sort(np.argpartition(-cosines, _MOST_LEADERS_READ)[:_MOST_LEADERS_READ])
            leaders, cosines = leaders[nearest], cosines[nearest]
        pictures = range(starts[place], ends[place])
        scores = _copied(views, signatures, pictures, leaders, limits) if len(leaders) else cosines
        if len(leaders) and scores.max() > 0:
            best = int(scores.argmax())
            like[place], similarities[place] = leaders[best], cosines[best]
            kinds[place] = NEAR_DUPLICATE
            signatures.forget(pictures)
        else:
            originals.append(place)
    return originals


def _copied(
    views: ItemViews,
    signatures: Signatures,
    pictures: range,
    leaders: IndexArray,
    limits: Thresholds,
) -> FloatArray:
    """How much an item is a copy of each leader, float32 (l,): -1 for none.

    Args:
        pictures: of the item.
    """
    others = views.take(leaders)
    other_pictures, _ = rows_of_groups(views.starts, len(views.vectors), leaders)
    scores = views.vectors[pictures.start : pictures.stop] @ others.vectors.T
    copies = scores >= limits.near
    if limits.signature is not None:
        for row, picture in enumerate(pictures):
            agreed = signatures.agreement(picture, other_pictures.tolist())
            both_read = ~np.isnan(agreed)
            scores[row, both_read] = agreed[both_read]
            copies[row, both_read] = agreed[both_read] >= limits.signature
    own_copied = np.logical_or.reduceat(copies, others.starts, axis=1).sum(axis=0)
    others_copied = np.add.reduceat(copies.any(axis=0), others.starts, dtype=np.int64)
    sizes = others.ends - others.starts
    fits = np.where(len(pictures) <= sizes, own_copied == len(pictures), others_copied == sizes)
    best = np.maximum.reduceat(np.where(copies, scores, -1.0).max(axis=0), others.starts)
    return np.where(fits, best, np.float32(-1.0))


def _lead_variants(
    members: Members,
    originals: Sequence[int],
    to_others: Callable[[int, IndexArray], FloatArray],
    limits: Thresholds,
    words: Words,
    like: IndexArray,
    similarities: FloatArray,
    kinds: Kinds,
    centres: IndexArray,
) -> None:
    """Let originals join the nearest centre that may show the same product."""
    leading: list[int] = []
    for place in originals:
        followers = np.flatnonzero(like == place)
        leaders = np.array(leading, dtype=np.int64)
        cosines = to_others(place, leaders)
        joined = False
        for row in np.argsort(-cosines, kind="stable"):
            if cosines[row] < limits.product:
                break
            centre = leading[row]
            titles = members.titles[place], members.titles[centre]
            agreed = words.agree(*titles) if all(titles) else limits.untitled
            if agreed and to_others(centre, followers).min() >= limits.product:
                like[place], similarities[place] = centre, cosines[row]
                kinds[place], centres[followers] = VARIANT, centre
                joined = True
                break
        if not joined:
            leading.append(place)
