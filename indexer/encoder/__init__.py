"""The only home of sentence-transformers and torch: a model as an encoder of pictures and texts.

Any model that sentence-transformers loads will do: CLIP and its family, dual encoders, and text
models. ``loading`` finds a model, ``weights`` checks that all of it is there, ``clip`` and
``whole`` run it, ``model`` embeds with it. It must not import `labels`, `store` or `sources`, its
siblings: pixels and texts come in, arrays go out.

Traps that are handled here: ``encode`` fetches a string that looks like a URL and opens one that
is a file's path, so texts travel as ``{"text": ...}``. Texts longer than the model's positions are
cut. Half-precision weights become float32 on a CPU. A model that is not at hand is one clear error
within seconds, not a minute of retries.
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
