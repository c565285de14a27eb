"""CLIP from a folder, a tower at a time: who embeds pictures never reads the text tower.

transformers has each tower as a model of its own that takes its part of the folder's weights.
The vectors are those of the whole model, and sentence-transformers, whose import takes longer
than such a tower, is not needed.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.encoder.loading import quiet, reading
from indexer.encoder.logits import LOGIT_NAMES, Logits, logits_of
from indexer.encoder.texts import in_batches, longest_text, overlong, padding_matters
from indexer.encoder.weights import loading_report

if TYPE_CHECKING:
    import torch

_SAFETENSORS, _BIN = "model.safetensors", "pytorch_model.bin"
_WEIGHTS = tuple(f"{name}{index}" for name in (_SAFETENSORS, _BIN) for index in ("", ".index.json"))
_NO_PICTURES = ("text_", "logit_scale")
_NO_TEXTS = ("vision_model", "visual_projection", "logit_scale")
"""How a CLIP's weights are called that each tower finds in its files and has no place for."""

_PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
_OTHERWISE = ("sentence_bert_config.json", "adapter_config.json")
"""Files that say that the model is to be run otherwise than a plain CLIP."""


def clip_folder(folder: Path) -> Path | None:
    """Where in a model's folder a plain CLIP lies; None for all other models.

    A folder that sentence-transformers wrote is one where its modules are a CLIP and nothing
    else, and where texts get no prefix.
    """
    try:
        place = folder / _only_module(folder)
        if _json(place / "config.json").get("model_type") != "clip":
            return None
        settings = _json(folder / "config_sentence_transformers.json", {})
        prompts = settings.get("prompts") or {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever is wrong with it, loading it as a whole says so
    has = {file.name for file in place.iterdir()}
    complete = (
        not has.isdisjoint(_WEIGHTS)
        and not has.isdisjoint(_PROCESSORS)
        and any(has.issuperset(files) for files in _TOKENIZERS)
    )
    otherwise = any(prompts.values()) or settings.get("truncate_dim")
    plain = has.isdisjoint(_OTHERWISE) and not otherwise
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
    """The two sides of a CLIP, each read when it is first asked for.

    Not for several threads at once.

    Args:
        folder: as ``clip_folder`` found it.
        device: where to compute, as torch names it.
        dtype: number format of the weights, as torch calls it.
    """

    modalities = ("text", "image")
    prompts: Mapping[str, str] = {}
    default_prompt_name = None
    cuts_vectors = False
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
        """What makes logits of cosines."""
        with reading(self.folder):
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
    def picture_layers(self) -> set[Any]:
        """The linear layers that only pictures go through."""
        return _linear(self.pictures)

    @property
    def text_layers(self) -> set[Any]:
        """The linear layers that texts go through."""
        return _linear(self.texts)

    @cached_property
    def picture_processor(self) -> Any:
        """Resizes and normalises pictures as the model was trained with."""
        with quiet(), reading(self.folder):
            from transformers import AutoImageProcessor

            return AutoImageProcessor.from_pretrained(self.folder, local_files_only=True)

    @property
    def vision(self) -> Any:
        """What attention can be traced in."""
        return self.pictures

    def picture_vectors(self, tower: Any, pixels: torch.Tensor) -> torch.Tensor:
        """What the image tower, or a copy of it, makes of float (n, 3, height, width)."""
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
            prompt: what is put before each.
            task: what the vectors are for; a CLIP has one way for all.
        """
        del task
        return self._read([prompt + text for text in texts], batch_size, apart=self.texts_apart)

    @cached_property
    def texts_apart(self) -> bool:
        """Whether texts of different lengths can't share a batch."""

        def embed(texts: Sequence[str]) -> FloatArray:
            return normalise(self._read(texts, len(texts), apart=False))

        return padding_matters(embed, dtype=self._dtype)

    @property
    def longest_text(self) -> int | None:
        """Tokens at which a text is cut; None for no limit."""
        return longest_text(self.texts, self._tokenizer)

    @property
    def fixed_length(self) -> None:
        """Texts are padded to no length that the model asks for."""
        return

    def _read(self, texts: Sequence[str], batch_size: int, *, apart: bool) -> FloatArray:
        import torch

        cut = {"truncation": True, "max_length": self.longest_text}

        def encode(batch: list[str]) -> FloatArray:
            tokens = self._tokenizer(batch, padding=True, return_tensors="pt", **cut)
            with torch.inference_mode():
                vectors = self.texts(**tokens.to(self.texts.device)).text_embeds
            return np.asarray(vectors.float().cpu().numpy())

        lengths = [len(text) for text in texts]
        if apart:
            lengths = [len(tokens) for tokens in self._tokenizer(list(texts), **cut)["input_ids"]]
        return in_batches(texts, encode, lengths=lengths, batch_size=batch_size, apart=apart)

    def overlong(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """As ``texts.overlong``."""
        return overlong(texts, self._tokenizer, self.longest_text)

    @cached_property
    def _tokenizer(self) -> Any:
        with quiet(), reading(self.folder):
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(self.folder, local_files_only=True)

    @cached_property
    def _config(self) -> Any:
        with quiet(), reading(self.folder):
            from transformers import CLIPConfig

            return CLIPConfig.from_pretrained(self.folder, local_files_only=True)

    def _tower(self, kind: Any, settings: Any, elsewhere: tuple[str, ...]) -> Any:
        # LAION's folders say the width of the projections at the top only.
        settings.projection_dim = self._config.projection_dim
        with reading(self.folder):
            with loading_report(elsewhere=elsewhere) as report:
                tower = kind.from_pretrained(
                    self.folder, config=settings, local_files_only=True, dtype=self._dtype
                )
            report.require_complete(str(self.folder))
            return tower.to(self.device).eval()


def _linear(tower: Any) -> set[Any]:
    from indexer.encoder.linear import linear_layers

    return {layer for _, _, layer in linear_layers(tower)}


def _single_numbers(folder: Path) -> dict[str, float]:
    """What a CLIP's files say of its logits, by name; nothing else of them is read."""
    file = _file_with(folder, "logit_scale")
    if file is None:
        return {}
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(file, framework="pt") as weights:
            names = set(weights.keys()).intersection(LOGIT_NAMES)
            return {name: float(weights.get_tensor(name).item()) for name in names}
    import torch

    # Files of before 2020 are no zip archives, and can't be read in part.
    loaded = torch.load(file, "cpu", mmap=zipfile.is_zipfile(file), weights_only=True)
    return {name: float(loaded[name].item()) for name in LOGIT_NAMES if name in loaded}


def _file_with(folder: Path, weight: str) -> Path | None:
    """The file of weights that has one, or would have it; None where none does."""
    for name in (_SAFETENSORS, _BIN):
        if (folder / name).is_file():
            return folder / name
        index = _json(folder / f"{name}.index.json", {"weight_map": {}})["weight_map"]
        if weight in index:
            return folder / str(index[weight])
    return None
