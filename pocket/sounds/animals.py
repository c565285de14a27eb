"""Animals."""

import numpy as np

from pocket.sounds.synthesis import (
    RATE,
    Sound,
    Take,
    band,
    below,
    events,
    fade,
    formants,
    glide,
    hill,
    joined,
    noise,
    pulse,
    samples,
    saw,
    scattered,
    tone,
    wander,
)


def bird(take: Take) -> Sound:
    """Phrases of quick whistled chirps, up and down."""

    def phrase(_: int) -> Sound:
        parts = []
        for _ in range(take.rng.integers(2, 6)):
            length, base = samples(take.near(0.09, 0.5)), take.hertz(3200, 0.3)
            track = glide(length, *(base * take.rng.uniform(0.75, 1.3, 3)))
            parts.append(tone(track, length) * hill(length))
        return joined(parts, take.between(0.02, 0.07))

    return events(take, 0.95, phrase, jitter=0.25)


def cricket(take: Take) -> Sound:
    """A high trill in groups of three pulses, without an end."""
    frequency = take.hertz(4300, 0.06)
    click = tone(frequency, samples(0.018)) * hill(samples(0.018))
    chirp = joined([click] * 3, 0.014)
    return events(take, 0.32, lambda _: chirp, jitter=0.02)


def frog(take: Take) -> Sound:
    """Croaks: rough bursts of clicks that swell."""

    def croak(_: int) -> Sound:
        length = samples(take.near(0.38))
        rattle = pulse(length, take.near(34) * take.pitch**0.5, 5.0)
        voiced = tone(take.hertz(260) * glide(length, 0.9, 1.15), length, saw(12, 0.6))
        return formants(voiced, [(take.hertz(520), 1.0), (take.hertz(1300), 0.7)]) * (
            rattle * hill(length, 0.4, 0.2)
        )

    return events(take, 0.85, croak, jitter=0.2)


def dog(take: Take) -> Sound:
    """Barks: short, rough, loud at once."""

    def bark(_: int) -> Sound:
        length = samples(take.near(0.19))
        track = take.hertz(420) * glide(length, 0.75, 1.2, 0.7)
        voiced = tone(track, length, saw(14, 0.7)) + 0.9 * noise(take, length)
        shaped = formants(voiced, [(take.hertz(800), 1.2), (take.hertz(1700), 0.8)])
        return (shaped + 0.1 * voiced) * fade(length, 0.07, 0.012)

    def barks(_: int) -> Sound:
        return joined([bark(0) for _ in range(take.rng.integers(1, 3))], 0.12)

    return events(take, 0.75, barks, jitter=0.2)


def cat(take: Take) -> Sound:
    """Meows: a voice that opens, rises and falls slowly."""

    def meow(_: int) -> Sound:
        length = samples(take.near(0.8) / take.pace**0.5)
        track = take.hertz(560) * glide(length, 0.85, 1.25, 1.15, 0.8)
        voiced = tone(track, length, saw(12, 0.7))
        closed = formants(voiced, [(take.hertz(700), 1.0), (take.hertz(2700), 0.5)])
        opened = formants(voiced, [(take.hertz(1300), 1.0), (take.hertz(2000), 0.5)])
        mouth = hill(length, 0.5, 0.5)
        return (closed * (1 - mouth) + opened * mouth) * hill(length, 0.15, 0.4)

    return events(take, 1.5, meow, jitter=0.15)


def cow(take: Take) -> Sound:
    """Moos: long, low and nasal."""

    def moo(_: int) -> Sound:
        length = samples(take.near(1.5) / take.pace**0.5)
        track = take.hertz(125) * glide(length, 0.85, 1.1, 1.12, 1.05, 0.8)
        voiced = tone(track, length, saw(30, 0.6))
        peaks = [(take.hertz(270, 0.05), 1.0), (take.hertz(700, 0.1), 0.6), (2200, 0.12)]
        return formants(voiced, peaks) * hill(length, 0.15, 0.25)

    return events(take, 2.3, moo, jitter=0.1)


def owl(take: Take) -> Sound:
    """Hoots: soft and nearly pure, one short and one long."""
    base = take.hertz(400)

    def hoot(seconds: float) -> Sound:
        length = samples(seconds)
        track = base * glide(length, 0.95, 1.05, 0.93)
        breath = 0.05 * band(noise(take, length), base * 0.8, base * 1.6)
        return (tone(track, length, (1, 0.12, 0.05)) + breath) * hill(length, 0.25, 0.4)

    return events(take, 1.7, lambda _: joined([hoot(0.2), hoot(0.55)], 0.16), jitter=0.1)


def bee(take: Take) -> Sound:
    """Buzzing wings that come nearer and go."""
    track = take.hertz(215) * wander(take, take.count, 2.5 * take.pace, 0.88, 1.12)
    near = wander(take, take.count, 1.4 * take.pace, 0.25, 1.0)
    return tone(track, take.count, saw(24, 0.7)) * near


def duck(take: Take) -> Sound:
    """Quacks: nasal and quickly falling."""

    def quack(_: int) -> Sound:
        length = samples(take.near(0.17))
        voiced = tone(take.hertz(230) * glide(length, 1.1, 1.0, 0.75), length, saw(26, 0.35))
        return formants(voiced, [(take.hertz(1150), 1.0), (take.hertz(2500), 0.8)]) * hill(
            length, 0.1, 0.4
        )

    return events(take, 0.42, quack, jitter=0.12)


def wolf(take: Take) -> Sound:
    """Howls: a long rise, a held tone, a fall."""

    def howl(_: int) -> Sound:
        length = samples(take.near(2.3) / take.pace**0.5)
        track = take.hertz(430) * glide(length, 0.6, 0.95, 1.1, 1.08, 1.05, 0.75)
        track = track * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * np.arange(length) / RATE))
        return tone(track, length, (1, 0.4, 0.16, 0.06)) * hill(length, 0.2, 0.3)

    return events(take, 2.7, howl, jitter=0.1)


def rooster(take: Take) -> Sound:
    """A crow: three short notes and a long high one that falls."""

    def crow(_: int) -> Sound:
        base = take.hertz(750)
        notes = ((0.16, 0.9, 1.0), (0.13, 1.15, 1.2), (0.16, 1.05, 1.3), (0.75, 1.4, 0.8))
        parts = []
        for seconds, first, last in notes:
            length = samples(seconds / take.pace**0.4)
            voiced = tone(base * glide(length, first, last), length, saw(9, 0.6))
            parts.append(band(voiced, base, base * 4.5) * hill(length, 0.1, 0.25))
        return joined(parts, 0.05)

    return events(take, 2.2, crow, jitter=0.1)


def horse(take: Take) -> Sound:
    """Hooves at a gallop: three hollow clops and a gap."""

    def clop(strength: float) -> Sound:
        length = samples(0.09)
        knock = band(noise(take, length), take.hertz(700, 0.2), take.hertz(1500, 0.2))
        thud = 0.5 * tone(take.hertz(180), length)
        return strength * (knock + thud) * fade(length, 0.018)

    return events(
        take, 0.48, lambda _: joined([clop(s) for s in (0.7, 0.8, 1.0)], 0.03), jitter=0.04
    )


def purr(take: Take) -> Sound:
    """A cat's purr: low rattling breath, in and out."""
    rattle = pulse(take.count, take.near(25) * take.pitch**0.4, 3.0)
    breath = 0.25 + 0.75 * pulse(take.count, 0.55 * take.pace, 0.8, take.between(0, 6))
    body = below(noise(take), 420 * take.pitch) + 0.5 * scattered(
        take, 40, lambda _: fade(samples(0.02), 0.004)
    )
    return body * rattle * breath
