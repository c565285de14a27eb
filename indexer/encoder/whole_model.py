"""A model that sentence-transformers loads as a whole: a dual encoder, a CLAP or a text model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.protocols import Pixels, SoundInput
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.encoder.logits import LOGIT_NAMES, Logits, logits_of
from indexer.encoder.probes import probe_picture, probe_sound
from indexer.encoder.sounds import SoundPreparation
from indexer.encoder.texts import (
    PROBES,
    fixed_length,
    in_batches,
    longest_text,
    overlong,
    padding_changes_vectors,
)

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_WITHOUT_RESIZE = {"image": {"do_resize": False, "do_center_crop": False}}
DOCUMENT = "document"
"""Task of items and labels in a model that embeds queries by another route."""


class WholeModel:
    """Both sides of a model, with the interface of ``ClipTowers``.

    Not for several threads at once.

    Args:
        model: as ``loading.load`` gives it.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        self.pictures: Any = model
        self.texts: Any = model
        self.modalities: tuple[str, ...] = tuple(map(str, model.modalities))

    @property
    def device(self) -> str:
        """Where the model runs, as torch names it."""
        return str(self.pictures.device)

    @cached_property
    def width(self) -> int:
        """Dimension d of the vectors, measured on a text, since configurations may be wrong."""
        if "text" not in self.modalities:
            return int(self.pictures.get_embedding_dimension() or 0)
        return int(self._embed_texts(PROBES[:1], 1, task=DOCUMENT, by_length=False).shape[1])

    def probe(self) -> FloatArray:
        """The vectors of a probe text, picture and sound that it embeds, concatenated."""
        return np.concatenate(
            [self._embed_probe_text(), self._embed_probe_picture(), self._embed_probe_sound()]
        )

    def _embed_probe_text(self) -> FloatArray:
        if "text" not in self.modalities:
            return np.empty(0, dtype=np.float32)
        return self._embed_texts(PROBES[1:2], 1, task=DOCUMENT, by_length=False).ravel()

    def _embed_probe_picture(self) -> FloatArray:
        from PIL import Image

        if "image" not in self.modalities:
            return np.empty(0, dtype=np.float32)
        return self._encode([Image.fromarray(probe_picture())], {}, 1).ravel()

    def _embed_probe_sound(self) -> FloatArray:
        if "audio" not in self.modalities:
            return np.empty(0, dtype=np.float32)
        preparation = self.sound_preparation
        sound = preparation.prepare(probe_sound(preparation.rate))
        return self.encode_sounds([sound], batch_size=1).ravel()

    @cached_property
    def text_layers(self) -> set[Any]:
        """The linear layers that texts go through; read before any is replaced."""
        from indexer.encoder.linear import layers_in_use

        return layers_in_use(self.texts, self._embed_probe_text)

    @cached_property
    def picture_layers(self) -> set[Any]:
        """The linear layers that only pictures go through, so replacing them leaves texts alone."""
        from indexer.encoder.linear import layers_in_use

        return layers_in_use(self.pictures, self._embed_probe_picture) - self.text_layers

    reading = "as a whole, by sentence-transformers"

    @property
    def family(self) -> str:
        """The classes of its modules, in order."""
        return " > ".join(map(_module_name, self.texts))

    @property
    def prompts(self) -> Mapping[str, str]:
        """The model's prompts by name."""
        return dict(self.texts.prompts)

    @property
    def default_prompt_name(self) -> str | None:
        """Name of the prompt that it puts before every text."""
        name: str | None = self.texts.default_prompt_name
        return name

    @property
    def truncates_vectors(self) -> bool:
        """Whether vectors are the first dimensions of wider ones."""
        return self.texts.truncate_dim is not None

    @cached_property
    def logits(self) -> Logits:
        """Scale and bias that turn cosines into logits."""
        numbers: dict[str, float] = {}
        for name, value in self.pictures.named_parameters():
            last = name.rpartition(".")[2]
            if last in LOGIT_NAMES and value.numel() == 1:
                numbers.setdefault(last, float(value.item()))
        return logits_of(numbers)

    @property
    def picture_processor(self) -> Any:
        """Resizes and normalises pictures as the model was trained with."""
        processor = self._input_module("image").processor
        return getattr(processor, "image_processor", processor)

    @cached_property
    def sound_preparation(self) -> SoundPreparation:
        """Prepares sounds; only for a model that hears some."""
        processor = self._input_module("audio").processor
        return SoundPreparation(getattr(processor, "feature_extractor", processor))

    @property
    def vision(self) -> Any:
        """The model whose attention can be traced, if there is one."""
        return getattr(self._input_module("image"), "auto_model", None)

    def picture_vectors(self, model: Any, pixels: torch.Tensor) -> torch.Tensor:
        """Vectors (n, d) of float (n, 3, height, width) by the model or a copy of it."""
        outputs = model({"pixel_values": pixels, "modality": "image"})
        vectors: torch.Tensor = outputs["sentence_embedding"]
        return vectors

    def encode_pictures(self, pictures: Sequence[Pixels], *, batch_size: int) -> FloatArray:
        """Raw vectors (n, d) of resized pictures, normalised by the model's own processor."""
        from PIL import Image

        # Pillow's pictures, because an array does not say which axis holds the colours.
        images = [Image.fromarray(picture) for picture in pictures]
        return self._encode(images, _WITHOUT_RESIZE, batch_size)

    def encode_sounds(self, sounds: Sequence[SoundInput], *, batch_size: int) -> FloatArray:
        """Raw vectors (n, d) of prepared sounds, in order."""
        import torch

        preparation = self.sound_preparation
        if not preparation.is_clap:
            inputs = [{"array": sound, "sampling_rate": preparation.rate} for sound in sounds]
            return self._encode(inputs, {}, batch_size)
        weight = next(self.pictures.parameters())
        vectors = []
        with torch.inference_mode():
            for start in range(0, len(sounds), batch_size):
                batch = preparation.batch(sounds[start : start + batch_size], like=weight)
                vectors.append(self.pictures(batch)["sentence_embedding"].float().cpu())
        return np.asarray(torch.cat(vectors).numpy())

    def overlong(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """As ``texts.overlong``."""
        return overlong(texts, self._tokenizer(DOCUMENT), self.longest_text)

    def encode_texts(
        self, texts: Sequence[str], *, batch_size: int, prompt: str = "", task: str = DOCUMENT
    ) -> FloatArray:
        """Raw vectors (n, d) of texts, in order.

        Args:
            prompt: prefix of each.
            task: ``document`` or ``query``; a router may have a route for each.
        """
        return self._embed_texts(
            texts, batch_size, prompt=prompt, task=task, by_length=self.batches_by_length
        )

    @cached_property
    def batches_by_length(self) -> bool:
        """Whether texts of different lengths can't share a batch."""
        if self.fixed_length is not None or self._longest(DOCUMENT) is None:
            return False

        def embed(texts: Sequence[str]) -> FloatArray:
            return normalise(self._embed_texts(texts, len(texts), task=DOCUMENT, by_length=False))

        return padding_changes_vectors(embed, dtype=str(self.texts.dtype).removeprefix("torch."))

    @property
    def longest_text(self) -> int | None:
        """Tokens at which a text is cut; None for no limit."""
        return self._longest(DOCUMENT)

    @property
    def fixed_length(self) -> int | None:
        """Tokens that every text is padded to; None where the model does not ask for it."""
        model = getattr(self._input_module("text"), "auto_model", None)
        return None if model is None else fixed_length(model)

    def _embed_texts(
        self, texts: Sequence[str], batch_size: int, *, by_length: bool, task: str, prompt: str = ""
    ) -> FloatArray:
        encoding = {"prompt": prompt, "task": self._accepted_task(task)}

        def encode(batch: Sequence[str]) -> FloatArray:
            inputs = [self._as_input(text) for text in batch]
            return self._encode(inputs, self._cut(task), batch_size, **encoding)

        if not by_length:
            return encode(texts)
        lengths = self._lengths([prompt + text for text in texts], task)
        return in_batches(texts, encode, lengths=lengths, batch_size=batch_size, by_length=True)

    def _encode(
        self, inputs: list[Any], processing: dict[str, Any], batch_size: int, **encoding: Any
    ) -> FloatArray:
        vectors = self.pictures.encode(
            inputs,
            batch_size=batch_size,
            show_progress_bar=False,
            convert_to_tensor=True,
            processing_kwargs=processing,
            **encoding,
        )
        return np.asarray(vectors.float().cpu().numpy())

    def _as_input(self, text: str) -> Any:
        # Modules that also embed pictures would fetch a string that is a URL.
        return {"text": text} if self._is_transformer("text") else text

    def _cut(self, task: str) -> dict[str, Any]:
        """Options for sentence-transformers to cut and pad texts."""
        limit = self._longest(task)
        if limit is None or not self._is_transformer("text"):
            return {}
        cut: dict[str, Any] = {"truncation": True, "max_length": limit}
        if self.fixed_length is not None:
            cut |= {"padding": "max_length", "max_length": self.fixed_length}
        return {"text": cut}

    def _lengths(self, texts: list[str], task: str) -> list[int]:
        tokens = self._tokenizer(task)(texts, truncation=True, max_length=self._longest(task))
        return [len(ids) for ids in tokens["input_ids"]]

    def _longest(self, task: str) -> int | None:
        module = self._input_module("text", task)
        model, tokenizer = getattr(module, "auto_model", None), self._tokenizer(task)
        if model is None or tokenizer is None:
            return None
        # Some modules have a lower limit for queries.
        limits = [longest_text(model, tokenizer), getattr(module, f"{task}_length", None)]
        return min((limit for limit in limits if limit is not None), default=None)

    def _tokenizer(self, task: str) -> Any:
        return getattr(self._input_module("text", task), "tokenizer", None)

    def _is_transformer(self, modality: str) -> bool:
        return hasattr(self._input_module(modality), "auto_model")

    def _input_module(self, modality: str, task: str | None = None) -> Any:
        """The first module for inputs of a modality; a router has one for each."""
        module = self.pictures[0]
        if not hasattr(module, "sub_modules"):
            return module
        route_task = None if task is None else self._accepted_task(task)
        return module.sub_modules[module._resolve_route(task=route_task, modality=modality)][0]

    def _accepted_task(self, task: str) -> str | None:
        """The task, or None where a router has no route for it."""
        module = self.pictures[0]
        if hasattr(module, "sub_modules"):
            try:
                module._resolve_route(task=task, modality="text")
            except ValueError:
                return None
        return task


def _module_name(module: Any) -> str:
    """Class name of a module; for a router, the names of all its routes."""
    if hasattr(module, "auto_model"):
        return type(module.auto_model).__name__
    if hasattr(module, "sub_modules"):
        routes = (
            f"{name}: {' > '.join(map(_module_name, route))}"
            for name, route in module.sub_modules.items()
        )
        return f"Router({'; '.join(routes)})"
    return type(module).__name__
