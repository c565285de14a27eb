"""The naming rules of a shard: which members belong to one item, and which is its picture.

WebDataset splits a name at the first point of its last part: ``00000.depth.png`` is the key
``00000`` with the extension ``depth.png``. Names of products have points too
(``tea-1.25kg.jpg``), so here the shard's other members decide, in this order:

1. An extension that ``--image-ext`` names is one: what stands before it is the key.
2. What stands before a point is the key where the shard has a member of that name with one
   extension (``00000.jpg`` or ``00000.cls`` beside ``00000.depth.png``).
3. So it is where the same two-part extension follows at least half of such names, and at least
   two: ``000.input.jpg``, ``001.input.jpg``; unless ``000.input`` has side files of its own.
4. Otherwise the last point is the one that splits.

A point between two digits is part of the name (``1.25kg``), unless what stands before it has
side files and no picture: ``00000.0.jpg`` and ``00000.1.jpg`` beside ``00000.json``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from indexer.sources.media import PICTURE_SUFFIXES, SOUND_SUFFIXES, VIDEO_SUFFIXES

DEFAULT_EXTENSIONS = tuple(
    suffix.removeprefix(".") for suffix in (*PICTURE_SUFFIXES, *SOUND_SUFFIXES, *VIDEO_SUFFIXES)
)
"""Extensions of pictures, sounds and videos, the preferred first."""

SIDE_EXTENSIONS = ("json", "txt", "cls")
"""Extensions of members that describe an item."""

_NUMBERED = re.compile(r"(\d+)\.[^.]+")
_OF_THE_SHARD = re.compile(r"__[^/]*__($|/)")


def picture_extensions(listed: str) -> tuple[str, ...]:
    """The extensions of ``--image-ext``, such as ``jpg;.front.PNG``; the default ones if empty."""
    names = (extension.strip().lower().removeprefix(".") for extension in listed.split(";"))
    return tuple(dict.fromkeys(filter(None, names))) or DEFAULT_EXTENSIONS


def clean(name: str) -> str:
    """A member's name as a path from the archive's root: ``./train/1.jpg`` is ``train/1.jpg``."""
    return posixpath.normpath(name).lstrip("/")


def is_hidden(name: str) -> bool:
    """Whether a clean name, or a folder in it, is hidden, or is WebDataset's own (``__x__``)."""
    return bool(_OF_THE_SHARD.match(name)) or any(
        segment.startswith(".") and segment != ".." for segment in name.split("/")
    )


def at_last_point(name: str) -> tuple[str, str]:
    """Stem and extension in lower case; the extension is empty where there is none."""
    stem, extension = posixpath.splitext(name)
    return stem, extension.removeprefix(".").lower()


def two_part_extension(stem: str, extension: str) -> tuple[str, str] | None:
    """The name split before its last two parts; None where it has not as many."""
    folder, slash, last = stem.rpartition("/")
    key, point, inner = last.rpartition(".")
    if not key or not point:
        return None
    return f"{folder}{slash}{key}", f"{inner.lower()}.{extension}"


def splits(stem: str, extension: str) -> Iterator[tuple[str, str]]:
    """Every key that a name can have, the shortest first, with the extension that follows it."""
    start = stem.rfind("/") + 1
    for place in range(start + 1, len(stem)):
        if stem[place] == ".":
            yield stem[:place], f"{stem[place + 1 :].lower()}.{extension}"


def split(
    stem: str,
    extension: str,
    *,
    extensions: tuple[str, ...],
    recurring: frozenset[str],
    plain_extensions: Callable[[str], list[str]],
) -> tuple[str, str]:
    """Key and extension of a member whose stem has points in its last part.

    Args:
        extensions: those of pictures.
        recurring: two-part extensions that follow many names of the shard.
        plain_extensions: single extensions of the shard's members with a stem.
    """
    for key, member_extension in splits(stem, extension):
        if member_extension in extensions:
            return key, member_extension
        plain = plain_extensions(key)
        if key[-1].isdigit() and member_extension[0].isdigit():
            if any(extension_part in SIDE_EXTENSIONS for extension_part in plain) and not any(
                extension_part in extensions for extension_part in plain
            ):
                return key, member_extension
        elif plain or (member_extension in recurring and len(plain_extensions(stem)) == 1):
            return key, member_extension
    return stem, extension


def picture_rank(
    extension: str, extensions: tuple[str, ...], *, is_picture: bool
) -> tuple[int, int, str] | None:
    """Rank of a member among the pictures of its key, the lowest first; None for other members.

    The class comes first: 0 is of a chosen extension, 1 a picture by its first bytes, 2 numbered
    (``0.jpg``), 3 of any other two-part extension, which may be a mask or a depth map.
    """
    if extension in extensions:
        return 0, extensions.index(extension), extension
    last = extension.rpartition(".")[2]
    if last not in extensions:
        return (3 if "." in extension else 1, 0, extension) if is_picture else None
    if numbered := _NUMBERED.fullmatch(extension):
        return 2, int(numbered[1]), extension
    return 3, extensions.index(last), extension
