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
from queries.duplicates.signatures import agreement, signature
from queries.duplicates.thresholds import ReadPicture, Thresholds

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
        vectors: float32 (n, d), rows of length 1.
        titles: empty where there is none.
        sources: where pictures lie; empty for what is no picture.
    """

    vectors: FloatArray
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
        """Whether two titles may be of one product; where one says nothing, they may."""
        if not title or not other:
            return True
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

    Near-duplicates agree in their pictures' signatures, where both can be read; else their
    embeddings decide. Variants have near embeddings, and titles that say the same for the most
    part, where both have one. No item is far from the centre of its group.

    Args:
        read: None leaves the pictures unread.
    """
    count = len(members.vectors)
    signatures = [None if read is None else _signature(read, source) for source in members.sources]
    cosines = members.vectors @ members.vectors.T if count <= _MOST_AT_ONCE else None

    def to_others(place: int, others: IndexArray) -> FloatArray:
        if cosines is not None:
            return np.asarray(cosines[place, others])
        return np.asarray(members.vectors[others] @ members.vectors[place])

    like, centres = np.arange(count), np.arange(count)
    similarities, kinds = np.ones(count, dtype=np.float32), np.zeros(count, dtype=np.int8)
    kept = _lead_near(signatures, to_others, limits, like, similarities, kinds)
    centres = like.copy()
    if variants:
        _lead_variants(members, kept, to_others, limits, words, like, similarities, kinds, centres)
    unread = 0 if read is None else sum(one is None for one in signatures)
    return Checked(like, similarities, centres, kinds, unread)


_MOST_AT_ONCE = 2000


def _lead_near(
    signatures: Sequence[FloatArray | None],
    to_others: Callable[[int, IndexArray], FloatArray],
    limits: Thresholds,
    like: IndexArray,
    similarities: FloatArray,
    kinds: Kinds,
) -> list[int]:
    """Let items join the first picture that they are a copy of; returns the places that lead."""
    kept: list[int] = []
    for place, own in enumerate(signatures):
        leaders = np.array(kept, dtype=np.int64)
        cosines = to_others(place, leaders)
        scores = np.where(cosines >= limits.near, cosines, -1.0)
        comparable = [row for row, other in enumerate(kept) if signatures[other] is not None]
        if own is not None and comparable and limits.signature is not None:
            others = np.stack([signatures[kept[row]] for row in comparable])  # type: ignore[misc]
            agreed = agreement(own, others)
            scores[comparable] = np.where(agreed >= limits.signature, agreed, -1.0)
        if len(kept) and scores.max() > 0:
            best = int(scores.argmax())
            like[place], similarities[place] = kept[best], cosines[best]
            kinds[place] = NEAR_DUPLICATE
        else:
            kept.append(place)
    return kept


def _lead_variants(
    members: Members,
    kept: Sequence[int],
    to_others: Callable[[int, IndexArray], FloatArray],
    limits: Thresholds,
    words: Words,
    like: IndexArray,
    similarities: FloatArray,
    kinds: Kinds,
    centres: IndexArray,
) -> None:
    """Let kept pictures join the nearest centre that may show the same product."""
    leading: list[int] = []
    for place in kept:
        followers = np.flatnonzero(like == place)
        leaders = np.array(leading, dtype=np.int64)
        cosines = to_others(place, leaders)
        joined = False
        for row in np.argsort(-cosines, kind="stable"):
            if cosines[row] < limits.product:
                break
            centre = leading[row]
            near = to_others(centre, followers).min() >= limits.product
            if near and words.agree(members.titles[place], members.titles[centre]):
                like[place], similarities[place] = centre, cosines[row]
                kinds[place], centres[followers] = VARIANT, centre
                joined = True
                break
        if not joined:
            leading.append(place)


def _signature(read: ReadPicture, source: str) -> FloatArray | None:
    picture = read(source) if source else None
    return None if picture is None else signature(picture)
