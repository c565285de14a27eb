"""The only home of sentence-transformers and torch: a model as an encoder of pictures and texts.

Any model that sentence-transformers loads will do: CLIP and its family, dual encoders, and text
models. It must not import `labels`, `store` or `sources`, its
siblings: pixels and texts come in, arrays go out.

Traps that are handled here: ``encode`` fetches a string that looks like a URL and opens one that
is a file's path, so texts travel as ``{"text": ...}``. Texts longer than the model's positions are
cut. Half-precision weights become float32 on a CPU. A model that is not at hand is one clear error
within seconds, not a minute of retries.

A model comes to life in this order: ``loading`` finds and loads it, ``open_clip`` converts folders
that open_clip wrote, ``checkpoint`` opens files as ``clip`` (a tower at a time) or ``whole`` (by
sentence-transformers), ``weights`` sees to it that all of them are there. Then ``preparation``
makes inputs of pictures (``resize``, ``pixels``), ``texts`` keeps texts of a batch apart,
``inference`` embeds both, each in the way that its ``runtime`` finds best (``precision``,
``linear``, ``onnx``), and ``remembered`` keeps what was found out. ``model`` is the encoder that
others see, ``paired`` one whose texts another model embeds.

``description`` tells what a model is, ``attention`` what an embedding came from, and ``packed``
multiplies vectors with very many others.
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
