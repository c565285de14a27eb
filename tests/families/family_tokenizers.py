"""Small tokenizers of the kinds that CLIP-like models have, trained on a few sentences."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

CORPUS = (
    "a photo of a product on a white background",
    "this is a photo of a cat.",
    "a red ceramic mug with a white handle, dishwasher safe",
    "running shoes for women in black leather, size thirty eight",
    "a small blue chair made of wood and steel",
    "twelve candles of green wax in a paper box",
    "the quick brown fox jumps over the lazy dog",
)


def clip_bpe(**settings: Any) -> Any:
    """A ``CLIPTokenizer``: byte pairs in lower case, the end of a word marked."""
    from transformers import CLIPTokenizer

    ends = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
    # The largest ids are the two ends, as in OpenAI's: the end is found as the largest id.
    pieces, merges = _clip_pieces()
    vocabulary = {piece: number for number, piece in enumerate([*pieces, *ends.values()])}
    given: dict[str, Any] = {"model_max_length": 77, "pad_token": "<|endoftext|>", **settings}
    return CLIPTokenizer(vocab=vocabulary, merges=list(merges), **ends, **given)


@cache
def _clip_pieces() -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=220, end_of_word_suffix="</w>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = tuple((str(first), str(second)) for first, second in model["merges"])
    letters = [chr(code) for code in range(33, 127)]
    pieces = dict.fromkeys([*letters, *(f"{letter}</w>" for letter in letters), *model["vocab"]])
    return tuple(pieces), merges


def wordpiece(**settings: Any) -> Any:
    """A ``BertTokenizer``."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab=dict(_wordpieces()), **{"model_max_length": 512, **settings})


@cache
def _wordpieces() -> dict[str, int]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return dict(tokenizer.get_vocab())


def xlm_roberta(**settings: Any) -> Any:
    """An ``XLMRobertaTokenizer``."""
    from transformers import XLMRobertaTokenizer

    return XLMRobertaTokenizer(vocab=list(_unigrams()), **{"model_max_length": 77, **settings})


@cache
def _unigrams() -> tuple[tuple[str, float], ...]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    return tuple((str(piece), float(score)) for piece, score in vocabulary)


def gemma(kind: Any, **settings: Any) -> Any:
    """A ``GemmaTokenizer`` or ``Siglip2Tokenizer``: byte pairs over words joined by a mark."""
    vocabulary, merges = _gemma_pieces()
    given = {"model_max_length": 64, "padding_side": "right", **settings}
    return kind(vocab=dict(vocabulary), merges=list(merges), **given)


@cache
def _gemma_pieces() -> tuple[dict[str, int], tuple[tuple[str, str], ...]]:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "\N{LOWER ONE EIGHTH BLOCK}")
    trainer = trainers.BpeTrainer(
        vocab_size=200,
        special_tokens=["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return dict(model["vocab"]), tuple((str(one), str(two)) for one, two in model["merges"])


def sentencepiece(folder: Path, **settings: Any) -> Any:
    """A ``SiglipTokenizer``, the one that needs the package sentencepiece."""
    import sentencepiece as package
    from transformers import SiglipTokenizer

    package.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_prefix=str(folder / "trained"),
        vocab_size=150,
        pad_id=-1,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "trained.vocab").unlink()
    model = (folder / "trained.model").rename(folder / "spiece.model")
    return SiglipTokenizer(str(model), **{"model_max_length": 64, **settings})


def roberta(**settings: Any) -> Any:
    """A ``RobertaTokenizer``: letters alone."""
    from transformers import RobertaTokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [chr(code) for code in range(33, 127)] + ["\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}"]
    vocabulary = {piece: number for number, piece in enumerate([*special, *letters])}
    return RobertaTokenizer(vocab=vocabulary, merges=[], **{"model_max_length": 77, **settings})
