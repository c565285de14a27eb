"""Inputs of the estimator as vectors: pictures, paths, URLs, texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set, ValuesView
from pathlib import Path
from typing import Any

import numpy as np

from indexer.catalog.item_vectors import mean_vectors
from indexer.core.errors import UsageError
from indexer.core.given_values import entries_of, is_missing, refuse_single
from indexer.core.protocols import Encoder, Pixels
from indexer.core.records import FloatArray
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder

KINDS = ("auto", "picture", "text", "vector")
_BATCH = 64
_PICTURE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
) | {".webp"}


def are_vectors(inputs: Any, kind: str) -> bool:
    """Whether the inputs are rows of numbers, or left to scikit-learn to validate."""
    if kind != "auto":
        return kind == "vector"
    # Frames and sparse matrices are no sequences: scikit-learn takes or refuses them.
    if not isinstance(inputs, list | tuple | np.ndarray):
        return True
    if isinstance(inputs, np.ndarray) and inputs.dtype != object:
        return inputs.ndim < 4 and inputs.dtype.kind not in "US"
    sample = next((value for value in inputs if not is_missing(value)), None)
    return not (sample is None or _is_readable(sample) or _has_several(sample))


def listed(inputs: Any, name: str = "X") -> Any:
    """A column of a data frame, or what is gone through once, as a list; others as they are.

    Args:
        name: of the argument, for messages.

    Raises:
        UsageError: there is one input, not in a list.
    """
    is_pixels = isinstance(inputs, np.ndarray) and inputs.ndim == 3 and inputs.dtype == np.uint8
    if is_pixels or hasattr(inputs, "convert"):
        raise UsageError(f"{name} is a list: give [picture].")
    if isinstance(inputs, str | bytes | Path):
        refuse_single(name, inputs)
    is_column = len(getattr(inputs, "shape", ())) == 1 and not isinstance(inputs, np.ndarray)
    is_arrow = hasattr(inputs, "to_pylist") and not hasattr(inputs, "column_names")
    if is_column or is_arrow or isinstance(inputs, Iterator | Set | ValuesView):
        return entries_of(inputs)
    return inputs


def columns_of(inputs: Any, image_column: str, text_column: str) -> tuple[Any, list[str]]:
    """The pictures of a table and their titles; anything else as it is, without titles.

    A table is what has named columns: a data frame, an Arrow table, a mapping. One that has
    neither column is left to scikit-learn, as a table of numbers.

    Args:
        image_column: of the pictures.
        text_column: of the titles; it may be missing.

    Raises:
        UsageError: a table has titles or other texts and no such pictures, or a mapping's columns
            are of several lengths.
    """
    columns: Iterable[Any] = inputs if isinstance(inputs, Mapping) else ()
    # Those of an Arrow table are values; it calls their names by the second.
    for attribute in ("columns", "column_names"):
        columns = getattr(inputs, attribute, columns)
    names = [name for name in columns if isinstance(name, str)]
    has_texts = any(_holds_text(inputs[name]) for name in names)
    if not names or not (has_texts or {image_column, text_column} & set(names)):
        return inputs, []
    if image_column not in names:
        raise UsageError(
            f"the table has no column {image_column!r}: name the one of its pictures with "
            f"image_column. It has: {', '.join(map(repr, names))}."
        )
    pictures = _values(inputs[image_column])
    titles = _values(inputs[text_column]) if text_column in names else []
    if titles and len(titles) != len(pictures):
        raise UsageError(
            f"{len(titles)} values of {text_column!r} for {len(pictures)} of {image_column!r}: "
            "give one for each."
        )
    return pictures, [_title(title) for title in titles]


def embed_titles(titles: Sequence[str], encoder: Encoder) -> FloatArray:
    """float32 (n, d), rows of length 1; zeros for an empty title."""
    has_title = np.array([bool(title) for title in titles])
    vectors = np.zeros((len(titles), encoder.fingerprint.width), dtype=np.float32)
    vectors[has_title] = encoder.embed_texts([title for title in titles if title])
    return vectors


def embed(inputs: Iterable[Any], encoder: Encoder, kind: str) -> FloatArray:
    """float32 (n, d), rows of length 1, of pictures or texts.

    Args:
        inputs: strings (texts, paths or URLs), paths, encoded pictures (bytes), pictures of
            Pillow, or uint8 arrays (height, width, 3); a list or tuple of these is one input of
            several pictures, with the normalised mean of their vectors.
        kind: one of ``KINDS``; ``auto`` takes strings for pictures where one is a URL or the
            path of a file, or ends as the name of a picture does.

    Raises:
        UsageError: no inputs, one that is missing or an empty text, an array that is no picture,
            a path where there is no file, or an input without any picture.
        ItemError: a picture that can't be read.
    """
    items = list(inputs)
    _refuse_missing(items, "input")
    if kind == "text" or (kind == "auto" and _are_texts(items)):
        return encoder.embed_texts([str(item) for item in items])
    views = [_pictures_of(item, place) for place, item in enumerate(items)]
    counts = np.array([len(pictures) for pictures in views], dtype=np.int64)
    vectors = _embed_pictures([picture for pictures in views for picture in pictures], encoder)
    return mean_vectors(vectors, np.cumsum(counts) - counts)


def _embed_pictures(items: Sequence[Any], encoder: Encoder) -> FloatArray:
    """float32 (n, d): vectors of pictures, read and embedded a batch at a time."""
    with Fetcher() as fetcher:
        decoder = Decoder()
        blocks = [
            encoder.embed_pictures(
                [
                    encoder.prepare(_pixels(item, decoder, fetcher))
                    for item in items[start:][:_BATCH]
                ]
            )
            for start in range(0, len(items), _BATCH)
        ]
    return np.concatenate(blocks)


def names_of(labels: Sequence[Any]) -> list[str]:
    """Labels as their names.

    Raises:
        UsageError: two labels have one name, one has none, or there are none.
    """
    _refuse_missing(labels, "label")
    names = [str(getattr(label, "name", label)) for label in labels]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UsageError(f"labels need names of their own: {repeated[0]!r} stands twice.")
    return names


def _pixels(picture: Any, decoder: Decoder, fetcher: Fetcher) -> Pixels:
    if isinstance(picture, bytes):
        return decoder.decode(picture, "a picture given as bytes")
    if isinstance(picture, str | Path):
        return decoder.decode(fetcher.read(str(picture)), str(picture))
    pixels = np.asarray(picture.convert("RGB") if hasattr(picture, "convert") else picture)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise UsageError(
            f"an array of shape {pixels.shape} and type {pixels.dtype} is no picture: "
            "give uint8 (height, width, 3)."
        )
    return pixels


def _values(column: Any) -> list[Any]:
    """The values of a column of pandas, Arrow or numpy."""
    if isinstance(column, np.ndarray) and column.ndim > 1:  # its rows are pictures or vectors
        return list(column)
    return entries_of(column)


def _holds_text(column: Any) -> bool:
    """Whether the first value of a table's column is a text or a path."""
    if getattr(column, "ndim", 1) != 1:  # a frame of columns of one name, or a stack of pictures
        return False
    return any(isinstance(value, str | bytes | Path) for value in _values(column[:1]))


def _refuse_missing(inputs: Sequence[Any], noun: str) -> None:
    """Refuse inputs or labels of which one is None, NaN or an empty text, or none at all."""
    if not inputs:
        raise UsageError(f"there are no {noun}s: give one or more.")
    unusable = [
        place
        for place, value in enumerate(inputs)
        if is_missing(value) or (isinstance(value, str) and not value.strip())
    ]
    if unusable:
        place = unusable[0]
        raise UsageError(
            f"{noun} {place} is {inputs[place]!r} ({len(unusable)} of {len(inputs)} are missing or "
            f"empty): leave such {noun}s out."
        )


def _title(value: Any) -> str:
    """A title without blanks around it; missing values are empty."""
    return value.strip() if isinstance(value, str) else ""


def _has_several(value: Any) -> bool:
    """Whether an input is a list of pictures."""
    if not isinstance(value, list | tuple):
        return False
    return any(_is_readable(element) for element in value)


def _pictures_of(value: Any, place: int) -> list[Any]:
    """The pictures of an input; empty entries of a list are left out.

    Raises:
        UsageError: it has none.
    """
    if not isinstance(value, list | tuple):
        return [value]
    pictures = [
        element
        for element in value
        if not (is_missing(element) or (isinstance(element, str) and not element))
    ]
    if not pictures:
        raise UsageError(f"input {place} has no picture: leave it out, or give it one.")
    return pictures


def _is_readable(value: Any) -> bool:
    """Whether a value is a text, a file or a picture, and no row of numbers."""
    return isinstance(value, str | bytes | Path) or _is_picture(value)


def _is_picture(value: Any) -> bool:
    return hasattr(value, "convert") or (isinstance(value, np.ndarray) and value.ndim >= 2)


def _are_texts(inputs: Sequence[Any]) -> bool:
    """Whether inputs are texts; else they are pictures, and a path must have its file.

    Raises:
        UsageError: a string looks like the path of a picture, and there is no such file.
    """
    if not all(isinstance(text, str) for text in inputs):
        return False
    are_files = list(map(_names_picture, inputs))
    missing = [
        text
        for text, is_file in zip(inputs, are_files, strict=True)
        if not is_file and (any(are_files) or _looks_like_a_path(text))
    ]
    if missing:
        raise UsageError(_no_file(missing, len(inputs)))
    return not any(are_files)


def _no_file(missing: Sequence[str], count: int) -> str:
    return (
        f"{missing[0]!r} is no file ({len(missing)} of {count} inputs have none): correct the "
        "path, or say input_kind='text' if these are texts."
    )


def _looks_like_a_path(text: str) -> bool:
    """Whether a string ends as the name of a picture does, without a line break."""
    return "\n" not in text and Path(text).suffix.lower() in _PICTURE_SUFFIXES


def _names_picture(text: str) -> bool:
    if text.startswith(("http://", "https://")):
        return " " not in text
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or a zero byte: a text
        return False
