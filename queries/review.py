"""Which labels a person should look at first, and what becomes of what they say."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer import taxonomy
from indexer.build import Catalog
from indexer.cells import inert
from indexer.corrections import Correction, CorrectionFile, Verdict
from indexer.decisions import DecisionFiles, columns
from indexer.errors import CatalogError
from indexer.ledger import Place
from indexer.protocols import Decision
from indexer.records import Label
from queries.judgement.calibration import Status

if TYPE_CHECKING:
    import pyarrow as pa

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


class Decided:
    """The decisions on a catalog's items as they are now, kept in memory a shard at a time.

    A shard is read again where its file has changed, or rows of it were replaced. For one
    thread at a time.
    """

    def __init__(self) -> None:
        self._shards: dict[Path, tuple[object, pa.Table]] = {}
        self._corrections: dict[Path, CorrectionFile] = {}

    def queue(self, catalog: Catalog, *, limit: int, offset: int = 0) -> tuple[list[Doubt], int]:
        """The doubtful and unknown items that nobody has looked at, the least sure first.

        Labelling what the model is least sure of teaches it most (uncertainty sampling: Lewis
        and Gale, "A Sequential Algorithm for Training Text Classifiers", 1994).

        Returns:
            A page of them, and how many there are.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = self._rows(catalog)
        seen = pc.is_in(rows["item_id"], pa.array(self.corrections(catalog), pa.string()))
        sure = pc.equal(rows["status"], Status.ACCEPTED.value)
        doubts = rows.filter(pc.invert(pc.or_(seen, sure)))
        first = pc.select_k_unstable(
            doubts,
            k=min(offset + limit, doubts.num_rows),
            sort_keys=[("score", "ascending"), ("item_id", "ascending")],
        )
        page = doubts.take(first[offset:])
        return [Doubt(**row) for row in page.to_pylist()], doubts.num_rows

    def categories(self, catalog: Catalog) -> list[CategoryCount]:
        """How the items spread over the labels, the most frequent first."""
        rows = self._rows(catalog)
        counted = rows.group_by(["label_id", "label", "status"]).aggregate(
            [("score", "sum"), ("score", "count")]
        )
        groups: dict[str, list[dict[str, Any]]] = {}
        for one in counted.to_pylist():
            groups.setdefault(one["label_id"], []).append(one)
        found = [_category(label_id, group) for label_id, group in groups.items()]
        return sorted(found, key=lambda one: (-one.items, one.label))

    def corrections(self, catalog: Catalog) -> dict[str, Correction]:
        """What people said, by item."""
        root = catalog.folder.root
        if root not in self._corrections:
            self._corrections[root] = CorrectionFile(root)
        return self._corrections[root].all()

    def _rows(self, catalog: Catalog) -> pa.Table:
        """Columns of ``Doubt``, a row each item that was categorized."""
        import pyarrow as pa

        files = DecisionFiles(catalog.folder.decisions)
        before, self._shards = self._shards, {}
        with catalog.ledger.snapshot():
            for shard in catalog.ledger.shards():
                path, live = files.folder / str(shard), catalog.ledger.live_rows(shard)
                stamp = files.stamp(shard)
                if stamp is None or not live.size:
                    continue
                state = (stamp, live.size)  # rows of a shard only ever die
                held = before.get(path)
                if held is None or held[0] != state:
                    rows = files.table(shard).take(live)  # type: ignore[union-attr]
                    held = state, rows.filter(rows["item_id"].is_valid())
                self._shards[path] = held
        none = pa.table({name: pa.array([], kind) for name, kind in columns().items()})
        return pa.concat_tables([none, *(rows for _, rows in self._shards.values())])


def _category(label_id: str, group: Sequence[Mapping[str, Any]]) -> CategoryCount:
    """One label from its groups: a row each name and status."""
    statuses: Counter[str] = Counter()
    for one in group:
        statuses[one["status"]] += one["score_count"]
    return CategoryCount(
        label_id=label_id,
        label=group[-1]["label"],
        items=statuses.total(),
        mean_score=sum(one["score_sum"] for one in group) / statuses.total(),
        statuses=dict(statuses),
    )


def keep_verdict(
    catalog: Catalog,
    item_id: str,
    verdict: Verdict,
    *,
    label: str = "",
    seen: str | None = None,
    who: str = "",
) -> Correction:
    """Keep what a person said of an item; ``give_labels`` gives the item that label.

    Args:
        catalog: opened for reading is enough, so that nobody waits for a job.
        label: id or name of the right label, for ``CORRECTED``.
        seen: id of the label that was looked at, for ``ACCEPTED``; None is whatever it is now.
        who: name of the person or key.

    Raises:
        CatalogError: no such item, or it has no label to accept, or another than was seen.
        TaxonomyError: no such label.
    """
    place = _place(catalog, item_id)
    table = DecisionFiles(catalog.folder.decisions).table(place.shard)
    row = None if table is None else table.slice(place.row, 1).to_pylist()[0]
    before = row["label_id"] or "" if row else ""
    if verdict is Verdict.ACCEPTED and seen not in {None, before}:
        raise CatalogError(
            f"item {item_id!r} has another label than the one that was looked at: look again."
        )
    label_id = _label_id(catalog, verdict, label, before)
    correction = Correction(
        item_id=item_id,
        verdict=verdict,
        label_id=label_id,
        before=before,
        who=who,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    CorrectionFile(catalog.folder.root).add(correction)
    return correction


def give_labels(catalog: Catalog, places: Mapping[int, Mapping[int, Decision]]) -> None:
    """Give items the labels that people said.

    Args:
        catalog: opened for writing.
        places: decisions by shard and row, as ``not_given`` has them.
    """
    files = DecisionFiles(catalog.folder.decisions)
    for shard, decisions in places.items():
        rows = list(catalog.archive.rows(shard))
        kept = files.read(shard) or [None] * len(rows)
        for row, decision in decisions.items():
            kept[row] = decision
        items = [rows[row] for row in decisions]
        # The file is last: by it an item that was not reached is found again.
        catalog.items.upsert(items, list(decisions.values()))  # type: ignore[arg-type]
        files.write(shard, kept)


def not_given(
    catalog: Catalog, item_ids: Sequence[str] | None = None
) -> dict[int, dict[int, Decision]]:
    """What people said of items that do not have it yet, such as after a crash.

    Args:
        catalog: opened for reading is enough.
        item_ids: of these items only; None is all.

    Returns:
        Decisions by shard and row. Items that are gone since are left out.
    """
    if not CorrectionFile(catalog.folder.root).all():
        return {}
    said = said_by_people(catalog)
    wanted = said if item_ids is None else said.keys() & set(item_ids)
    by_shard: dict[int, dict[int, Decision]] = {}
    for item_id, place in catalog.ledger.find(sorted(wanted)).items():
        by_shard.setdefault(place.shard, {})[place.row] = said[item_id]
    files = DecisionFiles(catalog.folder.decisions)
    for shard, decisions in by_shard.items():
        table = files.table(shard)
        if table is not None:
            given = dict(zip(decisions, table.take(list(decisions)).to_pylist(), strict=True))
            by_shard[shard] = {
                row: one for row, one in decisions.items() if asdict(one) != given[row]
            }
    return {shard: decisions for shard, decisions in by_shard.items() if decisions}


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
    """What people said, as ``labels teach`` and ``labels calibrate`` read it: id and label.

    Labels that are gone since are left out: ``labels_gone`` counts them.
    """
    known = catalog.label_set.places
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(("item_id", "label_id"))
    for one in CorrectionFile(catalog.folder.root).all().values():
        if one.label_id in known:
            writer.writerow((inert(one.item_id), inert(one.label_id)))
    return stream.getvalue()


def labels_gone(catalog: Catalog) -> int:
    """Items to which people gave a label that is gone since."""
    known = catalog.label_set.places
    said = CorrectionFile(catalog.folder.root).all().values()
    return sum(one.label_id != "" and one.label_id not in known for one in said)


def _place(catalog: Catalog, item_id: str) -> Place:
    place = catalog.ledger.find([item_id]).get(item_id)
    if place is None:
        raise CatalogError(f"catalog {catalog.folder.name!r} has no item {item_id!r}.")
    return place


def _label_id(catalog: Catalog, verdict: Verdict, label: str, before: str) -> str:
    if verdict is Verdict.REJECTED:
        return ""
    if verdict is Verdict.CORRECTED:
        (label_id,) = taxonomy.resolve(catalog.label_set.labels, [label])
        return label_id
    if before not in catalog.label_set.places:
        raise CatalogError(
            "the item has no label to accept: categorize with write-back, or correct it."
        )
    return before


def _decision(item_id: str, label: Label | None) -> Decision:
    """A person is sure; without a label it is none of them."""
    if label is None:
        return Decision(item_id=item_id, label_id="", label="", score=0.0, status=CONFIRMED)
    return Decision(
        item_id=item_id, label_id=label.label_id, label=label.name, score=1.0, status=CONFIRMED
    )
