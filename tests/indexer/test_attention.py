"""Relevance by attention, and the models that have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexer.core.errors import ModelError
from indexer.encoder import SentenceTransformerEncoder
from indexer.encoder.attention import class_token_flow


def test_flow_of_two_layers_worked_by_hand() -> None:
    """R = I; R += relu(A1 * G1) R; R += relu(A2 * G2) R, averaged over heads."""
    import torch

    first = torch.tensor([[[[0.5, 0.5], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.5]]]])
    ones = torch.ones_like(first)
    second = torch.tensor([[[[0.25, 0.75], [1.0, 0.0]]]])
    down = torch.tensor([[[[1.0, 2.0], [-1.0, 1.0]]]])
    # mean of heads: [[.75, .25], [.25, .75]]; R1 = [[1.75, .25], [.25, 1.75]];
    # second layer: [[.25, 1.5], [0, 0]]; row 0: R1[0] + .25 R1[0] + 1.5 R1[1]
    assert class_token_flow([first, second], [ones, down]).tolist() == pytest.approx(
        [1.75 * 1.25 + 1.5 * 0.25, 0.25 * 1.25 + 1.5 * 1.75]
    )


def test_a_map_for_each_direction(pocket: SentenceTransformerEncoder) -> None:
    """One value a patch of 8 pixels, never below 0, and the model is left as it was."""
    picture = np.full((64, 64, 3), 200, dtype=np.uint8)
    picture[16:40, 16:40] = (30, 60, 200)
    before = pocket.embed_pictures([picture])
    found = pocket.attention_relevance(picture, pocket.embed_texts(["a box", "a ball"]))
    assert found.shape == (2, 8, 8)
    assert (found >= 0).all()
    assert np.array_equal(pocket.embed_pictures([picture]), before)


def test_a_model_without_attention_is_refused(shared_models: Path) -> None:
    """A convolutional picture side is one clear error that names the way out."""
    encoder = SentenceTransformerEncoder(str(shared_models / "lit-mobilenetv2-tinybert"))
    assert not encoder.traces_attention
    picture = encoder.prepare(np.zeros((300, 200, 3), dtype=np.uint8))
    with pytest.raises(ModelError, match="--heat-map occlusion"):
        encoder.attention_relevance(picture, np.zeros((1, encoder.width), dtype=np.float32))
