"""Colour profiles: pixels are those that a colour-managed viewer shows, whichever way they come."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import profiles
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from profiles import ADOBE_RGB, DISPLAY_P3, PROPHOTO, SRGB, WHITE_D50, WHITE_D65
from shell import Shell

from indexer.catalog.options import CatalogOptions
from indexer.core.protocols import Encoder, Pixels
from indexer.sources.decoding import Decoder, jpeg

DISPLAYS = {
    "P3": (DISPLAY_P3, WHITE_D65, 2.2),
    "Adobe RGB": (ADOBE_RGB, WHITE_D65, 563 / 256),
    "ProPhoto": (PROPHOTO, WHITE_D50, 1.8),
    "linear": (SRGB, WHITE_D65, 1.0),
    "gamma 2.2": (SRGB, WHITE_D65, 2.2),
}
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def encoded(image: Image.Image, picture_format: str = "PNG", **options: Any) -> bytes:
    """The picture's bytes in a format."""
    target = io.BytesIO()
    image.save(target, picture_format, **options)
    return target.getvalue()


def difference(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> int:
    """The largest one of two pictures, in steps of 255."""
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("picture_format", ["PNG", "TIFF", "WEBP", "AVIF"])
def test_a_display_profile_is_converted(display: str, picture_format: str) -> None:
    """To within two steps of what the profile's definition gives in float64."""
    profile = profiles.matrix_profile(*DISPLAYS[display])
    options: dict[str, Any] = {"icc_profile": profile}
    options |= {"WEBP": {"lossless": True}, "AVIF": {"quality": 100}}.get(picture_format, {})
    content = encoded(Image.fromarray(NOISE), picture_format, **options)
    stored = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    found = Decoder().decode(content, "x")
    assert difference(found, profiles.seen(stored, *DISPLAYS[display])) <= 2
    assert found.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize("quick", [True, False])
def test_jpegs_are_converted_whichever_library_decodes(
    quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And at a fraction of their size, and turned upright."""
    if quick:
        pytest.importorskip("simplejpeg")
    else:
        monkeypatch.setattr(jpeg, "simplejpeg", None)
    smooth = Image.fromarray(NOISE[:4, :4]).resize((64, 64), Image.Resampling.BICUBIC)
    profile = profiles.matrix_profile(*DISPLAYS["ProPhoto"])
    exif = Image.Exif()
    exif[0x0112] = 6
    for options in ({}, {"exif": exif}):
        content = encoded(smooth, "JPEG", quality=95, icc_profile=profile, **options)
        plain = encoded(smooth, "JPEG", quality=95, **options)
        for side in (None, 16):
            stored = Decoder(least_side=side).decode(plain, "plain")
            found = Decoder(least_side=side).decode(content, "profiled")
            assert difference(found, profiles.seen(stored, *DISPLAYS["ProPhoto"])) <= 2


def test_a_profile_of_srgb_changes_nothing() -> None:
    """Not a single step, and nothing is counted."""
    content = encoded(Image.fromarray(NOISE), icc_profile=SRGB_PROFILE)
    decoder = Decoder()
    np.testing.assert_array_equal(decoder.decode(content, "x"), NOISE)
    assert decoder.ignored_profiles.count == 0


def test_opponent_channels_are_converted() -> None:
    """What JPEGs in XYB hold; here as a picture without loss."""
    channels = profiles.opponents(NOISE)
    content = encoded(Image.fromarray(channels), icc_profile=profiles.opponent_profile())
    found = Decoder().decode(content, "x").astype(int)
    assert np.abs(found - profiles.seen_opponents(channels)).mean() < 2


@pytest.mark.parametrize("picture_format", ["TIFF", "JPEG"])
def test_inks_are_converted_by_their_profile(picture_format: str) -> None:
    """As far as a table of nine steps an ink describes them."""
    inks = np.stack(np.meshgrid(*[np.linspace(0, 200, 9)] * 2), axis=-1).astype(np.uint8)
    inks = np.concatenate([inks, inks[::-1] // 2], axis=-1)
    image = Image.fromarray(inks, "CMYK").resize((72, 72), Image.Resampling.NEAREST)
    profile = profiles.cmyk_profile(profiles.inks_to_lab)
    options = {"quality": 100, "subsampling": 0} if picture_format == "JPEG" else {}
    content = encoded(image, picture_format, icc_profile=profile, **options)
    stored = np.asarray(Image.open(io.BytesIO(content)))
    wanted = profiles.xyz_to_srgb(profiles.lab_to_xyz(profiles.inks_to_lab(stored / 255.0)))
    found = Decoder().decode(content, "x").astype(int)
    assert np.abs(found - wanted).mean() < 3


def test_inks_without_a_profile_are_mixed_as_browsers_do() -> None:
    """Red is (1 - cyan)(1 - black), and so on."""
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 128, 0, 0], [0, 0, 0, 128]]], np.uint8)
    found = Decoder().decode(encoded(Image.fromarray(inks, "CMYK"), "TIFF"), "x")
    wanted = [[255, 255, 255], [0, 255, 255], [255, 127, 255], [127, 127, 127]]
    assert difference(found[0], np.array(wanted)) <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_is_converted_by_a_grey_profile(mode: str) -> None:
    """Of 8 and of 16 bits, with transparency or without."""
    ramp = np.arange(256, dtype=np.uint8)[np.newaxis]
    image = Image.fromarray(ramp.astype(np.uint16) * 257 if mode == "I;16" else ramp)
    image = image.convert("LA") if mode == "LA" else image
    content = encoded(image, icc_profile=profiles.grey_profile(1.8))
    wanted = np.rint(profiles.srgb_curve((ramp / 255.0) ** 1.8) * 255)
    found = Decoder().decode(content, "x")
    assert difference(found, np.repeat(wanted[..., np.newaxis], 3, axis=-1)) <= 2


@pytest.mark.parametrize("mode", ["RGBA", "P", "L"])
def test_other_modes_are_converted_too(mode: str) -> None:
    """Transparency stays, palettes and grey have the profile's colours."""
    image = Image.fromarray(NOISE).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(NOISE[..., 0] // 128 * 255))
    content = encoded(image, icc_profile=profiles.matrix_profile(*DISPLAYS["P3"]))
    stored = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    wanted = profiles.seen(stored, *DISPLAYS["P3"])
    if mode == "RGBA":
        wanted = np.where(NOISE[..., :1] >= 128, wanted, 255)
    assert difference(Decoder().decode(content, "x"), wanted) <= 2


def test_deep_pictures_are_converted() -> None:
    """A PNG of 16 bits a channel."""
    content = _png_of_16_bits(NOISE, profiles.matrix_profile(*DISPLAYS["ProPhoto"]))
    found = Decoder().decode(content, "x")
    assert difference(found, profiles.seen(NOISE, *DISPLAYS["ProPhoto"])) <= 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_the_gamma_of_a_png_counts(mode: str) -> None:
    """Linear light, told by a gAMA chunk; that of sRGB changes nothing."""
    image = Image.fromarray(NOISE).convert(mode)
    stored = np.asarray(image.convert("RGB"))
    for gamma, wanted in (
        (1.0, profiles.seen(stored, *DISPLAYS["linear"])),
        (0.45455, stored),
    ):
        info = PngImagePlugin.PngInfo()
        info.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
        assert difference(Decoder().decode(encoded(image, pnginfo=info), "x"), wanted) <= 1


def test_lab_is_converted() -> None:
    """A TIFF in CIELAB, which Pillow itself can't convert."""
    lab = np.array([[[53, 80, 67], [100, 0, 0], [0, 0, 0], [50, 0, 0]]], dtype=float)
    stored = np.stack([lab[..., 0] * 2.55, lab[..., 1] % 256, lab[..., 2] % 256], axis=-1)
    image = Image.frombytes("LAB", (4, 1), np.rint(stored).astype(np.uint8).tobytes())
    found = Decoder().decode(encoded(image, "TIFF"), "x")
    assert difference(found, profiles.xyz_to_srgb(profiles.lab_to_xyz(lab))) <= 4


@pytest.mark.parametrize(
    "profile",
    [b"rubbish", SRGB_PROFILE[:200], profiles.grey_profile(1.8), b"\0" * 200],
    ids=["rubbish", "cut short", "of grey", "zeros"],
)
def test_a_profile_that_can_not_be_used_is_ignored_and_counted(profile: bytes) -> None:
    """The pixels are those of the picture without it."""
    decoder = Decoder()
    for picture_format in ("PNG", "JPEG"):
        content = encoded(Image.fromarray(NOISE), picture_format, icc_profile=profile)
        plain = encoded(Image.fromarray(NOISE), picture_format)
        np.testing.assert_array_equal(decoder.decode(content, "x"), Decoder().decode(plain, "x"))
    assert decoder.ignored_profiles.take() == 2
    assert decoder.ignored_profiles.count == 0


def test_ignored_profiles_are_in_the_summary(tmp_path: Path) -> None:
    """Of an ingestion."""
    for number in range(3):
        profile = {"icc_profile": b"rubbish"} if number else {}
        Image.fromarray(NOISE[number:]).save(tmp_path / f"{number}.png", **profile)
    shell = Shell(tmp_path, in_process=True, model="pocket")
    (report,) = shell.json("ingest", tmp_path)
    assert (report["stored"], report["ignored_profiles"]) == (3, 2)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The model that comes with the package."""
    return CatalogOptions(model="pocket", device="cpu").load_encoder("pocket")


def cosine(encoder: Encoder, one: Pixels, other: Pixels) -> float:
    """Of the vectors of two pictures."""
    vectors = encoder.embed_pictures([encoder.prepare(one), encoder.prepare(other)])
    return float(vectors[0] @ vectors[1])


@pytest.mark.parametrize("kind", ["ProPhoto", "inks", "opponents"])
def test_vectors_are_those_of_what_a_viewer_shows(
    kind: str, encoder: Encoder, shared_data: Path
) -> None:
    """A cosine of .99 at least, for photos; without the profile it is less."""
    photo = next(shared_data.glob("photos/*.JPEG"))
    pixels = np.asarray(Image.open(photo).convert("RGB").resize((256, 256)))
    if kind == "inks":
        image = Image.fromarray(pixels).convert("CMYK")
        profile = profiles.cmyk_profile(profiles.inks_to_lab)
        inks = np.asarray(image) / 255.0
        wanted = profiles.xyz_to_srgb(profiles.lab_to_xyz(profiles.inks_to_lab(inks)))
    elif kind == "opponents":
        image, profile = Image.fromarray(profiles.opponents(pixels)), profiles.opponent_profile()
        wanted = profiles.seen_opponents(np.asarray(image))
    else:
        image, profile = Image.fromarray(pixels), profiles.matrix_profile(*DISPLAYS[kind])
        wanted = profiles.seen(pixels, *DISPLAYS[kind])
    found = Decoder().decode(encoded(image, "TIFF", icc_profile=profile), "x")
    without = Decoder().decode(encoded(image, "TIFF"), "x")
    assert cosine(encoder, found, wanted) > 0.99
    assert cosine(encoder, without, wanted) < cosine(encoder, found, wanted)


def test_the_handed_case(shared_data: Path) -> None:
    """A pixel of ProPhoto, as its profile says."""
    case = shared_data.parent / "cases" / "pictures" / "prophoto.png"
    wanted = profiles.seen(np.array([[[131, 141, 192]]], np.uint8), *DISPLAYS["ProPhoto"])
    assert difference(Decoder().decode(case.read_bytes(), case.name), wanted) <= 4


def _png_of_16_bits(pixels: npt.NDArray[np.uint8], profile: bytes) -> bytes:
    """A PNG with 16 bits a channel, which Pillow doesn't write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    height, width, _ = pixels.shape
    rows = (pixels.astype(">u2") * 257).astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
        + chunk(b"iCCP", b"test\0\0" + zlib.compress(profile))
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
