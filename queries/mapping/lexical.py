"""Labels compared by their texts: letters and words of names, words of paths.

TF-IDF vectors by scikit-learn, of both taxonomies together: a word that many labels have counts
less. Products are taken some rows at a time, so memory stays flat.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.core.records import FloatArray, IndexArray
from queries.mapping.trees import LabelTree
from queries.mapping.words import words

CANDIDATES = 20
"""Labels that each label is compared with in detail. Of Shopify's categories that Google's
taxonomy has under a name of its own, these hold nearly all (docs/mapping.md)."""

_CELLS = 5_000_000
"""Products taken at once: 20 MB of float32."""

_NAME_WORDS, _PATH_WORDS = 0.8, 0.8
"""How much words of names and of paths count beside the letters of names, for candidates."""

_LETTERS = (2, 4)
"""Lengths of the runs of letters that names are compared by."""

Sparse = Any
"""A matrix of scipy.sparse in rows."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a taxonomy as TF-IDF vectors of length 1.

    Attributes:
        starts: int64 (n + 1,), the first row of each label in ``letters`` and ``words``: its name,
            then its synonyms.
        letters: float32 (r, p), runs of letters.
        words: float32 (r, q).
        paths: float32 (n, q), words of the path, the name included.
        parents: float32 (n, p), runs of letters of the parent's name; empty for roots.
        names: the words of each row, as a text.
    """

    starts: IndexArray
    letters: Sparse
    words: Sparse
    paths: Sparse
    parents: Sparse
    names: tuple[str, ...]

    @property
    def owners(self) -> IndexArray:
        """int64 (r,): the label of each row."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def texts_of(source: LabelTree, target: LabelTree) -> tuple[Texts, Texts]:
    """The texts of two taxonomies, as vectors of one space each."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    by_letters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=_LETTERS, sublinear_tf=True, dtype=np.float32
    )
    by_words = TfidfVectorizer(analyzer=str.split, sublinear_tf=True, dtype=np.float32)
    rows = [_rows(tree) for tree in (source, target)]
    paths = [_path_words(tree) for tree in (source, target)]
    by_letters.fit([name for _, names in rows for name in names])
    by_words.fit([text for side in paths for text in side])
    made = []
    for tree, (starts, names), path_words in zip((source, target), rows, paths, strict=True):
        own_names = [names[start] for start in starts[:-1]]
        parents = [own_names[parent] if parent >= 0 else "" for parent in tree.parents]
        made.append(
            Texts(
                starts,
                by_letters.transform(names),
                by_words.transform(names),
                by_words.transform(path_words),
                by_letters.transform(parents),
                tuple(names),
            )
        )
    return made[0], made[1]


def nearest(source: Texts, target: Texts) -> IndexArray:
    """The labels of the target whose texts are nearest to those of each label of the source.

    Returns:
        int64 (n, k): places, in no order; -1 where there are fewer.
    """
    ours, theirs = _joined(source), _joined(target).T.tocsr()
    owners, count = target.owners, len(source.starts) - 1
    limit = min(CANDIDATES, len(target.starts) - 1)
    best = np.full((count, limit), -1, dtype=np.int64)
    labels_at_once = max(1, _CELLS // max(1, theirs.shape[1]))
    for start in range(0, count, labels_at_once):
        stop = min(start + labels_at_once, count)
        rows = slice(source.starts[start], source.starts[stop])
        products = (ours[rows] @ theirs).toarray()
        products = np.maximum.reduceat(products, source.starts[start:stop] - rows.start, axis=0)
        products = _by_label(products, owners, target.starts)
        places = np.argpartition(-products, limit - 1, axis=1)[:, :limit]
        similar = np.take_along_axis(products, places, axis=1) > 0
        best[start:stop] = np.where(similar, places, -1)
    return best


def pair_products(
    ours: Sparse, theirs: Sparse, rows: IndexArray, columns: IndexArray
) -> FloatArray:
    """float32 (p,): inner products of pairs of rows of two matrices, some pairs at a time."""
    products = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _PAIRS):
        part = slice(start, start + _PAIRS)
        pairs = ours[rows[part]].multiply(theirs[columns[part]])
        products[part] = np.asarray(pairs.sum(axis=1)).ravel()
    return products


_PAIRS = 65_536


def _rows(tree: LabelTree) -> tuple[IndexArray, list[str]]:
    """The first row of each label, and the words of its name and synonyms, a text each."""
    names: list[str] = []
    starts = [0]
    for label in tree.labels:
        texts = (" ".join(words(name)) for name in (label.name, *label.synonyms))
        names += dict.fromkeys(texts)
        starts.append(len(names))
    return np.array(starts, dtype=np.int64), names


def _path_words(tree: LabelTree) -> list[str]:
    """The words of each path, each once, as a text."""
    return [
        " ".join(dict.fromkeys(word for name in label.path for word in words(name)))
        for label in tree.labels
    ]


def _joined(texts: Texts) -> Sparse:
    """All texts of each row side by side, so that one product compares them."""
    from scipy.sparse import hstack

    parts = [texts.letters, _NAME_WORDS * texts.words, _PATH_WORDS * texts.paths[texts.owners]]
    return hstack(parts, format="csr", dtype=np.float32)


def _by_label(products: FloatArray, owners: IndexArray, starts: IndexArray) -> FloatArray:
    """The best product of each label's names."""
    if len(owners) == len(starts) - 1:
        return products
    return np.asarray(np.maximum.reduceat(products, starts[:-1], axis=1))
