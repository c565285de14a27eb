"""A model for pictures and another, trained to its space, for texts.

Such as ``clip-ViT-B-32`` with ``clip-ViT-B-32-multilingual-v1``: Reimers and Gurevych 2020,
"Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
arXiv:2004.09813.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from indexer.core.alignment import Alignment, alignment_of
from indexer.core.errors import ModelUsageError
from indexer.core.model_settings import ModelSettings
from indexer.core.records import Fingerprint, FloatArray
from indexer.encoder.loading import name_of
from indexer.encoder.model import SentenceTransformerEncoder

PHRASES = (
    *("a red dress", "a leather belt", "running shoes", "a wooden table", "a kitchen knife"),
    *("a coffee mug", "a bicycle", "a wrist watch", "a pair of sunglasses", "a teddy bear"),
    *("a laptop computer", "a bed with pillows", "a garden chair", "a cat", "a dog on the grass"),
    *("an apple", "a bottle of wine", "a winter jacket", "a football", "a silver necklace"),
    *("a desk lamp", "a book", "a guitar", "a car on the road"),
)
"""Different things, on which text towers of one space agree."""


class PairedEncoder(SentenceTransformerEncoder):
    """Pictures by one model, texts by another.

    Args:
        model: embeds pictures, and gives the logit scale.
        settings: ``text_model`` embeds texts; the prompts are for it.

    Raises:
        ModelError: the first embeds no pictures, or the widths differ.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        precision: str = "auto",
        batch_size: int = 32,
        settings: ModelSettings,
    ) -> None:
        assert settings.text_model is not None
        picture_settings = replace(settings, text_model=None, prompt=None, query_prompt=None)
        super().__init__(
            model,
            device=device,
            precision=precision,
            batch_size=batch_size,
            settings=picture_settings,
        )
        self._text_encoder = SentenceTransformerEncoder(
            settings.text_model,
            device=device,
            precision=precision,
            batch_size=batch_size,
            # A revision is one of the picture model.
            settings=replace(settings, text_model=None, revision=None),
        )
        self._require_one_space()

    def _require_one_space(self) -> None:
        texts = self._text_encoder
        if not (self.sees_pictures or self.hears_sounds):
            raise ModelUsageError(
                f"--text-model {texts.name!r} is for pictures of another model, and {self.name!r} "
                f"embeds texts only: give --model {texts.name!r} alone."
            )
        if self.width != texts.width:
            raise ModelUsageError(
                f"--text-model {texts.name!r} gives {texts.width} dimensions and --model "
                f"{self.name!r} {self.width}: they are not of one space. Take a text model that "
                "was trained to this one's."
            )

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Identifies both models; the text probe is the text model's."""
        picture_fingerprint = self._model_fingerprint()
        texts = self._text_encoder.fingerprint
        return replace(
            picture_fingerprint,
            text_probe=texts.text_probe,
            text_model=texts.model,
            text_revision=texts.revision,
            prompt=texts.prompt,
            query_prompt=texts.query_prompt,
        )

    @property
    def text_encoder(self) -> SentenceTransformerEncoder:
        """The text model."""
        return self._text_encoder

    @cached_property
    def text_alignment(self) -> Alignment:
        """Agreement of the text model with the picture model's own text tower."""
        phrases = list(PHRASES)
        picture_model_vectors = SentenceTransformerEncoder.embed_texts(self, phrases)
        return alignment_of(picture_model_vectors, self._text_encoder.embed_texts(phrases))

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d), rows of length 1, by the text model."""
        return self._text_encoder.embed_texts(texts)

    def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        """The same for search queries."""
        return self._text_encoder.embed_queries(texts)

    def overlong(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Texts longer than the text model's positions."""
        return self._text_encoder.overlong(texts)


def load_encoder(
    model: str,
    *,
    device: str | None = None,
    precision: str = "auto",
    batch_size: int = 32,
    settings: ModelSettings,
) -> SentenceTransformerEncoder:
    """Load a model, with another for texts where the settings name a different one."""
    kind: type[SentenceTransformerEncoder] = SentenceTransformerEncoder
    if settings.text_model is not None:
        is_same_model = name_of(settings.text_model) == name_of(model)
        settings = replace(settings, text_model=None) if is_same_model else settings
        kind = SentenceTransformerEncoder if is_same_model else PairedEncoder
    return kind(model, device=device, precision=precision, batch_size=batch_size, settings=settings)
