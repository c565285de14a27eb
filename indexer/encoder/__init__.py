"""The only home of sentence-transformers and torch: a model as an encoder of both sides.

Any model that sentence-transformers loads will do: CLIP and its family, dual
encoders, and text models for catalogs of texts. Known traps are handled here:
``encode`` fetches a string that looks like a URL and opens one that is a file's
path, so texts travel as ``{"text": ...}``; texts longer than the model's positions
are cut; half-precision weights become float32 on a CPU; and a model that is not at
hand is one clear error within seconds, not a minute of retries.

``paired`` has texts embedded by another model than pictures. ``runtime`` finds out how a side
computes best, ``onnx`` exports an image tower, ``open_clip`` converts folders that it wrote.

``loading`` finds models, ``weights`` sees to it that all of one is there, ``clip`` and ``whole``
run them, ``texts`` keeps texts of a batch apart, ``model`` embeds by them, ``remembered`` keeps
what was found out about them, ``description`` tells it, ``attention`` traces what an embedding
came from. ``device`` is a GPU that scores labels, ``half`` multiplies them there.
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
