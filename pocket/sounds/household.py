"""At home and at work: tools, machines, steps, knocks."""

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


def clock(take: Take) -> Sound:
    """Ticks and tocks, dry and even."""
    tick = take.hertz(2700)

    def click(number: int) -> Sound:
        length = samples(0.035)
        base = tick * (1.0 if number % 2 else 0.8)
        return (tone(base, length) + 0.5 * band(noise(take, length), base, base * 1.8)) * fade(
            length, 0.005, 0.0004
        )

    return events(take, 0.5, click, jitter=0.0)


def knocking(take: Take) -> Sound:
    """Three or four knuckle raps on wood, then a pause."""

    def rap(_: int) -> Sound:
        length = samples(0.14)
        body = tone(take.hertz(190), length) + 0.6 * tone(take.hertz(340), length)
        return (body + 0.5 * below(noise(take, length), 900 * take.pitch)) * fade(length, 0.025)

    def raps(_: int) -> Sound:
        return joined([rap(0) for _ in range(take.rng.integers(3, 5))], 0.07 / take.pace)

    return events(take, 1.7, raps, jitter=0.1)


def typing(take: Take) -> Sound:
    """Keys: light uneven clicks, in bursts."""

    def key(_: int) -> Sound:
        length = samples(0.05)
        down = band(noise(take, length), take.hertz(1700, 0.25), take.hertz(4200, 0.2))
        click = down * fade(length, 0.006, 0.0005)
        up = np.roll(click, samples(0.028)) * 0.4
        return take.between(0.5, 1) * (click + up)

    return events(take, 0.135, key, jitter=0.42)


def vacuum(take: Take) -> Sound:
    """A vacuum cleaner: a motor's steady whine in rushing air."""
    base = take.hertz(480)
    whine = tone(base * wander(take, take.count, 0.8, 0.99, 1.01), take.count, (1, 0.7, 0.3, 0.3))
    return 0.4 * whine + band(noise(take), 250, 3800)


def footsteps(take: Take) -> Sound:
    """Steps on a hard floor: heel, then sole."""

    def step(_: int) -> Sound:
        length = samples(0.16)
        heel = below(noise(take, length), take.hertz(480)) * fade(length, 0.02) * 1.7
        sole = above(noise(take, length), 1600 * take.pitch) * fade(length, 0.03) * 0.25
        return heel + np.roll(sole, samples(0.055))

    return events(take, 0.56, step, jitter=0.05)


def glass(take: Take) -> Sound:
    """Clinks: two glasses that touch, bright and short."""

    def clink(_: int) -> Sound:
        base = take.hertz(2900, 0.15)
        taus = (0.22, 0.14, 0.08)
        return chord([base, base * 1.33, base * 2.2], samples(0.6), taus)

    return events(take, 1.05, clink, jitter=0.3)


def hammering(take: Take) -> Sound:
    """Hard blows on a nail: a thud with a metallic ring."""

    def blow(_: int) -> Sound:
        length = samples(0.2)
        ring = chord(
            [take.hertz(1500, 0.05), take.hertz(2350, 0.05), 3900], length, (0.05, 0.04, 0.03)
        )
        thud = below(noise(take, length), 500) * fade(length, 0.018) * 1.5
        return 0.7 * ring + thud

    return events(take, 0.48, blow, jitter=0.07)


def sawing(take: Take) -> Sound:
    """A handsaw: rasping strokes to and fro."""

    def stroke(number: int) -> Sound:
        length = samples(0.36 / take.pace)
        teeth = pulse(length, take.hertz(95), 2.0)
        rasp = band(noise(take, length), 800 * take.pitch, 3300 * take.pitch)
        return rasp * (0.4 + teeth) * hill(length, 0.35, 0.35) * (1.0 if number % 2 else 0.55)

    return events(take, 0.42, stroke, jitter=0.03)


def creak(take: Take) -> Sound:
    """A door's hinge: slow sticking squeals that climb."""

    def squeal(_: int) -> Sound:
        length = samples(take.near(1.2) / take.pace**0.6)
        track = take.hertz(24) * glide(length, 0.7, 1.6, 2.4) * wander(take, length, 9, 0.8, 1.25)
        sticking = tone(track, length, saw(50, 0.25))
        peaks = [(take.hertz(620), 1.0), (take.hertz(1450), 1.0), (take.hertz(2500), 0.5)]
        shaped = np.sum([gain * band(sticking, f * 0.93, f * 1.08) for f, gain in peaks], axis=0)
        return shaped * hill(length, 0.1, 0.2)

    return events(take, 1.7, squeal, jitter=0.15)


def drill(take: Take) -> Sound:
    """An electric drill: a whine that starts, labours and stops."""

    def run(_: int) -> Sound:
        length = samples(take.near(1.6) / take.pace**0.4)
        track = take.hertz(820) * glide(length, 0.45, 1.0, 0.97, 1.0, 0.94, 0.5)
        whine = tone(track, length, saw(9, 0.5))
        grit = 0.5 * above(noise(take, length), 2000) * pulse(length, 55, 2.0)
        return (whine + grit) * hill(length, 0.06, 0.08)

    return events(take, 2.0, run, jitter=0.08)


def coins(take: Take) -> Sound:
    """Coins: quick bright clatter that dies away."""

    def coin(_: int) -> Sound:
        base = take.hertz(3700, 0.25)
        return take.between(0.3, 1) * chord([base, base * 1.52], samples(0.16), (0.045, 0.03))

    def handful(_: int) -> Sound:
        sound = np.zeros(samples(0.9))
        for place in np.sort(take.rng.exponential(0.2, 11)):
            start = samples(min(place, 0.7))
            sound[start : start + samples(0.16)] += coin(0)
        return sound

    return events(take, 1.2, handful, jitter=0.15)
