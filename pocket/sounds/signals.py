"""Signals and electronic sounds."""

import numpy as np

from pocket.sounds.synthesis import (
    RATE,
    Sound,
    Take,
    band,
    chord,
    events,
    fade,
    glide,
    hill,
    hollow,
    joined,
    noise,
    pulse,
    samples,
    saw,
    times,
    tone,
)


def steady_tone(take: Take) -> Sound:
    """One sine that does not change."""
    return tone(take.hertz(700, 0.3), take.count)


def sliding_tone(take: Take) -> Sound:
    """A sine that climbs again and again."""
    low = take.hertz(300)
    length = samples(take.near(1.6) / take.pace)
    return events(take, length / RATE, lambda _: tone(glide(length, low, low * 5), length))


def white_noise(take: Take) -> Sound:
    """Even hiss, brighter or duller by the pitch."""
    return band(noise(take), 60, 5200 * take.pitch)


def mains_hum(take: Take) -> Sound:
    """The mains' frequency and its multiples."""
    partials = (1.0, take.between(0.6, 1), 0.4, 0.5, 0.2, 0.25, 0.1, 0.1)
    return tone(take.hertz(58, 0.04), take.count, partials) + 0.01 * noise(take)


def alarm_beeps(take: Take) -> Sound:
    """Four short beeps and a pause, as of an alarm clock."""
    frequency = take.hertz(2000)
    beep = tone(frequency, samples(0.07), hollow(3)) * hill(samples(0.07), 0.05, 0.05)
    group = joined([beep] * 4, 0.055)
    return events(take, 1.0, lambda _: group, jitter=0.0)


def siren(take: Take) -> Sound:
    """A police siren: up and down without a stop."""
    swing = pulse(take.count, take.near(0.45) * take.pace, start=take.between(0, 6))
    low = take.hertz(600)
    return tone(low * (1 + 1.3 * swing), take.count, saw(5, 1.2))


def ambulance(take: Take) -> Sound:
    """Two tones in turns."""
    low, length = take.hertz(440), samples(0.55 / take.pace)
    pair = joined([tone(f, length, saw(6, 0.9)) for f in (low * 1.34, low)])
    return events(take, 1.1, lambda _: pair, jitter=0.0)


def telephone(take: Take) -> Sound:
    """Two bells that a clapper strikes twenty times a second, then a pause."""
    base, length = take.hertz(1150), samples(1.0 / take.pace**0.5)
    struck = pulse(length, take.near(20, 0.06), 3.0)
    ring = (tone(base, length, (1, 0.3)) + tone(base * 1.26, length, (1, 0.3))) * (0.1 + struck)
    return events(take, 2.0, lambda _: ring, jitter=0.0)


def doorbell(take: Take) -> Sound:
    """A high and a low chime: ding, dong."""
    high = take.hertz(660)

    def chime(frequency: float) -> Sound:
        taus = (0.5, 0.25, 0.12)
        return chord([frequency, frequency * 2.0, frequency * 4.1], samples(1.2), taus)

    def ding_dong(_: int) -> Sound:
        sound = np.zeros(samples(1.75))
        sound[: samples(1.2)] += chime(high)
        sound[samples(0.5) : samples(1.7)] += chime(high * 0.79)
        return sound

    return events(take, 2.4, ding_dong)


def buzzer(take: Take) -> Sound:
    """A harsh low buzz, on and off."""
    length = samples(take.near(0.9) / take.pace)
    buzz = tone(take.hertz(130), length, saw(40, 0.45)) * hill(length, 0.03, 0.03)
    return events(take, 1.5, lambda _: buzz, jitter=0.02)


def morse(take: Take) -> Sound:
    """Short and long beeps of one pitch in an irregular order."""
    frequency, unit = take.hertz(850, 0.06), 0.075 / take.pace

    def sign(_: int) -> Sound:
        length = samples(unit * take.rng.choice((1, 1, 3)))
        return joined([tone(frequency, length) * hill(length, 0.06, 0.06)], unit)

    parts: list[Sound] = []
    while sum(map(len, parts)) < take.count:
        letter = [sign(i) for i in range(take.rng.integers(2, 5))]
        parts += [*letter, np.zeros(samples(2 * unit))]
    return np.concatenate(parts)[: take.count]


def laser(take: Take) -> Sound:
    """Tones that fall at once, as toy guns make."""
    top, length = take.hertz(4200), samples(0.28)
    fall = top * np.exp(-times(length) * take.near(13)) + 180
    zap = tone(fall, length, saw(4, 1.3)) * fade(length, 0.14)
    return events(take, 0.62, lambda _: zap)


def game(take: Take) -> Sound:
    """Quick square notes up and down a chord."""
    base, steps = take.hertz(440), (1, 1.26, 1.5, 2, 2.52, 3)

    def note(_: int) -> Sound:
        length = samples(0.1)
        frequency = base * float(take.rng.choice(steps))
        return tone(frequency, length, hollow(7)) * fade(length, 0.08)

    return events(take, 0.12, note, jitter=0.0)


def horn(take: Take) -> Sound:
    """A car's horn: two rough tones at once, pressed once or twice."""
    base = take.hertz(380)

    def honk(_: int) -> Sound:
        length = samples(take.near(0.55, 0.3) / take.pace)
        both = tone(base, length, saw(14, 0.6)) + tone(base * 1.23, length, saw(14, 0.6))
        return both * hill(length, 0.05, 0.08)

    return events(take, 1.1, honk, jitter=0.15)
