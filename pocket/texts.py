"""The words the model knows: a stock of product names and English words, and its tokenizer."""

import json
import random
import re
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from indexer.sample import PARENTS, product_types
from pocket.captions import COLOUR_WORDS, PATTERN_WORDS, PROMPTS
from pocket.splits import held_out_wordings, training_parents, training_wordings

PRODUCT_NAMES = Path(__file__).parent / "product_names.txt"
_START, _END = "<|startoftext|>", "<|endoftext|>"
_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def catalogue_wordings() -> list[str]:
    """All names, synonyms and descriptions of the catalogue that training may use."""
    wordings: set[str] = set()
    for product in product_types():
        wordings |= {*training_wordings(product), product.description}
    for parent in PARENTS:
        wordings |= set(training_parents(parent))
    return without_held_out(sorted(wordings))


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


def composed_phrases(rng: random.Random, *, per_wording: int) -> list[str]:
    """The catalogue's wordings in company: what a noun means among other words."""
    wordings = [w for t in product_types() for w in training_wordings(t)]
    wordings += [w for parent in PARENTS for w in training_parents(parent)]
    phrases = []
    for wording in wordings:
        for _ in range(per_wording):
            if rng.random() < 0.65:
                phrases.append(f"{rng.choice(_MODIFIERS)} {wording}")
            else:
                phrases.append(f"{wording} {rng.choice(_TAILS)}")
    return phrases


def text_stock(english: list[str], *, per_wording: int = 30) -> list[str]:
    """Texts without pictures, from which the text tower learns which words are near.

    Args:
        english: single English words, the most frequent first.
        per_wording: phrases made of each of the catalogue's wordings.
    """
    lines = PRODUCT_NAMES.read_text(encoding="utf-8").splitlines()
    names = [line.lower() for line in lines if not line.startswith("#")]
    attributes = [w for table in (COLOUR_WORDS, PATTERN_WORDS) for ws in table.values() for w in ws]
    composed = composed_phrases(random.Random(0), per_wording=per_wording)  # noqa: S311 (no secrets)
    stock = [*catalogue_wordings(), *names, *attributes, *composed, *english]
    return without_held_out(list(dict.fromkeys(stock)))


def without_held_out(texts: list[str]) -> list[str]:
    """The texts that contain no held-out wording as whole words."""
    wordings = "|".join(re.escape(wording) for wording in sorted(held_out_wordings()))
    pattern = re.compile(rf"(?<![\w-])(?:{wordings})(?![\w-])", re.IGNORECASE)
    return [text for text in texts if not pattern.search(text)]


def train_tokenizer(english: list[str], *, merges: int = 4300) -> CLIPTokenizer:
    """A byte-pair tokenizer of CLIP's kind, trained on the stock.

    Args:
        english: single English words, the most frequent first.
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
    tokenizer.train_from_iterator(_weighted(english), trainer)
    learned = json.loads(tokenizer.to_str())["model"]["merges"][:merges]
    pairs: Any = [tuple(pair) for pair in learned]
    # Every byte, inside and at the end of a word, so that no text is unknown.
    pieces = [*alphabet, *(f"{a}</w>" for a in alphabet), *("".join(pair) for pair in pairs)]
    vocabulary = {piece: i for i, piece in enumerate([*dict.fromkeys(pieces), _START, _END])}
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, model_max_length=77)


def _weighted(english: list[str]) -> list[str]:
    """Texts repeated by their weight: the catalogue's most, rare English words least."""
    texts = catalogue_wordings() * 40 + list(PROMPTS) * 100
    texts += [w for t in product_types() for w in training_wordings(t)] * 60
    texts += text_stock([], per_wording=0) * 4
    texts += [*_MODIFIERS, *_TAILS] * 60
    texts += [w for t in (COLOUR_WORDS, PATTERN_WORDS) for ws in t.values() for w in ws] * 200
    for rank, word in enumerate(english):
        texts += [word] * (1 + 6000 // (rank + 300))
    return texts
