"""What the items of a label say of its counterpart: they are scored against the other taxonomy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.fingerprints import require_same
from indexer.catalog.opening import OpenCatalog, open_catalog
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import ModelMismatchError, UsageError
from indexer.core.records import DoubleArray, FloatArray, IndexArray, Label
from indexer.core.watch import Watch
from indexer.jobs.adapt import fit_to
from indexer.labels import prompts
from indexer.labels.head import adapted_or_plain
from indexer.labels.sets import LabelSet, embed, empty
from indexer.labels.taxonomy.rows import PATH_SEPARATOR
from queries.deciding.calibration import Status
from queries.mapping.lexical import Sparse
from queries.mapping.sides import Side
from queries.mapping.trees import LabelTree
from queries.scoring.ranking import rank

MOST_ITEMS = 200
"""Items of a label that vote; more say little new."""

CANDIDATES = 10
"""Leaves that an item votes for, and candidates that a label gets by its items."""

PRIOR_ITEMS = 2
"""Items that are added to a label's own, and vote for nothing: two items alone prove little."""


class ItemVotes:
    """The votes of items, as evidence for pairs of labels.

    The evidence for a pair is the share of the label's items that vote for the counterpart or a
    leaf below it, less the share of the other labels' items that do: else each root would fit.

    Args:
        target: the tree that was voted for.
        votes: float64 (n, m), the probabilities of the target's leaves, summed over the items of
            each label of the source.
        items: int64 (n,), how many there were.
    """

    def __init__(self, target: LabelTree, votes: Sparse, items: IndexArray) -> None:
        self.items = items
        self._target = target
        self._votes = votes.tocsr()
        # In the order of the tree's walk, so that all below a label is one interval of the sums.
        self._all = np.zeros(len(target) + 1)
        totals = np.asarray(votes.sum(axis=0)).ravel()
        np.cumsum(totals[np.argsort(target.first)], out=self._all[1:])

    @property
    def places(self) -> IndexArray:
        """int64 (n, k): the leaves with the most votes, and the labels above the first of them."""
        count = self._votes.shape[0]
        best = np.full((count, 2 * CANDIDATES), -1, dtype=np.int64)
        for place in np.flatnonzero(self.items).tolist():
            leaves, values = self._row(place)
            order = np.argsort(-values, kind="stable")[:CANDIDATES]
            candidates = leaves[order].tolist()
            parent = int(self._target.parents[candidates[0]]) if candidates else -1
            while parent >= 0 and len(candidates) < best.shape[1]:
                candidates.append(parent)
                parent = int(self._target.parents[parent])
            best[place, : len(candidates)] = candidates
        return best

    def values(self, labels: IndexArray, candidates: IndexArray) -> FloatArray:
        """float32 (n, c): the evidence for candidates (n, c) of labels (n,)."""
        result = np.zeros(candidates.shape, dtype=np.float32)
        total = float(self.items.sum())
        first, last = self._target.first[candidates], self._target.last[candidates]
        all_votes = self._all[last] - self._all[first]
        for row, place in enumerate(labels.tolist()):
            items = float(self.items[place])
            if not items:
                continue
            own = self._inside(place, first[row], last[row])
            others = (all_votes[row] - own) / max(total - items, 1.0)
            result[row] = own / (items + PRIOR_ITEMS) - others
        return result

    def _inside(self, place: int, first: IndexArray, last: IndexArray) -> DoubleArray:
        """The votes of a label's items for leaves whose number is in each interval."""
        leaves, values = self._row(place)
        numbers = self._target.first[leaves]
        order = np.argsort(numbers)
        sums = np.concatenate([[0.0], np.cumsum(values[order])])
        ends = np.searchsorted(numbers[order], last), np.searchsorted(numbers[order], first)
        return np.asarray(sums[ends[0]] - sums[ends[1]])

    def _row(self, place: int) -> tuple[IndexArray, DoubleArray]:
        part = slice(self._votes.indptr[place], self._votes.indptr[place + 1])
        return self._votes.indices[part], self._votes.data[part]


def item_votes(
    items: CatalogOptions,
    source: Side,
    target: Side,
    *,
    truth: str | None = None,
    watch: Watch = Watch(),
) -> ItemVotes:
    """What a catalog's items say of a mapping.

    Args:
        items: name the catalog.
        truth: key of the items' metadata that names labels of the source; None takes decisions.
        watch: follows the texts embedded.

    Raises:
        UsageError: no item has a label of the source.
        ModelError: labels of the target have to be embedded, and the model is not there.
    """
    with open_catalog(items) as catalog:
        target_set = _embedded(catalog, target, watch)
        trees = LabelTree.of(source.labels), LabelTree.of(target.labels)
        return count_votes(catalog, *trees, target_set, truth=truth)


def has_labelled_items(options: CatalogOptions, labels: Sequence[Label]) -> bool:
    """Whether items of a catalog have decisions on some of these labels."""
    with open_catalog(options) as catalog:
        return any(len(rows) for _, rows, _ in labelled_rows(catalog, labels, None))


def count_votes(
    catalog: OpenCatalog,
    source: LabelTree,
    target: LabelTree,
    target_set: LabelSet,
    *,
    truth: str | None = None,
) -> ItemVotes:
    """Let the items of each label of the source vote.

    Args:
        catalog: holds the items.
        target_set: the target's labels with vectors by the catalog's model.
        truth: key of the items' metadata with the labels' ids, paths or names; None takes what
            was decided (``categorize --write-back``, people's verdicts).

    Raises:
        UsageError: no item has a label of the source.
    """
    from scipy.sparse import coo_matrix, csr_matrix

    leaves, scale = target_set.leaves, catalog.fingerprint.logit_scale
    head = adapted_or_plain(leaves, fit_to(catalog, leaves), scale)
    places = {label.label_id: place for place, label in enumerate(target.labels)}
    columns = np.array([places[label.label_id] for label in head.labels.labels], dtype=np.int64)
    shape = (len(source), len(target))
    votes, items = csr_matrix(shape), np.zeros(len(source), dtype=np.int64)
    for shard, rows, labels in labelled_rows(catalog, source.labels, truth):
        positions = _below_limit(labels, items)
        if not len(positions):
            continue
        ranking = rank(catalog.archive.vectors(shard)[rows[positions]], head, limit=CANDIDATES)
        width = ranking.labels.shape[1]
        pairs = np.repeat(labels[positions], width), columns[ranking.labels.ravel()]
        votes = votes + coo_matrix((ranking.scores.ravel(), pairs), shape=shape).tocsr()
    if not items.any():
        cause = f"metadata {truth!r}" if truth else "decisions (categorize --write-back)"
        raise UsageError(
            f"no item of catalog {catalog.folder.name!r} has one of the labels by its {cause}: "
            "name the column that has them with --truth, or map by texts alone (--no-items)."
        )
    return ItemVotes(target, votes, items)


def labelled_rows(
    catalog: OpenCatalog, labels: Sequence[Label], truth: str | None
) -> Iterator[tuple[int, IndexArray, IndexArray]]:
    """The items that have one of some labels.

    Yields:
        Shard, rows of it, int64 (n,), and the places of their labels, int64 (n,).
    """
    places = _by_text(labels)
    files = DecisionFiles(catalog.folder.decisions)
    for items in catalog.ledger.items():
        shard, alive = items.shard, items.rows  # an item has one vote, by its first picture
        if truth is not None:
            texts = catalog.archive.table(shard, ["metadata_json"]).column(0).take(alive)
            values: list[Any] = [json.loads(text).get(truth) for text in texts.to_pylist()]
        else:
            table = files.table(shard)
            decided = [] if table is None else table.take(alive).to_pylist()
            values = [
                row["label_id"] if row["status"] != Status.UNKNOWN else None for row in decided
            ]
        label_places = [places.get(str(value), -1) for value in values]
        numbers = np.array(label_places or [-1] * len(alive), dtype=np.int64)
        yield shard, alive[numbers >= 0], numbers[numbers >= 0]


def _by_text(labels: Sequence[Label]) -> dict[str, int]:
    """Places of labels by id, by path, and by names that only one has."""
    texts: dict[str, int] = {}
    for place, label in enumerate(labels):
        texts[label.name] = -1 if label.name in texts else place
    texts |= {PATH_SEPARATOR.join(label.path): place for place, label in enumerate(labels)}
    return texts | {label.label_id: place for place, label in enumerate(labels)}


def _below_limit(labels: IndexArray, items: IndexArray) -> IndexArray:
    """Positions of the items that still count for their label; counts them."""
    positions = []
    for position, label in enumerate(labels.tolist()):
        if items[label] < MOST_ITEMS:
            items[label] += 1
            positions.append(position)
    return np.array(positions, dtype=np.int64)


def _embedded(catalog: OpenCatalog, target: Side, watch: Watch) -> LabelSet:
    """The labels of the target with vectors by the catalog's model."""
    if target.catalog is not None:
        with open_catalog(target.catalog) as target_catalog:
            try:
                require_same(
                    catalog.fingerprint, target_catalog.fingerprint, catalog=catalog.folder.name
                )
            except ModelMismatchError:
                pass  # another model made its vectors: they are made again below
            else:
                return target_catalog.label_set
    encoder = catalog.encoder
    default = prompts.default_templates(encoder.fingerprint.content_kind)
    label_set, _, _ = embed(
        empty(catalog.fingerprint.width),
        target.labels,
        templates=catalog.label_set.templates or default,
        embed_texts=encoder.embed_texts,
        watch=watch,
    )
    return label_set
