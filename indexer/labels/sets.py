"""The label set of a catalog: taxonomy and prompts to vectors.

A label's vector is the normalised mean of its prompts' vectors (prompt ensembling in
embedding space: Radford et al. 2021, arXiv:2103.00020, section 3.1.4).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from indexer.core.errors import TaxonomyError
from indexer.core.records import EmbeddedLabel, FloatArray, Label
from indexer.core.vectors import normalise, problems
from indexer.core.watch import Watch
from indexer.labels.prompt_sets import PromptSet, assemble, no_prompts
from indexer.labels.prompts import prompts_for, prompts_hash

EmbedTexts = Callable[[Sequence[str]], FloatArray]

# Many batches at once, since the encoder sorts texts by length into its batches.
_TEXTS_AT_ONCE = 2048


@dataclass(frozen=True)
class LabelSet:
    """All labels of a catalog with their vectors, in order.

    Attributes:
        labels: n labels.
        definitions: n hashes of what each vector came from.
        vectors: float32 (n, d), rows of length 1.
        templates: of the prompts that were embedded last; vectors that were given have none.
    """

    labels: tuple[Label, ...]
    definitions: tuple[str, ...]
    vectors: FloatArray
    templates: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def version(self) -> str:
        """Hash of everything in the set: equal sets have equal versions."""
        digest = hashlib.blake2b(digest_size=16)
        for label in self.labels:
            digest.update(json.dumps(columns(label)).encode())
        digest.update("".join(self.definitions).encode())
        # Vectors that are given change without a word of their label.
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

    @cached_property
    def leaves(self) -> LabelSet:
        """The labels that have no children, in order."""
        leaf_ids = [label.label_id for label in self.labels if label.label_id not in self.parents]
        return self if len(leaf_ids) == len(self) else self.subset(leaf_ids)

    def rows(self, vectors: FloatArray) -> Iterator[EmbeddedLabel]:
        """The rows of the ``labels`` collection.

        Args:
            vectors: float32 (n, d + 1), what is stored of each label: ``head.stored_rows``.
        """
        rows = zip(self.labels, self.definitions, vectors, strict=True)
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
            templates=self.templates,
        )

    @cached_property
    def with_synonyms(self) -> bool:
        """Whether synonyms are among the prompts."""
        return any(
            texts is not None and texts != prompts_for(label, self.templates)
            for label in self.labels
            if label.synonyms
            for texts in [self.prompts(label.label_id)]
        )

    def prompts(self, label_id: str) -> tuple[str, ...] | None:
        """The texts that a label's vector is the mean of; None where its vector was given."""
        row = self.places[label_id]
        for synonyms in (False, True):
            texts = prompts_for(self.labels[row], self.templates, synonyms=synonyms)
            if prompts_hash(texts) == self.definitions[row]:
                return texts
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChanges:
    """What an update did to the label set.

    Attributes:
        changed: of the labels that were there, those with other prompts, another vector,
            another path or other words.
        cut_prompts: prompts of the set of which the model reads only the beginning.
        notes: warnings of what the labels lost, and of what names removed ones.
    """

    added: int
    changed: int
    unchanged: int
    removed: int
    embedded_texts: int
    cut_prompts: int = 0
    notes: tuple[str, ...] = ()


def empty(width: int) -> LabelSet:
    """A label set without labels."""
    return LabelSet(labels=(), definitions=(), vectors=np.empty((0, width), dtype=np.float32))


def embed(
    current: LabelSet,
    labels: Sequence[Label],
    *,
    templates: Sequence[str],
    embed_texts: EmbedTexts,
    synonyms: bool = False,
    prompts: PromptSet | None = None,
    watch: Watch = Watch(),
) -> tuple[LabelSet, PromptSet, LabelChanges]:
    """The label set that ``labels`` describe; only new and changed ones are embedded.

    Args:
        current: the set before; vectors of labels that are defined alike are taken over.
        labels: the whole set as it shall be, in order.
        templates: prompt templates, checked.
        embed_texts: texts to float32 (n, d), rows of length 1.
        synonyms: as ``prompts_for`` takes it.
        prompts: of the set before; those of a label that are not there are embedded.
        watch: follows the texts embedded.

    Returns:
        The set, its prompts, and what changed.
    """
    prompts_by_row = [prompts_for(label, templates, synonyms=synonyms) for label in labels]
    definitions = tuple(map(prompts_hash, prompts_by_row))
    width = current.vectors.shape[1]
    vectors, fresh = _reuse_vectors(current, labels, definitions)
    stored_prompts = no_prompts(width) if prompts is None else prompts
    needed = _texts_to_embed(labels, prompts_by_row, set(fresh), stored_prompts)
    sums = np.zeros((len(labels), width), dtype=np.float64)
    texts, halves = list(needed), np.empty((len(needed), width), dtype=np.float16)
    if texts:
        watch.begin("Embedding prompts", len(texts))
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        block = texts[start : start + _TEXTS_AT_ONCE]
        encoded = embed_texts(block)
        # Halves are kept of the prompts; a label is the mean of the full vectors.
        halves[start : start + len(block)] = encoded
        for prompt, vector in zip(block, encoded, strict=True):
            # Several labels may have the same prompt: it is embedded once.
            sums[needed[prompt]] += vector
        watch.advance(len(block))
    vectors[fresh] = normalise(sums[fresh])
    result = LabelSet(tuple(labels), definitions, vectors, tuple(templates))
    places = {text: row for row, text in enumerate(texts)}
    by_label = {
        label.label_id: (label_prompts, halves[[places[text] for text in label_prompts]])
        if stored_prompts.texts_of(label.label_id) != label_prompts
        else (label_prompts, stored_prompts.vectors[stored_prompts.places[label.label_id]])
        for label, label_prompts in zip(labels, prompts_by_row, strict=True)
    }
    ordered = [label.label_id for label in labels]
    changes = _count_changes(current, result, texts=len(texts))
    return result, assemble(by_label, ordered, width), changes


def set_vectors(
    current: LabelSet, labels: Sequence[Label], new_vectors: dict[str, FloatArray]
) -> tuple[LabelSet, LabelChanges]:
    """The label set that ``labels`` describe, with vectors from outside.

    Args:
        current: the set before; labels that ``new_vectors`` lacks keep their vectors.
        labels: the whole set as it shall be, in order.
        new_vectors: float32 (d,) by label id.
    """
    width = current.vectors.shape[1]
    vectors = np.empty((len(labels), width), dtype=np.float32)
    definitions = []
    for row, label in enumerate(labels):
        if label.label_id in new_vectors:
            vector = new_vectors[label.label_id]
            definitions.append(_given_hash(label, vector))
            vectors[row] = normalise(vector)
        else:
            place = current.places[label.label_id]
            definitions.append(current.definitions[place])
            vectors[row] = current.vectors[place]
    result = LabelSet(tuple(labels), tuple(definitions), vectors, current.templates)
    return result, _count_changes(current, result, texts=0)


def read_vectors(path: Path, labels: Sequence[Label], width: int) -> dict[str, FloatArray]:
    """Label vectors of a ``.npy`` file, rows in the order of the label file.

    Raises:
        TaxonomyError: unreadable, or count, width or a value is wrong; names the label.
    """
    label_ids = [label.label_id for label in labels]
    return dict(zip(label_ids, read_rows(path, "label", label_ids, width), strict=True))


def read_rows(path: Path, noun: str, names: Sequence[str], width: int) -> FloatArray:
    """The vectors of some names in a ``.npy`` file, as they are there: (n, d).

    Args:
        noun: what a name is, for errors: a label, a background name.

    Raises:
        TaxonomyError: unreadable, or count, width or a value is wrong; tells the name.
    """
    try:
        block: FloatArray = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise TaxonomyError(f"{noun} vectors {str(path)!r} can't be read: {error}.") from error
    if block.ndim != 2 or len(block) != len(names):
        raise TaxonomyError(
            f"{noun} vectors {str(path)!r} have the shape {block.shape}, and there are "
            f"{len(names)} {noun}s: give one row a {noun}, in the same order."
        )
    for row, cause in problems(block, width).items():
        raise TaxonomyError(
            f"{noun} vectors {str(path)!r}, row {row} ({noun} {names[row]!r}): {cause}."
        )
    return block


def columns(label: Label) -> dict[str, object]:
    """A label as JSON values, for its file and for hashes."""
    return {
        "label_id": label.label_id,
        "name": label.name,
        "parent_id": label.parent_id,
        "description": label.description,
        "path": list(label.path),
        "synonyms": list(label.synonyms),
    }


def _texts_to_embed(
    labels: Sequence[Label],
    prompts_by_row: Sequence[Sequence[str]],
    fresh: set[int],
    stored_prompts: PromptSet,
) -> dict[str, list[int]]:
    """The texts to embed, each once, with the rows of the fresh labels that they describe."""
    needed: dict[str, list[int]] = {}
    for row, (label, label_prompts) in enumerate(zip(labels, prompts_by_row, strict=True)):
        if row in fresh or stored_prompts.texts_of(label.label_id) != label_prompts:
            for prompt in label_prompts:
                rows = needed.setdefault(prompt, [])
                if row in fresh:
                    rows.append(row)
    return needed


def _reuse_vectors(
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
    content = json.dumps(columns(label)).encode() + np.ascontiguousarray(vector).tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _definitions_by_id(labels: LabelSet) -> dict[str, tuple[Label, str]]:
    return {
        label.label_id: (label, definition)
        for label, definition in zip(labels.labels, labels.definitions, strict=True)
    }


def _count_changes(previous: LabelSet, current: LabelSet, *, texts: int) -> LabelChanges:
    old, new = _definitions_by_id(previous), _definitions_by_id(current)
    shared = old.keys() & new.keys()
    changed = sum(old[label_id] != new[label_id] for label_id in shared)
    return LabelChanges(
        added=len(new) - len(shared),
        changed=changed,
        unchanged=len(shared) - changed,
        removed=len(old) - len(shared),
        embedded_texts=texts,
    )
