"""The head: which labels are active, and how a vector becomes their scores; pure.

A zero-shot classifier is one inner product of a query with a row a label. Bulk jobs
take it in memory, single queries by a search in Milvus; both by the same head, so they
decide alike. The plain head is CLIP's own; the adapted one is fitted to a catalog.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.labels.adaptation import TEMPERATURE, Adaptation
from indexer.labels.prompt_sets import PromptSet
from indexer.labels.sets import LabelSet

Queries = Callable[[FloatArray], FloatArray]
"""From vectors float32 (n, d) to queries float32 (n, d)."""

Products = TypeVar("Products", FloatArray, npt.NDArray[np.float64])
"""Inner products of n queries, in single or in double precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How labels are scored: ``softmax(scale * [query, 1] . matrix)``.

    Use ``plain``, ``best_prompt`` or ``adapted``.

    Attributes:
        labels: m labels, the active ones, in order; ``labels.vectors`` are their own vectors.
        matrix: float32 (m, d + 1), rows ``[vector, bias]``; where prompts are scored one by
            one, (p, d + 1), those of a label together.
        scale: what inner products are multiplied by before the softmax.
        version: equal heads have equal versions.
        side: from vectors to queries float32 (n, d); None leaves them as they are.
        biased: whether the biases count.
        starts: int64 (m,), the row of each label's first prompt; None where a label is a row.
    """

    labels: LabelSet
    matrix: FloatArray
    scale: float
    version: str
    side: Queries | None = field(default=None, repr=False)
    biased: bool = True
    starts: npt.NDArray[np.int64] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_adapted(self) -> bool:
        """Whether it was fitted to a catalog."""
        return self.side is not None

    def pool(self, products: Products) -> Products:
        """Scores of labels from those of the rows of ``matrix``: each label's best prompt.

        Args:
            products: (n, p), or (n, m) where a label is a row: then they come back as they are.

        Returns:
            (n, m).
        """
        if self.starts is None:
            return products
        best: Products = np.maximum.reduceat(products, self.starts, axis=1)
        return best

    def queries(self, vectors: FloatArray) -> FloatArray:
        """What the rows of ``matrix`` are multiplied with.

        Args:
            vectors: float32 (n, d), rows of length 1, by the catalog's model.

        Returns:
            float32 (n, d + 1): ``[query, 1]``, or ``[query, 0]`` where no bias counts.
        """
        vectors = np.asarray(vectors, dtype=np.float32)
        queries = vectors if self.side is None else self.side(vectors)
        return _with_last(queries, 1.0 if self.biased else 0.0)


def plain(labels: LabelSet, logit_scale: float) -> Head:
    """Cosines at the model's own scale: CLIP's zero-shot classifier.

    Radford et al., "Learning Transferable Visual Models From Natural Language
    Supervision", 2021, arXiv:2103.00020, section 3.1.2.

    Args:
        labels: the active ones.
        logit_scale: of the model.
    """
    return Head(
        labels=labels,
        matrix=_with_last(labels.vectors, 0.0),
        scale=logit_scale,
        version=labels.version,
    )


def best_prompt(labels: LabelSet, prompts: PromptSet, logit_scale: float) -> Head:
    """Each label by its best prompt, as the model has it; no adaptation is fitted to prompts.

    A label whose vector was given is scored by it.

    Args:
        labels: the active ones.
        prompts: of these labels, and maybe of others.
        logit_scale: of the model.

    Raises:
        UsageError: none of the labels has a prompt.
    """
    if not any(label.label_id in prompts.places for label in labels.labels):
        raise UsageError(
            "--prompt-pooling max needs the prompts of the labels, and none are kept: vectors "
            "that were given have none. Add the labels without --vectors, or leave it out."
        )
    blocks = [
        prompts.vectors_of(label.label_id)
        if label.label_id in prompts.places
        else labels.vectors[row : row + 1]
        for row, label in enumerate(labels.labels)
    ]
    ends = np.cumsum([len(block) for block in blocks])
    return Head(
        labels=labels,
        matrix=_with_last(np.concatenate(blocks), 0.0),
        scale=logit_scale,
        version=f"{labels.version}+{prompts.version}",
        starts=np.concatenate([[0], ends[:-1]]).astype(np.int64),
    )


def adapted(labels: LabelSet, adaptation: Adaptation) -> Head:
    """Labels fitted to a catalog.

    Args:
        labels: the active ones, which ``adaptation`` was fitted for.
    """
    return Head(
        labels=labels,
        matrix=np.column_stack([adaptation.vectors, adaptation.biases]),
        scale=1 / (TEMPERATURE * adaptation.spread),
        version=f"{labels.version}+{adaptation.version}",
        side=adaptation.queries,
    )


def adapted_or_plain(labels: LabelSet, adaptation: Adaptation | None, logit_scale: float) -> Head:
    """Labels fitted to a catalog, or as the model has them where there is no adaptation."""
    return plain(labels, logit_scale) if adaptation is None else adapted(labels, adaptation)


def stored_rows(labels: LabelSet, adaptation: Adaptation | None) -> FloatArray:
    """What the ``labels`` collection holds: float32 (n, d + 1), a row for each label.

    Args:
        labels: all labels of the catalog.
        adaptation: of its leaves; inner labels, which no search of leaves meets, stay plain.
    """
    rows = _with_last(labels.vectors, 0.0)
    if adaptation is not None:
        places = [labels.places[label.label_id] for label in labels.leaves.labels]
        rows[places] = adapted(labels.leaves, adaptation).matrix
    return rows


def stored_version(labels: LabelSet, adaptation: Adaptation | None) -> str:
    """The version of what the ``labels`` collection holds; empty for a new one without labels."""
    if not len(labels):
        return ""
    return labels.version if adaptation is None else f"{labels.version}+{adaptation.version}"


def _with_last(rows: FloatArray, value: float) -> FloatArray:
    return np.column_stack([rows, np.full(len(rows), value, dtype=np.float32)])
