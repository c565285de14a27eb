"""Drawn sounds, and what of them training never hears."""

import random
import re

import numpy as np
import pytest

from pocket.sounds import PACES, PITCHES, RATE, SETTINGS, draw, has_voices, kinds, mixed, splits
from pocket.sounds.captions import caption
from pocket.sounds.catalogue import KINDS, PARENTS
from pocket.sounds.splits import combinations, drawn_kinds, held_out_wordings, pairs
from pocket.sounds.texts import text_stock


@pytest.mark.parametrize("name", [kind.name for kind in KINDS if not kind.spoken])
def test_each_kind_is_heard_at_any_pitch_and_pace(name: str) -> None:
    """Finite samples of the length that was asked for, audible, within the range."""
    for pitch, pace, setting in zip(PITCHES, PACES, SETTINGS, strict=False):
        sound = draw(name, pitch=pitch, pace=pace, setting=setting, seconds=1.7, seed=5)
        assert sound.shape == (round(1.7 * RATE),)
        assert sound.dtype == np.float32
        assert 0.1 < np.abs(sound).max() <= 1


@pytest.mark.skipif(not has_voices(), reason="espeak-ng is not installed")
def test_speech_is_drawn_with_espeak() -> None:
    """A woman's voice is higher than a man's: most of its power lies above."""
    middles = []
    for name in ("man speaking", "woman speaking"):
        spectrum = np.abs(np.fft.rfft(draw(name, seed=1))) ** 2
        voiced = spectrum[: 400 * 5]  # up to 400 Hz: the range of the voice's own pitch
        middles.append(np.average(np.arange(len(voiced)), weights=voiced))
    assert middles[0] < middles[1]


def test_the_same_seed_draws_the_same_sound() -> None:
    """A seed decides everything that the arguments leave open."""
    first, again, other = (draw("rain", setting="echo", seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_two_sounds_are_heard_at_once() -> None:
    """A mixture is near both of its sounds and is neither."""
    beeps, rain = draw("alarm clock", seed=1), draw("rain", seed=1)
    both = mixed(beeps, rain, seed=1)
    for part in (beeps, rain):
        assert 0.3 < np.corrcoef(both, part)[0, 1] < 0.98


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "unicorn"}, "no kind of sound is called 'unicorn'"),
        ({"name": "rain", "setting": "mars"}, "no setting is called 'mars'"),
    ],
)
def test_unknown_names_are_told(arguments: dict[str, str], message: str) -> None:
    """The error names what there is."""
    with pytest.raises(KeyError, match=message):
        draw(**arguments)  # type: ignore[arg-type]


def test_there_are_kinds_of_every_category() -> None:
    """At least thirty kinds, each of a known category, each name once."""
    assert len(kinds()) >= 60
    assert {kind.parent for kind in kinds()} == set(PARENTS)
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.fixture(scope="module")
def training_texts() -> list[str]:
    """All texts without sounds, and some captions of every training combination."""
    rng = random.Random(0)
    captions = [caption(c, rng).text for c in combinations("train") for _ in range(4)]
    return [*captions, *(phrase.text for phrase in text_stock(["word"]))]


def test_no_training_text_holds_a_held_out_wording(training_texts: list[str]) -> None:
    """Neither captions nor texts without sounds contain a held-out wording."""
    held_out = "|".join(map(re.escape, sorted(held_out_wordings())))
    found = [t for t in training_texts if re.search(rf"(?<![\w-])({held_out})(?![\w-])", t.lower())]
    assert found == []


def test_parts_share_no_combination_and_no_pair() -> None:
    """Training, validation and test divide both."""
    for divide in (combinations, pairs):
        train, validation, test = (set(divide(p)) for p in ("train", "validation", "test"))
        assert not train & validation | train & test | validation & test
        assert len(test) >= 240


def test_each_kind_has_its_unseen_wordings() -> None:
    """Every drawn kind and category has a wording to tune on and another to report on."""
    names = {kind.name for kind in drawn_kinds()}
    assert set(splits.VALIDATION_WORDINGS) == set(splits.TEST_WORDINGS) == names
    assert set(splits.VALIDATION_PARENTS) == set(splits.TEST_PARENTS) == set(PARENTS)
    assert len(held_out_wordings()) == 2 * (len(names) + len(PARENTS))
    trained = {w for kind in KINDS for w in splits.training_wordings(kind)}
    assert not held_out_wordings() & trained


def test_kinds_never_drawn_are_in_no_combination() -> None:
    """Kinds held out whole are drawn in no part, and there are at least five."""
    drawn = {c[0] for part in ("train", "validation", "test") for c in combinations(part)}
    assert set(splits.NEVER_DRAWN) == {kind.name for kind in KINDS} - drawn
    assert len(splits.NEVER_DRAWN) >= 5
