"""Reads a label file of any format: local, or at an fsspec address."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from indexer.core.delimited import is_unicode, text_of
from indexer.core.errors import TaxonomyError
from indexer.core.object_stores import in_words
from indexer.core.packed import DAMAGE, PACKED
from indexer.core.records import Label
from indexer.labels.taxonomy.assembly import assemble, with_roots
from indexer.labels.taxonomy.lists import read_list
from indexer.labels.taxonomy.markup import read_xml
from indexer.labels.taxonomy.outlines import read_json, read_yaml
from indexer.labels.taxonomy.records import Record, rows_of
from indexer.labels.taxonomy.rows import Row
from indexer.labels.taxonomy.shapes import refuse_templates
from indexer.labels.taxonomy.skos import FORMATS, read_skos
from indexer.labels.taxonomy.tables import is_header, read_csv, read_json_lines

_TEXTS = {
    ".csv": read_csv,
    ".jsonl": read_json_lines,
    ".names": read_list,
    ".ndjson": read_json_lines,
    ".tsv": read_csv,
    ".txt": read_list,
}
_NESTED = {".json": read_json, ".yaml": read_yaml, ".yml": read_yaml}
TABLES = (".xlsx", ".xlsm", ".parquet", ".pq", ".arrow")
"""Tables that are no text; the caller reads them and gives their rows."""

_KNOWLEDGE_GRAPH = re.compile(r"/[mg]/\w+")
_ENDS = (*_TEXTS, *_NESTED, ".xml", *FORMATS)


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The labels of a file.

    Attributes:
        labels: checked, in the order of the file; parents without a row may come last.
        made: ids of the labels without a row, which others name as their parents.
    """

    labels: list[Label]
    made: frozenset[str]


def read_label_file(
    path: str,
    *,
    existing: Sequence[Label] = (),
    create_parents: bool | None = None,
    dataset: str = "",
) -> LabelFile:
    """Labels of a file, checked, in the order of the file.

    Args:
        path: ``.txt`` (names, paths, Google's or Shopify's taxonomy), ``.csv``, ``.tsv``,
            ``.jsonl``, ``.json``, ``.yaml``, ``.xml``, SKOS (``.ttl``, ``.rdf``, ...); a
            local path or an fsspec address; also packed (``.gz``, ``.bz2``, ``.xz``).
        existing: labels that the file may name as parents.
        create_parents: make root labels of missing parents; they come after the labels of
            the file. None does so only where the parent column holds groups (see
            ``assembly.assemble``).
        dataset: the data set to read, where a file has the names of several.

    Raises:
        TaxonomyError: the file can't be read or is no valid taxonomy; names the file,
            the line where the format has lines, the cause and the remedy.
    """
    name = PurePosixPath(path)
    suffix = PurePosixPath(name.stem if name.suffix.lower() in PACKED else name).suffix.lower()
    if suffix not in _ENDS:
        raise TaxonomyError(
            f"{path}: label files end in {', '.join((*_ENDS, *TABLES))}, not "
            f"{suffix or 'nothing'!r}: rename the file after its format."
        )
    return _label_file(_rows(path, suffix, dataset), path, existing, create_parents)


def label_file_of_table(
    table: Iterable[tuple[int, Mapping[str, Any]]],
    path: str,
    *,
    existing: Sequence[Label] = (),
    create_parents: bool | None = None,
) -> LabelFile:
    """Labels of the rows of a table, each with its number and its values by column.

    Raises:
        TaxonomyError: as ``read_label_file``.
    """
    records = [
        Record(fields=values, place=f"{path}, row {number}")
        for number, values in table
        if any(value not in (None, "") for value in values.values())
    ]
    return _label_file(rows_of(records, path, of_table=True), path, existing, create_parents)


def _label_file(
    rows: list[Row], path: str, existing: Sequence[Label], create_parents: bool | None
) -> LabelFile:
    """The labels of a file's rows."""
    if not rows:
        raise TaxonomyError(f"{path}: there are no labels in this file: write at least one name.")
    if all(_KNOWLEDGE_GRAPH.fullmatch(row.name) for row in rows):
        raise TaxonomyError(
            f"{path}: the names are ids such as {rows[0].name!r}, which say nothing to a model: "
            "read the file that has their names (class-descriptions.csv) instead."
        )
    refuse_templates([row.name for row in rows], path)
    labels = assemble(with_roots(rows, existing), existing=existing, create_parents=create_parents)
    written = {row.label_id for row in rows if not row.made}
    made = frozenset(label.label_id for label in labels if label.label_id not in written)
    return LabelFile(labels, made)


def _rows(path: str, suffix: str, dataset: str) -> list[Row]:
    content = _read_bytes(path)
    if suffix in FORMATS:
        return read_skos(content, path, FORMATS[suffix])
    if suffix == ".xml":
        return read_xml(content, path)
    text = _text(content, path)
    # JSON-LD has it at its beginning, and a taxonomy may have many megabytes.
    if suffix == ".json" and '"@context"' in text[:100_000]:
        return read_skos(content, path, "json-ld")
    if reader := _NESTED.get(suffix):
        return reader(text, path, dataset=dataset)
    if suffix in {".txt", ".names"} and (other_reader := _not_a_list(text)):
        return other_reader(text, path)
    return _TEXTS[suffix](text, path)


def _not_a_list(text: str) -> Callable[[str, str], list[Row]] | None:
    """The reader for a table or a printed Python mapping with the name of a list."""
    lines = text.strip().split("\n")
    if (lines[0][:1], lines[-1][-1:]) in {("{", "}"), ("[", "]")}:
        return read_yaml
    return read_csv if is_header(lines[0]) else None


def read_templates(path: str, *, dataset: str = "") -> list[str]:
    """Prompt templates of a file: one a line, a JSON list, or CLIP_benchmark's by data set.

    Raises:
        TaxonomyError: the file can't be read or is neither.
    """
    text = _text(_read_bytes(path), path)
    if not path.lower().endswith(".json"):
        return [line.strip() for line in text.split("\n") if line.strip()]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaxonomyError(f"{path}: this is no JSON that can be read: {error}") from error
    if isinstance(value, dict):
        if not dataset and len(value) == 1:
            dataset = next(iter(value))
        if dataset not in value:
            raise TaxonomyError(
                f"{path}: this file has templates of {len(value)} data sets: "
                f"{', '.join(map(repr, list(value)[:40]))}. Choose one with --dataset."
            )
        value = value[dataset]
    if not isinstance(value, list) or not all(isinstance(template, str) for template in value):
        raise TaxonomyError(f"{path}: write the templates as a list of texts.")
    return value


def _text(content: bytes, path: str) -> str:
    """A file's text, without a byte order mark, each line ended by a line feed."""
    with text_of(io.BytesIO(content)) as stream:
        try:
            text = stream.read()
        except UnicodeError as error:
            raise TaxonomyError(f"{path}: can't be read ({error}): save it as UTF-8.") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not is_unicode(text):
        lines = enumerate(text.split("\n"), 1)
        number = next(number for number, line in lines if not is_unicode(line))
        raise TaxonomyError(
            f"{path}, line {number}: this is no UTF-8: save the file as UTF-8 text."
        )
    return text


def _read_bytes(path: str) -> bytes:
    try:
        unpack = PACKED.get(PurePosixPath(path).suffix.lower())
        if "://" not in path and unpack is None:
            return Path(path).read_bytes()
        import fsspec

        with in_words(path), fsspec.open(path, "rb") as file:
            return bytes(file.read() if unpack is None else unpack(file).read())
    except ImportError as error:
        raise TaxonomyError(
            f"{path}: this kind of address needs a package that is not installed ({error}): "
            "install it, or fetch the file first."
        ) from error
    except (*DAMAGE, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise TaxonomyError(
            f"{path}: the label file can't be read ({cause}): check the path and its permissions."
        ) from error
