"""A model that sentence-transformers loads as a whole: dual encoders, and models of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from indexer.protocols import Pixels

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_WITHOUT_RESIZE = {"image": {"do_resize": False, "do_center_crop": False}}


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

    @property
    def width(self) -> int:
        """Dimension d of the vectors."""
        return int(self.pictures.get_embedding_dimension() or 0)

    @property
    def logit_scale(self) -> float | None:
        """The logarithm of what cosines are multiplied by; None where none was learned."""
        for name, value in self.pictures.named_parameters():
            if name.endswith("logit_scale"):
                return float(value.item())
        return None

    @property
    def picture_processor(self) -> Any:
        """Resizes and normalises pictures as the model was trained with."""
        processor = self.pictures[0].processor
        return getattr(processor, "image_processor", processor)

    @property
    def vision(self) -> Any:
        """What attention can be traced in, if it has any."""
        return self.pictures[0].auto_model

    def picture_vectors(self, model: Any, pixels: torch.Tensor) -> torch.Tensor:
        """What the model, or a copy of it, makes of float (n, 3, height, width)."""
        given = model({"pixel_values": pixels, "modality": "image"})
        vectors: torch.Tensor = given["sentence_embedding"]
        return vectors

    def encode_pictures(self, pictures: Sequence[Pixels], *, batch_size: int) -> Any:
        """Raw vectors (n, d) of resized pictures, normalised by the model's own processor."""
        return self._encode(list(pictures), _WITHOUT_RESIZE, batch_size)

    def encode_texts(self, texts: Sequence[str], *, batch_size: int) -> Any:
        """Raw vectors (n, d) of texts, in order."""
        limit = self.texts.max_seq_length
        cut = {"text": {"truncation": True, "max_length": limit}} if limit else {}
        return self._encode([{"text": text} for text in texts], cut, batch_size)

    def _encode(self, inputs: list[Any], processing: dict[str, Any], batch_size: int) -> Any:
        return self.pictures.encode(
            inputs, batch_size=batch_size, show_progress_bar=False, processing_kwargs=processing
        )
