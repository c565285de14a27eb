"""Pictures and titles together: a label's score is a blend of what both say of it.

The two sides are not alike: titles and labels are both texts, so their cosines are much
higher than those of pictures and labels, and differ less. So each side is scored in full
by itself, centred on its own vectors where the catalog is adapted, and in units of its own
spread; then the two are averaged. The blend is brought back to the pictures' spread, so
that temperatures and thresholds keep their meaning.

Titles are scored by the labels that are adapted to the pictures, without the labels' biases, which
are the pictures' frequencies. Labels adapted to the titles were no better (top-1 of fashion by the
small dual encoder .490 and .312 over 32 and 1,203 labels, against .498 and .316; of the sample
shop .931 and .448 by two models, against .931 and .471), and the one matrix makes one product of
both sides.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.catalog.sampling import sampled_rows
from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.jobs.adapt import still_serves
from indexer.labels.adaptation import MIN_ITEMS, Centring, fit_centring
from indexer.labels.examples import LabelledFolder
from queries.deciding.calibration import MIN_SCORE
from queries.deciding.scorer import Scorer

_SAMPLE = 4_096
"""Items whose titles are looked at, where they are centred and measured."""

MEASURED = 512
"""Titled items that stand for all where it is measured how far both sides' scores spread."""

_METHOD = "titles by the pictures' labels; a side without a spread in its own unit"
"""The method of scoring titles. What was measured by another method is measured again."""

_ROWS = 256
# Labels that are all alike have no spread to divide by.
_TINY = 1e-9
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """How titles change the scores of pictures.

    Attributes:
        titles: scores of the active labels by a title.
        picture_share: what a picture's scores are multiplied by, where there is a title.
        title_share: what a title's scores are multiplied by.
        min_score: accept inputs with a title from here on.
        unknown_above: inputs with a title are unknown beyond this unknown score.
        unit: what the blend was multiplied by, for a temperature of its own.
    """

    titles: Scorer
    picture_share: float
    title_share: float
    min_score: float = MIN_SCORE
    unknown_above: float = math.inf
    unit: float = 1.0

    def scaled(self, factor: float) -> Fusion:
        """The same blend in another unit, such as the one that a temperature is in."""
        return replace(
            self,
            picture_share=factor * self.picture_share,
            title_share=factor * self.title_share,
            unit=factor * self.unit,
        )

    def blend(self, scores: DoubleArray, titles: FloatArray) -> DoubleArray:
        """The scores of both sides.

        Args:
            scores: float64 (n, k), of the pictures.
            titles: float32 (n, d); a row of zeros is no title: its scores stay.

        Returns:
            float64 (n, k).
        """
        blended = scores.copy()
        has = titles.any(axis=1)
        if has.any():
            title_scores = self.titles.scores(titles[has])
            blended[has] = self.picture_share * scores[has] + self.title_share * title_scores
        return blended


def blend_shares(pictures: DoubleArray, titles: DoubleArray, weight: float) -> tuple[float, float]:
    """What both sides' scores are multiplied by.

    Where a side has no spread, as with a single label, the scores stay in their own units: a
    division by next to nothing would overflow.

    Args:
        pictures: float64 (n, k), scores of items by their pictures.
        titles: float64 (n, k), of the same items by their titles.
        weight: of the titles, 0 to 1.
    """
    picture_spread, title_spread = _spread(pictures), _spread(titles)
    if min(picture_spread, title_spread) <= _TINY:
        return 1 - weight, weight
    blended = (1 - weight) * pictures / picture_spread + weight * titles / title_spread
    back = picture_spread / _spread(blended)
    return back * (1 - weight) / picture_spread, back * weight / title_spread


def title_blend(
    fusion: Fusion, titles: FloatArray, weight: float
) -> Callable[[DoubleArray, IndexArray], DoubleArray]:
    """A function that blends the titles' scores into scores of the pictures.

    Unlike ``Fusion.blend`` it measures both sides' spread on the scores that it is given, so
    that cross-validation can compare scores at several strengths of the examples.

    Args:
        fusion: of the same labels.
        titles: float32 (e, d), of e pictures; a row of zeros is no title.
        weight: of the titles, 0 to 1.

    Returns:
        A function of float64 (h, k), the scores of h of the pictures, and int64 (h,), which
        those are; it gives float64 (h, k).
    """
    has = np.asarray(titles.any(axis=1))
    title_scores = np.zeros((len(titles), len(fusion.titles.head)))
    title_scores[has] = fusion.titles.scores(titles[has])

    def decided(scores: DoubleArray, rows: IndexArray) -> DoubleArray:
        titled = has[rows]
        if not titled.any():
            return scores
        blended, by_title = scores.copy(), title_scores[rows[titled]]
        picture_share, title_share = blend_shares(scores[titled], by_title, weight)
        blended[titled] = picture_share * scores[titled] + title_share * by_title
        return blended

    return decided


def fit_fusion(
    catalog: OpenCatalog, scorer: Scorer, weight: float, *, save: bool = False
) -> Fusion | None:
    """The fusion for a catalog's labels; None where no title counts.

    What was measured on the catalog's titles is kept with the labels, and measured again
    where labels or weight are others now, or a fifth of the items.

    Args:
        scorer: of the pictures.
        weight: of the titles, 0 to 1.
        save: keep what was measured; the catalog is opened for writing.
    """
    if not weight:
        return None
    stored = _stored(catalog, scorer, weight)
    if stored is not None:
        return stored
    sample = _sample(catalog, _SAMPLE)
    if sample is None:
        return None
    centring = None
    if scorer.head.is_adapted:
        if len(sample.titles) < MIN_ITEMS:
            _log.warning(
                "%d titles of catalog %r are too few to adapt the labels to: they do not count.",
                len(sample.titles),
                catalog.folder.name,
            )
            return None
        centring = fit_centring(sample.titles, scorer.head.labels.vectors)
    fusion = measure_fusion(scorer, title_scorer(scorer, centring), *sample, weight)
    if save:
        _store(catalog, scorer, weight, fusion, centring)
    return fusion


def measure_fusion(
    scorer: Scorer, titles: Scorer, pictures: FloatArray, title_vectors: FloatArray, weight: float
) -> Fusion:
    """The fusion by how far both sides' scores spread on pairs.

    Args:
        scorer: of the pictures.
        titles: scorer of the titles.
        pictures: float32 (n, d), rows of length 1; the first ``MEASURED`` count.
        title_vectors: float32 (n, d), the vectors of their titles.
        weight: of the titles, 0 to 1.
    """
    picture_share, title_share = blend_shares(
        np.concatenate([scorer.scores(block) for block, _ in blocks(pictures[:MEASURED])]),
        np.concatenate([titles.scores(block) for block, _ in blocks(title_vectors[:MEASURED])]),
        weight,
    )
    return Fusion(titles=titles, picture_share=picture_share, title_share=title_share)


def title_scorer(scorer: Scorer, centring: Centring | None) -> Scorer:
    """Scores of the active labels by a title.

    Args:
        scorer: of the pictures.
        centring: of the titles; None where the labels are not adapted.
    """
    head = scorer.head
    if centring is not None:
        head = replace(head, side=centring.queries, biased=False)
    return Scorer(head=head, unit=1.0, temperature=1.0)


def _stored(catalog: OpenCatalog, scorer: Scorer, weight: float) -> Fusion | None:
    """What was measured before, where it still fits."""
    fits = LabelledFolder(catalog.folder.labels).fits()
    stored = fits.get(_fit_name(scorer), {})
    if stored.get("version") != _version(scorer, weight):
        return None
    if not still_serves(catalog, stored["items"]):
        return None
    centring = None
    if stored["centring"] is not None:
        offset = np.array(stored["centring"].pop("offset"), dtype=np.float32)
        centring = Centring(offset=offset, **stored["centring"])
    return Fusion(
        titles=title_scorer(scorer, centring),
        picture_share=stored["picture_share"],
        title_share=stored["title_share"],
    )


def _store(
    catalog: OpenCatalog, scorer: Scorer, weight: float, fusion: Fusion, centring: Centring | None
) -> None:
    folder = LabelledFolder(catalog.folder.labels)
    values = {
        "version": _version(scorer, weight),
        "items": catalog.ledger.count(),
        "centring": None
        if centring is None
        else asdict(centring) | {"offset": centring.offset.tolist()},
        "picture_share": fusion.picture_share,
        "title_share": fusion.title_share,
    }
    folder.save_fits(folder.fits() | {_fit_name(scorer): values})


def _fit_name(scorer: Scorer) -> str:
    """Adapted and plain labels each keep theirs, so that runs of both do not fit in turns."""
    return "titles" if scorer.head.is_adapted else "titles_plain"


def _version(scorer: Scorer, weight: float) -> str:
    """Of all that the shares come from, beside the catalog's items."""
    names = [_METHOD, scorer.head.version, repr(scorer.unit), repr(weight)]
    if scorer.few_shot is not None:
        digest = hashlib.blake2b(scorer.few_shot.examples.tobytes(), digest_size=16)
        names += [digest.hexdigest(), repr(scorer.few_shot.choice.strengths)]
    return "+".join(names)


class _Pairs(NamedTuple):
    """Vectors of titled items, float32 (n, d) each."""

    pictures: FloatArray
    titles: FloatArray


def _sample(catalog: OpenCatalog, most: int) -> _Pairs | None:
    """Of a sample of the items those that have a title; None where none has."""
    pictures, titles = [], []
    for shard, rows in sampled_rows(catalog.ledger, most):
        title_vectors = catalog.archive.title_vectors(shard)
        if title_vectors is not None and (rows := rows[title_vectors[rows].any(axis=1)]).size:
            pictures.append(catalog.archive.vectors(shard)[rows])
            titles.append(title_vectors[rows])
    return _Pairs(np.concatenate(pictures), np.concatenate(titles)) if titles else None


def blocks(
    vectors: FloatArray, titles: FloatArray | None = None
) -> Iterator[tuple[FloatArray, FloatArray | None]]:
    """Vectors float32 (n, d) and titles, as many at a time as leave room for all labels' scores."""
    for start in range(0, len(vectors), _ROWS):
        rows = slice(start, start + _ROWS)
        yield vectors[rows], None if titles is None else titles[rows]


def _spread(scores: DoubleArray) -> float:
    """Mean standard deviation of an item's scores."""
    return max(float(scores.std(axis=1).mean()), _TINY)
