"""Checkpoints of two towers that are not called CLIP, and of sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers as t
from family_checkpoints import SQUARE, TEXT, VISION, clip_pictures, family, lively
from family_tokenizers import clip_bpe, roberta, wordpiece


def _blip(folder: Path, kind: Any) -> None:
    tokenizer = wordpiece()
    text = {
        **TEXT,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "projection_dim": 32,
        "encoder_hidden_size": 32,
    }
    config = t.BlipConfig(
        text_config=text, vision_config=VISION, projection_dim=16, image_text_hidden_size=16
    )
    lively(kind(config)).save_pretrained(folder)
    t.BlipProcessor(t.BlipImageProcessorPil(size=SQUARE), tokenizer).save_pretrained(folder)


@family("blip")
def _(folder: Path) -> None:
    _blip(folder, t.BlipModel)


@family("blip-itm")
def _(folder: Path) -> None:
    """Its towers have other names than those that are looked for."""
    _blip(folder, t.BlipForImageTextRetrieval)


def _dual_encoder(folder: Path, **tokenizer_settings: Any) -> None:
    tokenizer = wordpiece(**tokenizer_settings)
    config = t.VisionTextDualEncoderConfig.from_vision_text_configs(
        t.ViTConfig(**VISION),
        t.BertConfig(**TEXT, vocab_size=len(tokenizer), max_position_embeddings=64),
        projection_dim=16,
    )
    lively(t.VisionTextDualEncoderModel(config)).save_pretrained(folder)
    pictures = t.ViTImageProcessorPil(size=SQUARE)
    t.VisionTextDualEncoderProcessor(pictures, tokenizer).save_pretrained(folder)


@family("dual-encoder")
def _(folder: Path) -> None:
    _dual_encoder(folder)


@family("dual-encoder-left-padded")
def _(folder: Path) -> None:
    """Positions that count from the left: a padded text has others than the text alone."""
    _dual_encoder(folder, padding_side="left")


@family("clipseg")
def _(folder: Path) -> None:
    tokenizer = clip_bpe()
    text = {
        **TEXT,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": 1,
    }
    config = t.CLIPSegConfig(projection_dim=16, text_config=text, vision_config=VISION)
    lively(t.CLIPSegModel(config)).save_pretrained(folder)
    t.CLIPSegProcessor(t.ViTImageProcessorPil(size=SQUARE), tokenizer).save_pretrained(folder)


@family("groupvit")
def _(folder: Path) -> None:
    tokenizer = clip_bpe()
    text = {
        **TEXT,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": 1,
    }
    groups = {"num_group_tokens": [8, 4, 0], "num_output_groups": [8, 4, 0], "depths": [1, 1, 1]}
    config = t.GroupViTConfig(
        projection_dim=16,
        projection_intermediate_dim=16,
        text_config=text,
        vision_config={**VISION, **groups, "num_hidden_layers": 3},
    )
    lively(t.GroupViTModel(config)).save_pretrained(folder)
    t.CLIPProcessor(clip_pictures(), tokenizer).save_pretrained(folder)


@family("flava")
def _(folder: Path) -> None:
    tokenizer = wordpiece()
    text = {**TEXT, "vocab_size": len(tokenizer), "hidden_size": 32}
    config = t.FlavaConfig(
        text_config=text,
        image_config=VISION,
        multimodal_config={**TEXT, "hidden_size": 32},
        projection_dim=16,
        hidden_size=32,
    )
    lively(t.FlavaModel(config)).save_pretrained(folder)
    pictures = t.FlavaImageProcessorPil(size=SQUARE, crop_size=SQUARE)
    t.FlavaProcessor(pictures, tokenizer).save_pretrained(folder)


@family("owlv2")
def _(folder: Path) -> None:
    tokenizer = clip_bpe(model_max_length=16)
    text = {
        **TEXT,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 16,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": 0,
    }
    config = t.Owlv2Config(projection_dim=16, text_config=text, vision_config=VISION)
    lively(t.Owlv2ForObjectDetection(config)).save_pretrained(folder)
    pictures = t.Owlv2ImageProcessorPil(size=SQUARE)
    t.Owlv2Processor(pictures, tokenizer).save_pretrained(folder)


@family("clap")
def _(folder: Path) -> None:
    """Texts and sounds: it embeds no pictures."""
    tokenizer = roberta()
    text = {
        **TEXT,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 100,
        "pad_token_id": 1,
        "projection_dim": 16,
    }
    audio = {
        "patch_embeds_hidden_size": 16,
        "hidden_size": 128,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [2, 2, 4, 4],
        "spec_size": 256,
        "num_mel_bins": 64,
        "window_size": 8,
        "projection_dim": 16,
        "patch_size": 4,
        "patch_stride": [4, 4],
    }
    config = t.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    lively(t.ClapModel(config)).save_pretrained(folder)
    sounds = t.ClapFeatureExtractor(feature_size=64, sampling_rate=48000, padding="repeatpad")
    t.ClapProcessor(sounds, tokenizer).save_pretrained(folder)
