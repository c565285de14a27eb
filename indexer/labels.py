"""The label set of a catalog: taxonomy and prompts to vectors, a file a version.

The file is the record, as the archive is for items: Milvus holds the same labels for
search, and a bulk job reads the whole set from here at memory speed. A label's vector
is the normalised mean of its prompts' vectors (prompt ensembling in embedding space:
Radford et al. 2021, arXiv:2103.00020, section 3.1.4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from indexer.archive import replace_durably
from indexer.errors import CatalogError, TaxonomyError
from indexer.prompts import definition_hash, prompts_for
from indexer.records import EmbeddedLabel, FloatArray, Label
from indexer.vectors import normalise, problems

EmbedTexts = Callable[[Sequence[str]], FloatArray]

_TEXTS_AT_ONCE = 2048
_KEPT_VERSIONS = 2


@dataclass(frozen=True)
class LabelSet:
    """All labels of a catalog with their vectors, in order.

    Attributes:
        labels: n labels.
        definitions: n hashes of what each vector came from.
        vectors: float32 (n, d), rows of length 1.
    """

    labels: tuple[Label, ...]
    definitions: tuple[str, ...]
    vectors: FloatArray

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def version(self) -> str:
        """Hash of everything in the set: equal sets have equal versions."""
        digest = hashlib.blake2b(digest_size=16)
        for label in self.labels:
            digest.update(json.dumps(_columns(label)).encode())
        digest.update("".join(self.definitions).encode())
        digest.update(np.ascontiguousarray(self.vectors).tobytes())
        return digest.hexdigest()

    @cached_property
    def places(self) -> dict[str, int]:
        """Row number by label id."""
        return {label.label_id: row for row, label in enumerate(self.labels)}

    @cached_property
    def parents(self) -> frozenset[str]:
        """Ids of the labels that have children."""
        return frozenset(label.parent_id for label in self.labels if label.parent_id)

    def embedded(self) -> Iterator[EmbeddedLabel]:
        """The rows of the ``labels`` collection."""
        rows = zip(self.labels, self.definitions, self.vectors, strict=True)
        for position, (label, definition, vector) in enumerate(rows):
            yield EmbeddedLabel(
                label=label,
                position=position,
                is_leaf=label.label_id not in self.parents,
                definition_hash=definition,
                vector=vector,
            )

    def subset(self, label_ids: Sequence[str]) -> LabelSet:
        """Some of the labels, in the set's order."""
        rows = sorted(self.places[label_id] for label_id in set(label_ids))
        return LabelSet(
            labels=tuple(self.labels[row] for row in rows),
            definitions=tuple(self.definitions[row] for row in rows),
            vectors=self.vectors[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChanges:
    """What an update did to the label set."""

    added: int
    changed: int
    unchanged: int
    removed: int
    embedded_texts: int


def empty(width: int) -> LabelSet:
    """A label set without labels."""
    return LabelSet(labels=(), definitions=(), vectors=np.empty((0, width), dtype=np.float32))


def embed(
    current: LabelSet,
    labels: Sequence[Label],
    *,
    templates: Sequence[str],
    embed_texts: EmbedTexts,
    on_texts: Callable[[int, int], None] = lambda _done, _of: None,
) -> tuple[LabelSet, LabelChanges]:
    """The label set that ``labels`` describe; only new and changed ones are embedded.

    Args:
        current: the set before; vectors of labels that are defined alike are taken over.
        labels: the whole set as it shall be, in order.
        templates: prompt templates, checked.
        embed_texts: texts to float32 (n, d), rows of length 1.
        on_texts: called with the texts embedded so far and their number.
    """
    definitions = tuple(definition_hash(label, templates) for label in labels)
    vectors, fresh = _taken_over(current, labels, definitions)
    texts: dict[str, list[int]] = {}
    for row in fresh:
        for prompt in prompts_for(labels[row], templates):
            texts.setdefault(prompt, []).append(row)
    sums = np.zeros((len(labels), current.vectors.shape[1]), dtype=np.float64)
    prompts = list(texts)
    for start in range(0, len(prompts), _TEXTS_AT_ONCE):
        block = prompts[start : start + _TEXTS_AT_ONCE]
        for prompt, vector in zip(block, embed_texts(block), strict=True):
            sums[texts[prompt]] += vector
        on_texts(start + len(block), len(prompts))
    vectors[fresh] = normalise(sums[fresh])
    result = LabelSet(labels=tuple(labels), definitions=definitions, vectors=vectors)
    return result, _changes(current, result, texts=len(prompts))


def take_vectors(
    current: LabelSet, labels: Sequence[Label], given: dict[str, FloatArray]
) -> tuple[LabelSet, LabelChanges]:
    """The label set that ``labels`` describe, with vectors from outside.

    Args:
        current: the set before; labels that ``given`` lacks keep their vectors.
        labels: the whole set as it shall be, in order.
        given: float32 (d,) by label id.
    """
    width = current.vectors.shape[1]
    vectors = np.empty((len(labels), width), dtype=np.float32)
    definitions = []
    for row, label in enumerate(labels):
        if label.label_id in given:
            vector = given[label.label_id]
            definitions.append(_given_hash(label, vector))
            vectors[row] = normalise(vector)
        else:
            place = current.places[label.label_id]
            definitions.append(current.definitions[place])
            vectors[row] = current.vectors[place]
    result = LabelSet(labels=tuple(labels), definitions=tuple(definitions), vectors=vectors)
    return result, _changes(current, result, texts=0)


def read_vectors(path: Path, labels: Sequence[Label], width: int) -> dict[str, FloatArray]:
    """Label vectors of a ``.npy`` file, rows in the order of the label file.

    Raises:
        TaxonomyError: unreadable, or count, width or a value is wrong; names the label.
    """
    try:
        block = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise TaxonomyError(f"label vectors {str(path)!r} can't be read: {error}.") from error
    if block.ndim != 2 or len(block) != len(labels):
        raise TaxonomyError(
            f"label vectors {str(path)!r} have the shape {block.shape}, and the label file has "
            f"{len(labels)} labels: give one row a label, in the same order."
        )
    for row, cause in problems(block, width).items():
        raise TaxonomyError(
            f"label vectors {str(path)!r}, row {row} (label {labels[row].label_id!r}): {cause}."
        )
    return {label.label_id: vector for label, vector in zip(labels, block, strict=True)}


class LabelFolder:
    """The files of a catalog's label sets; the newest counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, width: int) -> LabelSet:
        """The current label set; empty where there is none.

        Raises:
            CatalogError: the file is damaged (its checksums say so).
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        files = self._files()
        if not files:
            return empty(width)
        try:
            table = pq.read_table(files[-1], page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            raise CatalogError(
                f"label file {str(files[-1])!r} is damaged: {error}. Delete it to go back to the "
                "version before, then add the labels again."
            ) from error
        rows = table.drop_columns(["vector", "definition_hash"]).to_pylist()
        flat = table.column("vector").combine_chunks().flatten()
        return LabelSet(
            labels=tuple(
                Label(**row | {name: tuple(row[name]) for name in ("path", "synonyms")})
                for row in rows
            ),
            definitions=tuple(table.column("definition_hash").to_pylist()),
            vectors=np.array(flat, dtype=np.float32).reshape(len(rows), width),
        )

    def save(self, labels: LabelSet) -> None:
        """Make a label set the current one, durably; a few older ones are kept."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        files = self._files()
        number = 1 + (int(files[-1].stem.removeprefix("labels-")) if files else 0)
        target = self.folder / f"labels-{number:08d}.parquet"
        width = labels.vectors.shape[1]
        columns = [_columns(label) for label in labels.labels]
        table = pa.Table.from_pylist(columns, schema=_schema())
        table = table.append_column("definition_hash", pa.array(labels.definitions, pa.string()))
        flat = pa.array(labels.vectors.ravel(), pa.float32())
        table = table.append_column("vector", pa.FixedSizeListArray.from_arrays(flat, width))
        aside = target.with_suffix(".writing")
        pq.write_table(table, aside, write_page_checksum=True)
        replace_durably(aside, target)
        for old in self._files()[:-_KEPT_VERSIONS]:
            old.unlink()

    def current(self) -> Path | None:
        """The file of the current label set; None where there is none."""
        return self._files()[-1] if self._files() else None

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("labels-*.parquet"))


def _schema() -> object:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("label_id", "name", "parent_id", "description")]
    lists = [(name, pa.list_(pa.string())) for name in ("path", "synonyms")]
    return pa.schema([*texts, *lists])


def _columns(label: Label) -> dict[str, object]:
    return {
        "label_id": label.label_id,
        "name": label.name,
        "parent_id": label.parent_id,
        "description": label.description,
        "path": list(label.path),
        "synonyms": list(label.synonyms),
    }


def _taken_over(
    current: LabelSet, labels: Sequence[Label], definitions: Sequence[str]
) -> tuple[FloatArray, list[int]]:
    """Vectors (n, d) of labels that are defined as before, and the rows that are not."""
    vectors = np.zeros((len(labels), current.vectors.shape[1]), dtype=np.float32)
    fresh = []
    for row, (label, definition) in enumerate(zip(labels, definitions, strict=True)):
        place = current.places.get(label.label_id)
        if place is not None and current.definitions[place] == definition:
            vectors[row] = current.vectors[place]
        else:
            fresh.append(row)
    return vectors, fresh


def _given_hash(label: Label, vector: FloatArray) -> str:
    content = json.dumps(_columns(label)).encode() + np.ascontiguousarray(vector).tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _changes(before: LabelSet, after: LabelSet, *, texts: int) -> LabelChanges:
    old = dict(zip((label.label_id for label in before.labels), before.definitions, strict=True))
    new = dict(zip((label.label_id for label in after.labels), after.definitions, strict=True))
    shared = old.keys() & new.keys()
    changed = sum(old[label_id] != new[label_id] for label_id in shared)
    return LabelChanges(
        added=len(new) - len(shared),
        changed=changed,
        unchanged=len(shared) - changed,
        removed=len(old) - len(shared),
        embedded_texts=texts,
    )
