"""The model in the package."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocket.drawing import draw, product_type, product_types
from pocket.pictures import draw_combination
from pocket.splits import TEST_WORDINGS, combinations, drawn_types
from pocket.train import MODEL_FOLDER
from pocket.zero_shot import ZeroShot, ranks

FOLDER = Path(__file__).parents[2] / MODEL_FOLDER
MOST_BYTES = 8_000_000


@pytest.fixture(scope="module")
def model() -> ZeroShot:
    """The packaged model."""
    return ZeroShot(FOLDER)


def test_folder_is_small() -> None:
    """The whole folder takes at most 8 MB."""
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES


def test_card_says_what_it_is_for() -> None:
    """The first line names the uses, and the one it is not for."""
    first = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8").splitlines()[0]
    assert "demo" in first
    assert "not for production" in first


def test_names_unseen_combinations(model: ZeroShot) -> None:
    """Nearly all pictures of combinations never trained on get their type's name."""
    rng = random.Random(11)
    shown = rng.sample(combinations("test"), 120)
    pictures = [Image.fromarray(draw_combination(c, size=128, rng=rng)) for c in shown]
    names = [t.name for t in product_types()]
    truth = np.array([names.index(c[0]) for c in shown])
    found = ranks(model.pictures(pictures), model.labels(names), truth)
    assert (found == 0).mean() >= 0.9


def test_knows_unseen_wordings(model: ZeroShot) -> None:
    """Most pictures get their type under synonyms that no training text contains."""
    rng = random.Random(12)
    shown = rng.sample(combinations("test"), 120)
    pictures = [Image.fromarray(draw_combination(c, size=128, rng=rng)) for c in shown]
    names = [t.name for t in drawn_types()]
    truth = np.array([names.index(c[0]) for c in shown])
    labels = model.labels([TEST_WORDINGS[name] for name in names])
    assert (ranks(model.pictures(pictures), labels, truth) == 0).mean() >= 0.75


def test_tells_e_readers_once_there_is_a_label(model: ZeroShot) -> None:
    """E-readers go to their own label as soon as there is one."""
    rng = random.Random(13)
    e_reader = product_type("e-reader")
    pictures = [draw(e_reader, colour=c, rng=rng) for c in ("black", "white", "grey", "blue") * 3]
    labels = model.labels(["laptop", "smartphone", "e-reader"])
    found = ranks(model.pictures(pictures), labels, np.full(len(pictures), 2))
    assert (found == 0).mean() >= 0.9


def test_any_text_has_a_unit_vector(model: ZeroShot) -> None:
    """Letters of any script, and texts past the model's positions, embed."""
    vectors = model.labels(["", "Hörgerät", "北京", "∞", "word " * 500])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
