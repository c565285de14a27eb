"""Batches of bytes are normalised as the processor does, and go to replicas in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from indexer.encoder import SentenceTransformerEncoder
from indexer.encoder.pixels import Normalisation, embed, normalisation_of, replicas_of

HALF = Normalisation(factor=1 / 255, mean=(0.5, 0.5, 0.5), deviation=(0.5, 0.25, 0.5))


class Processor:
    """An image processor of certain settings, which does what it says, and perhaps more."""

    def __init__(self, offset: float = 0.0, extra: bool = False, **settings: Any) -> None:
        self.settings = {
            "do_rescale": True,
            "do_normalize": True,
            "rescale_factor": 1 / 255,
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.25, 0.5],
        } | settings
        self.offset, self.extra = offset, extra

    def to_dict(self) -> dict[str, Any]:
        """As transformers' processors say."""
        return self.settings

    def process(self, picture: Any) -> dict[str, Any]:
        """The model's input of one picture."""
        values = (picture / 255 - [0.5] * 3) / [0.5, 0.25, 0.5] + self.offset
        found = {"pixel_values": torch.tensor(values.transpose(2, 0, 1)[None])}
        return found | ({"mask": torch.ones(1)} if self.extra else {})


def test_settings_of_a_processor_are_taken_over() -> None:
    """Where what it gives is what they say."""
    processor = Processor()
    assert normalisation_of(processor, processor.process) == HALF


@pytest.mark.parametrize(
    "processor",
    [Processor(offset=0.01), Processor(extra=True), Processor(do_normalize=False)],
    ids=["does more", "gives more", "does less"],
)
def test_a_processor_that_does_something_else_is_asked_itself(processor: Processor) -> None:
    """There is no quick way then."""
    assert normalisation_of(processor, processor.process) is None


def test_without_the_quick_way_the_vectors_are_the_same() -> None:
    """The processor's own way, picture by picture, within float32's rounding."""
    encoder = SentenceTransformerEncoder("pocket", device="cpu")
    pictures = list(np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8))
    quick = encoder.embed_pictures(pictures)
    assert encoder._inference.preparation.normalisation is not None
    encoder._inference.preparation.normalisation = None
    np.testing.assert_allclose(quick, encoder.embed_pictures(pictures), atol=1e-5)


class Replica:
    """A model that gives each picture's first byte, and remembers its batches."""

    def __init__(self) -> None:
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.batches: list[int] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The vectors of a batch."""
        self.batches.append(len(pixels))
        return pixels[:, :2, 0, 0].half()


def test_replicas_take_batches_in_turn_and_rows_keep_their_order() -> None:
    """Also a last batch that is not full; half precision comes back as float32."""
    pictures = [np.full((4, 4, 3), number * 10, dtype=np.uint8) for number in range(11)]
    replicas = [Replica(), Replica()]
    found = embed(replicas, pictures, forward=Replica.forward, normalisation=HALF, batch_size=2)
    assert [one.batches for one in replicas] == [[2, 2, 2], [2, 2, 1]]
    assert found.dtype == np.float32
    expected = np.arange(11) * 10 / 255 / 0.5 - 1
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-3)


class Movable:
    """A model that knows where it is."""

    def __init__(self, place: str) -> None:
        self.place = place

    def to(self, place: str) -> Movable:
        """Move it there."""
        self.place = place
        return self


def test_each_gpu_gets_a_copy() -> None:
    """The first keeps the model itself; on one device there are no copies."""
    model = Movable("cuda:0")
    copies = replicas_of(model, devices=3)
    assert copies[0] is model
    assert [one.place for one in copies] == ["cuda:0", "cuda:1", "cuda:2"]
    assert replicas_of(model, devices=1) == [model]
