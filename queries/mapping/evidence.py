"""What speaks for a pair of labels, as numbers; pure.

Each pair of a label and a candidate has a row of evidence. Its weighted sum is a logit, and a
softmax over a label's candidates is the score: a conditional logit model (McFadden 1974,
"Conditional logit analysis of qualitative choice behavior"). The last candidate is "none of them".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from indexer.core.records import BoolArray, FloatArray, IndexArray
from queries.mapping.lexical import Sparse, Texts, pair_products
from queries.mapping.trees import LabelTree

NAMES = (
    "letters",
    "words",
    "same_name",
    "own_words",
    "other_words",
    "path_words",
    "parent_letters",
    "extra_depth",
    "missing_depth",
    "below_parents",
    "as_parent",
    "nothing",
    "nothing_as_parent",
    "items",
)
"""The columns of evidence.

``letters``, ``words``: cosines of the names. ``own_words``: the share of the label's name that is
in the candidate's path; ``other_words``: the share of the candidate's name that is in the label's
path. ``below_parents``, ``as_parent``: how likely the parent's counterpart is above the candidate,
or is the candidate. ``nothing``: the candidate is "none of them".
"""
_PLACE = {name: place for place, name in enumerate(NAMES)}

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "letters": 3.3,
        "words": 1.4,
        "same_name": 2.6,
        "own_words": 1.4,
        "other_words": 2.4,
        "path_words": 4.5,
        "parent_letters": 1.0,
        "extra_depth": 0.2,
        "missing_depth": -0.6,
        "below_parents": 2.2,
        "as_parent": 3.9,
        "nothing": 5.2,
        "nothing_as_parent": 0.0,
        "items": 10.0,
    }
)
"""Shares of .6 of the weights that ``benchmarks/quality/mapping.py`` fits, and .4 of a first guess
that counts letters more: taxonomies of one family share words, which a fit leans on. The share was
chosen by eye among 0, .3, .6 and 1, with the fitted halves and fashion's article types against LVIS
in view; on fashion the guess alone was better (94.3% against 88.6%). ``items``: of 4 to 30 the one
with the most article types of fashion right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parents:
    """The likeliest counterparts of the parents of some labels.

    Attributes:
        places: int64 (n, k), of the target; -1 for none.
        scores: float32 (n, k); zero where the label is a root.
        nothing: float32 (n,), how likely the parent has none.
    """

    places: IndexArray
    scores: FloatArray
    nothing: FloatArray


class Comparison:
    """Two taxonomies whose labels are compared.

    Args:
        source: whose labels are mapped.
        target: whose labels they are mapped to.
        source_texts: as ``texts_of`` gives them.
        target_texts: likewise.
    """

    def __init__(
        self, source: LabelTree, target: LabelTree, source_texts: Texts, target_texts: Texts
    ) -> None:
        self.source, self.target = source, target
        self._ours, self._theirs = source_texts, target_texts
        self._our_names = source_texts.words[source_texts.starts[:-1]]
        self._their_names = target_texts.words[target_texts.starts[:-1]]
        self._our_shares, self._their_shares = map(_squares, (self._our_names, self._their_names))
        self._in_our_paths, self._in_their_paths = map(
            _ones, (source_texts.paths, target_texts.paths)
        )
        self._numbers = _numbered(source_texts.names, target_texts.names)

    def evidence(self, labels: IndexArray, candidates: IndexArray, parents: Parents) -> FloatArray:
        """The evidence for each candidate of some labels, and last for "none of them".

        Args:
            labels: int64 (n,), places of the source.
            candidates: int64 (n, c), places of the target; -1 where there are fewer.
            parents: of the labels' parents.

        Returns:
            float32 (n, c + 1, e), in the order of ``NAMES``; zeros for the places -1.
        """
        count, width = candidates.shape
        evidence = np.zeros((count, width + 1, len(NAMES)), dtype=np.float32)
        valid = candidates >= 0
        rows, columns = np.repeat(labels, width)[valid.ravel()], candidates[valid]
        for name, values in self._text_evidence(rows, columns).items():
            evidence[:, :width, _PLACE[name]][valid] = values
        gaps = self.target.depths[columns] - self.source.depths[rows]
        evidence[:, :width, _PLACE["extra_depth"]][valid] = np.maximum(gaps, 0)
        evidence[:, :width, _PLACE["missing_depth"]][valid] = np.maximum(-gaps, 0)
        below, equal = self._of_parents(candidates, parents)
        evidence[:, :width, _PLACE["below_parents"]] = np.where(valid, below, 0)
        evidence[:, :width, _PLACE["as_parent"]] = np.where(valid, equal, 0)
        evidence[:, width, _PLACE["nothing"]] = 1
        evidence[:, width, _PLACE["nothing_as_parent"]] = parents.nothing
        return evidence

    def _text_evidence(self, rows: IndexArray, columns: IndexArray) -> dict[str, FloatArray]:
        """The evidence of texts for pairs of labels, by name."""
        ours, theirs = self._ours, self._theirs
        letters, same = self._best_of_names(rows, columns)
        return {
            "letters": letters,
            "words": pair_products(self._our_names, self._their_names, rows, columns),
            "same_name": same,
            "own_words": pair_products(self._our_shares, self._in_their_paths, rows, columns),
            "other_words": pair_products(self._their_shares, self._in_our_paths, columns, rows),
            "path_words": pair_products(ours.paths, theirs.paths, rows, columns),
            "parent_letters": pair_products(ours.parents, theirs.parents, rows, columns),
        }

    def _best_of_names(
        self, rows: IndexArray, columns: IndexArray
    ) -> tuple[FloatArray, FloatArray]:
        """The likest two of the names and synonyms of each pair: their cosine, and if the same."""
        ours, theirs = self._ours, self._theirs
        our_counts = np.diff(ours.starts)[rows]
        their_counts = np.diff(theirs.starts)[columns]
        # Each name of one with each of the other: ``number`` counts the combinations of a pair.
        combinations = our_counts * their_counts
        pairs = np.repeat(np.arange(len(rows)), combinations)
        ends = np.cumsum(combinations)
        number = np.arange(len(pairs)) - np.repeat(ends - combinations, combinations)
        our_rows = ours.starts[rows][pairs] + number // their_counts[pairs]
        their_rows = theirs.starts[columns][pairs] + number % their_counts[pairs]
        products = pair_products(ours.letters, theirs.letters, our_rows, their_rows)
        our_numbers, their_numbers = self._numbers
        same = our_numbers[our_rows] == their_numbers[their_rows]
        if not len(rows):
            return products, products
        first = ends - combinations
        return (
            np.maximum.reduceat(products, first),
            np.logical_or.reduceat(same, first).astype(np.float32),
        )

    def _of_parents(
        self, candidates: IndexArray, parents: Parents
    ) -> tuple[FloatArray, FloatArray]:
        """How likely the parent's counterpart is above each candidate, and is the candidate."""
        below = np.zeros(candidates.shape, dtype=np.float32)
        equal = np.zeros(candidates.shape, dtype=np.float32)
        for places, scores in zip(parents.places.T, parents.scores.T, strict=True):
            weight = np.where(places >= 0, scores, 0)[:, np.newaxis]
            counterparts = places[:, np.newaxis]
            below += weight * self.target.is_below(candidates, counterparts)
            equal += weight * (candidates == counterparts)
        return below, equal


def logits(evidence: FloatArray, valid: BoolArray, weights: Mapping[str, float]) -> FloatArray:
    """float32 (n, c): the weighted sums of evidence; minus infinity where not valid."""
    sums = evidence @ np.array([weights[name] for name in NAMES], dtype=np.float32)
    return np.where(valid, sums, -np.inf).astype(np.float32)


def column(evidence: FloatArray, name: str) -> FloatArray:
    """One column of evidence, of any shape but for the last axis."""
    return np.asarray(evidence[..., _PLACE[name]])


def set_column(evidence: FloatArray, name: str, values: FloatArray) -> None:
    """Fill a column of the evidence for candidates.

    Args:
        evidence: float32 (n, c + 1, e).
        values: float32 (n, c).
    """
    evidence[:, :-1, _PLACE[name]] = values


def _squares(names: Sparse) -> Sparse:
    """The share of each word in a name: the squares of TF-IDF values of length 1."""
    return names.multiply(names).tocsr()


def _ones(paths: Sparse) -> Sparse:
    """1 for each word that a path has."""
    marks = paths.copy()
    marks.data[:] = 1
    return marks


def _numbered(*sides: tuple[str, ...]) -> list[IndexArray]:
    """Numbers for the texts of some lists; equal texts have equal ones."""
    numbers: dict[str, int] = {}
    return [
        np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)
        for texts in sides
    ]
