"""Checks a catalog's database: findings, each with its remedy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import (
    CatalogError,
    ModelError,
    StoreError,
    StoreLockedError,
    StoreUnavailableError,
    ZeroshelfError,
)
from indexer.core.layout import Layout, VectorType
from indexer.jobs.capacity import LITE_ITEMS, Capacity, capacity_for
from indexer.store import Database
from indexer.store.addresses import parse
from indexer.store.capabilities import Capability, ServerInfo

if TYPE_CHECKING:
    from indexer.store.state import CollectionState


class State(StrEnum):
    """The outcome of a check."""

    GOOD = "good"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: its name.
        found: what it found, for people.
        remedy: what to do; empty where nothing has to be done.
    """

    check: str
    state: State
    found: str
    remedy: str = ""

    @classmethod
    def good(cls, check: str, summary: str) -> Self:
        """A check without a finding."""
        return cls(check=check, state=State.GOOD, found=summary)

    @classmethod
    def warning(cls, check: str, summary: str, remedy: str) -> Self:
        """Something to look at."""
        return cls(check=check, state=State.WARNING, found=summary, remedy=remedy)

    @classmethod
    def problem(cls, check: str, summary: str, remedy: str = "") -> Self:
        """Something that does not work."""
        return cls(check=check, state=State.PROBLEM, found=summary, remedy=remedy)


def examine(options: CatalogOptions, *, planned_items: int | None = None) -> list[Finding]:
    """Check the database, then the catalog in it; errors become findings.

    Args:
        planned_items: size to check the capacity for; the catalog's own if None.

    Raises:
        ConfigError: the database's address or the catalog's name is not valid.
    """
    if (path := parse(options.db_uri).path) is not None and not path.exists():
        return [_missing(path, options)]
    try:
        database = Database.connect(options.db_uri, token=options.token)
    except StoreError as error:
        return [_unreachable(error)]
    with database:
        findings = [*_about_database(database)]
    if not options.folder.exists():
        findings.append(_absent(options))
        return findings
    try:
        with open_catalog(options) as catalog:
            findings += _about_catalog(catalog)
            findings += _about_capacity(catalog, planned_items)
    except ZeroshelfError as error:
        findings.append(Finding.problem("catalog", str(error)))
    return findings


def _missing(path: Path, options: CatalogOptions) -> Finding:
    """A Milvus Lite database that does not exist, and that opening would create."""
    if not options.folder.exists():
        return Finding.problem(
            "catalog",
            f"there is no database {str(path)!r}, and no catalog {options.catalog!r} in "
            f"{str(options.data_dir)!r}",
            "name another with --catalog, --data-dir or --db, or start it with zeroshelf ingest",
        )
    return Finding.problem(
        "connection",
        f"there is no database {str(path)!r}",
        f"correct --db, or make it: zeroshelf rebuild --catalog {options.catalog}",
    )


def _unreachable(error: StoreError) -> Finding:
    """The error that keeps commands from the database."""
    problem, _, remedy = str(error).rpartition("; ")
    if isinstance(error, StoreUnavailableError):
        remedy = (
            "start the server, or correct --db: `docker compose -f docker-compose.milvus.yml up "
            "-d --wait` starts one at http://127.0.0.1:19530"
        )
    check = "lock" if isinstance(error, StoreLockedError) else "connection"
    if "token" in remedy:
        check = "credentials"
    return Finding.problem(check, problem, remedy)


def _about_database(database: Database) -> Iterator[Finding]:
    yield Finding.good("connection", database.address)
    server = database.server_info()
    if server.is_too_old:
        yield Finding.problem(
            "version",
            f"{server.version}: too old, it has no upsert",
            "update the server to Milvus 2.6",
        )
    else:
        note = "" if server.is_tested else " (zeroshelf's tests were not run on this version)"
        yield Finding.good("version", server.version + note)
    names = ", ".join(sorted(server.capabilities))
    yield Finding.good("capabilities", names or "the basics")


def _absent(options: CatalogOptions) -> Finding:
    return Finding.problem(
        "catalog",
        f"there is no catalog {options.catalog!r} in {str(options.data_dir)!r}",
        "name another with --catalog or --data-dir, start it with zeroshelf ingest, or "
        "read it out of this database with zeroshelf copy --to-db",
    )


def _about_catalog(catalog: OpenCatalog) -> Iterator[Finding]:
    """Model, rows, labels, index; a problem ends the checks that depend on it."""
    name = catalog.folder.name
    rebuild = f"zeroshelf rebuild --catalog {name}"
    generation = catalog.folder.number
    try:
        stored = catalog.database.fingerprint(name, generation)
        state = catalog.database.state(name, generation)
        layout = catalog.database.layout(name, generation)
    except CatalogError as error:
        yield Finding.problem("catalog", str(error), rebuild)
        return
    try:
        items = catalog.items
    except (CatalogError, ModelError) as error:
        yield Finding.problem(
            "model",
            str(error),
            "another data folder made this catalog: give its --data-dir, or name another --catalog",
        )
        return
    probes = "probed" if stored.is_probed else "no probes to compare"
    yield Finding.good(
        "model", f"{stored.models}, {stored.width} dimensions as {layout.vector_type}, {probes}"
    )
    yield _about_rows(catalog, rebuild)
    try:
        counts = {at_set.folder.set_name: at_set.labels.count() for at_set in catalog.sets}
        summary = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
        only_category = len(counts) == 1
        summary = f"{sum(counts.values()):,}" if only_category else summary
        yield Finding.good("labels", f"{summary}, as in the catalog")
    except CatalogError as error:
        yield Finding.problem("labels", str(error), rebuild)
    yield from _about_index(state, items.suggested_index(), rebuild)
    if layout.indexed:
        yield _about_metadata(layout, catalog.database.server_info())
    yield _about_load(state, is_lite=catalog.database.is_lite)


def _about_rows(catalog: OpenCatalog, rebuild: str) -> Finding:
    lag = catalog.lag
    summary = f"{lag.rows:,} of {lag.items:,} in the archive"
    retry = f"zeroshelf retry --catalog {catalog.folder.name}"
    if lag.missing:
        return Finding.problem("items", summary, rebuild)
    if lag.lost:
        summary += f"; the database is older: up to {lag.lost:,} rows are not in it as they are now"
        return Finding.problem("items", summary, retry)
    if lag.waiting:
        removals = f", {len(lag.removals):,} removals among them" if lag.removals else ""
        summary += f"; up to {lag.waiting:,} rows{removals} wait to be stored"
        return Finding.warning("items", summary, retry)
    if lag.extra:
        summary += ": rows that the archive does not know, or rows twice"
        return Finding.problem("items", summary, rebuild)
    if lag.is_foreign:
        summary += "; another data folder wrote to the database since, or this one is a backup"
        return Finding.warning("items", summary, f"{rebuild} --verify")
    return Finding.good("items", summary)


def _about_index(state: CollectionState, suggested: str, rebuild: str) -> Iterator[Finding]:
    if not state.index or state.index_state == "Failed":
        yield Finding.problem(
            "index",
            f"{state.index or 'none'} {state.index_state}".strip(),
            f"{rebuild} --index auto",
        )
    elif state.pending_rows:
        yield Finding.warning(
            "index",
            f"{state.index}, {state.pending_rows:,} rows are not in it yet",
            "wait: searches are slow until it is built",
        )
    elif state.index != suggested:
        yield Finding.warning(
            "index",
            f"{state.index}; {suggested} suits this size",
            f"{rebuild} --index {suggested}, unless it was chosen",
        )
    else:
        yield Finding.good("index", state.index)


def _about_metadata(layout: Layout, server: ServerInfo) -> Finding:
    columns = ", ".join(map(str, layout.indexed))
    if Capability.JSON_INDEXES in server.capabilities:
        return Finding.good("metadata", f"indexed: {columns}")
    return Finding.warning(
        "metadata",
        f"{columns}: this database can't index it, filters look at every row",
        "servers can from Milvus 2.6 on; nothing else differs",
    )


def _about_load(state: CollectionState, *, is_lite: bool) -> Finding:
    if is_lite:
        return Finding.good("load state", "loaded whenever it is opened")
    if state.loaded:
        return Finding.good("load state", "loaded")
    return Finding.warning(
        "load state",
        "was not loaded; this check has loaded it",
        "if it happens again, something else releases it",
    )


def _about_capacity(catalog: OpenCatalog, planned_items: int | None) -> Iterator[Finding]:
    stored = catalog.ledger.count()
    planned = planned_items or stored
    is_lite = catalog.database.is_lite
    more = max(0, planned - stored)
    needed = capacity_for(
        more,
        catalog.fingerprint.width,
        is_lite=is_lite,
        value_bytes=_vector_type(catalog).value_bytes,
    )
    if is_lite and planned > LITE_ITEMS:
        yield Finding.warning(
            "size",
            f"{planned:,} items: Milvus Lite is slow beyond some {LITE_ITEMS:,}",
            "start a server and run: zeroshelf copy --to-db http://127.0.0.1:19530",
        )
    yield _about_memory(catalog, needed, planned)
    yield _about_disk(catalog, needed, planned)


def _vector_type(catalog: OpenCatalog) -> VectorType:
    """The items' vector type in the database, or that of a new one."""
    name, generation = catalog.folder.name, catalog.folder.number
    if not catalog.database.has_catalog(name, generation):
        return VectorType.FLOAT32
    return catalog.database.layout(name, generation).vector_type or VectorType.FLOAT32


def _about_memory(catalog: OpenCatalog, needed: Capacity, planned: int) -> Finding:
    if catalog.database.is_lite:
        free, where = _free_memory(), "of this machine"
    else:
        memory = catalog.database.memory()
        free, where = (None if memory is None else memory.free), "of the server"
    return _compare_capacity(f"memory for {planned:,} items", needed.memory_bytes, free, where)


def _about_disk(catalog: OpenCatalog, needed: Capacity, planned: int) -> Finding:
    """The disk of the archive and of Milvus Lite; a server does not report its disk."""
    folder = catalog.folder.archive
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    scope = "" if catalog.database.is_lite else " for the archive; the server does not tell its own"
    return _compare_capacity(
        f"disk for {planned:,} items", needed.disk_bytes, free, f"at {folder}{scope}"
    )


def _compare_capacity(check: str, needed_bytes: int, free: int | None, where: str) -> Finding:
    need = f"about {_gigabytes(needed_bytes)} more needed"
    if free is None:
        return Finding.good(check, f"{need}; {where} it can't be asked how much is free")
    summary = f"{need}, {_gigabytes(free)} free {where}"
    if needed_bytes > free:
        return Finding.problem(
            check, summary, "free some, give it more, or take a quantized index (--index)"
        )
    if needed_bytes > free // 2:
        return Finding.warning(check, summary, "it fits, with little to spare")
    return Finding.good(check, summary)


def _free_memory() -> int | None:
    """Bytes of free memory on this machine; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return int(values["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"
