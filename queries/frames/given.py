"""Pictures that Python holds, as the files that the library reads."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from indexer.core.errors import ItemError, UsageError
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder, thumbnail

SIDE = 96
"""Pixels of a thumbnail's longer side."""

_MODES_OF_PNG = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFiles:
    """Inputs as paths and URLs.

    Attributes:
        paths: of each input, in order.
        folder: where those lie that were given as values.
    """

    paths: tuple[str, ...]
    folder: str

    def named(self, text: str) -> str:
        """A name or a message without the folder: a value is called after its place."""
        return text.replace(f"{self.folder}/", "")

    def picture(self, source: str, fetcher: Fetcher) -> str | bytes:
        """What shows an input later: where it lies, or the thumbnail of a value."""
        if not source.startswith(f"{self.folder}/"):
            return source
        try:
            return thumbnail(Decoder().decode(fetcher.read(source), source), side=SIDE)
        except ItemError:
            return ""


@contextlib.contextmanager
def as_files(inputs: Sequence[Any]) -> Iterator[GivenFiles]:
    """Inputs as files, until the block ends.

    Args:
        inputs: paths, URLs, encoded contents (bytes), pictures of Pillow, or arrays, uint8
            (height, width, 3), RGB.

    Raises:
        UsageError: an input is none of these.
        ItemError: what the block raises, without the folder in its message.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for place, value in enumerate(inputs, 1):
            if isinstance(value, str | Path):
                paths.append(str(value))
                continue
            path = Path(folder) / f"input {place}"
            if not isinstance(value, bytes | bytearray):
                is_picture = isinstance(value, Image.Image)
                value = png_of(value if is_picture else _picture_of_array(value))
            path.write_bytes(value)
            paths.append(str(path))
        files = GivenFiles(paths=tuple(paths), folder=folder)
        try:
            yield files
        except ItemError as error:
            raise ItemError(error.reason, files.named(str(error))) from error


def png_of(picture: Image.Image) -> bytes:
    """A picture of Pillow without loss, upright, with its colour profile."""
    upright = ImageOps.exif_transpose(picture)
    if upright.mode not in _MODES_OF_PNG:
        upright = upright.convert("RGB")
    buffer = io.BytesIO()
    upright.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _picture_of_array(value: Any) -> Image.Image:
    if isinstance(value, Iterable) and getattr(value, "ndim", 1) == 1:
        raise UsageError(f"{type(value).__name__} is no single input: give its entries, *inputs.")
    pixels = np.asarray(value)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        kind = type(value).__name__
        shape = f" of shape {pixels.shape} and type {pixels.dtype}" if pixels.ndim else ""
        raise UsageError(
            f"{kind}{shape} is no input: give paths, URLs, bytes, pictures of Pillow, or arrays of "
            "uint8 (height, width, 3)."
        )
    return Image.fromarray(pixels)
