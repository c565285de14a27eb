"""The quick resize gives what the models' own processors give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.core.protocols import Pixels
from indexer.encoder import SentenceTransformerEncoder
from indexer.encoder.preparation import Preparation, Resizing, resizing_of
from indexer.sources.decoding import Decoder

SIZES = [(375, 500), (500, 375), (60, 80), (224, 224), (1, 7), (1000, 301), (2000, 1500)]


class Settings:
    """An image processor, as far as it describes itself."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    def to_dict(self) -> dict[str, Any]:
        """What transformers' processors say of themselves."""
        return self.settings


@pytest.fixture(scope="module")
def encoder() -> SentenceTransformerEncoder:
    """The packaged model, whose processor is CLIP's."""
    return SentenceTransformerEncoder("pocket", device="cpu")


def noise(height: int, width: int) -> Pixels:
    """uint8 (height, width, 3), the hardest picture there is."""
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_the_processor(
    encoder: SentenceTransformerEncoder, size: tuple[int, int]
) -> None:
    """Of 255 values at most a few are lost, and that seldom, even on noise."""
    picture = noise(*size)
    difference = np.abs(encoder.prepare(picture).astype(int) - encoder.process(picture))
    assert difference.max() <= 4
    assert difference.mean() < 0.25


def test_photos_keep_their_vectors(encoder: SentenceTransformerEncoder, shared_data: Path) -> None:
    """Cosine to the vector that the model's own processor gives: 0.999 at least."""
    files = sorted((shared_data / "photos").glob("*.JPEG"))[:40]
    files += sorted((shared_data / "clothing").glob("*/*.jpg"))[::10]
    assert len(files) > 60
    decode = replace(Decoder(), least_side=encoder.least_side).decode
    whole = [Decoder().decode(file.read_bytes(), file.name) for file in files]
    quick = [decode(file.read_bytes(), file.name) for file in files]
    expected = encoder.embed_pictures([encoder.process(pixels) for pixels in whole])
    found = encoder.embed_pictures([encoder.prepare(pixels) for pixels in quick])
    assert (expected * found).sum(axis=1).min() >= 0.999


def test_a_picture_that_may_not_be_written_to_is_resized_without_a_word() -> None:
    """Arrays of users may be views of files; a warning would be an error here."""
    picture = noise(40, 50)
    picture.flags.writeable = False
    resized = Resizing(mode="bilinear", size=(8, 9)).resized(picture)
    assert resized.shape == (8, 9, 3)


@pytest.mark.parametrize(
    "settings",
    [
        {"do_resize": True, "resample": 0, "size": {"shortest_edge": 32}},
        {"do_resize": False, "resample": 3, "size": {"shortest_edge": 32}},
        {"do_resize": True, "resample": 3, "size": {"shortest_edge": 32}, "do_pad": True},
        {"do_resize": True, "resample": 3, "size": {"shortest_edge": 32, "longest_edge": 64}},
        {
            "do_resize": True,
            "resample": 3,
            "size": {"shortest_edge": 32},
            "do_center_crop": True,
            "crop_size": {"height": 40, "width": 40},
        },
    ],
)
def test_what_is_not_known_is_left_to_the_processor(settings: dict[str, Any]) -> None:
    """Other filters, padding and sizes have no quick way."""
    assert resizing_of(Settings(**settings), lambda picture: picture) is None


def test_a_processor_that_does_not_do_what_it_says_is_found_out() -> None:
    """The quick way is taken only where it gives the same pixels."""
    said = Settings(do_resize=True, resample=3, size={"height": 16, "width": 16})
    resizing = Resizing(mode="bicubic", size=(16, 16))
    assert resizing_of(said, resizing.resized) == resizing
    assert resizing_of(said, lambda picture: 255 - resizing.resized(picture)) is None


@pytest.mark.parametrize("size", [(300, 20), (20, 300), (90, 130)])
@pytest.mark.parametrize("in_proportion", [False, True])
def test_long_pictures_are_those_of_the_processor(
    size: tuple[int, int], in_proportion: bool
) -> None:
    """ALIGN squeezes the whole picture into a square before it crops; CLIP keeps proportions."""
    from transformers import CLIPImageProcessorPil, EfficientNetImageProcessorPil

    crop = {"height": 64, "width": 64}
    processor = (
        CLIPImageProcessorPil(size={"shortest_edge": 80}, crop_size=crop)
        if in_proportion
        else EfficientNetImageProcessorPil(
            size={"height": 80, "width": 80}, crop_size=crop, do_center_crop=True, resample=3
        )
    )
    preparation = Preparation("m", lambda: processor)
    picture = noise(*size)
    difference = np.abs(preparation.prepare(picture).astype(int) - preparation.process(picture))
    assert difference.max() <= 4
