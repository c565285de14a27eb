"""A model as an encoder of pictures and texts."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from indexer.core.errors import ModelError
from indexer.core.given_values import one_of, refuse_below
from indexer.core.model_settings import AS_THE_MODEL_HAS_IT, ModelSettings, TextPrompts
from indexer.core.protocols import Pixels, SoundInput
from indexer.core.records import Fingerprint, FloatArray
from indexer.encoder import attention
from indexer.encoder.checkpoint import checkpoint_of
from indexer.encoder.inference import Inference
from indexer.encoder.loading import loading_errors, resolve_device
from indexer.encoder.logits import Logits
from indexer.encoder.model_record import ModelRecord, memory_of
from indexer.encoder.precision import Precision
from indexer.encoder.probes import (
    PROBE_TEXT,
    probe_picture,
    probe_sound,
    require_distinct_texts,
    rounded,
    settings_hash,
)
from indexer.encoder.sounds import SoundPreparation
from indexer.encoder.texts import PROBES

_log = logging.getLogger(__name__)


class SentenceTransformerEncoder:
    """A model that sentence-transformers can load, behind ``indexer.core.protocols.Encoder``.

    Each tower of a CLIP is loaded at first use; other models are loaded at once. Threads may share
    it: pictures are prepared in parallel, and a lock lets one thread at a time run the model.

    Args:
        model: a hub name, a local folder, or a name in ``PACKAGED_MODELS``.
        device: ``cuda``, ``mps``, ``cpu``; None chooses the best there is.
        precision: number format; ``auto`` is float16 on cuda, and on a CPU int8 where the first
            inputs are faster in it and keep their vectors, else float32.
        batch_size: pictures or texts in one forward pass.
        settings: of loading, prompts and width.

    Raises:
        ModelError: not at hand, or does not load; names model, cause and remedy.
        UsageError: there is no such precision, or a batch of no input.
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
        chosen_precision = one_of("precision", precision, Precision)
        refuse_below(1, batch_size=batch_size)
        self._checkpoint = checkpoint_of(model, settings)
        self.name = self._checkpoint.name
        self._lock = threading.RLock()
        torch_device = resolve_device(device)
        # Before anything is read: the files may change later.
        self._memory = memory_of(self._checkpoint, chosen_precision, torch_device)
        self._inference = Inference(
            self._checkpoint,
            device=torch_device,
            precision=chosen_precision,
            batch_size=batch_size,
            on_all_devices=device is None,
            memory=self._memory,
        )
        self._model = self._inference.model

    @property
    def batch_size(self) -> int:
        """Pictures or texts in one forward pass."""
        return self._inference.batch_size

    @property
    def device(self) -> str:
        """Where the model runs, as torch names it."""
        return self._model.device

    @property
    def takes_all_cores(self) -> bool:
        """Whether the model runs on the CPU with at least half as many threads as logical cores.

        torch starts one thread for a physical core, which may count as two logical ones.
        """
        import torch

        return self.device == "cpu" and 2 * torch.get_num_threads() >= (os.cpu_count() or 1)

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return self._inference.width

    @property
    def sees_pictures(self) -> bool:
        """Whether the model embeds pictures."""
        return self._inference.sees_pictures

    @property
    def hears_sounds(self) -> bool:
        """Whether the model embeds sounds."""
        return self._inference.hears_sounds

    @cached_property
    def logits(self) -> Logits:
        """Scale and bias that turn cosines into logits."""
        logits = self._model.logits
        if not logits.learned:
            # Text models never have one, so only a CLIP without it deserves a warning.
            _log.log(
                logging.WARNING if self.sees_pictures or self.hears_sounds else logging.INFO,
                "model %r carries no logit scale: cosines are multiplied by %g before a softmax.",
                self.name,
                logits.scale,
            )
        return logits

    @property
    def logit_scale(self) -> float:
        """Factor of cosines before a softmax."""
        return self.logits.scale

    @property
    def precision(self) -> Precision:
        """Number format of pictures, or of texts for a text model."""
        with self._lock:
            sides = self._inference
            return (sides.pictures if self.sees_pictures else sides.texts).precision

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Identifies the model; one without a record embeds a probe of each kind."""
        return self._model_fingerprint()

    def _model_fingerprint(self) -> Fingerprint:
        with self._lock:
            if self._memory.record is not None:
                return self._memory.record.fingerprint
            with loading_errors(self.name):
                fingerprint = self._new_fingerprint()
            self._memory.store(
                ModelRecord(
                    fingerprint=fingerprint,
                    batches_by_length=self._model.batches_by_length,
                    prepared_by=self._inference.preparation.reusable
                    if self.sees_pictures
                    else None,
                )
            )
            return fingerprint

    def _new_fingerprint(self) -> Fingerprint:
        inference = self._inference
        settings, picture, sound = "", None, None
        require_distinct_texts(self.name, inference.texts.embed(PROBES))
        if self.sees_pictures:
            settings = settings_hash(self._model.picture_processor)
            picture = inference.pictures.embed([self.prepare(probe_picture())])[0]
        if (preparation := self._sounds) is not None:
            settings = settings or settings_hash(preparation.extractor)
            sound = inference.sounds([preparation.prepare(probe_sound(preparation.rate))])[0]
        return Fingerprint(
            model=self.name,
            revision=self._checkpoint.revision,
            preprocessing=settings,
            width=self.width,
            logit_scale=round(self.logit_scale, 6),
            text_probe=rounded(inference.texts.embed([PROBE_TEXT])[0]),
            picture_probe=() if picture is None else rounded(picture),
            sound_probe=() if sound is None else rounded(sound),
            precision=str(self.precision),
            logit_bias=self.logits.bias,
            truncated=inference.truncated_width is not None,
            prompt=self.prompts.document,
            query_prompt=self.prompts.query,
        )

    def prepare(self, picture: Pixels) -> Pixels:
        """Resize and crop as the model's own processor does, leaving bytes.

        Args:
            picture: uint8 (height, width, 3).

        Returns:
            uint8 (input height, input width, 3).

        Raises:
            ItemError: the processor can't process it.
            ModelError: the model sees no pictures.
        """
        self._require_pictures()
        return self._inference.preparation.prepare(picture)

    def process(self, picture: Pixels) -> Pixels:
        """As ``prepare``, by the model's own processor: slower, the reference for ``prepare``."""
        self._require_pictures()
        return self._inference.preparation.process(picture)

    @property
    def least_side(self) -> int | None:
        """Pixels that a JPEG's shorter side must keep when decoded; None for full size."""
        return self._inference.preparation.least_side if self.sees_pictures else None

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """Embed pictures that ``prepare`` made.

        Args:
            pictures: uint8 (input height, input width, 3) each.

        Returns:
            float32 (n, d), rows of length 1, in order.

        Raises:
            ModelError: the model sees no pictures, or gave numbers that are not finite.
        """
        if not pictures:
            return self._no_vectors()
        self._require_pictures()
        with self._lock:
            return self._inference.pictures(pictures)

    @property
    def sound_rate(self) -> int | None:
        """Samples a second of the sounds that it takes; None where it hears none."""
        return None if self._sounds is None else self._sounds.rate

    @property
    def longest_sound_s(self) -> float | None:
        """Seconds of the longest sound that it takes whole; None for no limit, or no sounds."""
        return None if self._sounds is None else self._sounds.longest_s

    def prepare_sound(self, samples: FloatArray) -> SoundInput:
        """A sound as the model takes it, without a random choice.

        Args:
            samples: float32 (n,), mono, ``sound_rate`` a second, at most ``longest_sound_s``.

        Raises:
            ItemError: TOO_LONG.
            ModelError: the model hears no sounds.
        """
        return self._require_sounds().prepare(samples)

    def embed_sounds(self, sounds: Sequence[SoundInput]) -> FloatArray:
        """Embed sounds that ``prepare_sound`` made.

        Returns:
            float32 (n, d), rows of length 1, in order.

        Raises:
            ModelError: the model hears no sounds, or gave numbers that are not finite.
        """
        if not sounds:
            return self._no_vectors()
        self._require_sounds()
        with self._lock:
            return self._inference.sounds(sounds)

    @cached_property
    def _sounds(self) -> SoundPreparation | None:
        return self._model.sound_preparation if self.hears_sounds else None

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Embed texts; what exceeds the model's positions is cut off.

        Args:
            texts: any strings; one that is a URL or a path is still only text.

        Returns:
            float32 (n, d), rows of length 1, in order.
        """
        if not texts:
            return self._no_vectors()
        with self._lock:
            return self._inference.texts(texts)

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        """As ``embed_texts``, with the prompt and the route of search queries, if any."""
        if not texts:
            return self._no_vectors()
        with self._lock:
            self._inference.texts.prepare()
            prompt = self.prompts.query
            return self._inference.encode_texts(texts, prompt=prompt, task="query")

    @property
    def text_encoder(self) -> SentenceTransformerEncoder:
        """The model that embeds texts: this one, unless the settings name another."""
        return self

    @property
    def prompts(self) -> TextPrompts:
        """Prompts of texts: the user's, else the model's own."""
        return self._inference.prompts

    def overlong(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Texts longer than the model's positions, each with the tokens that it reads."""
        with self._lock:
            return self._model.overlong(texts)

    @property
    def traces_attention(self) -> bool:
        """Whether ``attention_relevance`` works: for a ViT with a class token."""
        return self.sees_pictures and attention.is_traceable(self._model.vision)

    def attention_relevance(self, picture: Pixels, directions: FloatArray) -> FloatArray:
        """Relevance of each patch of a picture for each direction of its vector.

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
        pixels = self._inference.preparation.normalised(picture)["pixel_values"]
        with self._lock:
            return attention.relevance(self._model.vision, pixels, directions)

    def _require_pictures(self) -> None:
        if not self.sees_pictures:
            others = "sounds and texts" if self.hears_sounds else "texts"
            raise ModelError(
                f"model {self.name!r} embeds {others} only. Use a CLIP model for pictures, "
                "or --image-column none for a catalog of texts."
            )

    def _require_sounds(self) -> SoundPreparation:
        if self._sounds is None:
            raise ModelError(
                f"model {self.name!r} hears no sounds. Use a CLAP model for sounds, such as "
                "--model pocket-sounds."
            )
        return self._sounds

    def _no_vectors(self) -> FloatArray:
        return np.empty((0, self.width), dtype=np.float32)
