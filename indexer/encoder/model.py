"""A sentence-transformers model as an encoder of pictures and texts."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from indexer.encoder import attention
from indexer.encoder.loading import folder_of, load, name_of, weights_hash
from indexer.encoder.pixels import Normalisation, embed, normalisation_like, replicas_of
from indexer.encoder.precision import PROBE_TEXTS, Precision, probe_pictures, settle
from indexer.encoder.resize import DECODED_SIDES, Resizing, resizing_like
from indexer.errors import ItemError, ModelError
from indexer.protocols import Pixels
from indexer.reasons import Reason
from indexer.records import Fingerprint, FloatArray
from indexer.vectors import normalise, problems

TEXT_LOGIT_SCALE = 20.0
"""For text models, which carry none: the scale sentence-transformers trains them with
(MultipleNegativesRankingLoss, ``scale=20``)."""

LONGEST_SIDES = 8
"""Long side over short side of a picture beyond which its ends are cut before resizing."""

PROBE_TEXT = "a photo of a product on a white background"
PROBE_DIMENSIONS = 64
_WITHOUT_RESIZE = {"image": {"do_resize": False, "do_center_crop": False}}


class SentenceTransformerEncoder:
    """A sentence-transformers model behind ``indexer.protocols.Encoder``.

    Args:
        model: a hub name, a local folder, or a name in ``PACKAGED_MODELS``.
        device: ``cuda``, ``mps``, ``cpu``; None chooses the best there is.
        precision: what the model computes in; ``auto`` is float16 on cuda, and on a CPU int8
            where that is quicker and keeps the vectors, else float32.
        batch_size: pictures or texts in one forward pass.

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
    ) -> None:
        self.name = name_of(model)
        self.batch_size = batch_size
        self._on_all_devices = device is None
        asked = Precision(precision)
        self._model = load(model, device=device, precision=asked)
        self.precision = self._settled(asked)

    @property
    def device(self) -> str:
        """Where the model runs, as torch names it."""
        return str(self._model.device)

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return int(self._model.get_embedding_dimension() or 0)

    @property
    def sees_pictures(self) -> bool:
        """Whether the model embeds pictures, or texts only."""
        return "image" in self._model.modalities

    @cached_property
    def logit_scale(self) -> float:
        """What cosines are multiplied by before a softmax: the model's own, learned factor."""
        for name, value in self._model.named_parameters():
            if name.endswith("logit_scale"):
                return float(math.exp(value.item()))
        return TEXT_LOGIT_SCALE

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """What identifies the model; embeds one probe of each kind when first asked for."""
        picture: FloatArray | None = None
        if self.sees_pictures:
            picture = self.embed_pictures([self.prepare(_probe_picture())])[0]
        return Fingerprint(
            model=self.name,
            revision=self._revision(),
            preprocessing=self._preprocessing_hash(),
            width=self.width,
            logit_scale=round(self.logit_scale, 6),
            text_probe=_rounded(self.embed_texts([PROBE_TEXT])[0]),
            picture_probe=() if picture is None else _rounded(picture),
            precision=str(self.precision),
        )

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
        if getattr(self._picture_processor, "do_center_crop", False):
            picture = _without_far_ends(picture)
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
        return resizing_like(self._picture_processor, self._processed)

    def _processed(self, picture: Pixels) -> Pixels:
        """Resized and cropped by the model's own processor."""
        prepared = self._picture_processor(
            images=[picture],
            do_rescale=False,
            do_normalize=False,
            # Told where the colours are: three rows look like three channels.
            input_data_format="channels_last",
        )
        return np.ascontiguousarray(np.asarray(prepared["pixel_values"][0]).transpose(1, 2, 0))

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
        if not pictures or self._normalisation is None:
            return self._encode(list(pictures), processing_kwargs=_WITHOUT_RESIZE)
        normalisation = self._normalisation
        return self._checked(
            len(pictures),
            lambda: embed(
                self._replicas,
                pictures,
                normalisation=normalisation,
                batch_size=self.batch_size,
            ),
        )

    @cached_property
    def _normalisation(self) -> Normalisation | None:
        def process(picture: Pixels) -> dict[str, Any]:
            settings = _WITHOUT_RESIZE["image"]
            return dict(self._picture_processor(images=[picture], return_tensors="pt", **settings))

        return normalisation_like(self._picture_processor, process)

    @cached_property
    def _replicas(self) -> list[Any]:
        """The model, on every GPU unless the user named one."""
        devices = 1
        if self._on_all_devices and self.device.startswith("cuda"):
            import torch

            devices = torch.cuda.device_count()
        return replicas_of(self._model, devices=devices)

    def _settled(self, asked: Precision) -> Precision:
        """Replace layers by quicker ones, where the model is in float32 on a CPU."""
        if self.device == "cpu" and asked in {Precision.AUTO, Precision.FLOAT32, Precision.INT8}:
            return settle(self._model, asked, self._probe)
        return Precision(str(self._model.dtype).removeprefix("torch."))

    def _probe(self) -> FloatArray:
        if not self.sees_pictures:
            return self.embed_texts(PROBE_TEXTS)
        return self.embed_pictures([self.prepare(one) for one in probe_pictures()])

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
        limit = self._model.max_seq_length
        cut = {"text": {"truncation": True, "max_length": limit}} if limit else {}
        return self._encode([{"text": text} for text in texts], processing_kwargs=cut)

    @property
    def traces_attention(self) -> bool:
        """Whether ``attention_relevance`` can be asked for: a ViT with a class token."""
        return self.sees_pictures and attention.is_traceable(self._transformer.auto_model)

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
        pixels = self._picture_processor(
            images=[picture], return_tensors="pt", **_WITHOUT_RESIZE["image"]
        )["pixel_values"]
        return attention.relevance(self._transformer.auto_model, pixels, directions)

    def _encode(self, inputs: list[Any], *, processing_kwargs: dict[str, Any]) -> FloatArray:
        if not inputs:
            return np.empty((0, self.width), dtype=np.float32)
        return self._checked(
            len(inputs),
            lambda: self._model.encode(
                inputs,
                batch_size=self.batch_size,
                show_progress_bar=False,
                processing_kwargs=processing_kwargs,
            ),
        )

    def _checked(self, count: int, forward: Callable[[], Any]) -> FloatArray:
        """Vectors of length 1 from what the model gives; whatever fails is an error of ours."""
        try:
            raw = forward()
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise ModelError(
                f"model {self.name!r} failed on {count} inputs on {self.device}: {error}. "
                "If the memory is too small, try a smaller --batch-size."
            ) from error
        vectors = np.asarray(raw, dtype=np.float32)
        if bad := problems(vectors, self.width):
            row, cause = next(iter(bad.items()))
            raise ModelError(
                f"model {self.name!r} gave an unusable vector for input {row}: {cause}. "
                "Try --precision float32; if that gives the same, the model's weights are damaged."
            )
        return normalise(vectors)

    @property
    def _transformer(self) -> Any:
        return self._model[0]

    @property
    def _picture_processor(self) -> Any:
        processor = self._transformer.processor
        return getattr(processor, "image_processor", processor)

    def _preprocessing_hash(self) -> str:
        if not self.sees_pictures:
            return ""
        settings = json.dumps(self._picture_processor.to_dict(), sort_keys=True, default=str)
        return hashlib.sha256(settings.encode()).hexdigest()[:16]

    def _revision(self) -> str:
        folder = folder_of(self.name)
        if folder is not None:
            return weights_hash(folder)
        return str(getattr(self._transformer.auto_model.config, "_commit_hash", None) or "")


def _without_far_ends(picture: Pixels) -> Pixels:
    """A ribbon's middle: its short side is made the input's, and then the ends are cut off.

    Without it, two rows of 30,000 pixels would be resized to gigabytes first.
    """
    height, width = picture.shape[:2]
    longest = LONGEST_SIDES * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return picture[top : top + longest, left : left + longest]


def _probe_picture() -> Pixels:
    """Fixed uint8 (96, 128, 3): gradients and a square, so that crops and colours count."""
    rows, columns = np.mgrid[0:96, 0:128]
    picture = np.stack([rows * 255 // 95, columns * 255 // 127, (rows + columns) % 256], axis=-1)
    picture[24:56, 40:90] = (220, 30, 60)
    return picture.astype(np.uint8)


def _rounded(vector: FloatArray) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in vector[:PROBE_DIMENSIONS])
