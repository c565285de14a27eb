"""Formats: those that take a package more, and those that can't be read, with the cause."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from shell import Shell

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from indexer.sources.decoding import Decoder, opening


def encoded(picture_format: str, **options: Any) -> bytes:
    """A red picture with a blue left half in a format."""
    image = Image.new("RGB", (64, 48), (200, 30, 20))
    image.paste((20, 30, 200), (0, 0, 32, 48))
    image.info = {"exif": options.pop("exif")} if "exif" in options else {}
    target = io.BytesIO()
    image.save(target, picture_format, **options)
    return target.getvalue()


def refused(content: bytes) -> ItemError:
    """The error that decoding raises."""
    with pytest.raises(ItemError, match=r"^item: ") as caught:
        Decoder().decode(content, "item")
    return caught.value


def tiff(tags: dict[int, tuple[int, list[int]]], pixels: bytes) -> bytes:
    """A TIFF of one strip, by its numeric tags: type (3 short, 4 long) and values."""
    place = 8 + len(pixels)
    entries, more = b"", b""
    table_end = place + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        data = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(data) > 4:
            value = struct.pack("<I", table_end + len(more))
            more += data
        else:
            value = data.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(values)) + value
    table = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", place) + pixels + table + more


def float_rgb_tiff() -> bytes:
    """Three channels of 32-bit floats, as scientific tools and renderers write them."""
    pixels = np.full((4, 4, 3), 0.5, dtype="<f4").tobytes()
    short, long = 3, 4
    return tiff(
        {
            256: (short, [4]),
            257: (short, [4]),
            258: (short, [32, 32, 32]),
            259: (short, [1]),
            262: (short, [2]),
            273: (long, [8]),
            277: (short, [3]),
            278: (short, [4]),
            279: (long, [len(pixels)]),
            339: (short, [3, 3, 3]),
        },
        pixels,
    )


def bitfields_bmp() -> bytes:
    """A bitmap whose colours lie in unusual bits of its words."""
    header = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, 8, 0, 0, 0, 0)
    masks = struct.pack("<III", 0x0F00, 0x00F0, 0x000F)
    size = 14 + len(header) + len(masks)
    start = b"BM" + struct.pack("<IHHI", size + 8, 0, 0, size)
    return start + header + masks + bytes(8)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (float_rgb_tiff(), "TIFF picture of a kind that can't be read (unknown pixel mode)"),
        (bitfields_bmp(), "BMP picture of a kind that can't be read (Unsupported BMP bitfields"),
        (b"\xff\x0a" + bytes(30), "a JPEG XL picture"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(30), "a JPEG XL picture"),
    ],
    ids=["float TIFF", "BMP bitfields", "JPEG XL stream", "JPEG XL file"],
)
def test_what_is_whole_but_not_supported_is_told_apart(content: bytes, told: str) -> None:
    """With the cause, and not as a damaged picture, which would be fetched again in vain."""
    error = refused(content)
    assert error.reason is Reason.UNSUPPORTED
    assert told in str(error)


CUT_SHORT = ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000"]


@pytest.mark.parametrize("picture_format", CUT_SHORT)
@pytest.mark.parametrize("kept", [0.2, 0.5])
def test_what_is_damaged_is_not_called_unsupported(picture_format: str, kept: float) -> None:
    """Wherever it is cut short."""
    content = encoded(picture_format)
    error = refused(content[: max(20, int(len(content) * kept))])
    assert error.reason is Reason.TRUNCATED
    assert "cut short or damaged" in str(error)


@pytest.mark.parametrize("ending", ["jpe", "jp2", "heic", "HIF", "jpg_large", "php", ""])
def test_folders_hold_pictures_under_many_endings(tmp_path: Path, ending: str) -> None:
    """What is told by its name or its first bytes is read, whatever its format."""
    formats = {"jp2": "JPEG2000", "heic": "HEIF", "HIF": "HEIF"}
    if formats.get(ending) == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    (tmp_path / "folder").mkdir()
    name = f"picture.{ending}".rstrip(".")
    (tmp_path / "folder" / name).write_bytes(encoded(formats.get(ending, "JPEG")))
    shell = Shell(tmp_path, in_process=True, model="pocket")
    (report,) = shell.json("ingest", "folder")
    assert (report["read"], report["stored"]) == (1, 1)


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_is_decoded_upright_with_its_colours(orientation: int) -> None:
    """With the extra; a camera's turn is a property of the picture, beside its EXIF data."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = Decoder().decode(encoded("HEIF", exif=exif.tobytes(), quality=95), "item")
    shape, blue = ((48, 64, 3), (24, 10)) if orientation == 1 else ((64, 48, 3), (10, 24))
    assert pixels.shape == shape
    assert np.abs(pixels[blue].astype(int) - (20, 30, 200)).max() < 12


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that brings it."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    content = encoded("HEIF")
    monkeypatch.setattr(opening, "_has_heif", lambda: False)
    error = refused(content)
    assert error.reason is Reason.UNSUPPORTED
    assert "pip install 'zeroshelf[heif]'" in str(error)


def test_a_package_that_is_not_there_is_missed_quietly() -> None:
    """In a Python in which it can't be imported, other formats are read as before."""
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from indexer.sources.decoding import Decoder; from indexer.core.errors import ItemError\n"
        "content = sys.stdin.buffer.read()\n"
        "try: Decoder().decode(content, 'x')\n"
        "except ItemError as error: print(error.reason)"
    )
    pytest.importorskip("pillow_heif").register_heif_opener()
    for content, told in ((encoded("HEIF"), b"unsupported"), (encoded("PNG"), b"")):
        done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True)
        assert (done.stdout.strip(), done.stderr) == (told, b"")


def test_libtiff_writes_nothing_to_standard_error() -> None:
    """Its lines name no item; the error that Pillow raises has the name."""
    content = bytearray(encoded("TIFF", compression="tiff_lzw"))
    content[60:90] = b"\xff" * 30
    code = (
        "import sys; from indexer.sources.decoding import Decoder\n"
        "from indexer.core.errors import ItemError\n"
        "content = sys.stdin.buffer.read()\n"
        "for cut in range(0, len(content), 40):\n"
        "    try: Decoder().decode(content[:len(content) - cut], 'item')\n"
        "    except ItemError as error: print(error.reason)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=bytes(content), capture_output=True, env=os.environ
    )
    assert done.stderr == b""
    assert b"truncated" in done.stdout
