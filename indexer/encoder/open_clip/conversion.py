"""Writes a folder that transformers reads, once for each model of open_clip.

It lies in the user's cache under a hash of the state of open_clip's files. A folder that a full
disk or a killed process left incomplete is written again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.core.errors import ModelError, first_line
from indexer.encoder.cache import (
    cache_folder,
    file_states,
    hash_of,
    is_complete,
    size_of,
    write_folder,
)
from indexer.encoder.open_clip.architecture import Architecture, architecture_of, refuse
from indexer.encoder.open_clip.tokens import tokenizer_of
from indexer.encoder.open_clip.weights import convert_weights

if TYPE_CHECKING:
    from torch import Tensor

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")

_VERSION = "1"
"""Of the conversion: folders that an older version wrote are converted again."""

_RESAMPLES = {"bicubic": 3, "random": 3, "bilinear": 2}  # Pillow's numbers
# OpenAI's constants, which open_clip takes where a model names none.
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_log = logging.getLogger(__name__)


def is_open_clip(folder: Path) -> bool:
    """Whether a folder must be read by open_clip's files.

    Many folders hold transformers' files as well. Those are preferred, unless they need code
    from the folder.
    """
    if not (folder / CONFIG).is_file():
        return False
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except OSError:
        return not (folder / "modules.json").is_file()
    except ValueError:
        return False  # loading it says what is wrong
    return "auto_map" in config


def convert(folder: Path, *, name: str) -> Path:
    """Convert a folder of open_clip's, unless the cache holds it already; returns the new folder.

    Args:
        folder: one that ``is_open_clip``.
        name: of the model, for messages.

    Raises:
        ModelError: the folder is incomplete or damaged, or the architecture is neither CLIP's
            nor SigLIP's; names the remedy.
    """
    cache = cache_folder("open_clip")
    if cache is None:
        raise ModelError(
            f"model {name!r} is open_clip's and is converted once, and there is no folder to keep "
            "it in: set XDG_CACHE_HOME to one."
        )
    place = cache / hash_of([_VERSION, *file_states(folder)])
    if not is_complete(place, size_of):
        _convert(folder, place, name)
    return place


def _convert(folder: Path, place: Path, name: str) -> None:
    config = _config(folder, name)
    architecture = architecture_of(config["model_cfg"], name=name)
    processing = _preprocessing(config.get("preprocess_cfg") or {}, architecture, name=name)
    tokenizer = tokenizer_of(folder, architecture, name=name)
    weights, left = convert_weights(_weights(folder, name), architecture.kind)
    if left:
        raise refuse(name, f"its weights have parts of their own, such as {left[0]!r}")
    settings = _settings(architecture, weights, tokenizer, name=name)
    _require_all(settings, weights, name=name)
    try:
        write_folder(place, partial(_write, settings, processing, weights, tokenizer), size_of)
        if not is_complete(place, size_of):
            raise OSError("another process is writing it, or it was removed")
    except OSError as error:
        raise ModelError(
            f"model {name!r} can't be converted into {str(place.parent)!r}: {first_line(error)}. "
            "Set XDG_CACHE_HOME to a folder with room for its weights."
        ) from error
    _log.info("model %s is open_clip's: converted into %s", name, place)


def _config(folder: Path, name: str) -> dict[str, Any]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return {"model_cfg": config["model_cfg"], "preprocess_cfg": config.get("preprocess_cfg")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"model {name!r}: {CONFIG} can't be read: {error!r}. Fetch the file again."
        ) from error


def _preprocessing(settings: Mapping[str, Any], architecture: Architecture, *, name: str) -> Any:
    """Settings of a picture processor that does what open_clip's transforms do."""
    mode = settings.get("resize_mode") or "shortest"
    if mode not in {"shortest", "squash"} or settings.get("mode", "RGB") != "RGB":
        raise refuse(name, f"preprocess_cfg.resize_mode is {mode!r}")
    interpolation = settings.get("interpolation") or "bicubic"
    if interpolation not in _RESAMPLES:
        raise refuse(name, f"preprocess_cfg.interpolation is {interpolation!r}")
    side = architecture.image_size
    square = {"height": side, "width": side}
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": side} if mode == "shortest" else square,
        "resample": _RESAMPLES[interpolation],
        "do_center_crop": mode == "shortest",
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": _colours(settings.get("mean"), _CLIP_MEAN),
        "image_std": _colours(settings.get("std"), _CLIP_STD),
    }


def _colours(value: Any, default: tuple[float, ...]) -> list[float]:
    if value is None:
        return list(default)
    return [float(value)] * 3 if isinstance(value, int | float) else list(map(float, value))


def _weights(folder: Path, name: str) -> Mapping[str, Tensor]:
    from indexer.encoder.loading import loading_errors

    safe, pickled = (folder / file for file in WEIGHTS)
    with loading_errors(folder):
        if safe.is_file():
            from safetensors.torch import load_file

            return dict(load_file(safe))
        if not pickled.is_file():
            raise ModelError(
                f"model {name!r} has {CONFIG} and neither {WEIGHTS[0]} nor {WEIGHTS[1]} beside it. "
                "Put its weights there under one of these names."
            )
        return _unpickled(pickled, name)


def _unpickled(file: Path, name: str) -> Mapping[str, Tensor]:
    import pickle

    import torch

    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"model {name!r}: {file.name} holds more than weights, which could run any code: "
            f"it is not read. Save its state_dict as {WEIGHTS[0]}."
        ) from error
    return dict(loaded.get("state_dict", loaded))  # checkpoints of a training nest them


def _settings(
    architecture: Architecture, weights: Mapping[str, Tensor], tokenizer: Any, *, name: str
) -> dict[str, Any]:
    """The ``config.json`` of transformers: sizes are those of the weights."""

    def shape(key: str) -> tuple[int, ...]:
        if key not in weights:
            raise _incomplete(name, key)
        return tuple(weights[key].shape)

    def tower(side: str) -> dict[str, Any]:
        layer = f"{side}_model.encoder.layers."
        numbers = {key.removeprefix(layer).split(".")[0] for key in weights if layer in key}
        inner, width = shape(f"{layer}0.mlp.fc1.weight")
        return {
            "hidden_size": width,
            "intermediate_size": inner,
            "num_hidden_layers": len(numbers),
        }

    vocabulary, _ = shape("text_model.embeddings.token_embedding.weight")
    positions, _ = shape("text_model.embeddings.position_embedding.weight")
    _, colours, patch, _ = shape("vision_model.embeddings.patch_embedding.weight")
    text: dict[str, Any] = {
        **tower("text"),
        **architecture.text,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    vision: dict[str, Any] = {
        **tower("vision"),
        **architecture.vision,
        "num_channels": colours,
        "patch_size": patch,
        "image_size": architecture.image_size,
    }
    dtype = str(next(iter(weights.values())).dtype).removeprefix("torch.")
    settings: dict[str, Any] = {"model_type": architecture.kind, "dtype": dtype}
    if architecture.kind == "clip":
        width, _ = shape("visual_projection.weight")
        text["projection_dim"] = vision["projection_dim"] = settings["projection_dim"] = width
        settings["architectures"] = ["CLIPModel"]
        if tokenizer.eos_token_id != vocabulary - 1:
            raise refuse(name, "its tokenizer's last token is not the end of text")
    else:
        width, _ = shape("text_model.head.weight")
        text["projection_size"] = width
        settings["architectures"] = ["SiglipModel"]
    return settings | {"text_config": text, "vision_config": vision}


def _incomplete(name: str, key: str) -> ModelError:
    return ModelError(
        f"model {name!r}: its weights lack what transformers calls {key!r}. The file is not "
        f"whole, or {CONFIG} is of another model: fetch both again."
    )


def _require_all(settings: dict[str, Any], weights: Mapping[str, Tensor], *, name: str) -> None:
    """Refuse weights that do not match the configuration."""
    import torch
    from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

    from indexer.encoder.loading import quiet

    kinds = {"clip": (CLIPModel, CLIPConfig), "siglip": (SiglipModel, SiglipConfig)}
    model, config = kinds[settings["model_type"]]
    with quiet(), torch.device("meta"):
        expected = model(config(**settings)).state_dict()
    for key, value in expected.items():
        if key not in weights and key != "logit_scale":
            raise _incomplete(name, key)
        if key in weights and weights[key].shape != value.shape:
            raise refuse(
                name,
                f"{key} is {tuple(weights[key].shape)} where its configuration asks for "
                f"{tuple(value.shape)}",
            )
    if more := sorted(set(weights) - set(expected)):
        raise refuse(name, f"its weights have parts of their own, such as {more[0]!r}")


def _write(
    settings: dict[str, Any],
    processing: dict[str, Any],
    weights: Mapping[str, Tensor],
    tokenizer: Any,
    folder: Path,
) -> None:
    from safetensors.torch import save_file

    save_file(dict(weights), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")
    kind = "CLIPProcessor" if settings["model_type"] == "clip" else "SiglipProcessor"
    tokenizer.save_pretrained(folder)
    described = {"image_processor": processing, "processor_class": kind}
    (folder / "processor_config.json").write_text(json.dumps(described, indent=2))
