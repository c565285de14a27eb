"""Which towers an ``open_clip_config.json`` describes, as transformers describes them.

transformers has two such pairs of towers. CLIP's has a class token, and causal texts pooled at the
end of text. SigLIP's has timm's attention pooling, and texts without a causal mask pooled at the
last position. Any other setting is refused by name, because it would give a wrong vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.core.errors import ModelError

_DEFAULT_BLOCK = {
    "ls_init_value": None,
    "block_type": None,
    "qk_norm": False,
    "scaled_cosine_attn": False,
    "scale_heads": False,
    "scale_attn_inner": False,
    "scale_attn": False,
    "scale_fc": False,
}
_DEFAULT_VISION = _DEFAULT_BLOCK | {
    "attentional_pool": False,
    "no_ln_pre": False,
    "final_ln_after_pool": False,
    "pool_type": "tok",
    "output_tokens": False,
}
_DEFAULT_TEXT = _DEFAULT_BLOCK | {
    "embed_cls": False,
    "final_ln_after_pool": False,
    "output_tokens": False,
    "hf_model_name": None,
    "tokenizer_mode": None,
}
_VISION_SIZES = {
    *("layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "patch_dropout"),
    *("attn_pooler_queries", "attn_pooler_heads", "pos_embed_type", "act_kwargs", "norm_kwargs"),
    *("timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias"),
    *("timm_drop", "timm_drop_path"),
}
_TEXT_SIZES = {
    *("context_length", "vocab_size", "hf_tokenizer_name", "tokenizer_kwargs", "width", "heads"),
    *("layers", "mlp_ratio", "pad_id", "eos_id", "no_causal_mask", "pool_type", "proj_bias"),
    *("proj_type", "act_kwargs", "norm_kwargs", "hf_model_pretrained", "hf_proj_type"),
    *("hf_pooler_type", "hf_tokenizer_pretrained"),
}
_MODEL = {
    *("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale"),
    *("init_logit_bias", "nonscalar_logit_scale", "cast_dtype", "output_dict"),
}

_TEXT_HEADS: dict[str, dict[str, Any]] = {
    "clip": {
        "no_causal_mask": False,
        "pool_type": "argmax",
        "proj_bias": False,
        "proj_type": "linear",
    },
    "siglip": {
        "no_causal_mask": True,
        "pool_type": "last",
        "proj_bias": True,
        "proj_type": "linear",
    },
}
"""How each kind makes a vector of a text; open_clip's defaults are CLIP's."""

_TIMM_HEADS = {"base": 12, "large": 16, "so400m": 16, "giantopt": 16}
_TIMM_TANH = {
    "vit_base_patch32_siglip_256",
    "vit_large_patch16_siglip_512",
    *(f"vit_so400m_patch16_siglip_{side}" for side in (256, 384, 512)),
    *(f"vit_giantopt_patch16_siglip_{side}" for side in (256, 384)),
}
"""timm's SigLIP towers with the approximated GELU; the others have the exact one."""

_TIMM_SIGLIP = {
    *(f"vit_base_patch16_siglip_{side}" for side in (224, 256, 384, 512)),
    *(f"vit_large_patch16_siglip_{side}" for side in (256, 384)),
    *(f"vit_so400m_patch14_siglip_{side}" for side in (224, 378, 384)),
    *_TIMM_TANH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Both towers of a model.

    Attributes:
        kind: ``clip`` or ``siglip``, transformers' ``model_type``.
        image_size: pixels of a side.
        vision: settings of transformers' vision configuration that no weight's shape tells.
        text: the same of the text configuration.
        tokenizer: name of the tokenizer on the hub; empty for CLIP's own.
        context_length: tokens of a text.
        clean: what open_clip does to a text before the tokenizer.
    """

    kind: str
    image_size: int
    vision: Mapping[str, Any]
    text: Mapping[str, Any]
    tokenizer: str
    context_length: int
    clean: str


def refuse(name: str, cause: str) -> ModelError:
    """The error for a folder that can't be converted, with the remedies."""
    return ModelError(
        f"model {name!r} is open_clip's, and {cause}: zeroshelf converts the architectures that "
        "transformers has too, CLIP's and SigLIP's. Take a checkpoint of this model that "
        "transformers wrote, or embed with open_clip yourself and give the vectors: zeroshelf "
        "ingest --vectors FILE.npy, zeroshelf labels add --vectors FILE.npy."
    )


def architecture_of(model: Mapping[str, Any], *, name: str) -> Architecture:
    """The architecture that the ``model_cfg`` of a configuration describes.

    Args:
        name: of the model, for messages.

    Raises:
        ModelError: towers, or settings of theirs, that transformers has not.
    """
    try:
        if "vision_cfg" not in model and "embed_dim" in model:
            towers = [key for key in model if key.endswith("_cfg") and key != "text_cfg"]
            raise refuse(name, f"it has no image tower ({(towers or ['no vision_cfg'])[0]})")
        vision, text = dict(model["vision_cfg"]), dict(model["text_cfg"])
        _refuse_unknown(model, _MODEL, {}, place="model_cfg", name=name)
        if (trunk := str(vision.get("timm_model_name") or "")) and trunk not in _TIMM_SIGLIP:
            raise refuse(name, f"its image tower is timm's {trunk!r}")
        _refuse_unknown(vision, _VISION_SIZES, _DEFAULT_VISION, place="vision_cfg", name=name)
        _refuse_unknown(text, _TEXT_SIZES, _DEFAULT_TEXT, place="text_cfg", name=name)
        kind = "siglip" if trunk else "clip"
        quick = bool(model.get("quick_gelu"))
        if trunk:
            vision_settings = _timm_settings(vision, trunk, name=name)
        else:
            vision_settings = _vit_settings(vision, quick=quick, name=name)
        _require(text, _TEXT_HEADS[kind], place="text_cfg", name=name)
        heads = {"num_attention_heads": text.get("heads", 8)}
        return Architecture(
            kind=kind,
            image_size=_side(vision, name=name),
            vision=vision_settings,
            text=_layers(text, quick=quick, name=name) | heads,
            **_tokenizer_settings(text, name=name),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"model {name!r}: open_clip_config.json does not describe a model: {error!r}. Fetch "
            "the file again."
        ) from error


def _refuse_unknown(
    settings: Mapping[str, Any],
    supported: set[str],
    defaults: Mapping[str, Any],
    *,
    place: str,
    name: str,
) -> None:
    for key, value in settings.items():
        if key not in supported and (
            key not in defaults or (value or None) != (defaults[key] or None)
        ):
            raise refuse(name, f"{place}.{key} is {value!r}")


def _vit_settings(vision: Mapping[str, Any], *, quick: bool, name: str) -> dict[str, Any]:
    if not isinstance(vision.get("layers", 12), int):
        raise refuse(name, "its image tower is a ResNet")
    heads = vision.get("width", 768) // vision.get("head_width", 64)
    return _layers(vision, quick=quick, name=name) | {"num_attention_heads": heads}


def _timm_settings(vision: Mapping[str, Any], trunk: str, *, name: str) -> dict[str, Any]:
    _require(vision, {"timm_pool": "map", "timm_proj": "none"}, place="vision_cfg", name=name)
    return {
        # timm's towers don't follow quick_gelu.
        "hidden_act": "gelu_pytorch_tanh" if trunk in _TIMM_TANH else "gelu",
        "layer_norm_eps": 1e-6,
        "num_attention_heads": _TIMM_HEADS[trunk.split("_")[1]],
    }


def _require(
    settings: Mapping[str, Any], expected: Mapping[str, Any], *, place: str, name: str
) -> None:
    for key, value in expected.items():
        if (setting := settings.get(key, _TEXT_HEADS["clip"].get(key))) != value:
            raise refuse(name, f"{place}.{key} is {setting!r}")


def _side(vision: Mapping[str, Any], *, name: str) -> int:
    size = vision.get("image_size", 224)
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise refuse(name, f"its pictures are not square ({size})")
    return int(sides.pop())


def _layers(settings: Mapping[str, Any], *, quick: bool, name: str) -> dict[str, Any]:
    """Activation and norms of a tower."""
    act = dict(settings.get("act_kwargs") or {})
    norm = dict(settings.get("norm_kwargs") or {})
    approximate = act.pop("approximate", "none")
    eps = float(norm.pop("eps", 1e-5))
    if act or norm or (quick and approximate != "none"):
        raise refuse(name, f"act_kwargs or norm_kwargs are {act | norm or approximate!r}")
    exact = "gelu" if approximate == "none" else "gelu_pytorch_tanh"
    return {"hidden_act": "quick_gelu" if quick else exact, "layer_norm_eps": eps}


def _tokenizer_settings(text: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Which tokenizer reads texts, and how."""
    tokenizer = str(text.get("hf_tokenizer_name") or "")
    options = dict(text.get("tokenizer_kwargs") or {})
    clean = options.pop("clean", "whitespace" if tokenizer else "lower")
    if options or clean not in {"whitespace", "lower", "canonicalize"}:
        raise refuse(name, f"tokenizer_kwargs are {text['tokenizer_kwargs']!r}")
    return {
        "tokenizer": tokenizer,
        "context_length": int(text.get("context_length", 77)),
        "clean": clean,
    }
