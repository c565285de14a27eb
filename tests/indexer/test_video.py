"""Videos to frames: times, turns, limits, damage. The clips are drawn and encoded by PyAV."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from indexer.sources.video import Frame, VideoDecoder
from pocket.clips import THREE_SCENES, encode, write_clip

RATE = 10
CORNERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
"""Colours of the corners: upper left, upper right, lower left, lower right."""


@pytest.fixture(scope="module", params=["mp4", "mov", "mkv", "webm"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scenes of four seconds, in each container."""
    path = tmp_path_factory.mktemp("clips") / f"clip.{request.param}"
    write_clip(path, rate=RATE, size=96)
    return path


def frames_of(path: Path, decoder: VideoDecoder | None = None, **window: float) -> list[Frame]:
    """The frames that are looked at."""
    decoder = decoder or VideoDecoder()
    with path.open("rb") as file, decoder.opened(file, path.name) as reader:
        return list(reader.frames(**window))


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """Which of ``CORNERS`` each corner shows."""
    height, width = pixels.shape[:2]
    seen = [pixels[y, x].astype(int) for y in (4, height - 5) for x in (4, width - 5)]
    return [min(CORNERS, key=lambda colour, one=one: np.abs(one - colour).sum()) for one in seen]


def marked_clip(path: Path, *, rotation: int = 0) -> None:
    """Half a second of a picture, 64 x 96, with a colour in each corner."""
    pixels = np.zeros((64, 96, 3), dtype=np.uint8)
    for number, colour in enumerate(CORNERS):
        y, x = divmod(number, 2)
        pixels[y * 32 : y * 32 + 32, x * 48 : x * 48 + 48] = colour
    encode(path, iter([pixels] * 6), rate=RATE, rotation=rotation)


def test_a_frame_a_second_at_its_time(clip: Path) -> None:
    """The frame at a cut is the first of the new scene."""
    frames = frames_of(clip)
    assert [frame.time_s for frame in frames] == pytest.approx(list(range(12)))
    changes = [
        float(np.abs(one.pixels.astype(int) - other.pixels).mean())
        for one, other in itertools.pairwise(frames)
    ]
    assert sorted(np.argsort(changes)[-2:] + 1) == [4, 8]
    assert frames[0].pixels.shape == (96, 96, 3)
    assert len(frames_of(clip, VideoDecoder(fps=5))) == 60


def test_frames_of_a_part_are_those_of_the_whole(clip: Path) -> None:
    """A shot is decoded by itself, from the key frame before it."""
    whole = frames_of(clip)[4:8]
    part = frames_of(clip, start_s=4.0, end_s=8.0)
    assert [frame.time_s for frame in part] == pytest.approx([4, 5, 6, 7])
    for one, other in zip(whole, part, strict=True):
        assert np.array_equal(one.pixels, other.pixels)


@pytest.mark.parametrize(("rotation", "order"), [(0, 0), (90, 1), (180, 2), (270, 3), (-90, 3)])
def test_frames_are_turned_as_a_player_turns_them(
    tmp_path: Path, rotation: int, order: int
) -> None:
    """A phone that is held upright writes frames that lie on their side."""
    path = tmp_path / "turned.mp4"
    marked_clip(path, rotation=rotation)
    pixels = frames_of(path)[0].pixels
    upright = np.array([[0, 1], [2, 3]])
    expected = np.rot90(upright, order).reshape(-1)
    assert pixels.shape[:2] == ((64, 96) if order % 2 == 0 else (96, 64))
    assert corners(pixels) == [CORNERS[place] for place in expected]


def test_pixels_are_square(tmp_path: Path) -> None:
    """Frames of old television are wider on the screen than in the file."""
    path = tmp_path / "wide.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        stream.sample_aspect_ratio = 2
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), dtype=np.uint8))
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert frames_of(path)[0].pixels.shape == (48, 128, 3)


def test_a_file_that_breaks_off_gives_what_comes_before(tmp_path: Path) -> None:
    """And the reader knows where and why."""
    for suffix in ("mkv", "webm", "mp4"):
        path = tmp_path / f"clip.{suffix}"
        write_clip(path, rate=RATE, size=96)
        if suffix == "mp4":  # its index must come first for a part of it to be of use
            whole = path
            path = tmp_path / "fast.mp4"
            with (
                av.open(whole) as source,
                av.open(path, "w", options={"movflags": "faststart"}) as target,
            ):
                stream = target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.stream = stream
                        target.mux(packet)
        content = path.read_bytes()
        for share in (0.5, 0.8):
            file = io.BytesIO(content[: int(len(content) * share)])
            with VideoDecoder().opened(file, path.name) as reader:
                frames = list(reader.frames())
                assert 2 <= len(frames) < 12
                assert reader.problem is not None
                assert reader.problem.reason is Reason.TRUNCATED
                assert f"after {reader.end_s:.1f} s" in str(reader.problem)
                assert frames[-1].time_s <= reader.end_s < 12


def test_damage_in_the_middle_ends_the_video_there(clip: Path) -> None:
    """Frames that a decoder makes up are not embedded."""
    content = bytearray(clip.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = bytes(2000)
    with VideoDecoder().opened(io.BytesIO(bytes(content)), clip.name) as reader:
        frames = list(reader.frames())
    assert 3 <= len(frames) <= 8
    assert reader.problem is not None
    assert reader.problem.reason is Reason.TRUNCATED


MANY_DAMAGED = """
import io, random, sys
from indexer.core.errors import ItemError
from indexer.sources.video import VideoDecoder

content = open(sys.argv[1], "rb").read()
chance = random.Random(0)
for _ in range(1000):
    damaged = bytearray(content)
    for _ in range(20):
        place = chance.randrange(2000, len(damaged) - 500)
        damaged[place : place + 60] = chance.randbytes(60)
    try:
        with VideoDecoder().opened(io.BytesIO(damaged), "clip.mp4") as reader:
            list(reader.frames())
    except ItemError:
        print("refused")
"""


def test_damaged_videos_end(tmp_path: Path) -> None:
    """Their decoder's threads log errors while it is freed; both once waited for each other."""
    path = tmp_path / "clip.mp4"
    write_clip(path, rate=24, size=96)
    command = [sys.executable, "-c", MANY_DAMAGED, str(path)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    assert 0 < told.count("refused") < 1000


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"max_bytes": 1000}, Reason.TOO_MANY_BYTES),
        ({"max_length_s": 11.0}, Reason.TOO_LONG),
        ({"max_pixels": 96 * 95}, Reason.TOO_MANY_PIXELS),
        ({"timeout_s": 0.0}, Reason.TOO_SLOW),
    ],
)
def test_limits(clip: Path, settings: dict[str, float], reason: Reason) -> None:
    """Each names the file and the option that raises it."""
    with pytest.raises(ItemError, match=rf"{clip.name}: .*--") as caught:
        frames_of(clip, VideoDecoder(**settings))  # type: ignore[arg-type]
    assert caught.value.reason is reason


def test_what_is_no_video_says_so(tmp_path: Path) -> None:
    """A picture, a playlist that names other files, a sound in a container of videos."""
    playlist = tmp_path / "playlist.mp4"
    playlist.write_text("#EXTM3U\n#EXTINF:4,\n/etc/passwd\n")
    with pytest.raises(ItemError, match="not a video") as caught:
        frames_of(playlist)
    assert caught.value.reason is Reason.NOT_A_VIDEO
    sound = tmp_path / "sound.mp4"
    with av.open(sound, "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 16000), dtype=np.float32), format="fltp")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(ItemError, match="no moving pictures") as caught:
        frames_of(sound)
    assert caught.value.reason is Reason.NOT_A_VIDEO
    start = tmp_path / "start.mp4"
    whole = tmp_path / "whole.mp4"
    write_clip(whole, THREE_SCENES[:1], size=96)
    start.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(ItemError, match="cut short or damaged") as caught:
        frames_of(start)
    assert caught.value.reason is Reason.TRUNCATED


def test_without_the_package_a_video_says_how_to_get_it() -> None:
    """And nothing else imports it."""
    script = (
        "import sys, io; sys.modules['av'] = None\n"
        "from indexer.sources.video import VideoDecoder\n"
        "try:\n"
        "    VideoDecoder().opened(io.BytesIO(b''), 'clip.mp4').__enter__()\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "pip install 'zeroshelf[video]'" in told.stdout
