"""Colours as a colour-managed viewer shows them: from a picture's ICC profile to sRGB.

The intent is relative colorimetric, without black point compensation: that is the transform
which the profile itself defines, and what browsers and ImageMagick do. Compensation is a
viewer's choice on top of it; it changes the darkest tones of print profiles, and nothing where
a profile is of a display, as nearly all are.

PNG can tell its gamma instead (chunk gAMA); it is a curve for each channel, of sRGB's primaries.

A profile equal to sRGB is recognised once by its effect on a grid of colours and cached, like
transforms, which take longer to build than to apply.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

_CACHED_TRANSFORMS = 16
"""Cached transforms: a shop's photographers use a handful of profiles."""

_MAX_CACHED_BYTES = 4 * 2**20
"""Largest profile in bytes that is cached; a file can contain one of 16 MiB."""

_TOLERANCE = 2
"""Largest difference, of 255, to sRGB: profiles of sRGB round their curves differently."""

_GAMMA_TOLERANCE = 0.03
"""A gamma this close to 1/2.2 means sRGB, as 0.45455 does in most files."""

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


class Tally:
    """A thread-safe counter; a copy in another process starts at 0."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Tally], tuple[()]]:
        return Tally, ()

    def add(self) -> None:
        """Count one more."""
        with self._lock:
            self.count += 1

    def take(self) -> int:
        """The count since the last call."""
        with self._lock:
            count, self.count = self.count, 0
        return count


class ProfileError(Exception):
    """A colour profile that can't be read, or is not of the picture's kind of colours."""


@dataclass(frozen=True, slots=True)
class _Conversion:
    """The conversion that a profile needs.

    Attributes:
        mode: Pillow's mode of the pictures that it describes.
        transform: to sRGB; None where the colours are sRGB's.
    """

    mode: str
    transform: ImageCms.ImageCmsTransform | None


def to_srgb(image: Image.Image) -> Image.Image:
    """A picture without transparency as sRGB, by its profile; the same one where it is.

    Args:
        image: of any mode; one of more than 8 bits loses them.

    Raises:
        ProfileError: as ``needs_conversion``.
    """
    conversion = _conversion(image)
    if conversion is None and image.mode in {"L", "P", "RGB"} and (gamma := _gamma(image)):
        curve = _srgb_curve(gamma)
        image = image.convert("RGB") if image.mode == "P" else image
        return image.point(curve * len(image.getbands()))
    if conversion is None or conversion.transform is None:
        return image
    if image.mode != conversion.mode:
        image = image.convert(conversion.mode)
    converted = conversion.transform.apply(image)
    converted.info = {}  # its colours are not the profile's any more
    return converted


def without_profile(image: Image.Image) -> Image.Image:
    """A picture whose profile was ignored, as RGB."""
    if image.mode == "LAB":  # Pillow itself can't convert it
        transform = _lab().transform
        assert transform is not None
        return transform.apply(image)
    return image


def needs_conversion(image: Image.Image) -> bool:
    """Whether the picture has a profile of other colours than sRGB's.

    Raises:
        ProfileError: the profile can't be read, or describes pictures of another kind.
    """
    conversion = _conversion(image)
    return conversion is not None and conversion.transform is not None


def _gamma(image: Image.Image) -> float | None:
    """The gamma that a PNG tells, where it is another than sRGB's and not overruled by sRGB."""
    gamma = image.info.get("gamma")
    if image.format not in {"PNG", None} or not gamma or "srgb" in image.info:
        return None
    return float(gamma) if abs(gamma * 2.2 - 1) > _GAMMA_TOLERANCE else None


@lru_cache(maxsize=_CACHED_TRANSFORMS)
def _srgb_curve(gamma: float) -> list[int]:
    """The sRGB value (IEC 61966-2-1) of each value that was encoded with a gamma."""
    linear = (np.arange(256) / 255.0) ** (1.0 / gamma)
    values = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return [int(value) for value in np.rint(values * 255)]


def _conversion(image: Image.Image) -> _Conversion | None:
    profile = image.info.get("icc_profile")
    if not profile:
        return _lab() if image.mode == "LAB" else None
    build = _cached_conversion if len(profile) <= _MAX_CACHED_BYTES else _build
    conversion = build(profile)
    colours = {"CMYK": "CMYK", "LAB": "LAB"}.get(image.mode, "RGB")
    grey = conversion.mode == "L" and image.mode in {"1", "L", "LA", "La", "I;16", "I", "F"}
    if conversion.mode != colours and not grey:
        raise ProfileError(f"a profile of {conversion.mode} beside a picture of {image.mode}")
    return conversion


@lru_cache(maxsize=_CACHED_TRANSFORMS)
def _cached_conversion(profile: bytes) -> _Conversion:
    return _build(profile)


@lru_cache(maxsize=1)
def _lab() -> _Conversion:
    """For pictures in CIELAB without a profile: its white is D50, as in TIFF and ICC."""
    return _Conversion("LAB", _transform(ImageCms.createProfile("LAB"), "LAB"))


def _build(profile: bytes) -> _Conversion:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[opened.profile.xcolor_space.strip()]
        transform = _transform(opened.profile, mode)
        return _Conversion(mode, None if _changes_nothing(transform, mode) else transform)
    except MemoryError:
        raise
    # Little CMS and Pillow raise OSError, PyCMSError, ValueError on damaged profiles; a kind of
    # colours that is not known here is a KeyError.
    except Exception as error:
        raise ProfileError(str(error)) from error


def _transform(profile: Any, mode: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(profile),
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        # Tables with more steps: an opponent space such as XYB is steep in the dark.
        flags=ImageCms.Flags.HIGHRESPRECALC,
    )


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform leaves a grid of colours as they are."""
    if mode not in {"RGB", "L"}:
        return False
    ramp = np.arange(256, dtype=np.uint8)
    colours = np.repeat(ramp[:, np.newaxis], 3, axis=1)
    if mode == "RGB":
        steps = np.arange(0, 256, 17, dtype=np.uint8)
        grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
        colours = np.concatenate([colours, grid])
    pixels = colours[np.newaxis] if mode == "RGB" else ramp[np.newaxis]
    converted = np.asarray(transform.apply(Image.fromarray(pixels)), dtype=np.int16)
    return int(np.abs(converted[0] - colours).max()) <= _TOLERANCE
