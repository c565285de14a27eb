"""Inputs of the estimator as vectors: pictures, paths, URLs, texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from indexer.catalog.item_vectors import mean_vectors
from indexer.core.errors import UsageError
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
    sample = next(iter(inputs), None)
    return not (isinstance(sample, str | Path) or _is_picture(sample) or _has_several(sample))


def columns_of(inputs: Any, image_column: str, text_column: str) -> tuple[Any, list[str]]:
    """The pictures of a table and their titles; anything else as it is, without titles.

    A table is what has named columns: a data frame, an Arrow table, a mapping. One that has
    neither column is left to scikit-learn, as a table of numbers.

    Args:
        image_column: of the pictures.
        text_column: of the titles; it may be missing.

    Raises:
        UsageError: a table has titles and no such pictures.
    """
    columns: Iterable[Any] = inputs if isinstance(inputs, Mapping) else ()
    # Those of an Arrow table are values; it calls their names by the second.
    for attribute in ("columns", "column_names"):
        columns = getattr(inputs, attribute, columns)
    names = [name for name in columns if isinstance(name, str)]
    if not names or not {image_column, text_column} & set(names):
        return inputs, []
    if image_column not in names:
        raise UsageError(
            f"the table has no column {image_column!r}: name the one of its pictures with "
            f"image_column. It has: {', '.join(map(repr, names))}."
        )
    titles = _values(inputs[text_column]) if text_column in names else []
    return _values(inputs[image_column]), [_title(title) for title in titles]


def embed_titles(titles: Sequence[str], encoder: Encoder) -> FloatArray:
    """float32 (n, d), rows of length 1; zeros for an empty title."""
    has_title = np.array([bool(title) for title in titles])
    vectors = np.zeros((len(titles), encoder.fingerprint.width), dtype=np.float32)
    vectors[has_title] = encoder.embed_texts([title for title in titles if title])
    return vectors


def embed(inputs: Iterable[Any], encoder: Encoder, kind: str) -> FloatArray:
    """float32 (n, d), rows of length 1, of pictures or texts.

    Args:
        inputs: strings (texts, paths or URLs), paths, pictures of Pillow, or uint8 arrays
            (height, width, 3); a list or tuple of these is one input of several pictures, with
            the normalised mean of their vectors.
        kind: one of ``KINDS``; ``auto`` takes strings for pictures where one is a URL or the
            path of a file, or ends as the name of a picture does.

    Raises:
        UsageError: an array that is no picture, a path where there is no file, or an input
            without any picture.
        ItemError: a picture that can't be read.
    """
    items = list(inputs)
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
        UsageError: two labels have one name, or there are none.
    """
    names = [str(getattr(label, "name", label)) for label in labels]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or not names:
        raise UsageError(
            f"labels need names of their own: {repeated[0]!r} stands twice."
            if repeated
            else "there are no labels: give one name or more."
        )
    return names


def _pixels(picture: Any, decoder: Decoder, fetcher: Fetcher) -> Pixels:
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
    for method in ("to_pylist", "tolist"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def _title(value: Any) -> str:
    """A title without blanks around it; missing values are empty."""
    return value.strip() if isinstance(value, str) else ""


def _has_several(value: Any) -> bool:
    """Whether an input is a list of pictures."""
    if not isinstance(value, list | tuple):
        return False
    return any(isinstance(element, str | Path) or _is_picture(element) for element in value)


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
        if not (element is None or element == "" or isinstance(element, float))
    ]
    if not pictures:
        raise UsageError(f"input {place} has no picture: leave it out, or give it one.")
    return pictures


def _is_picture(value: Any) -> bool:
    return hasattr(value, "convert") or (isinstance(value, np.ndarray) and value.ndim == 3)


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
