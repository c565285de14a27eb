"""Limits of what is read and decoded, where nobody asks for others.

Light, since the help of commands loads it.
"""

MAX_PIXELS = 64_000_000
"""Width times height: 192 MB as RGB bytes."""

MAX_PICTURE_BYTES = 32 * 2**20

DECODE_MEMORY = 2**30
"""Bytes of all pictures that are decoded at a time."""

DECODE_TIMEOUT_S = 20.0
"""A header can promise more work than any picture needs; this ends it."""

MAX_SOUND_BYTES = 512 * 2**20
MAX_SOUND_S = 4 * 3600.0

MAX_VIDEO_BYTES = 8 * 2**30
MAX_VIDEO_S = 4 * 3600.0
