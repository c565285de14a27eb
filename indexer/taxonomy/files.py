"""Reads a label file of any format: local, or at an fsspec address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from indexer.errors import TaxonomyError
from indexer.records import Label
from indexer.taxonomy.assembly import assemble
from indexer.taxonomy.lists import read_list
from indexer.taxonomy.outlines import read_json, read_yaml
from indexer.taxonomy.rows import Row
from indexer.taxonomy.tables import read_csv, read_json_lines

_READERS: dict[str, Callable[[str, str], list[Row]]] = {
    ".csv": read_csv,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".tsv": read_csv,
    ".txt": read_list,
    ".yaml": read_yaml,
    ".yml": read_yaml,
}


def read_labels(
    path: str, *, known: Sequence[Label] = (), create_parents: bool | None = None
) -> list[Label]:
    """Labels of a file, checked, in the order of the file.

    Args:
        path: ``.txt`` (names, paths, Google's or Shopify's taxonomy), ``.csv``, ``.tsv``,
            ``.jsonl``, ``.json``, ``.yaml``; a local path or an fsspec address.
        known: labels that are there already: the file may name them as parents.
        create_parents: make root labels of parents that are nowhere; they come after
            the labels of the file. None, the default, does so only where the parent
            column plainly holds groups (see ``assembly.assemble``).

    Raises:
        TaxonomyError: the file can't be read or is no valid taxonomy; names the file,
            the line where the format has lines, the cause and the remedy.
    """
    suffix = PurePosixPath(path).suffix.lower()
    reader = _READERS.get(suffix)
    if reader is None:
        raise TaxonomyError(
            f"{path}: label files end in {', '.join(_READERS)}, not {suffix or 'nothing'!r}: "
            "rename the file after its format."
        )
    rows = reader(_read_text(path), path)
    if not rows:
        raise TaxonomyError(f"{path}: there are no labels in this file: write at least one name.")
    return assemble(rows, known=known, create_parents=create_parents)


def _read_text(path: str) -> str:
    """The file as text, without a byte order mark, each line ended by a line feed."""
    content = _read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TaxonomyError(
            f"{path}, line {line}: this is no UTF-8: save the file as UTF-8 text."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_bytes(path: str) -> bytes:
    try:
        if "://" not in path:
            return Path(path).read_bytes()
        import fsspec

        with fsspec.open(path, "rb") as file:
            return bytes(file.read())
    except ImportError as error:
        raise TaxonomyError(
            f"{path}: this kind of address needs a package that is not installed ({error}): "
            "install it, or fetch the file first."
        ) from error
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise TaxonomyError(
            f"{path}: the label file can't be read ({cause}): check the path and its permissions."
        ) from error
