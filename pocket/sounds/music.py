"""Musical instruments."""

import numpy as np

from pocket.sounds.synthesis import (
    RATE,
    Sound,
    Take,
    above,
    band,
    below,
    chord,
    events,
    fade,
    glide,
    hill,
    noise,
    samples,
    saw,
    times,
    tone,
)

_SCALE = (1, 9 / 8, 5 / 4, 3 / 2, 5 / 3, 2)
"""A pentatonic scale: any order of its notes sounds like a tune."""


def _note(take: Take, base: float) -> float:
    return base * float(take.rng.choice(_SCALE))


def church_bell(take: Take) -> Sound:
    """A big bell: inharmonic partials that ring for long."""
    base = take.hertz(330)
    ratios = (0.5, 1, 1.19, 1.5, 2.0, 2.74, 4.1)
    taus = (2.4, 1.8, 1.3, 1.0, 1.0, 0.5, 0.25)

    def stroke(_: int) -> Sound:
        return chord([base * r for r in ratios], samples(3.0), taus)

    return events(take, 1.7, stroke, jitter=0.02)


def bass_drum(take: Take) -> Sound:
    """Low blows whose pitch drops."""

    def blow(_: int) -> Sound:
        length = samples(0.4)
        track = take.hertz(58) * (1 + 1.6 * np.exp(-times(length) * 35))
        skin = 0.15 * below(noise(take, length), 1200) * fade(length, 0.01)
        return tone(track, length) * fade(length, 0.12) + skin

    return events(take, 0.6, blow, jitter=0.02)


def snare(take: Take) -> Sound:
    """A rattling drum in a marching rhythm."""
    rhythm = (1.0, 0.45, 0.7, 0.45)

    def blow(number: int) -> Sound:
        length = samples(0.19)
        wires = above(noise(take, length), 1300 * take.pitch) * fade(length, 0.05)
        skin = 0.8 * tone(take.hertz(200), length) * fade(length, 0.04)
        return rhythm[number % 4] * (wires + skin)

    return events(take, 0.21, blow, jitter=0.02)


def cymbal(take: Take) -> Sound:
    """Crashes: bright noise that dies slowly."""

    def crash(_: int) -> Sound:
        length = samples(1.9)
        shimmer = above(noise(take, length), 2900 * take.pitch) * fade(length, 0.5)
        metal = chord([take.hertz(f, 0.05) for f in (2150, 3170, 4630, 5390)], length, (0.4,) * 4)
        return shimmer + 0.35 * metal

    return events(take, 1.5, crash, jitter=0.05)


def guitar(take: Take) -> Sound:
    """Plucked strings: each partial dies the faster the higher it is."""
    base = take.hertz(165)

    def pluck(_: int) -> Sound:
        length, frequency = samples(1.1), _note(take, base)
        clock = times(length)
        sound = np.zeros(length)
        for i in range(1, 11):
            if i * frequency < RATE / 2:
                level = np.sin(np.pi * i * 0.21) / i**0.8
                sound += (
                    level
                    * np.sin(2 * np.pi * i * frequency * clock)
                    * np.exp(-clock * (1.6 + 0.9 * i))
                )
        return sound

    return events(take, 0.38, pluck, jitter=0.03)


def piano(take: Take) -> Sound:
    """Struck strings: chords of three notes with a soft hammer."""
    base = take.hertz(262)

    def strike(_: int) -> Sound:
        length, root = samples(1.6), _note(take, base)
        strings = [
            tone(root * r * d, length, (1, 0.55, 0.3, 0.18))
            for r in (1, 5 / 4, 3 / 2)
            for d in (1, 1.0025)
        ]
        hammer = below(noise(take, length), 700) * fade(length, 0.006)
        return np.sum(strings, axis=0) * fade(length, 0.42, 0.004) + hammer

    return events(take, 0.8, strike, jitter=0.01)


def organ(take: Take) -> Sound:
    """Pipes: full chords that are held, without a decay."""
    base = take.hertz(175)
    ranks = (1, 0.8, 0.35, 0.6, 0, 0.25, 0, 0.4)

    def held(_: int) -> Sound:
        length, root = samples(1.5 / take.pace), _note(take, base)
        pipes = [tone(root * r, length, ranks) for r in (0.5, 1, 5 / 4, 3 / 2)]
        return np.sum(pipes, axis=0) * hill(length, 0.04, 0.05)

    return events(take, 1.5, held, jitter=0.0)


def flute(take: Take) -> Sound:
    """Breathy nearly pure notes with a vibrato."""
    base = take.hertz(780)

    def blown(_: int) -> Sound:
        length, frequency = samples(take.near(0.6, 0.3) / take.pace), _note(take, base)
        vibrato = 1 + 0.012 * np.sin(2 * np.pi * 5 * times(length))
        breath = 0.35 * band(noise(take, length), frequency * 0.9, frequency * 2.2)
        return (tone(frequency * vibrato, length, (1, 0.28, 0.09)) + breath) * hill(
            length, 0.12, 0.2
        )

    return events(take, 0.6, blown, jitter=0.03)


def violin(take: Take) -> Sound:
    """Bowed strings: rich partials, strong vibrato, slow swells."""
    base = take.hertz(440)

    def bowed(_: int) -> Sound:
        length, frequency = samples(take.near(0.95, 0.3) / take.pace), _note(take, base)
        vibrato = 1 + 0.017 * np.sin(2 * np.pi * 6 * times(length))
        return tone(frequency * vibrato, length, saw(14, 0.75)) * hill(length, 0.35, 0.3)

    return events(take, 0.95, bowed, jitter=0.02)


def trumpet(take: Take) -> Sound:
    """Brass: a brassy attack, then a bright steady note."""
    base = take.hertz(350)

    def blown(_: int) -> Sound:
        length, frequency = samples(take.near(0.38, 0.3) / take.pace), _note(take, base)
        track = frequency * glide(length, 0.97, 1.0, 1.0, 1.0, 1.0)
        bright = band(tone(track, length, saw(16, 0.25)), 500 * take.pitch, 3800 * take.pitch)
        return bright * hill(length, 0.08, 0.12)

    return events(take, 0.48, blown, jitter=0.02)


def xylophone(take: Take) -> Sound:
    """Wooden bars: dry, short, with one high partial."""
    base = take.hertz(1050)

    def bar(_: int) -> Sound:
        frequency = _note(take, base)
        return chord([frequency, frequency * 3.0], samples(0.25), (0.06, 0.025))

    return events(take, 0.2, bar, jitter=0.02)


def accordion(take: Take) -> Sound:
    """Reeds a little out of tune with each other, so that chords beat."""
    base = take.hertz(330)
    reeds = (1, 0.5, 0.7, 0.4, 0.5, 0.3, 0.3, 0.2)

    def squeezed(_: int) -> Sound:
        length, root = samples(0.7 / take.pace), _note(take, base)
        pipes = [tone(root * r * d, length, reeds) for r in (1, 3 / 2) for d in (0.992, 1.008)]
        return np.sum(pipes, axis=0) * hill(length, 0.12, 0.12)

    return events(take, 0.7, squeezed, jitter=0.0)
