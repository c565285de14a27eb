"""Vehicles and engines."""

import numpy as np

from pocket.sounds.synthesis import (
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
    joined,
    noise,
    pulse,
    samples,
    saw,
    tone,
    wander,
)


def car_engine(take: Take) -> Sound:
    """An idling engine: low even firing with a soft rumble."""
    speed = take.near(26) * take.pace**0.7 * wander(take, take.count, 1.0, 0.96, 1.04)
    firing = tone(speed, take.count, saw(24, 0.5))
    return below(firing, 340 * take.pitch) + 0.25 * band(noise(take), 60, 300 * take.pitch)


def motorbike(take: Take) -> Sound:
    """A motor that is revved: its roar climbs and falls."""
    revs = pulse(take.count, take.near(0.55) * take.pace, 1.6, take.between(0, 6))
    roar = tone(take.hertz(75) * (1 + 1.9 * revs), take.count, saw(30, 0.45))
    return (roar + 0.3 * band(noise(take), 300, 2500)) * (0.35 + 0.65 * revs)


def helicopter(take: Take) -> Sound:
    """Chopping blades over a turbine."""
    chop = pulse(take.count, take.near(11.5) * take.pace, 5.0)
    thump = below(noise(take), 380 * take.pitch) * chop * 2.2
    whine = 0.05 * tone(take.hertz(1700), take.count, (1, 0.4))
    return thump + 0.12 * band(noise(take), 300, 1500) * (0.3 + chop) + whine


def train(take: Take) -> Sound:
    """Wheels over the joints of the rails: two double knocks, again and again."""

    def clack(_: int) -> Sound:
        length = samples(0.1)
        thud = below(noise(take, length), take.hertz(520)) * 1.6
        clank = 0.5 * band(noise(take, length), take.hertz(1700), take.hertz(2700))
        return (thud + clank) * fade(length, 0.024)

    def joint(_: int) -> Sound:
        return joined([clack(0), clack(1)], 0.06)

    rolling = below(noise(take), 240 * take.pitch) * 0.3 + 0.02 * above(noise(take), 2500)
    return events(take, 0.62, joint, jitter=0.02) + rolling


def steam_whistle(take: Take) -> Sound:
    """A locomotive's whistle: a breathy chord, long."""
    base = take.hertz(480)

    def whistle(_: int) -> Sound:
        length = samples(take.near(1.3) / take.pace**0.6)
        pipes = [tone(base * ratio, length, (1, 0.35, 0.1)) for ratio in (1, 1.2, 1.5, 1.78)]
        steam = 0.8 * above(noise(take, length), 1500)
        return (np.sum(pipes, axis=0) + steam) * hill(length, 0.1, 0.15)

    return events(take, 1.9, whistle, jitter=0.1)


def jet(take: Take) -> Sound:
    """A jet that flies over: roar and a whine that falls."""
    passing = hill(take.count, take.between(0.3, 0.5), take.between(0.4, 0.6))
    roar = band(noise(take), 120, 1500 * take.pitch)
    track = take.hertz(3000) * glide(take.count, 1.12, 1.08, 0.85, 0.8)
    whine = 0.35 * tone(track, take.count, (1, 0.3))
    return (roar + whine) * (0.15 + passing)


def ship_horn(take: Take) -> Sound:
    """One very low, very long blast."""

    def blast(_: int) -> Sound:
        length = samples(take.near(2.4) / take.pace**0.6)
        sound = tone(take.hertz(95, 0.08), length, saw(26, 0.6))
        return below(sound, 900) * hill(length, 0.06, 0.1)

    return events(take, 3.0, blast, jitter=0.05)


def bicycle_bell(take: Take) -> Sound:
    """Two quick bright rings."""
    base = take.hertz(2500)

    def ring(_: int) -> Sound:
        taus = (0.5, 0.4, 0.2)
        struck = chord([base, base * 1.05, base * 2.1], samples(0.9), taus)
        return struck * (0.35 + pulse(len(struck), 22, 2.0))

    def pair(_: int) -> Sound:
        sound = np.zeros(samples(1.1))
        sound[: samples(0.9)] += ring(0)
        sound[samples(0.19) : samples(0.19) + samples(0.9)] += ring(1)
        return sound

    return events(take, 1.5, pair, jitter=0.1)
