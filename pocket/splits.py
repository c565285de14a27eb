"""What training never sees, so that what is measured on it is zero-shot.

Nothing here may reach a training text or a training picture: `pocket.texts` drops every
text that contains a wording listed here, and `tests/pocket` checks that.
"""

import zlib

from pocket.drawing import COLOURS, PARENTS, ProductType, product_types

Combination = tuple[str, str, str]
"""Names of a type, a colour and a pattern."""

NEVER_DRAWN: tuple[str, ...] = (
    "tank top", "clog", "mitten", "tote bag", "tablet", "jug", "chopping board",
    "stool", "floor lamp", "drum",
)  # fmt: skip
"""Types whose pictures training never sees; their names occur in text."""

VALIDATION_WORDINGS: dict[str, str] = {
    "t-shirt": "short sleeve top",
    "shirt": "button-down shirt",
    "jacket": "outdoor jacket",
    "hoodie": "sweatshirt with a hood",
    "trousers": "pair of trousers",
    "shorts": "short trousers",
    "skirt": "flared skirt",
    "dress": "summer dress",
    "sock": "pair of socks",
    "sneaker": "sports shoe",
    "boot": "winter boot",
    "high heel": "stiletto heel",
    "flip-flop": "beach sandal",
    "cap": "sports cap",
    "hat": "straw hat",
    "sunglasses": "pair of sunglasses",
    "wristwatch": "timepiece for the wrist",
    "necktie": "business tie",
    "belt": "belt with a buckle",
    "umbrella": "folding umbrella",
    "ring": "jewel ring",
    "backpack": "daypack",
    "handbag": "shoulder bag",
    "suitcase": "carry-on suitcase",
    "wallet": "money wallet",
    "laptop": "notebook pc",
    "smartphone": "touchscreen phone",
    "e-reader": "e-ink reader",
    "headphones": "pair of headphones",
    "camera": "compact camera",
    "television": "flat screen tv",
    "keyboard": "typing keyboard",
    "computer mouse": "optical mouse",
    "game controller": "game pad",
    "loudspeaker": "hi-fi speaker",
    "mug": "tea cup",
    "wine glass": "glass for wine",
    "bottle": "drinking bottle",
    "teapot": "tea kettle",
    "frying pan": "cooking pan",
    "cooking pot": "pot with a lid",
    "fork": "salad fork",
    "kitchen knife": "cook's knife",
    "bowl": "salad bowl",
    "chair": "wooden chair",
    "table": "kitchen table",
    "sofa": "upholstered sofa",
    "bed": "bed with a headboard",
    "bookcase": "shelf full of books",
    "wardrobe": "cupboard for clothes",
    "lamp": "lamp with a shade",
    "cushion": "scatter cushion",
    "vase": "porcelain vase",
    "candle": "pillar candle",
    "clock": "analog clock",
    "potted plant": "indoor plant",
    "mirror": "standing mirror",
    "watering can": "can for watering plants",
    "book": "hardback book",
    "pencil": "wooden pencil",
    "scissors": "paper shears",
    "hammer": "mallet",
    "screwdriver": "slotted screwdriver",
    "football": "match ball",
    "bicycle": "city bike",
    "skateboard": "board with wheels",
    "dumbbell": "gym weight",
    "tennis racket": "tennis racquet",
    "teddy bear": "cuddly bear",
    "toy car": "model automobile",
    "kite": "toy kite",
    "guitar": "folk guitar",
}
"""For every drawn type, a synonym to tune on."""

TEST_WORDINGS: dict[str, str] = {
    "t-shirt": "crew neck tee",
    "shirt": "collared long-sleeved shirt",
    "jacket": "open coat",
    "hoodie": "hooded jumper",
    "trousers": "pair of long pants",
    "shorts": "pair of short pants",
    "skirt": "women's skirt",
    "dress": "evening dress",
    "sock": "knitted sock",
    "sneaker": "athletic shoe",
    "boot": "high boot",
    "high heel": "shoe with a high heel",
    "flip-flop": "rubber sandals",
    "cap": "cap with a visor",
    "hat": "hat with a brim",
    "sunglasses": "tinted glasses",
    "wristwatch": "watch with a strap",
    "necktie": "formal tie",
    "belt": "trouser belt",
    "umbrella": "umbrella for the rain",
    "ring": "ring with a gemstone",
    "backpack": "hiking backpack",
    "handbag": "woman's purse",
    "suitcase": "wheeled travel case",
    "wallet": "wallet for cards",
    "laptop": "portable pc",
    "smartphone": "mobile telephone",
    "e-reader": "digital book reader",
    "headphones": "stereo headset",
    "camera": "photographic camera",
    "television": "flat screen television",
    "keyboard": "keyboard for a computer",
    "computer mouse": "mouse for a computer",
    "game controller": "controller for video games",
    "loudspeaker": "music speaker",
    "mug": "mug with a handle",
    "wine glass": "stem glass",
    "bottle": "bottle with a cap",
    "teapot": "pot for tea",
    "frying pan": "pan for frying",
    "cooking pot": "large saucepan",
    "fork": "eating fork",
    "kitchen knife": "knife for cooking",
    "bowl": "serving bowl",
    "chair": "chair with a backrest",
    "table": "dinner table",
    "sofa": "upholstered couch",
    "bed": "sleeping bed",
    "bookcase": "shelf for books",
    "wardrobe": "clothes closet",
    "lamp": "bedside light",
    "cushion": "decorative cushion",
    "vase": "vase for flowers",
    "candle": "burning candle",
    "clock": "clock for the wall",
    "potted plant": "plant in a pot",
    "mirror": "dressing mirror",
    "watering can": "plant watering can",
    "book": "paperback book",
    "pencil": "pencil for drawing",
    "scissors": "craft scissors",
    "hammer": "hammer for nails",
    "screwdriver": "driver for screws",
    "football": "ball for soccer",
    "bicycle": "pedal bike",
    "skateboard": "skating board",
    "dumbbell": "weight for lifting",
    "tennis racket": "racket with strings",
    "teddy bear": "plush teddy",
    "toy car": "toy automobile",
    "kite": "kite with a tail",
    "guitar": "six-string guitar",
}
"""For every drawn type, a synonym to report on."""

VALIDATION_PARENTS: dict[str, str] = {
    "clothing": "item of clothing",
    "footwear": "shoes to wear",
    "fashion accessory": "fashion accessories",
    "bag": "bags and luggage",
    "electronics": "consumer electronics",
    "kitchenware": "tableware and cookware",
    "furniture": "furnishing",
    "home decor": "home accents",
    "stationery": "school supplies",
    "tool": "tools",
    "sporting goods": "sports gear",
    "toy": "toys and games",
    "musical instrument": "music instrument",
}
"""For every category, another name to tune on."""

TEST_PARENTS: dict[str, str] = {
    "clothing": "wearing apparel",
    "footwear": "pair of shoes",
    "fashion accessory": "clothing accessory",
    "bag": "carrying bag",
    "electronics": "electronic gadget",
    "kitchenware": "kitchen equipment",
    "furniture": "household furniture",
    "home decor": "decorative home item",
    "stationery": "writing supplies",
    "tool": "tool for repairs",
    "sporting goods": "athletic equipment",
    "toy": "children's toy",
    "musical instrument": "instrument to play music",
}
"""For every category, another name to report on."""


_VALIDATION_SHARE, _TEST_SHARE = 0.06, 0.12


def drawn_types() -> tuple[ProductType, ...]:
    """The types that training draws."""
    return tuple(t for t in product_types() if t.name not in NEVER_DRAWN)


def held_out_wordings() -> frozenset[str]:
    """Every wording that no training text may contain."""
    tables = (VALIDATION_WORDINGS, TEST_WORDINGS, VALIDATION_PARENTS, TEST_PARENTS)
    return frozenset(wording for table in tables for wording in table.values())


def training_wordings(product: ProductType) -> tuple[str, ...]:
    """The type's name and those synonyms that training may use."""
    held_out = held_out_wordings()
    return (product.name, *(s for s in product.synonyms if s not in held_out))


def training_parents(parent: str) -> tuple[str, ...]:
    """The category's name and those other names that training may use."""
    held_out = held_out_wordings()
    return (parent, *(s for s in PARENTS[parent] if s not in held_out))


def combinations(part: str) -> list[Combination]:
    """The combinations of type, colour and pattern of one part, in a fixed order.

    Args:
        part: `train`, `validation` or `test`; each drawn combination is in one of them.
    """
    return [
        (product.name, colour, pattern)
        for product in drawn_types()
        for colour in COLOURS
        for pattern in product.patterns
        if part_of(f"{product.name} {colour} {pattern}") == part
    ]


def part_of(text: str) -> str:
    """The part of a combination, by its names: the same each time, and in no order."""
    place = zlib.crc32(text.encode()) % 10_000 / 10_000
    if place < _TEST_SHARE:
        return "test"
    return "validation" if place < _TEST_SHARE + _VALIDATION_SHARE else "train"
