"""Frames of a video against the model's own rate, and the memory of an hour of video.

    python -m benchmarks.videos [--json FILE] [--rounds 3] [--only rate|memory]

The rate: frames a second of CPU time, from the file to the shots, against the model alone on the
same frames, prepared; both in one process, in turns, medians. The model has CLIP ViT-B/32's sizes
and random weights. The videos are a pan over photos, 1280 x 720 or half of it, 25 frames a second,
H.264, of which one frame a second is embedded.

The memory: the most that ``zeroshelf ingest`` takes of an hour of video, against a minute, by the
packaged model; each in a process of its own, without the rows that Milvus Lite keeps. The hour is
the minute's packets sixty times.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.memory import drop_rows, peak_of
from benchmarks.report import Row, command_line, compared, show
from benchmarks.turns import median_seconds
from benchmarks.vit_b_32 import SHARED, vit_b_32
from pocket.clips import Pixels, encode

RATE = 25
WIDTH, HEIGHT = 1280, 720
RATE_GOAL = 0.9
MEMORY_GOAL = 1.10
SCENE_S = 4


def pan(seconds: int, width: int, height: int, rate: int) -> Iterator[Pixels]:
    """Frames of a camera that moves over one photo after the other."""
    photos = sorted((SHARED / "data" / "photos").glob("*.JPEG"))
    for scene in range(0, seconds, SCENE_S):
        with Image.open(photos[scene // SCENE_S % len(photos)]) as file:
            photo = file.convert("RGB").resize((width * 5 // 4, height * 5 // 4))
        pixels = np.asarray(photo)
        for number in range(min(SCENE_S, seconds - scene) * rate):
            x = width // 4 * number // (SCENE_S * rate)
            yield np.ascontiguousarray(pixels[height // 8 : height // 8 + height, x : x + width])


def repeated(minute: Path, target: Path, times: int) -> None:
    """A video whose packets are those of another one, several times."""
    import av

    with av.open(minute) as source, av.open(target, "w") as output:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        copied = output.add_stream_from_template(stream)
        assert stream.duration is not None
        for turn in range(times):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.pts = (packet.pts or 0) + turn * stream.duration
                again.dts = (packet.dts or 0) + turn * stream.duration
                again.time_base, again.duration = packet.time_base, packet.duration
                again.is_keyframe = packet.is_keyframe
                again.stream = copied
                output.mux(again)


FORMS = {
    "a key frame every 4 s": None,
    "a key frame a second": ("libx264", {"preset": "veryfast", "g": str(RATE), "bf": "0"}),
}
"""How the video is encoded: with the defaults, which begin anew at a scene; as phones do."""


def rate_row(rounds: int, form: str, seconds: int = 64, *, width: int = WIDTH) -> Row:
    """Frames a second of CPU time: from the file to its shots, against the model alone.

    Args:
        form: one of ``FORMS``.
    """
    height = width * HEIGHT // WIDTH
    from indexer.encoder import SentenceTransformerEncoder
    from indexer.ingestion.videos import VideoEmbedder
    from indexer.sources.video import VideoDecoder

    encoder = SentenceTransformerEncoder(str(vit_b_32()), precision="float32")
    embedder = VideoEmbedder(encoder=encoder, batch_size=32)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "pan.mp4"
        encode(clip, pan(seconds, width, height, RATE), rate=RATE, encoder=FORMS[form])
        with clip.open("rb") as file, VideoDecoder().opened(file, clip.name) as reader:
            frames = [encoder.prepare(frame.pixels) for frame in reader.frames()]

        def model_alone() -> None:
            for start in range(0, len(frames), 32):
                encoder.embed_pictures(frames[start : start + 32])

        def file_to_shots() -> None:
            with clip.open("rb") as file:
                embedder.shots(file, clip.name)

        works = {"alone": model_alone, "whole": file_to_shots}
        seconds = median_seconds(works, rounds, clock=time.process_time)
    ours, theirs = (len(frames) / seconds[name] for name in ("whole", "alone"))
    work = f"frames of a {width}x{height} video, {form}, from the file to its shots, CPU time"
    return compared(work, "the model alone", ours, theirs, "frames/s", f">= {RATE_GOAL:g}")


def memory_row() -> Row:
    """Peak memory of ``zeroshelf ingest``: an hour of video against a minute."""
    with tempfile.TemporaryDirectory() as folder:
        minute, hour = Path(folder) / "minute.mp4", Path(folder) / "hour.mp4"
        encode(minute, pan(60, 640, 360, 10), rate=10)
        repeated(minute, hour, 60)
        few, many = peak_of(ingested, minute), peak_of(ingested, hour)
    work = "peak memory, ingest of an hour of video, without Milvus Lite's own"
    return compared(work, "a minute of it", many, few, "MiB", f"<= {MEMORY_GOAL:g}")


def ingested(video: Path) -> None:
    """What ``zeroshelf ingest VIDEO`` does, without the store."""
    from indexer.catalog.options import CatalogOptions
    from indexer.jobs.ingest import ingest
    from indexer.jobs.ingest_options import IngestOptions

    drop_rows()
    with tempfile.TemporaryDirectory() as folder:
        options = CatalogOptions(data_dir=Path(folder), model="pocket")
        report = ingest(options, [str(video)], IngestOptions())
    assert report.frames, report
    assert not report.dead, report
    sys.stderr.write(f"{video.name}: {report.frames:,} frames, {report.stored:,} shots\n")


def rate_rows(rounds: int) -> list[Row]:
    """The rates of both forms, and of a smaller video."""
    small = rate_row(rounds, "a key frame every 4 s", width=WIDTH // 2)
    return [*(rate_row(rounds, form) for form in FORMS), small]


def main() -> None:
    """Reads the command line, measures and shows."""
    parser = command_line("videos", __doc__, rounds=3)
    parser.add_argument("--only", choices=["rate", "memory"])
    options = parser.parse_args()
    measured = []
    if options.only != "memory":
        measured += rate_rows(options.rounds)
    if options.only != "rate":
        measured.append(memory_row())
    show(measured, options.json)


if __name__ == "__main__":
    main()
