"""Verdicts on vectors: levels, back-off, statuses, independent labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.errors import UsageError
from indexer.core.records import FloatArray, Label
from indexer.core.vectors import normalise
from indexer.labels.few_shot import FewShot, StrengthChoice
from indexer.labels.head import plain
from indexer.labels.sets import LabelSet
from queries.deciding.calibration import Status
from queries.deciding.predictor import Predictor
from queries.deciding.rollup import NO_NODE
from queries.deciding.scorer import Scorer
from queries.deciding.settings import Settings

# 0 clothing > 1 shirt, 2 blouse; 3 food > 4 apple
PARENTS = {"shirt": "clothing", "blouse": "clothing", "apple": "food"}
NAMES = ("clothing", "shirt", "blouse", "food", "apple")
ALL = LabelSet(
    labels=tuple(
        Label(
            label_id=name,
            name=name,
            path=(PARENTS[name], name) if name in PARENTS else (name,),
            parent_id=PARENTS.get(name, ""),
        )
        for name in NAMES
    ),
    definitions=NAMES,
    vectors=np.eye(5, dtype=np.float32),
)
SCALE = 4.0


def predictor(settings: Settings | None = None, **more: object) -> Predictor:
    """A predictor by the leaves as the model has them."""
    scorer = Scorer(head=plain(ALL.leaves, SCALE), unit=1.0, temperature=1.0)
    return Predictor(
        labels=ALL,
        scorer=scorer,
        settings=settings or Settings(),
        logit_scale=SCALE,
        **more,  # type: ignore[arg-type]
    )


def between(**shares: float) -> FloatArray:
    """An input whose leaves have these probabilities: float32 (1, 5)."""
    logits = np.zeros(5)
    for name, share in shares.items():
        logits[NAMES.index(name)] = np.log(share) / SCALE
    return np.asarray(logits[np.newaxis], dtype=np.float32)


SHIRT = between(shirt=0.5, blouse=0.3, apple=0.2)


def test_leaves_decide_where_nothing_is_asked() -> None:
    """The best leaf with its probability, as a row of all labels."""
    found = predictor().predict(SHIRT, limit=2).ranking
    assert found.labels.tolist() == [[1, 2]]
    assert found.scores[0].tolist() == pytest.approx([0.5, 0.3])


def test_a_level_adds_up_its_leaves() -> None:
    """Level 1 is the top: shirts and blouses are clothing."""
    found = predictor(Settings(level=1)).predict(SHIRT, limit=5).ranking
    assert found.labels.tolist() == [[0, 3]]
    assert found.scores[0].tolist() == pytest.approx([0.8, 0.2])


def test_back_off_names_the_parent_then_the_leaves() -> None:
    """The leaf is below the threshold, the parent above."""
    found = predictor(Settings(back_off=0.7)).predict(SHIRT, limit=3).ranking
    assert found.labels.tolist() == [[0, 1, 2]]
    assert found.scores[0].tolist() == pytest.approx([0.8, 0.5, 0.3])


def test_a_sure_leaf_is_kept() -> None:
    """It stands first, and not twice."""
    found = predictor(Settings(back_off=0.4)).predict(SHIRT, limit=3).ranking
    assert found.labels.tolist() == [[1, 2, 4]]


def test_where_no_root_is_sure_there_is_no_label() -> None:
    """The score is the best root's, and the label is for review."""
    found = predictor(Settings(back_off=0.9), min_score=0.5).predict(SHIRT, limit=1)
    assert found.ranking.labels.tolist() == [[NO_NODE]]
    assert found.ranking.scores[0, 0] == pytest.approx(0.8)
    assert found.statuses == [[Status.REVIEW]]


def test_back_off_starts_from_the_level() -> None:
    """Both at once: leaves first become their level, then that backs off."""
    found = predictor(Settings(level=1, back_off=0.1)).predict(SHIRT, limit=1).ranking
    assert found.labels.tolist() == [[0]]


def test_statuses_follow_the_thresholds() -> None:
    """Accepted at the score, for review below it."""
    accepted = predictor(min_score=0.49).predict(SHIRT, limit=2)
    assert accepted.statuses == [[Status.ACCEPTED, Status.REVIEW]]


def test_an_unknown_input_is_unknown_whatever_its_score() -> None:
    """Every cosine is above -1, so nothing is known here."""
    found = predictor(min_score=0.0, unknown_above=-1.0).predict(SHIRT, limit=1)
    assert found.statuses == [[Status.UNKNOWN]]


def test_independent_labels_may_all_hold() -> None:
    """Against a neutral prompt at right angles, odds are exp(scale * cosine)."""
    neutral = normalise([[0, 0, 0, 1, 0]])
    both = normalise([[0, 1, 1, 0, 0]])
    found = predictor(Settings(multi_label=True), neutral=neutral).predict(both, limit=3)
    odds = np.exp(SCALE * 0.5**0.5)
    assert found.ranking.scores[0].tolist() == pytest.approx([odds / (1 + odds)] * 2 + [0.5])
    assert found.ranking.labels.tolist() == [[1, 2, 4]]


def test_examples_change_the_order() -> None:
    """A cache of an example at the input, of the label that cosines put last."""
    choice = StrengthChoice(
        discriminant_strength=0.0,
        cache_strength=10.0,
        kernel_strength=0.0,
        temperature=1.0,
        zero_shot_log_loss=1.0,
        log_loss=0.5,
        confidences=(),
        right=(),
    )
    examples = np.concatenate([SHIRT, -SHIRT, -SHIRT])
    few_shot = FewShot.of(examples, np.zeros((3, 3)), np.array([2, 0, 1]), choice, 1.0)
    scorer = Scorer(head=plain(ALL.leaves, SCALE), unit=1.0, temperature=1.0, few_shot=few_shot)
    taught = Predictor(labels=ALL, scorer=scorer, settings=Settings(), logit_scale=SCALE)
    assert taught.predict(SHIRT, limit=1).ranking.labels.tolist() == [[4]]


@given(st.integers(0, 99))
def test_all_scores_and_a_search_agree(seed: int) -> None:
    """What is found by candidates is what is found by scoring all labels."""
    vectors = normalise(np.random.default_rng(seed).normal(size=(6, 5)))
    fast = predictor().predict(vectors, limit=3)
    # Below the lowest share every leaf is sure, so backing off changes nothing.
    slow = predictor(Settings(back_off=0.0)).predict(vectors, limit=3)
    assert (fast.ranking.labels == slow.ranking.labels).all()
    assert fast.ranking.scores == pytest.approx(slow.ranking.scores, abs=1e-6)
    assert fast.ranking.similarities == pytest.approx(slow.ranking.similarities, abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(level=1),
        Settings(back_off=0.5),
        Settings(multi_label=True),
    ],
    ids=["leaves", "level", "back-off", "multi-label"],
)
def test_no_vectors_give_no_verdicts(settings: Settings) -> None:
    """An empty catalog has an empty result of the right width."""
    neutral = np.eye(1, 5, dtype=np.float32)
    found = predictor(settings, neutral=neutral).predict(
        np.empty((0, 5), dtype=np.float32), limit=2
    )
    assert found.ranking.labels.shape == (0, 2)
    assert found.statuses == []


@pytest.mark.parametrize(
    "settings",
    [
        Settings(min_score=0.5, target_precision=0.9),
        Settings(multi_label=True, level=1),
        Settings(multi_label=True, back_off=0.5),
        Settings(multi_label=True, target_precision=0.9),
    ],
)
def test_what_excludes_each_other_is_refused(settings: Settings) -> None:
    """Options that can't hold at once are named."""
    with pytest.raises(UsageError, match="--"):
        settings.check()
