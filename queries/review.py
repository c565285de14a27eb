"""Which labels a person should look at first, and what becomes of what they say."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from indexer import taxonomy
from indexer.build import Catalog
from indexer.corrections import Correction, CorrectionFile, Verdict
from indexer.decisions import DecisionFiles
from indexer.errors import CatalogError
from indexer.protocols import Decision
from indexer.records import Label
from queries.judgement.calibration import Status

CONFIRMED = "confirmed"
"""Status of an item whose label a person has looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An item whose label is not sure."""

    item_id: str
    label_id: str
    label: str
    score: float
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryCount:
    """How many items have a label, and how many of them were looked at."""

    label_id: str
    label: str
    items: int
    mean_score: float
    statuses: dict[str, int]


def queue(catalog: Catalog, *, limit: int, offset: int = 0) -> tuple[list[Doubt], int]:
    """The doubtful and unknown items that nobody has looked at, the least sure first.

    Labelling what the model is least sure of teaches it most (uncertainty sampling: Lewis
    and Gale, "A Sequential Algorithm for Training Text Classifiers", 1994).

    Returns:
        A page of them, and how many there are.
    """
    seen = CorrectionFile(catalog.folder.root).all()
    doubts = [
        Doubt(
            item_id=one.item_id,
            label_id=one.label_id,
            label=one.label,
            score=one.score,
            status=one.status,
        )
        for one in _decisions(catalog)
        if one.item_id not in seen and one.status != Status.ACCEPTED
    ]
    doubts.sort(key=lambda one: (one.score, one.item_id))
    return doubts[offset : offset + limit], len(doubts)


def categories(catalog: Catalog) -> list[CategoryCount]:
    """How the items spread over the labels, the most frequent first."""
    scores: dict[str, list[float]] = {}
    names: dict[str, str] = {}
    statuses: dict[str, Counter[str]] = {}
    for one in _decisions(catalog):
        scores.setdefault(one.label_id, []).append(one.score)
        names[one.label_id] = one.label
        statuses.setdefault(one.label_id, Counter())[one.status] += 1
    counts = [
        CategoryCount(
            label_id=label_id,
            label=names[label_id],
            items=len(found),
            mean_score=float(np.mean(found)),
            statuses=dict(statuses[label_id]),
        )
        for label_id, found in scores.items()
    ]
    return sorted(counts, key=lambda one: (-one.items, one.label))


def correct(
    catalog: Catalog, item_id: str, verdict: Verdict, *, label: str = "", who: str = ""
) -> Correction:
    """Keep what a person said of an item, and give the item that label.

    Args:
        catalog: opened for writing.
        label: id or name of the right label, for ``CORRECTED``.
        who: name of the person or key.

    Raises:
        CatalogError: no such item, or it has no label to accept.
        TaxonomyError: no such label.
    """
    place = catalog.ledger.find([item_id]).get(item_id)
    if place is None:
        raise CatalogError(f"catalog {catalog.folder.name!r} has no item {item_id!r}.")
    files = DecisionFiles(catalog.folder.decisions)
    rows = list(catalog.archive.rows(place.shard))
    kept = files.read(place.shard) or [None] * len(rows)
    before = kept[place.row]
    said = _label(catalog, verdict, label, before)
    decision = _decision(item_id, said)
    correction = Correction(
        item_id=item_id,
        verdict=verdict,
        label_id=decision.label_id,
        before=before.label_id if before else "",
        who=who,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    CorrectionFile(catalog.folder.root).add(correction)
    kept[place.row] = decision
    files.write(place.shard, kept)
    catalog.items.upsert([rows[place.row]], [decision])  # type: ignore[list-item]
    return correction


def said_by_people(catalog: Catalog) -> dict[str, Decision]:
    """What people decided, by item; labels that are gone since are left out."""
    known = catalog.label_set
    found = {}
    for item_id, one in CorrectionFile(catalog.folder.root).all().items():
        place = known.places.get(one.label_id)
        if one.label_id and place is None:
            continue
        found[item_id] = _decision(item_id, None if place is None else known.labels[place])
    return found


def as_csv(catalog: Catalog) -> str:
    """What people said, as ``labels teach`` and ``labels calibrate`` read it: id and label."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(("item_id", "label_id"))
    for one in CorrectionFile(catalog.folder.root).all().values():
        if one.label_id:
            writer.writerow((one.item_id, one.label_id))
    return stream.getvalue()


def _label(catalog: Catalog, verdict: Verdict, label: str, before: Decision | None) -> Label | None:
    if verdict is Verdict.REJECTED:
        return None
    known = catalog.label_set
    if verdict is Verdict.CORRECTED:
        (label_id,) = taxonomy.resolve(known.labels, [label])
        return known.labels[known.places[label_id]]
    if before is None or not before.label_id:
        raise CatalogError(
            "the item has no label to accept: categorize with write-back, or correct it."
        )
    return known.labels[known.places[before.label_id]]


def _decision(item_id: str, label: Label | None) -> Decision:
    """A person is sure; without a label it is none of them."""
    if label is None:
        return Decision(item_id=item_id, label_id="", label="", score=0.0, status=CONFIRMED)
    return Decision(
        item_id=item_id, label_id=label.label_id, label=label.name, score=1.0, status=CONFIRMED
    )


def _decisions(catalog: Catalog) -> Iterator[Decision]:
    """Decisions on the items as they are now."""
    files = DecisionFiles(catalog.folder.decisions)
    for shard in catalog.archive.shards():
        live = catalog.ledger.live_rows(shard)
        if not live.size:
            continue
        kept = files.read(shard)
        for row in live.tolist() if kept else []:
            one = kept[row] if kept else None
            if one is not None:
                yield one
