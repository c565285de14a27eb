"""Which model a catalog has, and whether another is the same; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from indexer.core.errors import ModelMismatchError, ModelUsageError
from indexer.core.records import Fingerprint

if TYPE_CHECKING:
    from indexer.catalog.options import CatalogOptions

PRECOMPUTED = "precomputed"
"""The model's name where vectors were imported and no model was given."""

SAME_MODEL_COSINE = 0.98
"""Probe vectors of one model agree to this over its precisions; a wrong activation does not."""


def model_of(options: CatalogOptions, fingerprint: Fingerprint, *, catalog: str) -> str:
    """The requested model, or else the one that made a catalog.

    Raises:
        ModelError: none is named anywhere.
    """
    model = options.model or fingerprint.model
    if model == PRECOMPUTED:
        raise ModelUsageError(
            f"catalog {catalog!r} was made of vectors that were given, and no model is named that "
            "embeds anything new: name the one that made them with --model, by hub name or folder. "
            "Without it stored items can be asked for (classify --item ID, search --item ID), and "
            "vectors given (--vectors)."
        )
    return model


def require_same(stored: Fingerprint, current: Fingerprint, *, catalog: str) -> None:
    """Refuse a model that did not make the catalog's vectors.

    A model that moved to another folder is still the same model: where both sides have vectors
    of the same probe inputs, these decide instead of the names.

    Args:
        stored: the fingerprint that the catalog carries.
        current: the fingerprint of the loaded model.
        catalog: for the message.

    Raises:
        ModelMismatchError: names both models and the remedy.
    """
    cause = _difference(stored, current)
    if cause and stored.model == PRECOMPUTED:
        raise ModelMismatchError(
            f"catalog {catalog!r} holds vectors that were given ({stored.width} dimensions), but "
            f"the model given is {current.models!r} ({current.width} dimensions): {cause}. Give "
            "the model that made those vectors, or no --model and vectors of the same width "
            "with --vectors; another model takes another --catalog."
        )
    if cause:
        texts = f" --text-model {stored.text_model}" if stored.text_model else ""
        raise ModelMismatchError(
            f"catalog {catalog!r} holds vectors of {stored.models!r} ({stored.width} dimensions), "
            f"but the model given is {current.models!r} ({current.width} dimensions): {cause}. "
            f"Use --model {stored.model}{texts}, or another --catalog for the new model."
        )


def same_model(stored: Fingerprint, current: Fingerprint) -> bool:
    """Whether two fingerprints are of the same weights and preprocessing."""
    is_equal = _equal_fields(stored, current, "revision", "preprocessing", "text_revision")
    return is_equal and not _difference(stored, current)


def same_contents(stored: Fingerprint, current: Fingerprint) -> bool:
    """Whether two models embed pictures and sounds alike, however they embed texts."""
    probes = [
        (getattr(stored, name), getattr(current, name)) for name in ("picture_probe", "sound_probe")
    ]
    present = [(probe, other_probe) for probe, other_probe in probes if probe or other_probe]
    is_equal = _equal_fields(stored, current, "revision", "preprocessing", "width", "truncated")
    return (
        bool(present)
        and is_equal
        and all(_cosine(probe, other_probe) >= SAME_MODEL_COSINE for probe, other_probe in present)
    )


def _equal_fields(stored: Fingerprint, current: Fingerprint, *names: str) -> bool:
    return all(getattr(stored, name) == getattr(current, name) for name in names)


def _difference(stored: Fingerprint, current: Fingerprint) -> str:
    if stored.width != current.width:
        return "the widths differ"
    if stored.prompt != current.prompt:
        return f"before texts stands {current.prompt!r} instead of {stored.prompt!r} (--prompt)"
    compared = False
    for name in ("text_probe", "picture_probe", "sound_probe"):
        stored_probe, current_probe = getattr(stored, name), getattr(current, name)
        if stored_probe and current_probe:
            compared = True
            if _cosine(stored_probe, current_probe) < SAME_MODEL_COSINE:
                kind = name.removesuffix("_probe")
                return f"they embed the same probe {kind} differently"
    named = PRECOMPUTED not in {stored.model, current.model}
    if not compared and named and stored.model != current.model:
        return "the names differ, and no probe vectors are stored to compare"
    return ""


def _cosine(probe: tuple[float, ...], other_probe: tuple[float, ...]) -> float:
    if len(probe) != len(other_probe):
        return 0.0
    return float(
        np.dot(probe, other_probe) / max(np.linalg.norm(probe) * np.linalg.norm(other_probe), 1e-12)
    )
