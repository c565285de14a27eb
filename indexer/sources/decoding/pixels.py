"""Converts a loaded picture of any mode to upright RGB pixels in sRGB."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexer.core.protocols import Pixels
from indexer.sources.decoding import colour

# The tag of EXIF 2.3, section 4.6.4 A.
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_STRIP_PIXELS = 2**20
"""Pixels of a large picture that are copied or scaled at a time."""


def pixels_of(image: Image.Image) -> tuple[Pixels, str]:
    """A loaded picture as pixels.

    Returns:
        uint8 (height, width, 3), RGB, contiguous, upright as its EXIF data says, transparent
        pixels on white; and why its colour profile was ignored, empty where it was not.
    """
    turn = turn_of(image)
    if turn is not None:
        info = image.info
        image = image.transpose(turn)
        image.info = info
    picture, ignored = _rgb(image)
    return as_array(picture), ignored


def as_array(picture: Image.Image) -> Pixels:
    """A picture in RGB as uint8 (height, width, 3), contiguous.

    A large one is copied in strips: at once, numpy would make two more copies of all of it.
    """
    if picture.width * picture.height <= _STRIP_PIXELS:
        return np.array(picture, dtype=np.uint8, order="C")
    pixels = np.empty((picture.height, picture.width, 3), dtype=np.uint8)
    for top, bottom in _strips(picture):
        pixels[top:bottom] = np.asarray(picture.crop((0, top, picture.width, bottom)))
    return pixels


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """The transposition that makes the picture upright; None where none is needed or known."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    # Broken EXIF data raises nearly anything, and is no reason to lose the picture.
    except Exception:  # noqa: BLE001
        return None


def thumbnail(pixels: Pixels, *, side: int) -> bytes:
    """A small JPEG for pages.

    Args:
        pixels: uint8 (height, width, 3), RGB.
        side: longest side of the result, in pixels; smaller pictures keep their size.
    """
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def _rgb(image: Image.Image) -> tuple[Image.Image, str]:
    """Any mode to sRGB, transparent pixels on white; and why a profile was ignored."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if not image.has_transparency_data:
        return _srgb(image)
    alpha = image if image.mode == "RGBA" else image.convert("RGBA")
    opaque, ignored = alpha, ""
    if not {"icc_profile", "gamma"}.isdisjoint(image.info):
        grey = image.mode in {"LA", "La"}
        opaque, ignored = _srgb(image.convert("L") if grey else alpha.convert("RGB"))
    background = Image.new("RGB", alpha.size, "white")
    background.paste(opaque, mask=alpha.getchannel("A"))
    return background, ignored


def _srgb(image: Image.Image) -> tuple[Image.Image, str]:
    """By the picture's profile; CMYK without one is mixed as browsers do, (1 - c)(1 - k)."""
    ignored = ""
    try:
        image = colour.to_srgb(image)
    except colour.ProfileError as error:
        ignored = str(error)
        image = colour.without_profile(image)
    return image if image.mode == "RGB" else image.convert("RGB"), ignored  # convert would copy it


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits scaled to 8; Pillow itself would clip it at 255.

    Integers are taken as 16-bit, or relative to their maximum where they exceed that;
    floats as 0 to 1, or 0 to 255, or relative to their maximum.
    """
    tops = [float(_finite(image, *strip).max(initial=0.0)) for strip in _strips(image)]
    top = max(tops, default=0.0)
    least = 65535.0 if image.mode != "F" else 1.0 if top <= 1.0 else 255.0
    white = max(top, least)
    scaled = np.empty((image.height, image.width), dtype=np.uint8)
    for strip in _strips(image):
        grey = np.clip(_finite(image, *strip) / white, 0.0, 1.0)
        scaled[slice(*strip)] = np.rint(grey * 255.0)
    picture = Image.fromarray(scaled)
    picture.info = {key: image.info[key] for key in ("icc_profile", "gamma") if key in image.info}
    return picture


def _strips(image: Image.Image) -> list[tuple[int, int]]:
    """First and last row (exclusive) of strips of a picture."""
    rows = max(1, _STRIP_PIXELS // max(image.width, 1))
    return [(top, min(top + rows, image.height)) for top in range(0, image.height, rows)]


def _finite(image: Image.Image, top: int, bottom: int) -> npt.NDArray[np.float64]:
    rows = np.asarray(image.crop((0, top, image.width, bottom))).astype(np.float64)
    return np.nan_to_num(rows, posinf=0.0, neginf=0.0)
