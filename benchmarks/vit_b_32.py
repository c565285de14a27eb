"""CLIP ViT-B/32's architecture with random weights, as a model folder.

Weights do not change speed, and no published checkpoint ships with the project. The tokenizer
is CLIP's own, so that texts have the lengths they have there. Radford et al. 2021, "Learning
Transferable Visual Models From Natural Language Supervision", arXiv:2103.00020.

torch is not imported with this module: the encoder says how its threads wait before that.
"""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import CLIPConfig, CLIPTokenizer

SHARED = Path(__file__).resolve().parents[2] / "shared"
MODEL = Path(__file__).resolve().parents[1] / "build" / "vit-b-32"
VOCABULARY = SHARED / "data" / "clip" / "bpe_simple_vocab_16e6.txt.gz"

START, END = "<|startoftext|>", "<|endoftext|>"
_VOCABULARY_SIZE = 49408
_MERGES = 49152 - 256 - 2
"""Of the vocabulary file's merges CLIP takes so many (openai/CLIP, ``simple_tokenizer.py``)."""

LOGIT_SCALE = math.log(100.0)
"""What OpenAI's models ended their training with."""


def vit_b_32() -> Path:
    """The model's folder; 600 MB are written where there is none.

    Weights are drawn as transformers draws them before a training.
    """
    if MODEL.exists():
        return MODEL
    import torch
    from transformers import CLIPModel, CLIPProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    model = CLIPModel(_configuration())
    with torch.no_grad():
        model.logit_scale.fill_(LOGIT_SCALE)
    aside = MODEL.with_name(f"{MODEL.name}.writing")
    CLIPProcessor(CLIPImageProcessorPil(), tokenizer()).save_pretrained(aside)
    model.save_pretrained(aside)
    return aside.rename(MODEL)


def tokenizer() -> CLIPTokenizer:
    """CLIP's tokenizer, 49,408 tokens, made of its vocabulary file.

    Where that is not at hand it knows single letters only, which is enough for pictures.
    """
    from transformers import CLIPTokenizer
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    lines: list[str] = []
    if VOCABULARY.exists():
        with gzip.open(VOCABULARY, "rt", encoding="utf-8") as stream:
            lines = stream.read().split("\n")[1 : _MERGES + 1]
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(letter + "</w>" for letter in letters)]
    tokens += ["".join(pair) for pair in merges]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    vocabulary |= {START: _VOCABULARY_SIZE - 2, END: _VOCABULARY_SIZE - 1}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def _configuration() -> CLIPConfig:
    """The sizes of openai/clip-vit-base-patch32; transformers' own defaults, but said here."""
    from transformers import CLIPConfig

    return CLIPConfig(
        text_config={
            "hidden_size": 512,
            "intermediate_size": 2048,
            "num_hidden_layers": 12,
            "num_attention_heads": 8,
            "max_position_embeddings": 77,
            "vocab_size": _VOCABULARY_SIZE,
            "bos_token_id": 49406,
            "eos_token_id": 49407,
        },
        vision_config={
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "image_size": 224,
            "patch_size": 32,
        },
        projection_dim=512,
    )
