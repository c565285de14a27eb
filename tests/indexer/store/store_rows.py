"""Rows for the store's tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from indexer.core.protocols import Decision
from indexer.core.records import EmbeddedItem, EmbeddedLabel, Fingerprint, FloatArray, Kind, Label
from indexer.core.vectors import normalise

WIDTH = 16

FINGERPRINT = Fingerprint(
    model="sentence-transformers/clip-ViT-B-32",
    revision="abc",
    preprocessing='{"size": 224, "mean": "é"}',
    width=WIDTH,
    logit_scale=100.0,
    text_probe=(0.125, -0.5),
)


def unit_vectors(count: int, seed: int = 0, width: int = WIDTH) -> FloatArray:
    """float32 (count, width), random, rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(count, width)))


def item(
    item_id: str,
    vector: FloatArray,
    *,
    title: str = "",
    metadata: Mapping[str, Any] | None = None,
    source: str = "a.jpg",
) -> EmbeddedItem:
    """An item with a vector."""
    return EmbeddedItem(
        item_id=item_id,
        kind=Kind.PICTURE,
        source=source,
        title=title,
        metadata_json=json.dumps(dict(metadata or {}), ensure_ascii=False),
        content_hash="0" * 64,
        row_hash="1" * 32,
        vector=vector,
    )


def decision(item_id: str) -> Decision:
    """What a categorization decided."""
    return Decision(item_id=item_id, label_id="l1", label="label 'one'", score=0.25)


def items(count: int, seed: int = 0) -> list[EmbeddedItem]:
    """Items ``i0``, ``i1``, ... with their number as the metadata ``price``."""
    vectors = unit_vectors(count, seed)
    return [item(f"i{row}", vectors[row], metadata={"price": row}) for row in range(count)]


def query(vectors: FloatArray) -> FloatArray:
    """float32 (n, d + 1): vectors with a 1, as queries for labels have it."""
    return np.column_stack([vectors, np.ones(len(vectors), dtype=np.float32)])


def label(
    label_id: str, vector: FloatArray, position: int = 0, *, bias: float = 0.0
) -> EmbeddedLabel:
    """A label with a vector and a bias."""
    return EmbeddedLabel(
        label=Label(label_id=label_id, name=label_id.upper(), path=("root", label_id.upper())),
        position=position,
        is_leaf=True,
        definition_hash=f"hash of {label_id[:20]}",
        vector=np.append(vector, np.float32(bias)),
    )


def labels(count: int, seed: int = 1) -> list[EmbeddedLabel]:
    """Labels ``l0``, ``l1``, ... in order of position."""
    vectors = unit_vectors(count, seed)
    return [label(f"l{row}", vectors[row], row) for row in range(count)]
