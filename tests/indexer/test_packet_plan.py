"""The packets that a video's decoder is given: chosen from their times, and enough for each."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.sources.video import VideoDecoder
from indexer.sources.video.key_frames import starts_anew
from indexer.sources.video.packet_plan import PlannedPacket, needed_packets
from pocket.clips import THREE_SCENES, Pixels, encode, scene_frames

RATE = 20


@st.composite
def coded_videos(draw: st.DrawFn) -> list[PlannedPacket[int]]:
    """Groups of a key frame and others; behind some frames two come that are shown before them."""
    times = itertools.accumulate(draw(st.lists(st.sampled_from([0.1, 0.4, 3.0]), max_size=40)))
    groups: list[list[float]] = []
    for time_s in times:
        if not groups or draw(st.integers(0, 5)) == 0:
            groups.append([])
        groups[-1].append(time_s)
    packets: list[PlannedPacket[int]] = []
    for group in groups:
        key, rest = group[0], group[1:]
        trios = [rest[start : start + 3] for start in range(0, len(rest), 3)]
        order = [key, *itertools.chain(*([trio[-1], *trio[:-1]] for trio in trios))]
        for time_s in order:
            later = order[order.index(time_s) :]
            packet = PlannedPacket(
                packet=len(packets), time_s=time_s, decode_s=min(later), is_key=time_s == key
            )
            packets.append(packet)
    return packets


@given(coded_videos(), st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.0, 2.5]))
def test_each_frame_that_is_looked_at_has_what_it_needs(
    packets: list[PlannedPacket[int]], fps: float, start_s: float
) -> None:
    """All packets from its key frame on; and nothing is given that no such frame needs."""
    needed = list(needed_packets(iter(packets), fps=fps, start_s=start_s))
    assert [packet.packet for packet in needed] == sorted(packet.packet for packet in needed)
    key, groups = -1, dict[int, list[PlannedPacket[int]]]()
    for packet in packets:
        key = packet.packet if packet.is_key else key
        groups.setdefault(key, []).append(packet)
    wanted = []
    for group in groups.values():
        looked_at = [place for place, one in enumerate(group) if one.slot_s is not None]
        wanted += group[: max(looked_at, default=-1) + 1]
    assert [packet.packet for packet in needed] == [packet.packet for packet in wanted]
    slots: dict[int, list[PlannedPacket[int]]] = {}
    for packet in sorted(packets, key=lambda packet: packet.time_s):
        slots.setdefault(math.floor((packet.time_s - start_s) * fps + 1e-6), []).append(packet)
    told = {packet.slot_s: packet for packet in needed if packet.slot_s is not None}
    for slot, shown in slots.items():
        if slot >= 0:
            first_key = next((packet for packet in shown if packet.is_key), shown[0])
            assert told.pop(start_s + slot / fps) is first_key
    for time_s, packet in told.items():  # what stays on the screen
        slot = round((time_s - start_s) * fps)
        assert slot not in slots
        assert packet is slots[slot - 1][-1]


def encoded(path: Path, codec: str, options: dict[str, str]) -> None:
    """Twelve seconds of three scenes."""
    rng = random.Random(0)
    frames = (
        pixels
        for scene in THREE_SCENES
        for pixels in scene_frames(scene, rate=RATE, size=96, rng=rng, detail=1)
    )
    encode(path, frames, rate=RATE, encoder=(codec, options))


@pytest.mark.parametrize(
    ("codec", "options", "name"),
    [
        ("libx264", {"g": "1000", "bf": "3", "sc_threshold": "0"}, "one-key.mp4"),
        ("libx264", {"g": "13", "bf": "2"}, "many-keys.mkv"),
        ("libx264", {"g": "13", "bf": "3", "x264-params": "open-gop=1"}, "open.mp4"),
        ("libx265", {"g": "17", "x265-params": "log-level=none"}, "open-hevc.mp4"),
        ("libvpx-vp9", {"g": "30", "deadline": "realtime", "cpu-used": "8"}, "vp9.webm"),
        ("mjpeg", {}, "intra.mov"),
        ("mpeg4", {"bf": "2"}, "old.avi"),
    ],
)
def test_frames_are_as_if_all_were_decoded(
    tmp_path: Path, codec: str, options: dict[str, str], name: str
) -> None:
    """A key frame of its second or the first frame; also of codecs that reorder frames."""
    encoded(tmp_path / name, codec, options)
    every = every_frame(tmp_path / name)
    with (tmp_path / name).open("rb") as file, VideoDecoder().opened(file, name) as reader:
        looked_at = list(reader.frames())
        assert reader.problem is None
    with (tmp_path / name).open("rb") as file, VideoDecoder().opened(file, name) as reader:
        part = list(reader.frames(5.0, 8.0))
    # AVI tells no times of frames: with reordered ones all come a frame later, up to 12.0 s.
    assert [frame.time_s for frame in looked_at] == sorted(every)
    assert set(range(12)) <= set(every)
    for frame in looked_at:
        same = [np.array_equal(frame.pixels, pixels) for pixels in every[int(frame.time_s)]]
        assert any(same)
        if name in {"one-key.mp4", "intra.mov"}:
            assert same[0]
    assert [frame.time_s for frame in part] == [5, 6, 7]
    for frame, whole in zip(part, looked_at[5:8], strict=True):
        assert np.array_equal(frame.pixels, whole.pixels)


def every_frame(path: Path) -> dict[int, list[Pixels]]:
    """All frames, by their second."""
    seconds: dict[int, list[Pixels]] = {}
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        for frame in container.decode(stream):
            assert frame.pts is not None
            time_s = (frame.pts - (stream.start_time or 0)) * stream.time_base
            pixels = frame.to_ndarray(format="rgb24", src_colorspace="ITU601").astype(np.uint8)
            seconds.setdefault(math.floor(time_s + Fraction(1, 10**6)), []).append(pixels)
    return seconds


def test_a_record_that_is_cut_short_tells_nothing() -> None:
    """Files are damaged on purpose, too."""
    for codec in ("h264", "hevc"):
        context = SimpleNamespace(
            codec=SimpleNamespace(canonical_name=codec), extradata=b"\x01\x64"
        )
        packet = av.Packet(b"\x00\x00\x00\x02\x65\x00")
        assert not starts_anew(packet, context)  # type: ignore[arg-type]
