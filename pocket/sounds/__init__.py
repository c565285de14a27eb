"""Drawn sounds: what `pocket_sounds`, a small CLAP, is trained and tested on.

from pocket.sounds import RATE, draw
bark = draw("dog bark", pitch="low", setting="echo", seed=3)  # float32, RATE samples a second
"""

from pocket.sounds.catalogue import KINDS, PARENTS, Kind
from pocket.sounds.drawing import PACES, PITCHES, SETTINGS, draw, kind_of, mixed
from pocket.sounds.people import has_voices
from pocket.sounds.synthesis import RATE

__all__ = [
    "PACES",
    "PARENTS",
    "PITCHES",
    "RATE",
    "SETTINGS",
    "Kind",
    "draw",
    "has_voices",
    "kind_of",
    "kinds",
    "mixed",
]


def kinds() -> tuple[Kind, ...]:
    """All kinds that can be drawn here: those of speech only with espeak-ng."""
    return tuple(kind for kind in KINDS if has_voices() or not kind.spoken)
