"""What training never sees, it never sees."""

import random
import re

import pytest

from pocket import splits, texts
from pocket.captions import caption
from pocket.drawing import PARENTS, product_type, product_types
from pocket.splits import combinations, drawn_types, held_out_wordings


@pytest.fixture(scope="module")
def training_texts() -> list[str]:
    """All texts without pictures, and some captions of every training combination."""
    rng = random.Random(0)
    captions = [
        caption(product_type(combination[0]), combination, rng).text
        for combination in combinations("train")
        for _ in range(4)
    ]
    return [*captions, *(phrase.text for phrase in texts.text_stock(["word"], ["Tea Pots"]))]


def test_no_training_text_holds_a_held_out_wording(training_texts: list[str]) -> None:
    """Neither captions nor texts without pictures contain a held-out wording."""
    held_out = "|".join(map(re.escape, sorted(held_out_wordings())))
    found = [t for t in training_texts if re.search(rf"(?<![\w-])({held_out})(?![\w-])", t.lower())]
    assert found == []


def test_parts_share_no_combination() -> None:
    """Training, validation and test divide the combinations."""
    train, validation, test = (set(combinations(p)) for p in ("train", "validation", "test"))
    assert not train & validation | train & test | validation & test
    assert len(test) >= 300


def test_each_type_has_its_unseen_wordings() -> None:
    """Every drawn type has a synonym to tune on and another to report on."""
    for product in drawn_types():
        unseen = {splits.VALIDATION_WORDINGS[product.name], splits.TEST_WORDINGS[product.name]}
        assert len(unseen & set(product.synonyms)) == 2
        assert not unseen & set(splits.training_wordings(product))


def test_each_category_has_its_unseen_names() -> None:
    """Every category has a name to tune on and another to report on."""
    for parent, names in PARENTS.items():
        unseen = {splits.VALIDATION_PARENTS[parent], splits.TEST_PARENTS[parent]}
        assert len(unseen & set(names)) == 2
        assert not unseen & set(splits.training_parents(parent))


def test_never_drawn_types_are_in_no_combination() -> None:
    """Types held out whole are drawn in no part, and there are at least five."""
    names = {t.name for t in product_types()}
    drawn = {c[0] for part in ("train", "validation", "test") for c in combinations(part)}
    assert set(splits.NEVER_DRAWN) == names - drawn
    assert len(splits.NEVER_DRAWN) >= 5
