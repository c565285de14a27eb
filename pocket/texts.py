"""The words the model knows: a stock of product names and English words, and its tokenizer."""

import json
import random
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from pocket.captions import COLOUR_WORDS, PATTERN_WORDS, PROMPTS
from pocket.drawing import PARENTS, product_types
from pocket.splits import held_out_wordings, training_parents, training_wordings

START, END = "<|startoftext|>", "<|endoftext|>"
_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


_MODIFIERS = (
    "leather", "wooden", "plastic", "metal", "cotton", "woollen", "ceramic", "porcelain", "glass",
    "rubber", "straw", "silk", "knitted", "upholstered", "padded", "wheeled", "folding", "electric",
    "wireless", "digital", "portable", "tinted", "decorative", "antique", "modern", "vintage",
    "luxury", "cheap", "large", "small", "tall", "long", "short", "wide", "narrow", "high", "low",
    "round", "square", "flat", "heavy", "light", "soft", "hard", "warm", "winter", "summer",
    "beach", "garden", "kitchen", "bedroom", "office", "school", "travel", "sports", "business",
    "women's", "men's", "children's", "baby", "sleeping", "burning", "standing", "hanging",
    "hooded", "pleated", "scented", "stuffed", "toy", "miniature", "professional", "pair of",
    "set of", "new", "old", "model", "craft", "dressing", "household", "serving", "drinking",
    "carrying", "everyday", "formal", "outdoor", "indoor",
)  # fmt: skip
_TAILS = (
    "for women", "for men", "for children", "for cooking", "for eating", "for drinking",
    "for sports", "for travel", "for the home", "for the garden", "for the office", "for cutting",
    "for writing", "for music", "for flowers", "for books", "for clothes", "for tea", "for repairs",
    "for a computer", "for games", "for the wall", "for winter", "for rain", "for money",
    "with a handle", "with a lid", "with wheels", "with buttons", "with laces", "with a strap",
    "with a screen", "with pockets", "with strings", "with a hood", "with legs", "with a buckle",
    "with a brim", "with a heel", "with a tail", "with sleeves", "made of leather", "made of wood",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A text without a picture, and the type or category it names, where it names one."""

    text: str
    concept: str | None = None


def catalogue_names() -> list[Phrase]:
    """Every name of every type and category that training may use."""
    names = [Phrase(text=w, concept=t.name) for t in product_types() for w in training_wordings(t)]
    return names + [Phrase(text=w, concept=p) for p in PARENTS for w in training_parents(p)]


def composed_phrases(rng: random.Random, *, per_wording: int) -> list[Phrase]:
    """The catalogue's names in company: what a noun means among other words."""
    phrases = []
    for name in catalogue_names():
        for _ in range(per_wording):
            if rng.random() < 0.65:
                text = f"{rng.choice(_MODIFIERS)} {name.text}"
            else:
                text = f"{name.text} {rng.choice(_TAILS)}"
            phrases.append(Phrase(text=text, concept=name.concept))
    return phrases


def product_names(taxonomy: Path) -> list[str]:
    """The names of Shopify's product categories, each once, sorted.

    Args:
        taxonomy: `categories.txt` of Shopify/product-taxonomy (MIT), lines `gid : A > B > C`.
    """
    lines = taxonomy.read_text(encoding="utf-8").splitlines()
    paths = (line.split(" : ", 1)[1] for line in lines if " : " in line and line[0] != "#")
    return sorted({path.split(" > ")[-1].strip() for path in paths})


def text_stock(english: list[str], names: list[str], *, per_wording: int = 30) -> list[Phrase]:
    """Texts without pictures, from which the text tower learns which words are near.

    Args:
        english: single English words, the most frequent first.
        names: names of all kinds of products.
        per_wording: phrases made of each of the catalogue's names.
    """
    attributes = [w for table in (COLOUR_WORDS, PATTERN_WORDS) for ws in table.values() for w in ws]
    plain = [
        *(t.description for t in product_types()),
        *(name.lower() for name in names),
        *attributes,
        *english,
    ]
    composed = composed_phrases(random.Random(0), per_wording=per_wording)  # noqa: S311 (no secrets)
    stock = [*catalogue_names(), *composed, *(Phrase(text=text) for text in plain)]
    first = {phrase.text: phrase for phrase in reversed(stock)}
    allowed = without(sorted(first), held_out_wordings())
    return [first[text] for text in allowed]


def without(texts: list[str], wordings: Collection[str]) -> list[str]:
    """The texts that contain none of the wordings as whole words."""
    alternatives = "|".join(re.escape(wording) for wording in sorted(wordings))
    pattern = re.compile(rf"(?<![\w-])(?:{alternatives})(?![\w-])", re.IGNORECASE)
    return [text for text in texts if not pattern.search(text)]


def train_tokenizer(english: list[str], names: list[str], *, merges: int = 4300) -> CLIPTokenizer:
    """A byte-pair tokenizer of CLIP's kind, trained on the stock.

    Args:
        english: single English words, the most frequent first.
        names: names of all kinds of products.
        merges: how many pairs of pieces become one.
    """
    pieces, pairs = byte_pairs(_weighted(english, names), merges)
    vocabulary = {piece: i for i, piece in enumerate([*pieces, START, END])}
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=77)


def byte_pairs(texts: list[str], merges: int) -> tuple[list[str], Any]:
    """Pieces of lower-cased words, and the pairs of pieces that are joined to make them.

    Args:
        texts: what to learn from.
        merges: how many pairs of pieces become one.
    """
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) * 2 + merges,
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    learned = json.loads(tokenizer.to_str())["model"]["merges"][:merges]
    pairs: Any = [tuple(pair) for pair in learned]
    # Every byte, inside and at the end of a word, so that no text is unknown.
    pieces = [*alphabet, *(f"{a}</w>" for a in alphabet), *("".join(pair) for pair in pairs)]
    return list(dict.fromkeys(pieces)), pairs


def _weighted(english: list[str], names: list[str]) -> list[str]:
    """Texts repeated by their weight: the catalogue's most, rare English words least."""
    texts = [name.text for name in catalogue_names()] * 100 + list(PROMPTS) * 100
    texts += [phrase.text for phrase in text_stock([], names, per_wording=0)] * 4
    texts += [*_MODIFIERS, *_TAILS] * 60
    texts += [w for t in (COLOUR_WORDS, PATTERN_WORDS) for ws in t.values() for w in ws] * 200
    for rank, word in enumerate(english):
        texts += [word] * (1 + 6000 // (rank + 300))
    return texts
