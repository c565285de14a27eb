"""Verdicts of people on labels: stored, applied to the items, and exported."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from indexer.catalog.corrections import Correction, CorrectionFile, Verdict
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opening import OpenCatalog, refuse_while_migrating
from indexer.catalog.parts import PartRow
from indexer.core.cells import inert
from indexer.core.errors import CatalogError
from indexer.core.protocols import Decision
from indexer.core.records import Label
from indexer.labels import taxonomy

CONFIRMED = "confirmed"
"""Status of an item whose label a person has reviewed."""


def store_verdict(
    catalog: OpenCatalog,
    item_id: str,
    verdict: Verdict,
    *,
    label: str = "",
    seen: str | None = None,
    reviewer: str = "",
) -> Correction:
    """Store a person's verdict on an item; ``apply_verdicts`` gives the item that label.

    Args:
        catalog: opened for reading is enough, so that nobody waits for a job.
        label: id or name of the right label, for ``CORRECTED``.
        seen: id of the label that was looked at, for ``ACCEPTED``; None is whatever it is now.
        reviewer: name of the person or key.

    Raises:
        CatalogError: no such item, or it has no label to accept, or another than was seen; or the
            catalog is moving to other labels.
        TaxonomyError: no such label.
    """
    refuse_while_migrating(catalog.folder)
    place = _lead_row(catalog, item_id)
    table = DecisionFiles(catalog.folder.decisions).table(place.shard)
    row = None if table is None else table.slice(place.row, 1).to_pylist()[0]
    current_label_id = row["label_id"] or "" if row else ""
    if verdict is Verdict.ACCEPTED and seen not in {None, current_label_id}:
        raise CatalogError(
            f"item {item_id!r} has another label than the one that was looked at: look again."
        )
    label_id = _label_id(catalog, verdict, label, current_label_id)
    correction = Correction(
        item_id=item_id,
        verdict=verdict,
        label_id=label_id,
        before=current_label_id,
        who=reviewer,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    CorrectionFile(catalog.folder.corrections).add(correction)
    return correction


def apply_verdicts(catalog: OpenCatalog, by_shard: Mapping[int, Mapping[int, Decision]]) -> None:
    """Give items the labels of their verdicts.

    Args:
        catalog: opened for writing.
        by_shard: decisions by shard and row, as ``pending_verdicts`` has them.
    """
    files = DecisionFiles(catalog.folder.decisions)
    for shard, decisions in by_shard.items():
        rows = list(catalog.archive.rows(shard))
        shard_decisions = files.read(shard) or [None] * len(rows)
        for row, decision in decisions.items():
            shard_decisions[row] = decision
        items = [rows[row] for row in decisions]
        joined = catalog.decisions.read(shard, {catalog.folder.set_name: shard_decisions})
        assert joined is not None
        # The file is written last: after a crash it shows which items still wait.
        catalog.items.upsert(items, [joined[row] for row in decisions])  # type: ignore[arg-type]
        files.write(shard, shard_decisions)


def pending_verdicts(
    catalog: OpenCatalog, item_ids: Sequence[str] | None = None
) -> dict[int, dict[int, Decision]]:
    """Decisions by people that their items do not have yet, such as after a crash.

    Args:
        catalog: opened for reading is enough.
        item_ids: of these items only; None is all.

    Returns:
        Decisions by shard and row, without removed items.
    """
    if not CorrectionFile(catalog.folder.corrections).all():
        return {}
    by_item = reviewed_decisions(catalog)
    wanted_ids = by_item if item_ids is None else by_item.keys() & set(item_ids)
    by_shard: dict[int, dict[int, Decision]] = {}
    for item_id, rows in catalog.ledger.parts.rows_of(sorted(wanted_ids)).items():
        for row in rows:
            decision = replace(by_item[item_id], item_id=row.row_id)
            by_shard.setdefault(row.shard, {})[row.row] = decision
    files = DecisionFiles(catalog.folder.decisions)
    for shard, decisions in by_shard.items():
        table = files.table(shard)
        if table is not None:
            stored = dict(zip(decisions, table.take(list(decisions)).to_pylist(), strict=True))
            changed = [row for row in decisions if decisions[row] != Decision(**stored[row])]
            by_shard[shard] = {row: decisions[row] for row in changed}
    return {shard: decisions for shard, decisions in by_shard.items() if decisions}


def reviewed_decisions(catalog: OpenCatalog) -> dict[str, Decision]:
    """Decisions by people, by item id, without those of removed labels."""
    label_set = catalog.label_set
    decided = {}
    for item_id, correction in CorrectionFile(catalog.folder.corrections).all().items():
        place = label_set.places.get(correction.label_id)
        if correction.label_id and place is None:
            continue
        decided[item_id] = _decision(item_id, None if place is None else label_set.labels[place])
    return decided


def as_csv(catalog: OpenCatalog) -> str:
    """Verdicts as ``labels teach`` and ``labels calibrate`` read them: id and label.

    Those of removed labels are left out: ``count_removed_labels`` counts them.
    """
    label_places = catalog.label_set.places
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(("item_id", "label_id"))
    for correction in CorrectionFile(catalog.folder.corrections).all().values():
        if correction.label_id in label_places:
            writer.writerow((inert(correction.item_id), inert(correction.label_id)))
    return stream.getvalue()


def count_removed_labels(catalog: OpenCatalog) -> int:
    """The number of items to which people gave a label that is removed now."""
    label_places = catalog.label_set.places
    corrections = CorrectionFile(catalog.folder.corrections).all().values()
    return sum(row.label_id != "" and row.label_id not in label_places for row in corrections)


def _lead_row(catalog: OpenCatalog, item_id: str) -> PartRow:
    rows = catalog.ledger.parts.rows_of([item_id]).get(item_id)
    if rows is None:
        hint = catalog.ledger.parts.hint(item_id)
        raise CatalogError(f"catalog {catalog.folder.name!r} has no item {item_id!r}{hint}.")
    return rows[0]


def _label_id(catalog: OpenCatalog, verdict: Verdict, label: str, current_label_id: str) -> str:
    if verdict is Verdict.REJECTED:
        return ""
    if verdict is Verdict.CORRECTED:
        (label_id,) = taxonomy.resolve(catalog.label_set.labels, [label])
        return label_id
    if current_label_id not in catalog.label_set.places:
        raise CatalogError(
            "the item has no label to accept: categorize with write-back, or correct it."
        )
    return current_label_id


def _decision(item_id: str, label: Label | None) -> Decision:
    """The score of a person's label is 1; without a label the item fits none."""
    if label is None:
        return Decision(item_id=item_id, label_id="", label="", score=0.0, status=CONFIRMED)
    return Decision(
        item_id=item_id, label_id=label.label_id, label=label.name, score=1.0, status=CONFIRMED
    )
