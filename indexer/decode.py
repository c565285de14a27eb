"""From a picture's bytes to RGB pixels: the only home of Pillow, and of simplejpeg.

Runs in worker threads (Pillow releases the interpreter while it decodes). Nothing
is shared between calls, and limits are checked from the header, before any pixel is
decoded: a file of a few kilobytes can claim gigabytes.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError, features

try:
    import simplejpeg  # the extra ``fast`` brings it
except ImportError:
    simplejpeg = None

from indexer.errors import ItemError
from indexer.protocols import Pixels
from indexer.reasons import Reason

# Our own limit is checked for each picture; Pillow's is global and a warning.
Image.MAX_IMAGE_PIXELS = None

# Only these are tried: Pillow also knows formats that start other programs (EPS).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF")

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
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
_PILLOW = r"PIL\."
_SAME_LIBRARY = features.check_feature("libjpeg_turbo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """Decodes pictures within limits; a small value that travels to workers.

    Attributes:
        max_pixels: width times height that is still decoded.
        max_bytes: size of the encoded picture that is still decoded.
        least_side: a JPEG is decoded at a half, a quarter or an eighth of its size as long
            as its shorter side keeps so many pixels: a photo of 12 megapixels takes a
            quarter of the time. None decodes every pixel.
    """

    max_pixels: int = 64_000_000
    max_bytes: int = 32 * 2**20
    least_side: int | None = None

    def decode(self, content: bytes, name: str) -> Pixels:
        """Decode one picture, upright as its EXIF data says, transparency on white.

        Grey of 16 bits is scaled to 8; of an animation the first frame is taken.

        Args:
            content: the encoded picture (JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF).
            name: what error messages call it.

        Returns:
            uint8 (height, width, 3), RGB, contiguous.

        Raises:
            ItemError: TOO_MANY_BYTES, TOO_MANY_PIXELS, TRUNCATED, NOT_A_PICTURE.
        """
        if len(content) > self.max_bytes:
            raise ItemError(
                Reason.TOO_MANY_BYTES,
                f"{name}: {len(content):,} bytes, the limit is {self.max_bytes:,}; "
                "shrink the picture or raise max_bytes",
            )
        _quiet_pillow()
        with _open(content, name) as image:
            width, height = image.size
            if width * height > self.max_pixels:
                raise ItemError(
                    Reason.TOO_MANY_PIXELS,
                    f"{name}: {width} x {height} is {width * height:,} pixels, the limit is "
                    f"{self.max_pixels:,}; shrink the picture or raise max_pixels",
                )
            try:
                if self.least_side is not None:  # only JPEG can; others take no notice
                    image.draft(None, (self.least_side, self.least_side))
                whole = image.size == (width, height)
                pixels = _quick_jpeg(image, content) if whole else None
                if pixels is not None:
                    return pixels
                image.load()
                return np.array(_rgb(_upright(image)), dtype=np.uint8, order="C")
            except MemoryError:
                raise
            # Damaged files make Pillow's decoders raise nearly anything: OSError,
            # SyntaxError, struct.error, IndexError, zlib.error, ValueError.
            except Exception as error:
                raise ItemError(
                    Reason.TRUNCATED,
                    f"{name}: the {image.format} picture is cut short or damaged ({error}); "
                    "fetch or export it again",
                ) from error


def _quick_jpeg(image: Image.Image, content: bytes) -> Pixels | None:
    """The very pixels that Pillow gives, in four fifths of its time.

    Both have libjpeg-turbo; a Pillow that was built with another library gives others. None
    for what needs more than decoding, and for what Pillow has to judge: whether a picture
    that the library complains about is damaged.
    """
    if simplejpeg is None or not _SAME_LIBRARY or image.format != "JPEG" or image.mode != "RGB":
        return None
    if _turn(image) is not None:
        return None
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(content, "RGB")
    except (ValueError, RuntimeError):
        return None
    return pixels


def _open(content: bytes, name: str) -> Image.Image:
    """Read the header only."""
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except MemoryError:
        raise
    # As above: a header can be damaged in as many ways as the rest.
    except Exception as error:
        if _has_signature(content):
            raise ItemError(
                Reason.TRUNCATED,
                f"{name}: starts like a picture, but its header is cut short or damaged "
                f"({len(content):,} bytes); fetch or export it again",
            ) from error
        cause = (
            f"not a picture that can be read; it starts with {content[:16]!r}"
            if content
            else "the file is empty"
        )
        if not isinstance(error, UnidentifiedImageError):
            cause += f" ({error})"
        raise ItemError(
            Reason.NOT_A_PICTURE, f"{name}: {cause}; readable are {', '.join(FORMATS)}"
        ) from error


def _has_signature(content: bytes) -> bool:
    """Whether the first bytes are those of a format that is read here."""
    return (
        content.startswith(_SIGNATURES)
        or (content[:4] == b"RIFF" and content[8:12] == b"WEBP")
        or content[4:12] in (b"ftypavif", b"ftypavis")
    )


def _quiet_pillow() -> None:
    """Ignore Pillow's warnings about damaged metadata: they name no item.

    ``catch_warnings`` swaps a list that all threads share; adding one filter, once,
    does not race. It is looked for at each call because a test runner puts the list back.
    """
    if not any(entry[0] == "ignore" and _is_ours(entry[3]) for entry in warnings.filters):
        warnings.filterwarnings("ignore", module=_PILLOW)


def _is_ours(module: object) -> bool:
    return getattr(module, "pattern", module) == _PILLOW


def _upright(image: Image.Image) -> Image.Image:
    """Turn the picture as its EXIF orientation says."""
    turn = _turn(image)
    return image if turn is None else image.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes the picture upright; None where it is, or does not say."""
    try:
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    # Broken EXIF data raises nearly anything, and is no reason to lose the picture.
    except Exception:  # noqa: BLE001
        return None


def _rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB, transparent pixels on white."""
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        alpha = image.convert("RGBA")
        background = Image.new("RGB", alpha.size, "white")
        background.paste(alpha, mask=alpha.getchannel("A"))
        return background
    return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it


def _eight_bits(grey: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Grey of more than 8 bits scaled to 8; Pillow itself would clip it at 255.

    Integers are taken as 16-bit, or relative to their maximum where they exceed that;
    floats as 0 to 1, or 0 to 255, or relative to their maximum.
    """
    values = np.nan_to_num(grey.astype(np.float64), posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    if np.issubdtype(grey.dtype, np.integer):
        white = max(top, 65535.0)
    else:
        white = 1.0 if top <= 1.0 else max(top, 255.0)
    return np.asarray(np.rint(np.clip(values / white, 0.0, 1.0) * 255.0), dtype=np.uint8)


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
