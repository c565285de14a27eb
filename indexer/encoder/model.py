"""A model as an encoder of pictures and texts."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from indexer.core.errors import ItemError, ModelError
from indexer.core.model_settings import (
    AS_THE_MODEL_HAS_IT,
    ModelSettings,
    TextPrompts,
    text_prompts,
)
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.core.records import Fingerprint, FloatArray
from indexer.core.vectors import normalise, problems
from indexer.encoder import attention
from indexer.encoder.clip import ClipTowers, clip_folder
from indexer.encoder.loading import (
    chosen_device,
    commit_of,
    load,
    name_of,
    reading,
    snapshot_of,
)
from indexer.encoder.logits import Logits
from indexer.encoder.onnx import ExportError, OnnxTower, Tower, exported, is_installed
from indexer.encoder.open_clip import converted, is_open_clip
from indexer.encoder.pixels import Normalisation, embed, normalisation_like, replicas_of
from indexer.encoder.precision import Choice, Precision, weights_dtype
from indexer.encoder.probes import PROBE_TEXT, probe_picture, rounded, settings_hash
from indexer.encoder.remembered import Remembered, recall, record_of, remember
from indexer.encoder.resize import (
    DECODED_SIDES,
    Resizing,
    resizing_like,
    unpatched,
    without_far_ends,
)
from indexer.encoder.runtime import Forward, Runtime, Side
from indexer.encoder.whole import WholeModel

_log = logging.getLogger(__name__)

_WITHOUT_RESIZE = {"do_resize": False, "do_center_crop": False}


class SentenceTransformerEncoder:
    """A model that sentence-transformers can load, behind ``indexer.core.protocols.Encoder``.

    Of a CLIP each tower is read when it is first needed; other models are loaded at once. Safe
    to call from several threads: they wait for each other where a model computes, and pictures
    are prepared side by side.

    Args:
        model: a hub name, a local folder, or a name in ``PACKAGED_MODELS``.
        device: ``cuda``, ``mps``, ``cpu``; None chooses the best there is.
        precision: what the model computes in; ``auto`` is float16 on cuda and int8 on a CPU
            where the first inputs are embedded quicker so and keep their vectors, else float32.
        batch_size: pictures or texts in one forward pass.
        settings: how it is loaded and asked.

    Raises:
        ModelError: not at hand, or does not load; names model, cause and remedy.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        precision: str = Precision.AUTO,
        batch_size: int = 32,
        settings: ModelSettings = AS_THE_MODEL_HAS_IT,
    ) -> None:
        self.name = name_of(model)
        self._loaded = self.name
        self.batch_size = batch_size
        self._on_all_devices = device is None
        self._asked = Precision(precision)
        self._lock = threading.RLock()
        chosen = chosen_device(device)
        self._settings = settings
        self._folder = snapshot_of(self.name, settings.revision)
        if self._folder is not None and is_open_clip(self._folder):
            self._folder = converted(self._folder, name=self.name)
            self._loaded = str(self._folder)
        # Before anything is read: what lies there later may be another model.
        self._record = self._record_of(chosen)
        self._runtimes: dict[str, Runtime] = {}
        self._model = self._opened(chosen, self._asked)

    def _record_of(self, device: str) -> Path | None:
        """Where it is kept what the model was found to be; None for one that is not on disk."""
        if self._folder is None:
            return None
        return record_of(
            self.name, self._folder, asked=self._asked, device=device, settings=self._settings
        )

    def _opened(self, device: str, precision: Precision) -> ClipTowers | WholeModel:
        clip = None if self._folder is None else clip_folder(self._folder)
        if clip is not None and not self._settings.trust_remote_code:
            return ClipTowers(clip, device=device, dtype=weights_dtype(precision, device))
        loaded, report = load(
            self._loaded, device=device, precision=precision, settings=self._settings
        )
        model = WholeModel(loaded)
        with reading(self.name):
            report.require_complete(self.name, model.probe)
        return model

    @property
    def device(self) -> str:
        """Where the model runs, as torch names it."""
        return self._model.device

    @property
    def takes_all_cores(self) -> bool:
        """Whether the model computes on the CPU, by half of what counts as cores or more.

        torch takes a thread for a core, and where one counts as two, both share its units.
        """
        import torch

        return self.device == "cpu" and 2 * torch.get_num_threads() >= (os.cpu_count() or 1)

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return self._full_width if self._cut_to is None else self._cut_to

    @cached_property
    def _cut_to(self) -> int | None:
        """Dimensions that vectors are cut to; None leaves them as the model gives them."""
        asked = self._settings.truncate_dim
        if asked is None:
            return self._full_width if self._model.cuts_vectors else None
        if asked > self._full_width:
            raise ModelError(
                f"--truncate-dim {asked}: vectors of model {self.name!r} have {self._full_width} "
                "dimensions."
            )
        return asked

    @cached_property
    def _full_width(self) -> int:
        recalled = self._recalled
        return self._model.width if recalled is None else recalled.fingerprint.width

    @property
    def sees_pictures(self) -> bool:
        """Whether the model embeds pictures, or texts only."""
        return "image" in self._model.modalities

    @cached_property
    def logits(self) -> Logits:
        """What makes logits of cosines: the model's own, learned scale and bias."""
        found = self._model.logits
        if not found.learned:
            # A text model was trained without one, as its users know; of a CLIP that is news.
            _log.log(
                logging.WARNING if self.sees_pictures else logging.INFO,
                "model %r carries no logit scale: cosines are multiplied by %g before a softmax.",
                self.name,
                found.scale,
            )
        return found

    @property
    def logit_scale(self) -> float:
        """What cosines are multiplied by before a softmax."""
        return self.logits.scale

    @property
    def precision(self) -> Precision:
        """What the model computes in: pictures, or the texts of a text model."""
        with self._lock:
            return self._runtime("pictures" if self.sees_pictures else "texts").precision

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What identifies the model; a model that is new here embeds a probe of each kind."""
        return self._own_fingerprint()

    def _own_fingerprint(self) -> Fingerprint:
        with self._lock:
            if self._recalled is not None:
                return self._recalled.fingerprint
            found = self._probed()
            if self._record is not None:
                kept = Remembered(fingerprint=found, texts_apart=self._model.texts_apart)
                remember(self._record, kept)
                self._recalled = kept
            return found

    def _probed(self) -> Fingerprint:
        settings, picture = "", None
        if self.sees_pictures:
            settings = settings_hash(self._model.picture_processor)
            runtime = self._runtime("pictures")
            picture = runtime.embed([self.prepare(probe_picture())])[0]
        return Fingerprint(
            model=self.name,
            revision=commit_of(self.name, self._settings.revision),
            preprocessing=settings,
            width=self.width,
            logit_scale=round(self.logit_scale, 6),
            text_probe=rounded(self._read([PROBE_TEXT])[0]),
            picture_probe=() if picture is None else rounded(picture),
            precision=str(self.precision),
            logit_bias=self.logits.bias,
            truncated=self._cut_to is not None,
            prompt=self.prompts.document,
            query_prompt=self.prompts.query,
        )

    @cached_property
    def _recalled(self) -> Remembered | None:
        return None if self._record is None else recall(self._record)

    def prepare(self, picture: Pixels) -> Pixels:
        """Resize and crop as the model's own processor does, leaving bytes.

        Safe to call from several threads. A picture of some tens of megapixels
        becomes one of the model's input size, so that queues stay small.

        Args:
            picture: uint8 (height, width, 3).

        Returns:
            uint8 (input height, input width, 3).

        Raises:
            ItemError: the processor can't make an input of it.
            ModelError: the model embeds texts only.
        """
        self._require_pictures()
        if getattr(self._model.picture_processor, "do_center_crop", False):
            picture = without_far_ends(picture)
        try:
            if self._resizing is not None:
                return self._resizing.resized(picture)
            return self._processed(picture)
        except (ValueError, TypeError, IndexError, ArithmeticError, RuntimeError) as error:
            height, width = picture.shape[:2]
            raise ItemError(
                Reason.NOT_EMBEDDED,
                f"model {self.name!r} can't take a picture of {width}x{height} pixels: {error}",
            ) from error

    @property
    def least_side(self) -> int | None:
        """Pixels of the shorter side that a JPEG may be decoded to; None asks for the whole."""
        if not self.sees_pictures or self._resizing is None:
            return None
        return DECODED_SIDES * self._resizing.shorter_side

    @cached_property
    def _resizing(self) -> Resizing | None:
        return resizing_like(self._model.picture_processor, self._processed)

    def _processed(self, picture: Pixels) -> Pixels:
        """Resized and cropped by the model's own processor."""
        prepared = self._model.picture_processor(
            images=[picture],
            do_rescale=False,
            do_normalize=False,
            # Told where the colours are: three rows look like three channels.
            input_data_format="channels_last",
        )
        values = np.asarray(prepared["pixel_values"][0])
        if "spatial_shapes" in prepared:
            return unpatched(values, prepared["spatial_shapes"][0])
        return np.ascontiguousarray(values.transpose(1, 2, 0))

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """Embed pictures that ``prepare`` made.

        Args:
            pictures: uint8 (input height, input width, 3) each.

        Returns:
            float32 (n, d), rows of length 1, in order.

        Raises:
            ModelError: the model embeds texts only, or gave numbers that are not finite.
        """
        if pictures:
            self._require_pictures()
        if not pictures:
            return self._nothing()
        with self._lock:
            return self._runtime("pictures")(pictures)

    def _embedded(self, replicas: Sequence[Any], pictures: Sequence[Pixels]) -> FloatArray:
        normalisation = self._normalisation
        if normalisation is None:
            return self._checked(
                len(pictures),
                lambda: self._model.encode_pictures(pictures, batch_size=self.batch_size),
            )
        return self._checked(
            len(pictures),
            lambda: embed(
                replicas,
                pictures,
                forward=self._picture_vectors,
                normalisation=normalisation,
                batch_size=self.batch_size,
            ),
        )

    @cached_property
    def _normalisation(self) -> Normalisation | None:
        def process(picture: Pixels) -> dict[str, Any]:
            process = self._model.picture_processor
            return dict(process(images=[picture], return_tensors="pt", **_WITHOUT_RESIZE))

        return normalisation_like(self._model.picture_processor, process)

    def _picture_vectors(self, tower: Any, pixels: Any) -> Any:
        exported = isinstance(tower, OnnxTower)
        return tower(pixels) if exported else self._model.picture_vectors(tower, pixels)

    @cached_property
    def _replicas(self) -> list[Any]:
        """What embeds pictures, on every GPU unless the user named one."""
        devices = 1
        if self._on_all_devices and self.device.startswith("cuda"):
            import torch

            devices = torch.cuda.device_count()
        return replicas_of(self._model.pictures, devices=devices)

    def _runtime(self, side: str) -> Runtime:
        """How a side computes. The sides of a model that is loaded whole are one module."""
        if side not in self._runtimes:
            recalled = self._recalled
            if recalled is not None:
                self._model.texts_apart = recalled.texts_apart
            # Found out by a text, which must not pass while a probe shows pictures' layers.
            _ = self._model.width
            made = self._picture_runtime() if side == "pictures" else self._text_runtime()
            self._runtimes[side] = made
            if recalled is not None and side in recalled.choices:
                probe: list[Any] = [PROBE_TEXT]
                if side == "pictures":
                    probe = [self.prepare(probe_picture())]
                made.take(recalled.choices[side], probe)
        return self._runtimes[side]

    def _picture_runtime(self) -> Runtime:
        def reference() -> Forward:
            exact = self._opened(self.device, Precision.FLOAT32)
            return lambda pictures: self._embedded([exact.pictures], pictures)

        exportable = self.device == "cpu" and self._folder is not None and is_installed()
        side = Side(
            tower=lambda: self._model.pictures,
            forward=lambda pictures: self._embedded(self._replicas, pictures),
            key=lambda picture: picture.tobytes(),
            loaded=self._dtype,
            device=self.device,
            reference=reference,
            export=self._exported if exportable else None,
        )
        return Runtime(side, self._asked, on_choice=lambda choice: self._keep("pictures", choice))

    def _text_runtime(self) -> Runtime:
        def reference() -> Forward:
            exact = self._opened(self.device, Precision.FLOAT32)
            prompt = self.prompts.document
            return lambda texts: self._checked(
                len(texts),
                lambda: exact.encode_texts(texts, batch_size=self.batch_size, prompt=prompt),
            )

        side = Side(
            tower=lambda: self._model.texts,
            forward=self._read,
            key=lambda text: text,
            loaded=self._dtype,
            device=self.device,
            reference=reference,
        )
        # Labels are few beside pictures, and an error of theirs is in every decision.
        exact = self.sees_pictures and self._dtype is Precision.FLOAT32
        asked = Precision.FLOAT32 if exact else self._asked
        return Runtime(side, asked, on_choice=lambda choice: self._keep("texts", choice))

    @property
    def _dtype(self) -> Precision:
        """What the weights are loaded in."""
        return Precision(weights_dtype(self._asked, self.device))

    def _exported(self, precision: Precision) -> Forward:
        """Embeds pictures by ONNX Runtime.

        Raises:
            ExportError: the image tower can't be exported.
        """
        import torch

        normalise = self._normalisation
        if normalise is None or self._folder is None:
            raise ExportError("the model's pictures take more than resizing and normalising")
        example = normalise(torch.from_numpy(np.stack([self.prepare(probe_picture())] * 2)))
        torch_tower = Tower(self._model.pictures, self._model.picture_vectors)
        file = exported(self._folder, precision, torch_tower, example.contiguous())
        tower = OnnxTower(file, one_by_one=precision is Precision.INT8)
        return lambda given: self._embedded([tower], given)

    def _keep(self, side: str, choice: Choice) -> None:
        """Remember a choice for the next start."""
        if self._record is not None and self._recalled is not None:
            kept = self._recalled
            self._recalled = replace(kept, choices={**kept.choices, side: choice})
            remember(self._record, self._recalled)

    @property
    def _sides_are_one(self) -> bool:
        """Whether what is done to pictures' layers is done to texts' too."""
        return self.sees_pictures and isinstance(self._model, WholeModel)

    def _require_pictures(self) -> None:
        if not self.sees_pictures:
            raise ModelError(
                f"model {self.name!r} embeds texts only. Use a CLIP model for pictures, "
                "or --image-column none for a catalog of texts."
            )

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; what exceeds the model's positions is cut off.

        Args:
            texts: any strings; one that is a URL or a path is still only text.

        Returns:
            float32 (n, d), rows of length 1, in order.
        """
        if not texts:
            return self._nothing()
        with self._lock:
            self._ready_for_texts(texts)
            return self._read(texts)

    def _ready_for_texts(self, texts: Sequence[str]) -> None:
        """Have the text side compute as was chosen, or choose by these."""
        runtime = self._runtime("pictures" if self._sides_are_one else "texts")
        if not self._sides_are_one:
            runtime.see(texts)

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        """As ``embed_texts``, of words that are searched for: by their prompt and way, if any."""
        if not texts:
            return self._nothing()
        with self._lock:
            self._ready_for_texts(())
            return self._read(texts, prompt=self.prompts.query, task="query")

    @cached_property
    def prompts(self) -> TextPrompts:
        """What is put before texts: what was asked for, else what the model wants."""
        model = self._model
        return text_prompts(model.prompts, model.default_prompt_name, self._settings)

    def overlong(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """The texts that exceed the model's positions, each with the tokens that are read."""
        with self._lock:
            return self._model.overlong(texts)

    def _read(
        self, texts: Sequence[str], *, prompt: str | None = None, task: str = "document"
    ) -> FloatArray:
        prompt = self.prompts.document if prompt is None else prompt
        return self._checked(
            len(texts),
            lambda: self._model.encode_texts(
                texts, batch_size=self.batch_size, prompt=prompt, task=task
            ),
        )

    def _nothing(self) -> FloatArray:
        return np.empty((0, self.width), dtype=np.float32)

    @property
    def traces_attention(self) -> bool:
        """Whether ``attention_relevance`` can be asked for: a ViT with a class token."""
        return self.sees_pictures and attention.is_traceable(self._model.vision)

    def attention_relevance(self, picture: Pixels, directions: FloatArray) -> FloatArray:
        """Which parts of a picture turn its vector towards each direction.

        Args:
            picture: uint8 (input height, input width, 3), as ``prepare`` made it.
            directions: float32 (k, d).

        Returns:
            float32 (k, rows, columns), a value a patch, 0 or more.

        Raises:
            ModelError: the model's attention can't be traced.
        """
        if not self.traces_attention:
            raise ModelError(
                f"the attention of model {self.name!r} can't be traced: that takes a vision "
                "transformer with a class token, such as CLIP's. Use --heat-map occlusion."
            )
        pixels = self._model.picture_processor(
            images=[picture], return_tensors="pt", **_WITHOUT_RESIZE
        )["pixel_values"]
        with self._lock:
            return attention.relevance(self._model.vision, pixels, directions)

    def _checked(self, count: int, forward: Callable[[], Any]) -> FloatArray:
        """Vectors of length 1 from what the model gives; whatever fails is an error of ours."""
        try:
            raw = forward()
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise ModelError(
                f"model {self.name!r} failed on {count} inputs on {self.device}: {error}. "
                "If the memory is too small, try a smaller --batch-size."
            ) from error
        vectors = np.asarray(raw, dtype=np.float32)[..., : self._cut_to]
        if vectors.ndim == 2 and vectors.shape[1] != self.width:
            raise ModelError(
                f"model {self.name!r}: its texts have {self.width} dimensions and its pictures "
                f"{vectors.shape[1]}, so they can't be compared. Use a model whose towers end in "
                "one space."
            )
        if bad := problems(vectors, self.width):
            row, cause = next(iter(bad.items()))
            raise ModelError(
                f"model {self.name!r} gave an unusable vector for input {row}: {cause}. "
                "Try --precision float32; if that gives the same, the model's weights are damaged."
            )
        return normalise(vectors)
