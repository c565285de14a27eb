"""The words the model knows: names of sounds, English words around them, and its tokenizer."""

import random

from transformers import CLIPTokenizer

from pocket.sounds.captions import PACE_WORDS, PITCH_WORDS, PROMPTS, SETTING_WORDS, both
from pocket.sounds.catalogue import KINDS, PARENTS
from pocket.sounds.splits import held_out_wordings, pairs, training_parents, training_wordings
from pocket.texts import END, START, Phrase, byte_pairs, without

PAD = "<|pad|>"
POSITIONS = 77

_MODIFIERS = (
    "loud", "soft", "quiet", "noisy", "distant", "nearby", "constant", "single", "repeated",
    "sudden", "short", "long", "sharp", "dull", "bright", "dark", "rough", "gentle", "heavy",
    "light", "harsh", "old", "new", "big", "small", "little", "angry", "happy", "sad", "calm",
    "strange", "wild", "electric", "wooden", "metallic", "rusty", "summer", "winter", "night",
    "morning", "city", "country", "forest", "garden", "kitchen", "street", "office", "farm",
    "toy", "steady", "a lot of", "someone's", "the neighbour's", "a group of", "many", "one",
    "two", "several", "annoying",
)  # fmt: skip
_TAILS = (
    "in the background", "at night", "in the morning", "in the street", "in a room",
    "in the house", "outside", "outdoors", "indoors", "in the garden", "in the forest",
    "on a farm", "in the city", "on the radio", "in a film", "behind a wall", "next door",
    "for a long time", "again and again", "that gets louder", "that stops", "in summer",
    "in winter", "with an echo", "with music", "and people talking", "and nothing else",
    "on the beach", "in the kitchen", "at the station",
)  # fmt: skip
_OTHER_SOUNDS = (
    "sheep bleating", "goat", "pig grunting", "donkey braying", "lion roaring",
    "elephant trumpeting", "monkey", "mouse squeaking", "snake hissing", "crow cawing", "seagull",
    "pigeon cooing", "turkey gobbling", "goose honking", "mosquito", "whale song", "parrot",
    "woodpecker", "earthquake", "volcano", "avalanche", "waterfall", "rustling leaves",
    "snow crunching", "tractor", "truck", "bus", "tram", "subway", "sailing boat", "motorboat",
    "rocket launch", "car crash", "brakes squealing", "tyres screeching", "car door slamming",
    "windscreen wipers", "chainsaw", "lawn mower", "jackhammer", "sewing machine",
    "washing machine", "dishwasher", "microwave", "toaster", "kettle boiling", "frying food",
    "cutlery", "dishes", "toilet flushing", "shower", "bath filling", "hair dryer",
    "electric razor", "toothbrush", "zipper", "scissors", "paper tearing", "page turning",
    "pencil writing", "mouse click", "printer", "camera shutter", "cash register", "elevator",
    "escalator", "gun shot", "explosion", "fireworks", "cannon", "sneezing", "yawning", "burping",
    "hiccup", "breathing", "sighing", "screaming", "shouting", "crowd cheering",
    "children playing", "choir", "singing", "humming a tune", "rapping", "gargling", "chewing",
    "kissing", "finger snapping", "tap dancing", "running", "jumping", "saxophone", "clarinet",
    "oboe", "bassoon", "tuba", "trombone", "french horn", "harp", "cello", "double bass", "banjo",
    "ukulele", "mandolin", "harmonica", "bagpipes", "tambourine", "triangle", "gong", "timpani",
    "bongo", "cowbell", "castanets", "wind chime", "music box", "synthesizer", "electric guitar",
    "theremin", "didgeridoo", "rock music", "jazz", "classical music", "techno", "hip hop",
    "folk music", "opera", "reggae", "blues", "country music", "lullaby", "national anthem",
    "dial tone", "busy signal", "fax machine", "modem", "smoke detector", "burglar alarm",
    "air raid siren", "fire engine", "reversing beeps", "metronome", "static on the radio",
    "silence", "robot voice", "phone vibrating", "notification", "error beep", "spaceship",
    "magic spell",
)  # fmt: skip


def catalogue_names() -> list[Phrase]:
    """Every name of every kind and category that training may use."""
    names = [Phrase(text=w, concept=k.name) for k in KINDS for w in training_wordings(k)]
    return names + [Phrase(text=w, concept=p) for p in PARENTS for w in training_parents(p)]


def text_stock(english: list[str], *, per_wording: int = 24, mixtures: int = 3000) -> list[Phrase]:
    """Texts without sounds, from which the text tower learns which words are near.

    Args:
        english: single English words, the most frequent first.
        per_wording: phrases made of each of the catalogue's names.
        mixtures: phrases of two kinds that are heard at once.
    """
    rng = random.Random(0)  # noqa: S311 (no secrets)
    plain = [*(k.description for k in KINDS), *_OTHER_SOUNDS, *_attributes(), *english]
    stock = [*catalogue_names(), *_composed(rng, per_wording)]
    stock += [Phrase(text=text) for text in [*_mixtures(rng, mixtures), *plain]]
    first = {phrase.text: phrase for phrase in reversed(stock)}
    return [first[text] for text in without(sorted(first), held_out_wordings())]


def train_tokenizer(english: list[str], *, merges: int = 3000) -> CLIPTokenizer:
    """A byte-pair tokenizer of CLIP's kind, trained on the stock.

    Its padding comes first: the text tower counts positions from the padding's number on.

    Args:
        english: single English words, the most frequent first.
        merges: how many pairs of pieces become one.
    """
    pieces, merged = byte_pairs(_weighted(english), merges)
    vocabulary = {piece: i for i, piece in enumerate([PAD, START, END, *pieces])}
    return CLIPTokenizer(vocab=vocabulary, merges=merged, pad_token=PAD, model_max_length=POSITIONS)


def _attributes() -> list[str]:
    tables = (PITCH_WORDS, PACE_WORDS, SETTING_WORDS)
    words = [word for table in tables for words in table.values() for word in words]
    return words + [f"{word} sound" for word in words] + [f"sound {word}" for word in words]


def _composed(rng: random.Random, per_wording: int) -> list[Phrase]:
    """The catalogue's names in company: what a noun means among other words."""
    modifiers = [
        *_MODIFIERS,
        *(w for t in (PITCH_WORDS, PACE_WORDS) for ws in t.values() for w in ws),
    ]
    tails = [*_TAILS, *(w for ws in SETTING_WORDS.values() for w in ws)]
    phrases = []
    for name in catalogue_names():
        for _ in range(per_wording):
            if rng.random() < 0.55:
                text = f"{rng.choice(modifiers)} {name.text}"
            else:
                text = f"{name.text} {rng.choice(tails)}"
            phrases.append(Phrase(text=text, concept=name.concept))
    return phrases


def _mixtures(rng: random.Random, count: int) -> list[str]:
    wordings = {kind.name: training_wordings(kind) for kind in KINDS}
    chosen = rng.choices(pairs("train"), k=count)
    return [both(rng.choice(wordings[a]), rng.choice(wordings[b]), rng) for a, b in chosen]


def _weighted(english: list[str]) -> list[str]:
    """Texts repeated by their weight: the catalogue's most, rare English words least."""
    texts = [name.text for name in catalogue_names()] * 100 + list(PROMPTS) * 100
    texts += [phrase.text for phrase in text_stock([], per_wording=0, mixtures=0)] * 10
    texts += [*_MODIFIERS, *_TAILS, *_attributes()] * 60
    for rank, word in enumerate(english):
        texts += [word] * (1 + 6000 // (rank + 300))
    return texts
