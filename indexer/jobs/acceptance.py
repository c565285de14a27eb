"""Whether a filled generation may take the place of the one before it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from indexer.catalog.fingerprints import require_same
from indexer.catalog.opened import Catalog
from indexer.catalog.sampling import sampled_vectors
from indexer.core.errors import CatalogError
from indexer.core.layout import VectorType
from indexer.core.records import FloatArray
from indexer.core.retries import deadline, patiently
from indexer.labels.head import Head, adapted, plain

SAMPLE_QUERIES = 64
NEIGHBOURS = 10
MIN_RECALL = 0.9
"""Below it the index is not what it should be: HNSW as it is built here finds 0.99 and more."""

TIES = {VectorType.FLOAT32: 1e-4, VectorType.FLOAT16: 1e-3}
"""Similarities that differ by less are one: Milvus adds up in another order, and rounds both
vectors where it stores float16, which moves a similarity by up to 2 ** -11 of itself for each."""

COMPARED_ITEMS = 20_000
SHOWN_CHANGES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Items whose best label is another by the new model."""

    before: str
    after: str
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two generations label alike, by the pictures' or texts' vectors alone.

    Attributes:
        items: that were compared.
        share: of them whose best label is the same.
        changes: the most frequent ones, the most frequent first.
    """

    items: int
    share: float
    changes: tuple[Change, ...]


def unembedded(old: Catalog, new: Catalog) -> Counter[str]:
    """How many items of the old generation are dead letters of the new one, by reason."""
    reasons = {letter.item.item_id: str(letter.reason) for letter in new.dead_letters.all()}
    known = old.ledger.find([*reasons])
    there = new.ledger.find([*known])
    return Counter(reasons[item_id] for item_id in known if item_id not in there)


def check_counts(old: Catalog, new: Catalog, max_dead: float) -> None:
    """Every item of the old generation is in the new one, or is a dead letter of it.

    Args:
        max_dead: the largest share of items that may be dead letters.

    Raises:
        CatalogError: names what is missing and the remedy.
    """
    total, there, stored = old.ledger.count(), new.ledger.count(), new.items.count()
    dead = sum(unembedded(old, new).values())
    if there + dead != total or stored != there:
        raise CatalogError(
            f"the new generation of catalog {old.folder.name!r} has {there:,} items and {dead:,} "
            f"dead letters for {total:,} items, and the database {stored:,} rows: they do not add "
            "up. Nothing was swapped: run the same command again."
        )
    if dead > max_dead * total:
        raise CatalogError(
            f"{dead:,} of {total:,} items can't be embedded anew ({dead / total:.1%}; their "
            f"reasons are in {new.folder.dead_letters}). Nothing was swapped: bring their sources "
            f"back and run the same command again, or allow it with --max-dead {dead / total:.3f}"
        )


def check_model(new: Catalog) -> None:
    """The collections carry the fingerprint of the model at hand.

    Raises:
        ModelMismatchError: they do not.
        CatalogError: the labels are not those of the generation.
    """
    stored = new.database.fingerprint(new.folder.name, new.folder.number)
    require_same(stored, new.encoder.fingerprint, catalog=new.folder.name)
    new.labels  # noqa: B018 - compares what is stored with the label set


def warm(new: Catalog) -> None:
    """Search items and labels once; waits where the database is not ready for it.

    A server goes over from the segments that it fills to those that it has sealed after each
    flush; the first search after the last one must not be a reader's.

    Raises:
        StoreUnavailableError: it did not become ready.
    """
    items, labels = sampled_vectors(new, SAMPLE_QUERIES)[:1], new.label_set.vectors[:1]
    queries = np.pad(labels, ((0, 0), (0, 1)))
    if len(items):
        patiently(lambda: new.items.search(items, limit=NEIGHBOURS), gives_up=deadline())
    if len(queries):
        patiently(lambda: new.labels.search(queries, limit=NEIGHBOURS), gives_up=deadline())


def recall_of_sample(catalog: Catalog) -> float:
    """Recall@10 of searches in the database against exact ones of the archive.

    A sample of the items' own vectors are the queries. Exact neighbours of equal
    similarity count as one another.

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
    wanted = np.isfinite(exact).sum(axis=1)
    layout = catalog.database.layout(catalog.folder.name, catalog.folder.number)
    tie = TIES[layout.vector_type or VectorType.FLOAT32]
    found = catalog.items.search(queries, limit=NEIGHBOURS)
    right = [
        sum(hit.similarity >= low - tie for hit in hits)
        for hits, low in zip(found, lowest, strict=True)
    ]
    recall = float(np.sum(np.minimum(right, wanted)) / wanted.sum())
    if recall < MIN_RECALL:
        raise CatalogError(
            f"searches of the new generation of catalog {catalog.folder.name!r} find "
            f"{recall:.1%} of the nearest {NEIGHBOURS} items: its index is not whole. Nothing was "
            "swapped: run the same command again; --index FLAT searches exactly."
        )
    return recall


def agreement(old: Catalog, new: Catalog) -> Agreement | None:
    """How far the best labels of two generations agree; None with fewer than two labels.

    Each generation labels by its own head, adapted where it was; a sample of every n-th
    item where there are many.
    """
    before, after = _head(old), _head(new)
    if before is None or after is None:
        return None
    every = -(-max(new.ledger.count(), 1) // COMPARED_ITEMS)
    items, changes = 0, Counter[tuple[str, str]]()
    for shard in new.archive.shards():
        rows = new.ledger.live_rows(shard)[::every]
        ids = new.archive.table(shard, ["item_id"]).column("item_id").take(rows).to_pylist()
        places = old.ledger.find(ids)
        both = [place for place, item_id in enumerate(ids) if item_id in places]
        if both:
            known = [places[ids[one]] for one in both]
            then = np.stack([old.archive.vector(place.shard, place.row) for place in known])
            now = new.archive.vectors(shard)[rows[both]]
            changes.update(zip(_best(before, then), _best(after, now), strict=True))
            items += len(both)
    same = sum(count for (one, other), count in changes.items() if one == other)
    most = [
        Change(before=one, after=other, items=count)
        for (one, other), count in changes.most_common()
        if one != other
    ]
    return Agreement(
        items=items, share=same / items if items else 1.0, changes=tuple(most[:SHOWN_CHANGES])
    )


def _best(head: Head, vectors: FloatArray) -> list[str]:
    scores = head.queries(vectors) @ head.matrix.T
    return [head.labels.labels[row].label_id for row in scores.argmax(axis=1)]


def _head(catalog: Catalog) -> Head | None:
    leaves = catalog.label_set.leaves
    if len(leaves) < 2:
        return None
    if catalog.adaptation is None:
        return plain(leaves, catalog.fingerprint.logit_scale)
    return adapted(leaves, catalog.adaptation)
