"""Checkpoints of SigLIP and SigLIP 2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as t
from family_checkpoints import SQUARE, TEXT, VISION, edit, family, lively
from family_tokenizers import gemma, sentencepiece


def siglip_model(words: int, *, text: dict[str, Any] | None = None) -> Any:
    """A SigLIP with a scale and a bias as trained ones have."""
    text_config = {
        **TEXT,
        "hidden_size": 32,
        "vocab_size": words,
        "max_position_embeddings": 64,
        "projection_size": 32,
        **(text or {}),
    }
    return biased(t.SiglipModel(t.SiglipConfig(text_config=text_config, vision_config=VISION)))


def biased(model: Any) -> Any:
    """The SigLIP, lively, with a scale and a bias as trained ones have."""
    lively(model)
    with torch.no_grad():
        model.logit_scale.fill_(2.7)
        model.logit_bias.fill_(-3.0)
    return model


def siglip_pictures() -> Any:
    """The image processor of SigLIP."""
    half = [0.5, 0.5, 0.5]
    return t.SiglipImageProcessorPil(size=SQUARE, image_mean=half, image_std=half, resample=3)


@family("siglip")
def _(folder: Path) -> None:
    tokenizer = sentencepiece(folder)
    siglip_model(len(tokenizer)).save_pretrained(folder)
    t.SiglipProcessor(siglip_pictures(), tokenizer).save_pretrained(folder)


def _siglip2(folder: Path, **tokenizer_settings: Any) -> None:
    """As published: the model type of SigLIP, the tokenizer of Gemma, files of their own."""
    tokenizer = gemma(t.GemmaTokenizer)
    siglip_model(len(tokenizer), text=tokenizer_settings.pop("text", None)).save_pretrained(folder)
    siglip_pictures().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = {"processor_class": "SiglipProcessor", **tokenizer_settings}
    edit(folder / "tokenizer_config.json", **settings)
    edit(folder / "preprocessor_config.json", processor_class="SiglipProcessor")


@family("siglip2")
def _(folder: Path) -> None:
    _siglip2(folder)


@family("siglip2-without-limit")
def _(folder: Path) -> None:
    _siglip2(folder, model_max_length=None)


@family("siglip2-wide")
def _(folder: Path) -> None:
    """Giant's projection is wider than its text tower."""
    _siglip2(folder, text={"hidden_size": 24})


@family("siglip2-naflex")
def _(folder: Path) -> None:
    tokenizer = gemma(t.Siglip2Tokenizer)
    vision = {key: value for key, value in VISION.items() if key != "image_size"}
    config = t.Siglip2Config(
        text_config={
            **TEXT,
            "hidden_size": 32,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 64,
            "projection_size": 32,
        },
        vision_config={**vision, "patch_size": 16, "num_patches": 256},
    )
    biased(t.Siglip2Model(config)).save_pretrained(folder)
    pictures = t.Siglip2ImageProcessorPil(patch_size=16, max_num_patches=256)
    t.Siglip2Processor(pictures, tokenizer).save_pretrained(folder)
