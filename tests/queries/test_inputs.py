"""What ``classify`` is given: pictures in blocks, standard input, and bad ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder
from PIL import Image

from indexer.decode import Decoder
from indexer.protocols import Pixels
from indexer.records import FloatArray
from indexer.sources import Fetcher
from queries import inputs


class CountingEncoder(FakeEncoder):
    """Remembers how many pictures it was handed at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.handed: list[int] = []

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """float32 (n, width) of the pixels."""
        self.handed.append(len(pictures))
        return super().embed_pictures(pictures)


def _embedded(encoder: FakeEncoder, names: Sequence[str]) -> inputs.Embedded:
    with Fetcher() as fetcher:
        return inputs.embed_pictures(encoder, names, decoder=Decoder(), fetcher=fetcher)


def test_pictures_are_decoded_a_block_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory does not grow with the number of inputs; the order is theirs, bad ones apart."""
    monkeypatch.setattr(inputs, "BLOCK", 2)
    names = [str(tmp_path / f"{shade}.png") for shade in range(5)]
    for shade, name in enumerate(names):
        Image.new("RGB", (4, 4), (shade, 0, 0)).save(name)
    names.insert(1, str(tmp_path / "missing.png"))
    encoder = CountingEncoder()

    found = _embedded(encoder, names)

    assert encoder.handed == [1, 2, 2]
    assert found.names == (names[0], *names[2:])
    assert list(found.errors) == [names[1]]
    alone = [_embedded(FakeEncoder(), [name]).vectors[0] for name in found.names]
    np.testing.assert_array_equal(found.vectors, alone)


def test_no_input_gives_no_vector() -> None:
    """An empty standard input is no error."""
    found = _embedded(FakeEncoder(), [])
    assert found.names == ()
    assert len(found.vectors) == 0
