"""A model that sentence-transformers loads as a whole: dual encoders, and models of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.encoder.logits import LOGIT_NAMES, Logits, logits_of
from indexer.encoder.probes import probe_picture
from indexer.encoder.texts import (
    PROBES,
    fixed_length,
    in_batches,
    longest_text,
    overlong,
    padding_matters,
)

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_WITHOUT_RESIZE = {"image": {"do_resize": False, "do_center_crop": False}}
DOCUMENT = "document"
"""What items and labels are to a model that embeds queries otherwise."""


class WholeModel:
    """Both sides of a model in one; what ``ClipTowers`` is for a CLIP.

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
        """Dimension d of the vectors: what a text gets, whatever the configuration says."""
        if "text" not in self.modalities:
            return int(self.pictures.get_embedding_dimension() or 0)
        return int(self._read(PROBES[:1], 1, task=DOCUMENT, apart=False).shape[1])

    def probe(self) -> FloatArray:
        """Values of the vectors of a text and a picture, one after another."""
        return np.concatenate([self._read_probe(), self._see_probe()])

    def _read_probe(self) -> FloatArray:
        if "text" not in self.modalities:
            return np.empty(0, dtype=np.float32)
        return self._read(PROBES[1:2], 1, task=DOCUMENT, apart=False).ravel()

    def _see_probe(self) -> FloatArray:
        from PIL import Image

        if "image" not in self.modalities:
            return np.empty(0, dtype=np.float32)
        return self._encode([Image.fromarray(probe_picture())], {}, 1).ravel()

    @cached_property
    def text_layers(self) -> set[Any]:
        """The linear layers that texts go through; to be asked for before any is replaced."""
        from indexer.encoder.linear import layers_at_work

        return layers_at_work(self.texts, self._read_probe)

    @cached_property
    def picture_layers(self) -> set[Any]:
        """The linear layers that only pictures go through: no choice for these changes texts."""
        from indexer.encoder.linear import layers_at_work

        texts = self.text_layers
        return layers_at_work(self.pictures, self._see_probe) - texts

    reading = "as a whole, by sentence-transformers"

    @property
    def family(self) -> str:
        """Transformers' classes, and the modules behind them."""
        return " > ".join(map(_named, self.texts))

    @property
    def prompts(self) -> Mapping[str, str]:
        """What the model wants before texts, by what they are for."""
        return dict(self.texts.prompts)

    @property
    def default_prompt_name(self) -> str | None:
        """Name of the prompt that it wants before every text."""
        name: str | None = self.texts.default_prompt_name
        return name

    @property
    def cuts_vectors(self) -> bool:
        """Whether texts' vectors are the first dimensions of wider ones."""
        return self.texts.truncate_dim is not None

    @cached_property
    def logits(self) -> Logits:
        """What makes logits of cosines."""
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

    @property
    def vision(self) -> Any:
        """What attention can be traced in, if it has any."""
        return getattr(self._input_module("image"), "auto_model", None)

    def picture_vectors(self, model: Any, pixels: torch.Tensor) -> torch.Tensor:
        """What the model, or a copy of it, makes of float (n, 3, height, width)."""
        outputs = model({"pixel_values": pixels, "modality": "image"})
        vectors: torch.Tensor = outputs["sentence_embedding"]
        return vectors

    def encode_pictures(self, pictures: Sequence[Pixels], *, batch_size: int) -> FloatArray:
        """Raw vectors (n, d) of resized pictures, normalised by the model's own processor."""
        from PIL import Image

        # As pictures of Pillow, which say where their colours are.
        images = [Image.fromarray(picture) for picture in pictures]
        return self._encode(images, _WITHOUT_RESIZE, batch_size)

    def overlong(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """As ``texts.overlong``."""
        return overlong(texts, self._tokenizer(DOCUMENT), self.longest_text)

    def encode_texts(
        self, texts: Sequence[str], *, batch_size: int, prompt: str = "", task: str = DOCUMENT
    ) -> FloatArray:
        """Raw vectors (n, d) of texts, in order.

        Args:
            prompt: what is put before each.
            task: ``document`` or ``query``; a model may have a way for each.
        """
        return self._read(texts, batch_size, prompt=prompt, task=task, apart=self.texts_apart)

    @cached_property
    def texts_apart(self) -> bool:
        """Whether texts of different lengths can't share a batch."""
        if self.fixed_length is not None or self._longest(DOCUMENT) is None:
            return False

        def embed(texts: Sequence[str]) -> FloatArray:
            return normalise(self._read(texts, len(texts), task=DOCUMENT, apart=False))

        return padding_matters(embed, dtype=str(self.texts.dtype).removeprefix("torch."))

    @property
    def longest_text(self) -> int | None:
        """Tokens at which a text is cut; None for no limit."""
        return self._longest(DOCUMENT)

    @property
    def fixed_length(self) -> int | None:
        """Tokens that every text is padded to; None where the model does not ask for it."""
        model = getattr(self._input_module("text"), "auto_model", None)
        return None if model is None else fixed_length(model)

    def _read(
        self, texts: Sequence[str], batch_size: int, *, apart: bool, task: str, prompt: str = ""
    ) -> FloatArray:
        encoding = {"prompt": prompt, "task": self._known(task)}

        def encode(batch: Sequence[str]) -> FloatArray:
            inputs = [self._as_input(text) for text in batch]
            return self._encode(inputs, self._cut(task), batch_size, **encoding)

        if not apart:
            return encode(texts)
        lengths = self._lengths([prompt + text for text in texts], task)
        return in_batches(texts, encode, lengths=lengths, batch_size=batch_size, apart=True)

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
        # A string that is an address would be fetched by modules that embed pictures too.
        return {"text": text} if self._is_transformer("text") else text

    def _cut(self, task: str) -> dict[str, Any]:
        """How sentence-transformers is to cut and pad texts."""
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
        # What the module says of itself is less for queries of some models.
        limits = [longest_text(model, tokenizer), getattr(module, f"{task}_length", None)]
        return min((limit for limit in limits if limit is not None), default=None)

    def _tokenizer(self, task: str) -> Any:
        return getattr(self._input_module("text", task), "tokenizer", None)

    def _is_transformer(self, modality: str) -> bool:
        return hasattr(self._input_module(modality), "auto_model")

    def _input_module(self, modality: str, task: str | None = None) -> Any:
        """The module that inputs of a kind meet first; a router has one for each."""
        module = self.pictures[0]
        if not hasattr(module, "sub_modules"):
            return module
        route_task = None if task is None else self._known(task)
        return module.sub_modules[module._resolve_route(task=route_task, modality=modality)][0]

    def _known(self, task: str) -> str | None:
        """The task, where the model does not refuse it: routers know some tasks, others any."""
        module = self.pictures[0]
        if hasattr(module, "sub_modules"):
            try:
                module._resolve_route(task=task, modality="text")
            except ValueError:
                return None
        return task


def _named(module: Any) -> str:
    """What a module of sentence-transformers is called; a router by its ways."""
    if hasattr(module, "auto_model"):
        return type(module.auto_model).__name__
    if hasattr(module, "sub_modules"):
        ways = (
            f"{name}: {' > '.join(map(_named, way))}" for name, way in module.sub_modules.items()
        )
        return f"Router({'; '.join(ways)})"
    return type(module).__name__
