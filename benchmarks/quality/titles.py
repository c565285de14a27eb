"""How much titles add to pictures, by their weight, on a set that did not choose it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from benchmarks.quality.sets import Sources, TitledSet, titled_fashion, titled_shop
from benchmarks.quality.table import Row
from indexer.core.records import FloatArray, IndexArray
from indexer.labels.adaptation import fit, fit_centring
from indexer.labels.head import adapted, plain
from indexer.labels.sets import LabelSet
from queries.deciding.fusion import blend_shares, title_scorer
from queries.deciding.scorer import Scorer
from queries.deciding.settings import TEXT_WEIGHT

WEIGHTS = tuple(step / 10 for step in range(11))


def measure(
    pictures: FloatArray, titles: FloatArray, labels: LabelSet, truth: IndexArray, scale: float
) -> dict[str, list[float]]:
    """Top-1 for each of ``WEIGHTS``, adapted to the items and plain.

    Args:
        pictures: float32 (n, d), rows of length 1.
        titles: float32 (n, d), rows of length 1.
        truth: rows of ``labels``; -1 where it is not known.
        scale: the model's logit scale.
    """
    heads = {
        "adapted": (
            adapted(labels, fit(pictures, labels.vectors)),
            fit_centring(titles, labels.vectors),
        ),
        "plain": (plain(labels, scale), None),
    }
    curves: dict[str, list[float]] = {}
    for name, (head, centring) in heads.items():
        scorer = Scorer(head=head, unit=1.0, temperature=1.0)
        by_picture, by_title = (
            scorer.scores(pictures),
            title_scorer(scorer, centring).scores(titles),
        )
        curves[name] = []
        for weight in WEIGHTS:
            of_picture, of_title = blend_shares(by_picture, by_title, weight)
            best = (of_picture * by_picture + of_title * by_title).argmax(axis=1)
            curves[name].append(float((best == truth)[truth >= 0].mean()))
    return curves


def rows(sources: Sources) -> Iterator[Row]:
    """The sample shop and fashion, each at the weight that the other chooses."""
    shop, fashion = (
        {titled.pictures.name: _curves(titled) for titled in titled_sets(sources)}
        for titled_sets in (titled_shop, titled_fashion)
    )
    for own, other in ((shop, fashion), (fashion, shop)):
        weight = chosen(other.values())
        for name, curves in own.items():
            yield _row(name, curves, weight)


def chosen(curves: Iterable[Mapping[str, Sequence[float]]]) -> float:
    """The weight of the best mean top-1 over several models or label sets, adapted and plain."""
    every = [curve for by_head in curves for curve in by_head.values()]
    return WEIGHTS[int(np.mean(every, axis=0).argmax())]


def _curves(titled: TitledSet) -> dict[str, list[float]]:
    pictures = titled.pictures
    return measure(
        pictures.items, titled.titles, pictures.labels, pictures.truth, pictures.logit_scale
    )


def _row(name: str, curves: dict[str, list[float]], weight: float) -> Row:
    by_weight = curves["adapted"]
    return Row(
        what=f"{name}: top-1 by pictures and titles",
        plain=by_weight[0],
        reached=by_weight[WEIGHTS.index(weight)],
        goal=by_weight[0],
        how=f"Titles with a weight of {weight}, which is the best on the other of shop and "
        f"fashion; the default is {TEXT_WEIGHT}. plain here is the adapted labels by pictures "
        "alone.",
        more={"weights": WEIGHTS, "by_default": by_weight[WEIGHTS.index(TEXT_WEIGHT)]} | curves,
    )
