"""CLIP from a folder, one tower at a time: to embed pictures, the text tower is not loaded.

transformers has each tower as a model that takes its weights from the folder. The vectors equal
those of the whole model. sentence-transformers, which takes longer to import than a tower to
load, is not needed.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.encoder.loading import loading_errors, quiet
from indexer.encoder.logits import LOGIT_NAMES, Logits, logits_of
from indexer.encoder.texts import in_batches, longest_text, overlong, padding_changes_vectors
from indexer.encoder.weights import loading_report

if TYPE_CHECKING:
    import torch

_SAFETENSORS, _BIN = "model.safetensors", "pytorch_model.bin"
_WEIGHTS = tuple(f"{name}{index}" for name in (_SAFETENSORS, _BIN) for index in ("", ".index.json"))
_NO_PICTURES = ("text_", "logit_scale")
_NO_TEXTS = ("vision_model", "visual_projection", "logit_scale")
"""Prefixes of the weights that each tower finds in the files and does not need."""

_PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
_EXTRA_CONFIGS = ("sentence_bert_config.json", "adapter_config.json")
"""Files of models that are more than a plain CLIP."""


def clip_folder(folder: Path) -> Path | None:
    """The folder of a plain CLIP within a model's folder; None for all other models.

    In a folder that sentence-transformers wrote, a CLIP must be the only module, and texts must
    get no prompt.
    """
    try:
        place = folder / _only_module(folder)
        if _json(place / "config.json").get("model_type") != "clip":
            return None
        settings = _json(folder / "config_sentence_transformers.json", {})
        prompts = settings.get("prompts") or {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # loading it by sentence-transformers says what is wrong
    has = {file.name for file in place.iterdir()}
    complete = (
        not has.isdisjoint(_WEIGHTS)
        and not has.isdisjoint(_PROCESSORS)
        and any(has.issuperset(files) for files in _TOKENIZERS)
    )
    otherwise = any(prompts.values()) or settings.get("truncate_dim")
    plain = has.isdisjoint(_EXTRA_CONFIGS) and not otherwise
    return place if complete and plain else None


def _only_module(folder: Path) -> str:
    """The path of the one module that sentence-transformers would load."""
    modules = _json(folder / "modules.json", [{"path": "", "type": ".CLIPModel"}])
    (only,) = modules
    if not only["type"].endswith(".CLIPModel"):
        raise ValueError(only["type"])
    return str(only["path"])


def _json(path: Path, absent: Any = None) -> Any:
    if absent is not None and not path.exists():
        return absent
    return json.loads(path.read_text(encoding="utf-8"))


class ClipTowers:
    """The two towers of a CLIP, each loaded at first use.

    Not for several threads at once.

    Args:
        folder: as ``clip_folder`` returns it.
        device: where to compute, as torch names it.
        dtype: number format of the weights, as torch calls it.
    """

    modalities = ("text", "image")
    sound_preparation = None
    prompts: Mapping[str, str] = {}
    default_prompt_name = None
    truncates_vectors = False
    fixed_length = None
    family = "CLIPModel"
    reading = "each tower when it is first needed"

    def __init__(self, folder: Path, *, device: str, dtype: str) -> None:
        self.folder = folder
        self.device = device
        self._dtype = dtype

    @cached_property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return int(self._config.projection_dim)

    @cached_property
    def logits(self) -> Logits:
        """Scale and bias that turn cosines into logits."""
        with loading_errors(self.folder):
            return logits_of(_single_numbers(self.folder))

    @cached_property
    def pictures(self) -> Any:
        """The image tower and its projection: float (n, 3, height, width) to (n, d)."""
        with quiet():
            from transformers import CLIPVisionModelWithProjection

            return self._tower(
                CLIPVisionModelWithProjection, self._config.vision_config, _NO_PICTURES
            )

    @cached_property
    def texts(self) -> Any:
        """The text tower and its projection."""
        with quiet():
            from transformers import CLIPTextModelWithProjection

            return self._tower(CLIPTextModelWithProjection, self._config.text_config, _NO_TEXTS)

    @property
    def picture_layers(self) -> Collection[Any]:
        """The linear layers that only pictures go through."""
        from indexer.encoder.linear import linear_set

        return linear_set(self.pictures)

    @property
    def text_layers(self) -> Collection[Any]:
        """The linear layers that texts go through."""
        from indexer.encoder.linear import linear_set

        return linear_set(self.texts)

    @cached_property
    def picture_processor(self) -> Any:
        """Resizes and normalises pictures as the model was trained with."""
        with quiet(), loading_errors(self.folder):
            from transformers import AutoImageProcessor

            return AutoImageProcessor.from_pretrained(self.folder, local_files_only=True)

    @property
    def vision(self) -> Any:
        """The model whose attention can be traced."""
        return self.pictures

    def picture_vectors(self, tower: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Vectors (n, d) of float (n, 3, height, width) by the image tower or a copy of it."""
        vectors: torch.Tensor = tower(pixel_values=pixels).image_embeds
        return vectors

    def encode_pictures(self, pictures: Sequence[Pixels], *, batch_size: int) -> FloatArray:
        """Raw vectors (n, d) of resized pictures, normalised by the model's own processor."""
        import torch

        vectors = []
        with torch.inference_mode():
            for start in range(0, len(pictures), batch_size):
                inputs = self.picture_processor(
                    images=list(pictures[start : start + batch_size]),
                    return_tensors="pt",
                    do_resize=False,
                    do_center_crop=False,
                    input_data_format="channels_last",
                )
                pixels = inputs["pixel_values"].to(self.pictures.device, self.pictures.dtype)
                vectors.append(self.picture_vectors(self.pictures, pixels))
        return np.asarray(torch.cat(vectors).float().cpu().numpy())

    def encode_texts(
        self, texts: Sequence[str], *, batch_size: int, prompt: str = "", task: str = ""
    ) -> FloatArray:
        """Raw vectors (n, d) of texts, in order; those of like length are padded together.

        Args:
            prompt: prefix of each.
            task: ignored, since a CLIP has no routes.
        """
        del task
        return self._embed_texts(
            [prompt + text for text in texts], batch_size, by_length=self.batches_by_length
        )

    @cached_property
    def batches_by_length(self) -> bool:
        """Whether texts of different lengths can't share a batch."""

        def embed(texts: Sequence[str]) -> FloatArray:
            return normalise(self._embed_texts(texts, len(texts), by_length=False))

        return padding_changes_vectors(embed, dtype=self._dtype)

    @property
    def longest_text(self) -> int | None:
        """Tokens at which a text is cut; None for no limit."""
        return longest_text(self.texts, self._tokenizer)

    def _embed_texts(self, texts: Sequence[str], batch_size: int, *, by_length: bool) -> FloatArray:
        import torch

        cut = {"truncation": True, "max_length": self.longest_text}

        def encode(batch: list[str]) -> FloatArray:
            tokens = self._tokenizer(batch, padding=True, return_tensors="pt", **cut)
            with torch.inference_mode():
                vectors = self.texts(**tokens.to(self.texts.device)).text_embeds
            return np.asarray(vectors.float().cpu().numpy())

        lengths = [len(text) for text in texts]
        if by_length:
            lengths = [len(tokens) for tokens in self._tokenizer(list(texts), **cut)["input_ids"]]
        return in_batches(
            texts, encode, lengths=lengths, batch_size=batch_size, by_length=by_length
        )

    def overlong(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """As ``texts.overlong``."""
        return overlong(texts, self._tokenizer, self.longest_text)

    @cached_property
    def _tokenizer(self) -> Any:
        with quiet(), loading_errors(self.folder):
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(self.folder, local_files_only=True)

    @cached_property
    def _config(self) -> Any:
        with quiet(), loading_errors(self.folder):
            from transformers import CLIPConfig

            return CLIPConfig.from_pretrained(self.folder, local_files_only=True)

    def _tower(self, kind: Any, settings: Any, elsewhere: tuple[str, ...]) -> Any:
        # LAION's folders give the projections' width only at the top of the configuration.
        settings.projection_dim = self._config.projection_dim
        with loading_errors(self.folder):
            with loading_report(elsewhere=elsewhere) as report:
                tower = kind.from_pretrained(
                    self.folder, config=settings, local_files_only=True, dtype=self._dtype
                )
            report.require_complete(str(self.folder))
            return tower.to(self.device).eval()


def _single_numbers(folder: Path) -> dict[str, float]:
    """Logit scale and bias in a CLIP's files, by name, without loading other weights."""
    file = _file_with(folder, "logit_scale")
    if file is None:
        return {}
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(file, framework="pt") as weights:
            names = set(weights.keys()).intersection(LOGIT_NAMES)
            return {name: float(weights.get_tensor(name).item()) for name in names}
    import torch

    # Files from before 2020 are no zip archives and can't be mapped.
    loaded = torch.load(file, "cpu", mmap=zipfile.is_zipfile(file), weights_only=True)
    return {name: float(loaded[name].item()) for name in LOGIT_NAMES if name in loaded}


def _file_with(folder: Path, weight: str) -> Path | None:
    """The file that holds a weight; None if no file does."""
    for name in (_SAFETENSORS, _BIN):
        if (folder / name).is_file():
            return folder / name
        index = _json(folder / f"{name}.index.json", {"weight_map": {}})["weight_map"]
        if weight in index:
            return folder / str(index[weight])
    return None
