"""Pictures that are small as files and take much of time or memory."""

from __future__ import annotations

import io

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
