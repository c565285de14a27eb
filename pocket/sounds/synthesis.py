"""What drawn sounds are made of: oscillators, noise, envelopes, and events in a row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

RATE = 16_000
"""Samples per second of all drawn sounds."""

_DIFFERENT = 32

Sound = NDArray[np.float64]
"""Samples of one channel, (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """How one sound is to be made.

    Attributes:
        count: the number of samples.
        pitch: a factor on frequencies.
        pace: a factor on how fast events follow each other.
        rng: where everything else is drawn from.
    """

    count: int
    pitch: float
    pace: float
    rng: np.random.Generator

    def near(self, value: float, share: float = 0.12) -> float:
        """A value at most `share` below or above the given one."""
        return float(value * (1 + self.rng.uniform(-share, share)))

    def hertz(self, value: float, share: float = 0.12) -> float:
        """A frequency near the given one, at this take's pitch."""
        return self.near(value, share) * self.pitch

    def between(self, low: float, high: float) -> float:
        """A value drawn from the range."""
        return float(self.rng.uniform(low, high))


def samples(seconds: float) -> int:
    """The number of samples of this time, at least one."""
    return max(1, round(seconds * RATE))


def times(count: int) -> Sound:
    """The time of each sample, in seconds."""
    return np.arange(count) / RATE


def tone(
    frequency: float | Sound, count: int, partials: Sequence[float] = (1.0,), *, start: float = 0.0
) -> Sound:
    """A periodic tone; partials above half the sampling rate are left out.

    Args:
        frequency: in Hz, one for the whole tone or one a sample.
        count: the number of samples.
        partials: the amplitude of each multiple of the frequency.
        start: the phase at the start, in radians.
    """
    track = np.broadcast_to(np.asarray(frequency, dtype=np.float64), (count,))
    phase = start + 2 * np.pi * np.cumsum(track) / RATE
    high = float(track.max(initial=0.0))
    sound = np.zeros(count)
    for i, amplitude in enumerate(partials, start=1):
        if amplitude and i * high < RATE / 2:
            sound += amplitude * np.sin(i * phase)
    return sound


def chord(frequencies: Sequence[float], count: int, taus: Sequence[float]) -> Sound:
    """Decaying sines of any frequencies, such as those of struck metal; later ones softer."""
    clock = times(count)
    sound = np.zeros(count)
    for i, (frequency, tau) in enumerate(zip(frequencies, taus, strict=True)):
        if frequency < RATE / 2:
            sound += (
                np.sin(2 * np.pi * frequency * clock + i) * np.exp(-clock / tau) / (1 + 0.4 * i)
            )
    return sound


def saw(partials: int, fall: float = 1.0) -> tuple[float, ...]:
    """Amplitudes of a sawtooth's partials; a steeper `fall` sounds duller."""
    return tuple(1 / i**fall for i in range(1, partials + 1))


def hollow(partials: int, fall: float = 1.0) -> tuple[float, ...]:
    """Amplitudes of odd partials only, as of a square wave."""
    return tuple(i % 2 / i**fall for i in range(1, partials + 1))


def noise(take: Take, count: int | None = None) -> Sound:
    """White noise."""
    return take.rng.standard_normal(take.count if count is None else count)


def band(sound: Sound, low: float, high: float) -> Sound:
    """Keeps frequencies between `low` and `high`, in Hz."""
    top = RATE / 2 * 0.98
    low, high = max(low, 15.0), min(high, top)
    if low >= high:
        low = high * 0.6
    return np.asarray(sosfilt(butter(2, (low, high), "bandpass", fs=RATE, output="sos"), sound))


def below(sound: Sound, high: float) -> Sound:
    """Keeps frequencies below `high`, in Hz."""
    top = min(high, RATE / 2 * 0.98)
    return np.asarray(sosfilt(butter(2, top, "lowpass", fs=RATE, output="sos"), sound))


def above(sound: Sound, low: float) -> Sound:
    """Keeps frequencies above `low`, in Hz."""
    bottom = min(low, RATE / 2 * 0.9)
    return np.asarray(sosfilt(butter(2, bottom, "highpass", fs=RATE, output="sos"), sound))


def fade(count: int, tau: float, attack: float = 0.002) -> Sound:
    """An envelope that rises in `attack` seconds and decays with the time constant `tau`."""
    clock = times(count)
    return np.minimum(clock / attack, 1.0) * np.exp(-clock / tau)


def hill(count: int, rise: float = 0.2, fall: float = 0.3) -> Sound:
    """An envelope that rises, stays and falls; `rise` and `fall` are shares of its length."""
    place = np.linspace(0, 1, count)
    return np.sin(np.pi / 2 * np.clip(np.minimum(place / rise, (1 - place) / fall), 0, 1)) ** 2


def wander(take: Take, count: int, hertz: float, low: float, high: float) -> Sound:
    """A smooth random curve between `low` and `high` that turns about `hertz` times a second."""
    points = max(4, int(count / RATE * hertz) + 3)
    values = take.rng.uniform(low, high, points)
    return np.interp(np.linspace(0, points - 1, count), np.arange(points), values)


def pulse(count: int, hertz: float, sharpness: float = 1.0, start: float = 0.0) -> Sound:
    """An envelope of equal humps, `hertz` a second; a higher sharpness makes them shorter."""
    return (0.5 + 0.5 * np.sin(2 * np.pi * hertz * times(count) + start)) ** sharpness


def glide(count: int, *points: float) -> Sound:
    """A curve through the points, evenly spaced over its length."""
    return np.interp(np.linspace(0, 1, count), np.linspace(0, 1, len(points)), points)


def events(
    take: Take, every: float, make: Callable[[int], Sound], *, jitter: float = 0.08
) -> Sound:
    """Events in a row, which may overlap.

    Args:
        take: its pace makes the events follow faster.
        every: seconds from one event to the next at the usual pace.
        make: the samples of the event of this number.
        jitter: the share of `every` that an event comes earlier or later.
    """
    step = every / take.pace
    sound = np.zeros(take.count)
    place, number = take.between(0.0, 0.35) * step, 0
    while samples(place) < take.count:
        start = samples(max(0.0, place + take.rng.uniform(-jitter, jitter) * step))
        event = make(number)[: max(0, take.count - start)]
        sound[start : start + len(event)] += event
        place, number = place + step, number + 1
    return sound


def scattered(take: Take, per_second: float, make: Callable[[int], Sound]) -> Sound:
    """Events at random times, about `per_second` at the usual pace; of many, some are alike."""
    sound = np.zeros(take.count)
    number = max(1, int(take.rng.poisson(per_second * take.pace * take.count / RATE)))
    made = [make(i) for i in range(min(number, _DIFFERENT))]
    for i, start in enumerate(take.rng.integers(0, take.count, number)):
        event = made[i % len(made)][: take.count - start]
        sound[start : start + len(event)] += event
    return sound


def joined(parts: Sequence[Sound], gap: float = 0.0) -> Sound:
    """The parts one after another, with `gap` seconds of silence between them."""
    silence = np.zeros(samples(gap)) if gap else np.zeros(0)
    return np.concatenate([piece for part in parts for piece in (part, silence)])


def formants(sound: Sound, peaks: Sequence[tuple[float, float]]) -> Sound:
    """The sound through resonances, as a mouth makes vowels; each (Hz, gain)."""
    shaped = [gain * band(sound, hertz * 0.85, hertz * 1.18) for hertz, gain in peaks]
    return np.sum(shaped, axis=0)
