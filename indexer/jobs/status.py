"""The state of catalogs: rows, labels, models, dead letters, the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from indexer.catalog.folder import catalog_names
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.catalog.outdated_labels import count_outdated_labels
from indexer.core.credentials import without_credentials
from indexer.core.errors import CatalogError, StoreError, UnknownCatalogError
from indexer.core.label_sets import CATEGORY
from indexer.store.indexes import AUTO, TYPES, choose

_FACTS = (
    "catalog",
    "items",
    "parts",
    "partitions",
    "labels",
    "label_sets",
    "outdated_labels",
    "model",
    "other_models",
    "width",
    "fingerprint",
    "dead_letters",
    "dead_by_reason",
    "archive",
    "database",
    "version",
    "items_in_database",
    "parts_in_database",
    "vector_type",
    "index",
    "search",
    "missing_items",
    "waiting_rows",
    "waiting_removals",
    "state",
)
"""The facts of every catalog, in order; None where one is unknown."""


def catalog_status(options: CatalogOptions) -> list[dict[str, Any]]:
    """A row of facts for each catalog of the data folder, or for the one that is named.

    Args:
        options: the default name stands for all catalogs.

    Raises:
        UnknownCatalogError: there is none, or not the one that is named.
    """
    names = catalog_names(options.data_dir)
    if not names:
        raise UnknownCatalogError(
            f"there is no catalog in {str(options.data_dir)!r}. Start one with: zeroshelf ingest "
            "SOURCE, or give --data-dir."
        )
    if options.catalog != CatalogOptions().catalog:
        if options.catalog not in names:
            options.folder.generations()  # says which catalogs there are
        names = [options.catalog]
    rows = []
    for name in names:
        try:
            with open_catalog(replace(options, catalog=name)) as catalog:
                rows.append(_facts(catalog))
        except CatalogError as error:  # a damaged catalog must not hide the others
            rows.append({"catalog": name, "state": str(error)})
    return [dict.fromkeys(_FACTS) | row for row in rows]


def _facts(catalog: OpenCatalog) -> dict[str, Any]:
    fingerprint = catalog.fingerprint
    dead = catalog.dead_letters.by_reason()
    return {
        "catalog": catalog.folder.name,
        "items": catalog.ledger.item_count(),
        "parts": catalog.ledger.count() if catalog.ledger.parts.exist else None,
        "partitions": _partitions(catalog),
        "labels": len(catalog.label_set),
        "label_sets": ", ".join(
            f"{at_set.folder.set_name} ({len(at_set.label_set):,})" for at_set in catalog.sets
        ),
        "outdated_labels": _outdated_labels(catalog),
        "model": fingerprint.models,
        "other_models": _other_models(catalog),
        "width": fingerprint.width,
        "fingerprint": f"{fingerprint.revision or 'no revision'}, "
        f"{'probed' if fingerprint.is_probed else 'no probes'}",
        "dead_letters": sum(dead.values()),
        "dead_by_reason": dead,
        "archive": str(catalog.folder.archive),
        **_database_facts(catalog),
    }


def _outdated_labels(catalog: OpenCatalog) -> str | None:
    """Rows with labels that were removed or renamed since, with the command that decides again."""
    try:
        counts = {at_set.folder.set_name: count_outdated_labels(at_set) for at_set in catalog.sets}
    except CatalogError as error:  # it hides no other fact
        return str(error)
    outdated = {set_name: count for set_name, count in counts.items() if count}
    if not outdated:
        return None
    counted = [
        f"{count:,} row{'' if count == 1 else 's'} ({set_name})"
        for set_name, count in outdated.items()
    ]
    sets = "" if [*outdated] == [CATEGORY] else f" --sets {','.join(outdated)}"
    return (
        f"on {', '.join(counted)}: zeroshelf categorize --to categories.parquet --write-back{sets} "
        f"--catalog {catalog.folder.name}"
    )


def _partitions(catalog: OpenCatalog) -> str | None:
    key = catalog.partition_key
    return f"{len(catalog.ledger.partitions.counts()):,} by {key}" if key else None


def _other_models(catalog: OpenCatalog) -> str | None:
    """Models of generations beside the current one, each with its command."""
    generations = catalog.folder.generations()
    others = {
        generations.previous: "kept: zeroshelf rollback goes back",
        generations.filling: "unfinished: zeroshelf reembed goes on",
    }
    models = [
        f"{generations.fingerprints[number].models} ({note})"
        for number, note in others.items()
        if number is not None
    ]
    return ", ".join(models) or None


def _database_facts(catalog: OpenCatalog) -> dict[str, Any]:
    """Facts from the database; its error is the state where it fails."""
    facts: dict[str, Any] = {"database": without_credentials(catalog.options.db_uri)}
    try:
        facts["database"] = catalog.database.address
        facts["version"] = catalog.database.server_info().version
        rows = "parts" if catalog.ledger.parts.exist else "items"
        facts[f"{rows}_in_database"] = catalog.items.count()
        facts["index"] = catalog.items.index_type() or "none"
        facts["vector_type"] = str(catalog.items.vector_type)
        facts["search"] = _search(catalog)
        facts["missing_items"] = catalog.lag.missing
        facts["waiting_rows"] = catalog.lag.waiting + catalog.lag.lost
        facts["waiting_removals"] = len(catalog.lag.removals)
        facts["state"] = _state(catalog)
    except (StoreError, CatalogError) as error:
        facts["state"] = str(error)
    return facts


def _search(catalog: OpenCatalog) -> str:
    """The search effort of the items' index, and reasons to run ``zeroshelf tune``."""
    items, rows = catalog.items, catalog.ledger.count()
    index, tuning = items.index_type() or "", items.tuning
    effort = TYPES[index].effort if index in TYPES else ""
    reasons = []
    if not effort:
        summary = "exact"
    elif tuning is None:
        summary = "by default"
        reasons.append("its recall was not measured")
    else:
        summary = (
            f"{effort} {tuning.effort}: recall@{tuning.limit} {tuning.recall:.4f} measured on "
            f"{tuning.items:,} items"
        )
        if tuning.is_outdated(rows):
            reasons.append(f"there are {rows:,} now")
    suiting = choose(AUTO, rows, items.backend(), current=index)
    if suiting != index:
        reasons.append(f"{suiting} suits {rows:,} items better")
    if not reasons:
        return summary
    return f"{summary}; {', '.join(reasons)}: zeroshelf tune --catalog {catalog.folder.name}"


def _state(catalog: OpenCatalog) -> str:
    warnings = catalog.lag.warnings(
        catalog.database.address, catalog.folder.name, is_stored_now=False
    )
    for at_set in catalog.sets:
        at_set.labels.count()
    return " ".join(warnings) or "complete"
