"""Verdicts of people on labels: stored, applied to the items, and exported."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from indexer.catalog.corrections import Correction, CorrectionFile, ReplacedDecision, Verdict
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.near_ids import hint
from indexer.catalog.opening import OpenCatalog, refuse_while_migrating
from indexer.catalog.parts import PartRow
from indexer.core.cells import inert
from indexer.core.errors import CatalogError, UnknownItemError
from indexer.core.label_sets import sets_option
from indexer.core.protocols import Decision
from indexer.core.records import Label
from indexer.labels import taxonomy
from indexer.labels.sets import LabelSet

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
    current = _current_decision(catalog, item_id)
    current_label_id = current.label_id
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
        time=_now(),
        replaced=current,
    )
    CorrectionFile(catalog.folder.corrections).add(correction)
    return correction


def withdraw_verdict(
    catalog: OpenCatalog, item_id: str, *, time: str | None = None, reviewer: str = ""
) -> Correction:
    """Take back the newest verdict on an item; ``apply_verdicts`` restores what was before it.

    An earlier verdict on the item counts again. Without one the item gets back the decision that
    it had, also where a categorization decided it anew meanwhile: that left a person's label alone.

    Args:
        catalog: opened for reading is enough.
        time: of the verdict, as it was answered; None is whichever is the newest.
        reviewer: name of the person or key.

    Raises:
        CatalogError: no such item or verdict, the newest is another one, or what was before it is
            not known; or the catalog is moving to other labels.
    """
    refuse_while_migrating(catalog.folder)
    current = _current_decision(catalog, item_id)
    file = CorrectionFile(catalog.folder.corrections)
    newest = file.all().get(item_id)
    if newest is None or newest.time != (time or newest.time):
        raise CatalogError(
            f"nothing to take back: the newest verdict on item {item_id!r} is "
            f"{'another one by now' if newest else 'none'}. Look at the item again."
        )
    if newest.replaced is None:
        raise CatalogError(
            f"the verdict on item {item_id!r} can't be taken back: it was given before the catalog "
            "moved to other labels, or by an earlier version. Correct the item's label instead."
        )
    withdrawn = Correction(
        item_id=item_id,
        verdict=Verdict.WITHDRAWN,
        label_id=newest.label_id,
        before=current.label_id,
        who=reviewer,
        time=_now(),
    )
    file.add(withdrawn)
    return withdrawn


def apply_verdicts(
    catalog: OpenCatalog, by_shard: Mapping[int, Mapping[int, Decision | None]]
) -> None:
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
) -> dict[int, dict[int, Decision | None]]:
    """Decisions by people that their items do not have yet, such as after a crash.

    Args:
        catalog: opened for reading is enough.
        item_ids: of these items only; None is all.

    Returns:
        Decisions by shard and row, without removed items. Those of withdrawn verdicts are the
        ones that were before; None where there was none.
    """
    file = CorrectionFile(catalog.folder.corrections)
    if not file.all() and not file.withdrawn():
        return {}
    by_item = reviewed_decisions(catalog)
    restored = _restored_decisions(catalog)
    known_ids = by_item.keys() | restored.keys()
    wanted_ids = known_ids if item_ids is None else known_ids & set(item_ids)
    by_shard: dict[int, dict[int, Decision | None]] = {}
    only_confirmed: set[tuple[int, int]] = set()
    for item_id, rows in catalog.ledger.parts.rows_of(sorted(wanted_ids)).items():
        decision = by_item[item_id] if item_id in by_item else restored[item_id]
        for row in rows:
            of_row = None if decision is None else replace(decision, item_id=row.row_id)
            by_shard.setdefault(row.shard, {})[row.row] = of_row
            if item_id not in by_item:
                only_confirmed.add((row.shard, row.row))
    files = DecisionFiles(catalog.folder.decisions)
    for shard, decisions in by_shard.items():
        table = files.table(shard)
        stored: dict[int, Any] = {}
        if table is not None:
            stored = dict(zip(decisions, table.take(list(decisions)).to_pylist(), strict=True))
        by_shard[shard] = {
            row: decision
            for row, decision in decisions.items()
            if _is_pending(stored.get(row), decision, is_restored=(shard, row) in only_confirmed)
        }
    return {shard: decisions for shard, decisions in by_shard.items() if decisions}


def _is_pending(
    stored: Mapping[str, Any] | None, decision: Decision | None, *, is_restored: bool
) -> bool:
    """Whether a row is to get a decision: one that is restored only replaces a person's.

    Args:
        stored: columns of the row's decision; None where its shard has none.
    """
    if is_restored:
        return stored is not None and stored["status"] == CONFIRMED
    return stored is None or decision != Decision(**stored)


def _restored_decisions(catalog: OpenCatalog) -> dict[str, Decision | None]:
    """What items had before verdicts that are all withdrawn, by id.

    None where they had no decision, or one whose label is removed.
    """
    places = catalog.label_set.places
    restored: dict[str, Decision | None] = {}
    for item_id, replaced in CorrectionFile(catalog.folder.corrections).withdrawn().items():
        is_decision = bool(replaced.status or replaced.label_id)
        is_known = not replaced.label_id or replaced.label_id in places
        restored[item_id] = (
            Decision(item_id=item_id, **asdict(replaced)) if is_decision and is_known else None
        )
    return restored


def reviewed_decisions(catalog: OpenCatalog) -> dict[str, Decision]:
    """Decisions by people, by item id, without those of removed labels."""
    label_set = catalog.label_set
    corrections = CorrectionFile(catalog.folder.corrections).all()
    decided = {}
    for item_id, correction in without_removed(corrections, label_set).items():
        place = label_set.places.get(correction.label_id)
        decided[item_id] = _decision(item_id, None if place is None else label_set.labels[place])
    return decided


def without_removed(
    corrections: Mapping[str, Correction], labels: LabelSet
) -> dict[str, Correction]:
    """The corrections by item whose label there still is: people are to look at the others again.

    "No label" is one of them.
    """
    return {
        item_id: correction
        for item_id, correction in corrections.items()
        if not correction.label_id or correction.label_id in labels.places
    }


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
    corrections = CorrectionFile(catalog.folder.corrections).all()
    return len(corrections) - len(without_removed(corrections, catalog.label_set))


def _current_decision(catalog: OpenCatalog, item_id: str) -> ReplacedDecision:
    """The decision that an item has; all empty where it has none.

    Raises:
        CatalogError: no such item.
    """
    place = _lead_row(catalog, item_id)
    table = DecisionFiles(catalog.folder.decisions).table(place.shard)
    row = {} if table is None else table.slice(place.row, 1).to_pylist()[0]
    return ReplacedDecision(
        label_id=row.get("label_id") or "",
        label=row.get("label") or "",
        score=row.get("score") or 0.0,
        status=row.get("status") or "",
    )


def _now() -> str:
    """Microseconds tell two verdicts on one item apart."""
    return datetime.now(UTC).isoformat()


def _lead_row(catalog: OpenCatalog, item_id: str) -> PartRow:
    rows = catalog.ledger.parts.rows_of([item_id]).get(item_id)
    if rows is None:
        near = hint(catalog.ledger, item_id)
        raise UnknownItemError(f"catalog {catalog.folder.name!r} has no item {item_id!r}{near}.")
    return rows[0]


def _label_id(catalog: OpenCatalog, verdict: Verdict, label: str, current_label_id: str) -> str:
    if verdict is Verdict.REJECTED:
        return ""
    if verdict is Verdict.CORRECTED:
        (label_id,) = taxonomy.resolve(catalog.label_set.labels, [label])
        return label_id
    if current_label_id and current_label_id not in catalog.label_set.places:
        raise CatalogError(
            f"the item's label {current_label_id!r} was removed: correct it, or decide again with: "
            "zeroshelf categorize --to categories.parquet --write-back"
            f"{sets_option(catalog.folder.set_name)}"
        )
    if not current_label_id:
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
