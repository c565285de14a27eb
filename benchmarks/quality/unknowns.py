"""How well items of no label are told: labels taken away, and queries out of scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from benchmarks.quality.sets import LabelledSet, Sources, out_of_scope
from benchmarks.quality.table import Row, of_draws
from indexer.core.records import FloatArray, IndexArray, Label
from indexer.core.softmax import softmax
from indexer.labels.adaptation import TEMPERATURE, fit
from indexer.labels.examples import packaged_concepts
from queries.deciding.scorer_fit import weight_words
from queries.deciding.unknown import (
    background_score,
    expected_similarity_score,
    foreign_words,
    other_concepts,
    shares_world,
)
from queries.evaluation.metrics import auroc

DRAWS = 10
REMOVED = 8
GOAL = 0.92
OUT_OF_SCOPE_GOAL = 0.929
_HOW = (
    f"{REMOVED} of the 32 labels removed, {DRAWS} draws, lowest to highest draw; statistics from "
    "all 1,000 pictures, no truth. plain: largest cosine. "
)
BACKGROUNDS: Mapping[str, str] = {
    "LVIS' other names": "Background: LVIS' names but the labels kept; it holds the removed "
    "names, as a general list would.",
    "names of the packaged list": "Background: those of LVIS' names that the packaged list holds "
    "too (written beforehand, for any catalog; 26 of the 32 names are in it). Only LVIS' names "
    "have CLIP vectors here, so two thirds of the packaged list are missing.",
    "LVIS' names but all 32": "The strict reading: no removed name is in the background.",
}


def unknown_scores(
    queries: FloatArray, catalog: FloatArray, labels: FloatArray, words: FloatArray
) -> npt.NDArray[np.float64]:
    """By the background where it shares the labels' world, else by expected cosine.

    Args:
        queries: float32 (n, d), what is judged.
        catalog: float32 (c, d), what statistics come from.
        labels: float32 (k, d).
        words: float32 (w, d), the background.
    """
    words = words[other_concepts(labels, words)]
    shared = shares_world(labels, words)
    fitted = fit(catalog, np.concatenate([labels, words]) if shared else labels)
    count = len(labels)
    if shared:
        fitted = weight_words(fitted, count, catalog)
    scores = (fitted.queries(queries) @ fitted.vectors.T + fitted.biases) / fitted.spread
    if shared:
        return background_score(scores[:, :count], scores[:, count:], TEMPERATURE)
    return expected_similarity_score(queries @ labels.T, softmax(scores, TEMPERATURE))


def removed_labels(full: LabelledSet, subset: LabelledSet) -> Iterator[Row]:
    """AUROC of unknown where 8 of the 32 labels are taken away.

    Args:
        full: fashion over LVIS' names, which the background is taken from.
        subset: fashion over its 32 labels.
    """
    places = np.array([full.names.index(name) for name in subset.names])
    items, truth = subset.items[subset.known], subset.truth[subset.known]
    named = _in_packaged_list(full.names)
    plain: list[float] = []
    aurocs: dict[str, list[float]] = {name: [] for name in BACKGROUNDS}
    for seed in range(DRAWS):
        gone = np.random.default_rng(seed).choice(len(places), REMOVED, replace=False)
        kept = np.setdiff1d(places, places[gone])
        unknown = np.isin(truth, gone)
        labels = full.labels.vectors[kept]
        plain.append(auroc(-(items @ labels.T).max(axis=1), unknown))
        others = np.setdiff1d(np.arange(len(full.labels)), kept)
        chosen = (others, np.intersect1d(named, others), np.setdiff1d(others, places))
        for name, rows in zip(BACKGROUNDS, chosen, strict=True):
            score = unknown_scores(items, subset.items, labels, full.labels.vectors[rows])
            aurocs[name].append(auroc(score, unknown))
    for name, about in BACKGROUNDS.items():
        yield Row(
            what=f"fashion, 8 of 32 labels removed: AUROC of unknown, {name}",
            plain=float(np.mean(plain)),
            goal=GOAL,
            how=_HOW + about,
            **of_draws(aurocs[name]),
        )


def queries_out_of_scope(sources: Sources, labelled: LabelledSet) -> Iterator[Row]:
    """AUROC on CLINC150's out-of-scope queries; the catalog holds them too."""
    encoder = sources.minilm
    if encoder is None:
        return
    foreign = out_of_scope(sources, encoder)
    items = np.concatenate([labelled.items, foreign])
    unknown = np.arange(len(items)) >= len(labelled.items)
    labels, concepts = labelled.labels.vectors, packaged_concepts()
    rows = foreign_words(concepts, labelled.labels.labels)
    words = encoder.embed_texts([concepts[row] for row in rows])
    yield Row(
        what="clinc150: AUROC of unknown on the out-of-scope queries",
        plain=auroc(-(items @ labels.T).max(axis=1), unknown),
        reached=auroc(unknown_scores(items, items, labels, words), unknown),
        goal=OUT_OF_SCOPE_GOAL,
        how="The catalog is the 3,000 queries and the 100 out of scope. plain: largest cosine. The "
        "packaged list is refused (things are not intents), and the expected cosine decides; that "
        "score was chosen on a table that held this figure.",
    )


def _in_packaged_list(names: list[str]) -> IndexArray:
    """Rows of the names that the packaged list holds, by the rule that names are compared by."""
    words = [Label(label_id=word, name=word, path=(word,)) for word in packaged_concepts()]
    bare = [name.split("_(")[0].split(" (")[0] for name in names]
    return np.setdiff1d(np.arange(len(names)), foreign_words(bare, words))
