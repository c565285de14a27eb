"""Weights of open_clip under the names that transformers has for them.

The two mappings are those of transformers' conversion scripts
(``convert_clip_original_pytorch_to_hf.py``, ``convert_siglip_to_hf.py``). Attention's three
projections are one matrix in open_clip and timm. CLIP's two last projections are transposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes of names by parallel training and by a compiled model."""

_NOT_LEARNED = {"attn_mask", "text.attn_mask", "num_batches_tracked"}

_BLOCK = re.compile(r"(?P<tower>.+)\.(?:resblocks|blocks)\.(?P<number>\d+)\.(?P<rest>.+)")
_IN_BLOCK = {
    "ln_1": "layer_norm1",
    "norm1": "layer_norm1",
    "ln_2": "layer_norm2",
    "norm2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "attn.proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.fc1": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "mlp.fc2": "mlp.fc2",
}
_ALL_THREE = {"attn.in_proj_", "attn.qkv."}
_TOWERS = {"transformer": "text_model", "visual.transformer": "vision_model"} | {
    "visual.trunk": "vision_model"
}

_TEXTS = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
_CLIP = _TEXTS | {
    "logit_scale": "logit_scale",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    **{
        f"visual.{theirs}.{parameter}": f"vision_model.{ours}.{parameter}"
        for theirs, ours in {"ln_pre": "pre_layrnorm", "ln_post": "post_layernorm"}.items()
        for parameter in ("weight", "bias")
    },
}
_TRANSPOSED = {
    "visual.proj": "visual_projection.weight",
    "text_projection": "text_projection.weight",
}
_POOL = "visual.trunk.attn_pool."
_SIGLIP = _TEXTS | {
    "visual.trunk.pos_embed": "vision_model.embeddings.position_embedding.weight",
    "visual.trunk.patch_embed.proj.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.trunk.patch_embed.proj.bias": "vision_model.embeddings.patch_embedding.bias",
    _POOL + "latent": "vision_model.head.probe",
    **{
        f"{theirs}.{parameter}": f"{ours}.{parameter}"
        for theirs, ours in {
            "visual.trunk.norm": "vision_model.post_layernorm",
            _POOL + "proj": "vision_model.head.attention.out_proj",
            _POOL + "norm": "vision_model.head.layernorm",
            _POOL + "mlp.fc1": "vision_model.head.mlp.fc1",
            _POOL + "mlp.fc2": "vision_model.head.mlp.fc2",
            "text_projection": "text_model.head",
        }.items()
        for parameter in ("weight", "bias")
    },
}


def convert_weights(
    weights: Mapping[str, Tensor], kind: str
) -> tuple[dict[str, Tensor], list[str]]:
    """The same weights by transformers' names.

    Args:
        weights: as open_clip saved them.
        kind: ``clip`` or ``siglip``.

    Returns:
        The weights, and the names that the architecture does not have.
    """
    plain = {_plain(name): value for name, value in weights.items()}
    rename = _clip_weight if kind == "clip" else _siglip_weight
    renamed_weights: dict[str, Tensor] = {}
    unplaced = []
    for name, value in plain.items():
        placed = dict(_block_weights(name, value)) or dict(rename(name, value, plain))
        if not placed and name not in _NOT_LEARNED:
            unplaced.append(name)
        renamed_weights |= placed
    return {name: value.contiguous() for name, value in renamed_weights.items()}, unplaced


def _plain(name: str) -> str:
    """A name without the prefixes of wrappers and of the text tower (``custom_text``)."""
    for wrapper in (*_WRAPPERS, "text."):
        name = name.removeprefix(wrapper)
    return name


def _block_weights(name: str, value: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The weights in a tower's layer; nothing for a weight that is in none."""
    match = _BLOCK.fullmatch(name)
    if match is None or match["tower"] not in _TOWERS:
        return
    layer = f"{_TOWERS[match['tower']]}.encoder.layers.{match['number']}."
    holder, _, parameter = match["rest"].rpartition(".")
    for all_three in _ALL_THREE:
        if match["rest"].startswith(all_three):
            kind = match["rest"].removeprefix(all_three)
            for letter, third in zip("qkv", value.chunk(3), strict=True):
                yield f"{layer}self_attn.{letter}_proj.{kind}", third
    if holder in _IN_BLOCK:
        yield f"{layer}{_IN_BLOCK[holder]}.{parameter}", value


def _clip_weight(
    name: str, value: Tensor, _weights: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    if name in _TRANSPOSED:
        yield _TRANSPOSED[name], value.T
    elif name == "logit_scale":
        yield name, value.reshape(())
    elif name in _CLIP:
        yield _CLIP[name], value


def _siglip_weight(
    name: str, value: Tensor, weights: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    import torch

    if name in {"logit_scale", "logit_bias"}:
        yield name, value.reshape(1)
    elif name == "visual.trunk.pos_embed":
        yield _SIGLIP[name], value[0]
    elif name in _SIGLIP:
        yield _SIGLIP[name], value
    elif name.startswith((_POOL + "q.", _POOL + "kv.")):
        parameter = name.rpartition(".")[2]
        query, key_value = (weights[f"{_POOL}{letters}.{parameter}"] for letters in ("q", "kv"))
        yield f"vision_model.head.attention.in_proj_{parameter}", torch.cat([query, key_value])
