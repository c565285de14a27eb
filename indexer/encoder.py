"""The only home of sentence-transformers and torch: a model as an encoder of both sides.

Any model that sentence-transformers loads will do: CLIP and its family, dual
encoders, and text models for catalogs of texts. Known traps are handled here:
``encode`` fetches a string that looks like a URL and opens one that is a file's
path, so texts travel as ``{"text": ...}``; texts longer than the model's positions
are cut; half-precision weights become float32 on a CPU; and a model that is not at
hand is one clear error within seconds, not a minute of retries.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.errors import ModelError
from indexer.protocols import Pixels
from indexer.records import Fingerprint, FloatArray
from indexer.vectors import normalise, problems

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "sentence-transformers/clip-ViT-B-32"
PACKAGED_MODELS = {"pocket": Path(__file__).parent / "models" / "pocket"}
"""Short names of models that ship in the package."""

TEXT_LOGIT_SCALE = 20.0
"""For text models, which carry none: the scale sentence-transformers trains them with
(MultipleNegativesRankingLoss, ``scale=20``)."""

PROBE_TEXT = "a photo of a product on a white background"
PROBE_DIMENSIONS = 64
_HUB_TIMEOUT_S = 5.0
_WITHOUT_RESIZE = {"image": {"do_resize": False, "do_center_crop": False}}
_log = logging.getLogger(__name__)


class SentenceTransformerEncoder:
    """A sentence-transformers model behind ``indexer.protocols.Encoder``.

    Args:
        model: a hub name, a local folder, or a name in ``PACKAGED_MODELS``.
        device: ``cuda``, ``mps``, ``cpu``; None chooses the best there is.
        dtype: ``float32``, ``float16``, ``bfloat16``; ``auto`` is float16 on cuda, else float32.
        batch_size: pictures or texts in one forward pass.

    Raises:
        ModelError: not at hand, or does not load; names model, cause and remedy.
    """

    def __init__(
        self, model: str, *, device: str | None = None, dtype: str = "auto", batch_size: int = 32
    ) -> None:
        folder = _folder_of(model)
        # A folder is remembered by its absolute path: the next command may run elsewhere.
        self.name = str(folder.resolve()) if folder and model not in PACKAGED_MODELS else model
        self.batch_size = batch_size
        self._model = _load(model, device=device, dtype=dtype)

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
        )

    def prepare(self, picture: Pixels) -> Pixels:
        """Resize and crop as the model's own processor does, leaving bytes.

        Safe to call from several threads. A picture of some tens of megapixels
        becomes one of the model's input size, so that queues stay small.

        Args:
            picture: uint8 (height, width, 3).

        Returns:
            uint8 (input height, input width, 3).
        """
        processor = self._picture_processor
        prepared = processor(images=[picture], do_rescale=False, do_normalize=False)
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
        if pictures and not self.sees_pictures:
            raise ModelError(
                f"model {self.name!r} embeds texts only. Use a CLIP model for pictures, "
                "or --image-column none for a catalog of texts."
            )
        return self._encode(list(pictures), processing_kwargs=_WITHOUT_RESIZE)

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

    def _encode(self, inputs: list[Any], *, processing_kwargs: dict[str, Any]) -> FloatArray:
        if not inputs:
            return np.empty((0, self.width), dtype=np.float32)
        raw = self._model.encode(
            inputs,
            batch_size=self.batch_size,
            show_progress_bar=False,
            processing_kwargs=processing_kwargs,
        )
        vectors = np.asarray(raw, dtype=np.float32)
        if bad := problems(vectors, self.width):
            row, cause = next(iter(bad.items()))
            raise ModelError(
                f"model {self.name!r} gave an unusable vector for input {row}: {cause}. "
                "Try --dtype float32; if that gives the same, the model's weights are damaged."
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
        folder = _folder_of(self.name)
        if folder is not None:
            return _weights_hash(folder)
        return str(getattr(self._transformer.auto_model.config, "_commit_hash", None) or "")


def _probe_picture() -> Pixels:
    """Fixed uint8 (96, 128, 3): gradients and a square, so that crops and colours count."""
    rows, columns = np.mgrid[0:96, 0:128]
    picture = np.stack([rows * 255 // 95, columns * 255 // 127, (rows + columns) % 256], axis=-1)
    picture[24:56, 40:90] = (220, 30, 60)
    return picture.astype(np.uint8)


def _rounded(vector: FloatArray) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in vector[:PROBE_DIMENSIONS])


def _weights_hash(folder: Path) -> str:
    """Hash of names, sizes and the first mebibyte of each weights file: fast, and telling."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".safetensors", ".bin"}:
            with file.open("rb") as stream:
                head = stream.read(2**20)
            digest.update(f"{file.name}:{file.stat().st_size}:".encode() + head)
    return digest.hexdigest()[:16]


def _folder_of(model: str) -> Path | None:
    """The local folder that a model name stands for; None for a name on the hub."""
    folder = PACKAGED_MODELS.get(model, Path(model).expanduser())
    if folder.is_dir():
        return folder
    looks_like_path = model.startswith((".", "/", "~")) or model.count("/") > 1
    if looks_like_path or model in PACKAGED_MODELS:
        raise ModelError(f"model folder {str(folder)!r} does not exist. Check --model.")
    return None


def _load(model: str, *, device: str | None, dtype: str) -> SentenceTransformer:
    folder = _folder_of(model)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Threads that wait for each other by spinning take the cores from decoding, and from
    # other processes: measured on two busy cores, 30 times fewer texts a second.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with _quiet():
        import torch
        from sentence_transformers import SentenceTransformer

        chosen = device or _best_device(torch)
        options: dict[str, Any] = {
            "device": chosen,
            "model_kwargs": {"dtype": _torch_dtype(dtype, chosen)},
        }
        if folder is not None:
            try:
                return SentenceTransformer(str(folder), local_files_only=True, **options)
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                raise ModelError(
                    f"model folder {str(folder)!r} does not load: {_first_line(error)}. It must "
                    "hold a model that sentence-transformers or transformers saved."
                ) from error
        try:
            return SentenceTransformer(model, local_files_only=True, **options)
        except (OSError, ValueError) as error:
            _require_on_hub(model, error)
        return SentenceTransformer(model, **options)


def _require_on_hub(model: str, cached: Exception) -> None:
    """Ask the hub once, with a short timeout, before a download with its many retries."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(model, timeout=_HUB_TIMEOUT_S)
    except Exception as error:  # noqa: BLE001 - the hub client raises errors of three libraries
        raise ModelError(
            f"model {model!r} is not in the local cache, and the model hub can't provide it: "
            f"{_first_line(error)}. Give a local folder with --model FOLDER, "
            "or fetch it once on a machine with network (its cache folder is HF_HOME) and copy it; "
            "'--model pocket' needs no download and is good for a first look."
        ) from cached


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _best_device(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _torch_dtype(dtype: str, device: str) -> str:
    if dtype == "auto":
        return "float16" if device.startswith("cuda") else "float32"
    return dtype


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the libraries' own progress bars and deprecation notes off the user's screen."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
