"""CLIP from a folder, a tower at a time: who embeds pictures never reads the text tower.

transformers has each tower as a model of its own that takes its part of the folder's weights.
The vectors are those of the whole model, and sentence-transformers, whose import takes longer
than such a tower, is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.encoder.loading import quiet, reading
from indexer.protocols import Pixels

if TYPE_CHECKING:
    import torch

_WEIGHTS = "model.safetensors"
_PROCESSORS = ("processor_config.json", "preprocessor_config.json")


def clip_folder(folder: Path) -> Path | None:
    """Where in a model's folder a plain CLIP lies; None for all other models.

    A folder that sentence-transformers wrote is one where its modules are a CLIP and nothing
    else, and where texts get no prefix.
    """
    try:
        place = folder / _only_module(folder)
        if _json(place / "config.json").get("model_type") != "clip":
            return None
        prompts = _json(folder / "config_sentence_transformers.json", {}).get("prompts") or {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever is wrong with it, loading it as a whole says so
    complete = (place / _WEIGHTS).is_file() and (place / "tokenizer.json").is_file()
    has_processor = any((place / name).is_file() for name in _PROCESSORS)
    return place if complete and has_processor and not any(prompts.values()) else None


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

    def __init__(self, folder: Path, *, device: str, dtype: str) -> None:
        self.folder = folder
        self.device = device
        self._dtype = dtype

    @cached_property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return int(self._config.projection_dim)

    @cached_property
    def logit_scale(self) -> float | None:
        """The logarithm of what cosines are multiplied by; None where none was learned."""
        from safetensors import safe_open

        with reading(self.folder), safe_open(self.folder / _WEIGHTS, framework="pt") as weights:
            if "logit_scale" not in weights.keys():  # noqa: SIM118 - it is no dictionary
                return None
            return float(weights.get_tensor("logit_scale").item())

    @cached_property
    def pictures(self) -> Any:
        """The image tower and its projection: float (n, 3, height, width) to (n, d)."""
        with quiet():
            from transformers import CLIPVisionModelWithProjection

            return self._tower(CLIPVisionModelWithProjection)

    @cached_property
    def texts(self) -> Any:
        """The text tower and its projection."""
        with quiet():
            from transformers import CLIPTextModelWithProjection

            return self._tower(CLIPTextModelWithProjection)

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

    def encode_pictures(self, pictures: Sequence[Pixels], *, batch_size: int) -> Any:
        """Raw vectors (n, d) of resized pictures, normalised by the model's own processor."""
        import torch

        parts = []
        with torch.inference_mode():
            for start in range(0, len(pictures), batch_size):
                given = self.picture_processor(
                    images=list(pictures[start : start + batch_size]),
                    return_tensors="pt",
                    do_resize=False,
                    do_center_crop=False,
                    input_data_format="channels_last",
                )
                pixels = given["pixel_values"].to(self.pictures.device, self.pictures.dtype)
                parts.append(self.picture_vectors(self.pictures, pixels))
        return torch.cat(parts).float().cpu().numpy()

    def encode_texts(self, texts: Sequence[str], *, batch_size: int) -> Any:
        """Raw vectors (n, d) of texts, in order; those of like length are padded together."""
        import torch

        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        parts = []
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                tokens = self._tokenizer(
                    [texts[place] for place in order[start : start + batch_size]],
                    padding=True,
                    truncation=True,
                    max_length=self._longest_text,
                    return_tensors="pt",
                )
                parts.append(self.texts(**tokens.to(self.texts.device)).text_embeds)
            vectors = torch.cat(parts).float().cpu().numpy()
        in_order = vectors.copy()
        in_order[order] = vectors
        return in_order

    @cached_property
    def _tokenizer(self) -> Any:
        with quiet(), reading(self.folder):
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(self.folder, local_files_only=True)

    @property
    def _longest_text(self) -> int:
        """Tokens that the text tower has positions for."""
        positions: int = self._config.text_config.max_position_embeddings
        longest: int = self._tokenizer.model_max_length
        return min(positions, longest)

    @cached_property
    def _config(self) -> Any:
        with quiet(), reading(self.folder):
            from transformers import CLIPConfig

            return CLIPConfig.from_pretrained(self.folder, local_files_only=True)

    def _tower(self, kind: Any) -> Any:
        with reading(self.folder):
            tower = kind.from_pretrained(self.folder, local_files_only=True, dtype=self._dtype)
            return tower.to(self.device).eval()
