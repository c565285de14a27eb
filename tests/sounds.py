"""Drawn sounds and a small CLAP with random weights, for tests of sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from indexer.core.records import FloatArray

RATE = 16_000
"""Samples a second of the drawn files; the model's processor takes another."""


def tone(frequency: float, seconds: float, *, rate: int = RATE) -> FloatArray:
    """float32 (n,): a tone that begins anew each second."""
    times = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * times) * np.exp(-(times % 1))).astype(np.float32)


def write(path: Path, samples: FloatArray, *, rate: int = RATE) -> Path:
    """A sound in the format of its name's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path


def write_clap(folder: Path, *, truncation: str = "rand_trunc") -> Path:
    """A CLAP of a few layers; its weights are drawn, and large enough to tell inputs apart."""
    import torch
    from transformers import (
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        ClapProcessor,
        RobertaTokenizer,
    )

    torch.manual_seed(0)
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "Ġ": 120}
    vocabulary |= {chr(code): 5 + place for place, code in enumerate(range(33, 127))}
    text = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 130,
        "max_position_embeddings": 100,
        "pad_token_id": 1,
        "projection_dim": 32,
    }
    audio = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 64,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 2, 2],
        "spec_size": 256,
        "num_mel_bins": 64,
        "window_size": 8,
        "patch_size": 4,
        "patch_stride": [4, 4],
        "projection_dim": 32,
        "enable_fusion": truncation == "fusion",
        "fusion_type": "aff_2d" if truncation == "fusion" else None,
    }
    config = ClapConfig(text_config=text, audio_config=audio, projection_dim=32)
    model = ClapModel(config).eval()
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.add_(torch.randn_like(weights) * 0.1)
    model.save_pretrained(folder)
    extractor = ClapFeatureExtractor(
        feature_size=64,
        truncation=truncation,
        sampling_rate=24_000,
        hop_length=240,
        frequency_max=10_000,
        padding="repeatpad",
    )
    tokenizer = RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=77)
    ClapProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder
