"""What training never hears and never reads, so that what is measured on it is zero-shot."""

from pocket.sounds.catalogue import KINDS, PARENTS, Kind
from pocket.sounds.drawing import PACES, PITCHES, SETTINGS
from pocket.splits import part_of

Combination = tuple[str, str, str, str]
"""Names of a kind, a pitch, a pace and a setting."""

NEVER_DRAWN: tuple[str, ...] = (
    "purring cat", "hail", "bicycle bell", "ambulance", "coins", "accordion",
)  # fmt: skip
"""Kinds that training never hears; their names occur in text."""

VALIDATION_WORDINGS: dict[str, str] = {
    "pure tone": "constant tone",
    "rising tone": "tone that goes up",
    "white noise": "hissing noise",
    "electric hum": "humming power line",
    "alarm clock": "beep beep of an alarm",
    "police siren": "siren of the police",
    "telephone ringing": "phone that rings",
    "doorbell": "bell of the front door",
    "buzzer": "loud buzzer signal",
    "morse code": "message in morse",
    "laser gun": "laser weapon",
    "video game": "arcade machine",
    "car horn": "horn of a car",
    "bird song": "bird that sings",
    "cricket": "chirp of a cricket",
    "frog croak": "frog that croaks",
    "dog bark": "dog that barks",
    "cat meow": "cat that meows",
    "cow moo": "cow that moos",
    "owl hoot": "owl that hoots",
    "buzzing bee": "bee that buzzes",
    "duck quack": "duck that quacks",
    "wolf howl": "wolf that howls",
    "rooster crow": "rooster that crows",
    "galloping horse": "horse that gallops",
    "rain": "pouring rain",
    "wind": "strong wind",
    "sea waves": "waves of the sea",
    "thunder": "thunder in the sky",
    "crackling fire": "fire that crackles",
    "stream": "small stream",
    "bubbles": "bubbles in water",
    "dripping water": "dripping faucet",
    "car engine": "engine of a car",
    "motorbike": "motor bike",
    "helicopter": "helicopter blades",
    "train": "train on a track",
    "train whistle": "whistle of a train",
    "jet plane": "plane in the sky",
    "ship horn": "horn of a ship",
    "clock ticking": "clock that ticks",
    "door knock": "knocks at the door",
    "typing": "someone typing",
    "vacuum cleaner": "vacuum cleaning machine",
    "footsteps": "foot steps",
    "clinking glasses": "clink of glasses",
    "hammering": "pounding hammer",
    "sawing wood": "wood being sawed",
    "creaking door": "creaky old door",
    "electric drill": "drilling machine",
    "church bell": "bell of a church",
    "bass drum": "booming drum",
    "snare drum": "drum of a marching band",
    "cymbal": "crash cymbal",
    "guitar": "guitar strings",
    "piano": "piano keys",
    "organ": "organ pipes",
    "flute": "notes of a flute",
    "violin": "violin strings",
    "trumpet": "notes of a trumpet",
    "xylophone": "notes of a xylophone",
    "heartbeat": "beat of a heart",
    "applause": "applauding crowd",
    "snoring": "someone snoring",
    "coughing": "someone coughing",
    "whistling": "someone whistling",
    "laughing": "someone laughing",
    "crying baby": "baby that cries",
    "man speaking": "male voice",
    "woman speaking": "female voice",
    "whispering": "someone whispering",
}
"""For every drawn kind, a wording to tune on."""

TEST_WORDINGS: dict[str, str] = {
    "pure tone": "unchanging sine wave",
    "rising tone": "tone sweeping upwards",
    "white noise": "hissing static",
    "electric hum": "electrical humming",
    "alarm clock": "alarm going off",
    "police siren": "police car siren",
    "telephone ringing": "telephone call coming in",
    "doorbell": "ringing at the front door",
    "buzzer": "quiz show buzzer",
    "morse code": "telegraph message",
    "laser gun": "laser blaster",
    "video game": "retro computer game",
    "car horn": "driver honking the horn",
    "bird song": "songbird",
    "cricket": "chirping of crickets",
    "frog croak": "croak of a toad",
    "dog bark": "hound barking",
    "cat meow": "meow of a kitten",
    "cow moo": "moo of a cow",
    "owl hoot": "hoot of an owl",
    "buzzing bee": "buzz of a bumblebee",
    "duck quack": "quack of a mallard duck",
    "wolf howl": "howl of a wolf",
    "rooster crow": "crow of a cockerel",
    "galloping horse": "gallop of a horse",
    "rain": "heavy rain falling down",
    "wind": "wind gusting",
    "sea waves": "surf of the ocean",
    "thunder": "rumble of thunder",
    "crackling fire": "crackle of burning logs",
    "stream": "little brook flowing",
    "bubbles": "water that bubbles",
    "dripping water": "drops of water falling",
    "car engine": "automobile motor idling",
    "motorbike": "motorbike being revved",
    "helicopter": "rotor of a chopper",
    "train": "train rolling on the rails",
    "train whistle": "whistle of a steam locomotive",
    "jet plane": "jet aircraft",
    "ship horn": "boat sounding its horn",
    "clock ticking": "ticking of a clock",
    "door knock": "somebody knocking at the door",
    "typing": "typing keyboard keys",
    "vacuum cleaner": "vacuum cleaner running",
    "footsteps": "person walking with loud steps",
    "clinking glasses": "clink of wine glasses",
    "hammering": "hammer hitting a nail",
    "sawing wood": "sawing of timber",
    "creaking door": "squeaking door hinge",
    "electric drill": "drill boring a hole",
    "church bell": "tolling of a church bell",
    "bass drum": "beat of a bass drum",
    "snare drum": "roll on a snare drum",
    "cymbal": "crash of cymbals",
    "guitar": "strummed guitar",
    "piano": "chords on a piano",
    "organ": "organ in a church",
    "flute": "tune on a flute",
    "violin": "violin played with a bow",
    "trumpet": "fanfare on a trumpet",
    "xylophone": "mallets on a xylophone",
    "heartbeat": "heart that beats",
    "applause": "audience applauding",
    "snoring": "snores of a sleeping person",
    "coughing": "fit of coughing",
    "whistling": "tune whistled by a person",
    "laughing": "person who laughs",
    "crying baby": "infant that wails",
    "man speaking": "speech of a man",
    "woman speaking": "speech of a woman",
    "whispering": "whispered speech",
}
"""For every drawn kind, a wording to report on."""

VALIDATION_PARENTS: dict[str, str] = {
    "electronic sound": "beeping electronics",
    "animal sound": "voice of an animal",
    "sound of nature": "natural environment",
    "vehicle sound": "vehicles in traffic",
    "household sound": "domestic noise",
    "musical instrument": "instrumental music",
    "human sound": "human being",
}
"""For every category, another name to tune on."""

TEST_PARENTS: dict[str, str] = {
    "electronic sound": "signal of an electronic device",
    "animal sound": "noise made by an animal",
    "sound of nature": "sounds of the natural world",
    "vehicle sound": "means of transport",
    "household sound": "noise around the house",
    "musical instrument": "music played on an instrument",
    "human sound": "noise made by a person",
}
"""For every category, another name to report on."""


def drawn_kinds() -> tuple[Kind, ...]:
    """The kinds that training hears."""
    return tuple(kind for kind in KINDS if kind.name not in NEVER_DRAWN)


def held_out_wordings() -> frozenset[str]:
    """Every wording that no training text may contain."""
    tables = (VALIDATION_WORDINGS, TEST_WORDINGS, VALIDATION_PARENTS, TEST_PARENTS)
    return frozenset(wording for table in tables for wording in table.values())


def training_wordings(kind: Kind) -> tuple[str, ...]:
    """The kind's name and the other names that training may use."""
    return (kind.name, *kind.wordings)


def training_parents(parent: str) -> tuple[str, ...]:
    """The category's name and the other names that training may use."""
    return (parent, *PARENTS[parent])


def combinations(part: str) -> list[Combination]:
    """The combinations of kind, pitch, pace and setting of one part, in a fixed order.

    Args:
        part: `train`, `validation` or `test`; each combination is in one of them.
    """
    return [
        (kind.name, pitch, pace, setting)
        for kind in drawn_kinds()
        for pitch in PITCHES
        for pace in PACES
        for setting in SETTINGS
        if part_of(f"{kind.name} {pitch} {pace} {setting}") == part
    ]


def pairs(part: str) -> list[tuple[str, str]]:
    """The pairs of kinds of different categories that are heard at once, of one part."""
    kinds = drawn_kinds()
    return [
        (first.name, second.name)
        for i, first in enumerate(kinds)
        for second in kinds[i + 1 :]
        if first.parent != second.parent and part_of(f"{first.name} and {second.name}") == part
    ]
