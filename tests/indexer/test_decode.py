"""Decoding: every mode and format that products come in, and every way a file can be bad."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from indexer.core.errors import ItemError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.sources.decoding import Decoder, jpeg

RED, WHITE = (255, 0, 0), (255, 255, 255)


def encoded(image: Image.Image, picture_format: str = "PNG", **options: object) -> bytes:
    """The picture's bytes in a format."""
    target = io.BytesIO()
    image.save(target, picture_format, **options)
    return target.getvalue()


def decoded(image: Image.Image, picture_format: str = "PNG", **options: object) -> Pixels:
    """Through a file and back."""
    return Decoder().decode(encoded(image, picture_format, **options), "x")


def refused(content: bytes, decoder: Decoder | None = None) -> ItemError:
    """The error that decoding raises."""
    with pytest.raises(ItemError) as caught:
        (decoder or Decoder()).decode(content, "shoe.jpg")
    assert str(caught.value).startswith("shoe.jpg: ")
    return caught.value


def two_halves() -> Image.Image:
    """Left half red, right half white, 40 x 20."""
    image = Image.new("RGB", (40, 20), WHITE)
    image.paste(RED, (0, 0, 20, 20))
    return image


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_formats(name: str) -> None:
    """Each format comes back as uint8 (height, width, 3) with its colours."""
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    pixels = decoded(two_halves(), name)
    assert pixels.shape == (20, 40, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags["C_CONTIGUOUS"]
    assert np.abs(pixels[10, 5].astype(int) - RED).max() < 16
    assert np.abs(pixels[10, 35].astype(int) - WHITE).max() < 16


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(name: str, orientation: int) -> None:
    """EXIF orientation is applied exactly once, in every format that carries it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new("RGB", (48, 32), WHITE)
    image.paste(RED, (0, 0, 16, 16))  # the stored picture's top left
    corner = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0)}
    turned = {5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    row, column = {**corner, **turned}[orientation]
    pixels = decoded(image, name, exif=exif)
    assert pixels.shape == ((48, 32, 3) if orientation > 4 else (32, 48, 3))
    row, column = (3 if row == 0 else -4), (3 if column == 0 else -4)
    assert np.abs(pixels[row, column].astype(int) - RED).max() < 40


@pytest.mark.parametrize("exif", [b"II*\x00\xff\xff\xff\xff", b"rubbish, not a header"])
def test_broken_exif_keeps_the_picture(exif: bytes) -> None:
    """EXIF data that can't be parsed is ignored."""
    pixels = decoded(two_halves(), "JPEG", exif=b"Exif\x00\x00" + exif)
    assert pixels.shape == (20, 40, 3)


def test_sixteen_bits_are_scaled() -> None:
    """Mid grey of 16 bits is mid grey of 8, not clipped to white."""
    grey = Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16))
    assert decoded(grey)[0, :, 0].tolist() == [0, 128, 255]
    assert decoded(grey, "TIFF")[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("values", [[0.0, 0.5, 1.0], [0.0, 127.5, 255.0], [0.0, 500.0, 1000.0]])
def test_float_tiff(values: list[float]) -> None:
    """Floats are scaled by the range they use; NaN is black."""
    image = Image.fromarray(np.array([[*values, np.nan]], dtype=np.float32))
    assert decoded(image, "TIFF")[0, :, 0].tolist() == [0, 128, 255, 0]


def test_transparency_is_white() -> None:
    """Transparent pixels are white, half transparent ones are mixed with it."""
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    assert decoded(image)[0].tolist() == [[255, 0, 0], [255, 255, 255], [127, 127, 127]]


def test_grey_with_alpha() -> None:
    """LA goes on white too."""
    assert decoded(Image.new("LA", (1, 1), (0, 0)))[0, 0].tolist() == [255, 255, 255]


def test_transparent_palette() -> None:
    """A palette's transparent entry is white, its other entries keep their colour."""
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.putpixel((1, 0), 1)
    assert decoded(image, transparency=0)[0].tolist() == [[255, 255, 255], [255, 0, 0]]
    assert decoded(image)[0].tolist() == [[0, 0, 0], [255, 0, 0]]


def test_transparent_colour_of_rgb() -> None:
    """A PNG may name one RGB colour as transparent."""
    assert decoded(two_halves(), transparency=RED)[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk(name: str) -> None:
    """Red in CMYK is red in RGB, Adobe's inverted JPEG included."""
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.abs(decoded(image, name)[8, 8].astype(int) - RED).max() < 16


def test_first_frame() -> None:
    """Of an animation the first frame counts."""
    frames = [Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), "blue")]
    for name in ("GIF", "WEBP", "PNG"):
        pixels = decoded(frames[0], name, save_all=True, append_images=frames[1:], lossless=True)
        assert pixels[4, 4].tolist() == [255, 0, 0]


def test_one_bit() -> None:
    """Black and white pictures are read."""
    assert decoded(Image.new("1", (1, 1), 1))[0, 0].tolist() == [255, 255, 255]


def test_too_many_bytes() -> None:
    """The size of the file is limited."""
    error = refused(encoded(two_halves()), Decoder(max_bytes=10))
    assert error.reason == Reason.TOO_MANY_BYTES
    assert "max_bytes" in str(error)


def test_bomb() -> None:
    """A small file that claims 10 gigapixels is refused by its header."""
    error = refused(png_claiming(100_000, 100_000))
    assert error.reason == Reason.TOO_MANY_PIXELS
    assert "100000 x 100000" in str(error)


def test_pixel_limit_is_inclusive() -> None:
    """Exactly max_pixels is fine."""
    assert Decoder(max_pixels=800).decode(encoded(two_halves()), "x").shape == (20, 40, 3)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_truncated(name: str, kept: float) -> None:
    """A picture cut anywhere is TRUNCATED, in its header as in its pixels."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    content = encoded(noise, name)
    assert refused(content[: int(len(content) * kept)]).reason == Reason.TRUNCATED


@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html>", b"\x00" * 100, b"%!PS-Adobe-3.0 EPSF"]
)
def test_not_a_picture(content: bytes) -> None:
    """Empty files, error pages and formats outside the list are NOT_A_PICTURE."""
    error = refused(content)
    assert error.reason == Reason.NOT_A_PICTURE
    assert "JPEG" in str(error)


def test_causes_without_the_reader_of_heif(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no HEIF was read before, errors say why a picture fails, not which reader is absent."""
    broken = encoded(two_halves(), "PNG")[:30]
    for content in (b"<!DOCTYPE html>", broken):
        monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
        assert "'HEIF'" not in str(refused(content))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_damage_is_pixels_or_an_item_error(name: str, damage: list[tuple[int, int]]) -> None:
    """Whatever bytes are flipped: pixels or an ItemError, nothing else, and no warning."""
    content = bytearray(encoded(two_halves(), name))
    for place, value in damage:
        content[place % len(content)] = value
    with contextlib.suppress(ItemError):
        pixels = Decoder(max_pixels=100_000).decode(bytes(content), "x")
        assert pixels.shape[0] * pixels.shape[1] <= 100_000


def test_no_warning_reaches_the_user() -> None:
    """Pillow's warning about a palette's transparency names no item: it is not shown."""
    image = Image.new("P", (1, 1), 0)
    image.putpalette([0, 0, 0])
    content = encoded(image, transparency=b"\x00\x80")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        Decoder().decode(content, "x")
    assert seen == []


def test_threads() -> None:
    """Many threads decode at once and each gets its own picture."""
    colours = [(n, 255 - n, 0) for n in range(0, 256, 8)]
    files = [encoded(Image.new("RGB", (32, 32), colour)) for colour in colours]
    with ThreadPoolExecutor(8) as pool:
        pixels = list(pool.map(Decoder().decode, files, map(str, colours)))
    assert [tuple(picture[0, 0]) for picture in pixels] == colours


def test_pickles() -> None:
    """The decoder travels to worker processes."""
    assert pickle.loads(pickle.dumps(Decoder(max_pixels=5))) == Decoder(max_pixels=5)


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size() -> None:
    """As far as its shorter side keeps what was asked for, and never below."""
    buffer = io.BytesIO()
    Image.new("RGB", (400, 240), (200, 30, 60)).save(buffer, "JPEG")
    sizes = {
        side: Decoder(least_side=side).decode(buffer.getvalue(), "large.jpg").shape
        for side in (241, 240, 120, 60, 59, 8)
    }
    assert sizes == {
        241: (240, 400, 3),
        240: (240, 400, 3),
        120: (120, 200, 3),
        60: (60, 100, 3),
        59: (60, 100, 3),
        8: (30, 50, 3),
    }


def test_what_is_not_a_jpeg_is_decoded_whole() -> None:
    """Only JPEG holds its picture by frequencies."""
    buffer = io.BytesIO()
    Image.new("RGB", (400, 240)).save(buffer, "PNG")
    assert Decoder(least_side=10).decode(buffer.getvalue(), "large.png").shape == (240, 400, 3)


def both_ways(content: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[Pixels, Pixels]:
    """The pixels of a JPEG with simplejpeg, and without."""
    pytest.importorskip("simplejpeg")
    quick = Decoder().decode(content, "quick")
    with monkeypatch.context() as without:
        without.setattr(jpeg, "simplejpeg", None)
        return quick, Decoder().decode(content, "pillow")


@pytest.mark.parametrize("size", [(1, 1), (17, 31), (64, 48)])
@pytest.mark.parametrize(
    "how",
    [
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:2:0"},
        {"progressive": True},
        {"keep_rgb": True},
        {"restart_marker_rows": 1},
        {"mode": "L"},
        {"mode": "CMYK"},
        {"orientation": 6},
    ],
    ids=str,
)
def test_a_jpeg_has_the_pixels_that_pillow_gives(
    how: dict[str, Any], size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever library decodes: vectors must not depend on what is installed."""
    options = dict(how)
    noise = np.random.default_rng(0).integers(0, 256, (*reversed(size), 3), dtype=np.uint8)
    image = Image.fromarray(noise).convert(options.pop("mode", "RGB"))
    if "orientation" in options:
        exif = Image.Exif()
        exif[0x0112] = options.pop("orientation")
        options["exif"] = exif
    quick, wanted = both_ways(encoded(image, "JPEG", quality=90, **options), monkeypatch)
    np.testing.assert_array_equal(quick, wanted)


@pytest.mark.parametrize("kind", ["photos/*.JPEG", "clothing/*/*.jpg", "grocery/**/*.jpg"])
def test_photos_have_the_pixels_that_pillow_gives(
    kind: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nearly all of them are decoded the quick way."""
    files = sorted(shared_data.glob(kind))[:60]
    contents = [file.read_bytes() for file in files]
    assert len(contents) > 10
    for content in contents:
        quick, wanted = both_ways(content, monkeypatch)
        np.testing.assert_array_equal(quick, wanted)
    tried = [jpeg.quick_jpeg(Image.open(io.BytesIO(one)), one) for one in contents]
    assert sum(one is not None for one in tried) > 0.9 * len(contents)


def test_a_jpeg_that_is_cut_short_is_damaged_whichever_library_decodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And one with other bytes after its end is not."""
    pytest.importorskip("simplejpeg")
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), "JPEG")
    whole = Decoder().decode(content, "whole")
    for library in (jpeg.simplejpeg, None):
        monkeypatch.setattr(jpeg, "simplejpeg", library)
        with pytest.raises(ItemError) as caught:
            Decoder().decode(content[: len(content) // 2], "half")
        assert caught.value.reason is Reason.TRUNCATED
        np.testing.assert_array_equal(Decoder().decode(content + b"more", "longer"), whole)
