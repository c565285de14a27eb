"""Which kind of content a file has: a picture, a sound or a video, by its name or first bytes."""

from __future__ import annotations

from pathlib import Path

from indexer.core.records import Kind
from indexer.sources import addresses, signatures

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".heic", ".heif", ".hif"),
    *(".jxl", ".jp2", ".j2k", ".jpx", ".gif", ".bmp", ".dib", ".tif", ".tiff"),
)
SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3")
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
SUFFIXES = {
    Kind.PICTURE: PICTURE_SUFFIXES,
    Kind.SOUND: SOUND_SUFFIXES,
    Kind.VIDEO: VIDEO_SUFFIXES,
}
"""Extensions of each kind of content, in lower case."""


def kind_of_name(name: str) -> Kind | None:
    """The kind of a file by its extension; None for other extensions."""
    lower = name.lower()
    return next((kind for kind, suffixes in SUFFIXES.items() if lower.endswith(suffixes)), None)


def is_media(name: str) -> bool:
    """Whether a file's name ends as that of a picture, a sound or a video does."""
    return kind_of_name(name) is not None


def kind_of(address: str, content: bytes | None = None) -> Kind:
    """The kind of an item's content; a picture where neither bytes nor name tell.

    Args:
        content: the bytes, where they are at hand: they decide before the name.
    """
    by_bytes = None if content is None else signatures.kind_of(content[: signatures.LONGEST])
    # An address of the web may have a query after its path.
    name = address.partition("?")[0] if addresses.is_web(address) else address
    return by_bytes or kind_of_name(name) or Kind.PICTURE


_SOUND_TYPES = {b"fLaC": "audio/flac", b"OggS": "audio/ogg", b"RIFF": "audio/wav"}


def sound_type(content: bytes) -> str:
    """The media type of a sound, as HTTP names it."""
    return _SOUND_TYPES.get(content[:4], "audio/mpeg")


def kind_of_file(path: str) -> Kind | None:
    """The kind of a local file by its first bytes; None for others, and for remote files."""
    try:
        if addresses.is_remote(path) or not Path(path).is_file():  # a pipe would block
            return None
        with Path(path).open("rb") as file:
            return signatures.kind_of(file.read(signatures.LONGEST))
    except OSError:
        return None
