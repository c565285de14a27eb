"""The packaged model of sounds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ClapModel, pipeline

from pocket.sounds import RATE, draw, has_voices, kind_of
from pocket.sounds.model import SECONDS
from pocket.sounds.recordings import draw_combination
from pocket.sounds.splits import TEST_WORDINGS, Combination, combinations, drawn_kinds
from pocket.sounds.train import MODEL_FOLDER
from pocket.sounds.zero_shot import SoundZeroShot
from pocket.zero_shot import ranks

FOLDER = Path(__file__).parents[2] / MODEL_FOLDER
MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def model() -> SoundZeroShot:
    """The packaged model."""
    return SoundZeroShot(FOLDER)


@pytest.fixture(scope="module")
def heard() -> list[Combination]:
    """Two unseen combinations of each drawn kind, as far as there are so many."""
    chosen: dict[str, list[Combination]] = {}
    for combination in combinations("test"):
        if has_voices() or not kind_of(combination[0]).spoken:
            chosen.setdefault(combination[0], []).append(combination)
    return [combination for of_kind in chosen.values() for combination in of_kind[:2]]


@pytest.fixture(scope="module")
def vectors(model: SoundZeroShot, heard: list[Combination]) -> np.ndarray:
    """Their sounds' embeddings."""
    return model.sounds([draw_combination(c, f"test/{i}") for i, c in enumerate(heard)])


def test_folder_is_small() -> None:
    """The whole folder takes at most 6 MB."""
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES


def test_card_says_what_it_is_for() -> None:
    """The first line names the uses, and the one it is not for; recordings were not heard."""
    card = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "demo" in card.splitlines()[0]
    assert "not for production" in card.splitlines()[0]
    assert "has never heard a recording" in card


def test_names_unseen_combinations(
    heard: list[Combination], vectors: np.ndarray, model: SoundZeroShot
) -> None:
    """Nearly all sounds of combinations never trained on get their kind's name."""
    names = [kind.name for kind in drawn_kinds()]
    truth = np.array([names.index(c[0]) for c in heard])
    assert (ranks(vectors, model.labels(names), truth) == 0).mean() >= 0.85


def test_knows_unseen_wordings(
    heard: list[Combination], vectors: np.ndarray, model: SoundZeroShot
) -> None:
    """Most sounds get their kind under wordings that no training text contains."""
    names = [kind.name for kind in drawn_kinds()]
    truth = np.array([names.index(c[0]) for c in heard])
    labels = model.labels([TEST_WORDINGS[name] for name in names])
    assert (ranks(vectors, labels, truth) == 0).mean() >= 0.8


@pytest.mark.parametrize("seconds", [0.8, 3.1, SECONDS])
def test_scores_are_those_of_transformers(model: SoundZeroShot, seconds: float) -> None:
    """The softmax at the checkpoint's scale equals transformers' pipeline to five digits."""
    sound = draw("dog bark", setting="echo", seconds=seconds, seed=2)
    wordings = ["dog bark", "cat meow", "rain", "Church Bell"]
    judge = pipeline("zero-shot-audio-classification", model=str(FOLDER), device="cpu")
    expected = {row["label"]: row["score"] for row in judge(sound, candidate_labels=wordings)}
    scale = ClapModel.from_pretrained(FOLDER).logit_scale_a.exp().item()
    cosines = model.sounds([sound]) @ model.labels(wordings).T
    scores = torch.from_numpy(cosines[0] * scale).softmax(0).tolist()
    assert scores == pytest.approx([expected[w] for w in wordings], abs=1e-5)


def test_a_sound_has_one_vector(model: SoundZeroShot) -> None:
    """Vectors repeat, alone or in company, as long as a sound fits into the window."""
    sounds = [draw("flute", seconds=s, seed=1) for s in (0.3, 2.0, SECONDS)]
    together = model.sounds(sounds)
    alone = np.concatenate([model.sounds([sound]) for sound in sounds])
    assert np.allclose(together, alone, atol=1e-5)


def test_any_text_and_any_sound_has_a_unit_vector(model: SoundZeroShot) -> None:
    """Letters of any script, texts past the model's positions, silence and full scale embed."""
    texts = model.labels(["", "Hörgerät", "北京", "∞", "word " * 500])
    silence, loud = np.zeros(RATE, np.float32), np.sign(draw("pure tone", seconds=1))
    for vectors in (texts, model.sounds([silence, loud])):
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
