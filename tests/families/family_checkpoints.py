"""Small random-weight checkpoints of CLIP-like families, with true processors and tokenizers.

A checkpoint is made by ``make(name, folder)``. Weights are random: what is compared runs on the
same ones. ``FAMILIES`` lists what there is, once the modules that enter makers are imported:
this one, ``family_dual_encoders``, ``family_siglip`` and ``family_text_models``.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as t
from family_tokenizers import clip_bpe, wordpiece, xlm_roberta

FAMILIES: dict[str, Callable[[Path], None]] = {}

VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
TEXT = {
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
SQUARE = {"height": 32, "width": 32}


def make(name: str, folder: Path) -> Path:
    """Write the checkpoint of a family into a new folder, the same weights each time."""
    folder.mkdir(parents=True)
    torch.manual_seed(zlib.crc32(name.encode()))
    FAMILIES[name](folder)
    return folder


def family(name: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Enter a maker into ``FAMILIES``."""

    def entered(maker: Callable[[Path], None]) -> Callable[[Path], None]:
        FAMILIES[name] = maker
        return maker

    return entered


def lively(model: Any) -> Any:
    """The model with weights so large that different inputs have different vectors."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.dim() >= 2 and "embedding" not in name and "norm" not in name:
                weights.mul_(2.5)
            elif weights.dim() == 1 and name.endswith("bias"):
                weights.add_(torch.randn_like(weights) * 0.05)
    return model.eval()


def edit(file: Path, **values: Any) -> None:
    """Change values of a JSON file; None removes one."""
    settings = json.loads(file.read_text()) | values
    kept = {key: value for key, value in settings.items() if value is not None}
    file.write_text(json.dumps(kept))


def clip_pictures(**settings: Any) -> Any:
    """The image processor of CLIP."""
    given = {"size": {"shortest_edge": 32}, "crop_size": SQUARE, **settings}
    return t.CLIPImageProcessorPil(**given)


def clip_model(*, width: int = 16, towers_width: int | None = None, **text: Any) -> Any:
    """A CLIP; ``towers_width`` is what its towers' own configurations say of the width."""
    tokenizer = clip_bpe()
    config = t.CLIPConfig(
        projection_dim=width,
        text_config={
            **TEXT,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 77,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": 1,
            "projection_dim": towers_width or width,
            **text,
        },
        vision_config={**VISION, "projection_dim": towers_width or width},
    )
    return lively(t.CLIPModel(config))


def save_clip(folder: Path, model: Any = None, **saving: Any) -> None:
    """A folder of a CLIP as transformers saves it today."""
    (clip_model() if model is None else model).save_pretrained(folder, **saving)
    t.CLIPProcessor(clip_pictures(), clip_bpe()).save_pretrained(folder)


def as_of_2022(folder: Path) -> None:
    """Rewrite a CLIP's processor and tokenizer as OpenAI's folders on the hub have them."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    (folder / "tokenizer.json").unlink()
    end = "<|endoftext|>"
    special = {"bos_token": "<|startoftext|>", "eos_token": end, "unk_token": end, "pad_token": end}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    described = {**special, "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(described))
    (folder / "processor_config.json").unlink()
    processing = {
        "crop_size": 32,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": 32,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processing))


@family("clip")
def _(folder: Path) -> None:
    save_clip(folder)


@family("clip-float16")
def _(folder: Path) -> None:
    save_clip(folder, clip_model().half())


@family("clip-bfloat16")
def _(folder: Path) -> None:
    save_clip(folder, clip_model().bfloat16())


@family("clip-sharded")
def _(folder: Path) -> None:
    save_clip(folder, max_shard_size="60KB")


@family("clip-2022")
def _(folder: Path) -> None:
    save_clip(folder, clip_model(eos_token_id=2, bos_token_id=0))
    as_of_2022(folder)
    weights = folder / "model.safetensors"
    from safetensors.torch import load_file, save_file

    ids = torch.arange(77)[None]
    old = load_file(weights) | {"text_model.embeddings.position_ids": ids}
    save_file(old, weights, metadata={"format": "pt"})


@family("clip-bin")
def _(folder: Path) -> None:
    model = clip_model()
    save_clip(folder, model)
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")


@family("clip-laion")
def _(folder: Path) -> None:
    """Its towers' own configurations say another width than the projections have."""
    save_clip(folder, clip_model(width=20, towers_width=512))


@family("clip-without-limit")
def _(folder: Path) -> None:
    """A tokenizer that does not say how long texts may be."""
    save_clip(folder)
    edit(folder / "tokenizer_config.json", model_max_length=None)


@family("clip-left-padded")
def _(folder: Path) -> None:
    save_clip(folder)
    edit(folder / "tokenizer_config.json", padding_side="left")


@family("clip-0_CLIPModel")
def _(folder: Path) -> None:
    """The layout of sentence-transformers/clip-ViT-B-32."""
    inner = folder / "0_CLIPModel"
    inner.mkdir()
    save_clip(inner, clip_model(eos_token_id=2, bos_token_id=0))
    as_of_2022(inner)
    module = {
        "idx": 0,
        "name": "0",
        "path": "0_CLIPModel",
        "type": "sentence_transformers.models.CLIPModel",
    }
    (folder / "modules.json").write_text(json.dumps([module]))
    versions = {"sentence_transformers": "2.0.0", "transformers": "4.11.0", "pytorch": "1.9.0"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"__version__": versions}))


@family("metaclip2")
def _(folder: Path) -> None:
    tokenizer = xlm_roberta()
    config = t.MetaClip2Config(
        projection_dim=16,
        text_config={
            **TEXT,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 77,
            "bos_token_id": 0,
            "eos_token_id": 2,
            "pad_token_id": 1,
            "projection_dim": 16,
        },
        vision_config={**VISION, "projection_dim": 16},
    )
    lively(t.MetaClip2Model(config)).save_pretrained(folder)
    pictures = clip_pictures(size=SQUARE, do_center_crop=False)
    t.CLIPProcessor(pictures, tokenizer).save_pretrained(folder)


@family("align")
def _(folder: Path) -> None:
    tokenizer = wordpiece()
    vision = {
        "image_size": 32,
        "hidden_dim": 24,
        "width_coefficient": 1.0,
        "depth_coefficient": 0.3,
        "kernel_sizes": [3, 3],
        "in_channels": [32, 16],
        "out_channels": [16, 24],
        "strides": [1, 2],
        "num_block_repeats": [1, 1],
        "expand_ratios": [1, 2],
        "depthwise_padding": [],
    }
    text = {**TEXT, "vocab_size": len(tokenizer)}
    config = t.AlignConfig(text_config=text, vision_config=vision, projection_dim=24)
    model = t.AlignModel(config).eval()
    with torch.no_grad():
        model.temperature.fill_(0.07)
    model.save_pretrained(folder)
    pictures = t.EfficientNetImageProcessorPil(
        size={"height": 40, "width": 40},
        crop_size=SQUARE,
        do_center_crop=True,
        include_top=False,
        rescale_offset=True,
        rescale_factor=1 / 127.5,
        do_normalize=False,
    )
    t.AlignProcessor(pictures, tokenizer).save_pretrained(folder)


@family("altclip")
def _(folder: Path) -> None:
    tokenizer = xlm_roberta()
    text = {
        **TEXT,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 80,
        "project_dim": 24,
        "pad_token_id": 1,
    }
    config = t.AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=16)
    lively(t.AltCLIPModel(config)).save_pretrained(folder)
    t.AltCLIPProcessor(clip_pictures(), tokenizer).save_pretrained(folder)


@family("chinese-clip")
def _(folder: Path) -> None:
    tokenizer = wordpiece(model_max_length=52)
    text = {**TEXT, "vocab_size": len(tokenizer), "max_position_embeddings": 64}
    config = t.ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=16)
    lively(t.ChineseCLIPModel(config)).save_pretrained(folder)
    pictures = t.ChineseCLIPImageProcessorPil(size=SQUARE, crop_size=SQUARE, do_center_crop=False)
    t.ChineseCLIPProcessor(pictures, tokenizer).save_pretrained(folder)
