"""Reads a picture's header; errors say whether it is damaged, unknown or unsupported."""

from __future__ import annotations

import ctypes
import io
import math
import re
import time
import warnings
from functools import cache
from pathlib import Path

import PIL
from PIL import Image, UnidentifiedImageError

from indexer.core.errors import ItemError, first_line
from indexer.core.reasons import Reason
from indexer.sources.signatures import BRANDS

# The decoder checks its own limit; Pillow's is global and only a warning.
Image.MAX_IMAGE_PIXELS = None

# Only these are tried: Pillow also knows formats that start other programs (EPS).
_ALWAYS_READ = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "JPEG2000")
FORMATS = (*_ALWAYS_READ, "HEIF")  # the last with the extra ``heif``

_SIGNATURES = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG",),
    "GIF": (b"GIF8",),
    "BMP": (b"BM",),
    "TIFF": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "JPEG2000": (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"),
    "JPEG XL": (b"\xff\x0a", b"\x00\x00\x00\x0cJXL "),
}
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|unknown|not available|not implemented|no codec|cannot handle"
    r"|cannot decode this",
    re.IGNORECASE,
)
_PILLOW = r"PIL\."
_READS_A_LOOK = 1024
"""Reads between looks at the clock."""


class TimedContent(io.BytesIO):
    """A picture's bytes, which can be read for a limited time.

    Pillow reads headers in pieces, in Python: one of 32 MiB may have millions of them, and takes
    a minute.

    Args:
        name: what messages call the picture.
        timeout_s: None sets no limit.
    """

    def __init__(self, content: bytes, name: str, timeout_s: float | None) -> None:
        super().__init__(content)
        self._name = name
        self._timeout_s = timeout_s
        self._reads = 0
        self.start()

    def start(self) -> None:
        """The time begins now."""
        self._end = math.inf if self._timeout_s is None else time.monotonic() + self._timeout_s

    def read(self, size: int | None = -1, /) -> bytes:
        """As ever.

        Raises:
            ItemError: TOO_SLOW.
        """
        self._reads += 1
        if self._reads % _READS_A_LOOK == 0 and time.monotonic() > self._end:
            assert self._timeout_s is not None
            raise too_slow(self._name, self._timeout_s)
        return super().read(size)


def too_slow(name: str, timeout_s: float) -> ItemError:
    """What to tell of a picture that takes too long."""
    return ItemError(
        Reason.TOO_SLOW,
        f"{name}: not decoded within {timeout_s:g} s; save it anew, smaller, or raise "
        "--decode-timeout",
    )


def open_picture(content: bytes, name: str, timed: TimedContent | None = None) -> Image.Image:
    """Read the header only.

    Args:
        timed: the content, where reading it may take a limited time.

    Raises:
        ItemError: TRUNCATED, UNSUPPORTED, NOT_A_PICTURE, TOO_SLOW.
    """
    quiet_libraries()
    kind = kind_of(content)
    if kind == "HEIF" and not _has_heif():
        raise ItemError(
            Reason.UNSUPPORTED,
            f"{name}: a HEIC or HEIF picture, which takes a package more. Run: "
            "pip install 'zeroshelf[heif]'",
        )
    if kind == "JPEG XL":
        raise ItemError(
            Reason.UNSUPPORTED,
            f"{name}: a JPEG XL picture, which is not read here; convert it, as with "
            "djxl IN.jxl OUT.png",
        )
    # Pillow raises KeyError for a format without a reader, and hides what others say.
    formats = FORMATS if kind == "HEIF" else _ALWAYS_READ
    try:
        return Image.open(timed or io.BytesIO(content), formats=formats)
    except (ItemError, MemoryError):
        raise
    # Damaged files make Pillow raise nearly anything: OSError, SyntaxError, struct.error,
    # IndexError, zlib.error, ValueError.
    except Exception as error:
        if kind:
            cause = _cause(timed or io.BytesIO(content), kind, error)
            raise bad_picture(cause, kind, name, len(content)) from error
        raise _no_picture(content, name, error) from error


def bad_picture(error: Exception, kind: str | None, name: str, size: int) -> ItemError:
    """The error for a picture that Pillow can't read or decode."""
    cause = first_line(error)
    if isinstance(error, NotImplementedError) or _UNSUPPORTED.search(cause):
        return ItemError(
            Reason.UNSUPPORTED,
            f"{name}: a {kind} picture of a kind that can't be read ({cause}); save it as JPEG or "
            "PNG with 8 bits a channel",
        )
    return ItemError(
        Reason.TRUNCATED,
        f"{name}: the {kind} picture is cut short or damaged ({cause}; {size:,} bytes); "
        "fetch or export it again",
    )


def kind_of(content: bytes) -> str | None:
    """The format of the first bytes; None for an unknown one."""
    if content[:4] == b"RIFF":
        return "WEBP" if content[8:12] == b"WEBP" else None
    if content[4:8] == b"ftyp":
        return next((kind for kind, brands in BRANDS.items() if content[8:12] in brands), None)
    return next((kind for kind, starts in _SIGNATURES.items() if content.startswith(starts)), None)


def quiet_libraries() -> None:
    """Ignore warnings of Pillow and libtiff about damaged metadata: they name no item.

    ``catch_warnings`` swaps a list that all threads share; adding one filter, once, does not
    race. Each call checks for it, since a test runner restores the list.
    """
    if not any(entry[0] == "ignore" and _is_ours(entry[3]) for entry in warnings.filters):
        warnings.filterwarnings("ignore", module=_PILLOW)
    _quiet_libtiff()


@cache
def _quiet_libtiff() -> None:
    """Keep libtiff from writing to standard error; Pillow raises its errors.

    A Pillow from PyPI has its own library, another one uses the system's. Loading it here gives
    the library that Pillow has loaded.
    """
    bundled = sorted((Path(PIL.__file__).parent.parent / "pillow.libs").glob("libtiff-*"))
    for library in (*map(str, bundled), "libtiff.so.6", "libtiff.so.5"):
        try:
            loaded = ctypes.CDLL(library)
            for handler in (loaded.TIFFSetErrorHandler, loaded.TIFFSetWarningHandler):
                handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
                handler(None)
        except (OSError, AttributeError):  # there is no such library, or it is another
            continue
        return


@cache
def _has_heif() -> bool:
    """Whether Pillow reads HEIF, with the package of the extra ``heif``."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _cause(content: io.BytesIO, kind: str, error: Exception) -> Exception:
    """The error of the format's own reader, which ``Image.open`` hides."""
    if not isinstance(error, UnidentifiedImageError) or kind not in Image.OPEN:
        return error
    try:
        content.seek(0)
        Image.OPEN[kind][0](content, "").close()
    except (ItemError, MemoryError):
        raise
    except Exception as cause:  # noqa: BLE001 - as above
        return cause
    return error


def _no_picture(content: bytes, name: str, error: Exception) -> ItemError:
    cause = (
        f"not a picture that can be read; it starts with {content[:16]!r}"
        if content
        else "the file is empty"
    )
    if not isinstance(error, UnidentifiedImageError):
        cause += f" ({error})"
    readable = ", ".join(FORMATS if _has_heif() else _ALWAYS_READ)
    return ItemError(Reason.NOT_A_PICTURE, f"{name}: {cause}; readable are {readable}")


def _is_ours(module: object) -> bool:
    return getattr(module, "pattern", module) == _PILLOW
