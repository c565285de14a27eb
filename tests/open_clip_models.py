"""Small models in open_clip's format, with weights that any machine makes alike.

Run as a program where open_clip is installed, it writes what open_clip makes of them:

    python tests/open_clip_models.py tests/indexer/open_clip_expected.json PATH_OF_CLIPS_BPE
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TEXTS = (
    "a photo of a cat",
    "A red_ceramic MUG, with  a white handle!",
    "shoes",
    "a (very) long title: " + "blue suede shoes " * 30,
)
_TIMM_SIZES = {"embed_dim": 48, "depth": 2, "img_size": 32, "patch_size": 8}
"""What timm's towers are shrunk to; the number of heads stays, 12."""


def _clip(**settings: Any) -> dict[str, Any]:
    vision = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 48, "heads": 3, "layers": 2}
    return {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text} | settings


def _siglip(trunk: str, **text: Any) -> dict[str, Any]:
    return {
        "embed_dim": 48,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 32,
            "timm_model_name": trunk,
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 64,
            "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 48,
            "heads": 3,
            "layers": 2,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 1e-6},
            **text,
        },
    }


_HALVES = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
_SQUASHED = _HALVES | {"interpolation": "bicubic", "resize_mode": "squash"}

CONFIGS: dict[str, dict[str, Any]] = {
    "clip": {"model_cfg": _clip(), "preprocess_cfg": {}},
    "clip_quick_gelu": {
        "model_cfg": _clip(quick_gelu=True, custom_text=True),
        "preprocess_cfg": _HALVES | {"interpolation": "bilinear", "resize_mode": "squash"},
    },
    "siglip": {"model_cfg": _siglip("vit_base_patch16_siglip_224"), "preprocess_cfg": _SQUASHED},
    "siglip_tanh": {
        "model_cfg": _siglip("vit_base_patch32_siglip_256", act_kwargs={"approximate": "tanh"}),
        "preprocess_cfg": _SQUASHED,
    },
}


def weights(shapes: dict[str, list[int]]) -> dict[str, npt.NDArray[np.float32]]:
    """Values of about the size that trained ones have, by each weight's name."""
    found = {}
    for name, shape in shapes.items():
        values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
        if name == "logit_scale":
            values = np.full(shape, np.log(14.0))
        elif name == "logit_bias":
            values = np.full(shape, -10.0)
        elif "ln_" in name or "norm" in name or len(shape) < 2:
            values = 0.3 * values + (1.0 if name.endswith("weight") else 0.0)
        else:
            values *= 1.5 / np.sqrt(shape[-1] if len(shape) == 2 else np.prod(shape[1:]))
        found[name] = values.astype(np.float32)
    return found


def pictures() -> list[npt.NDArray[np.uint8]]:
    """uint8 (height, width, 3): waves and noise, of sizes whose crops have a clear middle."""
    found = []
    for number, (height, width) in enumerate([(48, 64), (96, 32), (32, 32), (200, 150)]):
        rows, columns = np.mgrid[0:height, 0:width]
        waves = [127 + 120 * np.sin((rows + one * columns) / (5 + number)) for one in range(3)]
        noise = np.random.default_rng(number).integers(-20, 20, (height, width, 3))
        found.append(np.clip(np.stack(waves, axis=-1) + noise, 0, 255).astype(np.uint8))
    return found


def write_tokenizer(folder: Path, kind: str, bpe: Path) -> None:
    """CLIP's own tokenizer, or one like SigLIP's of single characters, by transformers."""
    from transformers import CLIPTokenizer, PreTrainedTokenizerFast

    if kind.startswith("clip"):
        merges = gzip.decompress(bpe.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
        vocabulary = [*_bytes(), *(f"{one}</w>" for one in _bytes())]
        vocabulary += ["".join(merge.split()) for merge in merges]
        vocabulary += ["<|startoftext|>", "<|endoftext|>"]
        CLIPTokenizer(
            vocab={one: number for number, one in enumerate(vocabulary)},
            merges=[tuple(merge.split()) for merge in merges],
        ).save_pretrained(folder)
        return
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    pieces = ["<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyzABCDEFG,.!():_"]
    pieces += ["▁a", "▁shoes", "▁red", "▁ceramic", "▁mug", "oe"]
    scores = [(piece, -float(number)) for number, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="</s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)


def _bytes() -> list[str]:
    """The characters that stand for bytes, in the order of CLIP's vocabulary."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    plain += range(ord("®"), ord("ÿ") + 1)
    others = [chr(256 + number) for number in range(256 - len(plain))]
    return [*map(chr, plain), *others]


def write(folder: Path, kind: str, shapes: dict[str, list[int]], bpe: Path) -> Path:
    """A folder as open_clip pushes it to the hub."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIGS[kind], indent=2))
    save_file(weights(shapes), folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    write_tokenizer(folder, kind, bpe)
    return folder


def _expected(kind: str, bpe: Path) -> dict[str, Any]:
    import open_clip
    import timm
    import torch
    from open_clip import timm_model
    from PIL import Image

    create = timm.create_model
    timm_model.timm.create_model = lambda name, **given: create(name, **(given | _TIMM_SIZES))
    config = CONFIGS[kind]["model_cfg"]
    cls = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    settings = {key: value for key, value in config.items() if key != "custom_text"}
    shapes = {name: [*one.shape] for name, one in cls(**settings).state_dict().items()}
    with tempfile.TemporaryDirectory() as place:
        where = f"local-dir:{write(Path(place), kind, shapes, bpe)}"
        model, preprocess = open_clip.create_model_from_pretrained(where)
        tokens = open_clip.get_tokenizer(where)(list(TEXTS))
    with torch.inference_mode():
        batch = torch.stack([preprocess(Image.fromarray(one)) for one in pictures()])
        seen = model.eval().encode_image(batch, normalize=True)
        read = model.encode_text(tokens, normalize=True)

    def rows(vectors: Any) -> list[list[float]]:
        return [[round(float(value), 6) for value in row] for row in vectors]

    return {"shapes": shapes, "pictures": rows(seen), "texts": rows(read)}


if __name__ == "__main__":
    to, vocabulary_file = map(Path, sys.argv[1:])
    lines = [
        f"{json.dumps(kind)}: {json.dumps(_expected(kind, vocabulary_file))}" for kind in CONFIGS
    ]
    to.write_text("{\n" + ",\n".join(lines) + "\n}\n")
