"""The random-words control: as many prompts of as many words, and nothing in them."""

from __future__ import annotations

import numpy as np
from fakes import WIDTH, FakeEncoder, vector_of

from benchmarks.quality import prompt_controls
from benchmarks.quality.prompt_controls import clauses, described, randomised
from benchmarks.quality.sets import LabelledSet, label_set
from queries.evaluation.controls import letters, words_of

NAMES = ("fuji", "leek")
DESCRIPTIONS = ("A red apple; sweet and firm. Good raw.", "")


def test_each_clause_of_a_description_is_a_prompt() -> None:
    """Sentences and parts between semicolons; no description, no further prompt."""
    assert clauses(DESCRIPTIONS[0]) == ["A red apple", "sweet and firm", "Good raw"]
    assert described(NAMES, DESCRIPTIONS) == [
        [
            "a photo of a fuji.",
            "a photo of a fuji, A red apple.",
            "a photo of a fuji, sweet and firm.",
            "a photo of a fuji, Good raw.",
        ],
        ["a photo of a leek."],
    ]


def test_random_prompts_are_as_many_and_as_long() -> None:
    """The name's own prompt stays the first; a seed draws the same again."""
    own = described(NAMES, DESCRIPTIONS)
    found = randomised(own, NAMES, words_of(["x", "y"]), 1)
    assert [[len(one.split()) for one in prompts] for prompts in found] == [
        [len(one.split()) for one in prompts] for prompts in own
    ]
    assert [prompts[0] for prompts in found] == [prompts[0] for prompts in own]
    assert set(found[0][1].removeprefix("a photo of a fuji, ").rstrip(".").split()) <= {"x", "y"}
    assert found == randomised(own, NAMES, words_of(["x", "y"]), 1)


def test_random_letters_are_as_long_as_words() -> None:
    """Three to eight of them."""
    random = np.random.default_rng(0)
    lengths = {len(letters(random)) for _ in range(200)}
    assert (min(lengths), max(lengths)) == (3, 8)


def test_a_set_is_measured_by_name_descriptions_and_controls() -> None:
    """Items that lie at their name's prompt are all right by name; every figure is a share."""
    items = np.stack([vector_of(f"a photo of a {name}.".encode()) for name in NAMES])
    one = LabelledSet(
        name="two",
        items=items,
        labels=label_set(NAMES, np.zeros((2, WIDTH), dtype=np.float32)),
        truth=np.array([0, 1]),
        logit_scale=10.0,
        model="fake",
    )
    found = prompt_controls.measure(one, NAMES, DESCRIPTIONS, FakeEncoder().embed_texts)
    assert found["prompts a label"] == 2.5
    assert list(found["top1"]) == ["name", "descriptions", "random words", "random letters"]
    assert found["top1"]["name"]["mean"] == found["top1"]["name"]["max"] == 1.0
    assert all(0 <= row["max"] <= 1 for row in found["top1"].values())
