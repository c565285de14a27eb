"""Runs both sides of a model: batches in, checked vectors of length 1 out.

The ``Runtime`` of a side chooses its number format and backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from indexer.core.errors import ModelError, ModelUsageError
from indexer.core.model_settings import TextPrompts, text_prompts
from indexer.core.protocols import Pixels, SoundInput
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise, problems
from indexer.encoder.checkpoint import Checkpoint
from indexer.encoder.clip import ClipTowers
from indexer.encoder.loading import OTHER_SETTINGS, OTHER_TOKENIZER
from indexer.encoder.model_record import ModelMemory
from indexer.encoder.onnx import ExportError, OnnxTower, exported_file, is_installed
from indexer.encoder.pixels import embed, replicas_of
from indexer.encoder.precision import Precision, weights_dtype
from indexer.encoder.preparation import Preparation
from indexer.encoder.probes import probe_picture
from indexer.encoder.runtime import Forward, Runtime, Side
from indexer.encoder.whole_model import WholeModel


class Inference:
    """A loaded model. Not for several threads at once.

    Args:
        checkpoint: its files.
        device: where it computes, as torch names it.
        precision: as the user requested it.
        batch_size: pictures or texts in one forward pass.
        on_all_devices: copies of the image tower go to all GPUs.
        memory: the record that an earlier start stored of the model.

    Attributes:
        model: both sides, each loaded at once or at first use.

    Raises:
        ModelError: the model does not load; names model, cause and remedy.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str,
        precision: Precision,
        batch_size: int,
        on_all_devices: bool,
        memory: ModelMemory,
    ) -> None:
        self.batch_size = batch_size
        self._checkpoint = checkpoint
        self._precision = precision
        self._on_all_devices = on_all_devices
        self._memory = memory
        self.model = checkpoint.open(device, precision)

    @property
    def sees_pictures(self) -> bool:
        """Whether the model embeds pictures, or texts only."""
        return "image" in self.model.modalities

    @property
    def hears_sounds(self) -> bool:
        """Whether the model embeds sounds."""
        return "audio" in self.model.modalities

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return self._full_width if self.truncated_width is None else self.truncated_width

    @cached_property
    def truncated_width(self) -> int | None:
        """Dimensions that vectors are cut to; None for the model's own width."""
        requested = self._checkpoint.settings.truncate_dim
        if requested is None:
            return self._full_width if self.model.truncates_vectors else None
        if requested > self._full_width:
            raise ModelUsageError(
                f"--truncate-dim {requested}: vectors of model {self._checkpoint.name!r} have "
                f"{self._full_width} dimensions."
            )
        return requested

    @cached_property
    def _full_width(self) -> int:
        record = self._memory.record
        return self.model.width if record is None else record.fingerprint.width

    @cached_property
    def prompts(self) -> TextPrompts:
        """Prompts of texts: the user's, else the model's own."""
        model, settings = self.model, self._checkpoint.settings
        return text_prompts(model.prompts, model.default_prompt_name, settings)

    @cached_property
    def preparation(self) -> Preparation:
        """Prepares pictures; only for a model that embeds some."""
        record = self._memory.record
        return Preparation(
            self._checkpoint.name,
            lambda: self.model.picture_processor,
            None if record is None else record.prepared_by,
        )

    def encode_texts(
        self,
        texts: Sequence[str],
        *,
        prompt: str | None = None,
        task: str = "document",
        model: Any = None,
    ) -> FloatArray:
        """Embed texts by the text side as it is now, float32 (n, d).

        Args:
            prompt: prefix of each; None for the prompt of documents.
            task: ``document`` or ``query``.
            model: another copy of the model, to embed by it.
        """
        model = self.model if model is None else model
        prompt = self.prompts.document if prompt is None else prompt
        encode = partial(model.encode_texts, batch_size=self.batch_size, prompt=prompt, task=task)
        return self._checked(len(texts), lambda: encode(texts))

    def sounds(self, sounds: Sequence[SoundInput]) -> FloatArray:
        """Embed sounds that the model's preparation made, float32 (n, d).

        As the weights were loaded: they are not replaced by faster ones of less precision.
        """
        model = self.model
        assert isinstance(model, WholeModel)
        return self._checked(
            len(sounds), lambda: model.encode_sounds(sounds, batch_size=self.batch_size)
        )

    def _pictures_by(self, towers: Sequence[Any], pictures: Sequence[Pixels]) -> FloatArray:
        """Vectors of prepared pictures, a batch to each copy of the image tower in turn."""
        normalisation = self.preparation.normalisation

        def forward() -> FloatArray:
            if normalisation is None:
                return self.model.encode_pictures(pictures, batch_size=self.batch_size)
            return embed(
                towers,
                pictures,
                forward=self._picture_vectors,
                normalisation=normalisation,
                batch_size=self.batch_size,
            )

        return self._checked(len(pictures), forward)

    def _picture_vectors(self, tower: Any, pixels: Any) -> Any:
        by_onnx = isinstance(tower, OnnxTower)
        return tower(pixels) if by_onnx else self.model.picture_vectors(tower, pixels)

    @cached_property
    def _replicas(self) -> list[Any]:
        """Copies of the image tower, on every GPU unless the user named a device."""
        devices = 1
        if self._on_all_devices and self.model.device.startswith("cuda"):
            import torch

            devices = torch.cuda.device_count()
        return replicas_of(self.model.pictures, devices=devices)

    def _checked(self, count: int, forward: Callable[[], Any]) -> FloatArray:
        """Normalised vectors of a forward pass; every failure becomes a ``ModelError``."""
        name = self._checkpoint.name
        try:
            raw = forward()
        # Models raise all of these; torch's error of too little memory is a RuntimeError.
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            remedy = "If the memory is too small, try a smaller --batch-size."
            if isinstance(error, IndexError):  # of an embedding of tokens
                remedy = OTHER_TOKENIZER
            elif not isinstance(error, RuntimeError):
                remedy = OTHER_SETTINGS
            raise ModelError(
                f"model {name!r} failed on {count} inputs on {self.model.device}: {error}. {remedy}"
            ) from error
        vectors = np.asarray(raw, dtype=np.float32)[..., : self.truncated_width]
        if vectors.ndim == 2 and vectors.shape[1] != self.width:
            raise ModelError(
                f"model {name!r}: its texts have {self.width} dimensions and its pictures "
                f"{vectors.shape[1]}, so they can't be compared. Use a model whose towers end in "
                "one space."
            )
        if bad := problems(vectors, self.width):
            row, cause = next(iter(bad.items()))
            raise ModelError(
                f"model {name!r} gave an unusable vector for input {row}: {cause}. "
                "Try --precision float32; if that gives the same, the model's weights are damaged."
            )
        return normalise(vectors)

    @cached_property
    def pictures(self) -> Runtime:
        """Embeds pictures."""
        on_disk = self._checkpoint.folder is not None
        exportable = self.model.device == "cpu" and on_disk and is_installed()
        side = Side(
            tower=lambda: self.model.pictures,
            layers=lambda: self.model.picture_layers,
            forward=lambda pictures: self._pictures_by(self._replicas, pictures),
            key=lambda picture: picture.tobytes(),
            loaded=self._loaded_precision,
            device=self.model.device,
            reference=lambda: partial(self._pictures_by, [self._in_float32().pictures]),
            export=self.by_onnx if exportable else None,
        )
        return self._runtime("pictures", side, self._precision)

    @cached_property
    def texts(self) -> Runtime:
        """Embeds texts."""
        side = Side(
            tower=lambda: self.model.texts,
            layers=lambda: self.model.text_layers,
            forward=self.encode_texts,
            key=lambda text: text,
            loaded=self._loaded_precision,
            device=self.model.device,
            reference=lambda: partial(self.encode_texts, model=self._in_float32()),
            packs_at_once=True,
        )
        # Labels are few beside pictures and sounds, and every decision would share their error.
        has_contents = self.sees_pictures or self.hears_sounds
        exact = has_contents and self._loaded_precision is Precision.FLOAT32
        return self._runtime("texts", side, Precision.FLOAT32 if exact else self._precision)

    def _runtime(self, name: str, side: Side, precision: Precision) -> Runtime:
        runtime = Runtime(side, precision, on_choice=partial(self._memory.store_choice, name))
        if (record := self._memory.record) is not None:
            self.model.batches_by_length = record.batches_by_length
            if name in record.choices:
                runtime.apply_choice(record.choices[name])
        return runtime

    def _in_float32(self) -> ClipTowers | WholeModel:
        return self._checkpoint.open(self.model.device, Precision.FLOAT32)

    @property
    def _loaded_precision(self) -> Precision:
        return Precision(weights_dtype(self._precision, self.model.device))

    def by_onnx(self, precision: Precision) -> Forward:
        """Embeds pictures by ONNX Runtime.

        Raises:
            ExportError: the image tower can't be exported.
        """
        import torch

        normalisation, folder = self.preparation.normalisation, self._checkpoint.folder
        if normalisation is None or folder is None:
            raise ExportError("the model's pictures take more than resizing and normalising")
        example = np.stack([self.preparation.prepare(probe_picture())] * 2)
        pixels = normalisation(torch.from_numpy(example)).contiguous()
        model, vectors = self.model.pictures, self.model.picture_vectors

        class ImageTower(torch.nn.Module):
            """What the exporter traces; it must hold the weights to see them."""

            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self, pixels: torch.Tensor) -> torch.Tensor:
                return vectors(self.model, pixels)

        file = exported_file(folder, precision, ImageTower(), pixels)
        tower = OnnxTower(file, one_by_one=precision is Precision.INT8)
        return partial(self._pictures_by, [tower])
