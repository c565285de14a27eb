"""The tokenizer of a model that open_clip wrote, with open_clip's cleaning of texts before it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from indexer.core.errors import ModelError, first_line
from indexer.encoder.open_clip.architecture import Architecture

_FILES = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")
_CLIP = ("openai/clip-vit-large-patch14", "openai/clip-vit-base-patch32")
_PUNCTUATION = r"[!-/:-@\[-`{-~]"


def tokenizer_of(folder: Path, architecture: Architecture, *, name: str) -> Any:
    """A tokenizer of transformers: the folder's own, or the one that its configuration names.

    open_clip also mends broken encodings and HTML entities (by ftfy), which transformers'
    tokenizers do not.

    Raises:
        ModelError: it is not at hand; names it.
    """
    tokenizer = _loaded(folder, architecture, name)
    tokenizer.model_max_length = architecture.context_length
    if architecture.kind == "siglip":  # SigLIP has no mask for padding
        tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = ["input_ids"]
    if architecture.clean != "lower" or architecture.kind != "clip":
        _clean(tokenizer, architecture.clean)
    return tokenizer


def _loaded(folder: Path, architecture: Architecture, name: str) -> Any:
    from indexer.encoder.loading import query_hub, quiet

    has_tokenizer = any((folder / file).is_file() for file in _FILES)
    places = [architecture.tokenizer] if architecture.tokenizer else [*_CLIP]
    if has_tokenizer:
        places = [str(folder)]
    cause: Exception | None = None
    with quiet():
        # The hub's client tries again for most of a minute: it is for a hub that answers.
        for fetch, place in product((False,) if has_tokenizer else (False, True), places):
            try:
                if fetch:
                    query_hub(place)
                return _read(place, architecture, has_tokenizer=has_tokenizer, fetch=fetch)
            except Exception as error:  # noqa: BLE001 - of the hub's client and of three libraries
                cause = error
    tried = " or ".join(places)
    raise ModelError(
        f"model {name!r} is open_clip's, and its tokenizer ({tried}) can't be read: "
        f"{first_line(cause) if cause else ''}. Copy the tokenizer's files (tokenizer.json, "
        "tokenizer_config.json) into the model's folder."
    ) from cause


def _read(place: str, architecture: Architecture, *, has_tokenizer: bool, fetch: bool) -> Any:
    from transformers import AutoTokenizer, CLIPTokenizer

    if has_tokenizer and not architecture.tokenizer and architecture.kind == "clip":
        return CLIPTokenizer.from_pretrained(place, local_files_only=True)
    return AutoTokenizer.from_pretrained(place, local_files_only=not fetch)


def _clean(tokenizer: Any, clean: str) -> None:
    """Put open_clip's cleaning before the tokenizer's own."""
    from tokenizers import Regex, normalizers

    steps: list[Any] = []
    if clean == "canonicalize":
        steps += [normalizers.Replace("_", " "), normalizers.Replace(Regex(_PUNCTUATION), "")]
    if clean in {"canonicalize", "lower"}:
        steps.append(normalizers.Lowercase())
    steps += [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    backend = tokenizer.backend_tokenizer
    if backend.normalizer is not None:
        steps.append(backend.normalizer)
    backend.normalizer = normalizers.Sequence(steps)
