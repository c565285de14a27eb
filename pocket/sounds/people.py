"""People: what bodies do, and voices by espeak-ng."""

import io
import shutil
import subprocess
import wave

import numpy as np
from scipy.signal import resample_poly

from pocket.sounds.synthesis import (
    RATE,
    Sound,
    Take,
    band,
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
)

_SENTENCES = (
    "The train to the coast leaves at half past nine.",
    "Please close the window before you go.",
    "We have not seen so much snow for many years.",
    "My brother bought a green bicycle last week.",
    "Could you tell me where the station is?",
    "It is going to rain in the afternoon.",
    "Nobody knew the answer to that question.",
    "Take the second street on the left.",
    "The meeting has been moved to Thursday.",
    "She reads three books every month.",
    "There is fresh bread on the kitchen table.",
    "He will call you back in an hour.",
    "The museum opens at ten and closes at six.",
    "Put the boxes next to the door, thank you.",
)
_MEN = ("en-us+m1", "en-us+m3", "en-gb+m2", "en-gb-x-rp+m4", "en-gb-scotland+m7", "en-029+m6")
_WOMEN = ("en-us+f1", "en-us+f2", "en-gb+f3", "en-gb-x-rp+f4", "en-gb-scotland+f2", "en-gb+f5")


def has_voices() -> bool:
    """Whether espeak-ng is installed, which the sounds of speech need."""
    return shutil.which("espeak-ng") is not None


def _spoken(take: Take, voices: tuple[str, ...], pitch: float) -> Sound:
    """Sentences one after another until the take is full."""
    sound = np.zeros(0)
    voice = str(take.rng.choice(voices))
    while len(sound) < take.count:
        said = _say(
            str(take.rng.choice(_SENTENCES)),
            voice=voice,
            pitch=round(np.clip(pitch + 28 * np.log2(take.pitch), 0, 99)),
            words_per_minute=round(np.clip(take.near(165) * take.pace**0.7, 90, 330)),
        )
        sound = np.concatenate([sound, said, np.zeros(samples(take.between(0.05, 0.3)))])
    return sound[: take.count]


def _say(text: str, *, voice: str, pitch: int, words_per_minute: int) -> Sound:
    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeError(
            "speech is made by espeak-ng, which is not installed: apt-get install espeak-ng"
        )
    command = [
        program,
        "--stdout",
        "-v",
        voice,
        "-p",
        str(pitch),
        "-s",
        str(words_per_minute),
        text,
    ]
    answer = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 (own arguments)
    # The length in a header that was written to a pipe is not true: read what there is.
    with wave.open(io.BytesIO(answer.stdout)) as file:
        rate, frames = file.getframerate(), file.readframes(2**24)
    spoken = np.frombuffer(frames, dtype="<i2").astype(np.float64) / 2**15
    divisor = int(np.gcd(rate, RATE))
    return np.asarray(resample_poly(spoken, RATE // divisor, rate // divisor))


def man(take: Take) -> Sound:
    """A man who speaks."""
    return _spoken(take, _MEN, 35)


def woman(take: Take) -> Sound:
    """A woman who speaks."""
    return _spoken(take, _WOMEN, 62)


def whisper(take: Take) -> Sound:
    """Somebody who whispers."""
    return _spoken(take, ("en-us+whisper", "en-gb+whisperf", "en-us+whisperf"), 45)


def heartbeat(take: Take) -> Sound:
    """Two soft low thumps and a pause."""

    def thump(strength: float) -> Sound:
        length = samples(0.16)
        return (
            strength
            * tone(take.hertz(52) * glide(length, 1.2, 0.8), length)
            * hill(length, 0.25, 0.6)
        )

    return events(take, 0.88, lambda _: joined([thump(1.0), thump(0.7)], 0.12), jitter=0.02)


def applause(take: Take) -> Sound:
    """Many hands that clap at once."""

    def clap(_: int) -> Sound:
        length = samples(0.05)
        hands = band(noise(take, length), take.hertz(900, 0.35), take.hertz(2500, 0.3))
        return take.between(0.2, 1) * hands * fade(length, 0.011, 0.001)

    return scattered(take, 95, clap)


def snoring(take: Take) -> Sound:
    """A rattling breath in, a soft breath out."""

    def breath(_: int) -> Sound:
        into, out = samples(1.05 / take.pace**0.7), samples(0.8 / take.pace**0.7)
        rattle = pulse(into, take.near(30) * take.pitch**0.5, 4.0)
        snore = band(noise(take, into), 90, 620 * take.pitch) * rattle * hill(into, 0.3, 0.15)
        sigh = 0.22 * band(noise(take, out), 350, 1500 * take.pitch) * hill(out, 0.3, 0.6)
        return joined([1.8 * snore, sigh], 0.12)

    return events(take, 2.3, breath, jitter=0.04)


def coughing(take: Take) -> Sound:
    """Coughs in twos and threes: a burst and a voiced end."""

    def cough(_: int) -> Sound:
        length = samples(take.near(0.27))
        air = band(noise(take, length), 350, 2900 * take.pitch) * fade(length, 0.05, 0.006)
        voiced = formants(
            tone(take.hertz(190) * glide(length, 1.1, 0.7), length, saw(16, 0.5)),
            [(take.hertz(620), 0.7), (take.hertz(1250), 0.4)],
        )
        return air + voiced * hill(length, 0.3, 0.5)

    def fit(_: int) -> Sound:
        return joined([cough(0) for _ in range(take.rng.integers(2, 4))], 0.06)

    return events(take, 1.6, fit, jitter=0.15)


def whistling(take: Take) -> Sound:
    """Somebody who whistles a tune: pure notes that slide into each other."""
    steps = take.rng.choice((1, 9 / 8, 5 / 4, 3 / 2, 5 / 3), 40)
    length = take.near(0.34) / take.pace
    clock = np.arange(take.count) / RATE / length
    place = np.minimum(clock.astype(int), 38)
    slide = np.clip((clock - place) / 0.25, 0, 1)
    track = take.hertz(1250) * (steps[place] * (1 - slide) + steps[place + 1] * slide)
    breath = 0.06 * band(noise(take), 900, 4000)
    return (tone(track, take.count, (1, 0.06)) + breath) * (
        0.6 + 0.4 * pulse(take.count, 1 / length)
    )


def laughing(take: Take) -> Sound:
    """Ha ha ha: short voiced puffs that fall in pitch."""

    def laugh(_: int) -> Sound:
        parts, base = [], take.hertz(240)
        for i in range(take.rng.integers(4, 7)):
            length = samples(0.11)
            puff = tone(base * 0.95**i * glide(length, 1.08, 0.92), length, saw(18, 0.6))
            shaped = formants(puff, [(750, 1.0), (1250, 0.7), (2600, 0.25)])
            breath = 0.3 * band(noise(take, length), 600, 2500)
            parts.append((shaped + breath) * hill(length, 0.2, 0.5))
        return joined(parts, 0.085 / take.pace)

    return events(take, 1.9, laugh, jitter=0.15)


def baby(take: Take) -> Sound:
    """A baby that cries: long wails, high and trembling, with a breath between."""

    def wail(_: int) -> Sound:
        length = samples(take.near(0.85) / take.pace**0.5)
        tremble = 1 + 0.02 * np.sin(2 * np.pi * 9 * np.arange(length) / RATE)
        track = take.hertz(460) * glide(length, 0.8, 1.15, 1.2, 0.85) * tremble
        voiced = tone(track, length, saw(14, 0.5))
        peaks = [(1100, 1.0), (take.hertz(1700), 0.7), (3300, 0.5)]
        return formants(voiced, peaks) * hill(length, 0.1, 0.25)

    return events(take, 1.15, wail, jitter=0.06)
