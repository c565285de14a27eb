"""What the estimator is given, as vectors: pictures, paths, URLs, texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
    """Whether the inputs are rows of numbers, or what scikit-learn shall judge as such."""
    if kind != "auto":
        return kind == "vector"
    # Frames and sparse matrices are no sequences: scikit-learn takes or refuses them.
    if not isinstance(inputs, list | tuple | np.ndarray):
        return True
    if isinstance(inputs, np.ndarray) and inputs.dtype != object:
        return inputs.ndim < 4 and inputs.dtype.kind not in "US"
    first = next(iter(inputs), None)
    return not (isinstance(first, str | Path) or _is_picture(first))


def columns_of(given: Any, image_column: str, text_column: str) -> tuple[Any, list[str]]:
    """The pictures of a table and their titles; anything else as it is, without titles.

    A table is what has named columns: a data frame, an Arrow table, a mapping. One that has
    neither column is left to scikit-learn, as a table of numbers.

    Args:
        image_column: of the pictures.
        text_column: of the titles; it may be missing.

    Raises:
        UsageError: a table has titles and no such pictures.
    """
    columns: Iterable[Any] = given if isinstance(given, Mapping) else ()
    # Those of an Arrow table are values; it calls their names by the second.
    for attribute in ("columns", "column_names"):
        columns = getattr(given, attribute, columns)
    names = [one for one in columns if isinstance(one, str)]
    if not names or not {image_column, text_column} & set(names):
        return given, []
    if image_column not in names:
        raise UsageError(
            f"the table has no column {image_column!r}: name the one of its pictures with "
            f"image_column. It has: {', '.join(map(repr, names))}."
        )
    titles = _values(given[text_column]) if text_column in names else []
    return _values(given[image_column]), [_title(one) for one in titles]


def embed_titles(titles: Sequence[str], encoder: Encoder) -> FloatArray:
    """float32 (n, d), rows of length 1; zeros for an empty title."""
    has = np.array([bool(one) for one in titles])
    found = np.zeros((len(titles), encoder.fingerprint.width), dtype=np.float32)
    found[has] = encoder.embed_texts([one for one in titles if one])
    return found


def embed(inputs: Iterable[Any], encoder: Encoder, kind: str) -> FloatArray:
    """float32 (n, d), rows of length 1, of pictures or texts.

    Args:
        inputs: strings (texts, paths or URLs), paths, pictures of Pillow, or uint8 arrays
            (height, width, 3).
        kind: one of ``KINDS``; ``auto`` takes strings for pictures where one is a URL or the
            path of a file, or ends as the name of a picture does.

    Raises:
        UsageError: an array that is no picture, or a path where there is no file.
        ItemError: a picture that can't be read.
    """
    given = list(inputs)
    if kind == "text" or (kind == "auto" and _are_texts(given)):
        return encoder.embed_texts([str(one) for one in given])
    with Fetcher() as fetcher:
        decoder = Decoder()
        blocks = [
            encoder.embed_pictures(
                [encoder.prepare(_pixels(one, decoder, fetcher)) for one in given[start:][:_BATCH]]
            )
            for start in range(0, len(given), _BATCH)
        ]
    return np.concatenate(blocks)


def names_of(labels: Sequence[Any]) -> list[str]:
    """Labels as their names.

    Raises:
        UsageError: two labels have one name, or there are none.
    """
    names = [str(getattr(one, "name", one)) for one in labels]
    twice = sorted({one for one in names if names.count(one) > 1})
    if twice or not names:
        raise UsageError(
            f"labels need names of their own: {twice[0]!r} stands twice."
            if twice
            else "there are no labels: give one name or more."
        )
    return names


def _pixels(one: Any, decoder: Decoder, fetcher: Fetcher) -> Pixels:
    if isinstance(one, str | Path):
        return decoder.decode(fetcher.read(str(one)), str(one))
    pixels = np.asarray(one.convert("RGB") if hasattr(one, "convert") else one)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise UsageError(
            f"an array of shape {pixels.shape} and type {pixels.dtype} is no picture: "
            "give uint8 (height, width, 3)."
        )
    return pixels


def _values(column: Any) -> list[Any]:
    """Of a column: pandas and Arrow have other names for the same."""
    if isinstance(column, np.ndarray) and column.ndim > 1:  # its rows are pictures or vectors
        return list(column)
    for method in ("to_pylist", "tolist"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def _title(one: Any) -> str:
    """A title without blanks around it; missing values are empty."""
    return one.strip() if isinstance(one, str) else ""


def _is_picture(one: Any) -> bool:
    return hasattr(one, "convert") or (isinstance(one, np.ndarray) and one.ndim == 3)


def _are_texts(given: Sequence[Any]) -> bool:
    """Whether inputs are texts; else they are pictures, and a path must have its file.

    Raises:
        UsageError: a string looks like the path of a picture, and there is no such file.
    """
    if not all(isinstance(one, str) for one in given):
        return False
    are_files = list(map(_names_picture, given))
    missing = [
        one
        for one, is_file in zip(given, are_files, strict=True)
        if not is_file and (any(are_files) or _looks_like_a_path(one))
    ]
    if missing:
        raise UsageError(_no_file(missing, len(given)))
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
