"""Pictures that are small as files and take much of time or memory."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def slow_jpeg(scans: int, side: int = 4000) -> bytes:
    """A progressive JPEG whose last scan is there so many times: each passes over all pixels."""
    target = io.BytesIO()
    Image.new("L", (side, side), 128).save(target, "JPEG", progressive=True)
    content = target.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + content[-2:]


def float_tiff(width: int, height: int) -> bytes:
    """A grey TIFF of 32-bit floats."""
    target = io.BytesIO()
    Image.new("F", (width, height), 0.5).save(target, "TIFF", compression="tiff_lzw")
    return target.getvalue()


def in_pieces(kind: str, pieces: int) -> bytes:
    """A picture whose header, or data, has very many parts of a few bytes.

    Args:
        kind: its format; ``PNG data`` has the pixels in parts, the others the header.
    """
    target = io.BytesIO()
    side = 512 if kind == "PNG data" else 8
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(target, kind.split()[0])
    content = target.getvalue()
    if kind == "JPEG":
        return content[:2] + b"\xff\xe5\x00\x02" * pieces + content[2:]
    if kind == "GIF":
        at = 13 + 3 * 2 ** ((content[10] & 7) + 1)  # behind the table of colours
        return content[:at] + b"!\xfe\x01a\x00" * pieces + content[at:]
    if kind == "PNG":
        return content[:33] + _png_chunk(b"prVt", b"") * pieces + content[33:]
    start = content.index(b"IDAT") - 4
    pixels, at = b"", start
    while content[at + 4 : at + 8] == b"IDAT":
        length = int.from_bytes(content[at : at + 4], "big")
        pixels += content[at + 8 : at + 8 + length]
        at += length + 12
    size = -(-len(pixels) // pieces)
    parts = (pixels[place : place + size] for place in range(0, len(pixels), size))
    return content[:start] + b"".join(_png_chunk(b"IDAT", one) for one in parts) + content[at:]


def _png_chunk(name: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)
