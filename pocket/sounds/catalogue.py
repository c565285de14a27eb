"""All kinds of sounds, with the words that training may use for them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pocket.sounds import animals, household, music, nature, people, signals, vehicles
from pocket.sounds.synthesis import Sound, Take


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of sound that can be drawn.

    Attributes:
        name: its label.
        parent: one of `PARENTS`.
        wordings: other names of it that training may use; no held-out one is among them.
        description: a sentence on how it sounds.
        make: draws one.
        spoken: whether espeak-ng is needed.
    """

    name: str
    parent: str
    wordings: tuple[str, ...]
    description: str
    make: Callable[[Take], Sound]
    spoken: bool = False


PARENTS: dict[str, tuple[str, ...]] = {
    "electronic sound": ("electronic signal", "sound of a device", "electronic tone"),
    "animal sound": ("animal", "sound of an animal", "animal voice"),
    "sound of nature": ("nature sound", "water and weather", "natural sound"),
    "vehicle sound": ("vehicle", "traffic noise", "sound of a vehicle"),
    "household sound": ("household noise", "sound at home", "noise in the house"),
    "musical instrument": ("instrument", "music", "sound of an instrument"),
    "human sound": ("human", "sound of a person", "people"),
}
"""The categories of kinds, each with other names that training may use."""


def _kinds(
    parent: str, *rows: tuple[str, Callable[[Take], Sound], tuple[str, ...], str]
) -> list[Kind]:
    return [
        Kind(name=name, parent=parent, wordings=wordings, description=description, make=make)
        for name, make, wordings, description in rows
    ]


_ELECTRONIC = _kinds(
    "electronic sound",
    ("pure tone", signals.steady_tone, ("sine tone", "steady tone", "single tone", "test tone"),
     "one steady tone that does not change"),
    ("rising tone", signals.sliding_tone, ("sliding tone", "sweeping tone", "frequency sweep"),
     "a tone that climbs again and again"),
    ("white noise", signals.white_noise, ("static noise", "hiss", "static hiss", "noise"),
     "a hiss as between two stations"),
    ("electric hum", signals.mains_hum, ("mains hum", "humming transformer", "hum of electricity"),
     "a low hum of electric current"),
    ("alarm clock", signals.alarm_beeps, ("alarm beeping", "beeping alarm", "beeps of an alarm"),
     "groups of short high beeps"),
    ("police siren", signals.siren, ("siren", "wailing siren", "emergency siren"),
     "a siren that wails up and down"),
    ("telephone ringing", signals.telephone, ("ringing phone", "phone ring", "telephone bell"),
     "an old telephone that rings"),
    ("doorbell", signals.doorbell, ("door chime", "ding dong", "chime at the door"),
     "a chime of two tones at the front door"),
    ("buzzer", signals.buzzer, ("harsh buzzer", "buzzing signal", "game show buzzer"),
     "a harsh low buzz, on and off"),
    ("morse code", signals.morse, ("morse signals", "telegraph beeps", "dots and dashes"),
     "short and long beeps of a telegraph"),
    ("laser gun", signals.laser, ("laser shots", "laser zap", "space gun", "ray gun"),
     "zaps of a toy laser"),
    ("video game", signals.game, ("arcade game", "computer game bleeps", "video game music"),
     "quick square notes of an old game"),
    ("car horn", signals.horn, ("honking car", "honk", "car honking", "automobile horn"),
     "a driver who presses the horn"),
)  # fmt: skip
_ANIMALS = _kinds(
    "animal sound",
    ("bird song", animals.bird, ("singing bird", "bird chirping", "chirping birds", "birdsong"),
     "a bird that whistles and chirps"),
    ("cricket", animals.cricket, ("crickets chirping", "insect trill", "crickets at night"),
     "the high trill of an insect at night"),
    ("frog croak", animals.frog, ("croaking frog", "frog", "frogs in a pond"),
     "croaks of a frog in a pond"),
    ("dog bark", animals.dog, ("barking dog", "dog", "dog barking", "puppy barking"),
     "short rough barks"),
    ("cat meow", animals.cat, ("meowing cat", "cat", "kitten meowing", "mewing cat"),
     "a long meow that rises and falls"),
    ("cow moo", animals.cow, ("mooing cow", "cow", "cattle mooing", "lowing cow"),
     "a long low moo"),
    ("owl hoot", animals.owl, ("hooting owl", "owl", "owl calling"),
     "soft hoots of an owl at night"),
    ("buzzing bee", animals.bee, ("bee", "buzzing insect", "bees buzzing", "fly buzzing"),
     "the wings of a bee that flies around"),
    ("duck quack", animals.duck, ("quacking duck", "duck", "ducks quacking"),
     "nasal quacks"),
    ("wolf howl", animals.wolf, ("howling wolf", "wolf", "wolves howling"),
     "a long howl that rises"),
    ("rooster crow", animals.rooster, ("crowing rooster", "rooster", "cock crowing", "cockerel"),
     "a crow in the morning on a farm"),
    ("galloping horse", animals.horse, ("horse hooves", "horse", "hoofbeats", "horse galloping"),
     "hooves of a horse at a gallop"),
    ("purring cat", animals.purr, ("purr", "cat purring"),
     "the low purr of a content cat"),
)  # fmt: skip
_NATURE = _kinds(
    "sound of nature",
    ("rain", nature.rain, ("rainfall", "falling rain", "raindrops", "rain shower"),
     "many drops of rain that fall"),
    ("wind", nature.wind, ("blowing wind", "howling wind", "gusts of wind", "windy weather"),
     "gusts of wind that blow"),
    ("sea waves", nature.waves, ("ocean waves", "surf", "waves on the beach", "sea"),
     "breakers on a beach"),
    ("thunder", nature.thunder, ("thunderclap", "rolling thunder", "thunder and lightning"),
     "a crack and a long rumble"),
    ("crackling fire", nature.fire, ("fire", "campfire", "burning wood", "fireplace"),
     "burning wood that crackles"),
    ("stream", nature.stream, ("brook", "flowing water", "babbling brook", "running stream"),
     "the water of a brook that flows"),
    ("bubbles", nature.bubbles, ("bubbling water", "bubbling", "air bubbles"),
     "round bubbles that rise in water"),
    ("dripping water", nature.dripping, ("dripping tap", "water drops", "dripping"),
     "a tap that drips, one drop at a time"),
    ("hail", nature.hail, ("hailstorm", "hailstones on a tin roof"),
     "hail that knocks on a tin roof"),
)  # fmt: skip
_VEHICLES = _kinds(
    "vehicle sound",
    ("car engine", vehicles.car_engine, ("idling engine", "idling car", "motor running"),
     "an engine that idles"),
    ("motorbike", vehicles.motorbike, ("motorcycle", "revving motorbike", "motorcycle engine"),
     "a motorbike that is revved up"),
    ("helicopter", vehicles.helicopter, ("chopper", "hovering helicopter", "helicopter rotor"),
     "the chopping blades of a helicopter"),
    ("train", vehicles.train, ("train on rails", "railway", "passing train", "train wheels"),
     "wheels of a train on the rails"),
    ("train whistle", vehicles.steam_whistle, ("steam whistle", "locomotive whistle"),
     "the long whistle of a steam engine"),
    ("jet plane", vehicles.jet, ("airplane", "jet engine", "aircraft flying over", "plane"),
     "a jet that flies over"),
    ("ship horn", vehicles.ship_horn, ("foghorn", "horn of a boat", "ferry horn"),
     "the very low blast of a ship"),
    ("bicycle bell", vehicles.bicycle_bell, ("bike bell", "bell of a bicycle"),
     "two bright rings of a bicycle's bell"),
    ("ambulance", signals.ambulance, ("ambulance siren", "two-tone siren"),
     "the two tones of an ambulance"),
)  # fmt: skip
_HOUSEHOLD = _kinds(
    "household sound",
    ("clock ticking", household.clock, ("ticking clock", "clock", "tick tock", "watch ticking"),
     "the even ticks of a clock"),
    ("door knock", household.knocking, ("knocking on a door", "knocking", "knock on wood"),
     "knuckles that knock on a wooden door"),
    ("typing", household.typing, ("keyboard typing", "computer keyboard", "typing on a keyboard"),
     "keys of a computer that are typed on"),
    ("vacuum cleaner", household.vacuum, ("vacuuming", "hoover", "vacuum"),
     "the whine of a vacuum cleaner"),
    ("footsteps", household.footsteps, ("steps", "walking", "steps on the floor"),
     "steps of someone who walks on a hard floor"),
    ("clinking glasses", household.glass, ("glass clink", "clinking", "glasses touching"),
     "two glasses that touch"),
    ("hammering", household.hammering, ("hammer", "hammer blows", "hammering a nail"),
     "a hammer that hits a nail"),
    ("sawing wood", household.sawing, ("handsaw", "saw", "sawing", "sawing a board"),
     "a saw that goes to and fro through wood"),
    ("creaking door", household.creak, ("door creak", "squeaky door", "creaking hinge"),
     "the hinge of a door that squeaks"),
    ("electric drill", household.drill, ("drill", "drilling", "power drill"),
     "an electric drill at work"),
    ("coins", household.coins, ("clinking coins", "coins falling"),
     "a handful of coins that drops"),
)  # fmt: skip
_MUSIC = _kinds(
    "musical instrument",
    ("church bell", music.church_bell, ("bell tolling", "tolling bell", "ringing church bells"),
     "a big bell that rings for long"),
    ("bass drum", music.bass_drum, ("kick drum", "big drum", "drum beat", "drum"),
     "low blows on a big drum"),
    ("snare drum", music.snare, ("drum roll", "marching drum", "snare"),
     "a rattling drum in the rhythm of a march"),
    ("cymbal", music.cymbal, ("cymbal crash", "crashing cymbals", "cymbals"),
     "a bright crash that dies slowly"),
    ("guitar", music.guitar, ("plucked strings", "acoustic guitar", "guitar playing"),
     "the strings of a guitar, plucked"),
    ("piano", music.piano, ("piano chords", "piano playing", "grand piano"),
     "struck strings of a piano"),
    ("organ", music.organ, ("pipe organ", "church organ", "organ chords"),
     "chords on the pipes of an organ"),
    ("flute", music.flute, ("flute playing", "flute melody", "recorder flute"),
     "breathy notes of a woodwind"),
    ("violin", music.violin, ("fiddle", "violin playing", "bowed strings"),
     "the bowed strings of a violin"),
    ("trumpet", music.trumpet, ("brass instrument", "trumpet playing", "trumpet fanfare"),
     "the bright brass of a trumpet"),
    ("xylophone", music.xylophone, ("marimba", "xylophone playing", "glockenspiel"),
     "short dry notes on wooden bars"),
    ("accordion", music.accordion, ("squeezebox", "accordion playing"),
     "the reeds of an accordion"),
)  # fmt: skip
_PEOPLE = _kinds(
    "human sound",
    ("heartbeat", people.heartbeat, ("beating heart", "heart", "pulse of a heart"),
     "the two soft thumps of a heart"),
    ("applause", people.applause, ("clapping audience", "clapping", "people clapping"),
     "many hands that clap"),
    ("snoring", people.snoring, ("snore", "snoring person", "person snoring"),
     "the rattling breath of a sleeper"),
    ("coughing", people.coughing, ("cough", "coughing person", "person coughing"),
     "somebody who coughs"),
    ("whistling", people.whistling, ("whistled tune", "person whistling", "whistling a melody"),
     "somebody who whistles a tune"),
    ("laughing", people.laughing, ("laughter", "laugh", "person laughing"),
     "somebody who laughs"),
    ("crying baby", people.baby, ("baby", "baby crying", "wailing baby", "infant crying"),
     "long high wails of an infant"),
)  # fmt: skip
_SPEECH = [
    replace(kind, spoken=True)
    for kind in _kinds(
        "human sound",
        ("man speaking", people.man, ("man's voice", "man talking", "male speech"),
         "a man who speaks"),
        ("woman speaking", people.woman, ("woman's voice", "woman talking", "female speech"),
         "a woman who speaks"),
        ("whispering", people.whisper, ("whisper", "person whispering", "whispered words"),
         "somebody who whispers"),
    )
]  # fmt: skip

KINDS: tuple[Kind, ...] = (
    *_ELECTRONIC, *_ANIMALS, *_NATURE, *_VEHICLES, *_HOUSEHOLD, *_MUSIC, *_PEOPLE, *_SPEECH,
)  # fmt: skip
"""All kinds, by category."""
