"""The architecture of `pocket_sounds`, and the folder it is kept in."""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor, CLIPTokenizer

from pocket.model import tidy
from pocket.sounds.synthesis import RATE
from pocket.sounds.texts import POSITIONS

WIDTH = 256
SECONDS = 5
MELS = 64
FRAMES = 256
_HOP = 313  # 1 + 5 s * 16000 / 313 = 256 frames: what the tower sees, so that it need not stretch


def new_extractor() -> ClapFeatureExtractor:
    """What turns sounds into spectrograms: 256 frames of 64 mel bands from 5 s at 16 kHz.

    A shorter sound is repeated as a whole and filled up with silence. Of a longer one transformers
    takes 5 s at random: cut it before.
    """
    return ClapFeatureExtractor(
        feature_size=MELS,
        sampling_rate=RATE,
        hop_length=_HOP,
        max_length_s=SECONDS,
        fft_window_size=1024,
        frequency_min=0,
        frequency_max=RATE // 2,
        truncation="rand_trunc",
        padding="repeatpad",
    )


def new_model(tokenizer: CLIPTokenizer) -> ClapModel:
    """An untrained CLAP of 2.5 million parameters for this tokenizer."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        # Positions are counted from the padding's number, 0, on.
        "max_position_embeddings": POSITIONS + 3,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    audio = {
        "num_mel_bins": MELS,
        "spec_size": 128,
        "patch_size": 8,
        "patch_stride": [8, 8],
        "patch_embeds_hidden_size": 48,
        "hidden_size": 192,
        "depths": [2, 2, 2],
        "num_hidden_layers": 3,
        "num_attention_heads": [3, 4, 6],
        "window_size": 4,  # the side of the last stage's grid; transformers fails with a larger one
        "mlp_ratio": 3.0,
        "hidden_dropout_prob": 0.0,
    }
    return ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=WIDTH))


def set_levels(model: ClapModel, mean: Tensor, variance: Tensor) -> None:
    """Fixes the mean and the variance of each mel band that the audio tower normalises by.

    Args:
        model: its batch norm is used with these values, in training too.
        mean: (MELS,), in dB.
        variance: (MELS,).
    """
    norm = model.audio_model.audio_encoder.batch_norm
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def sound_features(model: ClapModel, spectrograms: Tensor) -> Tensor:
    """The audio tower's features before the projection: spectrograms (n, 1, FRAMES, MELS)."""
    return model.audio_model(input_features=spectrograms).pooler_output


def project_sounds(model: ClapModel, features: Tensor) -> Tensor:
    """Unit vectors of sounds' features: float32 (n, WIDTH)."""
    return normalize(model.audio_projection(features).float(), dim=-1)


def save(model: ClapModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Writes the model's folder, with weights in half precision that load as float32."""
    folder.mkdir(parents=True, exist_ok=True)
    ClapProcessor(new_extractor(), tokenizer).save_pretrained(folder)
    with torch.no_grad():
        model.logit_scale_t.copy_(model.logit_scale_a)
    halved = {
        name: value.half() if value.is_floating_point() else value
        for name, value in model.state_dict().items()
    }
    model.save_pretrained(folder, state_dict=halved)
    # The processor would take the length of the texts, in tokens, for that of sounds as well.
    tidy(folder, "audio_config", truncation=None, padding=None)
