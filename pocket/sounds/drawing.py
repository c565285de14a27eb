"""One sound of a kind, at a pitch, a pace and in a setting."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from pocket.sounds.catalogue import KINDS, Kind
from pocket.sounds.synthesis import RATE, Sound, Take, below, samples, times

PITCHES: dict[str, float] = {"low": 0.66, "medium": 1.0, "high": 1.5}
"""Factors on all frequencies."""

PACES: dict[str, float] = {"slow": 0.64, "medium": 1.0, "fast": 1.55}
"""Factors on how fast events follow each other."""

SETTINGS: tuple[str, ...] = ("near", "echo", "noisy", "distant")
"""Where it is heard: close by, in a hall, in noise, from far away."""


def kind_of(name: str) -> Kind:
    """The kind of this name.

    Raises:
        KeyError: there is none.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise KeyError(
        f"no kind of sound is called {name!r}; there are {', '.join(k.name for k in KINDS)}"
    )


def draw(
    name: str,
    *,
    pitch: str = "medium",
    pace: str = "medium",
    setting: str = "near",
    seconds: float = 5.0,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Draws one sound; the same arguments give the same sound.

    Args:
        name: a kind of `kinds()`.
        pitch: one of `PITCHES`.
        pace: one of `PACES`.
        setting: one of `SETTINGS`.
        seconds: how long it is.
        seed: what else differs between two sounds of a kind: exact pitches, times, loudness.

    Returns:
        float32 (seconds * RATE,), one channel at `RATE` samples a second, between -1 and 1.

    Raises:
        KeyError: no such kind, pitch or pace.
        RuntimeError: the kind is speech, and espeak-ng is not installed.
    """
    rng = np.random.default_rng([seed, *name.encode()])
    take = Take(
        count=samples(seconds),
        pitch=PITCHES[pitch] * float(rng.uniform(0.92, 1.08)),
        pace=PACES[pace] * float(rng.uniform(0.92, 1.08)),
        rng=rng,
    )
    return finished(_placed(_even(kind_of(name).make(take)), setting, rng), rng)


def mixed(
    first: NDArray[np.float32], second: NDArray[np.float32], *, seed: int = 0
) -> NDArray[np.float32]:
    """Two sounds of one length heard at once, the second a little softer or as loud."""
    rng = np.random.default_rng(seed)
    softer = 10 ** (-rng.uniform(0, 5) / 20)
    return finished(_even(first) + softer * _even(second), rng)


def finished(sound: Sound, rng: np.random.Generator) -> NDArray[np.float32]:
    """The sound at a random loudness, with the faint noise of a microphone."""
    loudest = 10 ** (-rng.uniform(1, 16) / 20)
    floor = 10 ** (-rng.uniform(60, 85) / 20) * rng.standard_normal(len(sound))
    sound = loudest * sound / max(float(np.abs(sound).max()), 1e-9) + floor
    return np.clip(sound, -1, 1).astype(np.float32)


def _even(sound: NDArray[np.floating]) -> Sound:
    """Of mean power 1 where it sounds, so that rare clicks and long drones mix alike."""
    level = np.sqrt(np.mean(np.sort(sound.astype(np.float64) ** 2)[len(sound) // 2 :]))
    return sound.astype(np.float64) / max(float(level), 1e-9)


def _placed(sound: Sound, setting: str, rng: np.random.Generator) -> Sound:
    if setting == "near":
        return sound
    if setting == "echo":
        return _hall(sound, rng.uniform(0.35, 0.9), rng.uniform(0.5, 0.9), rng)
    if setting == "distant":
        far = below(sound, rng.uniform(1500, 2600))
        return _hall(far, 0.25, 0.35, rng) + rng.uniform(0.02, 0.05) * rng.standard_normal(
            len(sound)
        )
    if setting == "noisy":
        return sound + 10 ** (-rng.uniform(3, 12) / 20) * _background(len(sound), rng)
    raise KeyError(f"no setting is called {setting!r}; there are {', '.join(SETTINGS)}")


def _hall(sound: Sound, tau: float, share: float, rng: np.random.Generator) -> Sound:
    """With the reverberation of a room whose echoes decay with `tau`."""
    clock = times(samples(3 * tau))
    response = rng.standard_normal(len(clock)) * np.exp(-clock / tau)
    response /= np.sqrt((response**2).sum())
    wet = below(fftconvolve(sound, response)[: len(sound)], 4500)
    return (1 - share) * sound + share * wet


def _background(count: int, rng: np.random.Generator) -> Sound:
    """Noise of random colour, from brown to nearly white, that wanders a little."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 50)
    coloured = np.fft.irfft(spectrum / frequency ** rng.uniform(0.2, 1.0), count)
    drift = np.interp(np.arange(count), np.linspace(0, count, 8), rng.uniform(0.75, 1.25, 8))
    return coloured / coloured.std() * drift
