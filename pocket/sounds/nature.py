"""Weather, water and fire."""

import numpy as np

from pocket.sounds.synthesis import (
    Sound,
    Take,
    above,
    band,
    below,
    events,
    fade,
    glide,
    hill,
    noise,
    samples,
    scattered,
    times,
    tone,
    wander,
)


def rain(take: Take) -> Sound:
    """Hiss of many drops, some of them heard one by one."""

    def drop(_: int) -> Sound:
        length = samples(0.012)
        return (
            take.between(1, 5)
            * band(noise(take, length), take.hertz(2200, 0.4), take.hertz(5200, 0.3))
            * fade(length, 0.003, 0.0005)
        )

    hiss = above(noise(take), 900 * take.pitch) * 0.22
    return hiss + scattered(take, 90, drop)


def wind(take: Take) -> Sound:
    """Gusts: low noise whose colour and strength wander, with a faint whistle."""
    gusts = wander(take, take.count, 1.1 * take.pace, 0.15, 1.0)
    body = band(noise(take), 80, 520 * take.pitch) * gusts
    track = take.hertz(560) * (0.7 + 0.5 * gusts)
    whistle = tone(track, take.count) * gusts**2 * wander(take, take.count, 20, 0.2, 1)
    return body + 0.1 * whistle


def waves(take: Take) -> Sound:
    """Surf: noise that swells, breaks and draws back."""

    def wave(_: int) -> Sound:
        length = samples(take.near(2.9) / take.pace**0.7)
        swell = np.exp(-(((np.linspace(0, 1, length) - 0.38) / 0.2) ** 2))
        roar = below(noise(take, length), 900 * take.pitch)
        foam = 0.35 * above(noise(take, length), 2200 * take.pitch)
        return roar * swell + foam * np.roll(swell, length // 9)

    return events(take, 2.2, wave, jitter=0.15) + 0.04 * below(noise(take), 600)


def thunder(take: Take) -> Sound:
    """A crack and long low rolling."""

    def clap(_: int) -> Sound:
        length = samples(take.near(3.0))
        roll = below(noise(take, length), 140 * take.pitch) * 3.0
        rumble = roll * fade(length, 1.1, 0.04) * wander(take, length, 9, 0.25, 1.0)
        crack = below(noise(take, length), 2000 * take.pitch) * fade(length, 0.1, 0.004)
        return rumble + 0.5 * crack

    return events(take, 3.0, clap, jitter=0.2)


def fire(take: Take) -> Sound:
    """Crackles of all strengths over a soft rumble."""

    def crackle(_: int) -> Sound:
        length = samples(take.near(0.014, 0.6))
        burst = band(noise(take, length), take.hertz(900, 0.5), take.hertz(4500, 0.3))
        return float(take.rng.pareto(1.6) + 0.3) * burst * fade(length, 0.003, 0.0004)

    return scattered(take, 16, crackle) + 0.12 * below(noise(take), 260 * take.pitch)


def stream(take: Take) -> Sound:
    """A brook: very many short rising blips, and a soft rush."""

    def blip(_: int) -> Sound:
        length = samples(take.near(0.045, 0.4))
        start = take.hertz(900, 0.5)
        return (
            take.between(0.2, 1) * tone(glide(length, start, start * 1.35), length) * hill(length)
        )

    return scattered(take, 75, blip) + 0.1 * band(noise(take), 400, 2200 * take.pitch)


def bubbles(take: Take) -> Sound:
    """Single round blips that rise quickly."""

    def blip(_: int) -> Sound:
        length = samples(take.near(0.11, 0.3))
        start = take.hertz(330, 0.4)
        return tone(glide(length, start, start * 2.4), length) * hill(length, 0.2, 0.5)

    return scattered(take, 6.5, blip)


def dripping(take: Take) -> Sound:
    """A tap: one drop at a time, each a click and a falling ring."""

    def drop(_: int) -> Sound:
        length = samples(0.13)
        start = take.hertz(1500, 0.08)
        ring = tone(start * (1 + 0.5 * np.exp(-times(length) * 60)), length) * fade(length, 0.03)
        click = above(noise(take, length), 3000) * fade(length, 0.002)
        return ring + 0.4 * click

    return events(take, 0.72, drop, jitter=0.05)


def hail(take: Take) -> Sound:
    """Hard knocks on a tin roof, many and ringing."""

    def knock(_: int) -> Sound:
        length = samples(0.07)
        base = take.hertz(1250, 0.3)
        ring = tone(base, length) + 0.7 * tone(base * 2.76, length)
        return take.between(0.3, 1.2) * ring * fade(length, 0.012, 0.0005)

    return scattered(take, 26, knock) + 0.03 * above(noise(take), 2000)
