"""The encoder: a model that embeds pictures and texts. Only here are torch and the like imported.

Any model that sentence-transformers loads will do: CLIP and its family, dual encoders, and text
models. This package must not import its siblings `labels`, `store` and `sources`: pixels and texts
come in, arrays go out.

Traps that are handled here: ``encode`` of sentence-transformers fetches a string that looks like a
URL and opens one that is a file's path, so texts travel as ``{"text": ...}``. Texts longer than the
model's positions are cut. Half-precision weights become float32 on a CPU. A model that is missing
is one clear error within seconds, not a minute of retries.

Loading, in this order: ``loading`` finds a model, ``open_clip`` converts folders that open_clip
wrote, ``checkpoint`` loads files as ``clip`` (a tower at a time) or ``whole_model`` (by
sentence-transformers), ``weights`` checks that no weight is missing. Embedding: ``preparation`` and
``pixels`` make inputs of pictures, ``texts`` makes batches of texts, ``inference`` embeds both, and
the ``runtime`` of each side chooses how (``precision``, ``linear``, ``onnx``). ``model_record``
stores that choice for the next start. ``model`` is the encoder that others use, ``paired`` an
encoder with another model for texts.

``description`` describes a model, ``attention`` traces relevance.
"""

from __future__ import annotations

from indexer.encoder.description import (
    Agreement,
    ModelDescription,
    Rates,
    agreement,
    describe,
    rates,
)
from indexer.encoder.loading import DEFAULT_MODEL, PACKAGED_MODELS, name_of
from indexer.encoder.model import SentenceTransformerEncoder
from indexer.encoder.paired import PairedEncoder, load_encoder

__all__ = [
    "DEFAULT_MODEL",
    "PACKAGED_MODELS",
    "Agreement",
    "ModelDescription",
    "PairedEncoder",
    "Rates",
    "SentenceTransformerEncoder",
    "agreement",
    "describe",
    "load_encoder",
    "name_of",
    "rates",
]
