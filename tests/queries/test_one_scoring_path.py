"""Scores by a scan of the labels are those of a reference in double precision.

Labels are equal and scores within 1e-5, whatever decides: plain and adapted labels, their best
prompts, titles of some items, a level of the taxonomy, backing off, labelled examples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from label_sets import drawn

from indexer.core.records import FloatArray, Label
from indexer.core.vectors import normalise
from indexer.labels.adaptation import fit
from indexer.labels.few_shot import CACHE_SHARPNESS, FewShot, StrengthChoice
from indexer.labels.head import Head, adapted, plain
from indexer.labels.kernel_ridge import SHARPNESS
from indexer.labels.sets import LabelSet
from queries.deciding.fusion import Fusion
from queries.deciding.predictor import Predictor
from queries.deciding.rollup import NO_NODE, Tree
from queries.deciding.scorer import Scorer
from queries.deciding.settings import Settings

WIDTH, ITEMS, ROOTS, GROUPS, LEAVES = 32, 2_500, 7, 60, 2_300
LIMIT = 4
STRENGTHS = {
    "discriminant": (0.3, 0.0, 0.0),
    "cache": (0.0, 0.7, 0.0),
    "kernel ridge": (0.0, 0.0, 3.0),
    "all corrections": (0.2, 0.4, 2.0),
}
"""What examples add, by kind: of the discriminant, of the cache, of the kernel ridge."""

Exact = npt.NDArray[np.float64]


def taxonomy() -> LabelSet:
    """Three levels: roots, groups, leaves; some leaves stand right below a root."""
    labels, random = [], np.random.default_rng(0)
    for number in range(ROOTS + GROUPS + LEAVES):
        above = random.integers(ROOTS, ROOTS + GROUPS) if number % 50 else random.integers(ROOTS)
        parent = int(above) if number >= ROOTS + GROUPS else number % ROOTS
        below = number >= ROOTS
        path = (*labels[parent].path, f"l{number}") if below else (f"l{number}",)
        labels.append(
            Label(
                label_id=f"l{number}",
                name=f"l{number}",
                path=path,
                parent_id=f"l{parent}" if below else "",
            )
        )
    names = tuple(label.name for label in labels)
    vectors = normalise(drawn(len(labels), WIDTH, 1) + 0.4)
    return LabelSet(labels=tuple(labels), definitions=names, vectors=vectors)


ALL = taxonomy()
ITEM_VECTORS = normalise(drawn(ITEMS, WIDTH, 2) + 0.3)


def titles() -> FloatArray:
    """Of two items in three."""
    vectors = normalise(drawn(ITEMS, WIDTH, 3) + 0.2)
    vectors[::3] = 0
    return vectors


def with_prompts(head: Head) -> Head:
    """Two or three prompts a label."""
    counts = 2 + np.arange(len(head)) % 2
    starts = np.cumsum(counts) - counts
    matrix = np.zeros((int(counts.sum()), WIDTH + 1), dtype=np.float32)
    matrix[:, :-1] = normalise(drawn(len(matrix), WIDTH, 4))
    return replace(head, matrix=matrix, starts=starts)


def head_of(kind: str) -> Head:
    """Plain labels, adapted ones, or each by its best prompt; examples go with adapted ones."""
    leaves = ALL.leaves
    if kind == "adapted" or kind in STRENGTHS:
        return adapted(leaves, fit(ITEM_VECTORS, leaves.vectors))
    head = plain(leaves, 60.0)
    return with_prompts(head) if kind == "prompts" else head


def examples_of(kind: str, head: Head) -> FewShot:
    """500 examples of some labels, which are moved together."""
    discriminant, cache, kernel = STRENGTHS[kind]
    choice = StrengthChoice(
        discriminant_strength=discriminant,
        cache_strength=cache,
        kernel_strength=kernel,
        temperature=1.0,
        zero_shot_log_loss=1.0,
        log_loss=0.5,
        confidences=(),
        right=(),
        shift=0.4,
    )
    queries = head.queries(normalise(drawn(500, WIDTH, 5) + 0.3))
    truth = np.random.default_rng(6).integers(0, len(head), 500)
    scores = head.scale * (queries @ head.matrix.T).astype(np.float64)
    return FewShot.of(queries[:, :-1], scores, truth, choice, 1.0)


def predictor_of(kind: str, *, titled: bool, **settings: object) -> Predictor:
    """A predictor whose temperature was fitted, and that takes titles."""
    head = head_of(kind)
    few_shot = examples_of(kind, head) if kind in STRENGTHS else None
    scorer = Scorer(head=head, unit=0.7, temperature=1.3, calibrated=True, few_shot=few_shot)
    assert scorer.is_linear
    by_title = with_prompts(plain(ALL.leaves, 30.0)) if kind == "prompts" else plain(ALL.leaves, 30)
    if kind == "adapted":  # as a catalog's titles are scored: by the pictures' rows
        by_title = replace(head, biased=False)
    alone = Scorer(head=by_title, unit=1.0, temperature=1.0)
    fusion = Fusion(titles=alone, picture_share=0.8, title_share=1.1) if titled else None
    return Predictor(
        labels=ALL,
        scorer=scorer,
        settings=Settings(**settings),  # type: ignore[arg-type]
        logit_scale=60.0,
        fusion=fusion,
    )


def reference(predictor: Predictor, said: FloatArray | None) -> Exact:
    """float64 (n, k): probabilities of all active labels."""

    def logits(head: Head, vectors: FloatArray) -> Exact:
        products = head.queries(vectors).astype(np.float64) @ head.matrix.astype(np.float64).T
        if head.starts is not None:
            products = np.maximum.reduceat(products, head.starts, axis=1)
        return head.scale * products

    scores = logits(predictor.scorer.head, ITEM_VECTORS) / predictor.scorer.unit
    if predictor.scorer.few_shot is not None:
        scores += corrections(
            predictor.scorer.few_shot, predictor.scorer.head.queries(ITEM_VECTORS)
        )
    if predictor.fusion is not None and said is not None:
        has = said.any(axis=1)
        of_titles = predictor.fusion.title_share * logits(predictor.fusion.titles.head, said[has])
        scores[has] = predictor.fusion.picture_share * scores[has] + of_titles
    scores /= predictor.scorer.temperature
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def corrections(few_shot: FewShot, queries: FloatArray) -> Exact:
    """float64 (n, k): what examples add to the scores of queries [query, 1]."""
    discriminant, cache, kernel = few_shot.choice.strengths
    exact = queries[:, :-1].astype(np.float64)
    added = discriminant * (exact @ few_shot.discriminant.vectors.T + few_shot.discriminant.biases)
    examples = few_shot.examples.astype(np.float64)
    cosines = exact / np.linalg.norm(exact, axis=1, keepdims=True) @ examples.T
    onehot = np.eye(added.shape[1])[few_shot.truth]
    added += cache * np.exp(-CACHE_SHARPNESS * (1 - cosines)) @ onehot
    if few_shot.ridge is not None:
        added += kernel * np.exp(-SHARPNESS * (1 - cosines)) @ few_shot.ridge.coefficients
    added[:, np.unique(few_shot.truth)] -= few_shot.choice.shift
    return np.asarray(added)


@pytest.mark.parametrize("titled", [False, True])
@pytest.mark.parametrize("kind", ["plain", "adapted", "prompts", *STRENGTHS])
def test_the_best_labels_and_their_scores(kind: str, titled: bool) -> None:
    """Of items with a title and without, in one call."""
    predictor, said = predictor_of(kind, titled=titled), titles() if titled else None
    ranking = predictor.predict(ITEM_VECTORS, limit=LIMIT, titles=said).ranking
    shares = reference(predictor, said)
    best = np.argsort(-shares, axis=1, kind="stable")[:, :LIMIT]
    places = np.array([ALL.places[label.label_id] for label in ALL.leaves.labels])
    np.testing.assert_array_equal(ranking.labels, places[best])
    np.testing.assert_allclose(ranking.scores, np.take_along_axis(shares, best, 1), atol=1e-5)
    double = predictor.rank_best(ITEM_VECTORS[:200], None if said is None else said[:200])
    np.testing.assert_array_equal(double.labels, ranking.labels[:200, :1])
    np.testing.assert_allclose(double.products, ranking.products[:200, :1], atol=1e-6)


@pytest.mark.parametrize("titled", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_best_nodes_of_a_level(depth: int, titled: bool) -> None:
    """A node's probability is the sum of its labels'; a short branch stands for itself."""
    predictor, said = (
        predictor_of("adapted", titled=titled, level=depth),
        titles() if titled else None,
    )
    ranking = predictor.predict(ITEM_VECTORS, limit=LIMIT, titles=said).ranking
    shares, tree = reference(predictor, said), Tree.of(ALL.labels)
    places = np.array([ALL.places[label.label_id] for label in ALL.leaves.labels])
    nodes, groups = np.unique(tree.ancestors_at(depth - 1)[places], return_inverse=True)
    summed = shares @ np.eye(len(nodes))[groups]
    best = np.argsort(-summed, axis=1, kind="stable")[:, :LIMIT]
    np.testing.assert_array_equal(ranking.labels, nodes[best])
    np.testing.assert_allclose(ranking.scores, np.take_along_axis(summed, best, 1), atol=1e-5)


@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.1, 0.3, 0.6, 0.9])
def test_backing_off(threshold: float) -> None:
    """Of all nodes that are sure enough the one of fewest labels, then the likelier one."""
    predictor = predictor_of("plain", titled=True, back_off=threshold)
    ranking = predictor.predict(ITEM_VECTORS, limit=LIMIT, titles=titles()).ranking
    shares, tree = reference(predictor, titles()), Tree.of(ALL.labels)
    places = np.array([ALL.places[label.label_id] for label in ALL.leaves.labels])
    totals = np.zeros((len(ITEM_VECTORS), len(ALL)))
    totals[:, places] = shares
    labels_below = np.zeros(len(ALL))
    labels_below[places] = 1
    for node in np.argsort(-tree.depths, kind="stable"):
        if tree.parents[node] >= 0:
            totals[:, tree.parents[node]] += totals[:, node]
            labels_below[tree.parents[node]] += labels_below[node]
    for item in range(0, ITEMS, 9):
        sure = np.flatnonzero(totals[item] >= threshold - 1e-9)
        by = [-tree.depths[sure], -totals[item, sure], labels_below[sure]]
        chosen = sure[np.lexsort(by)[0]] if sure.size else NO_NODE
        score = totals[item, chosen] if sure.size else totals[item, :ROOTS].max()
        assert ranking.labels[item, 0] == chosen
        assert ranking.scores[item, 0] == pytest.approx(score, abs=1e-5)
        rest = [node for node in places[np.argsort(-shares[item], kind="stable")] if node != chosen]
        assert ranking.labels[item, 1:].tolist() == rest[: LIMIT - 1]


@pytest.mark.parametrize(("kind", "within"), [("plain", 1e-5), ("adapted", 0.01)])
def test_unknown_scores_go_by_the_expected_cosine(kind: str, within: float) -> None:
    """The picture's, with the label that picture and title tell."""
    predictor = predictor_of(kind, titled=True)
    predicted = predictor.predict(ITEM_VECTORS, limit=LIMIT, titles=titles())
    cosines = ITEM_VECTORS.astype(np.float64) @ ALL.leaves.vectors.T
    expected = (reference(predictor, titles()) * cosines).sum(axis=1)
    titled = titles().any(axis=1)
    np.testing.assert_allclose(predicted.unknown_scores[~titled], -expected[~titled], atol=within)
    np.testing.assert_allclose(predicted.unknown_scores, -expected, atol=0.02)
    np.testing.assert_allclose(
        predictor.unknown_scores(ITEM_VECTORS, titles()), predicted.unknown_scores, atol=1e-6
    )
