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

_MOST_UNITS = 16
"""Units before a frame's first slice: parameters, messages."""


def starts_anew(packet: av.Packet[Any], context: CodecContext) -> bool:
    """Whether no frame from a key frame's packet on needs one before it; False where unknown."""
    codec = context.codec.canonical_name
    if codec in _ALWAYS:
        return True
    if codec not in _STARTS or not context.extradata or context.extradata[0] != 1:
        return False
    mask, shift, types = _STARTS[codec]
    # The number of bytes that tell a unit's length lies elsewhere in each codec's record.
    length_bytes = (context.extradata[4 if codec == "h264" else 21] & 3) + 1
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
