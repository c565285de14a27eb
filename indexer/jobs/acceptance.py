"""The checks that a new generation must pass before it becomes the current one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from indexer.catalog.fingerprints import require_same
from indexer.catalog.item_vectors import mean_vectors_of_items
from indexer.catalog.opening import OpenCatalog
from indexer.catalog.sampling import sampled_vectors
from indexer.core.errors import CatalogError
from indexer.core.layout import VectorType
from indexer.core.records import FloatArray
from indexer.core.retries import deadline, patiently
from indexer.labels.head import Head, adapted_or_plain

# 640 neighbours: the standard error of a recall of 0.9 is about 0.01.
SAMPLE_QUERIES = 64
NEIGHBOURS = 10
MIN_RECALL = 0.9
"""Below it the index is broken: HNSW with the parameters used here has a recall of 0.99 or more."""

TIES = {VectorType.FLOAT32: 1e-4, VectorType.FLOAT16: 1e-3}
"""Similarities that differ by less count as equal: Milvus sums in another order, and where it
stores float16 it rounds both vectors, each by a relative error of up to 2 ** -11."""

# A sample spread over the archive: its share is exact to about half a percent.
COMPARED_ITEMS = 20_000
SHOWN_CHANGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Items whose best label differs between the two models."""

    before: str
    after: str
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement of two generations' best labels, by the items' own vectors (no titles).

    Attributes:
        items: number of compared items.
        share: share of them with the same best label.
        changes: the most frequent changes, most frequent first.
    """

    items: int
    share: float
    changes: tuple[Change, ...]


def unembedded(old: OpenCatalog, new: OpenCatalog) -> Counter[str]:
    """How many items of the old generation are dead letters of the new one, by reason."""
    reasons = {letter.item.item_id: str(letter.reason) for letter in new.dead_letters.all()}
    stored_before = old.ledger.find([*reasons])
    stored_now = new.ledger.find([*stored_before])
    return Counter(reasons[item_id] for item_id in stored_before if item_id not in stored_now)


def check_counts(old: OpenCatalog, new: OpenCatalog, max_dead: float) -> None:
    """Check that every item of the old generation is in the new one or a dead letter of it.

    Args:
        max_dead: the largest share of items that may be dead letters.

    Raises:
        CatalogError: names what is missing and the remedy.
    """
    total, embedded, stored = old.ledger.count(), new.ledger.count(), new.items.count()
    dead = sum(unembedded(old, new).values())
    if embedded + dead != total or stored != embedded:
        raise CatalogError(
            f"the new generation of catalog {old.folder.name!r} has {embedded:,} rows and "
            f"{dead:,} dead letters for {total:,} rows, and the database {stored:,}: they "
            "do not add up. Nothing was swapped: run the same command again."
        )
    if dead > max_dead * total:
        raise CatalogError(
            f"{dead:,} of {total:,} rows can't be embedded again ({dead / total:.1%}; their "
            f"reasons are in {new.folder.dead_letters}). Nothing was swapped: bring their sources "
            f"back and run the same command again, or allow it with --max-dead {dead / total:.3f}"
        )


def check_model(new: OpenCatalog) -> None:
    """Check that the collections carry the fingerprint of the loaded model.

    Raises:
        ModelMismatchError: they do not.
        CatalogError: the labels are not those of the generation.
    """
    stored = new.database.fingerprint(new.folder.name, new.folder.number)
    require_same(stored, new.encoder.fingerprint, catalog=new.folder.name)
    for at_set in new.sets:
        at_set.labels  # noqa: B018 - compares what is stored with the label set


def warm(new: OpenCatalog) -> None:
    """Search items and labels once, and wait until the database is ready for it.

    After each flush a server switches from growing segments to sealed ones; the first search
    after the switch is slow, and must not be a reader's.

    Raises:
        StoreUnavailableError: it did not become ready.
    """
    items, labels = sampled_vectors(new, SAMPLE_QUERIES)[:1], new.label_set.vectors[:1]
    queries = np.pad(labels, ((0, 0), (0, 1)))
    if len(items):
        patiently(lambda: new.items.search(items, limit=NEIGHBOURS), gives_up=deadline())
    if len(queries):
        patiently(lambda: new.labels.search(queries, limit=NEIGHBOURS), gives_up=deadline())


def recall_of_sample(catalog: OpenCatalog) -> float:
    """Recall@10 of searches in the database against exact search in the archive.

    The queries are vectors of a sample of the items. Neighbours of equal similarity count as the
    same.

    Raises:
        CatalogError: it is below ``MIN_RECALL``.
    """
    queries = sampled_vectors(catalog, SAMPLE_QUERIES)
    if not len(queries):
        return 1.0
    exact = np.full((len(queries), NEIGHBOURS), -np.inf, dtype=np.float32)
    for shard in catalog.ledger.shards():
        vectors = catalog.archive.vectors(shard)[catalog.ledger.live_rows(shard)]
        best = np.concatenate([exact, queries @ vectors.T], axis=1)
        exact = -np.partition(-best, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
    lowest = exact.min(axis=1, where=np.isfinite(exact), initial=np.inf)
    expected_hits = np.isfinite(exact).sum(axis=1)
    layout = catalog.database.layout(catalog.folder.name, catalog.folder.number)
    tie = TIES[layout.vector_type or VectorType.FLOAT32]
    results = catalog.items.search(queries, limit=NEIGHBOURS)
    correct = [
        sum(hit.similarity >= low - tie for hit in hits)
        for hits, low in zip(results, lowest, strict=True)
    ]
    recall = float(np.sum(np.minimum(correct, expected_hits)) / expected_hits.sum())
    if recall < MIN_RECALL:
        raise CatalogError(
            f"searches of the new generation of catalog {catalog.folder.name!r} find "
            f"{recall:.1%} of the nearest {NEIGHBOURS} items: its index is not whole. Nothing was "
            "swapped: run the same command again; --index FLAT searches exactly."
        )
    return recall


def agreement(old: OpenCatalog, new: OpenCatalog) -> Agreement | None:
    """Agreement of the best labels of two generations; None with fewer than two labels.

    Each generation uses its own head, with its adaptation; an item of several rows has the mean
    of their vectors. Large catalogs are sampled.
    """
    old_head, new_head = _head(old), _head(new)
    if old_head is None or new_head is None:
        return None
    stride = -(-max(new.ledger.item_count(), 1) // COMPARED_ITEMS)
    sampled: list[str] = []
    for items in new.ledger.items():
        row_ids = new.archive.table(items.shard, ["item_id"]).column("item_id").take(items.rows)
        sampled += items.item_ids(row_ids).to_pylist()[::stride]
    old_means = mean_vectors_of_items(old.archive, old.ledger.parts, sampled)
    shared = list(old_means.places)
    new_means = mean_vectors_of_items(new.archive, new.ledger.parts, shared)
    changes = Counter(
        zip(_best(old_head, old_means.vectors), _best(new_head, new_means.vectors), strict=True)
    )
    unchanged = sum(
        count for (old_label, new_label), count in changes.items() if old_label == new_label
    )
    differing = [
        Change(before=old_label, after=new_label, items=count)
        for (old_label, new_label), count in changes.most_common()
        if old_label != new_label
    ]
    return Agreement(
        items=len(shared),
        share=unchanged / len(shared) if shared else 1.0,
        changes=tuple(differing[:SHOWN_CHANGES]),
    )


def _best(head: Head, vectors: FloatArray) -> list[str]:
    scores = head.queries(vectors) @ head.matrix.T
    return [head.labels.labels[row].label_id for row in scores.argmax(axis=1)]


def _head(catalog: OpenCatalog) -> Head | None:
    leaves = catalog.label_set.leaves
    if len(leaves) < 2:
        return None
    return adapted_or_plain(leaves, catalog.adaptation, catalog.fingerprint.logit_scale)
