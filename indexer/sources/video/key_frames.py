"""Tells whether a decoder needs nothing of what lies before a key frame.

Files mark as key frames also those behind which some frames are shown earlier, and need frames
from before it (open groups of pictures).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av
    from av.codec.context import CodecContext

_ALWAYS = frozenset({"vp8", "vp9", "av1", "mjpeg", "prores", "dnxhd", "png", "ffv1"})
"""Codecs each of whose key frames starts anew."""

_STARTS = {"h264": (0x1F, 0, {5}), "hevc": (0x3F, 1, {19, 20})}
"""Of a codec: mask and shift of a unit's type in its first byte, and the types that start anew."""

_LENGTHS = {"h264": 4, "hevc": 21}
"""Place in a codec's record of the byte that tells how many bytes a unit's length has."""

_MOST_UNITS = 16
"""Units before a frame's first slice: parameters, messages."""


def starts_anew(packet: av.Packet[Any], context: CodecContext) -> bool:
    """Whether no frame from a key frame's packet on needs one before it; False where unknown."""
    codec = context.codec.canonical_name
    if codec in _ALWAYS:
        return True
    record = context.extradata or b""
    # Records of damaged files may be cut short.
    if codec not in _STARTS or len(record) <= _LENGTHS[codec] or record[0] != 1:
        return False
    mask, shift, types = _STARTS[codec]
    length_bytes = (record[_LENGTHS[codec]] & 3) + 1
    content, place = memoryview(packet), 0
    for _ in range(_MOST_UNITS):
        if place + length_bytes >= len(content):
            return False
        length = int.from_bytes(content[place : place + length_bytes], "big")
        place += length_bytes
        if content[place] >> shift & mask in types:
            return True
        place += length
    return False
