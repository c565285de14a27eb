"""Small zero-shot detectors with random weights.

Fresh random weights find the same box in every place, so the layers that boxes and words are
compared by get larger ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as t
from family_tokenizers import clip_bpe

WORDS = ("bag", "running shoes", "lamp", "red mug")
_SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
_HEADS = {"num_attention_heads": 2}
# Grounding DINO knows the ids of BERT's marks by heart.
_MARKS = {101: "[CLS]", 102: "[SEP]", 1012: ".", 1029: "?"}
_PIECES = ("bag", "running", "shoes", "lamp", "red", "mug")


def owlv2(folder: Path) -> None:
    """64 patches."""
    torch.manual_seed(0)
    tokenizer = clip_bpe(model_max_length=16)
    text = {
        **_SMALL,
        **_HEADS,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 16,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {**_SMALL, **_HEADS, "image_size": 64, "patch_size": 8}
    config = t.Owlv2Config(text_config=text, vision_config=vision, projection_dim=32)
    model = t.Owlv2ForObjectDetection(config).eval()
    _spread(model, ("token_embedding", "text_projection"))
    _spread(model, ("class_head",), 0.1)
    _spread(model, ("box_head",), 0.2)
    pictures = t.Owlv2ImageProcessorPil(size={"height": 64, "width": 64})
    model.save_pretrained(folder)
    t.Owlv2Processor(pictures, tokenizer).save_pretrained(folder)


def grounding_dino(folder: Path) -> None:
    """20 queries."""
    torch.manual_seed(0)
    backbone = {
        "model_type": "swin",
        "image_size": 64,
        "patch_size": 4,
        "embed_dim": 16,
        "depths": [1, 1, 1, 1],
        "num_heads": [1, 1, 2, 2],
        "window_size": 4,
        "out_indices": [2, 3, 4],
    }
    config = t.GroundingDinoConfig(
        backbone_config=backbone,
        text_config={"model_type": "bert", **_SMALL, **_HEADS, "vocab_size": 1100},
        d_model=32,
        num_queries=20,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
    )
    model = t.GroundingDinoForObjectDetection(config).eval()
    _spread(model, ("bbox_embed",))
    names = {place: f"[unused{place}]" for place in range(1100)} | _MARKS
    names |= {0: "[PAD]", 1: "[UNK]", 2: "[MASK]"}
    names |= dict(enumerate(_PIECES, start=200))
    tokenizer = t.BertTokenizer(vocab={name: place for place, name in names.items()})
    pictures = t.GroundingDinoImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 96})
    model.save_pretrained(folder)
    t.GroundingDinoProcessor(pictures, tokenizer).save_pretrained(folder)


DETECTORS: dict[str, Callable[[Path], None]] = {"owlv2": owlv2, "grounding-dino": grounding_dino}


def _spread(model: Any, names: tuple[str, ...], scale: float = 0.4) -> None:
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if any(part in name for part in names) and weight.ndim == 2:
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
