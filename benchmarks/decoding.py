"""Photos to pixels: what colour profiles and the limits of memory and time cost those without.

    python -m benchmarks.decoding [--json FILE] [--rounds 40]

Against reading the header and the same library's pixels, with neither profiles nor limits. The
two take turns at each photo, in processor time of one thread; a photo's time is its least of all
rounds, since what is measured is a few microseconds of work. The photos are of 500x375, plain,
with the profile of sRGB itself, and with one of other primaries, which has to be converted.
"""

from __future__ import annotations

import io
import math
import time

from PIL import Image, ImageCms

from benchmarks.report import Row, command_line, compared, show
from benchmarks.vit_b_32 import SHARED
from indexer.sources.decoding import FORMATS, Decoder
from indexer.sources.decoding.jpeg import quick_jpeg

PHOTOS = 48
GOAL = 0.97
"""Of the rate without: profiles may cost pictures that have none 3%."""


def photos() -> list[bytes]:
    """JPEG files without a profile."""
    files = sorted((SHARED / "data" / "photos").glob("*.JPEG"))[:PHOTOS]
    return [with_profile(file.read_bytes(), b"") for file in files]


def with_profile(content: bytes, profile: bytes) -> bytes:
    """The photo anew, in three colours, with a profile or without."""
    target = io.BytesIO()
    image = Image.open(io.BytesIO(content)).convert("RGB")
    options = {"icc_profile": profile} if profile else {}
    image.save(target, "JPEG", quality=90, **options)
    return target.getvalue()


def profiles() -> dict[str, bytes]:
    """That of sRGB, and the same with red and green light exchanged."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = srgb.replace(b"rXYZ", b"-XYZ").replace(b"gXYZ", b"rXYZ").replace(b"-XYZ", b"gXYZ")
    return {"without a profile": b"", "with sRGB's profile": srgb, "with another profile": other}


def bare(content: bytes) -> object:
    """A photo's pixels, whatever they mean."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        return quick_jpeg(image, content)


def measure(rounds: int) -> list[Row]:
    """A row for each kind of photo."""
    plain, decode = photos(), Decoder().decode
    rows = []
    for kind, profile in profiles().items():
        contents = [with_profile(content, profile) for content in plain] if profile else plain
        theirs, ours = [math.inf] * len(plain), [math.inf] * len(plain)
        for _ in range(rounds):
            for place, content in enumerate(contents):
                started = time.thread_time()
                bare(content)
                between = time.thread_time()
                decode(content, kind)
                ended = time.thread_time()
                theirs[place] = min(theirs[place], between - started)
                ours[place] = min(ours[place], ended - between)
        goal = "" if kind == "with another profile" else f">= {GOAL:g}"
        rows.append(
            compared(
                f"photos to pixels, {kind}",
                "the same library, looking at neither profiles nor limits",
                len(plain) / sum(ours),
                len(plain) / sum(theirs),
                "photos/s",
                goal,
            )
        )
    return rows


def main() -> None:
    """Reads the command line, measures and shows."""
    options = command_line("decoding", __doc__, rounds=40).parse_args()
    show(measure(options.rounds), options.json)


if __name__ == "__main__":
    main()
