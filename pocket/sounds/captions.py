"""Captions of drawn sounds, in varied words, with what each of them states."""

import random
from dataclasses import dataclass

from pocket.sounds.drawing import kind_of
from pocket.sounds.splits import Combination, training_parents, training_wordings

PITCH_WORDS: dict[str, tuple[str, ...]] = {
    "low": ("low-pitched", "low", "deep"),
    "high": ("high-pitched", "high", "shrill"),
}
PACE_WORDS: dict[str, tuple[str, ...]] = {
    "slow": ("slow", "unhurried", "leisurely"),
    "fast": ("fast", "rapid", "quick"),
}
SETTING_WORDS: dict[str, tuple[str, ...]] = {
    "near": ("close by", "nearby", "right here"),
    "echo": ("with an echo", "in a big hall", "with reverberation"),
    "noisy": ("in noise", "with background noise", "in a noisy place"),
    "distant": ("in the distance", "far away", "from afar"),
}
"""Words of each attribute; a medium pitch or pace goes without saying."""

PROMPTS: tuple[str, ...] = (
    "{}",
    "{}",
    "a {}",
    "the {}",
    "This is a sound of {}.",
    "This is a sound of {}.",
    "this is a sound of a {}",
    "the sound of {}",
    "a sound of {}",
    "a recording of {}",
    "an audio recording of a {}",
    "an audio clip of {}",
    "{} can be heard",
    "I can hear {}",
    "somebody recorded {}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A text and what it states; None where it is silent."""

    text: str
    name: str | None = None
    parent: str | None = None
    pitch: str | None = None
    pace: str | None = None
    setting: str | None = None

    def holds_for(self, combination: Combination) -> bool:
        """Whether what it states is true of a sound of this combination."""
        name, pitch, pace, setting = combination
        return (
            self.name in (None, name)
            and self.parent in (None, kind_of(name).parent)
            and self.pitch in (None, pitch)
            and self.pace in (None, pace)
            and self.setting in (None, setting)
        )


def prompt(wording: str, rng: random.Random) -> str:
    """The wording in a sentence as labels are put in."""
    return rng.choice(PROMPTS).format(wording)


def caption(combination: Combination, rng: random.Random) -> Caption:
    """A caption of a sound of this combination, which states some of what is heard."""
    _, pitch, pace, setting = combination
    says_pitch = pitch in PITCH_WORDS and rng.random() < 0.45
    says_pace = pace in PACE_WORDS and rng.random() < 0.4
    says_setting = rng.random() < 0.4
    thing, name, parent = _thing(combination[0], rng)
    words = [thing]
    if says_pitch:
        words.insert(0, rng.choice(PITCH_WORDS[pitch]))
    if says_pace:
        words.insert(0, rng.choice(PACE_WORDS[pace]))
    if says_setting:
        words.append(rng.choice(SETTING_WORDS[setting]))
    return Caption(
        text=prompt(" ".join(words), rng),
        name=name,
        parent=parent,
        pitch=pitch if says_pitch else None,
        pace=pace if says_pace else None,
        setting=setting if says_setting else None,
    )


def both(first: str, second: str, rng: random.Random) -> str:
    """A text of two wordings that are heard at once."""
    return rng.choice(
        ("{} and {}", "{} with {}", "{} while {}", "{} and {} in the background")
    ).format(first, second)


def _thing(name: str, rng: random.Random) -> tuple[str, str | None, str | None]:
    kind, draw = kind_of(name), rng.random()
    if draw < 0.74:
        return rng.choice(training_wordings(kind)), name, None
    if draw < 0.86:
        return kind.description, name, None
    if draw < 0.97:
        return rng.choice(training_parents(kind.parent)), None, kind.parent
    return "sound", None, None
